import ast
import copy
import itertools
import json
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from make_golden import GOLDEN, demo_readings

import noisewatch
from noisewatch import DetectorConfig, Event, InputError, NoiseDetector, Reading, UsageError
from noisewatch.core.session import Session
from noisewatch.core.summary import Summary
from noisewatch.inputs.opening import open_source
from noisewatch.ui.history import History


@pytest.fixture(scope="module")
def detector() -> NoiseDetector:
    return NoiseDetector()


def test_public_names_exist_and_complete():
    assert all(hasattr(noisewatch, name) for name in noisewatch.__all__)
    code = "import noisewatch, rlcompleter; print(rlcompleter.Completer({'n': noisewatch}).attr_matches('n.'))"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/tmp"
    ).stdout
    offered = {name.removeprefix("n.").rstrip("()") for name in ast.literal_eval(shown)}
    assert offered == {name for name in noisewatch.__all__ if not name.startswith("_")}


def test_the_demo_reads_as_it_did():
    """Any change of front end, engine or weights shows here; `python tests/make_golden.py` makes the file anew."""
    golden = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
    found = json.loads(json.dumps(demo_readings()))
    assert len(found) == len(golden)
    for now, before in zip(found, golden, strict=True):
        assert now == {k: pytest.approx(v, abs=1e-3) if isinstance(v, float) else v for k, v in before.items()}


def test_the_first_reading_comes_at_exactly_48000_samples(detector: NoiseDetector, voice: np.ndarray):
    stream = detector.stream()
    assert stream.push(voice[:47_999]) == []
    (first,) = stream.push(voice[47_999:48_000])
    assert first.time == 3.0
    assert [r.time for r in stream.push(voice[48_000:51_200])] == [3.1, 3.2]


@pytest.mark.parametrize("size", [1, 159, 1600, 5000])
def test_any_chunking_gives_the_same_readings(detector: NoiseDetector, noisy_voice: np.ndarray, size: int):
    clip = noisy_voice[: 64_000 if size > 1 else 48_400]
    whole = detector.stream(hop=0.05 if size == 1 else 0.1).push(clip)
    stream = detector.stream(hop=0.05 if size == 1 else 0.1)
    parts = [r for i in range(0, len(clip), size) for r in stream.push(clip[i : i + size])]
    assert parts == whole
    assert len(whole) >= 1


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 192_000])
def test_any_rate_is_resampled(detector: NoiseDetector, noisy_voice: np.ndarray, rate: int):
    import soxr

    stream = detector.stream()
    other = soxr.resample(noisy_voice, 16_000, rate)
    readings = [r for i in range(0, len(other), 1000) for r in stream.push(other[i : i + 1000], sample_rate=rate)]
    readings += [r for r in stream.finish() if isinstance(r, noisewatch.Reading)]
    assert readings[-1].time == pytest.approx(6.0, abs=0.1)
    # Below 8 kHz of rate the noise itself loses its upper half.
    tolerance = 0.3 if rate == 8_000 else 0.02
    assert readings[-1].noise == pytest.approx(detector.stream().push(noisy_voice)[-1].noise, abs=tolerance)


@pytest.mark.parametrize("dtype", [">i2", "<i2", ">f4", ">f8", "f2", np.longdouble])
def test_whatever_has_a_certain_full_scale_is_the_same_audio(
    detector: NoiseDetector, voice: np.ndarray, dtype: np.typing.DTypeLike
):
    pcm = np.round(voice[:48_000] * 32768).astype(np.int16)
    plain = pcm / np.float32(32768)
    samples = pcm.astype(dtype) if np.dtype(dtype).kind == "i" else plain.astype(dtype)
    (found,), (expected,) = detector.stream().push(samples), detector.stream().push(plain)
    close = 0.01 if np.dtype(dtype).itemsize == 2 and np.dtype(dtype).kind == "f" else 0  # half precision
    assert (found.noise, found.level_dbfs) == pytest.approx((expected.noise, expected.level_dbfs), abs=close)


def test_noise_is_noisy_and_a_voice_is_clean(detector: NoiseDetector, voice: np.ndarray, noisy_voice: np.ndarray):
    clean, noisy = detector.stream().push(voice)[-1], detector.stream().push(noisy_voice)[-1]
    assert clean.state == "clean"
    assert noisy.state == "noisy"
    assert noisy.snr_db is not None
    assert clean.voice is not None
    assert clean.voice > 0.5
    assert noisy.snr_db < 15


