"""The reference of the JSON that portcheck prints, from its JSON Schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

Schema = dict[str, Any]

_MANY_WORDS = 6
"""A longer list of words is on the page of words instead."""


def run_json() -> str:
    """The tables of a run."""
    return _tables("run.schema.json", "The run")


def port_json() -> str:
    """The tables of what the documents say of a port."""
    return _tables("port.schema.json", "The answer")


def _tables(schema_file: str, title: str) -> str:
    """A table of the fields at the top, then one for each part of it; fields of parts inside parts have dots."""
    root: Schema = json.loads(files("portcheck.reports").joinpath(schema_file).read_text(encoding="utf-8"))
    parts = {name: _resolved(field, root) for name, field in root["properties"].items()}
    tables = [_table(title, ((name, field, field) for name, field in parts.items()))]
    tables += [_table(f"`{name}`", _fields(field, root)) for name, field in parts.items() if _object_in(field, root)]
    return "\n".join(tables)


def _resolved(schema: Schema, root: Schema) -> Schema:
    """The schema that a reference means, with what is said beside the reference."""
    if "$ref" not in schema:
        return schema
    name = schema["$ref"].removeprefix("#/$defs/")
    return {**root["$defs"][name], **{key: value for key, value in schema.items() if key != "$ref"}}


def _object_in(schema: Schema, root: Schema) -> Schema | None:
    """The object that a field is, or is a list of, or may be; None for all others."""
    for option in schema.get("anyOf", schema.get("oneOf", [schema])):
        found = _resolved(option, root)
        if "properties" in found:
            return found
        if "items" in found:
            return _object_in(_resolved(found["items"], root), root)
    return None


def _fields(schema: Schema, root: Schema, prefix: str = "") -> Iterator[tuple[str, Schema, Schema]]:
    """Dotted name, schema and resolved schema of every field, those inside before the next one."""
    for name, field in (_object_in(schema, root) or {})["properties"].items():
        found = _resolved(field, root)
        yield f"{prefix}{name}", field, found
        if _object_in(found, root):
            yield from _fields(found, root, f"{prefix}{name}{'[]' if found.get('type') == 'array' else ''}.")


def _table(title: str, fields: Iterator[tuple[str, Schema, Schema]]) -> str:
    rows = "".join(
        f"| `{name}` | {_cell(_kind(found))} | {_cell(str(found.get('description', '')))} |\n"
        for name, _, found in fields
    )
    return f"## {title}\n\n| field | value | meaning |\n|---|---|---|\n{rows}"


def _kind(schema: Schema) -> str:
    options = schema.get("anyOf", schema.get("oneOf"))
    if options:
        return " or ".join(_kind(option) for option in options)
    if "const" in schema:
        return _word(schema["const"])
    if "enum" in schema:
        words = schema["enum"]
        return ", ".join(map(_word, words)) if len(words) <= _MANY_WORDS else "a [word](states-and-reasons.md)"
    kinds = schema.get("type", "object" if "properties" in schema or "$ref" in schema else "any")
    names = [kinds] if isinstance(kinds, str) else kinds
    return " or ".join(f"list of {_kind(schema['items'])}" if name == "array" else name for name in names)


def _word(value: object) -> str:
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
