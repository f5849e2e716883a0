"""Draws docs/images/meter.svg: the meter on the demo clip, at a moment with noise behind the voice.

    python tools/make_picture.py
    python tools/make_picture.py --check    # exit with 1 if the committed picture is stale

The real meter draws the picture, so it cannot show anything that the meter does not. The same code, model and
version of Rich give the same bytes.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from rich.console import Console

from noisewatch import NoiseDetector
from noisewatch.core.session import Session
from noisewatch.inputs.opening import open_source
from noisewatch.ui.history import History
from noisewatch.ui.meter import Meter

# Rich's own template loads a font from the network; this one loads nothing.
TEMPLATE = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: 20px "Fira Code", "DejaVu Sans Mono", Menlo, Consolas, monospace; }}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""

OUT = Path(__file__).parent.parent / "docs" / "images" / "meter.svg"
MOMENT_S = 15.9  # into the clip: a loud fan, typing and speech, and no number close to a rounding boundary
COLUMNS, ROWS = 80, 26


def drawn() -> str:
    """The picture as SVG."""
    source = open_source("demo", paced=False)
    stream = NoiseDetector().stream()
    meter = Meter(History(stream.hop_s, stream.detector.config), stream.model.card.name, stream, source)
    for item in Session(source, stream, seconds=MOMENT_S):
        meter.history.add(item)
    console = Console(
        file=io.StringIO(), record=True, width=COLUMNS, height=ROWS, force_terminal=True, color_system="truecolor",
        legacy_windows=False, _environ={},
    )  # fmt: skip
    console.print(meter)
    return console.export_svg(title="noisewatch listen demo", code_format=TEMPLATE, unique_id="meter")


def main() -> None:
    """Write the picture, or compare it with the committed one."""
    picture = drawn()
    if "--check" not in sys.argv[1:]:
        OUT.parent.mkdir(parents=True, exist_ok=True)
        OUT.write_text(picture, encoding="utf-8")
    elif not OUT.is_file() or OUT.read_text(encoding="utf-8") != picture:
        sys.exit(f"{OUT} is stale. Redraw it with: python tools/make_picture.py")


if __name__ == "__main__":
    main()
