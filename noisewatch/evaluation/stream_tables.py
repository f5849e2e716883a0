"""Results on streams as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .stream_figures import AlarmRate, Delay, Detections, StreamFigures, StyleAlarms
from .tables import estimate, figure, table

ALARMS = ("minutes", "alarms", "per hour", "time called noisy")
DETECTIONS = (
    "noises", "missed", "already on", "within 3 s", "start delay, median", "95th", "median of all",
    "end delay, median", "95th",
)  # fmt: skip


def of_streams(figures: StreamFigures) -> list[str]:
    """Lines with all tables of one model."""
    lines = [
        f"Alarms at the threshold of {figures.threshold:g} on clean voices: all takes of a speaker in a row, over "
        "their own floors. In brackets: 95 % Poisson intervals",
        "",
        *table(["clean voices", *ALARMS], [[name, *_alarms(rate)] for name, rate in _pooled(figures)]),
        "",
        "By source, floors at least 40 dB below the voice",
        "",
        *table(["source", "style", *ALARMS], _sources(figures.alarms)),
    ]
    if figures.delays["all"] or figures.second_voice:
        kinds = {**figures.delays, "second voice": figures.second_voice}
        lines += [
            "",
            "Delays in s: 5 s of noise, or a second voice, behind a voice that goes on. Shares are of the noises "
            "that were not already called before they began; delays, of those called. The median of all counts "
            "missed noises as never called",
            "",
            *table(["5 s of", "SNR", *DETECTIONS], [
                [kind, snr, *_detections(found)] for kind, by_snr in kinds.items() for snr, found in by_snr.items()
            ]),
        ]  # fmt: skip
    if figures.short_noises.noises:
        sounds = [("all", figures.short_noises), *figures.short_noises_by_sound.items()]
        lines += [
            "",
            "Noises of 1 to 4 s at 0 to 10 dB, active for at least four fifths of that time",
            "",
            *table(["sound", *DETECTIONS], [[name, *_detections(found)] for name, found in sounds]),
        ]
    lines += ["", *(f"- {note}" for note in figures.notes)] if figures.notes else []
    return lines


def _pooled(figures: StreamFigures) -> Iterator[tuple[str, AlarmRate]]:
    """The pooled rates with their names. A source with more than half of the time stands apart."""
    for style, alarms in figures.alarms.items():
        if alarms.others is None:
            yield style, alarms.all
        else:
            assert alarms.dominant is not None
            yield f"{style}, without {alarms.dominant}", alarms.others
            yield f"{style}, {alarms.dominant}", alarms.sources[alarms.dominant]
    not_read = [alarms for style, alarms in figures.alarms.items() if style != "read"]
    if len(not_read) > 1:
        apart = [alarms.dominant for alarms in not_read if alarms.dominant]
        name = ", without ".join(["all that is not read", *apart])
        yield name, figures.not_read
    for style, alarms in figures.alarms_under_40_db.items():
        yield f"{style}, floor less than 40 dB down", alarms.all


def _sources(styles: Mapping[str, StyleAlarms]) -> list[list[str]]:
    """One row per source, in descending order of alarms."""
    found = [(name, style, rate) for style, alarms in styles.items() for name, rate in alarms.sources.items()]
    found.sort(key=lambda item: -item[2].alarms)
    return [[name, style, *_alarms(rate)] for name, style, rate in found]


def _alarms(rate: AlarmRate) -> list[str]:
    return [
        f"{rate.judged_seconds / 60:.1f}",
        str(rate.alarms),
        estimate(rate.per_hour, ".0f"),
        figure(rate.noisy_share, ".1%"),
    ]


def _detections(found: Detections) -> list[str]:
    return [
        str(found.noises),
        f"{found.missed} ({figure(found.missed_share.value, '.0%')})",
        str(found.already_on),
        figure(found.prompt_share.value, ".0%"),
        *_delay(found.start_delay),
        figure(found.start_median_of_all_s, ".1f"),
        *_delay(found.end_delay),
    ]


def _delay(delay: Delay) -> list[str]:
    return [figure(delay.median, ".1f"), figure(delay.p95, ".1f")]
