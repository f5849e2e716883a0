"""`noisewatch check` on a microphone: live, silent, dead."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile as sf

RATE = 16_000


def test_a_microphone_that_is_silent_is_never_ok(run, microphone):
    done = run("check", "--device", "pulse", "--seconds", "4", env=microphone.env)
    assert done.returncode == 4
    assert done.stdout.startswith("UNKNOWN: 100% of the input could not be judged.")


def test_an_input_that_sends_nothing_ends_with_what_to_do(run, microphone):
    """Both `check` and `calibrate` give up after 5 s, so that no one talks to a dead microphone for a minute."""
    microphone.pactl("suspend-sink", "two", "1")
    env = {**microphone.env, "PULSE_SOURCE": "two.monitor"}
    try:
        started = [
            subprocess.Popen(
                [sys.executable, "-m", "noisewatch", *words, "--device", "pulse"],
                env=each, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for words, each in (
                (["check", "--seconds", "4"], env), (["calibrate"], env), (["calibrate"], microphone.env)
            )
        ]  # fmt: skip
        (answered, _), (_, stalled), (_, silent) = (process.communicate(timeout=30) for process in started)
    finally:
        microphone.pactl("suspend-sink", "two", "0")
        for process in started:
            process.kill()
            process.communicate()
    assert [process.returncode for process in started] == [4, 4, 4]
    gone = "The input stopped sending audio. Reconnect it, or restart the sound server."
    assert answered == f"UNKNOWN: no audio arrived after 0.0 s. {gone}\n"
    assert f"pulse could not be judged. {gone}" in stalled
    assert "pulse could not be judged. The input sends digital silence: it is muted" in silent


def test_a_microphone(run, microphone, noisy_voice: np.ndarray, tmp_path: Path):
    sf.write(tmp_path / "long.wav", np.tile(noisy_voice, 10), RATE)
    with microphone.play(tmp_path / "long.wav") as player:
        done = run("check", "--device", "pulse", "--seconds", "4", env=microphone.env)
        player.kill()
    assert done.returncode == 3, done.stdout + done.stderr
    assert run("check", "--device", "nothing called so", env=microphone.env).returncode == 4
