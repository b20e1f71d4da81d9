"""The key that stand-ins and checks share: from a file or the environment, never from the command line (`ps`)."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress

from portcheck.cli.secrets import warn_of_other_readers
from portcheck.model import PortcheckError
from portcheck.printable import printable

ENVIRONMENT = "PORTCHECK_KEY"

_MAX_FILE_BYTES = 4096


def key(path: str | None) -> bytes | None:
    """The key in the file, or without one in the environment; None where neither has been given.

    Raises:
        PortcheckError: it is unusable. No message contains any of it.
    """
    if path is not None:
        return _of_file(path)
    text = os.environ.get(ENVIRONMENT)
    return _read(text, ENVIRONMENT) if text else None


def write_new_key(path: str) -> bytes:
    """A new key, kept in a new file that nobody else can read.

    Raises:
        PortcheckError: there is such a file already, or it cannot be written.
    """
    from portcheck.engine.token import new_key  # most checks have no key, and need nothing of this

    made = new_key()
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise _unusable(path, "it exists already: take it with --key-file, or name another file") from None
    except (OSError, ValueError) as error:
        raise _unusable(path, f"cannot write it: {_why(error)}") from None
    try:
        with open(number, "w", encoding="ascii") as file:
            file.write(f"{made.hex()}\n")
    except OSError as error:
        with suppress(OSError):
            os.unlink(path)
        raise _unusable(path, f"cannot write it: {_why(error)}") from None
    return made


def _of_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_FILE_BYTES)
            mode = os.fstat(file.fileno()).st_mode
    except FileNotFoundError as error:
        make = "make one with: portcheck listen … --write-key FILE"
        raise _unusable(path, f"cannot read it: {_why(error)}; {make}") from None
    except (OSError, ValueError) as error:
        raise _unusable(path, f"cannot read it: {_why(error)}") from None
    found = _read(data.decode("ascii", "replace"), printable(path, 300))
    # A pipe (`--key-file <(…)`) has a mode as well, and nobody else can open it.
    if stat.S_ISREG(mode):
        warn_of_other_readers(path, mode)
    return found


def _read(text: str, where: str) -> bytes:
    from portcheck.engine.token import LEAST_KEY_BYTES, MOST_KEY_BYTES

    digits = text.strip()
    if not re.fullmatch(f"([0-9A-Fa-f]{{2}}){{{LEAST_KEY_BYTES},{MOST_KEY_BYTES}}}", digits):
        lengths = f"{2 * LEAST_KEY_BYTES} to {2 * MOST_KEY_BYTES} hexadecimal digits, two for each byte"
        raise PortcheckError(f"{where}: no usable key: write one line of {lengths}")
    return bytes.fromhex(digits)


def _unusable(path: str, why: str) -> PortcheckError:
    return PortcheckError(f"key file {printable(path, 300)}: {why}")


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "that is not a file name"
