"""Log-Mel frames: their number, their bits from any chunking, and torchaudio as a reference."""

import numpy as np
import pytest

from noisewatch.audio.logmel import FrontendConfig, LogMel


def test_three_seconds_are_298_frames():
    assert LogMel().feed(np.zeros(48_000, np.float32)).shape == (298, 40)
    assert FrontendConfig().frames(48_000) == 298
    assert FrontendConfig().frames(479) == 0


@pytest.mark.parametrize("size", [1, 7, 159, 160, 161, 480, 16_000, 48_000])
def test_any_chunking_gives_the_same_bits(size: int, voice: np.ndarray):
    clip = voice[:48_000] if size > 1 else voice[:4_000]
    whole = LogMel().feed(clip)
    stream = LogMel()
    parts = [stream.feed(clip[i : i + size]) for i in range(0, len(clip), size)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_reset_starts_a_new_stream(voice: np.ndarray):
    stream = LogMel()
    first = stream.feed(voice[:10_000])
    stream.reset()
    np.testing.assert_array_equal(stream.feed(voice[:10_000]), first)


@pytest.mark.extras
def test_torchaudio_agrees(noisy_voice: np.ndarray):
    import torch
    from torchaudio import transforms

    c = FrontendConfig()
    # In double precision: with a loud voice, single precision raises the floor.
    mel = transforms.MelSpectrogram(
        c.sample_rate, n_fft=c.n_fft, hop_length=c.hop, f_min=c.f_min, f_max=c.f_max, n_mels=c.n_mels, center=False
    ).double()
    reference = torch.log(mel(torch.from_numpy(noisy_voice).double()) + c.log_floor).T.numpy()
    np.testing.assert_allclose(LogMel().feed(noisy_voice), reference, atol=1e-4, rtol=0)
