"""Drawn timelines of one reading every 0.1 s: the readings, and below them the states, phases or events.

Readings: `n` noise 0.9, `m` between the thresholds 0.4, `.` clean 0.1, `u` cannot be judged.
States: `C` clean, `N` noisy, `?` unknown.
Phases: `p` presumed, `c` clean, `s` starting, `N` noisy, `e` ending, `L` lost, `-` undecided.
Events, below the reading that caused them: `^` noise_start, `v` noise_end, `x` input_lost, `o` input_back.
"""

import pytest

from noisewatch.core.detector import Detector, DetectorConfig, Phase
from noisewatch.errors import UsageError

NOISE = {"n": 0.9, "m": 0.4, ".": 0.1, "u": None}
STATE = {"clean": "C", "noisy": "N", "unknown": "?"}
PHASE = dict(zip(Phase, "-pcsNeL", strict=True))
EVENT = {"noise_start": "^", "noise_end": "v", "input_lost": "x", "input_back": "o"}


def play(timeline: str, hop_s: float = 0.1, moment: bool = False, **config: float):
    """moment: the letters are of the last 0.5 s, in a window that is noisy throughout."""
    detector = Detector(DetectorConfig(**config), hop_s=hop_s)
    states, events = "", []
    for i, letter in enumerate(timeline):
        window, now = (0.9, NOISE[letter]) if moment else (NOISE[letter], None)
        state, found = detector.update(3 + i * hop_s, window, "digital_silence", now=now)
        states += STATE[state]
        events += found
    return states, events, detector


@pytest.mark.parametrize(
    ("readings", "states"),
    [
        # Noise is reported after 0.3 s and is over after 1.0 s without it.
        ("....nnnnn...............", "CCCCCCNNNNNNNNNNNNCCCCCC"),
        # A click of 0.2 s is not a noise.
        ("....nn....nn......", "CCCCCCCCCCCCCCCCCC"),
        # Between the thresholds nothing changes, in neither state.
        ("mmmmmmmmmm", "CCCCCCCCCC"),
        ("nnnmmmmmmmmmmmmmmm", "NNNNNNNNNNNNNNNNNN"),
        # A breath of 0.9 s in the noise does not end it.
        ("nnnn.........nnn", "NNNNNNNNNNNNNNNN"),
        # The first reading takes effect at once, as there is no earlier verdict.
        ("n", "N"),
        (".", "C"),
        ("n......", "NCCCCCC"),
        # Unknown at once, and the earlier verdict returns after a short interruption.
        ("nnnuunnn", "NNN??NNN"),
        # After a real loss the verdict starts afresh.
        ("nnnuuuuuuuuuuuu...", "NNN????????????CCC"),
        # An unjudged reading supports no verdict: two readings of noise around a gap are not 0.3 s of noise.
        ("....nuunn.....", "CCCCC??CCCCCCC"),
        ("...uuuuuuuuuuuun", "CCC????????????N"),
        # After a noise ended (at its tenth clean reading), none begins within the cooldown of 1 s.
        ("nnn" + "." * 10 + "n" * 12, "N" * 12 + "C" * 10 + "NNN"),
    ],
)
def test_states(readings: str, states: str):
    assert play(readings)[0] == states


@pytest.mark.parametrize(
    ("readings", "states"),
    [
        # Over after 0.8 s: the readings show a pause of 1 s for less.
        ("nnn" + "." * 12, "NNN" + "N" * 7 + "C" * 5),
        ("nnn" + "." * 7 + "nnn", "N" * 13),
        # Keystrokes with pauses: after two returns within 3 s, the noise is held for 3 s.
        ("nnn...n...n" + "." * 35, "N" * 11 + "N" * 29 + "C" * 6),
        ("nnn...n" + "." * 12, "N" * 7 + "N" * 7 + "C" * 5),
        # Returns that lie further apart are not typing, nor are those of a while ago.
        ("nnn...n...n" + "n" * 32 + "." * 12, "N" * (43 + 7) + "C" * 5),
        ("nnn......n" + "n" * 30 + "......n" + "." * 12, "N" * (10 + 30 + 7 + 7) + "C" * 5),
    ],
)
def test_states_of_the_moment(readings: str, states: str):
    assert play(readings, moment=True)[0] == states


def test_a_noise_is_what_the_window_and_the_moment_both_show():
    detector = Detector(DetectorConfig(0.5))
    assert [detector.update(3 + i / 10, 0.1, now=0.9)[0] for i in range(5)] == ["clean"] * 5
    assert [detector.update(4 + i / 10, 0.9, now=0.1)[0] for i in range(5)] == ["clean"] * 5
    assert [detector.update(5 + i / 10, 0.9, now=0.9)[0] for i in range(4)] == ["clean"] * 2 + ["noisy"] * 2


