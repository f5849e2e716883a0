"""A model on long streams: false alarms on clean voices, missed noises, detection delay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..audio.signal import SAMPLE_RATE, Samples
from ..core.events import Event, Reading
from ..core.noise_detector import NoiseDetector
from ..corpus.catalogue import Catalogue
from ..tasks.false_alarms import events_at, poisson_interval
from ..ui.progress import tracked
from .figures import Estimate, StreamFigures
from .statistics import wilson_interval
from .streams import MixedStream, streams

LATE_S = 3.0  # a noise that ended this long ago may still be in the window
Spans = list[tuple[float, float]]
Judged = tuple[MixedStream, list[Reading]]


def on_streams(
    model: NoiseDetector,
    catalogue: Catalogue,
    seeds: Sequence[int],
    thresholds: Sequence[float],
    *,
    progress: bool = False,
) -> dict[float, StreamFigures]:
    """False alarms, misses and delays for each threshold.

    Each seed joins the recordings of every voice again, with different pauses, floors and noises. Clean minutes are
    counted once, and false alarms are averaged over the seeds: hearing the same voice again is no further evidence.
    """
    judged: list[Judged] = []
    for seed in seeds:
        made = list(streams(catalogue, seed, noisy=False))
        made += [s for s in streams(catalogue, seed, noisy=True) if s.noises]
        for stream in tracked(made, "streams", progress):
            judged.append((stream, _readings(model, stream.samples)))
    return {threshold: _figures(judged, len(seeds), threshold, model.model.card.hop_s) for threshold in thresholds}


def _readings(model: NoiseDetector, samples: Samples) -> list[Reading]:
    stream = model.stream()
    readings = []
    for start in range(0, len(samples), SAMPLE_RATE):
        readings += stream.push(samples[start : start + SAMPLE_RATE])
    return readings + [r for r in stream.finish() if isinstance(r, Reading)]


def _figures(judged: Sequence[Judged], times: int, threshold: float, hop_s: float) -> StreamFigures:
    voices: Counter[str] = Counter()
    alarmed, seconds = 0.0, 0.0
    noises, missed, on_already, delays = 0, 0, 0, []
    for stream, readings in judged:
        spans = _spans(events_at(readings, threshold, hop_s, len(stream.samples) / SAMPLE_RATE))
        if not stream.noises:
            seconds += len(stream.samples) / SAMPLE_RATE
            voices += Counter({stream.speaker: len(spans)})  # those without any are left out
            alarmed += sum(end - start for start, end in spans)
        for onset, end in stream.noises:
            noises += 1
            began = [start for start, _ in spans if onset <= start <= end + LATE_S]
            if began:
                delays.append(began[0] - onset)
            elif any(start < onset and until > end for start, until in spans):
                on_already += 1  # called noisy before there was noise
            else:
                missed += 1
    alarms = voices.total() / times
    low, high = poisson_interval(round(alarms))
    hours = max(seconds / 3600 / times, 1e-9)
    return StreamFigures(
        clean_minutes=60 * hours,
        false_alarms=alarms,
        false_alarms_per_hour=Estimate(alarms / hours, low / hours, high / hours),
        false_alarms_by_voice=dict(voices.most_common()),
        clean_time_called_noisy=alarmed / max(seconds, 1e-9),
        noises=noises,
        missed=missed,
        missed_share=(
            Estimate(missed / noises, *wilson_interval(missed, noises)) if noises else Estimate(None, None, None)
        ),
        on_already=on_already,
        median_delay_s=float(np.median(delays)) if delays else None,
    )


def _spans(events: Sequence[Event]) -> Spans:
    """When the start and end of each noise were reported, s."""
    spans, start = [], None
    for event in events:
        if event.event == "noise_start":
            start = event.time
        elif event.event == "noise_end" and start is not None:
            spans.append((start, event.time))
            start = None
    return spans
