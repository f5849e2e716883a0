"""The training distribution: the ranges and weights that scenes are drawn from, by name.

The shipped networks were trained with the defaults. A recipe overrides individual values (`[scene.microphone]`);
checkpoints and cards store the values that a run used.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Range = tuple[float, float]  # uniform between the two; log-uniform where the name says log
PAIRS = ("Range", "tuple[int, int]")  # field annotations that mean a lower and an upper bound
Weights = dict[str, float]  # relative; need not sum to 1
Mixture = tuple[tuple[float, float, float], ...]  # weight, lower bound, upper bound


@dataclass(frozen=True)
class Speed:
    """Playback speed, which also shifts the pitch: exp(uniform(-spread, spread)) for a share of the takes."""

    share: float = 0.5
    spread: float = 0.2


@dataclass(frozen=True)
class VoiceConfig:
    """The foreground voice."""

    speed: Speed = Speed(0.6, 0.2)
    made_share: float = 0.25  # resynthesised, if the manifest has such voices
    effort_share: float = 0.5
    effort_db: Range = (-6.0, 12.0)  # spectral tilt: soft speech is dark, shouting is bright
    dense_share: float = 0.22  # with pauses cut out
    dense_decades: Range = (1.8, 2.8)  # decades of power below the loudest frame; quieter frames are pauses
    partial_share: float = 0.12  # speech starts or stops within the window
    partial_s: Range = (0.5, 2.5)
    word_share: float = (
        0.15  # of the clean voices at an ordinary level: a single word or syllable in a very quiet room
    )
    word_s: Range = (0.2, 1.0)
    word_floor_db: Range = (50.0, 80.0)  # of the room and of the microphone, below the voice
    limited_share: float = 0.15  # through a soft limiter, as shouted, strained and broadcast voices
    limiter_db: Range = (0.0, 12.0)  # its ceiling, above the active level
    level_share: float = 0.75  # at an ordinary level; the rest are faint
    level_dbfs: Range = (-42.0, -8.0)
    faint_dbfs: Range = (-66.0, -42.0)


@dataclass(frozen=True)
class ReferenceConfig:
    """The stream's estimate of the voice level."""

    heard_share: float = 0.6  # with a voice in the window; the rest use the assumed level
    heard_share_alone: float = 0.5  # with no voice in the window
    right_share: float = 0.7  # near the true level; the rest are stale: another talker or distance
    right_sd_db: float = 2.5
    stale_db: Range = (-20.0, 20.0)
    alone_dbfs: Range = (-60.0, -10.0)  # before a silence


@dataclass(frozen=True)
class NoiseConfig:
    """The noise behind the voice."""

    kinds: Weights = field(default_factory=lambda: {
        "recording": 0.65, "babble": 0.08, "coloured": 0.06, "tones": 0.06, "impacts": 0.07, "calls": 0.08,
        "second voice": 0.10,
    })  # fmt: skip
    takes: Weights = field(default_factory=lambda: {"1": 0.82, "2": 0.14, "3": 0.04})  # recordings at once
    take_gain_db: Range = (-8.0, 0.0)
    sound_share: float = 0.34  # behind a voice, how many recordings are of one of these kinds of sound
    sounds: Weights = field(default_factory=lambda: {"human": 0.12, "typing": 0.08, "signal": 0.06, "impact": 0.08})
    sound_gap_log_s: Range = (0.08, 3.0)  # between repetitions of a short sound: from a typist's pace to once
    sound_gap_jitter: Range = (0.5, 1.5)
    sound_repeat_db: Range = (0.0, 6.0)  # attenuation of a repetition
    sparse_share: float = 0.35  # of the other recordings, how many are intermittent
    speed: Speed = Speed(0.5, 0.4)
    babble_voices: tuple[int, ...] = (1, 2, 3, 5, 8)  # from one distant voice to a crowded cafe
    babble_voices_alone: tuple[int, ...] = (3, 4, 5, 6, 8)  # a single voice alone is not noise
    babble_speed: Speed = Speed(0.5, 0.15)
    second_snr_db: Range = (0.0, 15.0)  # the voice in front over a second near voice
    second_onset_share: float = 0.6  # the second voice starts within the window
    # Most windows lie near the decision boundary; the rest cover the SNR scale.
    snr_db: Mixture = ((0.27, -5.0, 8.0), (0.55, 8.0, 21.0), (0.18, 21.0, 45.0))
    alone_snr_db: Mixture = ((0.87, -12.0, 20.0), (0.13, 20.0, 40.0))  # relative to the reference level
    faint_share: float = 0.15  # of quiet rooms, with noise too faint to notice
    faint_snr_db: Range = (40.0, 60.0)


