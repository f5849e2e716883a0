"""Within a room, too, imports point one way: along the list in the docstring of its package."""

import ast
import re
from pathlib import Path

import pytest
from conftest import ROOT


@pytest.mark.parametrize(
    "room",
    [
        "system",
        "audio",
        "decoding",
        "decoding/headers",
        "decoding/pieces",
        "inputs",
        "core",
        "outputs",
        "ui",
        "tasks",
        "recordings",
    ],
)
def test_modules_import_only_those_listed_above_them(room: str):
    folder = ROOT / "noisewatch" / room
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    assert docstring is not None
    order = re.findall(r"^(\w+)  ", docstring, re.MULTILINE)
    assert sorted(order) == sorted(parts_of(folder))
    for number, name in enumerate(order):
        imported = {found for path in parts_of(folder)[name] for found in siblings(path, folder)} - {name}
        assert imported <= set(order[:number]), f"{name} imports {imported - set(order[:number])}"


def parts_of(folder: Path) -> dict[str, list[Path]]:
    """The files of each module and sub-package."""
    parts = {path.stem: [path] for path in folder.glob("*.py") if path.stem != "__init__"}
    return parts | {path.parent.name: sorted(path.parent.glob("*.py")) for path in folder.glob("*/__init__.py")}


def siblings(path: Path, folder: Path) -> set[str]:
    """The parts of the folder that a file in it imports."""
    level = len(path.relative_to(folder).parts)
    nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom) and n.level == level]
    return {name for n in nodes for name in ([n.module.split(".")[0]] if n.module else [a.name for a in n.names])}
