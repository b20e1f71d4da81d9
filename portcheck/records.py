"""Input files as tables of fields: what may stand where, and the reading of YAML nodes by such a table.

One table serves three readers: this module, the JSON Schema and the manual's reference page.
A value is read as it is written; what YAML would silently turn into a number, a boolean or a date is an error.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from portcheck.model import PortcheckError
from portcheck.printable import printable, quoted
from portcheck.wording import did_you_mean
from portcheck.yaml_input import (
    MappingNode,
    Node,
    Problems,
    ScalarNode,
    SequenceNode,
    read_yaml,
    yaml_type,
)

T = TypeVar("T")

MAX_TEXT = 2000
"""Characters in one value: a note is a paragraph, not a book."""


# ------------------------------------------------------------------------------------ what may stand where


@dataclass(frozen=True, slots=True)
class Text:
    """Prose of one paragraph; read as str with every run of white space made one space."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """A text with a syntax of its own, read by `parse`, which raises PortcheckError with what is wrong.

    Attributes:
        name: what it is, with its article: "a port list".
        schema: the JSON Schema keywords beside `type: string`.
    """

    name: str
    parse: Callable[[str], object]
    schema: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false, written so; read as bool."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One word out of a few; read as str."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list without repetitions; `lone`: a single value may stand for a list of one."""

    item: Kind
    at_least: int = 0
    lone: bool = False


@dataclass(frozen=True, slots=True)
class MapOf:
    """Names, chosen by the author, each with a value."""

    name: Syntax
    value: Kind
    at_least: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a record; `meaning` is its line in the manual."""

    key: str
    kind: Kind
    meaning: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping with known keys."""

    name: str
    fields: tuple[Field, ...]


Kind = Text | Syntax | Flag | Choice | ListOf | MapOf | Record


# -------------------------------------------------------------------------------------------- what was read


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """A value with its place: the dotted path `where` and the line of its key, or its own in a list."""

    value: T
    line: int
    where: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as read. A key that is there but unreadable has the value None; its problem is noted."""

    line: int
    where: str
    found: Mapping[str, Item[object]]

    def get(self, key: str, kind: type[T]) -> T | None:
        """The value of `key`, None when it is missing or unreadable."""
        item = self.item(key, kind)
        return None if item is None else item.value

    def item(self, key: str, kind: type[T]) -> Item[T] | None:
        """The value of `key` with its place, None when it is missing or unreadable."""
        item = self.found.get(key)
        if item is None or not isinstance(item.value, kind):
            return None
        return Item(item.value, item.line, item.where)

    def need(self, key: str, kind: type[T]) -> T:
        """The value of a required key of a file without problems."""
        value = self.get(key, kind)
        if value is None:
            raise KeyError(f"{self.where}.{key} was not read")
        return value

    def items(self, key: str, kind: type[T]) -> tuple[Item[T], ...]:
        """The readable items of a list; empty for a missing key."""
        listed = self.get(key, tuple) or ()
        return tuple(Item(item.value, item.line, item.where) for item in listed if isinstance(item.value, kind))

    def values(self, key: str, kind: type[T]) -> tuple[T, ...]:
        """The values of `items`."""
        return tuple(item.value for item in self.items(key, kind))

    def values_of(self, key: str, kind: type[T]) -> tuple[T, ...]:
        """The parts of a value whose syntax reads as a tuple, such as ports; empty for a missing key."""
        return tuple(part for part in self.get(key, tuple) or () if isinstance(part, kind))

    def mapping(self, key: str, kind: type[T]) -> dict[str, Item[T]]:
        """The readable values of a mapping by name; empty for a missing key."""
        named = self.get(key, dict) or {}
        return {
            name: Item(item.value, item.line, item.where)
            for name, item in named.items()
            if isinstance(item.value, kind)
        }

    def names(self, key: str) -> dict[str, int]:
        """The names of a mapping, readable or not, each with its line."""
        return {name: item.line for name, item in (self.get(key, dict) or {}).items()}

    def is_unreadable(self, key: str) -> bool:
        """Whether the key is there, but its value is not what it should be."""
        return key in self.found and self.found[key].value is None

    def line_of(self, key: str) -> int:
        """The line of a key, the record's own when the key is missing."""
        item = self.found.get(key)
        return self.line if item is None else item.line

    def path_of(self, key: str) -> str:
        """The dotted path of a key."""
        return _join(self.where, key)


def read_record(path: str | os.PathLike[str], record: Record, problems: Problems) -> Entry:
    """The file at `path` as a record, with everything wrong in it noted in `problems`.

    Raises:
        InputError: the file is unreadable as a whole, or has more problems than anybody would read.
    """
    return _read(read_yaml(path, problems), record, problems)


