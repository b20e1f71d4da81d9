"""The command line: the only place that prints, exits, or reads the environment."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from portcheck.cli.started import STARTED_BY as STARTED_BY  # First of all of ours.

USAGE = 2
BUG = 70
_BROKEN_PIPE = 141
"""128 + SIGPIPE, what a shell reports for a command whose reader went away."""
_INTERRUPTED = 130
"""128 + SIGINT: stopped before there was a run to report."""


@runtime_checkable
class _UsageError(Protocol):
    """What typer raises for arguments that it cannot use; its class comes from click or a copy of it."""

    exit_code: int

    def format_message(self) -> str: ...


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit. Status: docs/reference/exit-status.md."""
    _reopen_closed_streams()
    from portcheck.cli.output import ReaderLeftError, tell

    try:
        sys.exit(_run(arguments))
    except ReaderLeftError:
        _write_nothing_more()
        sys.exit(_BROKEN_PIPE)
    except KeyboardInterrupt:
        tell("portcheck: interrupted")
        sys.exit(_INTERRUPTED)
    except Exception:
        traceback.print_exc()
        tell("portcheck: this is a bug of portcheck, not of your network; please report the lines above.")
        sys.exit(BUG)


def _run(arguments: Sequence[str] | None) -> int:
    """The exit status of one command; unusable input is told and gives 2."""
    import typer

    from portcheck.cli.app import app
    from portcheck.cli.output import StdoutError, tell
    from portcheck.model import PortcheckError

    try:
        status = app(args=arguments, prog_name="portcheck", standalone_mode=False)
    except PortcheckError as error:
        tell(f"portcheck: {error}")
        if isinstance(error, StdoutError):
            _write_nothing_more()
        return USAGE
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        if not isinstance(error, _UsageError):
            raise
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "portcheck"
        tell(f"portcheck: {error.format_message()}\nTry: {command} --help")
        return USAGE
    if status == _INTERRUPTED:
        raise KeyboardInterrupt
    return status if isinstance(status, int) else 0


def _reopen_closed_streams() -> None:
    """Give a stream that was closed (`>&-`) to /dev/null, or the first socket would become stdout."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))


def _write_nothing_more() -> None:
    """Nobody reads stdout any more: keep Python from writing its buffer once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
