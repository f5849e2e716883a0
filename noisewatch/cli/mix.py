"""`mix`: a noise behind a voice at a known SNR."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import command
from .help import OUTPUT
from .stderr import write_line


@command(
    "noisewatch mix talk.flac fan.wav --snr 10 -o noisy.wav",
    "noisewatch mix talk.flac fan.wav --snr 25 -o faint.flac",
)
def mix(
    voice: Annotated[Path, typer.Argument(help="A recording of a voice.", metavar="VOICE")],
    noise: Annotated[
        Path, typer.Argument(help="A recording of a noise; repeated if it is shorter.", metavar="NOISE")
    ],
    snr: Annotated[
        float, typer.Option("--snr", metavar="DB", help="Level of the voice over the noise, -30 to 60.")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="A .wav or .flac file.", rich_help_panel=OUTPUT)
    ],
) -> None:
    """Mix a noise into a voice: hear what 10 dB is.

    Levels are those of the SNR that noisewatch shows: of the time in which each sounds. The result is mono, at 16
    kHz, and as long as the voice.
    """
    from ..corpus.mix import mix as mixing

    made = mixing(voice, noise, snr, out)
    lowered = (
        f"; both {made.attenuation_db:.1f} dB lower, so that nothing clips" if made.attenuation_db >= 0.05 else ""
    )
    write_line(f"voice {made.voice_dbfs:.1f} dBFS, noise {made.noise_dbfs:.1f} dBFS{lowered}")
    print(out)
