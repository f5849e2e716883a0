"""Opening streams: options, threads, pickling."""

import copy
import pickle
import threading

import numpy as np
import pytest

import noisewatch
from noisewatch import DetectorConfig, NoiseDetector, UsageError


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
