"""The sentences that commands share: verdicts, advice, reasons, notes, summaries. Errors are not among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal

from ..core.events import Event, Reading, Reason
from ..core.summary import Summary

Verdict = Literal["clean", "maybe", "noisy", "unknown"]  # the state of a reading as it is shown

AUDIBLE_SNR_DB = 20.0  # at this SNR or below noise is audible: the definition of noisy
OBVIOUS_SNR_DB = 15.0  # below it, noise is obvious to everyone
MASKING_SNR_DB = 5.0  # below it, speech becomes hard to understand
STOPPED = 0.25  # in the noisy state, a noise probability below this suggests that the noise has already stopped

# Why a reading is unknown, while the session goes on.
REASONS: dict[str, str] = {
    "digital_silence": "The input sends digital silence: it is muted, or access to it is denied.",
    "muted": "The input is muted: its level is below that of any open microphone. Unmute it, or turn it up.",
    "dead_channel": "The channel is dead: it carries a constant value. Choose another with --channel.",
    "stalled": "The input has stalled: no audio is arriving. Waiting for it to resume.",
    "disconnected": "The device is gone.",
    "gap": "Some audio was lost. A new window begins.",
    "too_short": "There is too little sound to judge.",
}

# The same after the session has ended.
_ENDED_LIVE = {
    "stalled": "The input stopped sending audio. Reconnect it, or restart the sound server.",
    "disconnected": "The device is gone. Reconnect it, or restart the sound server.",
}
_ENDED_RECORDING = {
    "digital_silence": "The recording is digital silence.",
    "muted": "It is quieter than any open microphone: it may have been muted.",
    "dead_channel": "Its channel is dead: it carries a constant value. Choose another with --channel.",
}

# What to do about a warning of readings. `clipping` is handled in `advice`; the others call for no action.
WARNINGS: dict[str, str] = {
    "gated": "There is digital silence between sounds: a noise gate or noise suppression is active. Switch it off.",
    "dc": "The input has a constant offset. It is removed here, but a cable or the sound card may be damaged.",
    "band_limited": "Nothing above 4 kHz arrives: a telephone, or a headset in its hands-free profile. Use a "
    "wired headset or the computer's built-in microphone.",
    "gain_riding": "The noise floor rises when you pause: automatic gain control. Switch it off in the sound "
    "settings.",
    "suppressed": "A noise suppressor seems to be at work: it hides noise between words, not under them. Switch it "
    "off, or judge the recording as it was before.",
    "hum": "There is mains hum. Try another cable or socket, or run the computer on battery power.",
}

# Defects of a recording that is judged in spite of them.
NOTES: dict[str, str] = {
    "unfinished": "the header of {name} was never finalised: the recorder may have crashed. All audio is judged.",
    "cancelled": "the channels of {name} cancel each other (opposite polarity), so the loudest channel is judged "
    "instead of their mean. Choose one with --channel.",
}

_STARTS = {
    "noise_start": "noise started",
    "noise_end": "noise ended",
    "input_lost": "input lost",
    "input_back": "input back",
}

_LOST = {  # why, in an event line
    "digital_silence": "digital silence",
    "muted": "the input is muted",
    "dead_channel": "a dead channel",
    "stalled": "no audio arrives",
    "disconnected": "the device is gone",
    "gap": "audio is missing",
    "too_short": "too little sound",
}

CLIPPING = "The input is clipping: turn its gain down. Clipping itself is audible as noise."
WARMING_UP = "Listening. The first verdict takes three seconds of sound."
NOISE_ALONE = "There is noise, and no one is speaking."


def verdict(reading: Reading, off: float) -> Verdict:
    """The state of a reading as it is shown; off: the detector's off threshold.

    `maybe` is a clean reading whose noise probability is at or above the off threshold. A noisy one stays noisy
    until the noise is over, even below the on threshold: that is the hysteresis.
    """
    if reading.state == "clean" and reading.evidence is not None and reading.evidence >= off:
        return "maybe"
    return reading.state


def over(reading: Reading, off: float) -> bool:
    """Whether only the window still shows a noise: it is over, and the SNR is not that of the moment."""
    evidence = reading.evidence
    return (
        reading.state == "clean"
        and reading.noise is not None
        and evidence is not None
        and evidence < off <= reading.noise
    )


def advice(reading: Reading, shown: Verdict, off: float) -> str:
    """One sentence on what a reading means for the speaker; off: the detector's off threshold."""
    if shown == "unknown":
        return REASONS.get(reading.reason or "", "The input cannot be judged.")
    if "clipping" in reading.warnings:
        return CLIPPING
    if shown == "maybe":
        where = "behind your voice" if reading.spoken else "in the room"
        return f"There may be noise {where}: too faint or too brief to be sure."
    if shown == "clean" and over(reading, off):
        return "The noise is over."
    if shown == "clean":
        return only_voice(reading.snr_db) if reading.spoken else "Quiet: there is nothing a listener would notice."
    if reading.evidence is not None and reading.evidence < STOPPED:
        return "The noise seems to have stopped. Waiting a moment to be sure."
    return behind_voice(reading.snr_db) if reading.spoken else NOISE_ALONE


