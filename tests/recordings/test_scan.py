"""The command on a folder as people have them: odd names, damaged files, other formats."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO, lines, reports

import noisewatch
from noisewatch.ui.wording import clock


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings with odd names, and files that are damaged, empty or not audio."""
    root = tmp_path_factory.mktemp("takes")
    samples, rate = sf.read(DEMO, dtype="float32")
    (root / "sub").mkdir()
    sf.write(root / 'a "quoted", comma.wav', samples, rate)
    sf.write(root / "two\nlines.flac", samples[: 6 * rate], rate)
    sf.write(root / "sub" / "stereo.ogg", np.stack([samples, samples], 1)[: 8 * rate], rate)
    sf.write(root / "silent.wav", np.zeros(5 * rate), rate)
    (root / "empty.wav").touch()
    (root / "text.mp3").write_text("no music " * 50)
    (root / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    (root / "notes.txt").write_text("not a recording")
    (root / "cut.wav").write_bytes((root / 'a "quoted", comma.wav').read_bytes()[:300_000])
    if os.name == "posix":
        sf.write(os.fsencode(root / "caf") + b"\xe9.wav", samples[: 5 * rate], rate)
        (root / "sub" / "loop").symlink_to("..")
        (root / "gone.wav").symlink_to("nowhere")
        os.mkfifo(root / "pipe.wav")
    return root


@pytest.fixture(scope="module")
def scanned(run, folder: Path) -> subprocess.CompletedProcess[str]:
    return run("scan", folder, "--format", "jsonl", cwd=folder)


def test_a_folder_with_everything_in_it(scanned):
    done = scanned
    assert done.returncode == 0, done.stderr
    found = reports(done.stdout)
    whole = found['a "quoted", comma.wav']
    assert whole["seconds"] == pytest.approx(27.245)
    assert whole["noisy"] == pytest.approx(10 / 27.245, abs=0.05)  # the demo's noise is audible for 10 s
    assert whole["unknown"] == 0
    assert whole["snr_min_db"] < whole["snr_median_db"] < 42
    assert whole["worst_noise"] > 0.99
    (noise,) = whole["segments"]
    assert noise["end"] == pytest.approx(21.0, abs=0.6)  # where the demo's noise ends
    assert 6.8 < noise["start"] < 12.1  # it rises from nothing at 6.8 s
    assert found["two\nlines.flac"]["noisy"] == 0
    assert found["stereo.ogg"]["segments"] == []
    assert found["silent.wav"]["noisy"] is None
    assert found["silent.wav"]["unknown"] == 1
    assert found["silent.wav"]["reason"] == "digital_silence"
    assert "silent.wav could not be judged. The recording is digital silence" in done.stderr
    for name, why in {"empty.wav": "0 bytes", "text.mp3": "as audio", "film.mp4": "ffmpeg", "cut.wav": "early",
                      "gone.wav": "No such file", "pipe.wav": "not a file"}.items():  # fmt: skip
        assert why in found[name]["error"], name
        assert name in done.stderr
    assert found["cut.wav"]["noisy"] == 0  # what was there was judged
    assert "notes.txt" not in found
    assert "\\udce9" in done.stdout


def test_a_scan_gives_the_readings_of_listen(run, folder: Path):
    text = run("listen", DEMO, "--fast", "--json", "--hop", "0.5").stdout
    readings, events = lines(text), lines(text, "event")
    (report,) = noisewatch.scan(DEMO)
    assert [s.end for s in report.segments] == [e["end"] for e in events if e["event"] == "noise_end"]
    assert [s.level_dbfs for s in report.segments] == pytest.approx([events[1]["level_dbfs"]], abs=0.06)
    assert report.worst_noise == pytest.approx(max(r["noise"] for r in readings), abs=1e-4)
    assert report.snr_min_db == pytest.approx(min(r["snr_db"] for r in readings if r["snr_db"]), abs=0.06)


def test_the_table_shows_the_worst_first_and_the_sum(run, folder: Path):
    done = run("scan", folder)
    rows = done.stdout.splitlines()
    assert 'a "quoted", comma.wav' in rows[1]
    assert "5 recordings" in rows[-1]
    assert "two?lines.flac" in done.stdout
    assert len(rows) == 1 + 5 + 1  # one line each, even for a name with a newline
    (whole,) = noisewatch.scan(folder / 'a "quoted", comma.wav')
    assert abs(whole.loudest.start - whole.worst_start) > 1
    assert clock(whole.worst_start) in rows[1].split()


def test_csv_quotes_names(run, folder: Path):
    done = run("scan", folder, "--format", "csv", text=False)
    text = done.stdout.decode(errors="surrogateescape")
    found = {Path(r["path"]).name: r for r in csv.DictReader(io.StringIO(text))}
    assert found['a "quoted", comma.wav']["segments"] == "1"
    assert found["two\nlines.flac"]["noisy"] == "0.0"
    if os.name == "posix":
        assert "caf\udce9.wav" in found


def test_labels_for_other_programs(invoke, folder: Path, tmp_path: Path):
    name = 'a "quoted", comma.wav'
    for form in ("audacity", "rttm", "textgrid"):
        done = invoke("scan", folder / name, folder / "sub", "--format", form, "-o", tmp_path)
        assert done.returncode == 0, done.stderr
    start, end, text = (tmp_path / f"{name}.noise.txt").read_text().rstrip("\n").split("\t")
    assert float(start) < float(end)
    assert text.startswith("noise ")
    fields = (tmp_path / f"{name}.noise.rttm").read_text().split()
    assert len(fields) == 10
    assert fields[:3] == ["NON-SPEECH", 'a_"quoted",_comma', "1"]
    assert fields[5:] == ["<NA>", "noise", "<NA>", "<NA>", "<NA>"]
    assert float(fields[3]) == float(start)
    assert float(fields[4]) == pytest.approx(float(end) - float(start))
    grid = (tmp_path / f"{name}.noise.TextGrid").read_text()
    assert "intervals: size = 3" in grid
    assert f"xmin = {float(start):.3f}" in grid
    assert "xmax = 27.245" in grid
    assert (tmp_path / "sub" / "stereo.ogg.noise.txt").read_text() == ""  # sub-folders are recreated below -o
    assert "intervals: size = 1" in (tmp_path / "sub" / "stereo.ogg.noise.TextGrid").read_text()


def test_two_processes_give_the_same_reports(run, folder: Path, scanned):
    two = run("scan", folder, "--format", "jsonl", "--jobs", "2")
    assert reports(two.stdout) == reports(scanned.stdout)


def test_the_channels_of_a_call_apart(run, tmp_path: Path, voice: np.ndarray, noisy_voice: np.ndarray):
    """Noise behind the voice on the left, a clean voice on the right; and a recording with one channel."""
    sf.write(tmp_path / "call.wav", np.stack([noisy_voice, voice], 1), 16_000)
    sf.write(tmp_path / "mono.wav", voice, 16_000)
    out = tmp_path / "out"
    apart = ("scan", tmp_path, "-o", out, "--channels", "apart")
    done = run(*apart, "--jobs", "2", "--max-noisy", "0.5")
    assert done.returncode == 3
    assert "1 of 3 channels is noisy" in done.stderr
    assert f"the noisiest: {tmp_path / 'call.wav'} channel 1, 100%" in done.stderr
    assert "call.wav channel 1" in done.stdout.splitlines()[1]
    assert "2 recordings, 3 channels" in done.stdout.splitlines()[-1]
    journal = out / "noisewatch.jsonl"
    made = {(Path(r["path"]).name, r["channel"]): r for r in lines(journal.read_text(), "file")}
    assert {key: r["noisy"] for key, r in made.items()} == {
        ("call.wav", 1): 1.0, ("call.wav", 2): 0.0, ("mono.wav", None): 0.0,
    }  # fmt: skip
    (alone,) = lines(run("scan", tmp_path / "call.wav", "--channel", 2, "--format", "jsonl").stdout, "file")
    assert alone == made["call.wav", 2]
    # Marked lines are reused. If the line of one channel is missing, the recording is judged again, as a whole.
    marked = {key: {**r, "noisy": 0.25} for key, r in made.items()}
    journal.write_text("".join(f"{json.dumps(r)}\n" for r in marked.values()))
    assert run(*apart, "--resume", "--format", "rttm").returncode == 0
    assert {r["noisy"] for r in lines(journal.read_text(), "file")} == {0.25}
    labels = (out / "call.wav.channel1.noise.rttm").read_text() + (out / "mono.wav.noise.rttm").read_text()
    assert labels.startswith("NON-SPEECH call 1 ")
    assert (out / "call.wav.channel2.noise.rttm").exists()
    journal.write_text("".join(f"{json.dumps(r)}\n" for key, r in marked.items() if key != ("call.wav", 2)))
    assert run(*apart, "--resume").returncode == 0
    again = {(Path(r["path"]).name, r["channel"]): r["noisy"] for r in lines(journal.read_text(), "file")}
    assert again == {("call.wav", 1): 1.0, ("call.wav", 2): 0.0, ("mono.wav", None): 0.25}
    assert len({r.channel for r in noisewatch.scan(tmp_path / "call.wav", channels="apart")}) == 2
    # The mean is another result, which takes nothing from the journal.
    run("scan", tmp_path / "call.wav", "-o", out, "--resume")
    assert {r["channel"] for r in lines(journal.read_text(), "file") if "call" in r["path"]} == {None}
    assert run("scan", tmp_path, "--channels", "apart", "--channel", 1).returncode == 2


@pytest.mark.extras
def test_a_ray_cluster_gives_the_same_reports(run, folder: Path, scanned):
    pytest.importorskip("ray", reason="the ray extra is not installed")
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    port = 6391
    start = ["start", "--head", "--num-cpus", "2", "--port", str(port), "--include-dashboard=false"]
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONWARNINGS": "ignore"}
    env = {**os.environ, **quiet}
    subprocess.run([*ray, *start], env=env, check=True, capture_output=True, timeout=120)
    try:
        there = run("scan", folder, "--format", "jsonl", "--engine", "ray", "--address", f"127.0.0.1:{port}",
                    env=quiet, timeout=180)  # fmt: skip
        assert there.returncode == 0, there.stderr
        assert reports(there.stdout) == reports(scanned.stdout)
    finally:
        subprocess.run([*ray, "stop", "--force"], env=env, check=False, capture_output=True, timeout=60)
    gone = run("scan", DEMO, "--engine", "ray", "--address", f"127.0.0.1:{port}", env=quiet)
    assert gone.returncode == 2
    assert "no Ray cluster answers" in gone.stderr
