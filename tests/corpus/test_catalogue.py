"""The recordings of a split in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from noisewatch import InputError
from noisewatch.corpus import channel
from noisewatch.corpus.catalogue import Catalogue, Recording
from noisewatch.corpus.config import SceneConfig
from noisewatch.corpus.manifest import Row, read_manifest
from noisewatch.corpus.scene import draw_scene


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


def test_sounds_behind_a_voice_are_drawn_by_kind(catalogue: Catalogue):
    def drawn(sounds: list[str]) -> tuple[list[str], float]:
        noises = [replace(r, row=replace(r.row, sound=s)) for r, s in zip(catalogue.noise, sounds, strict=True)]
        kinds, takes = [], 0
        known = Catalogue(catalogue.speech, noises, [])
        for n in range(300):
            scene = draw_scene(np.random.default_rng(n), known, SceneConfig())
            if scene.voice and scene.noise and scene.noise.kind == "recording":
                takes += len(scene.noise.takes)
                kinds += [noises[take.index].row.sound for take in scene.noise.takes if take.gap_s]
        return kinds, len(kinds) / takes

    count = len(catalogue.noise)
    kinds, share = drawn((["human", "typing"] * count)[:count])
    assert set(kinds) == {"human", "typing"}
    assert 0.1 < share < 0.35
    assert drawn(["machine"] * count) == ([], 0)  # kinds that are not drawn by name
    assert drawn([""] * count) == ([], 0)  # a manifest without kinds


def test_a_second_voice_is_another_speaker(catalogue: Catalogue):
    def pairs(known: Catalogue) -> list[tuple[Row, Row]]:
        scenes = [draw_scene(np.random.default_rng(n), known, SceneConfig()) for n in range(600)]
        return [
            (known.speech[s.voice.index].row, known.speech[s.noise.takes[0].index].row)
            for s in scenes
            if s.voice and s.noise and s.noise.kind == "second voice"
        ]

    two = [replace(r, row=replace(r.row, group="ab"[i % 2])) for i, r in enumerate(catalogue.speech)]
    found = pairs(Catalogue(two, catalogue.noise, []))
    assert len(found) > 10
    assert all((front.source, front.group) != (second.source, second.group) for front, second in found)
    one = Catalogue([replace(r, row=replace(r.row, group="a")) for r in two], catalogue.noise, [])
    assert pairs(one) == []
    with pytest.raises(ValueError, match="one speaker"):
        one.draw_other(np.random.default_rng(0), 0)
