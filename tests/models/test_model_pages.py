"""The cards and credits of the models, and the tools that write them."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from typer.testing import CliRunner

from noisewatch.core.model import Model
from noisewatch.core.shipped import find_model, shipped_models

MODELS = ROOT / "models"
TABLES = """\
| source | repository | evidence | T60 |
| --- | --- | --- | --- |
| esc10 | someone/esc | LICENSE: CC BY 3.0 | 0.30-0.32 |
| unused | someone/else | LICENSE: MIT | |
"""


def tool(*words: object) -> None:
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


@pytest.mark.extras
def test_a_card_is_what_the_tool_writes(tmp_path: Path):
    spec = importlib.util.spec_from_file_location("write_card", ROOT / "tools" / "write_card.py")
    assert spec is not None
    assert spec.loader is not None
    write_card = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(write_card)
    for name in shipped_models():
        page = tmp_path / f"{name}.md"
        page.write_text((MODELS / f"{name}.md").read_text())
        done = CliRunner().invoke(write_card.app, ["card", str(find_model(name)), "-o", str(page)])
        assert done.exit_code == 0, done.output
        assert page.read_text() == (MODELS / f"{name}.md").read_text()


@pytest.mark.extras
def test_a_stamp_changes_the_card_only(tmp_path: Path):
    import onnx

    model = tmp_path / "tcn.onnx"
    model.write_bytes(find_model("tcn").read_bytes())
    report = tmp_path / "report.json"
    report.write_text(
        '{"scorers": {"tcn": {"auc": {"0-20 dB": [0.5, 0.4, 0.6]}, "live": {"all": [0.7, 0.6, 0.8]}}}}'
    )
    tool("tools/write_card.py", "stamp", model, report)
    assert Model(model).card.test_metrics == {"auc_0_20_db": 0.5, "auc_live": 0.7}
    before, after = (onnx.load(path).graph.SerializeToString() for path in (find_model("tcn"), model))
    assert before == after


def test_credits_name_every_source_of_every_model():
    rows = [line.split(" | ") for line in (MODELS / "CREDITS.md").read_text().splitlines()]
    listed = {(row[0].strip("| "), row[1]) for row in rows if len(row) == 5}
    for name in shipped_models():
        assert {(s["kind"], s["source"]) for s in Model(name).card.trained_on} <= listed


def test_credits_list_copyleft_sources_apart(tmp_path: Path):
    (tmp_path / "tables.md").write_text(TABLES)
    page = tmp_path / "CREDITS.md"
    tool("tools/write_credits.py", tmp_path / "tables.md", find_model("tcn"), "-o", page)
    copyleft, _, sources = page.read_text().partition("## All sources")
    assert "| noise | esc10 | 14.9 | CC BY 3.0 (ESC-10) | someone/esc; LICENSE: CC BY 3.0 |" in sources
    assert "unused" not in sources
    found = set(re.findall(r"^\| (\w+) \|", copyleft, re.MULTILINE)) - {"source"}
    expected = {s["source"] for s in Model("tcn").card.trained_on if re.search("BY-SA|GPL|ODbL", s["licence"])}
    assert found == expected
    assert "esc10" not in found