def read_one_of(
    path: str | os.PathLike[str], key: str, records: Mapping[str, Record], default: str, problems: Problems
) -> tuple[str, Entry]:
    """The file at `path` as the record that its `key` names, and that name; without the key, as the default.

    Raises:
        InputError: as `read_record`. Where it is not clear which record is meant, nothing else is judged.
    """
    node = read_yaml(path, problems)
    pairs = node.pairs if isinstance(node, MappingNode) else ()
    for written, value in pairs:
        if isinstance(written, ScalarNode) and written.text == key:
            name = _Reader(problems).read(Choice(tuple(records)), value, written.line, key)
            problems.raise_if_any()
            return str(name), _read(node, records[str(name)], problems)
    for written, _ in pairs:
        if isinstance(written, ScalarNode) and (meant := _meant_by(written.text, records, default)):
            problems.add(written.line, written.text, f"is for {key}: {meant}; add that, or remove {written.text}")
            problems.raise_if_any()
    return default, _read(node, records[default], problems)


def _meant_by(written: str, records: Mapping[str, Record], default: str) -> str | None:
    """The record that needs this key, if the default one has none of that name."""
    if any(field.key == written for field in records[default].fields):
        return None
    required = ((name, field) for name, record in records.items() for field in record.fields if field.required)
    return next((name for name, field in required if field.key == written), None)


def _read(node: Node, record: Record, problems: Problems) -> Entry:
    entry = _Reader(problems).read(record, node, node.line, "")
    if not isinstance(entry, Entry):
        problems.raise_if_any()
        raise TypeError("a record without problems was not read")
    return entry


# --------------------------------------------------------------------------------------------- the reading

_EXPECTED: Mapping[type[Kind], str] = {
    Text: "a text",
    Flag: "true or false",
    Choice: "one word",
    ListOf: "a list",
    MapOf: "a mapping",
    Record: "a mapping",
}

_FOUND: Mapping[type[Node], str] = {ScalarNode: "one value", SequenceNode: "a list", MappingNode: "a mapping"}


