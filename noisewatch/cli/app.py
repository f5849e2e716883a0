"""The application: subcommands, and errors as sentences with an exit code."""

from __future__ import annotations

import codecs
import importlib
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, NoReturn, TypeVar, cast

import typer

from ..errors import NoisewatchError, UsageError, printable
from ..system.timeouts import exit_if_hung
from ..version import __version__
from . import settings
from .help import Command, Configurable, Group, examples
from .stderr import write_line

T = TypeVar("T", bound=Callable[..., Any])

WELCOME = """\
noisewatch {version} detects noise behind a voice.

  noisewatch listen demo    the meter, on a built-in clip
  noisewatch listen         the meter, on your microphone
  noisewatch devices        the microphones of this machine

More: noisewatch --help"""


@contextmanager
def _exit_codes() -> Iterator[None]:
    """Turn errors into a sentence on stderr and an exit code."""
    try:
        yield
        sys.stdout.flush()
    except NoisewatchError as error:
        _fail(str(error), error.exit_code)
    except typer.BadParameter as error:
        error.message = plain(error.message)
        if (origin := settings.origin_of(error)) is not None:
            _fail(f"{origin}: {error.message}", 2)
        raise
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        _abandon_stdout()  # the reader, such as `head`, has seen enough
        raise SystemExit(0) from None
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # Rich noticed first
            raise SystemExit(0) from None
        raise
    except OSError as error:
        _abandon_stdout()
        _fail(f"cannot write {error.filename or 'the output'}: {error.strerror or error}.", 7)


class _Group(Group):
    """Both steps of a command end in an exit code: parsing its arguments (which handles --help) and running it."""

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
    """Decorator that makes a function a subcommand.

    lines: examples for its help. configurable: environment and file can set all its options.
    """
    cls = Configurable if configurable else Command
    return app.command(name, cls=cls, epilog=examples(*lines) if lines else None)


def plain(message: str) -> str:
    """Why a value is refused, in short: pydantic, which Typer uses if it is installed, is wordy."""
    message = message.removeprefix("Value error, ")
    match = re.match("Input should be (a valid (number|integer|boolean)|.*)", message)
    if match is None:
        return message
    kinds = {"number": "a number", "integer": "an integer", "boolean": "true or false"}
    return f"must be {kinds.get(match[2]) or match[1]}."


def main() -> None:
    """The `noisewatch` command."""
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves it
            signal.signal(number, _terminate)
    if sys.stderr is None:  # closed by the caller; print would fall back to stdout
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    else:
        _separate_stderr()
    if sys.stdout is None:
        _fail("stdout is closed, so there is nowhere to write. Open it, or send it to /dev/null.", 7)
    if isinstance(sys.stdout, io.TextIOWrapper):  # file names may hold any bytes
        utf8 = codecs.lookup(sys.stdout.encoding).name == "utf-8"
        sys.stdout.reconfigure(errors="surrogateescape" if utf8 else "backslashreplace")
        if sys.stdout.isatty() and _plain_locale():
            sys.stdout.reconfigure(encoding="ascii", errors="replace")
    try:
        app()
    except SystemExit as end:
        exit_if_hung(end.code)
        raise


def _separate_stderr() -> None:
    """Move our own stderr to another descriptor: 2 is silenced while native libraries would write to it."""
    with suppress(OSError, ValueError):
        descriptor = os.dup(sys.stderr.fileno())
        own = sys.stderr
        encoding = "ascii" if own.isatty() and _plain_locale() else own.encoding
        sys.stderr = open(descriptor, "w", 1, encoding, own.errors)  # noqa: SIM115, PTH123


def _plain_locale() -> bool:
    """Whether the user asks for the C locale. Python then writes UTF-8 all the same (PEP 538, PEP 540)."""
    plain = ("C", "POSIX")
    if os.environ.get("LC_ALL"):
        return os.environ["LC_ALL"] in plain
    coerced = os.environ.get("LC_CTYPE", "C") in (*plain, "C.UTF-8", "C.utf8", "UTF-8")  # Python sets it
    return coerced and os.environ.get("LANG") in plain


def _terminate(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


def _abandon_stdout() -> None:
    """Send what is left in the buffer to /dev/null: Python flushes it at exit, and would report an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> NoReturn:
    write_line("\n".join(map(printable, f"noisewatch: {message}".split("\n"))))
    raise SystemExit(code)


def answer_no(message: str) -> NoReturn:
    """End with exit code 3: the command worked, and the answer is no."""
    _fail(message, 3)


def training(module: str) -> ModuleType:
    """Import a module of the training package. Raises UsageError with how to install the extra."""
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
        print(WELCOME.format(version=__version__))
        return
    commands = cast(Group, ctx.command).commands
    own = ctx.invoked_subcommand
    names = {"config": ["listen"], "doctor": ["doctor", "listen"]}.get(own, [own])  # they show those of `listen`
    ctx.default_map = {}
    for name in names:
        if settings.configurable(commands[name]):
            ctx.default_map |= settings.defaults(commands, name)
