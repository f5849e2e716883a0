"""Model files: what is loaded, what is refused, and state for streaming networks."""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO, ROOT, TOYS

from noisewatch import ModelError, NoiseDetector
from noisewatch.audio.logmel import FrontendConfig
from noisewatch.core.card import METADATA_KEY, Card
from noisewatch.core.model import Model
from noisewatch.core.shipped import DEFAULT, find_model, shipped_models
from noisewatch.system import watchdog

CARD = Card(name="toy", version="0", window_s=3.0, hop_s=0.1, threshold=0.5)


def toy(path: Path, card: str | None, name: str = "plain") -> Path:
    """A network of make_toys.py with a card."""
    model = (TOYS / f"{name}.onnx").read_bytes()
    if card is not None:  # protobuf: what is appended to a message is merged into it
        entry = field(1, METADATA_KEY.encode()) + field(2, card.encode())
        model += field(14, entry)  # ModelProto.metadata_props
    path.write_bytes(model)
    return path


def damaged(path: Path, near: bytes, byte: bytes) -> None:
    """The same with a byte in place of the last one of some text, everywhere."""
    toy(path, CARD.to_json())
    path.write_bytes(path.read_bytes().replace(near, near[:-1] + byte))


def test_nothing_is_printed_about_a_broken_model(run, tmp_path: Path):
    """ONNX Runtime would on stdout, in front of the JSON."""
    data = bytearray((ROOT / "models" / "bcresnet1.onnx").read_bytes())
    data[111] = 0xF3
    (tmp_path / "m.onnx").write_bytes(data)
    done = run("listen", "demo", "--json", "--model", tmp_path / "m.onnx")
    assert (done.returncode, done.stdout) == (5, "")
    assert "not an ONNX model that can be loaded" in done.stderr


def field(number: int, payload: bytes) -> bytes:
    """A length-delimited field of a protobuf message."""
    return bytes([number << 3 | 2]) + varint(len(payload)) + payload


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


@pytest.mark.extras
def test_the_toys_are_what_their_script_makes():
    import make_toys
    import onnx

    for name, options in make_toys.TOYS.items():
        assert onnx.load(TOYS / f"{name}.onnx") == make_toys.toy(**options)


@pytest.mark.parametrize("name", shipped_models())
def test_a_shipped_model_loads_by_name_and_its_card_is_whole(name: str):
    model = Model(name)
    card = model.card
    assert card.name == name
    assert card.frontend == FrontendConfig()
    assert card.shippable, "weights that ship are trained on sources that allow it"
    assert {"source", "licence", "minutes", "kind"} <= set(card.trained_on[0])
    assert not {"emodb", "urbansound8k", "librispeech_testother", "picovoice_noise"} & {
        s["source"] for s in card.trained_on
    }
    assert model.frames == 298


def test_a_card_survives_its_journey():
    assert Card.from_json(CARD.to_json()) == CARD


def test_a_card_older_than_the_high_pass_runs_without_it(tmp_path: Path, voice: np.ndarray):
    fields = json.loads(CARD.to_json())
    assert fields["frontend"].pop("highpass_hz") == 20
    old = NoiseDetector(toy(tmp_path / "old.onnx", json.dumps(fields)))
    assert old.model.card.frontend.highpass_hz == 0
    levels = [NoiseDetector(toy(tmp_path / "new.onnx", CARD.to_json())), old]
    offset, plain = ([d.stream().push(x)[0].level_dbfs for d in levels] for x in (voice + np.float32(0.2), voice))
    assert offset[0] == pytest.approx(plain[0], abs=0.5)
    assert offset[1] > plain[1] + 5


