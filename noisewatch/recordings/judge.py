"""Recordings judged from beginning to end by the detector that the microphone uses."""

from __future__ import annotations

import contextlib
import os
import stat
import statistics
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ..audio.signal import WINDOW_S
from ..core.events import Event, Reading, rounded
from ..core.noise_detector import NoiseDetector
from ..core.session import Session
from ..core.shipped import DEFAULT
from ..core.summary import Summary
from ..errors import InputError, UsageError, numeric
from ..inputs.recording import open_recording
from .file_report import FileReport, Segment
from .find import find
from .scan_config import HOP_S, Channels, ScanConfig


def scan(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    model: str | Path = DEFAULT,
    hop: float = HOP_S,
    threshold: float | None = None,
    channel: int | None = None,
    channels: Literal["mean", "apart"] = "mean",
) -> Iterator[FileReport]:
    """Yield a report for each recording: files, folders (searched recursively) and globs like "takes/**/*.flac".

    hop: s between readings; threshold: noise probability at or above which a window is noisy, by default the
    model's; channel: counted from 1, by default the mean of all; channels: "apart" for a report on each channel of
    a recording that has several, such as the two sides of a call. A file that cannot be read yields a report with
    an `error`. Invalid arguments raise ModelError or UsageError at the call, not during iteration.
    """
    if channels not in list(Channels):
        raise UsageError(f"channels is {channels!r}; allowed: {', '.join(Channels)}.")
    judge = Judge(ScanConfig(str(model), hop, threshold, channel, Channels(channels)))
    words = [paths] if isinstance(paths, str | os.PathLike) else paths
    try:
        found = find([os.fspath(word) for word in words])
    except TypeError as error:
        raise UsageError(
            f"the paths are {paths!r}; allowed: a path, a folder or a pattern, or a list of them."
        ) from error
    return (r for each in found for r in ([each] if isinstance(each, FileReport) else judge(each)))


class Judge:
    """Judges one file after another with one loaded model."""

    def __init__(self, config: ScanConfig) -> None:
        """Load the model. Raises ModelError, or UsageError for values out of range."""
        self.config = config
        self.detector = NoiseDetector(config.model)
        channel = config.channel
        if channel is not None and (not numeric("channel", channel) >= 1 or channel % 1):
            raise UsageError(f"the channel is {channel}; channels are counted from 1.")
        if channel is not None and config.channels is Channels.apart:
            raise UsageError(
                f"channels is 'apart', which judges all of them, and the channel is {channel}. Omit one."
            )
        stream = self.detector.stream(hop=config.hop, threshold=config.threshold)
        card = self.detector.model.card
        self._about: dict[str, Any] = {
            "model": " ".join([card.name, card.created, self.detector.model.digest]),
            "hop_s": stream.hop_s,
            "threshold": stream.detector.config.threshold,
        }

    def chosen(self, reports: Iterable[FileReport]) -> list[FileReport] | None:
        """Of earlier reports on one file, those that judging it would give; None if one of them is missing."""
        made = {}
        for report in reports:
            if rounded({key: getattr(report, key) for key in self._about}) == rounded(self._about):
                made[report.channel] = report
        wanted: list[int | None] = [self.config.channel]
        if self.config.channels is Channels.apart:
            channels = max((report.channels for report in made.values()), default=0)
            if not channels:
                return None
            wanted = _apart(channels)
        return [made[channel] for channel in wanted] if set(wanted) <= set(made) else None

    def __call__(self, path: Path, progress: Callable[[float], None] = lambda share: None) -> list[FileReport]:
        """Judge one file: a report, or one for each channel. progress: called with the share done (0..1)."""
        chosen: list[int | None] = [self.config.channel]
        if self.config.channels is Channels.apart and path.is_file():  # opening a named pipe would block
            with contextlib.suppress(OSError, InputError, UsageError):  # judging it tells
                chosen = _apart(open_recording(path, str(path)).channels)
        reports: list[FileReport] = []
        for number, channel in enumerate(chosen):

            def part(share: float, number: int = number) -> None:
                progress((number + min(share, 1.0)) / len(chosen))

            reports.append(self._judged(path, channel, part))
        return reports

    def _judged(self, path: Path, channel: int | None, progress: Callable[[float], None]) -> FileReport:
        """The report on one channel of a file, None for the mean of all."""
        report = FileReport(str(path), channel=channel, **self._about)
        try:
            before = path.stat()
            if not stat.S_ISREG(before.st_mode):  # opening a named pipe would block
                what = "a folder" if path.is_dir() else "a device or pipe"
                return replace(report, error=f"{path} is {what}, not a file.")
            report = replace(report, size=before.st_size, mtime_ns=before.st_mtime_ns)
            source = open_recording(path, str(path), channel=channel)
            report = replace(report, channels=source.channels)
        except OSError as error:
            return replace(report, error=f"cannot read {path}: {error.strerror}.")
        except (InputError, UsageError) as error:  # UsageError: it may have fewer channels than the others
            return replace(report, error=str(error))
        tally, problem = _Tally(), None
        stream = self.detector.stream(hop=self.config.hop, threshold=self.config.threshold)
        try:
            for item in Session(source, stream):
                tally.add(item)
                progress(stream.time / source.promised_s if source.promised_s else 0.0)
            after = path.stat()
            if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                problem = f"{path} changed while it was read. Scan it again when it is finished."
        except InputError as error:  # the readings before it still count
            message = str(error)
            problem = message if str(path) in message else f"{path}: {message}"
        except OSError as error:
            problem = f"cannot read {path} to its end: {error.strerror}."
        tally.warnings.update(dict.fromkeys(source.notes))
        return replace(report, seconds=stream.time, error=problem, **tally.figures(stream.time))


def _apart(channels: int) -> list[int | None]:
    """The channels that are judged by themselves; of a recording with only one: the recording."""
    return [*range(1, channels + 1)] if channels > 1 else [None]


class _Tally:
    """Running totals of one file. Memory: 8 bytes for each reading in which someone speaks."""

    def __init__(self) -> None:
        self.totals = Summary()
        self.snr_db = array("d")
        self.worst: tuple[float, float] | None = None  # start (s) and noise probability
        self.segments: list[Segment] = []
        self.warnings: dict[str, None] = {}

    def add(self, item: Reading | Event) -> None:
        self.totals.add(item)
        if isinstance(item, Event):
            if item.event == "noise_end":
                end, peak, mean = item.end or 0.0, item.peak or 0.0, item.mean or 0.0
                self.segments.append(Segment(item.onset, end, peak, mean, item.snr_db, item.level_dbfs, item.kind))
            return
        self.warnings.update(dict.fromkeys(item.warnings))
        if item.snr_db is not None:
            self.snr_db.append(item.snr_db)
        if item.noise is not None and (self.worst is None or item.noise > self.worst[1]):
            self.worst = (max(0.0, item.time - WINDOW_S), item.noise)

    def figures(self, seconds: float) -> dict[str, Any]:
        """Fields of a FileReport for a recording of this length (s)."""
        snr = self.snr_db
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
