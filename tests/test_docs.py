"""The documentation is correct: links, examples, command lines, and names of files and modules."""

import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields
from typing import get_args

import numpy as np
import pytest
import soundfile as sf
from conftest import DEMO, ROOT
from test_architecture import MAY_IMPORT
from typer.main import get_command

import noisewatch
from noisewatch.cli.app import app
from noisewatch.core import events
from noisewatch.corpus.overrides import scene_config

PAGES = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md"), *(ROOT / "models").glob("*.md")])
LINK = re.compile(r"(?<!`)!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub and MkDocs give to the headings of a page."""
    heads = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def blocks(page: str, language: str) -> list[str]:
    """The code of a page in a language; "" for command lines."""
    return [code for _, found, code in FENCE.findall((ROOT / page).read_text()) if found == language]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files_and_headings(page):
    text = page.read_text()
    for target in LINK.findall(FENCE.sub("", text)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{page.name} links to {target}"
        assert path.is_relative_to(ROOT), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(path.read_text()), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_files_that_are_named_exist(page):
    for name in re.findall(r"`(?:python )?((?:[a-z_]+/)+[a-z_\d-]+\.(?:py|md|toml))", page.read_text()):
        assert any((at / name).exists() for at in (ROOT, ROOT / "noisewatch", page.parent)), f"{page.name}: {name}"


def test_the_readme_fits_a_screen_and_a_half_and_contributing_one():
    assert len((ROOT / "README.md").read_text().splitlines()) < 120
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= 40


def test_python_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "meetings").mkdir()
    shutil.copy(DEMO, "talk.flac")
    shutil.copy(DEMO, "meetings/monday.flac")
    samples, _ = sf.read(DEMO, dtype="int16", frames=48_000 * 6)
    sf.write("call.wav", np.stack([samples[:64_000]] * 2, 1), 16_000)
    x = samples[: 48_000 * 6].reshape(6, 48_000)
    np.savez("mix.npz", x=x, y=np.array([0, 0, 0, 0, 1, 1]), snr=np.array([99.0, 99, 99, 99, 10, 10]))
    names: dict[str, object] = {}
    for code in blocks("docs/python.md", "python"):
        exec(code, names)
    assert names["answer"].answer == "noisy"
    assert len(names["rows"]) >= 1
    assert names["rest"]


def test_the_page_on_python_names_all_that_is_public():
    text = (ROOT / "docs/python.md").read_text()
    assert [name for name in noisewatch.__all__ if name not in text and name != "__version__"] == []


def test_the_pages_name_every_field_option_warning_and_reason():
    python, concepts = ((ROOT / "docs" / page).read_text() for page in ("python.md", "concepts.md"))
    values = ("Reading", "Event", "DetectorConfig", "Answer", "FileReport", "Segment")
    names = [field.name for value in values for field in fields(getattr(noisewatch, value))]
    settings = {"model", "hop_s", "threshold", "channel", "size", "mtime_ns"}  # with which a FileReport was made
    assert [name for name in names if f"`{name}`" not in python and name not in settings] == []
    marks = [*get_args(events.Reason), *get_args(events.WarningName)]
    assert [mark for mark in marks if f"| `{mark}` |" not in concepts] == []


def lines() -> list[tuple[str, list[str]]]:
    """Every noisewatch command line in README and docs, split into words, with the name of its page."""
    found = []
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        if page.name == "cli.md":
            continue
        text = page.read_text()
        code = "\n".join(
            [
                re.sub(r"'[^'\n]*'|\"[^\"\n]*\"", "QUOTED", c)
                for _, language, c in FENCE.findall(text)
                if language in ("", "ini")
            ]
        )
        code += "\n" + "\n".join(re.findall(r"`(noisewatch [^`]+)`", " ".join(text.split())))
        for match in re.finditer(r"(?<!git clone REPOSITORY )\bnoisewatch ([a-z][a-z-]+)((?: +[^\s|&;#]+)*)", code):
            found.append((page.name, match.group().split()))
    return found


def test_command_lines_use_commands_and_options_that_exist():
    commands = get_command(app).commands
    seen = set()
    for page, (_, name, *words) in lines():
        if name not in commands:
            assert name in ("data", "starts"), f"{page}: noisewatch {name}"  # --collect-data noisewatch --hidden...
            continue
        known = {each for p in commands[name].params for each in (*p.opts, *p.secondary_opts)}
        given = {w.partition("=")[0] for w in words if re.fullmatch(r"--?[a-z][\w-]*(=.*)?", w)}
        assert given <= known, f"{page}: noisewatch {name} {given - known}"
        seen.add(name)
    assert seen == set(commands)


def test_configuration_and_recipes_on_the_pages_can_be_read():
    for page in ("docs/usage.md", "docs/training.md"):
        for code in blocks(page, "toml"):
            scene_config(tomllib.loads(code).get("scene", {}))


def test_the_page_on_architecture_lists_every_module_as_it_is():
    script = ROOT / "tools/make_module_tables.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^\| `([\w/]+)` \| (.*) \|$", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE)
    assert [module for module, responsibility in rows if not responsibility.strip()] == []


def test_the_page_on_architecture_sends_newcomers_to_places_that_exist():
    text = (ROOT / "docs/architecture.md").read_text()
    (section,) = re.findall(r"## Where do I add.*?\n## ", text, re.DOTALL)
    for place in re.findall(r"`(\w+(?:/\w+)*)`", section.partition("| --- |")[2]):
        if "/" in place or place in MAY_IMPORT:
            paths = [ROOT / "noisewatch" / place, ROOT / place]
            assert any(p.is_dir() or p.with_suffix(".py").is_file() for p in paths), place