def test_a_model_with_state_runs_in_the_same_engine(tmp_path: Path, voice: np.ndarray):
    detector = NoiseDetector(toy(tmp_path / "m.onnx", replace(CARD, window_s=0.12).to_json(), "counting"))
    readings = detector.stream().push(voice)
    assert [r.noise for r in readings[:3]] == pytest.approx([1 / (1 + np.exp(-n)) for n in (1, 2, 3)])
    assert detector.stream().push(voice)[0] == readings[0]  # nothing carried between streams


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda p: p.write_bytes(b"not a model"), "not an ONNX model"),
        (lambda p: p.write_bytes(b""), "not an ONNX model"),
        (lambda p: toy(p, None), "no noisewatch card"),
        (lambda p: toy(p, "{}"), "card that cannot be read"),
        (lambda p: toy(p, "[1"), "card that cannot be read"),
        (lambda p: toy(p, replace(CARD, frontend=FrontendConfig(n_fft=512)).to_json()), r"n_fft 512 \(here 480\)"),
        (lambda p: toy(p, replace(CARD, frontend=FrontendConfig(highpass_hz=-1)).to_json()), "highpass_hz is -1"),
        (lambda p: toy(p, CARD.to_json(), "renamed"), "inputs mel, reference"),
        (lambda p: toy(p, replace(CARD, window_s=1.0).to_json()), r"its card says \[1, 98, 40\]"),
        (lambda p: toy(p, CARD.to_json(), "wide"), r"output noise of shape \[2\]"),
        (lambda p: toy(p, replace(CARD, threshold=7).to_json()), "threshold is 7"),
        (lambda p: toy(p, replace(CARD, hop_s="0.1").to_json()), "hop_s is str, not float"),
        (lambda p: toy(p, replace(CARD, hop_s=0.015).to_json()), "hop_s is 0.015; allowed: multiples of 0.01"),
        (lambda p: toy(p, replace(CARD, hop_s=True).to_json()), "hop_s is bool, not float"),
        (lambda p: toy(p, replace(CARD, window_s=60.0).to_json()), "window_s is 60.0; allowed: 0.03 to 3.0"),
        (lambda p: toy(p, replace(CARD, threshold=float("nan")).to_json()), "threshold is nan"),
        (lambda p: toy(p, replace(CARD, name={"a": 1}).to_json()), "name is dict, not str"),
        (lambda p: toy(p, replace(CARD, name="\x1b[2J").to_json()), "name is not 1 to 100 printable"),
        (lambda p: toy(p, replace(CARD, trained_on=["x"]).to_json()), "not a list of objects"),
        (lambda p: toy(p, replace(CARD, parameters=10**400).to_json()), "parameters has 1329 bits"),
        (lambda p: toy(p, "[" * 100_000), "card that cannot be read.*nested too deeply"),
        (lambda p: toy(p, '{"frontend": 7}'), "card that cannot be read"),
        (lambda p: toy(p, '{"frontend": {"n_mels": "40"}}'), "n_mels is str, not int"),
        (lambda p: toy(p, json.dumps({**json.loads(CARD.to_json()), "x" * 5000: 1})), r"x{200,}\.\.\.\. Export"),
        (lambda p: os.truncate(toy(p, CARD.to_json()), 300 << 20), "315 MB; allowed: 268"),
        (lambda p: damaged(p, CARD.to_json().encode()[:9], b"\x89"), "text that is not UTF-8"),
        (lambda p: damaged(p, b"reference", b"\xff"), "text that is not UTF-8|not an ONNX model"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, make, sentence: str):
    path = tmp_path / "m.onnx"
    make(path)
    with pytest.raises(ModelError, match=sentence):
        Model(path)


def hostile(path: Path, kind: str) -> Path:
    """A network with an honest card that asks for what nobody should give it."""
    from onnx import TensorProto, helper, save

    f, i, node = TensorProto.FLOAT, TensorProto.INT64, helper.make_node
    inputs = [helper.make_tensor_value_info("logmel", f, [1, 298, 40])]
    inputs += [helper.make_tensor_value_info("reference", f, [1])]
    outputs = [helper.make_tensor_value_info(name, f, [1]) for name in ("noise", "snr_db", "voice")]
    nodes, constants = [node("Identity", ["reference"], [name]) for name in ("snr_db", "voice")], []
    if kind.startswith("state"):
        shape = {"state huge": [1 << 34], "state of any shape": ["n", 3], "state of none": [0]}[kind]
        inputs += [helper.make_tensor_value_info("h", f, shape)]
        outputs += [helper.make_tensor_value_info("h_out", f, shape)]
        nodes += [node("Identity", ["h"], ["h_out"]), node("Identity", ["reference"], ["noise"])]
    elif kind in ("constant", "expanded"):
        constants = [helper.make_tensor("n", i, [1], [1 << 29])]  # 2 GB
        made = (
            node("ConstantOfShape", ["n"], ["big"])
            if kind == "constant"
            else node("Expand", ["reference", "n"], ["big"])
        )
        nodes += [
            made,
            node("ReduceMean", ["big"], ["mean"], keepdims=0),
            node("Add", ["mean", "reference"], ["noise"]),
        ]
    elif kind == "lying":
        constants = [helper.make_tensor("w", f, [1], [1.0])]
        constants[0].dims[0] = 1 << 34
        nodes += [node("ReduceMean", ["w"], ["mean"], keepdims=0), node("Add", ["mean", "reference"], ["noise"])]
    elif kind == "endless":
        again = helper.make_tensor_value_info("again", TensorProto.BOOL, [])
        x, went_on = (
            helper.make_tensor_value_info("x", f, [1]),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
        )
        y = helper.make_tensor_value_info("y", f, [1])
        body = [node("Identity", ["again"], ["on"]), node("Identity", ["x"], ["y"])]
        graph = helper.make_graph(body, "body", [helper.make_tensor_value_info("k", i, []), again, x], [went_on, y])
        constants = [
            helper.make_tensor("n", i, [], [1 << 62]),
            helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
        ]
        nodes += [node("Loop", ["n", "yes", "reference"], ["noise"], body=graph)]
    elif kind == "out of range where it is loud":
        constants = [helper.make_tensor("most", f, [], [-6.0])]
        nodes += [node("ReduceMax", ["logmel"], ["peak"], keepdims=0), node("Greater", ["peak", "most"], ["over"])]
        nodes += [node("Cast", ["over"], ["index"], to=i), node("Reshape", ["index", "one"], ["place"])]
        constants += [helper.make_tensor("one", i, [1], [1])]
        nodes += [node("Gather", ["reference", "place"], ["noise"])]
    else:  # what depends on the input: no shape is known before it runs
        nodes += [node("Cast", ["reference"], ["below"], to=i), node("Abs", ["below"], ["index"])]
        last = {
            "out of range": ["Gather", "reference", "index"],
            "of another size": ["Expand", "reference", "index"],
        }
        operation, *of = last[kind]
        nodes += [node(operation, of, ["noise"])]
    model = helper.make_model(
        helper.make_graph(nodes, "hostile", inputs, outputs, constants),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=9,
    )  # fmt: skip
    helper.set_model_props(model, {METADATA_KEY: CARD.to_json()})
    save(model, path)
    return path


