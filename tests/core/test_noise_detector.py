"""Opening streams: options, threads, pickling."""

import copy
import pickle
import threading

import numpy as np
import pytest

import noisewatch
from noisewatch import DetectorConfig, NoiseDetector, UsageError


def test_16_streams_in_16_threads_share_a_model(
    detector: NoiseDetector, voice: np.ndarray, noisy_voice: np.ndarray
):
    """Each with samples of its own, in small blocks: the readings are those of one after the other."""
    inputs = [np.roll(voice if number % 2 else noisy_voice, 3000 * number) for number in range(16)]

    def judged(samples: np.ndarray) -> list[noisewatch.Reading]:
        stream = detector.stream()
        return [reading for start in range(0, len(samples), 700) for reading in stream.push(samples[start:][:700])]

    alone = [judged(samples) for samples in inputs]
    together: dict[int, list[noisewatch.Reading]] = {}
    begin = threading.Barrier(16)

    def run(number: int) -> None:
        begin.wait(30)
        together[number] = judged(inputs[number])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[number] for number in range(16)] == alone


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"hop": "0.1"}, "hop is '0.1'; allowed: a number"),
        ({"hop": float("nan")}, "hop is nan"),
        ({"threshold": "high"}, "threshold is 'high'"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"threshold": 2}, "threshold is 2; allowed: 0.05 to 0.99"),
        ({"threshold": 0.6, "config": DetectorConfig(0.7)}, "threshold is 0.6, but 0.7 in the config"),
    ],
)
def test_a_stream_refuses_wrong_options_when_it_is_opened(detector: NoiseDetector, options: dict, sentence: str):
    with pytest.raises(UsageError, match=sentence):
        detector.stream(**options)


def test_a_config_sets_threshold_and_times(detector: NoiseDetector, noisy_voice: np.ndarray):
    patient = detector.stream(config=DetectorConfig(threshold=0.8, min_on_s=1.5))
    assert patient.detector.config.threshold == 0.8
    begun = {}
    for name, stream in (("patient", patient), ("usual", detector.stream(threshold=0.8))):
        events = [item for item in stream.process(noisy_voice) if isinstance(item, noisewatch.Event)]
        begun[name] = events[0].time
    assert begun["patient"] == pytest.approx(begun["usual"] + 1.2)


@pytest.mark.parametrize("hop", [0.0, 0.015, -1, 61])
def test_a_hop_off_the_grid_is_refused(detector: NoiseDetector, hop: float):
    with pytest.raises(UsageError, match=r"multiples of 0\.01"):
        detector.stream(hop=hop)


@pytest.mark.parametrize("copy", [pickle.dumps, copy.deepcopy])
def test_pickling_is_refused_with_an_alternative(detector: NoiseDetector, copy):
    with pytest.raises(
        TypeError, match=r"cannot be pickled or copied.*load it there: NoiseDetector\('.*duo\.onnx'\)"
    ):
        copy(detector)
    with pytest.raises(TypeError, match=r"cannot be pickled or copied.*Open a stream"):
        copy(detector.stream())