class _Reader:
    """Reads nodes by kinds; a value that cannot be read is a problem and None."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def read(self, kind: Kind, node: Node, line: int, where: str) -> object:
        match kind, node:
            case Record(), MappingNode():
                return self._record(kind, node, line, where)
            case MapOf(), MappingNode():
                return self._map(kind, node, line, where)
            case ListOf(), SequenceNode():
                return self._list(kind, node.items, line, where)
            case ListOf(lone=True), ScalarNode() | MappingNode() if _may_be(kind.item, node):
                return self._list(kind, [node], line, where)
            case Text() | Syntax() | Flag() | Choice(), ScalarNode():
                return self._scalar(kind, node, line, where)
            case _:
                self._refuse_shape(kind, node, line, where)
                return None

    def _record(self, record: Record, node: MappingNode, line: int, where: str) -> Entry:
        fields = {field.key: field for field in record.fields}
        found: dict[str, Item[object]] = {}
        for key, value in self._pairs(node, where):
            path = _join(where, key.text)
            if field := fields.get(key.text):
                found[key.text] = Item(self.read(field.kind, value, key.line, path), key.line, path)
            else:
                guess = _comma_advice(key, value) or did_you_mean(key.text, fields) or "; remove it"
                text = f"unknown key{guess} (allowed: {', '.join(fields)})"
                self._problems.add(key.line, path, text)
        for field in record.fields:
            if field.required and field.key not in found:
                self._problems.add(line, where, f"{field.key} is missing; add it: {field.meaning}")
        return Entry(line, where, found)

    def _map(self, kind: MapOf, node: MappingNode, line: int, where: str) -> dict[str, Item[object]]:
        found: dict[str, Item[object]] = {}
        for key, value in self._pairs(node, where):
            path = _join(where, key.text)
            self._parse(kind.name, key.text, key.line, path)
            found[key.text] = Item(self.read(kind.value, value, key.line, path), key.line, path)
        self._refuse_too_few(len(node.pairs), kind.at_least, line, where)
        return found

    def _pairs(self, node: MappingNode, where: str) -> list[tuple[ScalarNode, Node]]:
        lines: dict[str, int] = {}
        pairs: list[tuple[ScalarNode, Node]] = []
        for key, value in node.pairs:
            if not isinstance(key, ScalarNode):
                self._problems.add(key.line, where, f"a key is {_FOUND[type(key)]}; write a name")
            elif key.text in lines:
                text = f"written twice, first in line {lines[key.text]}; remove one"
                self._problems.add(key.line, _join(where, key.text), text)
            else:
                lines[key.text] = key.line
                pairs.append((key, value))
        return pairs

    def _list(self, kind: ListOf, nodes: Collection[Node], line: int, where: str) -> tuple[Item[object], ...]:
        items: list[Item[object]] = []
        seen: set[str] = set()
        for number, node in enumerate(nodes):
            path = f"{where}[{number}]" if len(nodes) > 1 or not kind.lone else where
            items.append(Item(self.read(kind.item, node, node.line, path), node.line, path))
            if isinstance(node, ScalarNode):
                if node.text in seen:
                    self._problems.add(node.line, path, f"{quoted(node.text)} is listed twice; remove one")
                seen.add(node.text)
        self._refuse_too_few(len(nodes), kind.at_least, line, where)
        return tuple(items)

    def _refuse_too_few(self, count: int, at_least: int, line: int, where: str) -> None:
        if count < at_least:
            self._problems.add(line, where, f"is empty; name at least {at_least}")

    def _scalar(self, kind: Text | Syntax | Flag | Choice, node: ScalarNode, line: int, where: str) -> object:
        written = yaml_type(node)
        if written == "nothing" or not node.text.strip():
            self._problems.add(line, where, f"is empty; write {_expected(kind)}")
            return None
        if len(node.text) > MAX_TEXT:
            text = f"has {len(node.text)} characters; write at most {MAX_TEXT}"
            self._problems.add(line, where, text)
            return None
        match kind:
            case Syntax():
                return self._parse(kind, node.text, line, where)
            case Flag():
                return self._flag(node, written, line, where)
            case Choice():
                return self._choice(kind, node.text, line, where)
            case Text():
                return self._text(node, written, line, where)

    def _parse(self, kind: Syntax, text: str, line: int, where: str) -> object:
        try:
            return kind.parse(text)
        except PortcheckError as error:
            self._problems.add(line, where, str(error))
            return None

    def _flag(self, node: ScalarNode, written: str, line: int, where: str) -> bool | None:
        if node.text in ("true", "false") and written == "boolean":
            return node.text == "true"
        quotes = " without quotes" if node.text in ("true", "false") else ""
        self._problems.add(line, where, f"{quoted(node.text)} is not a boolean; write true or false{quotes}")
        return None

    def _choice(self, kind: Choice, text: str, line: int, where: str) -> str | None:
        if text in kind.words:
            return text
        words = " or ".join(filter(None, (", ".join(kind.words[:-1]), kind.words[-1])))
        self._problems.add(line, where, f"{quoted(text)} is unknown; write {words}{did_you_mean(text, kind.words)}")
        return None

    def _text(self, node: ScalarNode, written: str, line: int, where: str) -> str | None:
        text = " ".join(node.text.split())
        if written != "text":
            shown = printable(text, 60)
            self._problems.add(line, where, f'{shown} is a {written} to YAML; write it in quotes: "{shown}"')
            return None
        if not text.isprintable():
            self._problems.add(line, where, f"{quoted(text)} has an unprintable character; remove it")
            return None
        return text

    def _refuse_shape(self, kind: Kind, node: Node, line: int, where: str) -> None:
        expected = _expected(kind)
        if isinstance(node, ScalarNode) and yaml_type(node) == "nothing":
            text = f"is empty; write {expected}"
        elif isinstance(kind, ListOf) and isinstance(node, ScalarNode) and _may_be(kind.item, node):
            text = f"is one value; write a list: [{printable(node.text, 40)}]"
        else:
            text = f"is {_FOUND[type(node)]}; write {expected}"
        self._problems.add(line, where, text)


def _expected(kind: Kind) -> str:
    if isinstance(kind, ListOf):
        return _EXPECTED[Record] if kind.lone and isinstance(kind.item, Record) else _EXPECTED[ListOf]
    return kind.name if isinstance(kind, Syntax) else _EXPECTED[type(kind)]


def _may_be(kind: Kind, node: Node) -> bool:
    """Whether a node has the shape of a kind: one value or a mapping."""
    return isinstance(node, MappingNode if isinstance(kind, Record | MapOf) else ScalarNode)


def _comma_advice(key: ScalarNode, value: Node) -> str:
    """`{tcp: 80, 443}` reads as a key 443 without a value."""
    alone = isinstance(value, ScalarNode) and value.plain and not value.text and value.line == key.line
    digits = key.text.lstrip("> <=")[:1].isdigit()
    return "; a value with a comma in it stands in quotes between { and }" if alone and digits else ""


def _join(where: str, key: str) -> str:
    shown = printable(key, 40)
    return f"{where}.{shown}" if where else shown
