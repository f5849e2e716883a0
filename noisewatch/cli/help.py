"""Help pages: plain text that fits 80 columns, options and commands in groups, examples at the end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from typer.core import TyperCommand, TyperGroup

PREFIX = "NOISEWATCH_"  # of environment variables

# In the order in which people need them.
COMMANDS = {
    "Listen": ("listen", "check", "scan", "devices", "calibrate", "doctor"),
    "Train": ("prepare", "mix", "train", "export-onnx", "evaluate", "models", "bench"),
    "Configure": ("config",),
}
ORDER = [name for names in COMMANDS.values() for name in names]

# Names of option groups, for `rich_help_panel`.
INPUT, DETECTION, OUTPUT, ACTIONS, TRAINING = "Input", "Detection", "Output", "Actions", "Training"


class Command(TyperCommand):
    """A command whose help groups its options by `rich_help_panel`.

    The variable of an option that can be repeated holds one value per line: names of devices contain spaces.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for param in self.params:
            if getattr(param, "multiple", False):
                param.value_from_envvar = partial(_lines_of_variable, param)  # type: ignore[method-assign]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each group, in the order of the parameters; ungrouped options come last."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            param.show_envvar = False  # type: ignore[attr-defined]  # `noisewatch config` lists the variables
            record = param.get_help_record(ctx)
            if record is not None:
                own = "Arguments" if param.param_type_name == "argument" else "Options"
                groups.setdefault(getattr(param, "rich_help_panel", None) or own, []).append(record)
        for title in sorted(groups, key=lambda title: title == "Options"):
            with formatter.section(title):
                formatter.write_dl(groups[title])


class Configurable(Command):
    """A command whose options all have an environment variable, and so can be set in the file."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for param in self.params:
            if param.param_type_name == "option" and param.envvar is None:
                long = max(param.opts, key=len).lstrip("-")
                param.envvar = PREFIX + long.upper().replace("-", "_")


class Group(TyperGroup):
    """The command with subcommands: `noisewatch`."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the subcommands, the most used first."""
        return sorted(super().list_commands(ctx), key=ORDER.index)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each group of commands."""
        width = formatter.width - 6 - max(map(len, ORDER))
        for title, names in COMMANDS.items():
            found = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(title):
                formatter.write_dl([(name, c.get_short_help_str(width)) for name, c in found if c is not None])


def _lines_of_variable(param: Any, ctx: Any) -> Sequence[str] | None:
    value = param.resolve_envvar_value(ctx)
    return None if value is None else value.splitlines()


def examples(*lines: str) -> str:
    """An epilog that shows command lines as they are."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
