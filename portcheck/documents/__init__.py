"""The vendors' documents: those that portcheck brings along, and files of the user's own."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from portcheck.model import Document, Library, PortcheckError, ReferenceDocument
from portcheck.printable import printable, quoted

if TYPE_CHECKING:
    from portcheck.yaml_input import Problem

__all__ = ["find", "find_any", "is_path", "library", "load", "load_with_warnings", "references", "shipped"]

_PACKAGE = Path(__file__).resolve().parent.parent
_FOLDERS = (_PACKAGE / "expectations", _PACKAGE.parent / "expectations")
"""An installed wheel carries the documents inside the package; a checkout has them at its top."""


_PORT_LIST = b"\nkind: reference\n"
"""Every shipped port list has this line, as a test asserts."""


def shipped() -> dict[str, Path]:
    """The documents that portcheck brings along, of both kinds: id to file, in the order of the ids."""
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    return {} if folder is None else {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def is_path(id_or_path: str) -> bool:
    """Whether the text means a file of the user's own and not a shipped document."""
    return "/" in id_or_path or id_or_path.endswith((".yaml", ".yml"))


def find(id_or_path: str) -> Document:
    """A product's document by its id, or by its file's path (with a "/", or ending in .yaml or .yml).

    Raises:
        PortcheckError: no shipped document has this id, or it is a port list.
        InputError: the file cannot be used; the message has every problem of it.
    """
    return _of_a_product(find_any(id_or_path))


def find_any(id_or_path: str) -> Document | ReferenceDocument:
    """As `find`, a port list as well.

    Raises:
        PortcheckError: no shipped document has this id.
        InputError: the file cannot be used; the message has every problem of it.
    """
    if is_path(id_or_path):
        document = _read(id_or_path)[0]
        return replace(document, path=id_or_path) if isinstance(document, Document) else document
    known = shipped()
    if id_or_path not in known:
        from portcheck.wording import did_you_mean

        guess = did_you_mean(id_or_path, known)
        raise PortcheckError(
            f"unknown document {quoted(id_or_path)}{guess} (known: {', '.join(known) or 'none'}; "
            "a file of your own needs a / in its path, or .yaml at the end)"
        )
    return _shipped(known[id_or_path])


def references() -> tuple[ReferenceDocument, ...]:
    """The shipped port lists; those that require something are not read for it."""
    lists = (_shipped(path) for path in shipped().values() if _PORT_LIST in path.read_bytes())
    return tuple(each for each in lists if isinstance(each, ReferenceDocument))


def library(also: Iterable[Document | ReferenceDocument] = ()) -> Library:
    """Everything that portcheck brings along, after the documents `also`: one that has a shipped id stands for it."""
    own = list(also)
    products = {each.id: each for each in own if isinstance(each, Document)}
    lists = {each.id: each for each in own if isinstance(each, ReferenceDocument)}
    rest = [_shipped(path) for name, path in shipped().items() if name not in products]
    return Library(
        documents=(*products.values(), *(each for each in rest if isinstance(each, Document))),
        references=(
            *lists.values(),
            *(each for each in rest if isinstance(each, ReferenceDocument) and each.id not in lists),
        ),
    )


def load(path: str | os.PathLike[str]) -> Document:
    """The product's document in the file at `path`.

    Raises:
        PortcheckError: it is a port list.
        InputError: the file cannot be used; the message has every problem of it.
    """
    return _of_a_product(_read(path)[0])


def load_with_warnings(path: str | os.PathLike[str]) -> tuple[Document | ReferenceDocument, tuple[str, ...]]:
    """The document, and a line of text for what is allowed but odd, `path:line: key.path: what`: at most 200.

    Raises:
        InputError: the file cannot be used; the message has every problem of it.
    """
    from portcheck.yaml_input import MAX_PROBLEMS, describe

    document, oddities = _read(path)
    found = sorted(islice(oddities, MAX_PROBLEMS), key=lambda oddity: oddity.line or 0)
    return document, tuple(describe(os.fspath(path), oddity) for oddity in found)


def _read(path: str | os.PathLike[str]) -> tuple[Document | ReferenceDocument, Iterable[Problem]]:
    from portcheck.documents.reading import read_document

    file = Path(path)
    is_shipped = file.suffix == ".yaml" and file.resolve().parent in _FOLDERS
    return read_document(path, must_be=file.stem if is_shipped else None)


def _of_a_product(document: Document | ReferenceDocument) -> Document:
    if isinstance(document, ReferenceDocument):
        raise PortcheckError(
            f"{printable(document.id)} is a list of port names and requires none: "
            "ask for a service by name (-e ssh), or see `portcheck explain 22/tcp`"
        )
    return document


def _shipped(path: Path) -> Document | ReferenceDocument:
    from portcheck.documents import compiled

    return compiled.read(path) or _read(path)[0]