@pytest.mark.parametrize(
    ("readings", "events", "phases"),
    [
        (
            "....nnnnnm..........",
            "      ^            v",
            "ccccssNNNNeeeeeeeeec",
        ),
        (  # presumed from the first reading on; the pause is too short to end it
            "nnn...n..........",
            "  ^             v",
            "ppNeeeNeeeeeeeeec",
        ),
        (  # a clean reading clears a presumption
            "nn.nm",
            "     ",
            "ppcsc",
        ),
        (  # a short interruption: a noise that was starting starts over, one that was ending is on again
            "..nnunnn...u..........",
            "       ^             v",
            "ccsscssNeeeNeeeeeeeeec",
        ),
        (  # a presumed noise waits, and is presumed afresh
            "nnunnn",
            "     ^",
            "pppppN",
        ),
        (  # a loss ends the noise
            "nnnuuuuuuuuuuu.n",
            "  ^         v o ",
            "ppNNNNNNNNNNLLcs",
        ),
        (  # no more readings can follow, so the presumed noise is reported before the loss
            "nuuuuuuuuuun",
            "          ^o",
            "ppppppppppLp",
        ),
        (  # an input that is unjudgeable from the start
            "uuuuuuuuuuu.",
            "         x o",
            "---------LLc",
        ),
    ],
)
def test_events_and_phases(readings: str, events: str, phases: str):
    """If one reading causes several events, the first is drawn."""
    detector, drawn, passed = Detector(), "", ""
    for i, letter in enumerate(readings):
        _, found = detector.update(3 + i * 0.1, NOISE[letter], "digital_silence")
        drawn += EVENT[found[0].event] if found else " "
        passed += PHASE[detector.phase]
    assert (drawn, passed) == (events, phases)


def test_without_a_cooldown_only_the_minimum_time_counts():
    readings = "nnn" + "." * 10 + "n" * 12
    assert play(readings, cooldown_s=0)[0] == "N" * 12 + "C" * 3 + "N" * 10


def test_a_single_reading_causes_an_event_only_if_there_is_no_other():
    assert play("n.....")[1] == []
    states, events, detector = play("n")
    assert (states, events) == ("N", [])
    start, end = detector.finish(3.0)
    assert (start.event, end.event) == ("noise_start", "noise_end")
    assert (end.onset, end.end, end.peak) == (0.0, 3.0, 0.9)
    assert detector.finish(3.0) == []
    for rest in ("u", "u" * 20):  # nor when what follows cannot be judged
        _, events, detector = play("nn" + rest)
        events += detector.finish(3 + len(rest) / 10)
        assert [e.event for e in events][:2] == ["noise_start", "noise_end"]
        assert events[1].onset == 0.0
    assert play("nnuun......")[1] == []
    assert play(".n")[2].finish(3.1) == []  # a clean reading contradicts it


def test_events_carry_the_whole_noise():
    _, events, _ = play("...." + "nnnmn" * 7 + "...............")
    assert [e.event for e in events] == ["noise_start", "noise_end"]
    start, end = events
    assert start.time == pytest.approx(3.6)  # decided at its third reading
    assert start.onset == pytest.approx(3.15)  # the noise lasts for 0.2 s before a reading shows it
    assert (start.id, start.peak, start.mean) == (1, 0.9, pytest.approx(0.9))
    assert end.onset == start.onset
    assert end.id == 1
    assert end.end == pytest.approx(6.9 - 2.75)  # a window shows it for 2.7 s after its end
    assert end.duration == pytest.approx(1.0)
    assert end.peak == 0.9
    assert end.mean == pytest.approx(0.8)


def test_a_noise_lasts_at_least_min_on_s():
    _, events, _ = play("....nnnmn...............")
    assert events[1].duration == pytest.approx(0.3)


def test_noise_in_the_first_reading_may_have_begun_with_its_window():
    assert play("nnnnn")[1][0].onset == 0.0
    assert play("nnn" + "u" * 20 + "n" * 10)[1][-1].onset == pytest.approx(
        5.2
    )  # but not before the unjudged readings ended


def test_events_carry_the_means_of_snr_and_level():
    detector = Detector()
    for i, (snr, level) in enumerate([(10.0, -20.0), (None, -40.0), (14.0, -20.0)]):
        _, events = detector.update(3 + 0.1 * i, 0.9, snr_db=snr, level_dbfs=level)
    assert events[0].snr_db == 12
    assert events[0].level_dbfs == pytest.approx(-21.73, abs=0.01)
    assert detector.finish(3.3)[0].snr_db == 12


def test_a_lost_input_ends_the_noise_and_is_reported_once():
    _, events, _ = play("nnn" + "u" * 20 + "...")
    assert [e.event for e in events] == ["noise_start", "noise_end", "input_lost", "input_back"]
    assert events[1].end == pytest.approx(3.3)
    assert events[2].onset == pytest.approx(3.3)
    assert events[2].time == pytest.approx(4.2)  # unknown for 1 s
    assert events[2].reason == "digital_silence"


def test_the_end_of_the_stream_ends_the_noise_once():
    *_, detector = play("nnnnn")
    (end,) = detector.finish(3.5)
    assert (end.event, end.onset, end.end) == ("noise_end", 0.0, 3.5)
    assert detector.finish(3.5) == []


def test_a_noise_that_is_on_when_judging_stops_ends_there():
    _, _, detector = play("nnnnuuuuu")
    (end,) = detector.finish(3.9)
    assert (end.event, end.end) == ("noise_end", pytest.approx(3.4))


def test_a_reading_stands_for_its_hop():
    assert play(".n.", hop_s=3.0)[0] == "CNC"


def test_the_off_threshold_lies_a_step_below_the_threshold():
    assert DetectorConfig(threshold=0.7).off == pytest.approx(0.5)
    assert DetectorConfig(threshold=0.1).off == pytest.approx(0.05)
    with pytest.raises(UsageError, match=r"1\.5.*0\.05 to 0\.99"):
        DetectorConfig(threshold=1.5)
    with pytest.raises(UsageError, match="min_on_s is -1"):
        DetectorConfig(min_on_s=-1)
    with pytest.raises(UsageError, match="min_off_s is nan"):
        DetectorConfig(min_off_s=float("nan"))
    with pytest.raises(UsageError, match="the cooldown_s is None"):
        DetectorConfig(cooldown_s=None)
