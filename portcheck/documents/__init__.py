"""The vendors' documents: those that portcheck brings along, and files of the user's own."""

from __future__ import annotations

import os
from pathlib import Path

from portcheck.documents.reading import read_document
from portcheck.model import Document, PortcheckError
from portcheck.printable import quoted
from portcheck.wording import did_you_mean
from portcheck.yaml_input import describe

__all__ = ["find", "is_path", "load", "load_with_warnings", "shipped"]

_PACKAGE = Path(__file__).resolve().parent.parent
_FOLDERS = (_PACKAGE / "expectations", _PACKAGE.parent / "expectations")
"""An installed wheel carries the documents inside the package; a checkout has them at its top."""


def shipped() -> dict[str, Path]:
    """The documents that portcheck brings along: id to file, in the order of the ids."""
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    return {} if folder is None else {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def is_path(id_or_path: str) -> bool:
    """Whether the text means a file of the user's own and not a shipped document."""
    return "/" in id_or_path or id_or_path.endswith((".yaml", ".yml"))


def find(id_or_path: str) -> Document:
    """A shipped document by its id, or a file by its path (with a "/", or ending in .yaml or .yml).

    Raises:
        PortcheckError: no shipped document has this id.
        InputError: the file cannot be used; the message has every problem of it.
    """
    if is_path(id_or_path):
        return load(id_or_path)
    known = shipped()
    if id_or_path not in known:
        guess = did_you_mean(id_or_path, known)
        raise PortcheckError(
            f"unknown document {quoted(id_or_path)}{guess} (known: {', '.join(known) or 'none'}; "
            "a file of your own needs a / in its path, or .yaml at the end)"
        )
    return load(known[id_or_path])


def load(path: str | os.PathLike[str]) -> Document:
    """The document in the file at `path`.

    Raises:
        InputError: the file cannot be used; the message has every problem of it.
    """
    return load_with_warnings(path)[0]


def load_with_warnings(path: str | os.PathLike[str]) -> tuple[Document, tuple[str, ...]]:
    """The document, and a line of text for everything that is allowed but odd: `path:line: key.path: what`.

    Raises:
        InputError: as `load`.
    """
    file = Path(path)
    is_shipped = file.suffix == ".yaml" and file.resolve().parent in _FOLDERS
    document, oddities = read_document(path, must_be=file.stem if is_shipped else None)
    return document, tuple(describe(os.fspath(path), oddity) for oddity in oddities)
