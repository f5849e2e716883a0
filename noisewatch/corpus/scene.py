"""Scenes: all parameters of a window, drawn before anything is rendered. A seed reproduces the scene."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..core.reference import ASSUMED_DBFS
from .catalogue import Catalogue
from .channel import Chain, Room, draw_chain, draw_room
from .config import NoiseConfig, ReferenceConfig, SceneConfig, VoiceConfig
from .draw import Rng, mixture, pick, speed

COARSE_DBFS = -34.0  # voices below this level are never coded in 8 bits
OWN_FLOOR_SNR_DB = 12.0  # above this SNR, the voice must come from a clean recording


@dataclass(frozen=True)
class Take:
    """An excerpt of a recording. Its playback speed also shifts the pitch."""

    index: int
    speed: float = 1.0


@dataclass(frozen=True)
class Noise:
    """The noise behind the voice."""

    kind: str  # "recording" | "babble" | "coloured" | "tones" | "impacts" | "calls"
    takes: tuple[Take, ...]  # of noise recordings, or the voices of the babble
    gains_db: tuple[float, ...]  # one per take
    shape: str  # "steady" | "onset" | "offset" | "events" | "gated"
    room: Room | None


@dataclass(frozen=True)
class Scene:
    """All parameters of one window."""

    voice: Take | None
    effort_db: float  # spectral tilt of the voice: soft speech is dark, shouting is bright
    dense: bool  # pauses are cut out of the voice
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
    noise, snr = _draw_background(rng, catalogue, config, situation, roomy)
    reference_dbfs, voice_dbfs = _draw_levels(rng, config.voice, config.reference, with_voice)
    voice = None
    if with_voice:
        clean = situation == "clean" or (snr is not None and snr > OWN_FLOOR_SNR_DB)
        made = catalogue.made and rng.random() < config.voice.made_share
        pool = "speech" if not clean else "made" if made else "clean"
        voice = Take(catalogue.draw(rng, pool), speed(rng, config.voice.speed))
    mic = draw_chain(rng, config.microphone)
    if not with_voice:
        mic = replace(mic, agc_db=0.0)  # it would boost the silence to the level of a voice
    if voice_dbfs < COARSE_DBFS and mic.coding in ("8bit", "mulaw"):
        mic = replace(mic, coding="int16")  # 8 bits would leave only zeros
    zeros = (0.0, 0.0)
    if rng.random() < config.muted_share:
        start, length = rng.uniform(*config.muted_start), rng.uniform(*config.muted_length)
        zeros = (float(start), float(min(1.0, start + length)))
    effort = float(rng.uniform(*config.voice.effort_db)) if rng.random() < config.voice.effort_share else 0.0
    return Scene(
        voice=voice,
        effort_db=effort,
        dense=bool(rng.random() < config.voice.dense_share),
        room=draw_room(rng, len(catalogue.rooms), config.room) if roomy and with_voice else None,
        noise=noise,
        snr_db=snr,
        voice_dbfs=voice_dbfs,
        reference_dbfs=reference_dbfs,
        mic=mic,
        zeros=zeros,
        seed=int(rng.integers(2**31)),
    )


def _draw_background(
    rng: Rng, catalogue: Catalogue, config: SceneConfig, situation: str, roomy: bool
) -> tuple[Noise | None, float | None]:
    """Draw the noise for a situation, if it has any, and its SNR in dB."""
    noise = config.noise
    if situation == "noisy":
        return draw_noise(rng, catalogue, config, True, roomy), mixture(rng, noise.snr_db)
    if situation == "noise":
        return draw_noise(rng, catalogue, config, False, roomy), mixture(rng, noise.alone_snr_db)
    if rng.random() < noise.faint_share and situation == "quiet":
        return draw_noise(rng, catalogue, config, False, roomy), float(rng.uniform(*noise.faint_snr_db))
    return None, None


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


def draw_noise(rng: Rng, catalogue: Catalogue, scenes: SceneConfig, with_voice: bool, roomy: bool) -> Noise:
    """Draw a noise of any kind and shape."""
    config: NoiseConfig = scenes.noise
    kind = pick(rng, config.kinds)
    takes: tuple[Take, ...] = ()
    if kind == "recording":
        count = int(pick(rng, config.takes))
        pools = ["sparse" if rng.random() < config.sparse_share else "noise" for _ in range(count)]
        takes = tuple(Take(catalogue.draw(rng, pool), speed(rng, config.speed)) for pool in pools)
    elif kind == "babble":
        count = int(rng.choice(config.babble_voices if with_voice else config.babble_voices_alone))
        takes = tuple(Take(catalogue.draw(rng, "speech"), speed(rng, config.babble_speed)) for _ in range(count))
    shapes = scenes.shape.weights if with_voice else {**scenes.shape.weights, "gated": 0.0}
    gains_db = tuple(rng.uniform(*config.take_gain_db, len(takes)).tolist())
    shape = pick(rng, shapes)
    room = draw_room(rng, len(catalogue.rooms), scenes.room) if roomy or kind == "babble" else None
    return Noise(kind, takes, gains_db, shape, room)
