"""The segments of a recording in the formats of other programs: Audacity labels, RTTM, Praat TextGrid."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..core.events import label, label_line
from ..system.files import atomic_write
from .file_report import FileReport, Segment

# Appended to the recording's whole name; by convention, `talk.wav.txt` would be a transcript.
SUFFIXES = {"audacity": ".noise.txt", "rttm": ".noise.rttm", "textgrid": ".noise.TextGrid"}


def audacity(segments: Iterable[Segment]) -> str:
    """An Audacity label track: start, end and text, separated by tabs."""
    return "".join(label_line(s.start, s.end, s.mean, s.snr_db) for s in segments)


def rttm(name: str, segments: Iterable[Segment], *, channel: int = 1) -> str:
    """NIST RTTM objects of type NON-SPEECH, subtype noise. Whitespace in the file ID becomes `_`."""
    file = re.sub(r"\s", "_", name) or "_"
    return "".join(
        f"NON-SPEECH {file} {channel} {s.start:.3f} {s.end - s.start:.3f} <NA> noise <NA> <NA> <NA>\n"
        for s in segments
    )


def textgrid(seconds: float, segments: Sequence[Segment]) -> str:
    """A Praat TextGrid with one interval tier from 0 to `seconds`; the intervals between noises are empty."""
    intervals: list[tuple[float, float, str]] = []
    at = 0.0
    for s in segments:
        start, end = max(at, s.start), min(s.end, seconds)
        if end <= start:
            continue
        if start > at:
            intervals.append((at, start, ""))
        intervals.append((start, end, label(s.mean, s.snr_db)))
        at = end
    if at < seconds or not intervals:
        intervals.append((at, seconds, ""))
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {seconds:.3f}",
             "tiers? <exists>", "size = 1", "item []:", "    item [1]:", '        class = "IntervalTier"',
             '        name = "noise"', "        xmin = 0", f"        xmax = {seconds:.3f}",
             f"        intervals: size = {len(intervals)}"]  # fmt: skip
    for number, (start, end, text) in enumerate(intervals, 1):
        lines += [
            f"        intervals [{number}]:",
            f"            xmin = {start:.3f}",
            f"            xmax = {end:.3f}",
            f'            text = "{text}"',
        ]
    return "\n".join(lines) + "\n"


def write_labels(kind: str, report: FileReport, path: Path) -> None:
    """Write the labels of a recording to a file; kind: a key of SUFFIXES. Raises OutputError."""
    if kind == "audacity":
        text = audacity(report.segments)
    elif kind == "rttm":
        text = rttm(Path(report.path).stem, report.segments, channel=report.channel or 1)
    else:
        text = textgrid(report.seconds, report.segments)
    with atomic_write(path) as file:
        file.write(text)
