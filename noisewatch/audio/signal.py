"""The signal format that everything works on: mono float32 in -1..1 at 16 kHz, in windows of 3 s."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError

SAMPLE_RATE = 16_000  # Hz
WINDOW_S = 3.0  # s of audio that one decision looks back over
WINDOW = round(WINDOW_S * SAMPLE_RATE)  # samples
BLOCK = SAMPLE_RATE // 100  # samples (10 ms): the grid of front end, health and decisions
FULL_SCALE = 1.001  # floats beyond it were not clipped at 1; lossy codecs overshoot a little in any case
LOUDEST = 100.0  # floats beyond it are on another scale, not in -1..1 with headroom

Samples = NDArray[np.float32]

# Integers of other widths may use their full scale or only 16 bits, and bytes may be fragments of wider samples.
_ADVICE = {
    "int32": " If they reach 2**31, push x / 2**31; if they are 16 bits wide, x.astype(np.int16).",
    "int64": " If they are 16 bits wide, push x.astype(np.int16).",
    "uint8": " If they are 8-bit PCM, push (x - 128.0) / 128; if they are bytes of int16, np.frombuffer(x, '<i2').",
    "int8": " If they are 8-bit PCM, push x / 128.",
}


def as_float(samples: ArrayLike, time: float, rate: int) -> Samples:
    """Samples (n,), floats in -1..1 or int16, as float32. Errors locate a bad sample by time (s) and rate (Hz).

    Raises InputError for samples that are not mono, not finite, or of a type without a known full scale.
    """
    try:
        x = np.asarray(samples)
    except ValueError as error:  # a list of blocks of several lengths
        raise InputError(f"the samples are not an array ({error}). Push one block (n,) at a time.") from error
    if x.ndim != 1:
        raise InputError(f"the samples have shape {x.shape}; allowed: (n,). Push one channel at a time.")
    if x.dtype.kind == "i" and x.dtype.itemsize == 2:
        return np.asarray(x / np.float32(32768), np.float32)
    if x.dtype.kind != "f":
        advice = _ADVICE.get(x.dtype.name, "")
        raise InputError(f"the samples are {x.dtype}; allowed: float in -1..1, or int16.{advice}")
    peak = float(np.abs(x).max(initial=0.0))
    if peak <= LOUDEST:  # False for a NaN among the samples, which makes the peak NaN
        return x.astype(np.float32, copy=False)
    if not np.isfinite(peak):
        at = time + float(np.flatnonzero(~np.isfinite(x))[0]) / rate
        raise InputError(
            f"a sample near {at:.2f} s is not finite (NaN or infinite). Repair or re-record the input."
        )
    raise InputError(f"the samples reach {peak:.3g} near {time:.2f} s; allowed: float in -1..1, or int16.")
