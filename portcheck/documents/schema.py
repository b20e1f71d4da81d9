"""The JSON Schema of the file formats, from the tables that read them: python -m portcheck.documents.schema NAME."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from portcheck.documents.product_fields import PRODUCT
from portcheck.documents.reference_fields import REFERENCE
from portcheck.records import MAX_TEXT, Choice, Field, Flag, Kind, ListOf, MapOf, Record, Syntax, Text
from portcheck.site import SITE

FORMATS: Mapping[str, tuple[Record, str]] = {
    "document": (PRODUCT, "portcheck: a vendor's document"),
    "reference": (REFERENCE, "portcheck: a port list"),
    "site": (SITE, "portcheck: a site"),
}
"""Name to root record and title; the file is called <name>.schema.json."""


def schema(name: str) -> str:
    """The JSON Schema (draft 2020-12) of a format as the text of its file."""
    record, title = FORMATS[name]
    definitions: dict[str, object] = {}
    root = _record(record, definitions)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return json.dumps({**head, **root, "$defs": definitions}, indent=2, ensure_ascii=False) + "\n"


def _record(record: Record, definitions: dict[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": {field.key: _field(field, definitions) for field in record.fields},
        "required": [field.key for field in record.fields if field.required],
        "additionalProperties": False,
    }


def _field(field: Field, definitions: dict[str, object]) -> dict[str, object]:
    return {"description": field.meaning, **_kind(field.kind, definitions)}


def _kind(kind: Kind, definitions: dict[str, object]) -> dict[str, object]:
    match kind:
        case Text():
            return {"type": "string", "pattern": r"\S", "maxLength": MAX_TEXT}
        case Syntax():
            return {"type": "string", "maxLength": MAX_TEXT, **kind.schema}
        case Flag():
            return {"type": "boolean"}
        case Choice():
            return {"enum": list(kind.words)}
        case ListOf():
            item = _kind(kind.item, definitions)
            unique = not isinstance(kind.item, Record)
            listed = {"type": "array", "items": item, "minItems": kind.at_least, "uniqueItems": unique}
            return {"anyOf": [item, listed]} if kind.lone else listed
        case MapOf():
            return {
                "type": "object",
                "propertyNames": _kind(kind.name, definitions),
                "additionalProperties": _kind(kind.value, definitions),
                "minProperties": kind.at_least,
            }
        case Record():
            definitions.setdefault(kind.name, _record(kind, definitions))
            return {"$ref": f"#/$defs/{kind.name}"}


def main(arguments: list[str]) -> int:
    """Write the schema named by the only argument to standard output; 2 for a wrong command line."""
    if len(arguments) != 1 or arguments[0] not in FORMATS:
        sys.stderr.write(f"usage: python -m portcheck.documents.schema {'|'.join(FORMATS)}\n")
        return 2
    sys.stdout.write(schema(arguments[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
