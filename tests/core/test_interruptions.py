"""Inputs that pause, stall, lose audio or are abandoned: streams, sessions and the time that counts."""

import itertools

import numpy as np
import pytest

import noisewatch
from noisewatch import Event, NoiseDetector, Reading
from noisewatch.core.session import Session
from noisewatch.core.summary import Summary
from noisewatch.inputs.opening import open_source
from noisewatch.ui.history import History


def test_a_pause_is_reported_and_changes_nothing(
    detector: NoiseDetector, voice: np.ndarray, noisy_voice: np.ndarray
):
    clip = np.concatenate([voice, noisy_voice])[:150_000]
    whole = detector.stream().process(clip)
    stream = detector.stream()
    parts = stream.process(clip[:100_123])
    (reading, lost), (again,) = stream.pause(), stream.pause()
    assert (reading.state, reading.reason, again) == ("unknown", "stalled", reading)
    back, *rest = stream.process(clip[100_123:])
    assert [lost.event, back.event, lost.time, back.time] == [
        "input_lost",
        "input_back",
        100_123 / 16_000,
        100_123 / 16_000,
    ]
    assert parts + rest == whole


def test_stream_time_jumps_over_what_was_lost(detector: NoiseDetector, noisy_voice: np.ndarray):
    stream = detector.stream()
    stream.push(noisy_voice[:64_000])
    _, end, lost = stream.lose("gap", 1.5)
    assert (end.event, end.end, lost.event, lost.lost_s) == ("noise_end", 4.0, "input_lost", 1.5)
    stream.lose("gap", 0.5)
    first, back = stream.process(noisy_voice[:48_000])[:2]
    assert (first.time, back.event, back.lost_s) == (9.0, "input_back", 2.0)
    assert (stream.time, stream.heard_s) == (9.0, 7.0)


def test_a_lost_input_begins_a_new_window(detector: NoiseDetector, voice: np.ndarray):
    stream = detector.stream()
    stream.push(voice[:64_000])
    reading, *_, event = stream.lose("stalled")
    assert (reading.state, reading.reason, reading.time) == ("unknown", "stalled", 4.0)
    assert event.event == "input_lost"
    assert stream.push(voice[:47_999]) == []
    assert [r.time for r in stream.push(voice[47_999:48_000])] == [7.0]


def test_time_without_audio_is_not_judged(detector: NoiseDetector, noisy_voice: np.ndarray):
    """Shares are shares of time, not of readings: while an input is lost, there are no readings to count."""
    stream, totals = detector.stream(), Summary()
    parts = [
        stream.process(noisy_voice[:80_000]),  # 5 s of noise
        stream.lose("stalled"),
        stream.lose("stalled"),
        stream.lose("gap", 4.0),
        stream.process(noisy_voice[:64_000]),  # 4 s, of which the first reading hears 3
        stream.process(np.zeros(48_000, np.float32)),  # 3 s of silence: half a second until it is not judged
        stream.lose("gap", 4.0),
    ]
    for item in [item for part in parts for item in part] + stream.finish():
        totals.add(item)
    assert stream.time == 20.0
    assert totals.unjudged(20.0) == pytest.approx((4 + 2.5 + 4) / 20, abs=0.01)
    assert totals.judged_s(20.0) == pytest.approx(9.5, abs=0.2)
    assert totals.noisy(20.0) == pytest.approx(1.0, abs=0.06)


class Dead:
    """A source that never sends anything."""

    name, sample_rate, live, pauses, drops, notes, late_s = "dead", 48_000, True, False, 0, (), 0.0

    def blocks(self):
        while True:
            yield None

    def close(self) -> None:
        pass


def test_seconds_end_an_input_that_sends_nothing(detector: NoiseDetector):
    session = Session(Dead(), detector.stream(), seconds=5)
    items = list(session)
    assert [i.event for i in items if isinstance(i, noisewatch.Event)] == ["input_lost"]
    history = History(0.1)
    for item in items:
        history.add(item)
    assert history.since == -5.0  # of stream time, which never began
    assert [(r.reason, r.time) for r in items if isinstance(r, noisewatch.Reading)] == [("stalled", 0.0)] * 3


@pytest.mark.parametrize("given", [120, 213, 215])
def test_an_abandoned_session_hands_out_what_was_decided(given: int):
    """The blocks of a recording last seconds: events late in a block are not lost."""
    session = Session(open_source("demo", paced=False), NoiseDetector("tcn").stream())
    items = list(itertools.islice(session, given))
    items += session.interrupted()
    assert [i.event for i in items if isinstance(i, Event)] == ["noise_start", "noise_end"]
    times = [i.time for i in items if isinstance(i, Reading)]
    assert times == sorted(set(times))
