"""Compiled copies of the shipped documents beside their YAML files: python -m portcheck.documents.compiled makes them.

A copy counts only as long as it agrees with its YAML file; otherwise, and for files of the user's own, YAML is read.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from portcheck.documents.codec import UselessCopyError, decode, encode
from portcheck.model import Document, PortcheckError, ReferenceDocument

CHECKOUT = Path(__file__).resolve().parents[2] / "expectations"

FOLDER = "compiled"
_MAX_BYTES = 16 * 1024 * 1024
"""No file is read beyond that; YAML files have their own limit, which is lower."""


def path_of(source: Path) -> Path:
    """Where the copy of a YAML file is, if there is one."""
    return source.parent / FOLDER / f"{source.stem}.json"


def read(source: Path) -> Document | ReferenceDocument | None:
    """The document of the YAML file `source` from its copy; None if there is no copy that counts."""
    try:
        return decode(_read(path_of(source)), _read(source))
    except (OSError, UselessCopyError):
        return None


def _read(path: Path) -> bytes:
    if not path.is_file():  # a pipe would never end
        raise FileNotFoundError(path)
    with path.open("rb") as file:
        return file.read(_MAX_BYTES)


def compile_all(folder: Path) -> list[Path]:
    """Write a copy of every YAML file of the folder and remove those of files that are gone; the copies.

    Raises:
        InputError: a file cannot be used.
    """
    from portcheck.documents.reading import read_document

    (folder / FOLDER).mkdir(exist_ok=True)
    written = []
    for source in sorted(folder.glob("*.yaml")):
        copy = path_of(source)
        unfinished = copy.with_suffix(f".{os.getpid()}.tmp")
        content = _read(source)  # first: of a file that is edited meanwhile, the copy must be of no use
        unfinished.write_bytes(encode(read_document(source, must_be=source.stem)[0], content))
        os.replace(unfinished, copy)
        written.append(copy)
    for other in {*(folder / FOLDER).iterdir()} - {*written}:
        other.unlink()
    return written


def main() -> int:
    """Compile the documents of the checkout; 2 if one of them cannot be used."""
    try:
        for copy in compile_all(CHECKOUT):
            sys.stdout.write(f"{copy}\n")
    except PortcheckError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
