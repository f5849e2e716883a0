"""Windows made of recordings: speech and noise mixed as waveforms at a known SNR.

A `Scene` holds every drawn parameter; `render` applies it. The same scene and catalogue give the same bits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from noisewatch import levels
from noisewatch.errors import InputError
from noisewatch.frontend import high_passed

from . import augment
from .augment import SAMPLE_RATE, WINDOW, Microphone, Rng, Room, Samples
from .manifest import Row, load_audio

NOISY_DB, CLEAN_DB = 20.0, 40.0  # at or below: noisy; at or above: clean; between: nobody is wrong
SHORTEST_NOISE_S = 0.3  # noise that sounds for less is not scored
ASSUMED_DBFS = -26.0  # the reference before any voice was heard
COARSE_DBFS = -34.0  # voices below it are not coded in 8 bits
SPARSE_DB = 15.0  # a noise whose own floor lies further below it comes and goes: barks, knocks, keys


@dataclass(frozen=True)
class Recording:
    """One row of the manifest with its samples (n,) int16 at 16 kHz."""

    row: Row
    samples: NDArray[np.int16]

    @property
    def floor_db(self) -> float:
        """How far its own floor lies under the voice, dB."""
        return self.row.floor_db if self.row.floor_db is not None else 0.0


class Catalogue:
    """The recordings of one split in memory, drawn so that no source drowns the others."""

    def __init__(self, speech: Sequence[Recording], noise: Sequence[Recording], rooms: Sequence[Samples]) -> None:
        self.speech, self.noise, self.rooms = list(speech), list(noise), list(rooms)
        self.clean = [i for i, r in enumerate(self.speech) if r.floor_db >= CLEAN_DB]
        gaps_db = [levels.floor_db(r.samples.astype(np.float32) / np.float32(32767)) for r in self.noise]
        self.sparse = [i for i, gap_db in enumerate(gaps_db) if gap_db > SPARSE_DB] or list(range(len(self.noise)))
        self._draws = {
            "speech": _Draw(self.speech, range(len(self.speech))),
            "clean": _Draw(self.speech, self.clean),
            "noise": _Draw(self.noise, range(len(self.noise))),
            "sparse": _Draw(self.noise, self.sparse),
        }

    def draw(self, rng: Rng, what: str) -> int:
        """Index of a recording: `speech`, `clean` (over a floor of 40 dB or better), `noise`, `sparse`.

        Sparse are the noises that come and go, or all where none does: they are what is hard to hear.
        """
        return self._draws[what](rng)

    @classmethod
    def load(cls, rows: Sequence[Row], split: str) -> tuple[Catalogue, list[str]]:
        """Read the rows of a split. Returns the catalogue and a sentence for each file left out.

        Raises InputError when no clean speech or no noise is left: nothing could be learned.
        """
        kinds: dict[str, list[Recording]] = defaultdict(list)
        skipped = []
        for row in rows:
            if row.split != split:
                continue
            try:
                samples = load_audio(row.path)
            except InputError as error:
                skipped.append(str(error))
                continue
            if len(samples) < 1600 and row.kind != "rir":
                skipped.append(f"{row.path}: shorter than 0.1 s")
            elif np.abs(samples).max(initial=0) < 1e-4:
                skipped.append(f"{row.path}: digital silence")
            else:
                if row.kind != "rir":  # levels and SNRs are of what is heard, as in the runtime
                    samples = high_passed(samples)
                if row.kind == "speech" and row.floor_db is None:
                    row = Row(**{**row.__dict__, "floor_db": levels.floor_db(samples)})
                kinds[row.kind].append(Recording(row, np.round(samples.clip(-1, 1) * 32767).astype(np.int16)))
        rooms = [r.samples.astype(np.float32) / np.float32(32767) for r in kinds["rir"]]
        catalogue = cls(kinds["speech"], kinds["noise"], rooms)
        if not catalogue.clean or not catalogue.noise:
            what = "noise" if catalogue.clean else f"speech with a floor of {CLEAN_DB:.0f} dB or better"
            first = f" The first reason: {skipped[0]}" if skipped else ""
            raise InputError(
                f"the split {split!r} has no {what} ({len(catalogue.speech)} speech and "
                f"{len(catalogue.noise)} noise recordings could be read, {len(skipped)} were left out). "
                f"Both are needed to tell them apart.{first}"
            )
        return catalogue, skipped


class _Draw:
    """Source by the square root of its minutes, then group, then recording, each evenly."""

    def __init__(self, recordings: Sequence[Recording], indices: Sequence[int]) -> None:
        tree: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        length: dict[str, float] = defaultdict(float)
        for i in indices:
            row = recordings[i].row
            tree[row.source][row.group].append(i)
            length[row.source] += len(recordings[i].samples)
        self._tree = [list(groups.values()) for groups in tree.values()]
        weights = np.sqrt(np.array(list(length.values())))
        self._weights = weights / weights.sum() if len(weights) else weights

    def __call__(self, rng: Rng) -> int:
        groups = self._tree[rng.choice(len(self._tree), p=self._weights)]
        group = groups[rng.integers(len(groups))]
        return group[rng.integers(len(group))]


@dataclass(frozen=True)
class Take:
    """A piece of a recording, played at a speed (and so at a pitch)."""

    index: int
    speed: float = 1.0


@dataclass(frozen=True)
class Noise:
    """What sounds behind the voice."""

    kind: str  # "recording" | "babble" | "coloured" | "tones" | "impacts" | "calls"
    takes: tuple[Take, ...]  # recordings, or the voices of the babble
    gains_db: tuple[float, ...]  # of the takes
    shape: str  # "steady" | "onset" | "offset" | "events" | "gated"
    room: Room | None


@dataclass(frozen=True)
class Scene:
    """Every parameter of one window."""

    voice: Take | None
    effort_db: float  # spectral tilt of the voice alone: soft speech is dark, shouting bright
    dense: bool  # the voice without its pauses
    room: Room | None
    noise: Noise | None
    snr_db: float | None  # voice over noise; without a voice: the reference's level over the noise
    voice_dbfs: float  # active level of the voice, spoken now or before this window
    reference_dbfs: float  # what the stream believes of it
    mic: Microphone
    zeros: tuple[float, float]  # a muted stretch, as fractions of the window
    seed: int


@dataclass(frozen=True)
class Window:
    """A rendered scene and its labels."""

    samples: Samples  # (48000,) float32 at 16 kHz
    reference_dbfs: float
    noisy: float  # 0 clean .. 1 noisy
    noisy_weight: float  # 0: not scored
    snr_db: float
    snr_weight: float
    voice: float  # 1: someone speaks
    tracks_db: Samples  # (2, 150) levels of the voice and of all else every 20 ms, dB re the window's loudest tenth


def _draw_speed(rng: Rng, share: float, spread: float) -> float:
    return float(np.exp(rng.uniform(-spread, spread))) if rng.random() < share else 1.0


def draw_noise(rng: Rng, catalogue: Catalogue, with_voice: bool, roomy: bool) -> Noise:
    """A noise of any kind and shape."""
    kinds = ["recording", "babble", "coloured", "tones", "impacts", "calls"]
    kind = str(rng.choice(kinds, p=[0.65, 0.08, 0.06, 0.06, 0.07, 0.08]))
    if kind == "recording":
        count = int(rng.choice([1, 2, 3], p=[0.82, 0.14, 0.04]))
        what = ["sparse" if rng.random() < 0.35 else "noise" for _ in range(count)]
        takes = tuple(Take(catalogue.draw(rng, w), _draw_speed(rng, 0.5, 0.4)) for w in what)
    elif kind == "babble":
        # One far voice up to a crowded cafe; but one voice alone in a window is no noise.
        count = int(rng.choice([1, 2, 3, 5, 8] if with_voice else [3, 4, 5, 6, 8]))
        takes = tuple(Take(catalogue.draw(rng, "speech"), _draw_speed(rng, 0.5, 0.15)) for _ in range(count))
    else:
        takes = ()
    shapes = {
        "steady": 0.5,
        "events": 0.3,
        "onset": 0.08,
        "offset": 0.05,
        "gated": 0.07 if with_voice else 0.0,
    }
    p = np.array(list(shapes.values()))
    return Noise(
        kind=kind,
        takes=takes,
        gains_db=tuple(rng.uniform(-8, 0, len(takes)).tolist()),
        shape=str(rng.choice(list(shapes), p=p / p.sum())),
        room=augment.draw_room(rng, len(catalogue.rooms)) if roomy or kind == "babble" else None,
    )


def draw_scene(rng: Rng, catalogue: Catalogue) -> Scene:
    """What a meter meets all day: voices clean and noisy, quiet rooms, noise alone."""
    situation = str(rng.choice(["clean", "noisy", "quiet", "noise"], p=[0.30, 0.46, 0.11, 0.13]))
    with_voice = situation in ("clean", "noisy")
    roomy = bool(rng.random() < 0.35)
    noise, snr = None, None
    if situation == "noisy":
        noise = draw_noise(rng, catalogue, with_voice, roomy)
        # Most of the draw is where the verdict is decided; the rest teaches the SNR scale.
        snr = float(rng.choice([rng.uniform(-5, 8), rng.uniform(8, 21), rng.uniform(21, 45)], p=[0.27, 0.55, 0.18]))
    elif situation == "noise":
        noise = draw_noise(rng, catalogue, with_voice, roomy)
        snr = float(rng.choice([rng.uniform(-12, 20), rng.uniform(20, 40)], p=[0.87, 0.13]))
    elif rng.random() < 0.15 and situation == "quiet":
        noise, snr = draw_noise(rng, catalogue, with_voice, roomy), float(rng.uniform(40, 60))
    heard = rng.random() < (0.6 if with_voice else 0.5)
    if with_voice:
        # Gains of -30 to +20 dB around an ordinary microphone: none may change the verdict.
        voice_dbfs = float(rng.uniform(-42, -8) if rng.random() < 0.75 else rng.uniform(-66, -42))
        # Right, stale (another talker, another distance), or the assumption.
        error = rng.normal(0, 2.5) if rng.random() < 0.7 else rng.uniform(-20, 20)
        reference = voice_dbfs + float(error)
    else:
        # A silence is judged against the reference, whatever the voice would have been.
        voice_dbfs = reference = float(rng.uniform(-60, -10)) if heard else ASSUMED_DBFS
    # A voice that has to bury its own recording's floor needs a recording that has little of it.
    own_floor_matters = situation == "clean" or (snr is not None and snr > 12)
    voice = None
    if with_voice:
        index = catalogue.draw(rng, "clean" if own_floor_matters else "speech")
        voice = Take(index, _draw_speed(rng, 0.6, 0.2))
    mic = augment.draw_microphone(rng)
    if not with_voice:
        mic = replace(mic, agc_db=0.0)  # it would lift the silence to a voice's level
    if voice_dbfs < COARSE_DBFS and mic.coding in ("8bit", "mulaw"):
        mic = replace(mic, coding="int16")  # it would leave nothing but zeros
    zeros = (0.0, 0.0)
    if rng.random() < 0.03:
        start, length = rng.uniform(0, 1), rng.uniform(0.05, 0.6)
        zeros = (float(start), float(min(1.0, start + length)))
    return Scene(
        voice=voice,
        effort_db=float(rng.uniform(-6, 12)) if rng.random() < 0.5 else 0.0,
        dense=bool(rng.random() < 0.22),
        room=augment.draw_room(rng, len(catalogue.rooms)) if roomy and with_voice else None,
        noise=noise,
        snr_db=snr,
        voice_dbfs=voice_dbfs,
        reference_dbfs=reference if heard else ASSUMED_DBFS,
        mic=mic,
        zeros=zeros,
        seed=int(rng.integers(2**31)),
    )


def tracks(scene: Scene, catalogue: Catalogue) -> tuple[Samples, Samples, Samples]:
    """The voice, the noise and the microphone's own floor of a scene, each (48000,), at their levels."""
    rng = np.random.default_rng(scene.seed)
    mic, curve = scene.mic, augment.microphone_curve(scene.mic)
    voice = noise = np.zeros(WINDOW, np.float32)
    if scene.voice is not None:
        voice = voice_track(catalogue.speech[scene.voice.index], scene.voice, scene.dense, rng)
        voice = augment.filtered(voice, augment.tilted(curve, scene.effort_db), _response(scene.room, catalogue))
        voice = augment.at_level(voice, scene.voice_dbfs)
    if scene.noise is not None and scene.snr_db is not None:
        noise = noise_track(scene.noise, catalogue, rng)
        noise = augment.filtered(noise, curve, _response(scene.noise.room, catalogue))
        cut = shaped(noise, scene.noise.shape, voice, rng)
        noise = cut if _is_heard(cut) else noise  # short sounds are events already
        noise = augment.at_level(noise, scene.voice_dbfs - scene.snr_db)
    floor = augment.coloured_noise(rng, mic.floor_slope) * np.float32(
        10 ** ((scene.voice_dbfs - mic.floor_db) / 20)
    )
    if mic.floor_limited:
        floor = augment.filtered(floor, augment.band_curve(mic), None)
    if mic.agc_db:
        gain = augment.automatic_gain(voice + noise + floor, mic.agc_db)
        voice, noise, floor = voice * gain, noise * gain, floor * gain
    return voice, noise, floor


