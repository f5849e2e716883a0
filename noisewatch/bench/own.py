"""The steps of noisewatch, and the matrix product that they are held against."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from itertools import cycle

import numpy as np

from ..audio.highpass import HighPass, high_passed
from ..audio.logmel import FRAMES, MELS, FrontendConfig, LogMel
from ..audio.ring import Ring
from ..audio.signal import SAMPLE_RATE
from ..core.health import Health
from ..core.model import Model
from ..core.noise_detector import NoiseDetector
from ..core.reference import ASSUMED_DBFS
from ..core.shipped import DEFAULT, shipped_models
from ..core.traces import Traces
from ..recordings.judge import Judge
from ..recordings.scan_config import ScanConfig
from .task import DEMO, Entry, Task, clip, pieces

HOP_S = 0.1  # s between decisions, as live
HOP = round(HOP_S * SAMPLE_RATE)  # samples
SCAN_HOPS_S = (0.1, 0.5, 3.0)
MATRIX = 512  # rows and columns: its three matrices fit into the caches of one core
BIQUAD = 5  # multiply-accumulates of a second-order filter per sample


def own_entries() -> Iterator[Entry]:
    """Every step of noisewatch."""
    yield Entry("front end", _front_end)
    yield Entry("input checks", _checks)
    for name in shipped_models():
        yield Entry(f"network {name}", partial(_network, name))
    for name in shipped_models():
        yield Entry(push_name(name), partial(_push, name))
    for hop_s in SCAN_HOPS_S:
        yield Entry(f"scan {DEFAULT}, hop {hop_s:g} s", partial(_scan, hop_s))


def push_name(model: str) -> str:
    """The name of the whole path from samples to readings with a model."""
    return f"push {model}"


def matrix_product() -> Entry:
    """A product of two square matrices in single precision. It has no length; `audio_s` is 1."""
    return Entry("matrix product", _matrix_product)


def frontend_macs(config: FrontendConfig, samples: float) -> float:
    """Multiply-accumulates of high-pass and log-Mel frames: two biquads; window, FFT, power and Mel filters."""
    bins = config.n_fft // 2 + 1
    fft = 1.25 * config.n_fft * math.log2(config.n_fft)  # of 2.5 n log2 n operations on real input
    return samples * 2 * BIQUAD + samples / config.hop * (config.n_fft + fft + 2 * bins + 2 * bins)


def _front_end() -> Task:
    highpass, logmel, blocks = HighPass(), LogMel(), pieces(clip(), HOP)
    return Task(lambda: logmel.feed(highpass.feed(next(blocks))), HOP_S, frontend_macs(logmel.config, HOP))


def _checks() -> Task:
    """Everything that judges the input itself, and not the noise in it."""
    config, ring = FrontendConfig(), Ring(FRAMES, MELS)
    health, traces = Health(), Traces(config)
    audible = high_passed(clip())
    heard, filtered = pieces(clip(), HOP), pieces(audible, HOP)
    frames = pieces(LogMel().feed(audible), HOP // config.hop)

    def check() -> object:
        samples, block, new = next(heard), next(filtered), next(frames)
        ring.push(new)
        health.feed(samples, block)
        traces.feed(block, new)
        reason, level = health.reason(ASSUMED_DBFS), health.level_dbfs(HOP // config.hop)
        found = [*health.warnings(unlimited=False), *traces.warnings(ring.last(FRAMES), ASSUMED_DBFS)]
        return reason, level, found

    return Task(check, HOP_S)


def _network(name: str) -> Task:
    model = Model(name)
    frames = LogMel(model.card.frontend).feed(clip())
    starts = cycle(range(0, len(frames) - model.frames, HOP // model.card.frontend.hop))

    def window() -> object:
        start = next(starts)
        return model.judge(frames[start : start + model.frames], ASSUMED_DBFS)

    if not model.step:
        return Task(window, HOP_S, model.card.macs)
    state, reference = model.initial_state(), np.array([ASSUMED_DBFS], np.float32)

    def step() -> None:
        nonlocal state
        start = next(starts)
        _, state = model.advance(frames[None, start : start + model.step], reference, state)

    return Task(step, HOP_S, model.card.macs)


def _push(name: str) -> Task:
    detector = NoiseDetector(name)
    stream, blocks = detector.stream(hop=HOP_S), pieces(clip(), HOP)
    for _ in range(round(3 / HOP_S)):  # the first window: no decisions yet
        stream.push(next(blocks))
    card = detector.model.card
    return Task(lambda: stream.push(next(blocks)), HOP_S, frontend_macs(card.frontend, HOP) + card.macs)


def _scan(hop_s: float) -> Task:
    judge = Judge(ScanConfig(hop=hop_s))
    length_s, card = len(clip()) / SAMPLE_RATE, judge.detector.model.card
    decisions = (length_s - card.window_s) // hop_s + 1
    return Task(lambda: judge(DEMO), length_s, frontend_macs(card.frontend, len(clip())) + decisions * card.macs)


def _matrix_product() -> Task:
    left, right = np.random.default_rng(0).standard_normal((2, MATRIX, MATRIX), np.float32)
    out = np.empty_like(left)
    return Task(lambda: np.matmul(left, right, out=out), 1.0, MATRIX**3)
