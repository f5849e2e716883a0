"""Writes docs/cli.md: every command with its options, as `--help` has them.

python tools/make_cli_page.py
python tools/make_cli_page.py --check    # exit 1 when the committed page is stale
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from noisewatch.cli.app import app

OUT = Path(__file__).parent.parent / "docs" / "cli.md"
HEAD = """\
# Commands

<!-- Written by tools/make_cli_page.py from the command itself. Change the help texts, not this page. -->

This is what `noisewatch COMMAND --help` shows. What the words mean is in [Concepts](concepts.md); exit codes are in
[a table there](concepts.md#exit-codes). `noisewatch --install-completion` installs completion for your shell (bash,
zsh, fish or PowerShell); open a new terminal afterwards.
"""


def page() -> str:
    """The page as Markdown."""
    group: Any = get_command(app)
    root = group.make_context("noisewatch", [], resilient_parsing=True)
    names = group.list_commands(root)
    parts = [HEAD, "\n".join(f"- [{name}](#{name}): {_summary(group.get_command(root, name))}" for name in names)]
    for name in names:
        command = group.get_command(root, name)
        parts += _command(command, command.make_context(name, [], parent=root, resilient_parsing=True))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _command(command: Any, context: Any) -> Iterator[str]:
    yield f"## {context.info_name}"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```\nnoisewatch {context.info_name} {usage}\n```"
    yield from _prose(command.help or "")
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None and parameter.name != "help":
            own = "Arguments" if parameter.param_type_name == "argument" else "Options"
            groups.setdefault(getattr(parameter, "rich_help_panel", None) or own, []).append(record)
    for title in sorted(groups, key=lambda title: title == "Options"):  # as the help pages have it
        yield f"**{title}**"
        rows = [f"| {_code(name)} | {_cell(text)} |" for name, text in groups[title]]
        yield "\n".join(["| name | meaning |", "| --- | --- |", *rows])
    yield from _prose(command.epilog or "")


def _summary(command: Any) -> str:
    return _cell(inspect.cleandoc(command.help or "").split("\n\n")[0])


def _prose(text: str) -> Iterator[str]:
    r"""Paragraphs; those marked \b, or indented, as blocks of code."""
    for block in re.split(r"\n\s*\n", inspect.cleandoc(text).split("\f")[0]):
        if block.startswith(("\b", " ")):
            title, _, lines = block.removeprefix("\b").strip("\n").rpartition(":\n")
            yield from [f"**{title}**"] if title else []
            yield "```\n" + inspect.cleandoc("\n" + lines) + "\n```"
        elif block.strip():
            yield _plain(" ".join(block.split()))


def _code(name: str) -> str:
    return "`" + " ".join(name.split()).replace("|", "\\|") + "`"


def _cell(text: str) -> str:
    text = re.sub(
        r"default: \((.*)\)((?:; .*)?\])$", r"default: \1\2", text
    )  # the brackets around a default in words
    return _plain(" ".join(text.split())).replace("|", "\\|")


def _plain(text: str) -> str:
    """A help text in which Markdown finds no markup of its own."""
    return text.replace("<", "&lt;").replace("*", "\\*")


def main() -> None:
    """Write the page, or compare it with what is there."""
    text = page()
    if "--check" not in sys.argv[1:]:
        OUT.write_text(text, encoding="utf-8")
    elif not OUT.is_file() or OUT.read_text(encoding="utf-8") != text:
        sys.exit(f"{OUT} is stale. Write it again: python tools/make_cli_page.py")


if __name__ == "__main__":
    main()
