"""Streaming networks: any chunking gives the same, and so does the window alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import DEMO
from hypothesis import given, settings
from hypothesis import strategies as st
from model_files import CARD, toy

from noisewatch import InputError, ModelError, NoiseDetector, UsageError
from noisewatch.audio.logmel import LogMel
from noisewatch.core.events import Event, Reading
from noisewatch.core.model import Model
from noisewatch.corpus.manifest import load_audio

CLOSE = 1e-4


@pytest.fixture(scope="module")
def model() -> Model:
    return Model("stcn")


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    return load_audio(DEMO)


@pytest.fixture(scope="module")
def frames(clip: np.ndarray) -> np.ndarray:
    return LogMel().feed(clip)


def logits(outputs: list) -> np.ndarray:
    return np.array([[o.noise_logit, o.snr_db, o.voice_logit, o.now_logit, o.voice_dbfs, *o.kind] for o in outputs])


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_chunking_gives_the_same_outputs(model: Model, frames: np.ndarray, data: st.DataObject):
    whole = np.concatenate([model.lead_in(frames), frames])
    whole = whole[: len(whole) // model.step * model.step][None]
    reference = np.array([-26.0], np.float32)
    (expected,), _ = model.advance(whole, reference, model.initial_state())
    state, got, at = model.initial_state(), [], 0
    while at < whole.shape[1]:
        steps = data.draw(st.integers(1, 60))
        (some,), state = model.advance(whole[:, at : at + steps * model.step], reference, state)
        got, at = got + some, at + steps * model.step
    first = 29  # the step that completes the first window
    np.testing.assert_allclose(logits(got[first:]), logits(expected[first:]), atol=CLOSE, rtol=CLOSE)


def test_a_verdict_depends_on_its_window_alone(model: Model, frames: np.ndarray):
    whole = np.concatenate([model.lead_in(frames), frames])
    whole = whole[: len(whole) // model.step * model.step][None]
    (stream,), _ = model.advance(whole, np.array([-26.0], np.float32), model.initial_state())
    for end in range(model.frames, len(frames), 37 * model.step):
        alone = model.judge(frames[end - model.frames : end], -26.0)
        np.testing.assert_allclose(
            logits([alone]), logits([stream[(end + 2) // model.step - 1]]), atol=CLOSE, rtol=CLOSE
        )


def test_a_stream_forgets_what_left_its_window(model: Model, clip: np.ndarray):
    """Full scale noise, silence, infinity in a float: after 3 s it is as if it had never been."""
    rng = np.random.default_rng(0)
    end = clip[-6 * 16_000 :]
    before = rng.uniform(-1, 1, 2 * 16_000).astype(np.float32)
    stream, fresh = (NoiseDetector("stcn").stream(threshold=0.5) for _ in range(2))
    stream.push(before)
    later = {round(r.time - 2, 1): r for r in stream.push(end)}
    for r in fresh.push(end):
        # The high-pass of the front end remembers a little longer.
        other = later[r.time]
        if r.reference == other.reference == "assumed":
            assert other.noise == pytest.approx(r.noise, abs=2e-3)
            assert other.now == pytest.approx(r.now, abs=2e-3)


@pytest.mark.parametrize("hop", [0.1, 0.5, 3.0])
def test_blocks_of_any_length_give_the_same_readings_and_events(clip: np.ndarray, hop: float):
    rng = np.random.default_rng(1)
    detector = NoiseDetector("stcn")
    whole, split = detector.stream(hop=hop), detector.stream(hop=hop)
    expected = [*whole.process(clip), *whole.finish()]
    got, at = [], 0
    while at < len(clip):
        size = int(rng.choice([1, 160, 1600, 4001, 20_000]))
        got += split.process(clip[at : at + size])
        at += size
    got += split.finish()
    assert [type(i) for i in got] == [type(i) for i in expected]
    for a, b in zip(got, expected, strict=True):
        assert (a.time, a.json()[:40]) == (b.time, b.json()[:40])
        if isinstance(a, Reading) and isinstance(b, Reading):
            assert (a.state, a.kind) == (b.state, b.kind)
            assert a.noise == pytest.approx(b.noise, abs=1e-4)


def test_the_detector_steps_every_tenth_of_a_second_whatever_the_hop(clip: np.ndarray):
    detector = NoiseDetector("stcn")

    def events(hop: float) -> list[tuple[str, float]]:
        stream = detector.stream(hop=hop)
        items = [*stream.process(clip), *stream.finish()]
        return [(item.event, item.time) for item in items if isinstance(item, Event)]

    assert events(0.1) == events(1.0) == events(3.0) != []


def test_many_streams_in_one_call_equal_each_alone(clip: np.ndarray):
    detector = NoiseDetector("stcn")
    together, alone = ([detector.stream() for _ in range(5)] for _ in range(2))
    starts = [0, 3, 7, 11, 15]
    for step in range(25):
        blocks = [clip[(s * 16_000 + step * 4000) :][: 4000 + 40 * i] for i, s in enumerate(starts)]
        for many, stream, block in zip(detector.push_many(together, blocks), alone, blocks, strict=True):
            one = stream.push(block)
            assert [r.time for r in many] == [r.time for r in one]
            assert [r.noise for r in many] == pytest.approx([r.noise for r in one], abs=1e-4)
            assert [r.now for r in many] == pytest.approx([r.now for r in one], abs=1e-4)


def test_many_streams_of_a_windowed_model(clip: np.ndarray):
    detector = NoiseDetector("tcn")
    streams = [detector.stream(), detector.stream()]
    assert detector.push_many(streams, [clip[:64_000]] * 2) == [detector.stream().push(clip[:64_000])] * 2
    with pytest.raises(UsageError, match="2 streams and 1 blocks"):
        detector.push_many(streams, [clip])
    with pytest.raises(UsageError, match="given twice"):
        detector.push_many([streams[0]] * 2, [clip, clip])
    with pytest.raises(UsageError, match="another detector"):
        NoiseDetector("tcn").push_many(streams, [clip, clip])


def test_a_hop_that_a_network_cannot_do_is_refused():
    with pytest.raises(UsageError, match=r"the hop is 0.25 s; stcn allows multiples of 0.1 s"):
        NoiseDetector("stcn").stream(hop=0.25)


@pytest.mark.parametrize("beyond", [0, 160, 1500])
def test_a_state_that_is_not_finite_is_computed_anew_once(clip: np.ndarray, beyond: int):
    """beyond: samples after a step at which the block ends."""
    detector = NoiseDetector("stcn")
    stream, expected = detector.stream(), detector.stream().push(clip)
    readings = stream.push(clip[: 64_000 + beyond])
    stream._estimates._state[:] = np.nan
    readings += stream.push(clip[64_000 + beyond : 65_600 + beyond])
    assert readings[-1].warnings == ("restarted",)
    readings += stream.push(clip[65_600 + beyond :])
    assert [r.time for r in readings] == [r.time for r in expected]
    assert [r.noise for r in readings] == pytest.approx([r.noise for r in expected], abs=1e-4)
    stream._estimates._state[:] = np.nan
    with pytest.raises(ModelError, match=r"not finite|weights are broken"):
        stream.push(clip[:1600])


def test_a_bad_block_leaves_the_other_streams_as_they_are(clip: np.ndarray):
    detector = NoiseDetector("stcn")
    good, bad = detector.stream(), detector.stream()
    expected = detector.stream().push(clip)
    readings = good.push(clip[:64_000])
    with pytest.raises(InputError, match=r"finite|NaN"):
        detector.push_many([good, bad], [clip[64_000:80_000], np.full(16_000, np.nan)])
    readings += good.push(clip[64_000:])
    assert [r.noise for r in readings] == pytest.approx([r.noise for r in expected], abs=1e-4)


def test_a_push_that_failed_is_not_forgotten(clip: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    detector = NoiseDetector("stcn")
    stream = detector.stream()
    stream.push(clip[:64_000])
    with monkeypatch.context() as patched:
        patched.setattr(detector.model, "advance", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            stream.push(clip[64_000:80_000])
    with pytest.raises(UsageError, match="an earlier push of this stream failed"):
        stream.push(clip[64_000:80_000])
    stream.lose("gap")
    assert len(stream.push(clip[:64_000])) == 11


def test_frames_come_in_whole_steps(model: Model, frames: np.ndarray):
    with pytest.raises(UsageError, match="there are 295 frames; allowed: multiples of 10"):
        model.advance(frames[None, :295], np.array([-26.0], np.float32), model.initial_state())


def test_gaps_start_anew(clip: np.ndarray):
    detector = NoiseDetector("stcn")
    stream = detector.stream()
    stream.push(clip[:100_000])
    stream.lose("gap", 1.0)
    again = stream.push(clip[:64_000])
    assert again[0].time == pytest.approx(100_000 / 16_000 + 1 + 3)
    assert len(again) == 11


def test_a_short_recording_has_one_reading(clip: np.ndarray):
    stream = NoiseDetector("stcn").stream()
    assert stream.push(clip[:30_000]) == []
    (reading,) = stream.finish()
    assert isinstance(reading, Reading)
    assert reading.warnings == ("short",)
    assert reading.now is not None


def test_a_windowed_model_has_none_of_the_moment(tmp_path: Path, clip: np.ndarray):
    reading = NoiseDetector(toy(tmp_path / "m.onnx", replace(CARD).to_json())).stream().push(clip[:48_000])[0]
    assert (reading.now, reading.noise_dbfs, reading.voice_dbfs, reading.kind) == (None, None, None, None)
