"""Writing reports: to the terminal, and to files that are never half-written."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from portcheck.model import PortcheckError
from portcheck.printable import printable, quoted

_MIN_COLUMNS = 40
_MAX_COLUMNS = 110
"""Longer lines are harder to read, however wide the window is."""
_LOG_COLUMNS = 80
_MAX_PATH = 300
"""Characters of a path that a message shows; half a path is no help."""


class ReaderLeftError(Exception):
    """Whoever read stdout (head, less) went away. No BrokenPipeError, which typer makes a failure with status 1."""


class StdoutError(PortcheckError):
    """The report cannot be printed: a full disk behind a redirection, for example."""


def wants_color() -> bool:
    """Whether stdout is a terminal that likes colour (https://no-color.org, FORCE_COLOR)."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def columns() -> int:
    """How wide to write: the window, within reason; 80 in a file or a log."""
    if not sys.stdout.isatty():
        return _LOG_COLUMNS
    return max(_MIN_COLUMNS, min(shutil.get_terminal_size().columns, _MAX_COLUMNS))


def say(text: str) -> None:
    """Print a result. Characters that this locale cannot write are replaced, not fatal.

    Raises:
        ReaderLeftError: nobody reads stdout any more.
        StdoutError: stdout takes no more.
    """
    data = text.encode(sys.stdout.encoding or "utf-8", "replace")
    try:
        _write_all(data)
    except BrokenPipeError:
        raise ReaderLeftError from None
    except OSError as error:
        raise StdoutError(f"cannot print the report: {error.strerror}; keep it in a file with -o") from None


def _write_all(data: bytes) -> None:
    """With PYTHONUNBUFFERED, stdout is a raw file: it may take a part only, and says so in what it returns."""
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        sys.stdout.write(data.decode(sys.stdout.encoding or "utf-8"))
    else:
        sys.stdout.flush()
        left = memoryview(data)
        while left:
            left = left[stream.write(left) or 0 :]
    sys.stdout.flush()


def tell(text: str) -> None:
    """Print a message on stderr. Whatever it quotes, no terminal obeys it."""
    encoding = sys.stderr.encoding or "utf-8"
    safe = "\n".join(printable(line) for line in text.split("\n"))
    # Where even stderr is gone there is nobody to tell.
    with suppress(OSError):
        print(safe.encode(encoding, "replace").decode(encoding), file=sys.stderr, flush=True)


class ReportFile:
    """A report on its way to a file: written beside it under a temporary name, then renamed."""

    def __init__(self, path: str, target: Path, temporary: Path) -> None:
        self.path = path
        self._target = target
        self._temporary = temporary

    def write(self, text: str) -> None:
        """Put the whole report in place at once.

        Raises:
            PortcheckError: the disk is full or the folder is gone; an older file at the path is untouched.
        """
        try:
            with open(self._temporary, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(self._temporary, self._target)
        except OSError as error:
            raise PortcheckError(f"-o {_shown(self.path)}: cannot write it: {error.strerror}.") from None


@contextmanager
def report_files(paths: list[str]) -> Iterator[list[ReportFile]]:
    """Prepare to write to these paths, before anything is sent; nothing is left behind when the run fails.

    Raises:
        PortcheckError: a path cannot be written to.
    """
    files: list[ReportFile] = []
    temporaries: list[Path] = []
    try:
        for path in dict.fromkeys(paths):
            target = _target(path)
            temporary = _temporary_beside(target, path)
            temporaries.append(temporary)
            files.append(ReportFile(path, target, temporary))
        yield files
    finally:
        for temporary in temporaries:
            with suppress(OSError):
                temporary.unlink()


def _shown(path: str) -> str:
    return quoted(path, _MAX_PATH)


def _target(path: str) -> Path:
    """The file that a path means. A link stays one: what it points to is replaced."""
    if not path:
        raise PortcheckError('-o "": name a file, such as -o run.json.')
    if path == "-":
        raise PortcheckError("-o -: the report is on stdout anyway; for JSON there, write --format json.")
    try:
        target = Path(path).resolve()
        # A rename over /dev/null or a pipe would replace it for everybody.
        special = target.exists() and not target.is_file() and not target.is_dir()
        folder = target.is_dir()
    except OSError as error:
        raise _cannot_write(path, error) from None
    except (RuntimeError, ValueError):
        raise PortcheckError(f"-o {_shown(path)} is not a file name: name a file. Nothing was done.") from None
    if folder:
        raise PortcheckError(f"-o {_shown(path)} is a folder: name a file in it.")
    if special:
        raise PortcheckError(f"-o {_shown(path)} is not a file: name one, or redirect stdout.")
    return target


def _temporary_beside(target: Path, path: str) -> Path:
    try:
        number, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
        # mkstemp makes it private; a report is as readable as any other new file.
        mask = os.umask(0)
        os.umask(mask)
        os.fchmod(number, 0o666 & ~mask)
        os.close(number)
    except OSError as error:
        raise _cannot_write(path, error) from None
    return Path(name)


def _cannot_write(path: str, error: OSError) -> PortcheckError:
    folder = printable(str(Path(path).parent), _MAX_PATH)
    return PortcheckError(f"-o {_shown(path)}: cannot write to {folder}: {error.strerror}. Nothing was done.")
