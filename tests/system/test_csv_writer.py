"""CSV files without formulas: names of files, devices and speakers come from outside."""

from __future__ import annotations

import csv
import io
import os
from datetime import UTC, datetime
from pathlib import Path

from noisewatch.core.events import Event
from noisewatch.corpus.manifest import Row, read_manifest, write_manifest
from noisewatch.outputs.sink import SessionInfo
from noisewatch.outputs.table import Table

NAMES = ["=1+1.wav", "+1.wav", "-1.wav", "@x.wav", "\tx.wav", "\rx.wav", "a\rb.wav", "fine.wav"]


def test_a_scan(run, tmp_path: Path):
    for name in NAMES:
        (tmp_path / name).touch()
    done = run("scan", *NAMES[:2], ".", "--format", "csv", cwd=tmp_path, text=False)
    found = list(csv.DictReader(io.StringIO(done.stdout.decode(), newline="")))
    assert sorted(os.path.normpath(row["path"]) for row in found) == sorted(NAMES)
    assert {row["path"] for row in found} >= {"./=1+1.wav", "./+1.wav", "a\rb.wav"}


def test_a_table_of_noises(tmp_path: Path):
    sink = Table(tmp_path / "e.csv")
    sink.open(SessionInfo("=cmd()", True, 4.0, datetime.now(UTC)))
    sink.event(Event("noise_end", 9.0, 1.0, 1, end=8.0, snr_db=-3.5, device="=cmd()", model="@m"))
    sink.close()
    (row,) = csv.DictReader(io.StringIO((tmp_path / "e.csv").read_text()))
    assert (row["device"], row["model"], row["snr_db"]) == ("'=cmd()", "'@m", "-3.5")


def test_a_manifest(tmp_path: Path):
    rows = [Row(name, "speech", "=s", f"-{n}", 1.0, "train", "yes", None, "+l") for n, name in enumerate(NAMES)]
    for name in NAMES:
        (tmp_path / name).touch()
    write_manifest(tmp_path / "manifest.csv", rows)
    with (tmp_path / "manifest.csv").open(newline="") as file:
        for cells in csv.reader(file):
            assert not any(cell[:1] in tuple("=+-@\t\r") for cell in cells if cell)
    again = read_manifest(tmp_path)
    assert [r.path for r in again[4:6]] == [str(tmp_path / name) for name in NAMES[4:6]]
