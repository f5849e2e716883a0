"""Sentences that do not contradict the numbers beside them."""

from __future__ import annotations

from typing import Any, get_args

from noisewatch.core.events import Event, Reading, Reason
from noisewatch.core.summary import Summary
from noisewatch.ui.wording import REASONS, advice, clock, duration, event_line, explain, session_summary, verdict


def reading(**fields: Any) -> Reading:
    plain = {"time": 3.0, "noise": 0.1, "snr_db": None, "voice": 0.1, "level_dbfs": -60.0, "state": "clean"}
    return Reading(**{**plain, **fields})


def test_every_situation_has_its_own_sentence():
    situations = [
        reading(),
        reading(voice=0.9, snr_db=40),
        reading(voice=0.9, snr_db=11),
        reading(noise=0.8),
        reading(noise=0.8, voice=0.9, snr_db=30),
        reading(state="noisy", noise=0.1),
        reading(state="noisy", noise=0.9),
        *(reading(state="noisy", noise=0.9, voice=0.9, snr_db=snr) for snr in (18, 10, 0)),
        *(reading(state="unknown", noise=None, voice=None, reason=reason) for reason in get_args(Reason)),
    ]
    sentences = [advice(r, verdict(r, off=0.7), 0.7) for r in situations]
    assert len(set(sentences)) == len(sentences)
    for situation, sentence in zip(situations, sentences, strict=True):
        if not situation.spoken:
            assert "your voice" not in sentence
        if situation.snr_db is not None and situation.snr_db < 20:
            assert "Nothing but" not in sentence


def test_every_reason_has_a_sentence():
    assert set(REASONS) == set(get_args(Reason))
    for reason in get_args(Reason):
        assert explain(reason, live=True)
        assert explain(reason, live=False)
    assert explain(None, live=True) == ""


def test_maybe_lies_between_the_thresholds():
    shown = [verdict(reading(noise=p), off=0.7) for p in (0.1, 0.69, 0.7, 0.89, 0.95)]
    assert shown == ["clean", "clean", "maybe", "maybe", "maybe"]  # the last noise has not lasted long enough yet
    assert verdict(reading(state="noisy", noise=0.8), off=0.7) == "noisy"  # held by the hysteresis
    assert verdict(reading(state="unknown", noise=None), off=0.7) == "unknown"


def test_the_summary_of_a_session():
    totals = Summary()
    at_end = {"time": 20.0, "heard_s": 20.0, "drops": 1, "skipped": 0}
    assert session_summary(totals, **at_end) == "heard 20 s: too little for a reading (the first takes 3 s)"
    totals.add(reading(time=10.0))
    totals.add(Event("noise_start", 12.0, 12.0))
    totals.add(reading(time=20.0, state="noisy"))
    totals.add(Event("noise_end", 20.0, 12.0, end=17.0, duration=5.0))
    assert session_summary(totals, **at_end) == "heard 20 s, 25% of it noisy, 1 noise, 1 drop"
    skipped = session_summary(totals, **{**at_end, "skipped": 7})
    assert skipped.endswith("1 drop, 7 decisions skipped to keep up")


def test_times():
    assert [duration(s) for s in (11.6, 185, 7800)] == ["12 s", "3 min 5 s", "2 h 10 min"]
    assert [clock(s) for s in (12.34, 59.96, 3612.3)] == ["00:12.3", "01:00.0", "1:00:12.3"]
    event = Event("noise_end", 10.0, 1.5, end=9.0, duration=7.5)
    assert event_line(event) == "00:10.0  noise ended: 00:01.5 to 00:09.0, 7.5 s"
