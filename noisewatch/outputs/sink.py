"""The interface of a sink: a destination for the events, and optionally the audio, of a session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..audio.signal import Samples
from ..core.events import Event


@dataclass
class SessionInfo:
    """Facts about a session, passed to the sinks when it starts."""

    device: str  # or name of the recording; of several inputs, all names
    live: bool
    decision_lag_s: float  # longest time from the end of a noise to its noise_end event
    started: datetime


class Sink:
    """A destination for events. Subclasses override what they need.

    Each sink runs on its own thread behind a bounded queue, so every method may block and may raise any exception.
    A sink that fails or falls behind loses its own events and disturbs nothing else.
    """

    name: str  # as it appears in messages, e.g. "the log events.jsonl"
    wants_audio = False
    event_s = 0.0  # time limit that the sink itself sets for one event, s; 0 if an event should take no time

    def for_input(self, number: int, name: str) -> Sink:
        """The sink for one of several inputs, numbered from 1. By default, this one takes the events of all.

        A sink that wants audio returns one of its own for each input: their samples cannot be told apart.
        """
        return self

    def open(self, session: SessionInfo) -> None:
        """Start a session. Raises OSError if the destination cannot be written: the session then does not start."""

    def event(self, event: Event) -> None:
        """Take one event."""

    def audio(self, start: int, block: Samples, rate: int) -> None:
        """Take mono samples (n,) at the source's rate (Hz).

        start: index of the first one within the session, at this rate. A gap before it is audio that was lost. The
        rate may change after a gap.
        """

    def close(self) -> None:
        """End the session."""

    def abort(self) -> None:
        """Interrupt a call that is in progress. Called from another thread when time is up."""
