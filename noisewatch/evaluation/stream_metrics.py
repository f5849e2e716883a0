"""A model on streams: alarms on clean voices, misses and delays of noises behind them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from ..audio.signal import WINDOW_S
from ..core.noise_detector import NoiseDetector
from ..corpus.catalogue import Catalogue
from ..corpus.manifest import STYLES
from ..ui.progress import tracked
from .clean_streams import Voice, clean_stream, clean_voices, other_voices
from .heard import Heard, heard
from .noisy_streams import LONG_S, Noisy, NoisyStreams, PlacedNoise
from .stream_figures import AlarmRate, Detections, StreamFigures, StyleAlarms

LONG_STREAMS, SHORT_STREAMS = 40, 120  # with a noise of 5 s or a second voice, at each SNR; with a shorter noise
FEWEST = 2
UNKNOWN = "unknown"  # the kind of sound of noises for which the manifest has none


def on_streams(
    model: NoiseDetector,
    catalogue: Catalogue,
    seed: int,
    thresholds: Sequence[float],
    *,
    share: float = 1.0,
    progress: bool = False,
) -> dict[float, StreamFigures]:
    """Alarms, misses and delays for each threshold.

    share: of the usual number of noises, which are 40 of 5 s at each SNR and 120 shorter ones. All clean voices are
    heard, each once.
    """

    def voices(made: Sequence[Voice], label: str) -> list[Heard[Voice]]:
        return [heard(model, clean_stream(v, seed), v) for v in tracked(made, label, progress)]

    def noises(make: Callable[[int], list[Noisy]], usual: int, label: str) -> list[Heard[PlacedNoise]]:
        numbers = range(max(FEWEST, round(usual * share)))
        made = (stream for number in tracked(numbers, label, progress) for stream in make(number))
        return [heard(model, samples, noise) for samples, noise in made]

    clean = voices(clean_voices(catalogue), "clean voices")
    other = voices(other_voices(catalogue), "other voices")
    streams = NoisyStreams(catalogue, seed)
    long = noises(streams.long, LONG_STREAMS, "noises of 5 s")
    second = noises(streams.second_voice, LONG_STREAMS, "second voices")
    short = noises(streams.short, SHORT_STREAMS, "shorter noises")
    kinds = {
        "all": long,
        "continuous": [h for h in long if h.truth.continuous],
        "intermittent": [h for h in long if not h.truth.continuous],
    }
    return {
        threshold: StreamFigures(
            threshold=threshold,
            alarms=_alarms(clean, threshold),
            alarms_under_40_db=_alarms(other, threshold),
            delays={kind: _by_snr(mine, threshold) for kind, mine in kinds.items()},
            second_voice=_by_snr(second, threshold),
            short_noises=detections(short, threshold),
            short_noises_by_sound=_by_sound(short, threshold),
            notes=tuple(_notes(long, second, short)),
        )
        for threshold in thresholds
    }


def _alarms(voices: Iterable[Heard[Voice]], threshold: float) -> dict[str, StyleAlarms]:
    """Alarms by style."""
    rates: dict[str, dict[str, list[AlarmRate]]] = defaultdict(lambda: defaultdict(list))
    for h in voices:
        spans = h.spans(threshold)
        noisy_seconds = sum(end - start for start, end in spans)
        rate = AlarmRate.of(len(spans), h.seconds, noisy_seconds, h.unjudged_seconds)
        rates[h.truth.style][h.truth.source].append(rate)
    return {
        style: StyleAlarms.of({source: AlarmRate.pooled(mine) for source, mine in sources.items()})
        for style, sources in sorted(rates.items(), key=lambda item: STYLES.index(item[0]))
    }


def _by_snr(noises: Sequence[Heard[PlacedNoise]], threshold: float) -> dict[str, Detections]:
    steps = sorted({h.truth.snr_db for h in noises})
    return {f"{s:g} dB": detections([h for h in noises if h.truth.snr_db == s], threshold) for s in steps}


def _by_sound(noises: Sequence[Heard[PlacedNoise]], threshold: float) -> dict[str, Detections]:
    """Detections by kind of sound; empty if none is known."""
    named = sorted({h.truth.sound for h in noises} - {""})
    sounds = {s: [h for h in noises if h.truth.sound == s] for s in named}
    others = [h for h in noises if not h.truth.sound]
    if named and others:
        sounds[UNKNOWN] = sounds.get(UNKNOWN, []) + others
    return {sound: detections(mine, threshold) for sound, mine in sounds.items()}


def detections(noises: Iterable[Heard[PlacedNoise]], threshold: float) -> Detections:
    """A noise is called by an alarm that starts after its onset, before it has left the window."""
    already_on, missed = 0, 0
    starts, ends = [], []
    for h in noises:
        onset, end = h.truth.onset_s, h.truth.end_s
        spans = h.spans(threshold)
        alarms = [span for span in spans if onset <= span[0] <= end + WINDOW_S]
        if any(start < onset < until for start, until in spans):
            already_on += 1
        elif alarms:
            starts.append(alarms[0][0] - onset)
            ends.append(alarms[-1][1] - end)
        else:
            missed += 1
    return Detections.of(already_on, missed, starts, ends)


def _notes(*found: Sequence[Heard[PlacedNoise]]) -> Iterable[str]:
    """What could not be measured."""
    long, second, short = found
    if not long:
        yield f"No noise of the split fills {LONG_S:g} s, also when repeated: there are no delays."
    if not second:
        yield "The split has only one speaker of clean speech: there is no second voice."
    if not short:
        yield "No noise of the split sounds for most of 1 to 4 s, also when repeated: there are no short noises."
    elif not any(h.truth.sound for h in short):
        yield "The manifest does not name the kinds of sounds: misses are not shown by kind."
