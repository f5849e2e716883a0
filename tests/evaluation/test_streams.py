"""Test streams, and the figures that a model gets on them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from noisewatch.audio import levels
from noisewatch.core.events import Reading
from noisewatch.core.shipped import DEFAULT
from noisewatch.corpus.catalogue import Catalogue, Recording
from noisewatch.corpus.manifest import Row, read_manifest, write_manifest
from noisewatch.evaluation.clean_streams import LEAST_S, clean_stream, clean_voices
from noisewatch.evaluation.heard import Heard
from noisewatch.evaluation.noisy_streams import NoisyStreams, PlacedNoise
from noisewatch.evaluation.stream_figures import AlarmRate, Detections, StreamFigures, StyleAlarms
from noisewatch.evaluation.stream_metrics import detections
from noisewatch.evaluation.stream_tables import of_streams


def test_clean_streams_have_no_noise_but_the_recordings_own(catalogue: Catalogue):
    voices = clean_voices(catalogue)
    assert sum(len(v.takes) for v in voices) == len(catalogue.clean)
    for voice in voices[:2]:
        stream = clean_stream(voice, 1)
        np.testing.assert_array_equal(stream, clean_stream(voice, 1))
        (floor_db,) = {round(levels.floor_db(np.concatenate([t.samples / 32767 for t in voice.takes])), -1)}
        assert levels.floor_db(stream) == pytest.approx(floor_db, abs=8)
        assert len(stream) > sum(len(t.samples) for t in voice.takes)


def test_a_take_shorter_than_a_word_fills_a_stream(catalogue: Catalogue):
    whole = catalogue.speech[0]
    loud = int(np.abs(whole.samples).argmax())
    word = Recording(replace(whole.row, source="phone", floor_db=50.0), whole.samples[loud - 800 : loud + 900])
    (voice,) = clean_voices(Catalogue([word], catalogue.noise, []))
    stream = clean_stream(voice, 1)
    assert len(stream) >= LEAST_S * 16_000
    assert (np.abs(stream).reshape(-1, 100).max(1) > 0).all()  # no digital silence


def test_noises_lie_where_the_streams_say(catalogue: Catalogue):
    """Streams of one number differ in the level of the noise only, which shows where it is and how loud."""
    for make, snrs in ((NoisyStreams.long, [0, 5, 10, 15, 20]), (NoisyStreams.second_voice, [0, 5, 10])):
        streams = make(NoisyStreams(catalogue, 1), 0)
        assert [noise.snr_db for _, noise in streams] == snrs
        (loud, noise), (faint, _) = streams[1:3]
        difference = loud - faint
        assert levels.active_rms(difference) > 0
        frames = np.flatnonzero(levels.active_frames(levels.frame_power(difference))) * levels.FRAME / 16_000
        assert 5 <= noise.onset_s <= 6.5
        assert frames[0] == pytest.approx(noise.onset_s, abs=0.03)
        assert frames[-1] + 0.02 == pytest.approx(noise.end_s, abs=0.03)
        track = difference / (10 ** (-5 / 20) - 10 ** (-10 / 20))
        voice = loud - track * 10 ** (-5 / 20)
        assert levels.snr_db(voice, track) == pytest.approx(0, abs=0.2)
    ((_, short),) = NoisyStreams(catalogue, 1).short(0)
    assert 0.8 < short.end_s - short.onset_s <= 4
    assert 0 <= short.snr_db <= 10


def drawn(picture: str) -> Heard[PlacedNoise]:
    """A stream of one character every 0.1 s, in which noise sounds from 1.0 to 2.0 s: # is a noisy reading."""
    readings = [
        Reading(round(0.1 * n, 1), float(c == "#"), None, 1.0, -30.0, "clean", None, (), "heard")
        for n, c in enumerate(picture)
    ]
    return Heard(PlacedNoise(1.0, 2.0, 10.0, True, "typing"), 0.1 * len(picture), readings, 0.1)


