"""The recordings of a split in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from noisewatch import InputError
from noisewatch.corpus import channel
from noisewatch.corpus.catalogue import Catalogue, Recording
from noisewatch.corpus.manifest import Row, read_manifest


def test_both_classes_are_needed(toy_set: Path):
    rows = [r for r in read_manifest(toy_set) if r.kind == "speech"]
    with pytest.raises(InputError, match="has no noise"):
        Catalogue.load(rows, "train")


def test_a_missing_file_is_skipped_with_a_reason(toy_set: Path, tmp_path: Path):
    rows = read_manifest(toy_set)
    rows.append(replace(rows[0], path=str(tmp_path / "gone.flac")))
    _, skipped = Catalogue.load([replace(r, split="train") for r in rows], "train")
    assert len(skipped) == 1
    assert "gone.flac" in skipped[0]


def test_sparse_noises_are_the_intermittent_ones():
    row = Row("x.wav", "noise", "s", "g", 3.0, "train", "yes", None, "CC0")
    fan = (channel.coloured_noise(np.random.default_rng(0), -0.5) * 3000).astype(np.int16)
    knock = np.where(np.arange(48_000) % 16_000 < 3_000, fan, 0).astype(np.int16)
    noises = [Recording(row, fan), Recording(row, knock)]
    assert Catalogue([], noises, []).sparse == [1]
    assert Catalogue([], noises[:1], []).sparse == [0]  # all, if none is intermittent