def only_voice(snr_db: float | None) -> str:
    """The advice for a voice without detected noise; promises no more than the SNR supports."""
    if snr_db is None or snr_db >= AUDIBLE_SNR_DB:
        return "Nothing but your voice."
    return "No distinct noise, but the SNR is low: the noise floor may be audible."


def behind_voice(snr_db: float | None) -> str:
    """The advice for noise behind a voice, by SNR."""
    if snr_db is None or snr_db >= OBVIOUS_SNR_DB:
        return "There is noise behind your voice; attentive listeners will notice."
    if snr_db >= MASKING_SNR_DB:
        return "There is noise behind your voice, and everyone will hear it."
    return "The noise is about as loud as your voice: speech is hard to understand."


def waiting_for(name: str, reason: Reason, since: datetime) -> str:
    """What an input that sends nothing is waited for, and since when (local time)."""
    if reason == "disconnected":
        return f"{name} has been gone since {since:%H:%M:%S}. It is used again as soon as it is back."
    return f"The input has stalled: no audio has arrived since {since:%H:%M:%S}. Waiting for it to resume."


def explain(reason: str | None, *, live: bool) -> str:
    """Why an input that has ended could not be judged; empty if the reason is not known."""
    return {**REASONS, **(_ENDED_LIVE if live else _ENDED_RECORDING)}.get(reason or "", "")


def remarks(name: str, notes: Iterable[str]) -> Iterator[str]:
    """A sentence for each note on a recording of this name; warnings of readings among the notes have none."""
    return (NOTES[note].format(name=name) for note in notes if note in NOTES)


def warned(reading: Reading) -> Iterator[str]:
    """A line for each warning of a reading: its name, and what to do about it."""
    for name in reading.warnings:
        hz = f" {reading.hum_hz} Hz" if name == "hum" and reading.hum_hz else ""
        yield f"{name}{hz}" + (f": {WARNINGS[name]}" if name in WARNINGS else "")


def reading_line(reading: Reading, shown: Verdict, off: float) -> str:
    """A reading as one line of text, for output that is not a terminal; off: the detector's off threshold."""
    noise = "  -  " if reading.evidence is None else f"{reading.evidence:5.0%}"
    snr = "SNR    -   " if reading.snr_db is None or over(reading, off) else f"SNR {reading.snr_db:3.0f} dB "
    level = "level    -    " if reading.level_dbfs is None else f"level {reading.level_dbfs:3.0f} dBFS "
    warned = f" ({', '.join(reading.warnings)})" if reading.warnings else ""
    return f"{clock(reading.time)}  {shown:7}  noise {noise}  {snr} {level} {advice(reading, shown, off)}{warned}"


def event_line(event: Event) -> str:
    """An event as one line of text."""
    if event.end is not None and event.duration is not None:
        what = f"noise ended: {clock(event.onset)} to {clock(event.end)}, {event.duration:.1f} s"
        what += f", {event.kind}" if event.kind else ""
    else:
        what = f"{_STARTS[event.event]} at {clock(event.onset)}"
        if event.event == "input_lost":
            what += f": {_LOST.get(event.reason or '', event.reason)}"
    return f"{clock(event.time)}  {what}"


def session_summary(totals: Summary, *, time: float, heard_s: float, drops: int, skipped: int) -> str:
    """The line that ends a session.

    time: length of the stream, s; heard_s: the part of it that arrived; drops: interruptions; skipped: decisions.
    """
    if not totals.readings:
        heard = f"{heard_s:.1f} s" if heard_s < 10 else duration(heard_s)
        return f"heard {heard}: too little for a reading (the first takes 3 s)"
    noisy, unjudged = totals.noisy(time), totals.unjudged(time)
    parts = [f"heard {duration(heard_s)}"]
    parts.append("none of it could be judged" if noisy is None else f"{noisy:.0%} of it noisy")
    if noisy is not None and unjudged:
        parts.append(f"{unjudged:.0%} could not be judged")
    parts.append(f"{totals.noises} noise{'' if totals.noises == 1 else 's'}")
    parts.append(f"{drops} drop{'' if drops == 1 else 's'}")
    if skipped:
        parts.append(f"{skipped} decisions skipped to keep up")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """12 s, 3 min 5 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def clock(seconds: float) -> str:
    """Stream time as 00:12.3 or 1:00:12.3."""
    hours, rest = divmod(round(seconds, 1), 3600)
    text = f"{int(rest // 60):02}:{rest % 60:04.1f}"
    return f"{int(hours)}:{text}" if hours else text