def test_noises_are_called_missed_or_already_on():
    quiet = "." * 10
    prompt = drawn(quiet + "..########" + "#" * 20 + "." * 30)
    late = drawn(quiet + "." * 35 + "#" * 10 + "." * 28)
    missed = drawn(quiet + "." * 60)
    after = drawn(quiet + "." * 42 + "#" * 10 + "." * 20)  # by then, the noise has left the window
    already = drawn("......####" + "#" * 20 + "." * 40)
    found = detections([prompt, late, missed, after, already], 0.5)
    assert (found.noises, found.already_on, found.missed, found.prompt) == (5, 1, 2, 1)
    assert found.start_delays_s == (0.4, 3.7)  # three readings in a row
    assert found.end_delays_s == (2.9, 4.4)  # ten readings without
    assert found.missed_share.value == 0.5
    assert found.prompt_share.value == 0.25
    assert found.start_delay.median == pytest.approx(2.05)
    assert found.start_median_of_all_s == 3.7  # the second of four
    assert detections([prompt, missed, after], 0.5).start_median_of_all_s is None
    assert Detections.pooled([detections([each], 0.5) for each in (prompt, late, missed, after, already)]) == found


def test_time_without_a_reading_is_not_judged():
    stream = replace(drawn("." * 20), seconds=5.0)  # 2 s of readings, the first of them after 3 s
    assert stream.unjudged_seconds == pytest.approx(3)
    silent = [replace(reading, noise=None) for reading in stream.readings[:5]]
    assert replace(stream, readings=silent + stream.readings[5:]).unjudged_seconds == pytest.approx(3.5)


def test_a_source_with_most_of_the_time_stands_apart():
    rates = {"wakeword": AlarmRate.of(3, 3000, 9, 0), "phone": AlarmRate.of(4, 600, 60, 0)}
    words = StyleAlarms.of(rates)
    assert (words.all.alarms, words.all.seconds, words.dominant) == (7, 3600, "wakeword")
    assert words.others == rates["phone"]
    assert list(words.sources) == ["phone", "wakeword"]
    assert words.all.per_hour.value == 7
    alone = StyleAlarms.of({"phone": rates["phone"]})
    assert (alone.dominant, alone.others) == (None, None)
    nothing = Detections.of(0, 0, [], [])
    figures = StreamFigures(0.9, {"other": alone, "words": words}, {}, {"all": {}}, {}, nothing, {}, ())
    text = "\n".join(of_streams(figures))
    for row in ("other", "words, without wakeword", "all that is not read, without wakeword"):
        assert f"| {row} | {20 if 'all' in row else 10}.0 | {8 if 'all' in row else 4} | 24 (" in text
    assert "| words, wakeword | 50.0 | 3 | 4 (" in text
    assert text.index("| phone | other |") < text.index("| phone | words |") < text.index("| wakeword | words |")


@pytest.fixture
def poor_set(toy_set: Path, tmp_path: Path) -> Path:
    """One speaker with one take of a tenth of a second, and one noise: a click in 20 s."""
    rows = read_manifest(toy_set)
    voice = next(r for r in rows if r.kind == "speech")
    samples, _ = sf.read(voice.path, dtype="float32")
    loud = int(np.abs(samples).argmax())
    sf.write(tmp_path / "word.flac", samples[loud - 800 : loud + 1000], 16_000)
    click = np.random.default_rng(0).standard_normal(20 * 16_000) * 1e-4
    click[160_000:160_800] += 0.5
    sf.write(tmp_path / "click.flac", click, 16_000)
    write_manifest(tmp_path / "poor.csv", [
        Row(str(tmp_path / "word.flac"), "speech", "phone", "me", 0.11, "val", "no", 50.0, ""),
        Row(str(tmp_path / "click.flac"), "noise", "desk", "desk", 20.0, "val", "no", None, "", "zither"),
    ])  # fmt: skip
    return tmp_path / "poor.csv"


def test_what_cannot_be_measured_is_named(run, poor_set: Path, tmp_path: Path):
    done = run("evaluate", poor_set, "--split", "val", "--count", 10, "-o", tmp_path / "poor", timeout=120)
    assert done.returncode == 0, done.stderr
    streams = json.loads((tmp_path / "poor.json").read_text())["scorers"][DEFAULT]["streams"]
    assert list(streams["alarms"]) == ["other"]
    assert streams["alarms"]["other"]["sources"]["phone"]["seconds"] >= LEAST_S
    assert streams["delays"] == {"all": {}, "continuous": {}, "intermittent": {}}
    text = (tmp_path / "poor.md").read_text()
    for sentence in ("No noise of the split fills 5 s", "only one speaker", "for most of 1 to 4 s"):
        assert sentence in text
