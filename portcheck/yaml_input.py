"""YAML files as trees of positioned nodes, read strictly: nothing is converted, nothing is unbounded.

A node keeps its text as it is written and its line. What the text means is decided by portcheck.records.
The reader walks the parser's events, so that anchors, depth and size are refused before anything is built.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import yaml

from portcheck.model import PortcheckError
from portcheck.printable import printable, quoted

MAX_BYTES = 4 * 1024 * 1024
MAX_NODES = 200_000
MAX_DEPTH = 20
MAX_PROBLEMS = 200

# The same scanner in C where PyYAML was built with libyaml: 20 times as fast.
Loader: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


# ----------------------------------------------------------------------------------------------- problems


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file: `where` is the dotted path of the key, empty for the file as a whole."""

    line: int | None
    where: str
    text: str


class InputError(PortcheckError):
    """A file that cannot be used. One line each: `path:line: key.path: what is wrong; what to do`."""

    def __init__(self, path: str, problems: Iterable[Problem]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__("\n".join(describe(path, problem) for problem in self.problems))


def describe(path: str, problem: Problem) -> str:
    """The problem as one line of a message; `path` as the user typed it."""
    place = printable(path) if problem.line is None else f"{printable(path)}:{problem.line}"
    return ": ".join(part for part in (place, problem.where, problem.text) if part)


class Problems:
    """What was found wrong in one file so far."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._found: list[Problem] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(self, line: int | None, where: str, text: str) -> None:
        """Remember a problem; raises InputError at once when there are more than anybody would read."""
        self._found.append(Problem(line, where, text))
        if len(self._found) == MAX_PROBLEMS:
            rest = Problem(None, "", f"more than {MAX_PROBLEMS - 1} problems; the rest of the file was not judged")
            raise InputError(self.path, [*self.sorted()[:-1], rest])

    def sorted(self) -> tuple[Problem, ...]:
        """All problems in the order of the file's lines."""
        return tuple(sorted(self._found, key=lambda problem: problem.line or 0))

    def raise_if_any(self) -> None:
        """Raises InputError with every problem, if there is one."""
        if self._found:
            raise InputError(self.path, self.sorted())


# -------------------------------------------------------------------------------------------------- nodes


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A single value as written. `plain`: without quotes, so that YAML might take it for something else."""

    text: str
    line: int
    plain: bool


@dataclass(frozen=True, slots=True)
class SequenceNode:
    """A list."""

    items: Sequence[Node]
    line: int


@dataclass(frozen=True, slots=True)
class MappingNode:
    """Keys and values in the order written; a key may stand there twice."""

    pairs: Sequence[tuple[Node, Node]]
    line: int


Node = ScalarNode | SequenceNode | MappingNode


def _give_up(problems: Problems, line: int | None, text: str) -> NoReturn:
    """Nothing behind this problem can be read."""
    raise InputError(problems.path, [*problems.sorted(), Problem(line, "", text)])


def read_yaml(path: str | os.PathLike[str], problems: Problems) -> Node:
    """The one YAML document of the file at `path`; oddities that leave the rest readable go to `problems`.

    Raises:
        InputError: the file cannot be read, is not text, not YAML, empty, or beyond the limits.
    """
    text = _read_text(path, problems)
    _refuse_control_characters(text, problems)
    try:
        node = _Composer(text, problems).document()
    except yaml.MarkedYAMLError as error:
        _give_up(problems, *_syntax_problem(error, text))
    except yaml.YAMLError as error:
        _give_up(problems, None, f"not readable as YAML ({printable(str(error), 200)})")
    if node is None:
        _give_up(problems, None, "the file is empty; write at least the required keys")
    return node


def yaml_type(scalar: ScalarNode) -> str:
    """What YAML 1.1 would turn the scalar into: "text", "number", "boolean", "date" or "nothing"."""
    if not scalar.plain:
        return "text"
    for tag, pattern in yaml.SafeLoader.yaml_implicit_resolvers.get(scalar.text[:1], ()):
        if pattern.match(scalar.text):
            return _TYPE_OF_TAG.get(tag.rpartition(":")[2], "text")
    return "text"


_TYPE_OF_TAG = {"int": "number", "float": "number", "bool": "boolean", "timestamp": "date", "null": "nothing"}


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


class _Composer:
    """Builds nodes from events."""

    def __init__(self, text: str, problems: Problems) -> None:
        self._loader = Loader(text)
        self._problems = problems
        self._nodes = 0

    def document(self) -> Node | None:
        self._next()  # stream start
        if isinstance(self._next(), yaml.StreamEndEvent):
            return None
        node = self._node(self._next(), 0)
        self._next()  # document end
        following = self._next()
        if not isinstance(following, yaml.StreamEndEvent):
            _give_up(self._problems, _line(following), "a second document (---) begins here; keep one in a file")
        return None if isinstance(node, ScalarNode) and yaml_type(node) == "nothing" else node

    def _next(self) -> yaml.Event:
        event = self._loader.get_event()
        if event is None:
            raise EOFError("an event was asked for behind the end of the stream")
        return event

    def _node(self, event: yaml.Event, depth: int) -> Node:
        line = _line(event)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            _give_up(self._problems, line, f"more than {MAX_NODES} values; split the file")
        if depth > MAX_DEPTH:
            _give_up(self._problems, line, f"nested more than {MAX_DEPTH} levels deep; a portcheck file needs 5")
        self._refuse_indirection(event, line)
        if isinstance(event, yaml.SequenceStartEvent):
            return SequenceNode([self._node(item, depth + 1) for item in self._until(yaml.SequenceEndEvent)], line)
        if isinstance(event, yaml.MappingStartEvent):
            keys = self._until(yaml.MappingEndEvent)
            return MappingNode(
                [(self._node(key, depth + 1), self._node(self._next(), depth + 1)) for key in keys], line
            )
        if isinstance(event, yaml.ScalarEvent):
            return ScalarNode(event.value, line, plain=not event.style)
        raise TypeError(f"{event!r} begins no node")

    def _until(self, end: type[yaml.Event]) -> Iterator[yaml.Event]:
        while not isinstance(event := self._next(), end):
            yield event

    def _refuse_indirection(self, event: yaml.Event, line: int) -> None:
        """A few aliases of aliases are gigabytes, and a tag changes what a value means."""
        anchor = getattr(event, "anchor", None)
        tag = getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent):
            _give_up(self._problems, line, f"*{printable(str(anchor), 40)} is an alias; write the value out")
        if anchor is not None:
            name = printable(anchor, 40)
            self._problems.add(line, "", f"&{name} is an anchor; remove it, and write the value where it is used")
        if tag is not None:
            shown = quoted(tag.replace("tag:yaml.org,2002:", "!!"))
            text = f"{shown} is a type tag; remove it, and put the value in quotes if need be"
            self._problems.add(line, "", text)


# -------------------------------------------------------------------------------- text that is not a node


def _read_text(path: str | os.PathLike[str], problems: Problems) -> str:
    try:
        if Path(path).is_dir():
            _give_up(problems, None, "is a directory; name a .yaml file in it")
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        _give_up(problems, None, "no such file; check the spelling and the working directory")
    except OSError as error:
        _give_up(problems, None, f"cannot be read ({error.strerror}); check its permissions")
    except ValueError:  # a NUL byte in the path
        _give_up(problems, None, "is not a file name; give the path of a .yaml file")
    if len(data) > MAX_BYTES:
        _give_up(problems, None, f"is larger than {MAX_BYTES // 1024**2} MiB; a portcheck file has a few kilobytes")
    if b"\0" in data:
        _give_up(problems, None, "is a binary file; name a YAML file in UTF-8")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        _give_up(problems, line, f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8")


# YAML 1.1 and 1.2, "Character Set": everything else makes the parser stop, each parser with other words.
_NOT_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _refuse_control_characters(text: str, problems: Problems) -> None:
    if match := _NOT_YAML.search(text):
        line = text.count("\n", 0, match.start()) + 1
        _give_up(problems, line, f"control character {quoted(match[0])}; remove it")


_SYNTAX: tuple[tuple[str, str, str], ...] = (
    ("cannot start any token|tab character", r"^\s*\t", "indented with a tab; indent with spaces"),
    ("cannot start any token", "", "a value begins with @, `, % or a tab; put the value in quotes"),
    (
        "mapping values are not allowed",
        "",
        'a ":" where no key can stand; put a value that contains ": " in quotes, or correct the indentation',
    ),
    ("flow sequence", "", "a list in [ ] is not closed or lacks a comma; write [a, b]"),
    ("flow mapping", "", "a mapping in { } is not closed or lacks a comma; write {a: 1, b: 2}"),
    ("quoted scalar.*end of stream", "", "a quote is opened here and never closed; close it"),
    ("escape", "", "an unknown escape in double quotes; write \\\\ for a backslash"),
    ("simple key", "", 'neither a key nor a value; write "key: value"'),
    (
        "block (collection|mapping)|document start",
        "",
        "does not fit the lines above; correct the indentation, or quote the whole value",
    ),
)
"""What the parser says (libyaml and PyYAML differ), what stands in the line, what helps: the first match."""


def _syntax_problem(error: yaml.MarkedYAMLError, text: str) -> tuple[int | None, str]:
    said = f"{error.context or ''}: {error.problem or ''}"
    opened = "flow" in said or "quoted" in said
    mark = (error.context_mark if opened else None) or error.problem_mark or error.context_mark
    lines = text.splitlines()
    line = min(mark.line, max(len(lines) - 1, 0)) if mark else None
    content = lines[line] if line is not None and lines else ""
    advice = (advice for words, sign, advice in _SYNTAX if re.search(words, said) and re.search(sign, content))
    meaning = next(advice, f"{printable(error.problem or 'unreadable', 200)}; correct the line")
    return None if line is None else line + 1, f"broken YAML: {meaning}"