@pytest.mark.parametrize("gain_db", [-30, -12, 10])
def test_gain_does_not_change_the_verdict(detector: NoiseDetector, noisy_voice: np.ndarray, gain_db: int):
    gain = np.float32(10 ** (gain_db / 20))
    plain, scaled = (detector.stream().push(x)[-1] for x in (noisy_voice, noisy_voice * gain))
    assert scaled.state == plain.state
    assert scaled.noise == pytest.approx(plain.noise, abs=0.1)


@pytest.mark.parametrize("below_hearing", ["offset", "rumble"])
def test_what_is_below_hearing_does_not_count(detector: NoiseDetector, voice: np.ndarray, below_hearing: str):
    time = np.arange(len(voice)) / 16_000
    added = 0.07 if below_hearing == "offset" else 0.07 * np.sin(2 * np.pi * 8 * time)
    plain, moved = detector.stream(), detector.stream()
    clean, other = plain.push(voice)[-1], moved.push((voice + added).astype(np.float32))[-1]
    assert (other.state, other.level_dbfs) == ("clean", pytest.approx(clean.level_dbfs, abs=0.5))
    assert other.snr_db == pytest.approx(clean.snr_db, abs=3)
    assert moved.reference_dbfs == pytest.approx(plain.reference_dbfs, abs=0.5)


def test_digital_silence_never_reads_clean(detector: NoiseDetector, voice: np.ndarray):
    (silent,) = detector.stream().push(np.zeros(48_000, np.float32))
    assert (silent.state, silent.reason, silent.noise, silent.level_dbfs) == (
        "unknown",
        "digital_silence",
        None,
        None,
    )
    (stuck,) = detector.stream().push(np.full(48_000, 0.25, np.float32))
    assert (stuck.state, stuck.reason) == ("unknown", "dead_channel")
    rng = np.random.default_rng(0)
    dither = rng.integers(-1, 2, 48_000).astype(np.int16)  # a mute that adds its last bit
    assert detector.stream().push(dither)[0].reason == "digital_silence"
    quiet = (rng.standard_normal(48_000) * 10 ** (-80 / 20)).astype(np.float32)
    assert detector.stream().push(quiet)[0].state == "clean"
    # Muted while running: unknown half a second later, whatever the window remembers.
    stream = detector.stream()
    stream.push(voice[:64_000])
    muted = stream.push(np.zeros(48_000, np.float32))
    assert all(r.state == "unknown" for r in muted[5:])
    # And after that it takes a second of sound to judge again.
    back = stream.push(voice[:32_000])
    assert [r.state for r in back[:9]] == ["unknown"] * 9
    assert back[-1].state != "unknown"
    assert "gated" in back[-1].warnings


def test_clipping_is_marked(detector: NoiseDetector, voice: np.ndarray):
    reading = detector.stream().push(np.clip(voice[:48_000] * 30, -1, 1))[-1]
    assert "clipping" in reading.warnings
    assert detector.stream().push(voice[:48_000])[-1].warnings == ()
    for peak in (1.05, 1.3, 1.9, 3):  # float above full scale, nothing cut
        hot = voice[:48_000] * np.float32(peak / np.abs(voice[:48_000]).max())
        assert "clipping" not in detector.stream().push(hot)[-1].warnings


def test_a_short_stream_gets_one_reading_at_its_end(detector: NoiseDetector, voice: np.ndarray):
    stream = detector.stream()
    assert stream.push(voice[:20_000]) == []
    reading = stream.finish()[0]
    assert (reading.time, reading.warnings) == (1.25, ("short",))
    assert reading.noise is not None
    stream = detector.stream()
    stream.push(voice[:15_999])
    (reading,) = stream.finish()
    assert (reading.state, reading.reason) == ("unknown", "too_short")


def test_a_long_hop_leaves_nothing_unjudged_at_the_end(detector: NoiseDetector, voice: np.ndarray):
    hiss = np.random.default_rng(0).standard_normal(44_800).astype(np.float32) * 0.05
    stream = detector.stream(hop=3)
    assert [r.state for r in stream.push(voice[:48_000])] == ["clean"]
    stream.push(hiss)
    (reading, *events) = stream.finish()
    assert (reading.time, reading.state) == (5.8, "noisy")
    assert reading.level_dbfs == pytest.approx(-26, abs=0.5)  # of these 2.8 s
    assert [e.event for e in events] == ["noise_start", "noise_end"]


def test_the_reference_is_taken_from_a_clean_voice(detector: NoiseDetector, voice: np.ndarray):
    stream = detector.stream()
    quiet = voice * np.float32(0.1)
    readings = stream.push(quiet)
    assert readings[0].reference == "assumed"
    assert readings[-1].reference == "heard"
    assert stream.reference_dbfs == pytest.approx(-44, abs=4)


