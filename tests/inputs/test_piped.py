"""Pipes as sources: failures, stalls and raw audio."""

from __future__ import annotations

import itertools
import os
import pty
import termios
import threading
import tty

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO
from sound_files import CODECS, RATE, encoded

import noisewatch.core.session
from noisewatch.core.events import Event, Reading
from noisewatch.core.noise_detector import NoiseDetector
from noisewatch.core.session import Session
from noisewatch.errors import InputError
from noisewatch.inputs.piped import Piped


def test_a_failing_pipe_ends_like_a_damaged_recording():
    """A pseudo-terminal gives an error once its other end is closed. Noises end before the error is raised."""
    noisy, _ = sf.read(DEMO, dtype="int16", start=12 * RATE, frames=5 * RATE)
    reader, writer = pty.openpty()
    tty.setraw(writer)

    def write() -> None:
        with os.fdopen(writer, "wb") as file:
            file.write(noisy.tobytes())
            file.flush()
            termios.tcdrain(writer)

    threading.Thread(target=write).start()
    session = Session(Piped("pipe", reader, raw_rate=RATE), NoiseDetector().stream())
    events: list[str] = []
    with pytest.raises(InputError, match=r"cannot read pipe beyond 1[56][0-9]{4} bytes: Input/output error"):
        events += (item.event for item in session if isinstance(item, Event))
    os.close(reader)
    assert events == ["noise_start", "noise_end"]


def test_a_pipe_may_stall_after_a_wav_and_continue_with_another(monkeypatch: pytest.MonkeyPatch):
    """Another WAV may follow; until then the input counts as stalled."""
    monkeypatch.setattr(noisewatch.core.session, "STALL_S", 1.0)
    voice, _ = sf.read(DEMO, dtype="float32", frames=4 * RATE)
    data = encoded(voice, *CODECS["wav"])
    reader, writer = os.pipe()
    stalled = threading.Event()

    def write() -> None:
        with os.fdopen(writer, "wb") as file:
            file.write(data)
            file.flush()
            stalled.wait(20)
            file.write(data)

    threading.Thread(target=write).start()
    session = iter(Session(Piped("pipe", reader), NoiseDetector().stream()))
    before = list(itertools.takewhile(lambda item: isinstance(item, Reading), session))
    stalled.set()
    assert (before[-1].reason, before[-1].time) == ("stalled", 4.0)
    back, *after = session
    os.close(reader)
    assert (back.event, back.time) == ("input_back", 4.0)
    assert [item.time for item in after] == pytest.approx(np.arange(4.1, 8.05, 0.1))
    whole = NoiseDetector().stream().push(np.concatenate([voice, voice]), sample_rate=RATE)
    assert [item.noise for item in [*before[:-1], *after]] == pytest.approx([r.noise for r in whole], abs=1e-4)


def test_bytes_of_an_incomplete_block_are_no_stall():
    reader, writer = os.pipe()
    blocks = Piped("pipe", reader, raw_rate=16_000).blocks()
    assert next(blocks) is None
    os.write(writer, bytes(100))
    assert len(next(blocks)) == 0
    assert next(blocks) is None
    os.write(writer, bytes(3_100))
    assert len(next(blocks)) == 1_600
    os.close(writer)
    assert list(blocks) == []
    os.close(reader)


def test_raw_rate_is_refused_for_audio_with_a_header(run):
    data = DEMO.read_bytes()
    done = run("check", "-", "--raw-rate", 16_000, input=data, text=False)
    assert done.returncode == 2
    assert "stdin begins with fLaC" in done.stderr.decode()
