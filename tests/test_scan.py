"""Folders of recordings, as people have them."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO, lines, wait_for

import noisewatch
from noisewatch.ui.wording import clock


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings with names and contents that a scan has to live with."""
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
    (root / "notes.txt").write_text("not asked for")
    (root / "cut.wav").write_bytes((root / 'a "quoted", comma.wav').read_bytes()[:300_000])
    if os.name == "posix":
        sf.write(os.fsencode(root / "caf") + b"\xe9.wav", samples[: 5 * rate], rate)
        (root / "sub" / "loop").symlink_to("..")
        (root / "gone.wav").symlink_to("nowhere")
        os.mkfifo(root / "pipe.wav")
    return root


def reports(text: str) -> dict[str, dict]:
    return {Path(r["path"]).name: r for r in lines(text, "file")}


def test_a_folder_with_everything_in_it(run, folder: Path):
    done = run("scan", folder, "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    found = reports(done.stdout)
    whole = found['a "quoted", comma.wav']
    assert whole["seconds"] == pytest.approx(27.245)
    assert whole["noisy"] == pytest.approx(10 / 27.245, abs=0.05)  # as long as its noise can be heard
    assert whole["unknown"] == 0
    assert whole["snr_min_db"] < whole["snr_median_db"] < 42
    assert whole["worst_noise"] > 0.99
    (noise,) = whole["segments"]
    assert noise["end"] == pytest.approx(21.0, abs=0.6)  # where the demo's noise ends
    assert 6.8 < noise["start"] < 12  # it rises from nothing at 6.8 s
    assert found["two\nlines.flac"]["noisy"] == 0
    assert found["stereo.ogg"]["segments"] == []
    assert found["silent.wav"]["noisy"] is None
    assert found["silent.wav"]["unknown"] == 1
    assert found["silent.wav"]["reason"] == "digital_silence"
    assert "silent.wav could not be judged. The recording is digital silence" in done.stderr
    for name, why in {"empty.wav": "0 bytes", "text.mp3": "no audio", "film.mp4": "ffmpeg", "cut.wav": "early",
                      "gone.wav": "No such file", "pipe.wav": "no file"}.items():  # fmt: skip
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
    assert len(rows) == 1 + 5 + 1  # a line each, whatever their names
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


def test_labels_for_other_programs(run, folder: Path, tmp_path: Path):
    for form in ("audacity", "rttm", "textgrid"):
        assert run("scan", folder, "--format", form, "-o", tmp_path).returncode == 0
    name = 'a "quoted", comma.wav'
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
    assert (tmp_path / "sub" / "stereo.ogg.noise.txt").read_text() == ""  # the folders of the recordings, below -o
    assert "intervals: size = 1" in (tmp_path / "sub" / "stereo.ogg.noise.TextGrid").read_text()


def test_labels_beside_the_recordings(run, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32")
    sf.write(tmp_path / "take.flac", samples, rate)
    run("scan", tmp_path / "take.flac", "--format", "audacity")
    assert "noise" in (tmp_path / "take.flac.noise.txt").read_text()


def test_a_gate_with_exit_codes(run, folder: Path):
    assert run("scan", DEMO, "--max-noisy", "0.6").returncode == 0
    done = run("scan", folder, "--max-noisy", "0.2")
    assert done.returncode == 3
    assert "1 of " in done.stderr
    assert run("scan", folder, "--strict").returncode == 6
    assert run("scan", folder / "cut.wav").returncode == 0  # some of it was judged, and the rest was said
    assert run("scan", folder / "silent.wav").returncode == 6
    done = run("scan", "nothing*.wav", folder / "nowhere.wav", folder.parent / "no folder")
    assert done.returncode == 6
    assert "nothing is called 'nothing*.wav'" in done.stderr
    assert run("scan", DEMO, "--max-noisy", "20").returncode == 2
    assert run("scan", DEMO, "--hop", "0.123").returncode == 2


def test_one_file_that_does_not_fit_ends_nothing(run, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32", frames=5 * 16_000)
    noise = np.random.default_rng(0).standard_normal(len(samples)).astype(np.float32) * 0.05
    sf.write(tmp_path / "stereo.wav", np.stack([samples, samples + noise], 1), rate)
    sf.write(tmp_path / "mono.wav", samples, rate)
    (tmp_path / "take.raw").write_bytes(b"x" * 1000)
    done = run("scan", tmp_path, tmp_path / "take.raw", "x" * 300, "", "--channel", "2", "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    found = reports(done.stdout)
    assert found["stereo.wav"]["noisy"] == 1
    whys = {"mono.wav": "no channel 2", "take.raw": "no header", "x" * 300: "too long", "": "nothing"}
    for name, why in whys.items():
        assert why in found[name]["error"]
    # Another channel is another scan.
    out = tmp_path / "out"
    for channel, share in ((1, 0), (2, 1), (1, 0)):
        run("scan", tmp_path / "stereo.wav", "-o", out, "--resume", "--channel", channel)
        assert reports((out / "noisewatch.jsonl").read_text())["stereo.wav"]["noisy"] == share


def test_resume_keeps_what_other_scans_found(run, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32", frames=4 * 16_000)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        sf.write(tmp_path / name / f"{name}.wav", samples, rate)
        run("scan", ".", "-o", tmp_path / "out", "--resume", "--threshold", "0.66667", cwd=tmp_path / name)
    journal = tmp_path / "out" / "noisewatch.jsonl"
    assert sorted(reports(journal.read_text())) == ["a.wav", "b.wav"]
    journal.write_text(journal.read_text().replace('"noisy": 0.0', '"noisy": 0.5') + '"abc"\n')
    again = run("scan", "a", "b", "-o", tmp_path / "out", "--resume", "--threshold", "0.66667", cwd=tmp_path)
    assert again.stdout.count("50%") == 3


def test_labels_stay_below_the_folder_that_was_named(run, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32", frames=4 * 16_000)
    for name in ("c", "b/d"):
        (tmp_path / name).mkdir(parents=True)
        sf.write(tmp_path / name / "t.wav", samples, rate)
    before = set(tmp_path.rglob("*"))
    run("scan", "../c", "d", "-o", "out", "--format", "rttm", cwd=tmp_path / "b")
    made = {p.relative_to(tmp_path).as_posix() for p in set(tmp_path.rglob("*")) - before if p.is_file()}
    assert made == {"b/out/c/t.wav.noise.rttm", "b/out/b/d/t.wav.noise.rttm", "b/out/noisewatch.jsonl"}


def test_a_folder_that_is_closed_is_said(run, tmp_path: Path):
    if os.name != "posix" or os.geteuid() == 0:
        pytest.skip("nothing is closed to root")
    (tmp_path / "closed").mkdir(mode=0)
    done = run("scan", tmp_path, DEMO, "--strict")
    assert done.returncode == 6
    assert "Permission denied" in done.stderr


def test_names_that_the_terminal_cannot_show(run, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32", frames=4 * 16_000)
    sf.write(tmp_path / "日 :bug:.wav", samples, rate)
    for form in ("table", "csv", "jsonl"):
        done = run("scan", tmp_path, "--format", form, env={"PYTHONIOENCODING": "ascii"})
        assert done.returncode == 0, done.stderr
        assert ":bug:" in done.stdout


def test_workers_end_with_their_parent(tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32")
    for n in (1, 2):
        sf.write(tmp_path / f"{n}.wav", np.tile(samples, 60), rate)
    marker = f"--marker-{os.getpid()}"
    command = [
        sys.executable,
        "-m",
        "noisewatch",
        "scan",
        tmp_path,
        "--hop",
        "0.1",
        "--jobs",
        "2",
        "--model",
        "tcn",
    ]

    def left() -> list[str]:
        found = []
        for environ in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if marker.encode() in environ.read_bytes():
                    found.append(environ.parent.name)
        return found

    with subprocess.Popen(command, env={**os.environ, "NW_MARKER": marker}, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: len(left()) >= 4)  # it, multiprocessing's tracker, two workers
        process.kill()
    wait_for(lambda: not left())


def test_an_empty_folder_is_said(run, tmp_path: Path):
    done = run("scan", tmp_path)
    assert done.returncode == 6
    assert "no recordings in the folder" in done.stderr


def test_patterns_and_names_that_look_like_them(run, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32", frames=4 * 16_000)
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("a/b/x.wav", "a/y.wav", "take [1].wav"):
        sf.write(tmp_path / name, samples, rate)
    done = run("scan", "**/*.wav", "take [1].wav", "a", "--format", "jsonl", cwd=tmp_path)
    assert sorted(r["path"] for r in lines(done.stdout, "file")) == ["a/b/x.wav", "a/y.wav", "take [1].wav"]


def test_two_processes_say_the_same(run, folder: Path):
    one = reports(run("scan", folder, "--format", "jsonl").stdout)
    two = reports(run("scan", folder, "--format", "jsonl", "--jobs", "2").stdout)
    assert one == two


def test_what_is_done_is_not_done_again(run, folder: Path, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32")
    for n in range(3):
        sf.write(tmp_path / f"{n}.wav", samples[: 5 * rate], rate)
    out = tmp_path / "out"
    assert run("scan", tmp_path, "-o", out, "--resume").returncode == 0
    result = out / "noisewatch.jsonl"
    assert not list(out.glob("*.part"))
    # One report is marked, another recording changes, a line is torn.
    kept = lines(result.read_text(), "file")
    kept[0]["noisy"] = 0.25
    text = "".join(json.dumps(r) + "\n" for r in kept[:2]) + json.dumps(kept[2])[:40]
    result.write_text(text)
    sf.write(tmp_path / "1.wav", samples, rate)
    again = run("scan", tmp_path, "-o", out, "--resume", "--format", "jsonl")
    assert again.returncode == 0
    found = reports(result.read_text())
    assert found["0.wav"]["noisy"] == 0.25
    assert found["1.wav"]["seconds"] > 27
    assert found["2.wav"]["noisy"] == 0
    # Other settings are another scan.
    run("scan", tmp_path, "-o", out, "--resume", "--hop", "1")
    assert reports(result.read_text())["0.wav"]["noisy"] == 0


def test_resume_without_a_folder_remembers_in_the_cache(run, tmp_path: Path):
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    run("scan", DEMO, env=env)
    assert not (tmp_path / "cache").exists()  # nothing is stored unless asked
    first = run("scan", DEMO, "--resume", "--format", "jsonl", env=env)
    kept = tmp_path / "cache" / "noisewatch" / "scan.jsonl"
    kept.write_text(kept.read_text().replace('"threshold": ', '"threshold":'))
    second = run("scan", DEMO, "--resume", "--format", "jsonl", env=env)
    assert first.stdout == second.stdout


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_keeps_what_is_done(folder: Path, tmp_path: Path, jobs: int):
    samples, rate = sf.read(DEMO, dtype="float32")
    sf.write(tmp_path / "0.wav", samples, rate)
    for n in (1, 2):
        sf.write(tmp_path / f"{n}.wav", np.tile(samples, 60), rate)  # half an hour
    command = [sys.executable, "-m", "noisewatch", "scan", tmp_path, "-o", tmp_path / "out", "--hop", "0.1"]
    with subprocess.Popen([*command, "--jobs", str(jobs)], stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: list((tmp_path / "out").glob("noisewatch.jsonl.*.part")))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "stopped after 1 of 3 recordings; go on with --resume" in err
    if jobs == 1:  # and where nothing is remembered, there is nothing to go on from
        bare = [*command[:5], "--hop", "0.1", "--format", "jsonl"]
        with subprocess.Popen(bare, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, lost = process.communicate(timeout=30)
        assert "stopped after 1 of 3 recordings.\n" in lost
    assert "Traceback" not in err
    (part,) = (tmp_path / "out").iterdir()
    assert list(reports(part.read_text())) == ["0.wav"]
    for n in (1, 2):
        sf.write(tmp_path / f"{n}.wav", samples[: 4 * rate], rate)
    stranger = tmp_path / "out" / "noisewatch.jsonl.stranger.part"
    stranger.symlink_to(tmp_path / "aim")
    subprocess.run([*command, "--resume"], check=True, capture_output=True)
    assert not part.exists()
    assert sorted(reports((tmp_path / "out" / "noisewatch.jsonl").read_text())) == ["0.wav", "1.wav", "2.wav"]
    assert stranger.is_symlink()
    assert not (tmp_path / "aim").exists()


def test_a_file_that_changes_while_it_is_read(tmp_path: Path):
    from noisewatch.recordings.report import Judge, Settings

    path = tmp_path / "growing.wav"
    samples, rate = sf.read(DEMO, dtype="float32")
    sf.write(path, samples, rate)
    report = Judge(Settings())(path, lambda share: os.utime(path, (1, 1)))
    assert report.error is not None
    assert "changed while it was read" in report.error


def test_a_process_that_dies_takes_only_its_own_file_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The kernel kills whoever takes too much memory; here a file does it on purpose."""
    from noisewatch.recordings import workers
    from noisewatch.recordings.report import Settings

    samples, rate = sf.read(DEMO, dtype="float32", frames=4 * 16_000)
    paths = [tmp_path / f"{n}.wav" for n in range(4)]
    for path in paths:
        sf.write(path, samples, rate)
    (tmp_path / "sitecustomize.py").write_text(
        "import os, soundfile\n"
        "opened = soundfile.SoundFile.__init__\n"
        "def init(self, file, *args, **more):\n"
        "    if os.fsencode(file).endswith(b'1.wav'): os._exit(9)\n"
        "    opened(self, file, *args, **more)\n"
        "soundfile.SoundFile.__init__ = init\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = {Path(r.path).name: r for r in workers.processes(paths, Settings(), lambda done: None, 2)}
    assert len(found) == 4
    assert found["1.wav"].error is not None
    assert "died" in found["1.wav"].error
    assert all(found[f"{n}.wav"].error is None for n in (0, 2, 3))


@pytest.mark.parametrize("form", ["table", "csv", "jsonl", "rttm"])
def test_what_cannot_be_stored_is_shown(run, form: str):
    done = run("scan", DEMO, "-o", "/proc/nowhere", "--hop", "3", "--format", form)
    assert done.returncode == 7
    assert "demo.flac" in done.stdout
    assert done.stderr.count("cannot write /proc/nowhere") in (1, 2)  # when it fails, and as the reason of the 7
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root mounts a disk to fill")
def test_a_full_disk_behind_a_scan(run, tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        with contextlib.suppress(OSError):
            (disk / "full").write_bytes(bytes(1 << 20))
        for args in (("-o", disk), ("-o", disk, "--format", "csv", "--resume")):
            done = run("scan", DEMO, *args, "--hop", "3")
            assert done.returncode == 7
            assert "demo.flac" in done.stdout
            assert "No space left on device" in done.stderr
            assert "Traceback" not in done.stderr
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_two_scans_remember_what_both_found(tmp_path: Path):
    """Into one cache at once; the first ends while the second is still at it."""
    from noisewatch.recordings.labels import Journal
    from noisewatch.recordings.report import FileReport

    for name in "abc":
        (tmp_path / name).touch()
    one, two = (Journal(tmp_path / "scan.jsonl", keep=True) for _ in "12")
    assert one.known() == two.known() == {}
    for journal, name in ((one, "a"), (two, "b")):
        journal.add(FileReport(str(tmp_path / name), noisy=0.5))
    one.finish([FileReport(str(tmp_path / "a"), noisy=0.5)])
    two.finish([FileReport(str(tmp_path / "b"), noisy=0.5)])
    assert list(reports((tmp_path / "scan.jsonl").read_text())) == ["a", "b"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "c", "scan.jsonl"]


@pytest.mark.parametrize("damage", ["[" * 100_000, "\xff\xfe", '{"type": "file", "segments": [], "warnings": [], '
                                    '"path": "x", "noisy": "0.5"}', "null"])  # fmt: skip
def test_a_damaged_journal_is_set_aside(run, tmp_path: Path, damage: str):
    journal = tmp_path / "noisewatch.jsonl"
    journal.write_text(f"{damage}\n", encoding="latin-1")
    done = run("scan", DEMO, "-o", tmp_path, "--resume", "--hop", "3")
    assert done.returncode == 0, done.stderr
    assert "1 of its lines cannot be read. It is set aside as noisewatch.jsonl.damaged" in done.stderr
    assert list(reports(journal.read_text())) == ["demo.flac"]
    assert (tmp_path / "noisewatch.jsonl.damaged").read_text(encoding="latin-1") == f"{damage}\n"


def test_writers_of_one_folder_take_none_of_the_others_for_abandoned(tmp_path: Path):
    script = f"""if True:
        import pathlib, sys
        from noisewatch import sinks
        for _ in range(100):
            sinks._swept.clear()  # as if each were a process of its own
            with sinks.atomic_write(pathlib.Path({str(tmp_path)!r}, sys.argv[1])) as file:
                file.write('x')"""
    writers = [subprocess.Popen([sys.executable, "-c", script, str(n)]) for n in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0", "1", "2", "3"]


def test_what_was_left_half_written_is_removed_unless_it_is_being_written(tmp_path: Path):
    from noisewatch.system import files as sinks

    (tmp_path / ".noisewatch.abcd1234.part").touch()  # of a process that was killed
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
        with sinks.atomic_write(tmp_path / "y") as file:
            file.write("y")
        left = sorted(p.name for p in tmp_path.glob("*.part"))
        assert len(left) == 3  # the other's, a stranger's, a link
        assert ".noisewatch.abcd1234.part" not in left
        other.communicate("")
    assert (tmp_path / "x").exists()
    assert len(list(tmp_path.glob("*.part"))) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"hop": 0}, "the hop is 0"),
        ({"threshold": "high"}, "the threshold is 'high'"),
        ({"channel": 0}, "the channel is 0"),
        ({"channel": 1.5}, "the channel is 1.5"),
        ({"channel": float("inf")}, "the channel is inf"),
        ({"channel": "2"}, "the channel is '2'"),
        ({"paths": 3}, "the paths are 3"),
        ({"paths": [DEMO, None]}, "the paths are "),
        ({"model": "nothing"}, "unknown model 'nothing'"),
    ],
)
def test_scan_refuses_bad_arguments_when_it_is_called(arguments: dict[str, object], sentence: str):
    with pytest.raises(noisewatch.NoisewatchError, match=sentence):
        noisewatch.scan(**{"paths": DEMO, **arguments})  # and nobody asks for a report


def test_a_report_is_a_row():
    (report,) = noisewatch.scan([DEMO], hop=1.0)
    row = report.row()
    assert row["segments"] == 1
    assert row["loudest_start"] == report.segments[0].start
    assert all(not isinstance(value, list | dict | tuple) for value in row.values())
    assert noisewatch.FileReport.from_json(report.json()).path == report.path
    (broken,) = noisewatch.scan("/nowhere/x.wav")
    assert not broken.judged
    assert broken.error is not None


@pytest.mark.extras
def test_a_ray_cluster_says_the_same(run, folder: Path, tmp_path_factory: pytest.TempPathFactory):
    pytest.importorskip("ray", reason="the ray extra is not installed")
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    port = 6391
    start = ["start", "--head", "--num-cpus", "2", "--port", str(port), "--include-dashboard=false"]
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONWARNINGS": "ignore"}
    env = {**os.environ, **quiet}
    subprocess.run([*ray, *start], env=env, check=True, capture_output=True, timeout=120)
    try:
        here = reports(run("scan", folder, "--format", "jsonl", cwd=folder).stdout)
        there = run("scan", folder, "--format", "jsonl", "--engine", "ray", "--address", f"127.0.0.1:{port}",
                    env=quiet, timeout=180)  # fmt: skip
        assert there.returncode == 0, there.stderr
        assert reports(there.stdout) == here
    finally:
        subprocess.run([*ray, "stop", "--force"], env=env, check=False, capture_output=True, timeout=60)
    gone = run("scan", DEMO, "--engine", "ray", "--address", f"127.0.0.1:{port}", env=quiet)
    assert gone.returncode == 2
    assert "no Ray cluster answers" in gone.stderr
