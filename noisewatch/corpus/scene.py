"""Scenes: all parameters of a window, drawn before anything is rendered. A seed reproduces the scene."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..core.reference import ASSUMED_DBFS
from .catalogue import Catalogue
from .channel import Chain, Room, draw_chain, draw_room
from .config import NoiseConfig, ReferenceConfig, SceneConfig, VoiceConfig
from .draw import Rng, log_uniform, mixture, pick, speed

COARSE_DBFS = -34.0  # voices below this level are never coded in 8 bits
LOWEST_FLOOR_DBFS = -95.0  # of a microphone in a very quiet room: less would be coded as digital zeros
OWN_FLOOR_SNR_DB = 12.0  # above this SNR, the voice must come from a clean recording


@dataclass(frozen=True)
class Take:
    """An excerpt of a recording. Its playback speed also shifts the pitch."""

    index: int
    speed: float = 1.0
    gap_s: float = 0.0  # between repetitions of a noise shorter than the window


@dataclass(frozen=True)
class Noise:
    """The noise behind the voice."""

    kind: str  # "recording" | "babble" | "second voice" | "coloured" | "tones" | "impacts" | "calls"
    takes: tuple[Take, ...]  # of noise recordings, or of voices
    gains_db: tuple[float, ...]  # one per take
    shape: str  # "steady" | "onset" | "offset" | "events" | "gated"
    room: Room | None

    @property
    def spoken(self) -> bool:
        """Whether the takes are of speech recordings."""
        return self.kind in ("babble", "second voice")


@dataclass(frozen=True)
class Word:
    """A single word or syllable in a very quiet room."""

    length_s: float
    floor_db: float  # level of the room below the voice


@dataclass(frozen=True)
class Scene:
    """All parameters of one window."""

    voice: Take | None
    effort_db: float  # spectral tilt of the voice: soft speech is dark, shouting is bright
    dense: bool  # pauses are cut out of the voice
    word: Word | None  # all that is heard of the voice
    limiter_db: float | None  # ceiling of a soft limiter above the active level of the voice
    room: Room | None
    noise: Noise | None
    snr_db: float | None  # voice over noise; without a voice: reference level over noise
    voice_dbfs: float  # active level of the voice, in this window or before it
    reference_dbfs: float  # the stream's estimate of it
    mic: Chain
    zeros: tuple[float, float]  # a muted stretch, as fractions of the window
    seed: int


def draw_scene(rng: Rng, catalogue: Catalogue, config: SceneConfig) -> Scene:
    """Draw a scene: a voice, clean or noisy; a quiet room; or noise alone."""
    situation = pick(rng, config.situations)
    with_voice = situation in ("clean", "noisy")
    roomy = bool(rng.random() < config.room.share)
    kind, snr = _draw_background(rng, catalogue, config.noise, situation)
    reference_dbfs, voice_dbfs = _draw_levels(rng, config.voice, config.reference, with_voice)
    voice, word = None, None
    if with_voice:
        clean = situation == "clean" or (snr is not None and snr > OWN_FLOOR_SNR_DB)
        made = catalogue.made and rng.random() < config.voice.made_share
        # As often with noise as without: a high voice must not come to mean a clean window.
        pool = "made" if made else "clean" if clean else "speech"
        voice = Take(catalogue.draw(rng, pool), speed(rng, config.voice.speed))
        ordinary = voice_dbfs >= config.voice.level_dbfs[0]  # a faint word would lie between digital zeros
        if situation == "clean" and ordinary and rng.random() < config.voice.word_share:
            word = Word(float(rng.uniform(*config.voice.word_s)), float(rng.uniform(*config.voice.word_floor_db)))
    room = draw_room(rng, len(catalogue.rooms), config.room) if roomy and with_voice else None
    noise = None if kind is None else draw_noise(rng, catalogue, config, kind, roomy, voice, room)
    zeros = (0.0, 0.0)
    if rng.random() < config.muted_share and word is None:  # nothing might be left of a word
        start, length = rng.uniform(*config.muted_start), rng.uniform(*config.muted_length)
        zeros = (float(start), float(min(1.0, start + length)))
    mic = draw_chain(rng, config.microphone)
    if not with_voice:
        mic = replace(mic, agc_db=0.0)  # it would boost the silence to the level of a voice
    if voice_dbfs < COARSE_DBFS and mic.coding in ("8bit", "mulaw"):
        mic = replace(mic, coding="int16")  # 8 bits would leave only zeros
    if word is not None:
        floor_db = min(float(rng.uniform(*config.voice.word_floor_db)), voice_dbfs - LOWEST_FLOOR_DBFS)
        mic = replace(mic, floor_db=floor_db)
    if zeros != (0.0, 0.0):
        mic = replace(mic, dc=0.0, drift=0.0)  # muting an offset clicks
    effort = float(rng.uniform(*config.voice.effort_db)) if rng.random() < config.voice.effort_share else 0.0
    limited = rng.random() < config.voice.limited_share
    return Scene(
        voice=voice,
        effort_db=effort,
        dense=bool(rng.random() < config.voice.dense_share),
        word=word,
        limiter_db=float(rng.uniform(*config.voice.limiter_db)) if limited else None,
        room=room,
        noise=noise,
        snr_db=snr,
        voice_dbfs=voice_dbfs,
        reference_dbfs=reference_dbfs,
        mic=mic,
        zeros=zeros,
        seed=int(rng.integers(2**31)),
    )


def _draw_background(
    rng: Rng, catalogue: Catalogue, config: NoiseConfig, situation: str
) -> tuple[str | None, float | None]:
    """Draw the kind of noise for a situation, if it has any, and its SNR in dB."""
    with_voice = situation == "noisy"
    if situation == "clean" or (situation == "quiet" and rng.random() >= config.faint_share):
        return None, None
    kinds = config.kinds
    if not with_voice or catalogue.speakers < 2:
        kinds = {name: weight for name, weight in kinds.items() if name != "second voice"}
    kind = pick(rng, kinds)
    if situation == "quiet":
        return kind, float(rng.uniform(*config.faint_snr_db))
    if kind == "second voice":
        return kind, float(rng.uniform(*config.second_snr_db))
    return kind, mixture(rng, config.snr_db if with_voice else config.alone_snr_db)


def _draw_levels(rng: Rng, voice: VoiceConfig, reference: ReferenceConfig, with_voice: bool) -> tuple[float, float]:
    """Draw the reference level of the stream and the true level of the voice, dBFS."""
    heard = rng.random() < (reference.heard_share if with_voice else reference.heard_share_alone)
    if not with_voice:
        # A silence is judged against the reference alone.
        level = float(rng.uniform(*reference.alone_dbfs)) if heard else ASSUMED_DBFS
        return level, level
    level = float(rng.uniform(*(voice.level_dbfs if rng.random() < voice.level_share else voice.faint_dbfs)))
    right = rng.random() < reference.right_share
    error = rng.normal(0, reference.right_sd_db) if right else rng.uniform(*reference.stale_db)
    return (level + float(error) if heard else ASSUMED_DBFS), level


def draw_noise(
    rng: Rng,
    catalogue: Catalogue,
    scenes: SceneConfig,
    kind: str,
    roomy: bool,
    voice: Take | None,
    room: Room | None,
) -> Noise:
    """Draw a noise of a kind and of any shape. It is behind a voice in a room, if there is one."""
    config: NoiseConfig = scenes.noise
    takes: tuple[Take, ...] = ()
    if kind == "recording":
        count = int(pick(rng, config.takes))
        takes = tuple(_draw_recording(rng, catalogue, config, voice is not None) for _ in range(count))
    elif kind == "babble":
        count = int(rng.choice(config.babble_voices if voice else config.babble_voices_alone))
        takes = tuple(Take(catalogue.draw(rng, "speech"), speed(rng, config.babble_speed)) for _ in range(count))
    elif kind == "second voice" and voice is not None:
        takes = (Take(catalogue.draw_other(rng, voice.index), speed(rng, scenes.voice.speed)),)
    gains_db = tuple(rng.uniform(*config.take_gain_db, len(takes)).tolist())
    shape = pick(rng, scenes.shape.weights if voice else {**scenes.shape.weights, "gated": 0.0})
    if kind == "second voice":
        shape = "onset" if rng.random() < config.second_onset_share else shape
    elif roomy or kind == "babble":
        room = draw_room(rng, len(catalogue.rooms), scenes.room)
    else:
        room = None
    return Noise(kind, takes, gains_db, shape, room)


def _draw_recording(rng: Rng, catalogue: Catalogue, config: NoiseConfig, with_voice: bool) -> Take:
    """Draw a take of a noise recording: of one kind of sound for a share of those behind a voice, or of any."""
    tempo = speed(rng, config.speed)
    if with_voice and rng.random() < config.sound_share:
        index = catalogue.draw_sound(rng, pick(rng, config.sounds))
        if index is not None:
            return Take(index, tempo, log_uniform(rng, config.sound_gap_log_s))
    return Take(catalogue.draw(rng, "sparse" if rng.random() < config.sparse_share else "noise"), tempo)
