"""Manifests, and splits that share no speaker and no noise recording."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from noisewatch import InputError
from noisewatch.corpus.manifest import COLUMNS, SPLITS, check_splits, read_manifest


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
