"""Lines on stdout for a slow reader."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import pytest
from conftest import largest_file, wait_for

from noisewatch.outputs.stdout import StdoutWriter


def test_a_live_input_loses_and_counts_unread_lines(monkeypatch: pytest.MonkeyPatch):
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "w", encoding="utf-8") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        out = StdoutWriter(live=True)
        for number in range(40_000):
            out.write_line(f"{number:099}")  # 4 MB
        assert out.lost > 25_000
        out.close()
        os.set_blocking(read_end, False)
        text = b""
        with contextlib.suppress(BlockingIOError):
            while len(text) < 4_000_000:
                text += os.read(read_end, 1 << 16)
        taken = text.decode().splitlines()
        assert [int(line) for line in taken] == list(range(len(taken)))
    os.close(read_end)


def test_lines_that_were_not_written_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with (tmp_path / "out").open("w") as stdout, largest_file(50_050):
        monkeypatch.setattr(sys, "stdout", stdout)
        out = StdoutWriter(live=False)
        for number in range(600):
            with contextlib.suppress(OSError):
                out.write_line(f"{number:099}")
        wait_for(lambda: out.error)
        for number in range(400):
            with contextlib.suppress(OSError):
                out.write_line(f"{number:099}")
        out.close()
    assert (len((tmp_path / "out").read_text().splitlines()), out.lost) == (501, 500)  # one of them is torn