def render(scene: Scene, catalogue: Catalogue) -> Window:
    """Apply a scene: samples and labels."""
    voice, noise, floor = tracks(scene, catalogue)
    if scene.mic.agc_db and scene.noise is not None:
        scene = replace(scene, snr_db=levels.snr_db(voice, noise))  # the gain moved it
    mixed = augment.clipped(voice + noise + floor, scene.mic.clip_db)
    mixed = augment.coded(np.clip(mixed, -1, 1), scene.mic.coding)
    a, b = (int(edge * WINDOW) for edge in scene.zeros)
    mixed[a:b] = voice[a:b] = noise[a:b] = floor[a:b] = 0.0
    scored = True
    if scene.noise is not None:
        scored = _is_heard(noise)
    tracks_db = _over_time(np.stack([voice, noise + floor]), mixed)
    return _labelled(scene, mixed, catalogue, scored, tracks_db)


def _over_time(tracks: Samples, mixed: Samples) -> Samples:
    """Levels of tracks (n, 48000) every 20 ms, dB relative to the loudest tenth of mixed: (n, 150)."""
    power = levels.frame_power(mixed)
    loud = np.sort(power)[-len(power) // 10 :].mean() + 1e-12
    return np.stack([10 * np.log10(levels.frame_power(t) / loud + 1e-8) for t in tracks]).astype(np.float32)


def _labelled(scene: Scene, samples: Samples, catalogue: Catalogue, scored: bool, tracks_db: Samples) -> Window:
    snr, voice = scene.snr_db, scene.voice is not None
    noisy = 0.0 if snr is None else float(np.clip((CLEAN_DB - snr) / (CLEAN_DB - NOISY_DB), 0, 1))
    between = snr is not None and NOISY_DB < snr < CLEAN_DB
    own = [scene.mic.floor_db]
    if scene.voice is not None:
        own.append(catalogue.speech[scene.voice.index].floor_db)
    floor_db = -10 * float(np.log10(sum(10 ** (-f / 10) for f in own)))  # of a window with nothing added
    coarse = scene.mic.coding in ("8bit", "mulaw")  # its hiss is neither clean nor a noise of the room
    return Window(
        samples=np.asarray(samples, np.float32),
        reference_dbfs=scene.reference_dbfs,
        noisy=noisy,
        noisy_weight=(0.3 if between or (coarse and noisy == 0) else 1.0) if scored else 0.0,
        snr_db=floor_db if snr is None else min(snr, floor_db),
        # A muted stretch changes the active level that the SNR was drawn for.
        snr_weight=float(voice and scored and scene.zeros == (0.0, 0.0)) * (0.3 if snr is None else 1.0),
        voice=float(voice),
        tracks_db=tracks_db,
    )


def _response(room: Room | None, catalogue: Catalogue) -> Samples | None:
    return None if room is None else augment.room_response(room, catalogue.rooms[room.index])


def _piece(recording: Recording, speed: float, rng: Rng, loud: bool) -> Samples:
    """Up to 3 s of a recording at a speed; `loud`: where it is near its usual level."""
    need = int(np.ceil(WINDOW * speed)) + 16
    samples = recording.samples
    usual = levels.active_rms(samples[: 40 * SAMPLE_RATE].astype(np.float32)) if loud else 0.0
    for _ in range(4):
        start = int(rng.integers(0, max(1, len(samples) - need + 1)))
        piece = samples[start : start + need].astype(np.float32)
        if not loud or levels.active_rms(piece) > 0.4 * usual:
            break
    if speed != 1.0:
        piece = soxr.resample(piece, SAMPLE_RATE * speed, SAMPLE_RATE, quality="LQ")
    return np.asarray(piece[:WINDOW] / 32767, np.float32)


def voice_track(recording: Recording, take: Take, dense: bool, rng: Rng) -> Samples:
    """(48000,) of one voice: an excerpt, or a short take over its own floor; `dense`: without pauses."""
    piece = _piece(recording, take.speed, rng, loud=True)
    if dense:
        more = [piece] + [_piece(recording, take.speed, rng, loud=True) for _ in range(2)]
        joined = np.concatenate(more)
        frames = joined[: len(joined) // levels.FRAME * levels.FRAME].reshape(-1, levels.FRAME)
        power = levels.frame_power(joined)
        kept = frames[power > power.max(initial=0) * 10 ** -rng.uniform(1.8, 2.8)].reshape(-1)
        return np.resize(kept, WINDOW)
    if len(piece) >= WINDOW and rng.random() < 0.12:  # someone begins to speak, or stops
        piece = piece[: int(rng.uniform(0.5, 2.5) * SAMPLE_RATE)]
    if len(piece) >= WINDOW:
        return piece
    track = own_floor(piece, rng)
    start = int(rng.integers(0, WINDOW - len(piece) + 1))
    fade = np.minimum(1, np.minimum(np.arange(len(piece)), np.arange(len(piece))[::-1]) / 160)
    track[start : start + len(piece)] *= 1 - fade
    track[start : start + len(piece)] += piece * fade
    return track


def own_floor(samples: Samples, rng: Rng) -> Samples:
    """(48000,) of noise with the spectrum and level of the quietest 0.1 s of samples (n,).

    Digital zeros around a take would teach that zeros mean clean.
    """
    size = 1600
    starts = range(0, max(1, len(samples) - size + 1), size // 2)
    pieces = [samples[a : a + size] for a in starts]
    quiet = min((p for p in pieces if (p**2).mean() > 1e-10), key=lambda p: float((p**2).mean()), default=None)
    if quiet is None:
        return np.zeros(WINDOW, np.float32)
    magnitude = np.abs(np.fft.rfft(quiet * np.hanning(len(quiet)), size))
    magnitude = np.convolve(magnitude, np.ones(9) / 9, "same")
    grid = np.linspace(0, 1, WINDOW // 2 + 1)
    shape = np.interp(grid, np.linspace(0, 1, len(magnitude)), magnitude)
    white = rng.standard_normal((2, len(grid)))
    noise = np.fft.irfft((white[0] + 1j * white[1]) * shape, WINDOW)
    return np.asarray(noise * np.sqrt((quiet**2).mean()) / (noise.std() + 1e-12), np.float32)


def noise_track(noise: Noise, catalogue: Catalogue, rng: Rng) -> Samples:
    """(48000,) of noise, made or its takes summed at their gains; what is too short is drawn again."""
    if noise.kind in MADE:
        return _heard(MADE[noise.kind], rng)
    track = np.zeros(WINDOW, np.float32)
    for take, gain_db in zip(noise.takes, noise.gains_db, strict=True):
        recording = (catalogue.speech if noise.kind == "babble" else catalogue.noise)[take.index]
        piece = _heard(_looped, recording, take.speed, rng, noise.kind == "babble")
        track += piece / (levels.active_rms(piece) + 1e-9) * 10 ** (gain_db / 20)
    return track


def _looped(recording: Recording, speed: float, rng: Rng, loud: bool) -> Samples:
    """A piece (48000,) of a recording; where it is shorter, again and again from anywhere."""
    piece = _piece(recording, speed, rng, loud)
    return np.roll(np.resize(piece, WINDOW), int(rng.integers(WINDOW)) if len(piece) < WINDOW else 0)


def sounding_seconds(noise: Samples) -> float:
    """How long noise (n,) sounds, however loud it is."""
    return levels.active_seconds(noise / (np.abs(noise).max() + 1e-9))


def _is_heard(noise: Samples) -> bool:
    """Whether noise (48000,) sounds for as long as is scored."""
    return sounding_seconds(noise) >= SHORTEST_NOISE_S


def _heard(draw: Callable[..., Samples], *args: Any) -> Samples:
    """The first of five draws that is heard, else the last."""
    for _ in range(5):
        if _is_heard(noise := draw(*args)):
            break
    return noise


def coloured(rng: Rng) -> Samples:
    """(48000,) of steady noise, from rumble to hiss."""
    return augment.coloured_noise(rng, rng.uniform(-1.3, 0.4))


def tones(rng: Rng) -> Samples:
    """(48000,) of pitched sound: mains hum, chords, sirens, beeps."""
    track = np.zeros(WINDOW)
    t = np.arange(WINDOW) / SAMPLE_RATE
    mains = rng.random() < 0.3
    tilt, wobble = rng.uniform(0, 2), rng.uniform(0, 0.3) if rng.random() < 0.3 else 0.0
    keyed = rng.random() < 0.25  # beeps
    for _ in range(1 if mains else int(rng.integers(1, 6))):
        pitch = rng.choice([50.0, 60.0]) if mains else np.exp(rng.uniform(np.log(70), np.log(4000)))
        cycles = pitch * t + pitch * wobble * np.sin(2 * np.pi * rng.uniform(0.2, 8) * t) / 20
        turn = np.exp(2j * np.pi * cycles)
        harmonic = np.exp(2j * np.pi * rng.random()) * turn
        for h in range(1, min(int(rng.integers(2, 24 if mains else 8)), int(7500 / pitch) + 1)):
            track += harmonic.imag * (rng.random() / h**tilt)
            harmonic = harmonic * turn
    if keyed:
        every = rng.uniform(0.15, 1.2)
        track *= (t + rng.random()) % every < rng.uniform(0.3, 0.8) * every
    return np.asarray(track, np.float32)


def impacts(rng: Rng) -> Samples:
    """(48000,) of clicks, knocks and clatter: damped resonances that noise strikes, regular or not."""
    strikes = np.zeros(WINDOW, np.float32)
    count = int(np.exp(rng.uniform(np.log(2), np.log(40))))
    start = rng.integers(WINDOW)
    if rng.random() < 0.3:
        at = (start + np.arange(count) * int(3.0 / count * SAMPLE_RATE * rng.uniform(0.5, 1))) % WINDOW
    else:
        at = (start + rng.integers(0, int(rng.uniform(0.3, 1) * WINDOW), count)) % WINDOW
    strikes[at] = 10 ** (-rng.uniform(0, 15, count) / 20)
    t = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    body = rng.standard_normal(len(t)) * np.exp(-t / rng.uniform(0.001, 0.03)) * rng.uniform(0, 1.5)
    decay = np.exp(rng.uniform(np.log(0.004), np.log(0.15)))
    dull = rng.random() < 0.35  # a door, a desk, a step
    for _ in range(int(rng.integers(0, 6))):
        pitch = np.exp(rng.uniform(np.log(40), np.log(500 if dull else 7000)))
        body += np.sin(2 * np.pi * pitch * t) * np.exp(-t / (decay * rng.uniform(0.3, 1))) * rng.random()
    spectrum = np.fft.rfft(strikes) * np.fft.rfft(body, WINDOW)
    return np.asarray(np.fft.irfft(spectrum, WINDOW), np.float32)


def calls(rng: Rng) -> Samples:
    """(48000,) of throats that do not speak: barks, coughs, cries, chirps; one call, or the like of it again.

    Voiced or breathed sound, of a pitch that glides, through a mouth of a few wide resonances (source and
    filter: G. Fant, Acoustic Theory of Speech Production, 1960).
    """
    pitch = np.exp(rng.uniform(np.log(70), np.log(2500)))  # Hz
    length = np.exp(rng.uniform(np.log(0.06), np.log(1.2)))  # s
    breath = rng.uniform(0, 1) ** 2 if rng.random() < 0.7 else 1.0  # 1: nothing but air, as in a cough
    glide = rng.uniform(-0.6, 0.6, 3)  # octaves, at the beginning, the peak and the end
    rough = rng.uniform(0, 0.08) if rng.random() < 0.5 else 0.0  # octaves, every 5 ms
    tilt, attack = rng.uniform(0.3, 1.8), rng.uniform(0.003, 0.3)
    resonances = int(rng.integers(1, 5))
    places = np.log(250) + rng.uniform(0, 1, resonances) * np.log(26)  # ln Hz: 250 to 6500
    widths, heights = rng.uniform(0.06, 0.35, resonances), rng.uniform(0.3, 1, resonances)
    at, every = rng.uniform(0, 3.0), rng.uniform(1.1, 3.0) * length
    track = np.zeros(WINDOW)
    for _ in range(int(rng.integers(1, max(2, min(9, int(2.5 / length) + 1))))):
        n = min(WINDOW, max(320, int(length * rng.uniform(0.75, 1.3) * SAMPLE_RATE)))
        u = np.linspace(0, 1, n)
        octaves = np.interp(u, [0, rng.uniform(0.15, 0.6), 1], glide + rng.normal(0, 0.08, 3))
        octaves += rough * np.repeat(rng.standard_normal(n // 80 + 1), 80)[:n]
        cycles = np.cumsum(pitch * 2**octaves) / SAMPLE_RATE
        harmonics = range(1, int(np.clip(7000 / (pitch * 2 ** octaves.max()), 1, 24)) + 1)
        call = sum(np.sin(2 * np.pi * h * cycles) / h**tilt for h in harmonics)
        call = (1 - breath) * call / (np.std(call) + 1e-9) + breath * rng.standard_normal(n)
        ln_hz = np.log(np.fft.rfftfreq(n, 1 / SAMPLE_RATE) + 1)[:, None] - rng.normal(0, 0.05)
        mouth = 0.03 + (heights * np.exp(-((ln_hz - places) ** 2) / (2 * widths**2))).sum(1)
        call = np.fft.irfft(np.fft.rfft(call) * mouth, n)
        call *= np.minimum(1, u / attack) * np.interp(u, [0, rng.uniform(0.3, 0.9), 1], [1, 1, 0]) ** 1.5
        start = int(at * SAMPLE_RATE) % WINDOW
        track += np.roll(np.pad(call, (0, WINDOW - n)), start) * 10 ** (-rng.uniform(0, 6) / 20)
        at += every * rng.uniform(0.8, 1.25)
    return np.asarray(track, np.float32)


MADE = {"coloured": coloured, "tones": tones, "impacts": impacts, "calls": calls}


def shaped(noise: Samples, shape: str, voice: Samples, rng: Rng) -> Samples:
    """noise (48000,) as it comes and goes within the window."""
    mask = np.ones(WINDOW, np.float32)
    if shape == "onset":
        mask[: int(rng.uniform(0.1, 0.87) * WINDOW)] = 0
    elif shape == "offset":
        mask[int(rng.uniform(0.13, 0.9) * WINDOW) :] = 0
    elif shape == "events":
        mask[:] = 0
        for _ in range(int(rng.choice([1, 2, 3], p=[0.6, 0.25, 0.15]))):
            length = int(rng.uniform(0.32, 1.0) * SAMPLE_RATE)
            # Where the noise sounds, or anywhere: a bark in its middle, a slice of a fan.
            start = int(np.abs(noise).argmax()) - length // 3 if rng.random() < 0.6 else rng.integers(WINDOW)
            start = int(np.clip(start, 0, WINDOW - length))
            mask[start : start + length] = 1
    elif shape == "gated":
        window = int(rng.uniform(0.05, 0.2) * SAMPLE_RATE)
        envelope = np.sqrt(np.maximum(augment.moving_average(voice**2, window), 0))
        mask = (envelope > envelope.max() * rng.uniform(0.015, 0.08)).astype(np.float32)
    return noise * augment.moving_average(mask, 80)  # 5 ms edges: a switch would click
