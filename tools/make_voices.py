"""Makes voices of voices: resynthesises clean recordings as high, shouted, sung, stretched or whispered ones.

    pip install pyworld 'setuptools<81'
    python tools/make_voices.py DATA -o MADE --count 1500
    noisewatch train MADE -o runs/mine

Writes MADE/voices/*.flac; MADE/manifest.csv with all rows of DATA and one for each made voice, of the same source,
speaker and split as its original; and MADE/voices.csv with its original and parameters. Run it again after an
interruption: finished voices are not made again.
"""

from __future__ import annotations

import csv
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import soundfile as sf
import typer

from noisewatch.audio.signal import SAMPLE_RATE
from noisewatch.corpus.catalogue import CLEAN_DB, Catalogue, Recording
from noisewatch.corpus.draw import pick
from noisewatch.corpus.manifest import SPLITS, Row, load_audio, read_manifest, write_manifest
from noisewatch.errors import InputError, NoisewatchError, UsageError
from noisewatch.system.csv_writer import CsvWriter
from noisewatch.system.files import atomic_write
from noisewatch.system.parent import exit_with_parent
from noisewatch.training.voices.resynthesis import resynthesised
from noisewatch.training.voices.voice import KINDS, Voice
from noisewatch.ui.progress import tracked

PER_SPEAKER = 12  # more voices of one speaker add little
COLUMNS = ("path", "original", "seconds", "measured_floor_db", *(f.name for f in fields(Voice)))


@dataclass(frozen=True)
class Plan:
    """One voice to be made. The same seed gives the same plans, and more of them begin with the same."""

    path: Path
    original: Row
    kind: str
    seed: tuple[int, int]


def main(
    data: Path,
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder to write.")],
    split: Annotated[list[str] | None, typer.Option(help="Split to make voices of (repeatable) [train].")] = None,
    count: Annotated[int, typer.Option(min=1, help="Number of voices.")] = 1500,
    seed: Annotated[int, typer.Option(min=0, help="Another one gives other voices.")] = 0,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Processes.")] = os.cpu_count() or 1,
) -> None:
    """Make the voices and write the manifest."""
    try:
        rows, splits = read_manifest(data), split or ["train"]
        if unknown := sorted({*splits} - {*SPLITS}):
            raise UsageError(f"there is no split {', '.join(unknown)}; allowed: {', '.join(SPLITS)}.")
        if (out / "manifest.csv").exists() and not (out / "voices.csv").exists():
            raise UsageError(f"{out} has a manifest of its own, which would be replaced. Choose another folder.")
        plans = list(planned(rows, splits, out / "voices", count, seed))
        made = make(plans, out / "voices.csv", jobs)
        write_manifest(out / "manifest.csv", [*rows, *made])
    except NoisewatchError as error:
        raise SystemExit(str(error)) from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    kinds = Counter(plan.kind for plan in plans if str(plan.path.absolute()) in {row.path for row in made})
    print(f"{out}: {len(made)} voices ({', '.join(f'{n} {kind}' for kind, n in kinds.most_common())})")


def planned(rows: Sequence[Row], splits: Sequence[str], folder: Path, count: int, seed: int) -> Iterator[Plan]:
    """Draw originals as training draws clean voices, but only so many of each speaker, and a kind for each."""
    recordings = [
        Recording(row, np.broadcast_to(np.int16(0), round(row.seconds * SAMPLE_RATE)))  # only its length is used
        for row in rows
        if row.kind == "speech" and row.split in splits
    ]
    catalogue = Catalogue(recordings, [], [])
    if not catalogue.clean:
        raise InputError(
            f"no speech in {' or '.join(splits)} has a floor_db of {CLEAN_DB:.0f} or more. "
            "`noisewatch prepare` measures it for recordings that have none."
        )
    rng, drawn = np.random.default_rng(seed), Counter[tuple[str, str]]()
    for index in range(count):
        for _ in range(1000):
            row = recordings[catalogue.draw(rng, "clean")].row
            if drawn[row.source, row.group] < PER_SPEAKER:
                break
        else:
            typer.echo(f"only {index} voices: {PER_SPEAKER} of each speaker at most. Add speakers.", err=True)
            return
        drawn[row.source, row.group] += 1
        kind = pick(rng, KINDS)
        yield Plan(folder / f"{seed}-{index:05d}-{kind}.flac", row, kind, (seed, index))


