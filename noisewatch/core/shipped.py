"""The models in the package, and the lookup of a model file by name or path."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from ..errors import ModelError, UsageError
from ..system.paths import expand_home

DEFAULT = "duo"
WAVEFORM = "noisewatch-waveform"  # ships for other programs


def shipped_models() -> list[str]:
    """Names of the shipped models, sorted."""
    folder = resources.files("noisewatch.models")
    names = [f.name.removesuffix(".onnx") for f in folder.iterdir() if f.name.endswith(".onnx")]
    return sorted(name for name in names if name != WAVEFORM)


def find_model(source: str | Path) -> Path:
    """The file of a shipped model by its name, or the path itself. Raises ModelError if it is neither, and
    UsageError for other types.
    """
    if not isinstance(source, str | os.PathLike):
        raise UsageError(f"the model is {source!r}; allowed: the name of a shipped model, or a path.")
    shipped = shipped_models()
    if str(source) in (*shipped, WAVEFORM):
        return Path(str(resources.files("noisewatch.models") / f"{source}.onnx"))
    try:
        path = expand_home(Path(source))
    except UsageError as error:
        raise ModelError(str(error)) from error
    try:
        if path.is_file():
            return path
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}. Check the path.") from error
    if path.name != str(source) or path.suffix == ".onnx":
        what = f"{path} is not a file" if os.path.lexists(path) else f"there is no file {path}"
        raise ModelError(f"{what}. Check the path, or name a shipped model: {', '.join(shipped)}.")
    raise ModelError(
        f"unknown model {str(source)!r}. Shipped models: {', '.join(shipped)}; or give the path of an .onnx file."
    )