@pytest.mark.extras
@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("state huge", "carries a state of 17179869184 numbers; allowed: 16777216"),
        ("state of any shape", r"state h of shape \['n', 3\]"),
        ("state of none", r"state h of shape \[0\]"),
        ("constant", "fails while it runs: it needs more than 1 GiB of memory"),
        ("expanded", "fails while it runs: it needs more than 1 GiB of memory"),
        ("lying", "not an ONNX model that can be loaded"),
        ("endless", "does not finish"),
        ("out of range", "fails while it runs: .*out of data bounds"),
        ("of another size", "fails while it runs"),
    ],
)
def test_a_hostile_network_ends_as_a_sentence(
    tmp_path: Path, voice: np.ndarray, monkeypatch: pytest.MonkeyPatch, kind: str, sentence: str
):
    monkeypatch.setattr(watchdog, "POLL_S", 0.05)
    with pytest.raises(ModelError, match=sentence):
        NoiseDetector(hostile(tmp_path / "m.onnx", kind)).stream().push(voice)


def test_a_network_that_takes_long_to_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("noisewatch.core.ort.LOAD_S", 0.001)
    with pytest.raises(ModelError, match="takes more than 0 s to load"):
        Model()


@pytest.mark.extras
def test_a_network_that_fails_is_blamed_and_not_the_sound(run, tmp_path: Path):
    path = hostile(tmp_path / "m.onnx", "out of range")
    for args in (
        ("listen", "demo", "--fast"),
        ("check", "demo"),
        ("scan", DEMO),
        ("listen", "demo", "--fast", "--json"),
    ):
        done = run(*args, "--model", path)
        assert done.returncode == 5, args
        assert "fails while it runs" in done.stderr
        assert "too little" not in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.extras
def test_a_scan_shows_what_it_has_when_the_network_fails(run, tmp_path: Path, voice: np.ndarray):
    path = hostile(tmp_path / "m.onnx", "out of range where it is loud")
    for name, gain in (("1_quiet.wav", 1e-3), ("2_loud.wav", 1)):
        sf.write(tmp_path / name, voice * gain, 16_000, subtype="FLOAT")
    done = run("scan", tmp_path, "--model", path)
    assert done.returncode == 5
    assert "1_quiet.wav" in done.stdout
    assert "fails while it runs" in done.stderr


def test_a_missing_model_is_named(run):
    for name, said in (("nothing.onnx", "no file nothing.onnx"), ("./no", "no file no"), ("nothing", "'nothing'")):
        done = run("listen", "demo", "--fast", "--json", "--model", name)
        assert done.returncode == 5
        assert said in done.stderr
        assert DEFAULT in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", shipped_models())
def test_a_card_that_ships_lists_every_number_of_the_front_end(name: str):
    """One that it lacked would be taken from this version, whatever the network was trained on."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(find_model(name)), providers=["CPUExecutionProvider"])
    card = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
    assert card["frontend"] == asdict(FrontendConfig())