def make(plans: Sequence[Plan], table: Path, jobs: int) -> list[Row]:
    """Make the voices that do not exist yet. Returns their rows, and prints why others could not be made."""
    finished = read_finished(table)
    made: dict[Path, dict[str, object]] = {}
    missing = []
    for plan in plans:
        cells = finished.get(str(plan.path), {})
        if cells.get("original") == plan.original.path and plan.path.is_file():
            made[plan.path] = cells
        else:
            missing.append(plan)
    write_table(table, list(made.values()))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _begin) as executor, table.open("a", newline="") as file:
        futures = {plan: executor.submit(make_one, plan) for plan in missing}

        def collect(plan: Plan) -> None:
            try:
                made[plan.path] = futures[plan].result()
                CsvWriter(file, COLUMNS).row(made[plan.path])
                file.flush()
            except InputError as error:
                name = plan.original.path
                typer.echo(f"{name}: not made into a voice of kind {plan.kind!r}: {error}.", err=True)
            del futures[plan]

        try:
            for plan in tracked(missing, "voices"):
                collect(plan)
        except BaseException as error:
            executor.shutdown(cancel_futures=True)
            if isinstance(error, KeyboardInterrupt):
                for plan in [plan for plan, future in futures.items() if not future.cancelled()]:
                    collect(plan)
            raise
    write_table(table, [made[plan.path] for plan in plans if plan.path in made])
    return [
        replace(plan.original, path=str(plan.path.absolute()), style="made",
                seconds=float(str(made[plan.path]["seconds"])),
                floor_db=float(str(made[plan.path]["measured_floor_db"])))
        for plan in plans if plan.path in made
    ]  # fmt: skip


def make_one(plan: Plan) -> dict[str, object]:
    """Make one voice and write its file. Returns its row of the table. Raises InputError with the reason."""
    samples, floor_db, voice = resynthesised(
        load_audio(plan.original.path), plan.kind, np.random.default_rng(plan.seed)
    )
    with atomic_write(plan.path, "wb") as file:
        sf.write(file, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    values = {name: round(float(v), 4) if isinstance(v, float) else v for name, v in vars(voice).items()}
    values["pad_s"] = " ".join(f"{seconds:.2f}" for seconds in voice.pad_s)
    return {"path": str(plan.path), "original": plan.original.path,
            "seconds": round(len(samples) / SAMPLE_RATE, 2), "measured_floor_db": round(floor_db, 1),
            **values}  # fmt: skip


def read_finished(table: Path) -> dict[str, dict[str, object]]:
    """The complete rows of an earlier run, by path."""
    if not table.is_file():
        return {}
    with table.open(newline="") as file:
        rows = [cells for cells in csv.DictReader(file) if None not in cells.values()]
    return {cells["path"]: {name: number(cell) for name, cell in cells.items()} for cells in rows}


def number(cell: str) -> float | str:
    """The number in a cell, or its text."""
    try:
        return float(cell)
    except ValueError:
        return cell


def write_table(table: Path, rows: Sequence[dict[str, object]]) -> None:
    """Write voices.csv."""
    with atomic_write(table, newline="") as file:
        writer = CsvWriter(file, COLUMNS)
        writer.header()
        for row in rows:
            writer.row(row)


def _begin() -> None:
    """In a worker process: Ctrl-C ends the parent, which ends its workers between two voices."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    exit_with_parent()


if __name__ == "__main__":
    typer.run(main)
