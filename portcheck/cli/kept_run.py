"""Reading a run that was kept with -o: the file, its schema, the keys that a command needs of it."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from portcheck.model import PortcheckError
from portcheck.printable import printable
from portcheck.reports.run_json import SCHEMA
from portcheck.reports.run_shape import Shape, damage

_MAX_FILE_BYTES = 2**30


def load(path: str, shape: Shape) -> dict[str, Any]:
    """The run in a file, with everything that `shape` names.

    Raises:
        PortcheckError: it cannot be read, is not JSON, is not a run of this schema, or is damaged.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a file name"
        raise PortcheckError(f"{shown(path)}: cannot read it: {reason}; keep a run with -o run.json") from None
    if len(content) > _MAX_FILE_BYTES:
        raise PortcheckError(f"{shown(path)}: larger than 1 GiB: not a run of portcheck")
    try:
        run = json.loads(content)
    except (ValueError, RecursionError):
        raise PortcheckError(f"{shown(path)}: not JSON, or cut short; keep a run with -o run.json") from None
    if not isinstance(run, dict) or run.get("schema") != SCHEMA:
        raise PortcheckError(f"{shown(path)}: not a run of portcheck (its schema is not {SCHEMA})")
    if (found := damage(run, shape)) is not None:
        refuse(path, found)
    return run


def refuse(path: str, what: str) -> NoReturn:
    """Say what is wrong with the run in a file."""
    raise PortcheckError(f"{shown(path)}: the run is damaged: {what}")


def shown(path: str) -> str:
    """A path as a message names it."""
    return printable(path, 300)
