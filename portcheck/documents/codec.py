"""Documents as JSON and back, by the types of portcheck.model: reading YAML takes ten times as long. Pure.

A copy begins with a line that has the SHA-256 of the YAML file that it was made from, and of the rest of the copy.
The first makes a copy of another version of the file useless, the second a damaged or half-written copy. Neither is
against forgery: whoever can write to the folder of the copies can write to the program as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from hashlib import sha256
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from portcheck.model import Document, ReferenceDocument

Decoder = Callable[[Any], Any]

FORMAT = 1
"""One more when the same YAML file begins to mean something else, or the copy is written in another way."""

_KINDS: Mapping[str, type[Document] | type[ReferenceDocument]] = {"product": Document, "reference": ReferenceDocument}


class UselessCopyError(Exception):
    """The copy is damaged, or not one of this source by this version of portcheck. Its YAML file has everything."""


def encode(document: Document | ReferenceDocument, source: bytes) -> bytes:
    """The copy of a document that was read from `source`."""
    content = _lines(_encoded(document))
    kind = next(name for name, of in _KINDS.items() if isinstance(document, of))
    return _head(kind, source, content) + content


def decode(copy: bytes, source: bytes) -> Document | ReferenceDocument:
    """The document that `copy` is one of, if it was made from `source`.

    Raises:
        UselessCopyError: it was not, or it is damaged.
    """
    head, newline, content = copy.partition(b"\n")
    of: Any = next((of for kind, of in _KINDS.items() if head + newline == _head(kind, source, content)), None)
    if of is None:
        raise UselessCopyError
    try:
        document: Document | ReferenceDocument = _decoder(of)(json.loads(content))
        return document
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise UselessCopyError from error


def _head(kind: str, source: bytes, content: bytes) -> bytes:
    says = {
        "format": FORMAT,
        "kind": kind,
        "source": sha256(source).hexdigest(),
        "content": sha256(content).hexdigest(),
    }
    return json.dumps(says).encode() + b"\n"


# ----------------------------------------------------------------------------------------------- encoding


def _lines(encoded: Any) -> bytes:
    """Each entry on a line of its own: a change of one row is a change of one line."""
    parts = []
    for key, value in encoded.items():
        items = ",\n".join(map(_json, value)) if isinstance(value, list) else None
        parts.append(f"{_json(key)}: {_json(value)}" if items is None else f"{_json(key)}: [\n{items}\n]")
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _encoded(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        given = ((field, getattr(value, field.name)) for field in fields(value))
        return {field.name: _encoded(part) for field, part in given if part != _default(field)}
    if isinstance(value, Mapping):
        return {key: _encoded(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return [_encoded(part) for part in value]
    return value


def _default(field: Field[Any]) -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()


# ----------------------------------------------------------------------------------------------- decoding


@cache
def _decoder(hint: Any) -> Decoder:
    """What reads a value of this type; it raises TypeError, ValueError or KeyError for any other."""
    origin, arguments = get_origin(hint), get_args(hint)
    if isinstance(hint, UnionType):
        (one,) = (argument for argument in arguments if argument is not type(None))
        return _optional(_decoder(one))
    if origin is tuple:
        inner = tuple(map(_decoder, (arg for arg in arguments if arg is not Ellipsis)))
        return _any_number_of(inner[0]) if Ellipsis in arguments else _one_each_of(inner)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping_to(_decoder(arguments[1]))
    if is_dataclass(hint):
        return _record(hint)
    if issubclass(hint, Enum):
        return {member.value: member for member in hint}.__getitem__
    return _only(hint)


def _only(of: type) -> Decoder:
    def decoder(value: Any) -> Any:
        if type(value) is not of:  # isinstance takes true for a number
            raise TypeError(of)
        return value

    return decoder


def _optional(inner: Decoder) -> Decoder:
    return lambda value: None if value is None else inner(value)


def _any_number_of(inner: Decoder) -> Decoder:
    a_list = _only(list)
    return lambda value: tuple(map(inner, a_list(value)))


def _one_each_of(inner: tuple[Decoder, ...]) -> Decoder:
    a_list = _only(list)
    return lambda value: tuple(decode(part) for decode, part in zip(inner, a_list(value), strict=True))


def _mapping_to(inner: Decoder) -> Decoder:
    a_mapping = _only(dict)
    return lambda value: {key: inner(part) for key, part in a_mapping(value).items()}


def _record(of: Any) -> Decoder:
    hints = get_type_hints(of)
    known = {field.name: _decoder(hints[field.name]) for field in fields(of)}
    a_mapping = _only(dict)
    return lambda value: of(**{key: known[key](part) for key, part in a_mapping(value).items()})
