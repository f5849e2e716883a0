"""The division of all sources into three, each left out of training in turn."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT

from noisewatch import InputError
from noisewatch.corpus.manifest import Row, read_manifest, write_manifest
from noisewatch.corpus.styles import style
from noisewatch.corpus.thirds import THIRDS, divided, left_out


def row(kind: str, source: str, group: str = "a", split: str = "train", style: str = "") -> Row:
    return Row(f"/x/{kind}/{source}-{group}{style}.wav", kind, source, group, 60.0, split, "yes", 50.0, "CC0",
               style=style)  # fmt: skip


ROWS = [
    *(row("speech", name) for name in ("alder_1", "alder_2", "birch", "cedar", "howl_commonvoice")),
    row("speech", "commonvoice_en", split="val"),
    row("speech", "birch", style="made"),
    *(row("noise", name, split=split) for name in ("fans", "dogs", "rain") for split in ("train",)),
    row("noise", "street", split="test"),
]


def test_every_source_is_left_out_once_and_whole(tmp_path: Path):
    write_manifest(tmp_path / "all.csv", ROWS)
    times: dict[str, int] = defaultdict(int)
    for third in THIRDS:
        tool = [sys.executable, "tools/leave_out.py", str(tmp_path / "all.csv"), "-o", str(tmp_path / "left.csv")]
        done = subprocess.run([*tool, "--third", str(third)], capture_output=True, text=True, cwd=ROOT, check=False)
        assert done.returncode == 0, done.stderr
        rows = read_manifest(tmp_path / "left.csv")
        held_out = {r.source for r in rows if r.split == "val"}
        assert not held_out & {r.source for r in rows if r.split == "train"}
        for source in held_out:
            times[source] += 1
        # Resynthesised voices are learned from, and nothing is measured on them.
        assert [r.split for r in rows if r.style == "made"] == ([] if "birch" in held_out else ["train"])
    assert times == dict.fromkeys({r.source for r in ROWS} - {"street"}, 1)


def test_collections_of_the_same_material_stay_together():
    third_of = divided(ROWS)
    assert third_of["alder_1"] == third_of["alder_2"]
    assert third_of["howl_commonvoice"] == third_of["commonvoice_en"]
    assert divided(ROWS[::-1]) == third_of
    assert divided([r for r in ROWS if r.style != "made"]) == third_of


def test_what_cannot_be_divided_is_a_sentence(tmp_path: Path):
    two_noises = [r for r in ROWS if r.source != "rain"]
    with pytest.raises(InputError, match=r"with third \d left out, there is no noise for val.*Add sources"):
        [left_out(two_noises, third) for third in THIRDS]
    with pytest.raises(InputError, match="oak: only resynthesised voices"):
        divided([*ROWS, row("speech", "oak", style="made")])
    tool = [sys.executable, "tools/leave_out.py", str(tmp_path), "-o", "x.csv", "--third", "1", "--source", "fans"]
    done = subprocess.run(tool, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stderr == "--source and --third exclude each other: choose one of them.\n"


def test_recordings_without_a_duration_are_divided_by_their_number():
    rows = [replace(r, seconds=0.0) for r in ROWS]
    assert set(divided(rows).values()) == set(THIRDS)
    assert left_out(rows, 1)


def test_made_voices_are_no_clean_speech_to_train_on():
    rows = [r if r.style == "made" or r.source == "cedar" else replace(r, floor_db=10.0) for r in ROWS]
    with pytest.raises(InputError, match="there is no clean speech for train"):
        left_out(rows, divided(rows)["cedar"])


def test_thirds_of_real_recordings_are_balanced(data: Path):
    rows = [r for r in read_manifest(data) if r.split != "test"]
    third_of = divided(rows)
    for what in ("read", "other", "noise"):
        mine = [r for r in rows if (style(r) if r.kind == "speech" else r.kind) == what]
        shares = [sum(r.seconds for r in mine if third_of[r.source] == third) for third in THIRDS]
        assert max(shares) < 0.4 * sum(shares), what
