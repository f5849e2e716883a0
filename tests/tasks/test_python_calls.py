"""`noisewatch.listen` and `noisewatch.check`, called from Python."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import noisewatch
from noisewatch import Event, Reading
from noisewatch.outputs.sink import Sink


class Takes:
    """A source that a program defines."""

    name, sample_rate, live, pauses, drops, late_s, notes = "my audio", 16_000, False, False, 0, 0.0, ()
    closed, read = False, True

    def __init__(self, samples: np.ndarray) -> None:
        self._samples = samples

    def blocks(self) -> Iterator[np.ndarray]:
        try:
            yield from np.array_split(self._samples, 7)
        finally:
            self.read = False

    def close(self) -> None:
        self.closed = True


class Collected(Sink):
    name = "a list"
    closed = False

    def __init__(self) -> None:
        self.events: list[Event] = []

    def event(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed = True


def test_listen_gives_what_the_command_prints(run):
    printed = run("listen", "demo", "--fast", "--json", "--seconds", "20").stdout
    assert "".join(f"{item.json()}\n" for item in noisewatch.listen("demo", seconds=20)) == printed
    assert {json.loads(line)["type"] for line in printed.splitlines()} == {"reading", "event"}


def test_a_source_object_is_left_open(voice: np.ndarray):
    source = Takes(voice)
    times = [item.time for item in noisewatch.listen(source, hop=0.5) if isinstance(item, Reading)]
    assert times[:2] == [3.0, 3.5]
    assert noisewatch.check(source).source == "my audio"
    assert not source.closed


def test_leaving_early_ends_the_reading_of_the_source(voice: np.ndarray):
    source = Takes(voice)
    with noisewatch.listen(source) as items:
        next(items)
        assert source.read
    assert not source.read


def test_leaving_early_ends_the_noise_in_the_sinks():
    sink = Collected()
    with noisewatch.listen("demo", sinks=[sink]) as items:
        for item in items:
            if isinstance(item, Event):
                break
    assert [event.event for event in sink.events] == ["noise_start", "noise_end"]
    assert sink.closed


def test_a_session_that_was_never_started_is_closed_too():
    sink = Collected()
    noisewatch.listen("demo", sinks=[sink]).close()
    assert sink.closed
    sink = Collected()
    noisewatch.listen("demo", sinks=[sink])
    gc.collect()
    assert sink.closed


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: noisewatch.listen("nothere.wav"), noisewatch.InputError, "nothere.wav"),
        (
            lambda: noisewatch.listen("demo", seconds=0.5),
            noisewatch.UsageError,
            "seconds is 0.5; allowed: 1 or more",
        ),
        (lambda: noisewatch.listen("demo", model="nothing"), noisewatch.ModelError, "nothing"),
        (lambda: noisewatch.listen("demo", model=5), noisewatch.UsageError, "the model is 5; allowed"),
        (lambda: noisewatch.listen(5), noisewatch.UsageError, "the source is 5; allowed"),
        (lambda: noisewatch.listen("demo", seconds="x"), noisewatch.UsageError, "'x'; allowed: a number"),
        (lambda: noisewatch.check(["take.wav"]), noisewatch.UsageError, "take.wav'.; allowed: None, a path"),
        (lambda: noisewatch.check("demo", max_noisy="x"), noisewatch.UsageError, "'x'; allowed: a number"),
        (lambda: noisewatch.check("demo", max_noisy=20), noisewatch.UsageError, "max-noisy is 20; allowed: 0 to 1"),
    ],
)
def test_invalid_arguments_raise_at_the_call(call, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        call()


def test_check_answers(takes: Path):
    answer = noisewatch.check(takes / "noisy.wav", min_snr=20)
    assert (answer.answer, answer.noisy) == ("noisy", 1.0)
    assert noisewatch.check(takes / "clean.wav").answer == "ok"
