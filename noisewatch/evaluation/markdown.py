"""Reports as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .report import MEAN_OF
from .testset import SNRS

FIGURES = {
    "balanced_accuracy": "balanced accuracy at the threshold",
    "false_alarms": "clean windows called noisy",
    "snr_mae_db": "mean absolute error of the SNR up to 30 dB, dB",
}


def of_windows(results: Sequence[dict[str, Any]]) -> str:
    """Results as Markdown: a table a file of windows, one row a scorer, and what else is known of each below."""
    lines = []
    for file in dict.fromkeys(r["windows"] for r in results):
        mine = [r for r in results if r["windows"] == file]
        columns = list(mine[0]["auc"])
        most = max(mine, key=lambda r: r["clean"] + r["noisy"])
        lines += [f"{file}: {most['clean']} clean, {most['noisy']} noisy windows", ""]
        lines += ["| scorer | " + " | ".join(columns) + " |", "| --- " * (len(columns) + 1) + "|"]
        lines += [f"| {r['scorer']} | " + " | ".join(f"{r['auc'][c]:.3f}" for c in columns) + " |" for r in mine]
        lines += [""]
        for r in mine:
            known = [f"{said} {r[key]:.3f}" for key, said in FIGURES.items() if r.get(key) is not None]
            known += [f"{r['unjudged']} windows could not be judged"] if r["unjudged"] else []
            lines += [f"{r['scorer']}: {'; '.join(known)}.", ""] if known else []
    return "\n".join(lines).rstrip() + "\n"


def of_report(result: dict[str, Any]) -> str:
    """The report as tables to read."""
    scorers: dict[str, Any] = result["scorers"]
    lines = [
        f"Split {result['split']}, seed {result['seed']}: {result['windows']} windows of "
        f"{result['speakers']} speakers; noisewatch {result['noisewatch']}, {result['made']}, {result['machine']}.",
        "",
        "ROC-AUC of clean speech against noisy speech at one SNR. In brackets, here and below: 95 % intervals by "
        "resampling speakers",
        "",
    ]
    steps = [*(f"{s:g} dB" for s in MEAN_OF), "0-20 dB", *(f"{s:g} dB" for s in SNRS if s not in MEAN_OF)]
    rows = [[name, *(_spread(f["auc"][s]) for s in steps)] for name, f in scorers.items()]
    lines += [*_table(["scorer", *steps], rows), "", "Against all clean windows, quiet rooms among them", ""]
    lines += _both("live", scorers)
    lines += ["", "Mean AUC over 0-20 dB under conditions, on the same windows", "", *_both("conditions", scorers)]
    for title, key in (
        ("By kind of noise, 0-20 dB", "by_noise_kind"),
        ("By source of noise, 0-20 dB", "by_noise_source"),
        ("By source of the voice, 0-20 dB", "by_voice_source"),
    ):
        if any(f[key] for f in scorers.values()):
            lines += ["", title, "", *_turned(key, scorers)]
    for name, f in scorers.items():
        lines += ["", f"**{name}**", "", *(f"- {sentence}" for sentence in _said(f))]
        if name in result["differences"]:
            first = next(iter(scorers))
            lines.append(f"- {first} is better by {_spread(result['differences'][name])} on 0-20 dB")
    return "\n".join(lines) + "\n"


def _said(f: dict[str, Any]) -> Iterator[str]:
    if "threshold" in f:
        called = f["clean_called_noisy"]
        accuracy = ", ".join(f"{_spread(v)} at {k}" for k, v in f["balanced_accuracy"].items())
        yield f"at the threshold of {f['threshold']:g}: balanced accuracy {accuracy}"
        shares = [f"{_spread(called[k], '.1%')} of {k}" for k in ("speech", "all")]
        yield f"clean windows called noisy: {', '.join(shares)}"
        yield f"expected calibration error {_spread(f['calibration']['expected_error'])}"
    if "snr" in f:
        snr = f["snr"]
        mae, bias = _spread(snr["mae_db"], ".2f"), _spread(snr["bias_db"], "+.2f")
        yield (
            f"SNR over 0-30 dB: mean absolute error {mae} dB, bias {bias} dB, "
            f"Spearman {_spread(snr['spearman'])}, told for {snr['told']:.0%} of the windows"
        )
    if "streams" in f:
        s = f["streams"]
        delay = "" if s["median_delay_s"] is None else f", median delay {s['median_delay_s']:.1f} s"
        rate, low, high = s["false_alarms_per_hour"]
        yield (
            f"{s['false_alarms']:g} false alarms, by {len(s['false_alarms_by_voice'])} of the voices, in "
            f"{s['clean_minutes']:.1f} minutes of clean speech "
            f"({rate:.0f} an hour, 95 % interval {low:.0f} to {high:.0f}); "
            f"{s['clean_time_called_noisy']:.1%} of the time called noisy"
        )
        already = f", {s['on_already']} called before they began" if s["on_already"] else ""
        yield (
            f"{s['missed']} of {s['noises']} noises of 1-4 s at 0-10 dB, that sound for four fifths of it, missed: "
            f"{_spread(s['missed_share'], '.0%')}{already}{delay}"
        )
    if f["unjudged"]:
        yield f"{f['unjudged']} windows could not be judged and are left out"


def _spread(values: Sequence[float | None], form: str = ".3f") -> str:
    value, low, high = values
    if low is None:
        return _figure(value, form)
    return f"{_figure(value, form)} ({_figure(low, form)} to {_figure(high, form)})"


def _figure(value: float | None, form: str = ".3f") -> str:
    return "-" if value is None else f"{value:{form}}"


def _both(key: str, scorers: dict[str, Any]) -> list[str]:
    """A table of a flat figure: one row a scorer."""
    columns = list(next(iter(scorers.values()))[key])
    return _table(["scorer", *columns], [[n, *(_spread(f[key][c]) for c in columns)] for n, f in scorers.items()])


def _turned(key: str, scorers: dict[str, Any]) -> list[str]:
    """The same with one column a scorer, for long lists."""
    rows = list(next(iter(scorers.values()))[key])
    return _table(["", *scorers], [[r, *(_spread(f[key][r]) for f in scorers.values())] for r in rows])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    line = "| " + " | ".join(head) + " |"
    return [line, "| --- " * len(head) + "|", *("| " + " | ".join(row) + " |" for row in rows)]
