"""Within a room, too, imports point one way: along the list in the docstring of its package."""

import ast
import re

import pytest
from conftest import ROOT


@pytest.mark.parametrize("room", ["system", "audio", "core", "outputs", "ui"])
def test_modules_import_only_those_listed_above_them(room: str):
    folder = ROOT / "noisewatch" / room
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    assert docstring is not None
    order = re.findall(r"^(\w+)  ", docstring, re.MULTILINE)
    assert sorted(order) == sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    for number, name in enumerate(order):
        nodes = ast.walk(ast.parse((folder / f"{name}.py").read_text()))
        siblings = [n for n in nodes if isinstance(n, ast.ImportFrom) and n.level == 1]
        imported = {n.module for n in siblings if n.module} | {
            a.name for n in siblings if not n.module for a in n.names
        }
        assert imported <= set(order[:number]), f"{name} imports {imported - set(order[:number])}"
