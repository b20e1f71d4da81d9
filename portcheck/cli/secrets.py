"""Secrets from a file or the environment; never from the command line, where every user of the machine reads them."""

from __future__ import annotations

import os
import stat
from dataclasses import fields
from typing import TYPE_CHECKING

from portcheck.cli.output import tell
from portcheck.model import PortcheckError, Secrets
from portcheck.printable import printable

if TYPE_CHECKING:
    from portcheck.yaml_input import InputError

ENVIRONMENT = {each.name: f"PORTCHECK_{each.name.upper()}" for each in fields(Secrets)}
"""Field of Secrets to the variable that holds it."""

_LONGEST_BYTES = 256
_FORM = (
    f"write {' or '.join(f'{name}: VALUE' for name in ENVIRONMENT)}, in quotes where YAML reads something else; "
    f"at most {_LONGEST_BYTES} bytes, without control characters"
)
_READABLE_BY_OTHERS = stat.S_IRGRP | stat.S_IROTH


def secrets(path: str | None) -> Secrets:
    """What the environment and the file say; the file wins.

    Raises:
        PortcheckError: a value or the file is unusable. No message contains a value.
    """
    given = {name: value for name, variable in ENVIRONMENT.items() if (value := os.environ.get(variable))}
    for name, value in given.items():
        if (wrong := _wrong(value)) is not None:
            raise PortcheckError(f"{ENVIRONMENT[name]}: {wrong}")
    if path is not None:
        given |= _of_file(path)
    return Secrets(**given)


def _of_file(path: str) -> dict[str, str]:
    from portcheck.records import Field, Record, Syntax, read_record
    from portcheck.yaml_input import InputError, Problems

    # A syntax of its own takes every value as it is written, also 0815 and yes.
    record = Record("secrets", tuple(Field(name, Syntax("a secret", _as_written), "") for name in ENVIRONMENT))
    problems = Problems(path)
    try:
        entry = read_record(path, record, problems)
        problems.raise_if_any()
    except InputError as error:
        raise _without_values(path, error) from None
    given = {name: value for name in ENVIRONMENT if (value := entry.get(name, str)) is not None}
    if not given:
        raise PortcheckError(f"{printable(path, 300)}: no secret in it: {_FORM}")
    warn_of_other_readers(path, os.stat(path).st_mode)
    return given


def warn_of_other_readers(path: str, mode: int) -> None:
    """Say so where others can read a file that nobody else should."""
    if mode & _READABLE_BY_OTHERS:
        tell(f"{printable(path, 300)} can be read by other users of this machine: chmod 600 it")


def _without_values(path: str, error: InputError) -> PortcheckError:
    """What is wrong with a line repeats the line, or a part of it: a secret, most likely."""
    line = next((problem.line for problem in error.problems if problem.line is not None), None)
    return error if line is None else PortcheckError(f"{printable(path, 300)}:{line}: not usable: {_FORM}")


def _as_written(value: str) -> str:
    if (wrong := _wrong(value)) is not None:
        raise PortcheckError(wrong)
    return value


def _wrong(value: str) -> str | None:
    """What is wrong with it, without saying it."""
    if value.isprintable() and len(value.encode(errors="replace")) <= _LONGEST_BYTES:
        return None
    return f"not usable: at most {_LONGEST_BYTES} bytes, without control characters"
