"""Recordings from beginning to end, through the engine of the microphone: one report a file."""

from __future__ import annotations

import glob
import json
import os
import stat
import statistics
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..core.events import Event, Reading, rounded
from ..core.session import Session
from ..core.shipped import DEFAULT
from ..core.stream import NoiseDetector
from ..core.summary import Summary
from ..decoding.decoders import READABLE
from ..decoding.suffixes import SUFFIXES
from ..errors import InputError, UsageError, numeric
from ..inputs.recording import open_recording
from ..system.parsing import checked

HOP_S = 0.5  # fine enough for a recording, and five times faster than the meter's


@dataclass(frozen=True)
class Segment:
    """One noise in a recording."""

    start: float  # s
    end: float  # s
    peak: float  # noise probability
    mean: float
    snr_db: float | None  # None where nobody speaks
    level_dbfs: float | None  # of all that was heard meanwhile, voice included


@dataclass(frozen=True)
class FileReport:
    """What there is to say about one recording. `None` where a number would be a lie."""

    path: str
    seconds: float = 0.0
    noisy: float | None = None  # share of the time that could be judged
    unknown: float | None = None  # share of the time of which nothing could be said
    reason: str | None = None  # why not, most of the time
    snr_mean_db: float | None = None  # over windows in which someone speaks
    snr_median_db: float | None = None
    snr_min_db: float | None = None
    worst_start: float | None = None  # s: the 3 s with the highest noise probability
    worst_noise: float | None = None
    segments: tuple[Segment, ...] = ()
    warnings: tuple[str, ...] = ()  # seen anywhere, and `unfinished` or `cancelled` of the recording itself
    model: str = ""
    hop_s: float = 0.0
    threshold: float = 0.0
    channel: int | None = None  # None: the mean of all
    size: int = 0  # bytes of the file
    mtime_ns: int = 0
    error: str | None = None  # why it could not be read, or not to its end

    @property
    def judged(self) -> bool:
        """Whether anything can be said about the noise in it."""
        return self.noisy is not None

    @property
    def loudest(self) -> Segment | None:
        """The segment with the highest level."""
        known = [s for s in self.segments if s.level_dbfs is not None]
        return max(known, key=lambda s: s.level_dbfs or 0.0, default=None)

    def row(self) -> dict[str, Any]:
        """One flat row: for csv, and for pandas.DataFrame(r.row() for r in noisewatch.scan("meetings/"))."""
        loudest = self.loudest
        fields = asdict(self) | {
            "segments": len(self.segments),
            "loudest_start": loudest.start if loudest else None,
            "loudest_dbfs": loudest.level_dbfs if loudest else None,
            "warnings": " ".join(self.warnings),
        }
        return rounded(fields)

    def json(self) -> str:
        """One JSON line, without the newline."""
        fields = rounded(asdict(self))
        fields["segments"] = [rounded(asdict(s)) for s in self.segments]
        return json.dumps({"type": "file", **fields}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> FileReport:
        """What `json` wrote. Raises ValueError, TypeError, KeyError or AttributeError for anything else."""
        try:
            fields = json.loads(text)
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error
        if fields.pop("type") != "file":
            raise ValueError("no report of a file")
        segments = tuple(Segment(**checked(Segment, s)) for s in fields.pop("segments"))
        fields = checked(cls, fields)
        return cls(**{**fields, "segments": segments, "warnings": tuple(map(str, fields["warnings"]))})


@dataclass(frozen=True)
class Settings:
    """How every recording of a scan is judged."""

    model: str = DEFAULT
    hop: float = HOP_S
    threshold: float | None = None
    channel: int | None = None


def scan(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    model: str | Path = DEFAULT,
    hop: float = HOP_S,
    threshold: float | None = None,
    channel: int | None = None,
) -> Iterator[FileReport]:
    """A report for each recording: files, folders (searched through) and patterns such as "takes/**/*.flac".

    hop: s between decisions; threshold: noise from this probability, by default the model's; channel: counted
    from 1, by default the mean of all. What cannot be read comes back as a report with an `error`. Raises
    ModelError and UsageError for what no recording could be judged with, when it is called.
    """
    settings = Settings(str(model), hop, threshold, channel)
    judge = Judge(settings)
    words = [paths] if isinstance(paths, str | os.PathLike) else paths
    try:
        found = find([os.fspath(word) for word in words])
    except TypeError as error:
        raise UsageError(
            f"the paths are {paths!r}; allowed: a path, a folder or a pattern, or a list of them."
        ) from error
    return (each if isinstance(each, FileReport) else judge(each) for each in found)


def find(words: Sequence[str | os.PathLike[str]]) -> list[Path | FileReport]:
    """The recordings that words name, each once, in order; a report with an error for a word that names none."""
    found: dict[str, Path | FileReport] = {}
    for word in (os.fspath(w) for w in words):
        problems: list[OSError] = []
        try:
            paths = _named(word, problems.append)
            if not paths and not problems:
                folder = bool(word) and Path(word).is_dir()
                what = f"no recordings in the folder {word}" if folder else f"nothing is called {word!r}"
                found[word] = FileReport(word, error=f"{what}. Readable: {READABLE}.")
        except OSError as error:  # a name that is too long, a folder above it that is closed
            paths = []
            problems.append(error)
        for problem in problems:
            name = str(problem.filename or word)
            found[name] = FileReport(name, error=f"cannot read {name}: {problem.strerror}.")
        for path in paths:
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _named(word: str, failed: Callable[[OSError], None]) -> list[Path]:
    if not word:
        return []
    path = Path(word)
    if path.is_dir():
        return _below(path, failed)
    if path.exists() or not glob.has_magic(word):
        return [path] if os.path.lexists(path) else []
    named = [Path(p) for p in sorted(glob.glob(word, recursive=True))]  # noqa: PTH207 - absolute ones too
    return [p for each in named for p in (_below(each, failed) if each.is_dir() else [each])]


def _below(folder: Path, failed: Callable[[OSError], None]) -> list[Path]:
    """Recordings in a folder and the folders in it, links followed, each folder once."""
    found, seen = [], set()
    for root, folders, files in os.walk(folder, onerror=failed, followlinks=True):
        key = os.path.realpath(root)
        if key in seen:  # a link back up
            folders.clear()
            continue
        seen.add(key)
        folders.sort()
        found += [Path(root, f) for f in sorted(files) if Path(f).suffix.lower() in SUFFIXES and f[0] != "."]
    return found


class Judge:
    """Makes reports, one file after the other, with one loaded model."""

    def __init__(self, settings: Settings) -> None:
        """Load the model. Raises ModelError, or UsageError for settings out of range."""
        self.settings = settings
        self.detector = NoiseDetector(settings.model)
        channel = settings.channel
        if channel is not None and (not numeric("channel", channel) >= 1 or channel % 1):
            raise UsageError(f"the channel is {channel}; channels count from 1.")
        stream = self.detector.stream(hop=settings.hop, threshold=settings.threshold)
        card = self.detector.model.card
        self._about: dict[str, Any] = {
            "model": " ".join([card.name, card.created, self.detector.model.digest]),
            "hop_s": stream.hop_s,
            "threshold": stream.detector.config.threshold,
            "channel": settings.channel,
        }

    def fits(self, report: FileReport) -> bool:
        """Whether a report was made with these settings."""
        theirs = {key: getattr(report, key) for key in self._about}
        return rounded(theirs) == rounded(self._about)

    def __call__(self, path: Path, heard: Callable[[float], None] = lambda share: None) -> FileReport:
        """The report of one file; `heard` is told the share of it that is done, some times a second."""
        report = FileReport(str(path), **self._about)
        try:
            before = path.stat()
            if not stat.S_ISREG(before.st_mode):  # a named pipe would be waited for
                return replace(
                    report, error=f"{path} is no file, but a {'folder' if path.is_dir() else 'device or pipe'}."
                )
            report = replace(report, size=before.st_size, mtime_ns=before.st_mtime_ns)
            source = open_recording(path, str(path), channel=self.settings.channel, command="scan")
        except OSError as error:
            return replace(report, error=f"cannot read {path}: {error.strerror}.")
        except (InputError, UsageError) as error:  # it may have fewer channels than the others
            return replace(report, error=str(error))
        sums, error_text = _Sums(), None
        stream = self.detector.stream(hop=self.settings.hop, threshold=self.settings.threshold)
        try:
            for item in Session(source, stream):
                sums.add(item)
                heard(stream.time / source.promised_s if source.promised_s else 0.0)
            after = path.stat()
            if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                error_text = f"{path} changed while it was read. Scan it again when it is finished."
        except InputError as error:
            said = str(error)  # and what came before it counts
            error_text = said if str(path) in said else f"{path}: {said}"
        except OSError as error:
            error_text = f"cannot read {path} to its end: {error.strerror}."
        sums.warnings.update(dict.fromkeys(source.notes))
        return replace(report, seconds=stream.time, error=error_text, **sums.figures(stream.time))


class _Sums:
    """What is kept of the readings of a file: 8 bytes each of those in which someone speaks."""

    def __init__(self) -> None:
        self.totals = Summary()
        self.snr = array("d")
        self.worst: tuple[float, float] | None = None
        self.segments: list[Segment] = []
        self.warnings: dict[str, None] = {}

    def add(self, item: Reading | Event) -> None:
        self.totals.add(item)
        if isinstance(item, Event):
            if item.event == "noise_end":
                end, peak, mean = item.end or 0.0, item.peak or 0.0, item.mean or 0.0
                self.segments.append(Segment(item.onset, end, peak, mean, item.snr_db, item.level_dbfs))
            return
        self.warnings.update(dict.fromkeys(item.warnings))
        if item.snr_db is not None:
            self.snr.append(item.snr_db)
        if item.noise is not None and (self.worst is None or item.noise > self.worst[1]):
            self.worst = (max(0.0, item.time - 3), item.noise)

    def figures(self, seconds: float) -> dict[str, Any]:
        snr = self.snr
        return {
            "noisy": self.totals.noisy(seconds),
            "unknown": self.totals.unjudged(seconds),
            "reason": self.totals.reason,
            "snr_mean_db": statistics.fmean(snr) if snr else None,
            "snr_median_db": statistics.median(snr) if snr else None,
            "snr_min_db": min(snr) if snr else None,
            "worst_start": self.worst[0] if self.worst else None,
            "worst_noise": self.worst[1] if self.worst else None,
            "segments": tuple(self.segments),
            "warnings": tuple(self.warnings),
        }
