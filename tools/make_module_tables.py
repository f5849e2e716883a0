"""Fills in the tables of docs/architecture.md: modules from their docstrings, rooms from MAY_IMPORT in a test.

    python tools/make_module_tables.py
    python tools/make_module_tables.py --check    # exit with 1 if the committed page is stale

A table goes between `<!-- modules: ROOM -->` or `<!-- floors -->` and `<!-- end -->`. The rest of the page is
written by hand.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
FLOORS = ROOT / "tests" / "test_architecture.py"
TABLE = re.compile(r"(<!-- (modules: \w+|floors) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """The page with its tables filled in. Raises SystemExit if a room has no table."""
    floors = may_import()
    rooms = ["noisewatch", *floors]
    missing = [room for room in rooms if f"<!-- modules: {room} -->" not in text]
    if missing:
        sys.exit(f"{PAGE} has no module table for {', '.join(missing)}. Add a section with the markers of one.")

    def table(match: re.Match[str]) -> str:
        kind, _, room = match[2].partition(": ")
        rows = floor_rows(floors) if kind == "floors" else module_rows(room)
        return match[1] + "\n".join(["", *rows, "", ""]) + match[3]

    return TABLE.sub(table, text)


def may_import() -> dict[str, set[str]]:
    """What each room may import, in the order of the floors, from the test that checks it."""
    for node in ast.parse(FLOORS.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MAY_IMPORT":
            scope: dict[str, dict[str, set[str]]] = {}
            exec(ast.unparse(node), scope)
            return scope["MAY_IMPORT"]
    sys.exit(f"{FLOORS} defines no MAY_IMPORT.")


def floor_rows(floors: dict[str, set[str]]) -> Iterator[str]:
    yield from ("| room | may import, besides itself and `errors` |", "| --- | --- |")
    for room, below in floors.items():
        allowed = ", ".join(f"`{each}`" for each in floors if each in below)
        yield f"| [`{room}`](#{room}) | {allowed or 'nothing'} |"


def module_rows(room: str) -> Iterator[str]:
    """A row for each module of a room, with the first paragraph of its docstring."""
    yield from ("| module | responsibility |", "| --- | --- |")
    folder = ROOT / (
        "noisewatch" if room == "noisewatch" else "training" if room == "training" else f"noisewatch/{room}"
    )
    paths = folder.glob("*.py") if room == "noisewatch" else folder.rglob("*.py")
    for path in sorted(paths, key=lambda path: (len(path.relative_to(folder).parts), path)):
        paragraph = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")[0]
        if path.name != "__init__.py":
            name = path.relative_to(folder).with_suffix("").as_posix()
            yield f"| `{name}` | {' '.join(paragraph.split())} |".replace("*", "\\*")


def main() -> None:
    """Write the page, or compare it with the committed one."""
    before = PAGE.read_text(encoding="utf-8")
    after = filled(before)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(after, encoding="utf-8")
    elif after != before:
        sys.exit(f"{PAGE} is stale. Regenerate its tables with: python tools/make_module_tables.py")


if __name__ == "__main__":
    main()
