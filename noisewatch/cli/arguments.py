"""Refuses arguments that would be ignored in combination with others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import typer

from ..errors import UsageError, printable

T = TypeVar("T")


def only(ctx: typer.Context, name: str, values: Sequence[T] | None) -> T | None:
    """The value of an option that this command takes once. Raises UsageError if there are several."""
    if values and len(values) > 1:
        given = ", ".join(printable(str(value)) for value in values)
        raise UsageError(f"{_shown(ctx, name)} is given several times: {given}. Here it can be given once.")
    return values[0] if values else None


def typed(ctx: typer.Context, name: str) -> bool:
    """Whether a parameter was given on the command line, not by the environment or the file."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def refuse_beside(ctx: typer.Context, name: str, *others: str) -> None:
    """Raises UsageError if one of the other parameters, which have no effect together with this one, was typed."""
    if wrong := _typed(ctx, others):
        raise UsageError(f"{wrong} would be ignored with {_shown(ctx, name)}. Omit one of the two.")


def refuse_without(ctx: typer.Context, needed: str, *names: str) -> None:
    """Raises UsageError if one of the parameters, which have no effect without the needed one, was typed."""
    if wrong := _typed(ctx, names):
        raise UsageError(f"{wrong} would be ignored without {needed}: give both, or neither.")


def _typed(ctx: typer.Context, names: Iterable[str]) -> str:
    return " and ".join(_shown(ctx, name) for name in names if typed(ctx, name))


def _shown(ctx: typer.Context, name: str) -> str:
    (parameter,) = (p for p in ctx.command.params if p.name == name)
    given = max(parameter.opts, key=len)
    if ctx.params.get(name) is False and parameter.secondary_opts:
        given = max(parameter.secondary_opts, key=len)
    return given if given.startswith("-") else (parameter.metavar or given.upper())