@dataclass(frozen=True)
class ShapeConfig:
    """Envelope of the noise within the window; positions are fractions of the window."""

    weights: Weights = field(default_factory=lambda: {
        "steady": 0.5, "events": 0.3, "onset": 0.08, "offset": 0.05, "gated": 0.07,
    })  # fmt: skip
    onset: Range = (0.1, 0.87)
    offset: Range = (0.13, 0.9)
    events: Weights = field(default_factory=lambda: {"1": 0.6, "2": 0.25, "3": 0.15})
    event_s: Range = (0.32, 1.0)
    event_at_peak_share: float = 0.6  # around the peak of the noise; the rest start anywhere
    gate_window_s: Range = (0.05, 0.2)
    gate_threshold: Range = (0.015, 0.08)  # of the envelope's peak


@dataclass(frozen=True)
class RoomConfig:
    """Room impulse responses."""

    share: float = 0.35  # of scenes
    t60_s: Range = (0.12, 0.7)
    wet_db: Range = (0.0, 12.0)  # attenuation of everything after the direct sound


@dataclass(frozen=True)
class MicrophoneConfig:
    """Recording chains, from laptop array to studio condenser."""

    colour_depth_db: Range = (0.0, 7.0)
    tilt_db: Range = (-8.0, 8.0)
    telephone_share: float = 0.10
    telephone_low_hz: Range = (200.0, 400.0)
    telephone_high_hz: Range = (3000.0, 3900.0)
    telephone_order: tuple[int, int] = (4, 12)
    narrow_share: float = 0.15  # small capsule, Bluetooth, lossy coding
    narrow_low_hz: Range = (0.0, 200.0)
    narrow_high_hz: Range = (3400.0, 7500.0)
    narrow_order: tuple[int, int] = (2, 14)
    rumble_share: float = 0.20  # with a rumble filter
    rumble_low_hz: Range = (40.0, 200.0)
    rumble_order: tuple[int, int] = (1, 5)
    codings: Weights = field(default_factory=lambda: {
        "int16": 0.78, "float": 0.08, "8bit": 0.01, "mulaw": 0.04, "8k": 0.015, "11k": 0.015, "mp3": 0.02,
        "vorbis": 0.02, "opus": 0.02,
    })  # fmt: skip
    floor_db: Range = (40.0, 66.0)  # level of the self-noise below the voice
    quiet_share: float = 0.15  # with less self-noise than that, in a very quiet room
    quiet_floor_db: Range = (60.0, 80.0)
    floor_slope: Range = (-1.2, 0.4)
    floor_limited_share: float = 0.5
    clip_share: float = 0.04
    clip_db: Range = (0.5, 8.0)
    agc_share: float = 0.07
    agc_db: Range = (3.0, 14.0)
    dc_share: float = 0.15  # with a DC offset
    dc_db: Range = (-40.0, 6.0)  # relative to the voice; at most 0.1 of full scale
    drift_share: float = 0.15  # with infrasound: wind, handling, a table that sways
    drift_db: Range = (-40.0, -6.0)  # relative to the voice; at most 0.1 of full scale
    drift_hz: Range = (1.0, 12.0)  # its highest frequency


