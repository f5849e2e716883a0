"""Model files: what is loaded, what is refused, and state for streaming networks."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from conftest import TOYS

from noisewatch import ModelError, NoiseDetector
from noisewatch.frontend import FrontendConfig
from noisewatch.model import DEFAULT, METADATA_KEY, Card, Model, find_model, shipped_models

CARD = Card(name="toy", version="0", window_s=3.0, hop_s=0.1, threshold=0.5)


def toy(path: Path, card: str | None, name: str = "plain") -> Path:
    """A network of make_toys.py with a card."""
    model = (TOYS / f"{name}.onnx").read_bytes()
    if card is not None:  # protobuf: what is appended to a message is merged into it
        entry = field(1, METADATA_KEY.encode()) + field(2, card.encode())
        model += field(14, entry)  # ModelProto.metadata_props
    path.write_bytes(model)
    return path


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
        (lambda p: p.write_bytes(b"not a model"), "no ONNX model"),
        (lambda p: p.write_bytes(b""), "no ONNX model"),
        (lambda p: toy(p, None), "no noisewatch card"),
        (lambda p: toy(p, "{}"), "card that cannot be read"),
        (lambda p: toy(p, "[1"), "card that cannot be read"),
        (lambda p: toy(p, replace(CARD, frontend=FrontendConfig(n_fft=512)).to_json()), r"n_fft 512 \(here 480\)"),
        (lambda p: toy(p, replace(CARD, frontend=FrontendConfig(highpass_hz=-1)).to_json()), "highpass_hz is -1"),
        (lambda p: toy(p, CARD.to_json(), "renamed"), "inputs mel, reference"),
        (lambda p: toy(p, replace(CARD, window_s=1.0).to_json()), r"its card says \[1, 98, 40\]"),
        (lambda p: toy(p, CARD.to_json(), "wide"), r"output noise of shape \[2\]"),
        (lambda p: toy(p, replace(CARD, threshold=7).to_json()), "threshold is 7"),
        (lambda p: toy(p, replace(CARD, hop_s="0.1").to_json()), "hop_s is '0.1'"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, make, sentence: str):
    path = tmp_path / "m.onnx"
    make(path)
    with pytest.raises(ModelError, match=sentence):
        Model(path)


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
