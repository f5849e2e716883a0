"""Destinations that cannot be written end the command before it listens."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import largest_file

from noisewatch import OutputError
from noisewatch.outputs.dispatch import Dispatcher
from noisewatch.outputs.registry import make_sinks
from noisewatch.outputs.sink import SessionInfo

LIVE = SessionInfo("mic", True, 4.0, datetime(2026, 1, 1, tzinfo=UTC))
FILES = ("log", "table", "labels")


def refused(option: str, path: Path) -> str:
    """The sentence with which a sink refuses a path."""
    with pytest.raises(OutputError) as caught:
        Dispatcher(make_sinks(**{option: path}), pytest.fail, LIVE)
    return str(caught.value)


@pytest.mark.parametrize("option", ["--log", "--keep-clips"])
def test_the_command_ends_before_it_listens(invoke, option: str):
    done = invoke("listen", "demo", "--fast", "--json", option, "/proc/nowhere/x")
    assert (done.returncode, done.stdout) == (7, "")
    assert "/proc/nowhere/x cannot be written: No such file or directory. Use another path." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", [*FILES, "clips"])
def test_a_folder_that_cannot_be_made(option: str):
    assert "/proc/nowhere/x cannot be written: No such file or directory" in refused(
        option, Path("/proc/nowhere/x")
    )


@pytest.mark.parametrize("option", FILES)
def test_a_named_pipe_without_a_reader(tmp_path: Path, option: str):
    os.mkfifo(tmp_path / "fifo")
    assert "fifo cannot be written: this named pipe has no reader." in refused(option, tmp_path / "fifo")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("option", FILES)
def test_a_device_that_is_full(option: str):
    assert "/dev/full cannot be written: No space left on device" in refused(option, Path("/dev/full"))


def test_a_file_size_limit(tmp_path: Path):
    with largest_file(10):
        assert "cannot be written: File too large" in refused("clips", tmp_path / "clips")
    assert [*(tmp_path / "clips").iterdir()] == []


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can mount a disk to fill")
@pytest.mark.parametrize("option", [*FILES, "clips"])
def test_a_disk_that_is_full(tmp_path: Path, option: str):
    path = tmp_path / "disk" / "x"
    path.parent.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(path.parent)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        if option != "clips":
            path.write_text("\n")  # so that no heading is needed
        with contextlib.suppress(OSError):
            (path.parent / "full").write_bytes(bytes(1 << 20))
        assert "cannot be written: No space left on device" in refused(option, path)
    finally:
        subprocess.run(["umount", str(path.parent)], check=True)
