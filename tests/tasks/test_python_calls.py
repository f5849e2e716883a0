"""`noisewatch.listen` and `noisewatch.check`, called from Python."""

from __future__ import annotations

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
    closed = False

    def __init__(self, samples: np.ndarray) -> None:
        self._samples = samples

    def blocks(self) -> Iterator[np.ndarray]:
        yield from np.array_split(self._samples, 7)

    def close(self) -> None:
        self.closed = True


class Collected(Sink):
    name = "a list"

    def __init__(self) -> None:
        self.events: list[Event] = []

    def event(self, event: Event) -> None:
        self.events.append(event)


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


def test_events_reach_sinks_and_leaving_early_closes_them():
    sink = Collected()
    items = noisewatch.listen("demo", sinks=[sink])
    for item in items:
        if isinstance(item, Event):
            break
    items.close()
    assert [event.event for event in sink.events] == ["noise_start"]


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
