"""The tool that moves whole sources from training to validation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from conftest import ROOT

from noisewatch.corpus.manifest import Row, read_manifest, write_manifest


def test_sources_can_be_left_out_of_training(tmp_path: Path):
    def row(kind: str, source: str, group: str, split: str) -> Row:
        return Row(f"/x/{source}-{group}.wav", kind, source, group, 1.0, split, "yes", None, "CC0")

    rows = [row("speech", "books", "a", "train"), row("speech", "books", "b", "val")]
    rows += [row("noise", s, g, split) for s in ("fans", "dogs") for g, split in (("1", "train"), ("2", "val"))]
    write_manifest(tmp_path / "all.csv", [*rows, row("noise", "street", "3", "test")])
    tool = [sys.executable, "tools/leave_out.py", str(tmp_path / "all.csv"), "-o", str(tmp_path / "left.csv")]

    def left_out(*sources: str) -> subprocess.CompletedProcess[str]:
        named = [part for s in sources for part in ("--source", s)]
        return subprocess.run([*tool, *named], capture_output=True, text=True, cwd=ROOT, check=False)

    assert left_out("dogs").returncode == 0
    left = {(r.source, r.group): r.split for r in read_manifest(tmp_path / "left.csv")}
    assert left == {("books", "a"): "train", ("books", "b"): "val", ("dogs", "1"): "val", ("dogs", "2"): "val",
                    ("fans", "1"): "train"}  # fmt: skip
    assert "leaves no noise for train" in left_out("dogs", "fans").stderr
    assert "named cats" in left_out("cats").stderr
