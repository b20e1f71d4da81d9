"""A document's file becomes a Document or a ReferenceDocument, as its `kind` says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from portcheck.documents import product, reference
from portcheck.documents.product_fields import PRODUCT
from portcheck.documents.reference_fields import REFERENCE
from portcheck.model import Document, ReferenceDocument
from portcheck.records import Entry, read_one_of
from portcheck.yaml_input import Problem, Problems

_KINDS = {"product": PRODUCT, "reference": REFERENCE}
_Read = Callable[[Entry, Problems], tuple[Document | ReferenceDocument, Iterable[Problem]]]
_READERS: Mapping[str, _Read] = {"product": product.read, "reference": reference.read}


def read_document(
    path: str | os.PathLike[str], must_be: str | None = None
) -> tuple[Document | ReferenceDocument, Iterable[Problem]]:
    """The document at `path`; `must_be` is the id it must have.

    Returns:
        The document, and what is odd in it without being wrong; that is only looked for when it is asked for.

    Raises:
        InputError: with every problem of the file.
    """
    problems = Problems(os.fspath(path))
    kind, entry = read_one_of(path, "kind", _KINDS, "product", problems)
    document_id = entry.get("id", str)
    if must_be is not None and document_id not in (None, must_be):
        text = f"is {document_id}, but the file is called {must_be}.yaml; make them the same"
        problems.add(entry.line_of("id"), "id", text)
    return _READERS[kind](entry, problems)
