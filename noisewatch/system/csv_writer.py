"""CSV without cells that a spreadsheet would run as formulas."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from typing import IO, Any


class CsvWriter:
    """Writes rows of CSV, and escapes cells that a spreadsheet would take for formulas.

    See https://owasp.org/www-community/attacks/CSV_Injection.
    """

    def __init__(self, file: IO[str], columns: Sequence[str]) -> None:
        self._columns = columns
        self._writer = csv.writer(file, lineterminator="\n")
        self._quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def header(self) -> None:
        self._writer.writerow(self._columns)

    def row(self, values: Mapping[str, Any]) -> None:
        """Write the values of the columns; other values are ignored."""
        cells = [escape_formula(values.get(c), path=c == "path") for c in self._columns]
        # The csv module leaves a lone carriage return unquoted, which ends a row in other programs.
        unquoted = any(isinstance(c, str) and "\r" in c for c in cells)
        (self._quoting if unquoted else self._writer).writerow(cells)


def escape_formula(cell: Any, *, path: bool = False) -> Any:
    """A cell that no spreadsheet takes for a formula: `=x` becomes `'=x`, and the path `=x` becomes `./=x`."""
    if not isinstance(cell, str) or cell[:1] not in ("=", "+", "-", "@", "\t", "\r"):
        return cell
    return os.path.join(".", cell) if path else f"'{cell}"  # noqa: PTH118 - Path removes the dot
