"""tools/choose_threshold.py: what each threshold costs on the validation split."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from conftest import ROOT


def chosen(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/choose_threshold.py", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=120)


def test_a_higher_threshold_calls_fewer_windows(toy_set: Path):
    done = chosen(toy_set, "--model", "tcn", "--count", 4)
    assert done.returncode == 0, done.stderr
    head, _, *rows = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert "alarms other" in head
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0] for row in cells] == ["0.5", "0.6", "0.7", "0.75", "0.8", "0.85", "0.9", "0.95"]
    at_20_db = [float(row[-1].rstrip("%")) for row in cells]
    assert at_20_db == sorted(at_20_db, reverse=True)
    assert max(at_20_db) > 0


def test_what_is_missing_is_a_sentence(toy_set: Path, tmp_path: Path):
    done = chosen(tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "there is no" in chosen(toy_set, "--model", tmp_path / "gone.onnx").stderr
