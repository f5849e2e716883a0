"""Writes models/CREDITS.md: the recordings that the shipped models learned from, their licences and credits.

    python tools/write_credits.py TABLES.md models/*.onnx -o models/CREDITS.md

Sources, minutes and licences come from the cards inside the models. TABLES.md holds Markdown tables with a source
in the first column, and its origin and credits in the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from noisewatch.core.model import Model
from noisewatch.system.files import atomic_write

# Origins of older sources, which the tables lack. Only what is certain.
ORIGINS = {
    "blanket": "rafaelmardojai/blanket; SOUNDS_LICENSING.md names author and licence of each sound",
    "cdda_cc_sounds": "Fris0uman/CDDA-Soundpacks (CC-Sounds); credits.md in each folder names the authors",
    "drunkentoast_sounds": "DrunkenToast/gui-project; sounds/sound_licensing_blanket.md names author and licence",
    "esc10": "Karol J. Piczak: ESC: Dataset for Environmental Sound Classification (2015); by Freesound users",
    "librispeech_tc100": "Panayotov, Chen, Povey, Khudanpur: LibriSpeech (2015), train-clean-100; OpenSLR 12",
    "mechvibes_keyboard": "hainguyents13/mechvibes",
    "moodist": "remvze/moodist",
    "picovoice_intent": "Picovoice/speech-to-intent-benchmark",
    "picovoice_wakeword": "Picovoice/wake-word-benchmark",
    "speechcommands_bgnoise": "Pete Warden, Google: Speech Commands, _background_noise_",
}
COPYLEFT = re.compile(r"BY-SA|GPL|ODbL")
NUMBERS = re.compile(r"[\d., -]+")  # counts of files, reverberation times
REMARKS = {  # on sources with a copyleft licence in their entry
    "aishell_1": "The recordings are under Apache-2.0; a repository that some were taken from is under GPL-3.",
    "blanket": "Some files; which ones was not recorded.",
    "cdda_cc_sounds": "A collection of CC0, CC BY and CC BY-SA originals, shared under CC BY-SA.",
    "gcompris_free": "The English and Spanish words; the rest is public domain.",
    "ptdb_tug_p808": "A database licence: share-alike applies to derived databases.",
    "redeclipse": 'Its readme.txt adds: "Special permission for relicensing ... granted by the author".',
    "tascar": "Some files; others are CC0. The code of that repository is under GPL-2, the sounds are not.",
}

PAGE = """\
# Credits and licences

<!-- Written by tools/write_credits.py. Change it there. -->

The networks in this folder learned from the recordings listed below. None of them is in this repository, in
the package, or in a model file.

## Licence of the weights

The weights ship under the MIT licence, with these credits. Some sources are under copyleft licences (CC
BY-SA, GPL or ODbL), which ask that copies and adaptations be shared under the same licence. We believe that
the weights are neither, and that MIT is therefore possible:

- A model has {parameters} weights at most, fitted to {minutes:.0f} minutes of sound at once. It contains no
  recording, and we know of no way to recover one from it.
- Training measures the energy of mixtures of many recordings. What a network learns is how noise differs from
  a voice, not what anyone said, played or composed. Its output is a probability and levels, never sound.
- Creative Commons licences apply only where copyright requires permission (section 2(a)(2) of version 4.0).
  Several countries have exceptions for analysing works that one has lawful access to.

This is our opinion, not legal advice. The question is not settled, and others read the licences more
strictly: Creative Commons' own
[primer](https://creativecommons.org/using-cc-licensed-works-for-ai-training-2/) describes a cautious reading,
in which a publicly shared model that was trained on share-alike works carries the same licence. If you need
that caution, remove the sources of the next table from the manifest, and train the network again by its
recipe.

The credits do not depend on this opinion: every source is named below. If one of your recordings is listed
and you object, or if an entry is wrong, please open an issue.

## Sources with copyleft licences

| source | minutes | licence as found | remark |
| --- | --- | --- | --- |
{copyleft}

The Pixabay licence of moodist forbids redistributing its sounds on their own. No sound is redistributed here.

## All sources

{spread} 0.0 means less than 3 seconds. Licences are quoted as found, with the file that states them. Where
there is no origin, only the licence was recorded.

| kind | source | minutes | licence as found | origin and credits |
| --- | --- | --- | --- | --- |
{sources}
"""


def main(
    tables: Annotated[Path, typer.Argument(help="Markdown file with tables of origins and credits.")],
    models: Annotated[list[Path], typer.Argument(help="ONNX files.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The page to write.")],
) -> None:
    """Write the page."""
    cards = [Model(path).card for path in models]
    minutes: dict[tuple[str, str], dict[str, float]] = {}
    licences: dict[tuple[str, str], str] = {}
    for card in cards:
        for entry in card.trained_on:
            key = entry["kind"], entry["source"]
            minutes.setdefault(key, {})[card.name] = entry["minutes"]
            licences[key] = entry["licence"]
    origins = {**ORIGINS, **dict(credited(tables.read_text()))}
    same = all(len(by) == len(cards) and len(set(by.values())) == 1 for by in minutes.values())
    text = PAGE.format(
        parameters=f"{max(card.parameters for card in cards):,}",
        minutes=max(sum(e["minutes"] for e in card.trained_on) for card in cards),
        spread="All models here learned from the same minutes." if same else "Minutes differ by model.",
        copyleft="\n".join(
            row(source, spread(minutes[kind, source]), licence, REMARKS.get(source, ""))
            for (kind, source), licence in sorted(licences.items())
            if COPYLEFT.search(licence)
        ),
        sources="\n".join(
            row(kind, source, spread(minutes[kind, source]), licence, origins.get(source, "-"))
            for (kind, source), licence in sorted(licences.items())
        ),
    )
    with atomic_write(out) as written:
        written.write(text)


def row(*cells: Any) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def spread(by_model: Mapping[str, float]) -> str:
    """Minutes, by model where they differ."""
    if len(set(by_model.values())) == 1:
        return f"{next(iter(by_model.values()))}"
    return ", ".join(f"{minutes} ({name})" for name, minutes in by_model.items())


def credited(text: str) -> Iterator[tuple[str, str]]:
    """Source, and the other cells of its row, for every row of the tables in a Markdown text."""
    for line in text.splitlines():
        first, *others = (cell.strip() for cell in line.strip().strip("|").split("|"))
        if line.startswith("|") and re.fullmatch(r"[a-z0-9_]+", first) and first != "source":
            yield first, "; ".join(cell for cell in others if cell and not NUMBERS.fullmatch(cell))


if __name__ == "__main__":
    typer.run(main)
