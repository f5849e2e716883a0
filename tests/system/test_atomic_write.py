"""Files that appear under their names when complete."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from noisewatch import OutputError
from noisewatch.system.files import atomic_write


def test_writers_of_one_folder_leave_the_parts_of_the_others_alone(tmp_path: Path):
    script = f"""if True:
        import pathlib, sys
        from noisewatch.system import files
        for _ in range(100):
            files._cleaned.clear()  # as in a new process
            with files.atomic_write(pathlib.Path({str(tmp_path)!r}, sys.argv[1])) as file:
                file.write('x')"""
    writers = [subprocess.Popen([sys.executable, "-c", script, str(n)]) for n in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0", "1", "2", "3"]


def test_abandoned_parts_are_removed_and_those_in_use_are_not(tmp_path: Path):
    (tmp_path / ".noisewatch.abcd1234.part").touch()  # left by a process that was killed
    (tmp_path / ".else.abcd1234.part").touch()  # of another program
    (tmp_path / ".noisewatch.link1234.part").symlink_to(tmp_path / "aim")
    script = f"""if True:
        import pathlib, sys
        from noisewatch.system.files import atomic_write
        with atomic_write(pathlib.Path({str(tmp_path)!r}, 'x')) as file:
            print('begun', flush=True); sys.stdin.read()"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with atomic_write(tmp_path / "y") as file:
            file.write("y")
        left = sorted(p.name for p in tmp_path.glob("*.part"))
        assert len(left) == 3  # the running writer's, the other program's, the link
        assert ".noisewatch.abcd1234.part" not in left
        other.communicate("")
    assert (tmp_path / "x").exists()
    assert len(list(tmp_path.glob("*.part"))) == 2


def test_atomic_writing_leaves_nothing_behind(tmp_path: Path):
    path = tmp_path / "a" / "x.txt"
    with pytest.raises(ZeroDivisionError), atomic_write(path) as file:
        file.write(str(1 / 0))
    assert list(path.parent.iterdir()) == []
    with pytest.raises(OutputError, match="is a folder"), atomic_write(tmp_path / "a"):
        pass
