"""The two files of a result: JSON for programs, Markdown for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..system.files import atomic_write


def report_paths(out: Path) -> tuple[Path, Path]:
    """The paths of out.json and out.md. Raises OutputError if either cannot be written."""
    if not out.name or out.is_dir():
        raise OutputError(f"{out} is a folder; -o takes a file name without suffix, such as reports/mine.")
    paths = out.with_name(f"{out.name}.json"), out.with_name(f"{out.name}.md")
    for path in paths:
        with atomic_write(path.with_name(f"{path.name}.try")) as file:
            file.write("")
        path.with_name(f"{path.name}.try").unlink()
    return paths


def write_report(result: Any, markdown: str, out: Path) -> tuple[Path, Path]:
    """Write a result as out.json and its tables as out.md; returns their paths."""
    paths = report_paths(out)
    for path, text in zip(paths, (json.dumps(result, indent=1), markdown), strict=True):
        with atomic_write(path) as file:
            file.write(text)
    return paths
