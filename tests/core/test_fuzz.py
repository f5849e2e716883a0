"""A small, fixed part of the fuzzing; benchmarks/fuzz.py is the whole."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import ROOT


@pytest.mark.parametrize(("kind", "count"), [("models", "25"), ("recordings", "8")])
def test_damaged_files_are_refused_with_a_sentence(kind: str, count: str):
    few = ["--only", kind, "--count", count, "--commands", "0", "--jobs", "1", "--seconds", "60"]
    command = [sys.executable, ROOT / "benchmarks" / "fuzz.py", *few]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no failures" in done.stdout
