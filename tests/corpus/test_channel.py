"""Recording chains."""

from __future__ import annotations

import numpy as np
import pytest

from noisewatch.audio.levels import active_rms
from noisewatch.corpus import channel


@pytest.mark.parametrize("coding", ["float", "int16", "8bit", "mulaw", "mp3", "vorbis", "opus"])
def test_codings_preserve_the_voice(voice: np.ndarray, coding: str):
    back = channel.coded(voice[:48_000], coding)
    assert back.shape == (48_000,)
    assert active_rms(back) == pytest.approx(active_rms(voice[:48_000]), rel=0.15)
