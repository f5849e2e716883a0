"""Turns, one contestant after another, so that whatever else the machine does meets all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from .contestant import Contestant, Unfit

TURN_S = 0.05  # s of calls in a turn
LEAST = 3  # rounds, however short the time

Round = dict[str, float]  # ms of a call by name


def play(
    contestants: Sequence[Contestant],
    seconds: float,
    *,
    on_unfit: Callable[[Contestant, Unfit], object],
    progress: Callable[[float], object] = lambda share: None,
) -> list[Round]:
    """Whole rounds for some seconds, three at least. A contestant that fails takes no further turns.

    on_unfit: called for one that failed. progress: called with the share done (0..1) after each turn.
    """
    playing, rounds, began = list(contestants), list[Round](), time.monotonic()
    while len(rounds) < LEAST or time.monotonic() - began < seconds:
        turns = Round()
        for contestant in [*playing]:
            try:
                turns[contestant.entry.name] = contestant.ms(TURN_S)
            except Unfit as problem:
                playing.remove(contestant)
                on_unfit(contestant, problem)
            progress(min(1.0, (time.monotonic() - began) / seconds))
        rounds.append(turns)
    return rounds
