"""Runs a command of portcheck inside the test's process: what it prints, and its exit status."""

from __future__ import annotations

import os
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from unittest.mock import patch

from portcheck.cli import main

_COLOR = ("NO_COLOR", "FORCE_COLOR")


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    status: int
    out: str
    err: str


def portcheck(*arguments: str, **environment: str) -> Done:
    """Run `portcheck arguments…`, not on a terminal; colour only as `environment` says."""
    inherited = {name: value for name, value in os.environ.items() if name not in _COLOR}
    out, err = StringIO(), StringIO()
    with patch.dict(os.environ, {**inherited, **environment}, clear=True), redirect_stdout(out), redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as end:
            status = end.code
        else:
            raise AssertionError("main() returned; it has to exit")
    assert isinstance(status, int)
    return Done(status, out.getvalue(), err.getvalue())