@dataclass(frozen=True)
class TonesConfig:
    """Tones: mains hum, chords, sirens, beeps."""

    mains_share: float = 0.3
    mains_hz: tuple[float, ...] = (50.0, 60.0)
    mains_harmonics: tuple[int, int] = (2, 24)
    pitch_log_hz: Range = (70.0, 4000.0)
    count: tuple[int, int] = (1, 6)
    harmonics: tuple[int, int] = (2, 8)
    rolloff: Range = (0.0, 2.0)  # of harmonics: 1 / h ** rolloff
    wobble_share: float = 0.3
    wobble: Range = (0.0, 0.3)
    wobble_hz: Range = (0.2, 8.0)
    keyed_share: float = 0.25  # beeps
    key_period_s: Range = (0.15, 1.2)
    key_duty: Range = (0.3, 0.8)


@dataclass(frozen=True)
class ImpactsConfig:
    """Clicks, knocks and clatter: damped resonances, struck at regular or irregular intervals."""

    count_log: Range = (2.0, 40.0)
    regular_share: float = 0.3
    regular_spacing: Range = (0.5, 1.0)
    spread: Range = (0.3, 1.0)  # fraction of the window that holds the strikes
    strike_db: Range = (0.0, 15.0)  # attenuation
    click_decay_s: Range = (0.001, 0.03)
    click_gain: Range = (0.0, 1.5)
    ring_decay_log_s: Range = (0.004, 0.15)
    ring_decay_share: Range = (0.3, 1.0)
    rings: tuple[int, int] = (0, 6)
    ring_log_hz: Range = (40.0, 7000.0)
    dull_share: float = 0.35  # low resonances: a door, a desk, a footstep
    dull_log_hz: Range = (40.0, 500.0)


@dataclass(frozen=True)
class CallsConfig:
    """Vocal sounds that are not speech: barks, coughs, cries, chirps."""

    pitch_log_hz: Range = (70.0, 2500.0)
    length_log_s: Range = (0.06, 1.2)
    voiced_share: float = 0.7  # the rest are breath only, as in a cough
    breath: Range = (0.0, 1.0)  # squared before use
    glide_octaves: Range = (-0.6, 0.6)
    glide_sd: float = 0.08  # between calls
    rough_share: float = 0.5
    rough_octaves: Range = (0.0, 0.08)
    rolloff: Range = (0.3, 1.8)
    attack: Range = (0.003, 0.3)  # fraction of the call
    release: Range = (0.3, 0.9)
    turn: Range = (0.15, 0.6)  # turning point of the glide
    resonances: tuple[int, int] = (1, 5)
    resonance_log_hz: Range = (250.0, 6500.0)
    resonance_width: Range = (0.06, 0.35)  # ln Hz
    resonance_gain: Range = (0.3, 1.0)
    resonance_sd: float = 0.05  # between calls, ln Hz
    start_s: Range = (0.0, 3.0)
    spacing: Range = (1.1, 3.0)  # in lengths of the call
    spacing_jitter: Range = (0.8, 1.25)
    length_jitter: Range = (0.75, 1.3)
    gain_db: Range = (0.0, 6.0)  # attenuation between calls


@dataclass(frozen=True)
class SceneConfig:
    """All scenes: clean voices, noisy voices, quiet rooms, noise alone."""

    situations: Weights = field(
        default_factory=lambda: {"clean": 0.30, "noisy": 0.46, "quiet": 0.11, "noise": 0.13}
    )
    muted_share: float = 0.03  # windows with a stretch of digital zeros
    muted_start: Range = (0.0, 1.0)
    muted_length: Range = (0.05, 0.6)
    coloured_slope: Range = (-1.3, 0.4)  # spectral slope of steady synthetic noise, from rumble to hiss
    voice: VoiceConfig = VoiceConfig()
    reference: ReferenceConfig = ReferenceConfig()
    noise: NoiseConfig = NoiseConfig()
    shape: ShapeConfig = ShapeConfig()
    room: RoomConfig = RoomConfig()
    microphone: MicrophoneConfig = MicrophoneConfig()
    tones: TonesConfig = TonesConfig()
    impacts: ImpactsConfig = ImpactsConfig()
    calls: CallsConfig = CallsConfig()
