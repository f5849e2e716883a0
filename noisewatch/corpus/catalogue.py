"""The recordings of one split, held in memory, and how they are sampled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..audio import levels
from ..audio.highpass import high_passed
from ..audio.signal import SAMPLE_RATE, Samples
from ..errors import InputError
from .draw import Rng
from .manifest import Row, load_audio

CLEAN_DB = 40.0  # a recording is clean if its floor is at least this far below the voice
SPARSE_DB = (
    15.0  # a noise is intermittent (barks, knocks, typing) if its floor is further below its level than this
)


@dataclass(frozen=True)
class Recording:
    """One row of the manifest and its samples, (n,) int16 at 16 kHz."""

    row: Row
    samples: NDArray[np.int16]

    @property
    def speaker(self) -> tuple[str, str]:
        """Source and group: for speech, who speaks."""
        return self.row.source, self.row.group

    @cached_property
    def usual_rms(self) -> float:
        """Active level of the first 40 s, in units of int16."""
        return levels.active_rms(self.samples[: 40 * SAMPLE_RATE].astype(np.float32))

    @property
    def floor_db(self) -> float:
        """Level of the voice above the recording's own noise floor, dB; 0 if not measured."""
        return self.row.floor_db if self.row.floor_db is not None else 0.0


class Catalogue:
    """The recordings of one split, held in memory. Sampling is balanced so that large sources do not dominate."""

    def __init__(self, speech: Sequence[Recording], noise: Sequence[Recording], rooms: Sequence[Samples]) -> None:
        self.speech, self.noise, self.rooms = list(speech), list(noise), list(rooms)
        self.made = [i for i, r in enumerate(self.speech) if r.row.style == "made"]
        recorded = [i for i, r in enumerate(self.speech) if r.row.style != "made"]
        self.clean = [i for i in recorded if self.speech[i].floor_db >= CLEAN_DB]
        gaps_db = [levels.floor_db(r.samples.astype(np.float32) / np.float32(32767)) for r in self.noise]
        self.sparse = [i for i, gap_db in enumerate(gaps_db) if gap_db > SPARSE_DB] or list(range(len(self.noise)))
        self._draws = {
            "speech": _Draw(self.speech, recorded),
            "clean": _Draw(self.speech, self.clean),
            "made": _Draw(self.speech, self.made or self.clean),
            "noise": _Draw(self.noise, range(len(self.noise))),
            "sparse": _Draw(self.noise, self.sparse),
        }
        by_sound: dict[str, list[int]] = defaultdict(list)
        for i, r in enumerate(self.noise):
            by_sound[r.row.sound].append(i)
        self._sounds = {sound: _Draw(self.noise, indices) for sound, indices in by_sound.items() if sound}
        self.speakers = len({self.speech[i].speaker for i in recorded})

    @property
    def minutes(self) -> float:
        """Total duration of speech and noise."""
        return sum(len(r.samples) for r in self.speech + self.noise) / SAMPLE_RATE / 60

    def draw(self, rng: Rng, pool: str) -> int:
        """Draw the index of a recording from a pool.

        pool: `speech`; `clean`, speech at least 40 dB above its floor; `made`, resynthesised voices (`clean` if
        there are none); `noise`; or `sparse`, intermittent noises, the hardest to detect (all noises if none is
        intermittent).
        """
        return self._draws[pool](rng)

    def draw_sound(self, rng: Rng, sound: str) -> int | None:
        """Draw the index of a noise of one kind of sound; None if there are none."""
        return self._sounds[sound](rng) if sound in self._sounds else None

    def draw_other(self, rng: Rng, index: int, pool: str = "speech") -> int:
        """Draw the index of a recording from a pool of voices, by another speaker than speech recording `index`.

        Raises ValueError if there is only one speaker.
        """
        if self.speakers < 2:
            raise ValueError("all speech recordings are of one speaker")
        while self.speech[other := self.draw(rng, pool)].speaker == self.speech[index].speaker:
            pass
        return other

    @classmethod
    def load(cls, rows: Iterable[Row], split: str) -> tuple[Catalogue, list[str]]:
        """Load the recordings of a split. Returns the catalogue and a reason for each file that was skipped.

        Raises InputError if no clean speech or no noise remains: both classes are needed.
        """
        kinds: dict[str, list[Recording]] = defaultdict(list)
        skipped = []
        for row in rows:
            if row.split != split:
                continue
            try:
                samples = load_audio(row.path)
            except InputError as error:
                skipped.append(str(error))
                continue
            if len(samples) < 1600 and row.kind != "rir":
                skipped.append(f"{row.path}: shorter than 0.1 s")
            elif np.abs(samples).max(initial=0) < 1e-4:
                skipped.append(f"{row.path}: digital silence")
            else:
                if row.kind != "rir":  # DC and rumble do not count in levels and SNRs, as in the runtime
                    samples = high_passed(samples)
                if row.kind == "speech" and row.floor_db is None:
                    row = replace(row, floor_db=levels.floor_db(samples))
                kinds[row.kind].append(Recording(row, np.round(samples.clip(-1, 1) * 32767).astype(np.int16)))
        rooms = [r.samples.astype(np.float32) / np.float32(32767) for r in kinds["rir"]]
        catalogue = cls(kinds["speech"], kinds["noise"], rooms)
        if not catalogue.clean or not catalogue.noise:
            what = "noise" if catalogue.clean else f"speech at least {CLEAN_DB:.0f} dB above its noise floor"
            first = f" First reason: {skipped[0]}" if skipped else ""
            raise InputError(
                f"the split {split!r} has no {what} ({len(catalogue.speech)} speech and "
                f"{len(catalogue.noise)} noise recordings loaded, {len(skipped)} skipped). "
                f"Add recordings: both classes are needed.{first}"
            )
        return catalogue, skipped


class _Draw:
    """Draws a source with probability proportional to sqrt(duration), then a group and a recording uniformly."""

    def __init__(self, recordings: Sequence[Recording], indices: Sequence[int]) -> None:
        tree: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        length: dict[str, float] = defaultdict(float)
        for i in indices:
            row = recordings[i].row
            tree[row.source][row.group].append(i)
            length[row.source] += len(recordings[i].samples)
        self._tree = [list(groups.values()) for groups in tree.values()]
        weights = np.sqrt(np.array(list(length.values())))
        self._weights = weights / weights.sum() if len(weights) else weights

    def __call__(self, rng: Rng) -> int:
        groups = self._tree[rng.choice(len(self._tree), p=self._weights)]
        group = groups[rng.integers(len(groups))]
        return group[rng.integers(len(group))]
