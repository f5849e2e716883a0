"""Locks between processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def test_a_lock_whose_owner_ended_or_is_still_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from noisewatch.errors import OutputError
    from noisewatch.system import locks

    monkeypatch.setattr(locks, "TIMEOUT_S", 0.3)
    (tmp_path / ".x.lock").touch()  # of a process that was killed
    with locks.locked(tmp_path / "x"):
        code = (
            "import pathlib, sys; from noisewatch.system import locks; locks.TIMEOUT_S = 0.3\n"
            "with locks.locked(pathlib.Path(sys.argv[1])): pass"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path / "x"], capture_output=True, text=True, check=False
        )
        assert "OutputError: cannot write" in done.stderr
        with pytest.raises(OutputError, match="another process"), locks.locked(tmp_path / "x"):
            pass
    assert list(tmp_path.iterdir()) == []
    target = tmp_path / "elsewhere"
    (tmp_path / ".x.lock").symlink_to(target)
    with pytest.raises(OSError, match="symbolic"), locks.locked(tmp_path / "x"):
        pass
    assert not target.exists()
