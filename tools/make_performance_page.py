"""Fills in the table of docs/performance.md with a run of `noisewatch bench --baselines` on this machine.

    python tools/make_performance_page.py [--seconds 300]

It goes between `<!-- bench -->` and `<!-- end -->`. The rest of the page is written by hand: check that it still
holds. Install every baseline first, and leave the machine alone.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from noisewatch.bench.run import bench
from noisewatch.bench.table import markdown
from noisewatch.system.files import atomic_write

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
TABLE = re.compile(r"(<!-- bench -->\n).*?(<!-- end -->)", re.DOTALL)


def main(seconds: Annotated[float, typer.Option(help="Time to measure, 1 to 3600.")] = 300.0) -> None:
    """Measure, and write the page."""
    table = markdown(bench(seconds=seconds, baselines=True))
    text = TABLE.sub(lambda match: f"{match[1]}\n{table}\n\n{match[2]}", PAGE.read_text(encoding="utf-8"))
    with atomic_write(PAGE) as written:
        written.write(text)


if __name__ == "__main__":
    typer.run(main)
