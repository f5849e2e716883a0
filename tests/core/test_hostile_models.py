"""Networks that need too much memory or time, or fail at run time, end in a readable error."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO
from model_files import hostile

from noisewatch import ModelError, NoiseDetector
from noisewatch.system import watchdog


@pytest.mark.extras
@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("state huge", r"a state of shape \['b', 17179869184\], where \[streams, 1 to 1048576\] is allowed"),
        ("state of any size", r"a state of shape \['b', 'n'\]"),
        ("state of none", r"a state of shape \['b', 0\]"),
        ("constant", "fails at run time: it needs more than 1 GiB of memory"),
        ("expanded", "fails at run time: it needs more than 1 GiB of memory"),
        ("lying", "not an ONNX model that can be loaded"),
        ("endless", "does not finish"),
        ("out of range", "fails at run time: .*out of data bounds"),
        ("of another size", "fails at run time"),
    ],
)
def test_a_hostile_network_is_refused(
    tmp_path: Path, voice: np.ndarray, monkeypatch: pytest.MonkeyPatch, kind: str, sentence: str
):
    monkeypatch.setattr(watchdog, "POLL_S", 0.05)
    with pytest.raises(ModelError, match=sentence):
        NoiseDetector(hostile(tmp_path / "m.onnx", kind)).stream().push(voice)


@pytest.mark.extras
def test_a_network_that_fails_is_blamed_rather_than_the_audio(run, tmp_path: Path):
    path = hostile(tmp_path / "m.onnx", "out of range")
    commands = [
        ("listen", "demo", "--fast"),
        ("check", "demo"),
        ("scan", DEMO),
        ("listen", "demo", "--fast", "--json"),
    ]
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda args: run(*args, "--model", path), commands))
    for args, done in zip(commands, results, strict=True):
        assert done.returncode == 5, args
        assert "fails at run time" in done.stderr
        assert "too little" not in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.extras
def test_a_scan_shows_its_results_when_the_network_fails(run, tmp_path: Path, voice: np.ndarray):
    path = hostile(tmp_path / "m.onnx", "out of range where it is loud")
    for name, gain in (("1_quiet.wav", 1e-3), ("2_loud.wav", 1)):
        sf.write(tmp_path / name, voice * gain, 16_000, subtype="FLOAT")
    done = run("scan", tmp_path, "--model", path)
    assert done.returncode == 5
    assert "1_quiet.wav" in done.stdout
    assert "fails at run time" in done.stderr
