"""The Python entry point for evaluation: `noisewatch.evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import overload

from ..core.shipped import DEFAULT
from ..errors import UsageError
from .baselines import installed
from .figures import Report, WindowScores
from .report import report_on
from .scorers import Scorer, level_statistic, model_scorers
from .windows import score_windows

Named = str | Path
Models = Named | Sequence[Named] | Mapping[str, Named]


@overload
def evaluate(
    *,
    data: Named,
    split: str = "test",
    count: int = 600,
    seed: int = 7,
    models: Models = (DEFAULT,),
    baselines: bool = False,
    dnsmos: Named | None = None,
    on_skip: Callable[[str], None] = ...,
    progress: bool = False,
) -> Report: ...


@overload
def evaluate(
    *,
    windows: Named | Sequence[Named],
    models: Models = (DEFAULT,),
    baselines: bool = False,
    dnsmos: Named | None = None,
    on_skip: Callable[[str], None] = ...,
) -> Iterator[WindowScores]: ...


def evaluate(
    *,
    data: Named | None = None,
    windows: Named | Sequence[Named] | None = None,
    split: str = "test",
    count: int = 600,
    seed: int = 7,
    models: Models = (DEFAULT,),
    baselines: bool = False,
    dnsmos: Named | None = None,
    on_skip: Callable[[str], None] = lambda message: None,
    progress: bool = False,
) -> Report | Iterator[WindowScores]:
    """Score models, and a level statistic for comparison, on labelled recordings or windows. Needs no torch.

    >>> report = noisewatch.evaluate(data="data")
    >>> report.scorers["duo"].auc["10 dB"].value
    >>> scores = list(noisewatch.evaluate(windows=["mix.npz"], models=["duo", "mine.onnx"]))

    Pass exactly one of these:

    - data: a folder with manifest.csv, or a CSV file, as written by `noisewatch prepare`. Windows and streams are
      mixed from the recordings of one split. Returns a Report with 95 % intervals.
    - windows: npz files with x (n, 48000) int16 at 16 kHz, y (n,) 1 = noisy, snr (n,) dB with 99 = clean, and
      optionally situation (n,) text: "mix" for windows grouped by SNR, otherwise the name of their group. Returns
      an iterator of WindowScores, one for each file and scorer.

    For data only:

    - split: "val" for making choices, "test" for reporting results.
    - count: number of clean speech windows; half as many at each SNR, and 40 noisy streams per 600. seed: random
      seed.
    - progress: show progress bars on stderr.

    For both:

    - models: names of shipped models, or ONNX files. A mapping sets the name of each in the results.
    - baselines: also score the installed baselines. dnsmos: path of DNSMOS's sig_bak_ovr.onnx.
    - on_skip: called with a message for each baseline that is not installed and each recording that is left out.

    Raises UsageError for conflicting arguments, ModelError for a model that cannot be loaded, InputError for data
    or windows that cannot be read.
    """
    if (data is None) == (windows is None):
        raise UsageError("evaluate takes either data or windows: pass exactly one of them.")
    scorers = _scorers(models, baselines, dnsmos, on_skip)
    if windows is not None:
        return score_windows([Path(file) for file in _listed(windows)], scorers)
    assert data is not None
    return report_on(Path(data), split, scorers, count=count, seed=seed, on_skip=on_skip, progress=progress)


def _scorers(models: Models, baselines: bool, dnsmos: Named | None, on_skip: Callable[[str], None]) -> list[Scorer]:
    """The models, the strongest level statistic, and the installed baselines."""
    files = models if isinstance(models, Mapping) else {str(model): model for model in _listed(models)}
    scorers = [*model_scorers({name: str(file) for name, file in files.items()}), level_statistic()]
    if baselines:
        found, missing = installed(None if dnsmos is None else Path(dnsmos))
        scorers += found
        for message in missing:
            on_skip(message)
    return scorers


def _listed(names: Named | Sequence[Named]) -> Sequence[Named]:
    return [names] if isinstance(names, str | Path) else names
