"""What all commands share: the application, errors as sentences and exit codes, the training extra."""

from __future__ import annotations

import codecs
import importlib
import io
import os
import re
import select
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, NoReturn, TypeVar, cast

import typer

from ..errors import NoisewatchError, UsageError, printable
from ..system.timeouts import exit_if_hung
from . import settings
from .help import Command, Configurable, Group, examples

T = TypeVar("T", bound=Callable[..., Any])

DEAF_S = 0.3  # that stderr may take to accept a sentence
_deaf = False

WELCOME = """\
noisewatch {version} tells whether there is noise behind the voice.

  noisewatch listen demo    the meter on a clip that comes with it
  noisewatch listen         the meter on your microphone
  noisewatch devices        which microphones there are

More: noisewatch --help"""


@contextmanager
def _exit_codes() -> Iterator[None]:
    """Errors end as a sentence and an exit code."""
    try:
        yield
        sys.stdout.flush()
    except NoisewatchError as error:
        _fail(str(error), error.exit_code)
    except typer.BadParameter as error:
        error.message = plain(error.message)
        if (said := settings.explained(error)) is not None:
            _fail(f"{said}: {error.message}", 2)
        raise
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        _abandon_stdout()  # whoever read our output has enough
        raise SystemExit(0) from None
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # Rich found out first
            raise SystemExit(0) from None
        raise
    except OSError as error:
        _abandon_stdout()
        _fail(f"cannot write {error.filename or 'the output'}: {error.strerror or error}.", 7)


class _Group(Group):
    """Both halves of a command end in an exit code: reading its arguments (which answers --help) and running it."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        with _exit_codes():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        with _exit_codes():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Group,
    name="noisewatch",
    help="Is there noise behind the voice?",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def command(*lines: str, name: str | None = None, configurable: bool = False) -> Callable[[T], T]:
    """Decorator: make a function a subcommand.

    lines: examples for its help. configurable: all its options can be set by environment and file.
    """
    cls = Configurable if configurable else Command
    return app.command(name, cls=cls, epilog=examples(*lines) if lines else None)


_ALLOWED = {
    "number": "must be a number.",
    "integer": "must be an integer.",
    "boolean": "must be true or false.",
}


def plain(message: str) -> str:
    """Why a value is not a number; pydantic, which Typer uses where it is installed, is wordy about it."""
    match = re.match("Input should be a valid (number|integer|boolean)", message)
    return _ALLOWED[match[1]] if match else message


def main() -> None:
    """The `noisewatch` command."""
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves it
            signal.signal(number, _terminate)
    if sys.stderr is None:  # closed by the caller; print would fall back to stdout
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    else:
        _part_stderr()
    if sys.stdout is None:
        _fail("stdout is closed, so there is nowhere to write. Open it, or send it to /dev/null.", 7)
    if isinstance(sys.stdout, io.TextIOWrapper):  # the names of files need not be text, nor fit a terminal
        utf8 = codecs.lookup(sys.stdout.encoding).name == "utf-8"
        sys.stdout.reconfigure(errors="surrogateescape" if utf8 else "backslashreplace")
    try:
        app()
    except SystemExit as end:
        exit_if_hung(end.code)
        raise


def _part_stderr() -> None:
    """Our own stderr apart from descriptor 2, which is hidden from talkative libraries while a device is open."""
    with suppress(OSError, ValueError):
        kept = os.dup(sys.stderr.fileno())
        own = sys.stderr
        sys.stderr = open(kept, "w", 1, own.encoding, own.errors)  # noqa: SIM115, PTH123


def _terminate(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


def _abandon_stdout() -> None:
    """What is left in the buffer has nowhere to go, and Python would complain when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> NoReturn:
    tell("\n".join(map(printable, f"noisewatch: {message}".split("\n"))))
    raise SystemExit(code)


def say(sentence: str) -> None:
    """A sentence on stderr, beside the data."""
    tell(f"noisewatch: {printable(sentence)}")


def tell(line: str) -> None:
    """A line on stderr; lost, like all that follow, where nobody reads them."""
    global _deaf
    if not _deaf and sys.platform != "win32":  # where one cannot ask
        with suppress(OSError, ValueError):
            _deaf = not select.select([], [sys.stderr], [], DEAF_S)[1]
    if not _deaf:
        with suppress(OSError):
            print(line, file=sys.stderr, flush=True)


def typed(ctx: typer.Context, name: str) -> bool:
    """Whether a parameter was given on the command line: what the file says is for microphones."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def refuse_beside(ctx: typer.Context, name: str, *others: str) -> None:
    """Raises UsageError where one of the other parameters was typed, which mean nothing beside this one."""
    if wrong := _typed(ctx, others):
        raise UsageError(f"{wrong} would be ignored beside {_shown(ctx, name)}. Leave one of the two out.")


def refuse_without(ctx: typer.Context, needed: str, *names: str) -> None:
    """Raises UsageError where a parameter was typed that means nothing without what is needed."""
    if wrong := _typed(ctx, names):
        raise UsageError(f"{wrong} would be ignored without {needed}: give both, or neither.")


def _typed(ctx: typer.Context, names: Iterable[str]) -> str:
    return " and ".join(_shown(ctx, name) for name in names if typed(ctx, name))


def _shown(ctx: typer.Context, name: str) -> str:
    (parameter,) = (p for p in ctx.command.params if p.name == name)
    given = max(parameter.opts, key=len)
    return given if given.startswith("-") else (parameter.metavar or given.upper())


def answer_no(message: str) -> NoReturn:
    """The command did what it was asked, and the answer is no."""
    _fail(message, 3)


def training(module: str) -> ModuleType:
    """A module of the training package, or the sentence that brings it."""
    try:
        return importlib.import_module(f"noisewatch.training.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("noisewatch"):
            raise
        raise UsageError(
            f"this needs the training extra ({error.name} is missing). Install it in a clone of noisewatch: "
            "pip install '.[train]'"
        ) from error


def _version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        print(f"noisewatch {__version__}", flush=True)
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    if ctx.invoked_subcommand is None:
        from .. import __version__

        print(WELCOME.format(version=__version__))
        return
    commands = cast(Group, ctx.command).commands
    if ctx.invoked_subcommand == "config" or settings.configurable(commands[ctx.invoked_subcommand]):
        ctx.default_map = settings.defaults(commands)
