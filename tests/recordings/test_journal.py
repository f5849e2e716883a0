"""Scans that resume, and the journal on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO, lines, reports

from noisewatch.recordings.file_report import FileReport
from noisewatch.recordings.journal import Journal


def test_resume_keeps_the_reports_of_other_scans(invoke, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32", frames=4 * 16_000)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        sf.write(tmp_path / name / f"{name}.wav", samples, rate)
        invoke("scan", ".", "-o", tmp_path / "out", "--resume", "--threshold", "0.66667", cwd=tmp_path / name)
    journal = tmp_path / "out" / "noisewatch.jsonl"
    assert sorted(reports(journal.read_text())) == ["a.wav", "b.wav"]
    journal.write_text(journal.read_text().replace('"noisy": 0.0', '"noisy": 0.5') + '"abc"\n')
    again = invoke("scan", "a", "b", "-o", tmp_path / "out", "--resume", "--threshold", "0.66667", cwd=tmp_path)
    assert again.stdout.count("50%") == 3


def test_a_resumed_scan_judges_only_what_is_new_or_changed(invoke, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32")
    for n in range(3):
        sf.write(tmp_path / f"{n}.wav", samples[: 5 * rate], rate)
    out = tmp_path / "out"
    assert invoke("scan", tmp_path, "-o", out, "--resume").returncode == 0
    result = out / "noisewatch.jsonl"
    assert not list(out.glob("*.part"))
    # One report is marked, another recording changes, a line is torn.
    stored = lines(result.read_text(), "file")
    stored[0]["noisy"] = 0.25
    text = "".join(json.dumps(r) + "\n" for r in stored[:2]) + json.dumps(stored[2])[:40]
    result.write_text(text)
    sf.write(tmp_path / "1.wav", samples, rate)
    again = invoke("scan", tmp_path, "-o", out, "--resume", "--format", "jsonl")
    assert again.returncode == 0
    found = reports(result.read_text())
    assert found["0.wav"]["noisy"] == 0.25
    assert found["1.wav"]["seconds"] > 27
    assert found["2.wav"]["noisy"] == 0
    # A report with another hop is not reused.
    invoke("scan", tmp_path, "-o", out, "--resume", "--hop", "1")
    assert reports(result.read_text())["0.wav"]["noisy"] == 0


def test_resume_without_a_folder_uses_the_cache(invoke, tmp_path: Path):
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    invoke("scan", DEMO, env=env)
    assert not (tmp_path / "cache").exists()  # nothing is stored without --resume or -o
    first = invoke("scan", DEMO, "--resume", "--format", "jsonl", env=env)
    journal = tmp_path / "cache" / "noisewatch" / "scan.jsonl"
    journal.write_text(journal.read_text().replace('"threshold": ', '"threshold":'))
    second = invoke("scan", DEMO, "--resume", "--format", "jsonl", env=env)
    assert first.stdout == second.stdout


def test_a_report_on_another_channel_is_not_reused(invoke, tmp_path: Path):
    samples, rate = sf.read(DEMO, dtype="float32", frames=5 * 16_000)
    noise = np.random.default_rng(0).standard_normal(len(samples)).astype(np.float32) * 0.05
    sf.write(tmp_path / "stereo.wav", np.stack([samples, samples + noise], 1), rate)
    out = tmp_path / "out"
    for channel, share in ((1, 0), (2, 1), (1, 0)):
        invoke("scan", tmp_path / "stereo.wav", "-o", out, "--resume", "--channel", channel)
        assert reports((out / "noisewatch.jsonl").read_text())["stereo.wav"]["noisy"] == share


def test_two_scans_share_a_journal(tmp_path: Path):
    """At the same time; the first ends while the second is still running."""
    for name in "abc":
        (tmp_path / name).touch()
    one, two = (Journal(tmp_path / "scan.jsonl", resume=True) for _ in "12")
    assert one.known() == two.known() == {}
    for journal, name in ((one, "a"), (two, "b")):
        journal.add(FileReport(str(tmp_path / name), noisy=0.5))
    one.finish([FileReport(str(tmp_path / "a"), noisy=0.5)])
    two.finish([FileReport(str(tmp_path / "b"), noisy=0.5)])
    assert list(reports((tmp_path / "scan.jsonl").read_text())) == ["a", "b"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "c", "scan.jsonl"]


@pytest.mark.parametrize("damage", ["[" * 100_000, "\xff\xfe", '{"type": "file", "segments": [], "warnings": [], '
                                    '"path": "x", "noisy": "0.5"}', "null"])  # fmt: skip
def test_a_damaged_journal_is_renamed(tmp_path: Path, damage: str):
    path = tmp_path / "scan.jsonl"
    path.write_text(f"{damage}\n", encoding="latin-1")
    journal = Journal(path, resume=True)
    assert journal.known() == {}
    assert journal.damaged == 1
    journal.finish([FileReport(str(DEMO), noisy=0.5)])
    assert list(reports(path.read_text())) == ["demo.flac"]
    assert (tmp_path / "scan.jsonl.damaged").read_text(encoding="latin-1") == f"{damage}\n"


def test_a_damaged_journal_does_not_stop_a_scan(invoke, tmp_path: Path):
    journal = tmp_path / "noisewatch.jsonl"
    journal.write_text("null\n")
    done = invoke("scan", DEMO, "-o", tmp_path, "--resume", "--hop", "3")
    assert done.returncode == 0, done.stderr
    assert "1 of its lines cannot be read. It is renamed to noisewatch.jsonl.damaged" in done.stderr
    assert list(reports(journal.read_text())) == ["demo.flac"]
    assert (tmp_path / "noisewatch.jsonl.damaged").read_text() == "null\n"