def test_rates_that_change_lose_no_time(detector: NoiseDetector):
    stream = detector.stream()
    for rate in (48_000, 44_100, 16_000, 8_000, 48_000, 22_050, 48_000) * 2:
        stream.push(np.zeros(rate, np.float32), sample_rate=rate)
    stream.finish()
    assert stream.time == pytest.approx(14, abs=0.001)


def test_a_pause_changes_nothing_but_says_so(detector: NoiseDetector, voice: np.ndarray, noisy_voice: np.ndarray):
    clip = np.concatenate([voice, noisy_voice])[:150_000]
    whole = detector.stream().process(clip)
    stream = detector.stream()
    parts = stream.process(clip[:100_123])
    (reading, lost), (again,) = stream.pause(), stream.pause()
    assert (reading.state, reading.reason, again) == ("unknown", "stalled", reading)
    back, *rest = stream.process(clip[100_123:])
    assert [lost.event, back.event, lost.time, back.time] == [
        "input_lost",
        "input_back",
        100_123 / 16_000,
        100_123 / 16_000,
    ]
    assert parts + rest == whole


def test_stream_time_jumps_over_what_was_lost(detector: NoiseDetector, noisy_voice: np.ndarray):
    stream = detector.stream()
    stream.push(noisy_voice[:64_000])
    _, end, lost = stream.lose("gap", 1.5)
    assert (end.event, end.end, lost.event, lost.lost_s) == ("noise_end", 4.0, "input_lost", 1.5)
    stream.lose("gap", 0.5)
    first, back = stream.process(noisy_voice[:48_000])[:2]
    assert (first.time, back.event, back.lost_s) == (9.0, "input_back", 2.0)
    assert (stream.time, stream.heard_s) == (9.0, 7.0)


def test_time_without_audio_is_not_judged(detector: NoiseDetector, noisy_voice: np.ndarray):
    """Shares are of time, not of readings: none are made while an input is lost."""
    stream, totals = detector.stream(), Summary()
    parts = [
        stream.process(noisy_voice[:80_000]),  # 5 s of noise
        stream.lose("stalled"),
        stream.lose("stalled"),
        stream.lose("gap", 4.0),
        stream.process(noisy_voice[:64_000]),  # 4 s, of which the first reading hears 3
        stream.process(np.zeros(48_000, np.float32)),  # 3 s of silence: half a second until it is not judged
        stream.lose("gap", 4.0),
    ]
    for item in [item for part in parts for item in part] + stream.finish():
        totals.add(item)
    assert stream.time == 20.0
    assert totals.unjudged(20.0) == pytest.approx((4 + 2.5 + 4) / 20, abs=0.01)
    assert totals.judged_s(20.0) == pytest.approx(9.5, abs=0.2)
    assert totals.noisy(20.0) == pytest.approx(1.0, abs=0.06)


class Dead:
    """A source that never sends anything."""

    name, sample_rate, live, pauses, drops, notes, late_s = "dead", 48_000, True, False, 0, (), 0.0

    def blocks(self):
        while True:
            yield None

    def close(self) -> None:
        pass


def test_seconds_end_an_input_that_sends_nothing(detector: NoiseDetector):
    session = Session(Dead(), detector.stream(), seconds=5)
    items = list(session)
    assert [i.event for i in items if isinstance(i, noisewatch.Event)] == ["input_lost"]
    history = History(0.1)
    for item in items:
        history.add(item)
    assert history.waited_s == 5.0
    assert [(r.reason, r.time) for r in items if isinstance(r, noisewatch.Reading)] == [("stalled", 0.0)] * 3


def test_a_lost_input_begins_a_new_window(detector: NoiseDetector, voice: np.ndarray):
    stream = detector.stream()
    stream.push(voice[:64_000])
    reading, *_, event = stream.lose("stalled")
    assert (reading.state, reading.reason, reading.time) == ("unknown", "stalled", 4.0)
    assert event.event == "input_lost"
    assert stream.push(voice[:47_999]) == []
    assert [r.time for r in stream.push(voice[47_999:48_000])] == [7.0]


def test_behind_it_skips_to_the_newest_window(detector: NoiseDetector, voice: np.ndarray):
    stream = detector.stream()
    (reading,) = [r for r in stream.process(voice, behind=True) if isinstance(r, noisewatch.Reading)]
    assert reading.time == 6.0
    assert reading.warnings[-1] == "late"
    assert stream.skipped == 30


