"""Manifests, and splits that share no speaker and no noise recording."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from noisewatch import InputError
from noisewatch.corpus.manifest import COLUMNS, SPLITS, Row, check_splits, read_manifest, write_manifest
from noisewatch.corpus.styles import style


def test_a_prepared_manifest_has_the_columns_and_disjoint_splits(toy_set: Path):
    with (toy_set / "manifest.csv").open() as file:
        assert tuple(next(csv.reader(file))) == COLUMNS
    rows = read_manifest(toy_set)
    check_splits(rows)
    speakers = {split: {r.group for r in rows if r.kind == "speech" and r.split == split} for split in SPLITS}
    assert [len(speakers[s]) for s in SPLITS] == [6, 2, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,kind\na.wav,speech\n", "no column source, group"),
        ("path,kind,source,group\na.wav,music,s,g\n", "kind is 'music'"),
        ("path,kind,source,group,split\na.wav,speech,s,g,dev\n", "split is 'dev'"),
        ("path,kind,source,group,style\na.wav,speech,s,g,sung\n", "style is 'sung'; allowed: read, other"),
        ("path,kind,source,group,seconds\na.wav,speech,s,g,long\n", "could not convert"),
        ("path,kind,source,group,split\na.wav,speech,s,g,train\nb.wav,speech,s,g,test\n", "more than one split"),
        ("path,kind,source,group,split\na.wav,noise,s,g,train\na.wav,noise,t,h,test\n", "a.wav in test and train"),
        ("path,kind,source,group\n", "lists no recordings"),
    ],
)
def test_faulty_manifests_are_refused(tmp_path: Path, text: str, message: str):
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_manifest(tmp_path)


def test_kinds_of_sound_come_from_the_manifest_or_a_file_beside_it(tmp_path: Path):
    (tmp_path / "manifest.csv").write_text("path,kind,source,group\na.wav,noise,s,a\nb.wav,noise,s,b\n")
    assert [r.sound for r in read_manifest(tmp_path)] == ["", ""]
    (tmp_path / "sounds.csv").write_text("path,sound\na.wav,yodelling\n")
    assert [r.sound for r in read_manifest(tmp_path)] == ["yodelling", ""]
    write_manifest(tmp_path / "sub" / "copy.csv", read_manifest(tmp_path))
    assert [r.sound for r in read_manifest(tmp_path / "sub" / "copy.csv")] == ["yodelling", ""]
    (tmp_path / "sounds.csv").write_text("file,kind\na.wav,typing\n")
    with pytest.raises(InputError, match=r"sounds.csv has no column path, sound"):
        read_manifest(tmp_path)


def test_the_style_of_a_voice_is_known_by_its_source_unless_the_manifest_says_otherwise():
    def row(source: str, given: str = "") -> Row:
        return Row("x.wav", "speech", source, "g", 1.0, "val", "no", 50.0, "", style=given)

    assert [style(row(s)) for s in ("librispeech_tc100", "ovos_wakewords", "sdap_actors")] == [
        "read",
        "words",
        "other",
    ]
    assert style(row("librispeech_tc100", "other")) == "other"
