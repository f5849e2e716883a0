"""`noisewatch mix`: the SNR of the file is the one that was asked for."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from noisewatch import InputError, UsageError
from noisewatch.audio import levels
from noisewatch.corpus.mix import mixed

RATE = 16_000


@pytest.fixture
def voice_file(tmp_path: Path, voice: np.ndarray) -> Path:
    sf.write(tmp_path / "voice.flac", voice[: 4 * RATE], RATE)
    return tmp_path / "voice.flac"


@pytest.fixture
def fan_file(tmp_path: Path) -> Path:
    sf.write(tmp_path / "fan.wav", np.random.default_rng(0).normal(0, 0.1, (44_100, 2)), 44_100)
    return tmp_path / "fan.wav"


def test_the_command_writes_what_is_asked_for(run, tmp_path: Path, voice_file: Path, fan_file: Path):
    out = tmp_path / "noisy.wav"
    done = run("mix", voice_file, fan_file, "--snr", "10", "-o", out)
    assert (done.returncode, done.stdout.strip()) == (0, str(out))
    assert "dBFS, noise" in done.stderr
    both, rate = sf.read(out, dtype="float32")
    assert rate == RATE
    whole = sf.read(voice_file, dtype="float32")[0]
    assert len(both) == len(whole)
    (verdict,) = [line for line in run("check", out).stdout.splitlines() if "NOISY" in line]
    assert verdict
    words = done.stderr.split()
    said = float(words[1]) - float(words[4])
    assert said == pytest.approx(10, abs=0.11)


@pytest.mark.parametrize("snr_db", [-5.0, 10.0, 40.0])
def test_levels(voice: np.ndarray, snr_db: float):
    voice = voice[: 4 * RATE]
    noise = np.random.default_rng(1).normal(0, 0.02, RATE).astype(np.float32)
    made = mixed(voice, noise, snr_db)
    gain = np.float32(10 ** (-made.attenuation_db / 20))
    behind = made.samples - voice * gain
    assert levels.snr_db(voice * gain, behind) == pytest.approx(snr_db, abs=0.05)
    assert made.voice_dbfs - made.noise_dbfs == pytest.approx(snr_db, abs=0.05)
    assert np.abs(made.samples).max() <= 0.9901


def test_what_cannot_be_mixed(run, tmp_path: Path, voice: np.ndarray, voice_file: Path, fan_file: Path):
    with pytest.raises(InputError, match="the noise is silent"):
        mixed(voice[:RATE], np.zeros(RATE, np.float32), 10)
    with pytest.raises(InputError, match="the voice is silent"):
        mixed(np.zeros(RATE, np.float32), voice[:RATE], 10)
    with pytest.raises(UsageError, match="the SNR is 90 dB; allowed: -30 to 60"):
        mixed(voice, voice, 90)
    done = run("mix", voice_file, fan_file, "--snr", "10", "-o", tmp_path / "x.mp3")
    assert (done.returncode, (tmp_path / "x.mp3").exists()) == (2, False)
    assert "neither a .wav nor a .flac file" in done.stderr
    done = run("mix", voice_file, tmp_path / "nothing.wav", "--snr", "10", "-o", tmp_path / "x.wav")
    assert (done.returncode, (tmp_path / "x.wav").exists()) == (6, False)
    done = run("mix", voice_file, fan_file, "--snr", "10", "-o", voice_file / "x.wav")
    assert done.returncode == 7
    assert "Traceback" not in done.stderr
