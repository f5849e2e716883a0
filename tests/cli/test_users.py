"""Users and their home folders: none, nobody's, one named by ~."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import DEMO, lines

from noisewatch.core.shipped import find_model


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
def test_a_user_without_a_home():
    """What a container's `--user 12345` is: no HOME, and no entry in the list of users."""
    taken = {"HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"}
    with tempfile.TemporaryDirectory() as folder:  # other users cannot enter pytest's folders
        Path(folder).chmod(0o777)

        who = "--reuid 12345 --regid 12345 --clear-groups"
        reads = "--inh-caps +dac_read_search --ambient-caps +dac_read_search"  # Python may lie in root's home

        def nobody(*args: object, home: str | None = None):
            env = {k: v for k, v in os.environ.items() if k not in taken} | ({"HOME": home} if home else {})
            command = ["setpriv", *who.split(), *reads.split(), sys.executable, "-m", "noisewatch", *map(str, args)]
            return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)

        for home in (None, "/proc/1/root"):  # the second is closed to this user
            done = nobody("listen", "demo", "--fast", "--seconds", "4", "--log", "e.jsonl", home=home)
            assert done.returncode == 0, done.stderr
            assert nobody("config", home=home).returncode == 0
        shown = nobody("scan", DEMO, "--resume")
        assert shown.returncode == 7
        assert "no home folder" in shown.stderr
        assert "demo.flac" in shown.stdout
        assert "Traceback" not in shown.stderr
        assert not (Path(folder) / "~").exists()


@pytest.mark.parametrize("option", ["--log", "--csv", "--labels", "--keep-clips", "--model"])
def test_the_home_of_nobody(invoke, option: str):
    done = invoke("listen", *("demo", "--fast"), option, "~nosuchuser/x")
    assert done.returncode == (5 if option == "--model" else 2)
    assert "~nosuchuser/x starts with an unknown home folder" in done.stderr


def test_a_home_folder_in_the_configuration(run, tmp_path: Path):
    (tmp_path / "mine.onnx").write_bytes(find_model("tcn").read_bytes())
    (tmp_path / "c.toml").write_text('model = "~/mine.onnx"\nlog = "~/e.jsonl"\n')
    env = {"HOME": str(tmp_path), "NOISEWATCH_CONFIG": "~/c.toml"}
    done = run("listen", "demo", "--fast", "--json", env=env)
    assert done.returncode == 0, done.stderr
    assert lines((tmp_path / "e.jsonl").read_text(), "event")[0]["model"] == "tcn"