def test_streams_share_a_model_across_threads(detector: NoiseDetector, voice: np.ndarray, noisy_voice: np.ndarray):
    alone = [detector.stream().push(x) for x in (voice, noisy_voice)]
    together: dict[int, list[noisewatch.Reading]] = {}
    threads = [
        threading.Thread(target=lambda i=i, x=x: together.update({i: detector.stream().push(x)}))
        for i, x in enumerate((voice, noisy_voice))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[0], together[1]] == alone


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (np.array([0.0, np.nan] * 8, np.float32), "not finite"),
        (np.zeros((10, 2), np.float32), r"shape \(10, 2\)"),
        (np.zeros(10, np.int64), r"int64.*astype\(np\.int16\)"),
        (np.zeros(10, ">i4"), r"the samples are >i4.*push x / 2\*\*31"),
        (np.zeros(10, np.uint8), r"uint8.*\(x - 128\.0\) / 128"),
        (np.zeros(10, np.uint16), "uint16"),
        (np.zeros(10, np.complex64), "complex64"),
        (np.zeros(10, bool), "bool"),
        ([None, 0.1], "object"),
        ([[0.1], [0.1, 0.2]], "not an array"),
        (np.full(10, 20_000.0), r"reach 2e\+04.*-1\.\.1"),
        (np.full(10, 1e300), r"reach 1e\+300.*-1\.\.1"),
    ],
)
def test_wrong_samples_are_refused(detector: NoiseDetector, samples: np.ndarray, sentence: str):
    with pytest.raises(InputError, match=sentence):
        detector.stream().push(samples)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"hop": "0.1"}, "hop is '0.1'; allowed: a number"),
        ({"hop": float("nan")}, "hop is nan"),
        ({"threshold": "high"}, "threshold is 'high'"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"threshold": 2}, "threshold is 2; allowed: 0.05 to 0.99"),
        ({"threshold": 0.6, "config": DetectorConfig(0.7)}, "threshold is 0.6 and 0.7 in the config"),
    ],
)
def test_a_stream_refuses_wrong_options_when_it_is_opened(detector: NoiseDetector, options: dict, sentence: str):
    with pytest.raises(UsageError, match=sentence):
        detector.stream(**options)


@pytest.mark.parametrize("rate", ["48000", None, float("nan"), 0, True])
def test_a_rate_is_a_number(detector: NoiseDetector, rate: object):
    with pytest.raises((UsageError, InputError), match=r"sample rate is .*; allowed: (a number|1000 to 768000)"):
        detector.stream().push(np.zeros(10, np.float32), sample_rate=rate)


def test_a_config_sets_threshold_and_times(detector: NoiseDetector, noisy_voice: np.ndarray):
    patient = detector.stream(config=DetectorConfig(threshold=0.8, min_on_s=1.5))
    assert patient.detector.config.threshold == 0.8
    begun = {}
    for name, stream in (("patient", patient), ("usual", detector.stream(threshold=0.8))):
        events = [item for item in stream.process(noisy_voice) if isinstance(item, noisewatch.Event)]
        begun[name] = events[0].time
    assert begun["patient"] == pytest.approx(begun["usual"] + 1.2)
    with pytest.raises(UsageError, match="min_on_s is -1"):
        DetectorConfig(min_on_s=-1)
    with pytest.raises(UsageError, match="min_off_s is nan"):
        DetectorConfig(min_off_s=float("nan"))
    with pytest.raises(UsageError, match="the cooldown_s is None"):
        DetectorConfig(cooldown_s=None)


@pytest.mark.parametrize("copy", [pickle.dumps, copy.deepcopy])
def test_pickling_says_what_to_do_instead(detector: NoiseDetector, copy):
    with pytest.raises(
        TypeError, match=r"cannot be pickled or copied.*load it there: NoiseDetector\('.*duo\.onnx'\)"
    ):
        copy(detector)
    with pytest.raises(TypeError, match=r"cannot be pickled or copied.*Open a stream"):
        copy(detector.stream())


@pytest.mark.parametrize("hop", [0.0, 0.015, -1, 61])
def test_a_hop_off_the_grid_is_refused(detector: NoiseDetector, hop: float):
    with pytest.raises(UsageError, match=r"multiples of 0\.01"):
        detector.stream(hop=hop)


@pytest.mark.parametrize("given", [120, 213, 215])
def test_who_stops_in_the_midst_of_a_block_gets_what_was_decided(given: int):
    """A recording comes in blocks of seconds: events of the block are not lost with the readings before them."""
    session = Session(open_source("demo", paced=False), NoiseDetector("tcn").stream())
    items = list(itertools.islice(session, given))
    items += session.interrupted()
    assert [i.event for i in items if isinstance(i, Event)] == ["noise_start", "noise_end"]
    times = [i.time for i in items if isinstance(i, Reading)]
    assert times == sorted(set(times))
