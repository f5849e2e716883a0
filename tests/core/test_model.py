"""Model files: what is loaded, what is refused, and the state of streaming networks."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, TOYS
from model_files import CARD, damaged, toy

from noisewatch import ModelError, NoiseDetector
from noisewatch.core.model import Model
from noisewatch.core.shipped import DEFAULT, WAVEFORM, find_model


@pytest.mark.extras
def test_toy_models_match_their_script():
    import make_toys
    import onnx

    for name, model in make_toys.toys().items():
        assert onnx.load(TOYS / f"{name}.onnx") == model


def test_a_streaming_model_carries_its_state_through_a_stream(tmp_path: Path, voice: np.ndarray):
    detector = NoiseDetector(toy(tmp_path / "m.onnx", replace(CARD, step_s=0.1).to_json(), "counting"))
    readings = detector.stream(hop=0.2).push(voice)
    assert [r.noise for r in readings[:3]] == pytest.approx([1 / (1 + np.exp(-n / 10)) for n in (0, 2, 4)])
    assert detector.stream(hop=0.2).push(voice)[0] == readings[0]  # nothing carried between streams


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda p: p.write_bytes(b"not a model"), "not an ONNX model"),
        (lambda p: p.write_bytes(b""), "not an ONNX model"),
        (lambda p: toy(p, CARD.to_json(), "renamed"), "inputs mel, reference"),
        (lambda p: toy(p, replace(CARD, window_s=1.0).to_json()), r"its card specifies \[1, 98, 40\]"),
        (lambda p: toy(p, replace(CARD, step_s=0.1).to_json()), "a streaming noisewatch model has .*state"),
        (lambda p: toy(p, CARD.to_json(), "counting"), "inputs logmel, reference, state"),
        (lambda p: toy(p, replace(CARD, step_s=0.3).to_json()), "step_s is 0.3"),
        (lambda p: toy(p, CARD.to_json(), "wide"), r"output noise of shape \[2\]"),
        (lambda p: os.truncate(toy(p, CARD.to_json()), 300 << 20), "315 MB; allowed: 268"),
        (lambda p: damaged(p, b"reference", b"\xff"), "text that is not UTF-8|not an ONNX model"),
    ],
)
def test_an_unfit_model_file_is_refused(tmp_path: Path, make, sentence: str):
    path = tmp_path / "m.onnx"
    make(path)
    with pytest.raises(ModelError, match=sentence):
        Model(path)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("nothing.onnx", "no file nothing.onnx"), ("./no", "no file no"), ("nothing", "unknown model 'nothing'")],
)
def test_the_error_names_a_missing_model(name: str, sentence: str):
    with pytest.raises(ModelError, match=sentence) as error:
        find_model(name)
    assert DEFAULT in str(error.value)


def test_a_model_that_takes_a_waveform_is_for_other_programs():
    with pytest.raises(ModelError, match="takes a waveform: it is for programs other than noisewatch"):
        Model(find_model("stcn").with_name(f"{WAVEFORM}.onnx"))


def test_a_missing_model_ends_the_command_with_its_exit_code(invoke):
    done = invoke("listen", "demo", "--fast", "--json", "--model", "nothing")
    assert (done.returncode, done.stdout) == (5, "")
    assert "unknown model 'nothing'" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_printed_about_a_broken_model(run, tmp_path: Path):
    """ONNX Runtime would print to stdout, before the JSON."""
    data = bytearray((ROOT / "models" / "bcresnet1.onnx").read_bytes())
    data[111] = 0xF3
    (tmp_path / "m.onnx").write_bytes(data)
    done = run("listen", "demo", "--json", "--model", tmp_path / "m.onnx")
    assert (done.returncode, done.stdout) == (5, "")
    assert "not an ONNX model that can be loaded" in done.stderr


def test_a_network_that_takes_long_to_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("noisewatch.core.ort.LOAD_S", 0.001)
    with pytest.raises(ModelError, match="takes more than 0 s to load"):
        Model()
