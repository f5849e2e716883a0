"""A whole run: load everything, take turns, report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

from ..core.shipped import DEFAULT
from ..errors import ModelError, UsageError, numeric
from .contestant import Contestant, Unfit
from .own import push_name
from .report import BenchReport, LeftOut, Spread, Step, machine, version, versions
from .rounds import Round, play
from .task import Entry
from .worker import entries

SECONDS = (1, 3600)  # of measuring


def bench(
    *,
    seconds: float = 30.0,
    baselines: bool = False,
    progress: Callable[[float], object] = lambda share: None,
) -> BenchReport:
    """Time every step of noisewatch, and the installed baselines if asked, in turns.

    seconds: of measuring, 1 to 3600, after everything is loaded. progress: called with the share done (0..1).
    Raises UsageError for seconds out of range, and ModelError if a step of noisewatch itself fails.
    """
    low, high = SECONDS
    if not low <= numeric("time to measure", seconds) <= high:
        raise UsageError(
            f"seconds is {seconds:g}; allowed: {low} to {high}. 30 suits a quiet machine, 300 a busy one."
        )
    left_out: list[LeftOut] = []

    def drop(entry: Entry, problem: Unfit) -> None:
        if entry.package is None:
            raise ModelError(
                f"{entry.name} cannot be timed: {problem}. Close other programs, or install noisewatch again."
            ) from problem
        reason = "not installed" if problem.missing else f"fails: {problem}"
        left_out.append(LeftOut(entry.name, reason, entry.install))

    with ExitStack() as stack:
        started, ready = list[Contestant](), list[Contestant]()
        for entry in entries(baselines=baselines):
            try:
                started.append(Contestant(entry))
            except Unfit as problem:
                drop(entry, problem)
            else:
                stack.callback(started[-1].close)
        for contestant in started:
            try:
                contestant.load()
            except Unfit as problem:
                drop(contestant.entry, problem)
            else:
                ready.append(contestant)
        rounds = play(ready, seconds, on_unfit=lambda c, problem: drop(c.entry, problem), progress=progress)
        memory: dict[str, float | None] = {}
        for contestant in [c for c in ready if c.entry.name in rounds[-1]]:
            try:
                memory[contestant.entry.name] = contestant.memory_mb()
            except Unfit as problem:
                drop(contestant.entry, problem)
    matrix, *judged = [c for c in ready if c.entry.name in memory]
    floors = [turns[matrix.entry.name] / (matrix.macs or 1) for turns in rounds]  # ms of a multiply-accumulate
    (whole,) = (c for c in judged if c.entry.name == push_name(DEFAULT))
    return BenchReport(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=machine(),
        versions=versions(),
        seconds=seconds,
        rounds=len(rounds),
        gmacs=Spread.of([1e-6 / floor for floor in floors]),
        steps=[_step(c, rounds, whole, floors, memory[c.entry.name]) for c in judged],
        left_out=left_out,
    )


def _step(
    contestant: Contestant,
    rounds: Sequence[Round],
    whole: Contestant,
    floors: Sequence[float],
    memory: float | None,
) -> Step:
    """The figures of one contestant. whole: the whole path; floors: ms of a multiply-accumulate in each round."""
    entry, macs = contestant.entry, contestant.macs
    per_s = _per_s(contestant, rounds)
    macs_per_s = None if macs is None else macs / contestant.audio_s
    return Step(
        name=entry.name,
        version=None if entry.package is None else version(entry.package),
        ms_per_s=Spread.of(per_s),
        ratio=Spread.of([own / other for own, other in zip(per_s, _per_s(whole, rounds), strict=True)]),
        memory_mb=memory,
        macs_per_s=macs_per_s,
        times_floor=None
        if macs_per_s is None
        else Spread.of([ms / (macs_per_s * floor) for ms, floor in zip(per_s, floors, strict=True)]),
    )


def _per_s(contestant: Contestant, rounds: Sequence[Round]) -> list[float]:
    """ms for one second of audio in each round."""
    return [turns[contestant.entry.name] / contestant.audio_s for turns in rounds]
