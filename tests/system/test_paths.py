"""Paths that a user names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from noisewatch import UsageError
from noisewatch.system.paths import exists, expand_home, read_regular_file


def test_only_regular_files_are_read(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"12345")
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for a writer
    (tmp_path / "zero").symlink_to("/dev/zero")
    assert read_regular_file(tmp_path / "file", 5) == b"12345"
    with pytest.raises(OSError, match="longer than the 4 bytes allowed"):
        read_regular_file(tmp_path / "file", 4)
    for name in ("pipe", "zero"):
        with pytest.raises(OSError, match="not a regular file"):
            read_regular_file(tmp_path / name)


def test_a_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expand_home(Path("~/x")) == tmp_path / "x"
    with pytest.raises(UsageError, match="~nosuchuser/x starts with an unknown home folder"):
        expand_home(Path("~nosuchuser/x"))
    monkeypatch.chdir(tmp_path)
    Path("~nosuchuser").mkdir()
    assert expand_home(Path("~nosuchuser")) == Path("~nosuchuser")  # a folder of that name


def test_a_path_exists(tmp_path: Path):
    assert exists(tmp_path)
    assert not exists(tmp_path / "none")
