"""Clips of a process that was killed."""

from __future__ import annotations

import re
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import soundfile as sf
from conftest import largest_file, wait_for

from noisewatch.outputs.clips import Clips
from noisewatch.outputs.sink import SessionInfo

LIVE = SessionInfo("mic", True, 4.0, datetime(2026, 1, 1, tzinfo=UTC))
PART = ".2026-01-01_000000_noise{}_1.flac.abcd1234.part"


def open_clips(folder: Path) -> None:
    """Start a session, which recovers what earlier ones left."""
    Clips(folder, 1.0).open(LIVE)


def test_the_next_session_finishes_an_abandoned_clip(early_noise: Path, tmp_path: Path):
    clips = tmp_path / "clips"
    command = [sys.executable, "-m", "noisewatch", "listen", early_noise, "--keep-clips", clips]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/tmp") as process:

        def written() -> int:
            return sum(path.stat().st_size for path in clips.glob(".*.part"))

        wait_for(lambda: written() >= 50_000)
        open_clips(clips)  # while the first session is still writing
        assert written() >= 50_000
        process.send_signal(signal.SIGKILL)
    target = tmp_path / "target"
    (clips / PART.format(1)).symlink_to(target)
    (clips / PART.format(2)).write_bytes(b"fLaC")  # nothing readable
    open_clips(clips)
    (clip,) = (path for path in clips.iterdir() if not path.is_symlink())
    assert re.fullmatch(r"20[\d_-]+_noise1_\d+\.flac", clip.name)
    assert sf.info(clip).duration > 1
    assert stat.S_IMODE(clip.stat().st_mode) == 0o600
    assert not target.exists()


def test_an_abandoned_clip_stays_until_the_disk_has_room(tmp_path: Path):
    part = tmp_path / PART.format(1)
    noise = np.random.default_rng(1).standard_normal(80_000) * 0.1
    sf.write(part, noise, 16_000, format="FLAC")
    left = part.read_bytes()
    with largest_file(len(left) // 2):
        open_clips(tmp_path)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [left]
    open_clips(tmp_path)
    (clip,) = tmp_path.iterdir()
    assert clip.name == "2026-01-01_000000_noise1_1.flac"
    assert sf.info(clip).frames == len(noise)


def test_a_kill_during_the_first_check_of_the_folder_leaves_no_clip(tmp_path: Path):
    script = (
        "import os, sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from noisewatch.outputs.clip_file import ClipFile; from noisewatch.outputs.clips import Clips\n"
        "from noisewatch.outputs.sink import SessionInfo\n"
        "ClipFile.discard = lambda clip: os._exit(9)\n"
        "Clips(Path(sys.argv[1]), 1.0).open(SessionInfo('mic', True, 4.0, datetime.now(UTC)))\n"
    )
    assert subprocess.run([sys.executable, "-c", script, tmp_path], check=False).returncode == 9
    assert len(list(tmp_path.iterdir())) == 1
    open_clips(tmp_path)
    assert list(tmp_path.iterdir()) == []
