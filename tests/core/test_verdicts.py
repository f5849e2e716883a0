"""The verdicts of a stream on sounds: noise, voices, gains, silence, clipping, the reference level."""

import numpy as np
import pytest

from noisewatch import NoiseDetector


def test_noise_is_noisy_and_a_voice_is_clean(detector: NoiseDetector, voice: np.ndarray, noisy_voice: np.ndarray):
    clean, noisy = detector.stream().push(voice)[-1], detector.stream().push(noisy_voice)[-1]
    assert clean.state == "clean"
    assert noisy.state == "noisy"
    assert noisy.snr_db is not None
    assert clean.voice is not None
    assert clean.voice > 0.5
    assert noisy.snr_db < 15


@pytest.mark.parametrize("gain_db", [-30, -12, 10])
def test_gain_does_not_change_the_verdict(detector: NoiseDetector, noisy_voice: np.ndarray, gain_db: int):
    gain = np.float32(10 ** (gain_db / 20))
    plain, scaled = (detector.stream().push(x)[-1] for x in (noisy_voice, noisy_voice * gain))
    assert scaled.state == plain.state
    assert scaled.noise == pytest.approx(plain.noise, abs=0.1)


@pytest.mark.parametrize("below_hearing", ["offset", "rumble"])
def test_offset_and_rumble_do_not_count(detector: NoiseDetector, voice: np.ndarray, below_hearing: str):
    time = np.arange(len(voice)) / 16_000
    added = 0.07 if below_hearing == "offset" else 0.07 * np.sin(2 * np.pi * 8 * time)
    plain, moved = detector.stream(), detector.stream()
    clean, other = plain.push(voice)[-1], moved.push((voice + added).astype(np.float32))[-1]
    assert (other.state, other.level_dbfs) == ("clean", pytest.approx(clean.level_dbfs, abs=0.5))
    assert other.snr_db == pytest.approx(clean.snr_db, abs=3)
    assert moved.reference_dbfs == pytest.approx(plain.reference_dbfs, abs=0.5)


def test_digital_silence_never_reads_clean(detector: NoiseDetector, voice: np.ndarray):
    (silent,) = detector.stream().push(np.zeros(48_000, np.float32))
    assert (silent.state, silent.reason, silent.noise, silent.level_dbfs) == (
        "unknown",
        "digital_silence",
        None,
        None,
    )
    (stuck,) = detector.stream().push(np.full(48_000, 0.25, np.float32))
    assert (stuck.state, stuck.reason) == ("unknown", "dead_channel")
    rng = np.random.default_rng(0)
    dither = rng.integers(-1, 2, 48_000).astype(np.int16)  # a muted input with dither
    assert detector.stream().push(dither)[0].reason == "digital_silence"
    quiet = (rng.standard_normal(48_000) * 10 ** (-80 / 20)).astype(np.float32)
    assert detector.stream().push(quiet)[0].state == "clean"
    # Muted while running: unknown after half a second, although the window still holds a voice.
    stream = detector.stream()
    stream.push(voice[:64_000])
    muted = stream.push(np.zeros(48_000, np.float32))
    assert all(r.state == "unknown" for r in muted[5:])
    # Afterwards it takes a second of sound to judge again.
    back = stream.push(voice[:32_000])
    assert [r.state for r in back[:9]] == ["unknown"] * 9
    assert back[-1].state != "unknown"
    assert back[-1].warnings == ()


def test_silence_between_words_is_a_gate_and_around_them_is_not(detector: NoiseDetector, voice: np.ndarray):
    silence = np.zeros(4_000, np.float32)
    word = voice[16_000:48_000]
    for samples, gated in (
        ([silence, word, word[:12_000]], False),
        ([word[:22_000], silence, word[:22_000]], True),
    ):
        (reading,) = detector.stream().push(np.concatenate(samples)[:48_000])
        assert ("gated" in reading.warnings) == gated


def test_clipping_raises_a_warning(detector: NoiseDetector, voice: np.ndarray):
    reading = detector.stream().push(np.clip(voice[:48_000] * 30, -1, 1))[-1]
    assert "clipping" in reading.warnings
    assert detector.stream().push(voice[:48_000])[-1].warnings == ()
    for peak in (1.05, 1.3, 1.9, 3):  # floats above full scale, not clipped
        hot = voice[:48_000] * np.float32(peak / np.abs(voice[:48_000]).max())
        assert "clipping" not in detector.stream().push(hot)[-1].warnings


def test_the_reference_is_taken_from_a_clean_voice(detector: NoiseDetector, voice: np.ndarray):
    stream = detector.stream()
    quiet = voice * np.float32(0.1)
    readings = stream.push(quiet)
    assert readings[0].reference == "assumed"
    assert readings[-1].reference == "heard"
    assert stream.reference_dbfs == pytest.approx(-44, abs=4)


def test_a_single_shouted_word_does_not_move_the_reference(detector: NoiseDetector, voice: np.ndarray):
    stream, quiet = detector.stream(), np.tile(voice * np.float32(0.1), 2)
    stream.push(quiet)
    before = stream.reference_dbfs
    stream.push(np.concatenate([voice[16_000:28_000], quiet[:48_000]]))  # 0.75 s at ten times the level
    assert stream.reference_dbfs == pytest.approx(before, abs=2)
