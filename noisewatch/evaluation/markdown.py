"""Results as Markdown tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from .estimate import Estimate
from .figures import Agreement, Decisions, Report, ScorerFigures, SnrErrors, WindowScores
from .stream_tables import of_streams
from .tables import estimate, figure, table
from .testset import SNRS
from .window_set import MEAN_OF, SURE_CLEAN_DB, SURE_NOISY_DB

By = Callable[[ScorerFigures], Mapping[str, Estimate]]


def of_windows(scores: Sequence[WindowScores]) -> str:
    """Scores as a table for each file of windows, one row per scorer, with the other figures below."""
    lines = []
    for file in dict.fromkeys(s.windows for s in scores):
        mine = [s for s in scores if s.windows == file]
        columns = list(mine[0].auc)
        most = max(mine, key=lambda s: s.clean + s.noisy)
        lines += [f"{file}: {most.clean} clean, {most.noisy} noisy windows", ""]
        lines += [*table(["scorer", *columns], [[s.scorer, *(figure(s.auc[c]) for c in columns)] for s in mine])]
        lines += [""]
        for s in mine:
            known = [
                f"{name} {value:.3f}"
                for name, value in (
                    ("balanced accuracy at the threshold", s.balanced_accuracy),
                    ("clean windows called noisy", s.false_alarms),
                    ("mean absolute error of the SNR up to 30 dB, dB", s.snr_mae_db),
                )
                if value is not None
            ]
            known += [f"{s.unjudged} windows could not be judged"] if s.unjudged else []
            lines += [f"{s.scorer}: {'; '.join(known)}.", ""] if known else []
    return "\n".join(lines).rstrip() + "\n"


def of_report(report: Report) -> str:
    """The report as tables."""
    scorers = report.scorers
    lines = [
        f"Split {report.split}, seed {report.seed}: {report.windows} windows of "
        f"{report.speakers} speakers; noisewatch {report.noisewatch}, {report.made}, {report.machine}.",
        "",
        "ROC-AUC of clean speech against noisy speech, by SNR. In brackets, here and below: 95 % intervals from "
        "resampled speakers",
        "",
    ]
    steps = [*(f"{s:g} dB" for s in MEAN_OF), "0-20 dB", *(f"{s:g} dB" for s in SNRS if s not in MEAN_OF)]
    lines += table(["scorer", *steps], [[n, *(estimate(f.auc[s]) for s in steps)] for n, f in scorers.items()])
    lines += ["", "Against all clean windows, including quiet rooms", "", *_rows(lambda f: f.live, scorers)]
    lines += ["", "Mean AUC over 0-20 dB by condition, on the same windows", ""]
    lines += _rows(lambda f: f.conditions, scorers)
    groups: Sequence[tuple[str, By]] = (
        ("By kind of noise, 0-20 dB", lambda f: f.by_noise_kind),
        ("By source of noise, 0-20 dB", lambda f: f.by_noise_source),
        ("By source of the voice, 0-20 dB", lambda f: f.by_voice_source),
    )
    for title, by in groups:
        if any(by(f) for f in scorers.values()):
            lines += ["", title, "", *_columns(by, scorers)]
    for name, figures in scorers.items():
        lines += ["", f"**{name}**", "", *(f"- {sentence}" for sentence in _sentences(figures))]
        if name in report.differences:
            first = next(iter(scorers))
            lines.append(f"- {first} is better by {estimate(report.differences[name])} on 0-20 dB")
        if figures.streams is not None:
            lines += ["", *of_streams(figures.streams)]
    return "\n".join(lines) + "\n"


def _sentences(figures: ScorerFigures) -> Iterator[str]:
    if figures.decisions is not None:
        yield from _of_decisions(figures.decisions)
    if figures.snr is not None:
        yield _of_snr(figures.snr)
    if figures.agreement is not None:
        yield _of_agreement(figures.agreement)
    if figures.unjudged:
        yield f"{figures.unjudged} windows could not be judged and are left out"


def _of_decisions(d: Decisions) -> Iterator[str]:
    accuracy = ", ".join(f"{estimate(value)} at {name}" for name, value in d.balanced_accuracy.items())
    yield f"at the threshold of {d.threshold:g}: balanced accuracy {accuracy}"
    shares = [f"{estimate(d.clean_called_noisy[name], '.1%')} of {name}" for name in ("speech", "all")]
    yield f"clean windows called noisy: {', '.join(shares)}"
    yield f"expected calibration error {estimate(d.calibration.expected_error)}"


def _of_snr(snr: SnrErrors) -> str:
    mae, bias = estimate(snr.mae_db, ".2f"), estimate(snr.bias_db, "+.2f")
    return (
        f"SNR over 0-30 dB: mean absolute error {mae} dB, bias {bias} dB, "
        f"Spearman {estimate(snr.spearman)}, estimated for {snr.estimated_share:.0%} of the windows"
    )


def _of_agreement(a: Agreement) -> str:
    low, high = estimate(a.low_snr_clean, ".1%"), estimate(a.high_snr_noisy, ".1%")
    return (
        f"SNR and verdict: {low} of the windows at 0-30 dB show less than {SURE_NOISY_DB:g} dB and pass as clean, "
        f"{high} show more than {SURE_CLEAN_DB:g} dB and are called noisy"
    )


def _rows(by: By, scorers: Mapping[str, ScorerFigures]) -> list[str]:
    """A table with one row per scorer."""
    columns = list(by(next(iter(scorers.values()))))
    return table(["scorer", *columns], [[n, *(estimate(by(f)[c]) for c in columns)] for n, f in scorers.items()])


def _columns(by: By, scorers: Mapping[str, ScorerFigures]) -> list[str]:
    """A table with one column per scorer, for long lists."""
    rows = list(by(next(iter(scorers.values()))))
    return table(["", *scorers], [[r, *(estimate(by(f)[r]) for f in scorers.values())] for r in rows])
