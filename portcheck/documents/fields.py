"""What both kinds of document have in common: names, ports, places in the source."""

from __future__ import annotations

import re

from portcheck.model import PortcheckError
from portcheck.ports import PORTS_PATTERN, parse_ports
from portcheck.printable import quoted
from portcheck.records import Field, Record, Syntax, Text

_ID = "[a-z0-9][a-z0-9.-]{0,63}"
_NAME = "[a-z][a-z0-9-]{0,63}"


def _parse_id(text: str) -> str:
    if not re.fullmatch(_ID, text):
        raise PortcheckError(f"{quoted(text)} is not an id; write small letters, digits, . and - (dcos-1.11)")
    return text


def _parse_name(text: str) -> str:
    if not re.fullmatch(_NAME, text):
        raise PortcheckError(f"{quoted(text)} is not a name; write small letters, digits and - (domain-controller)")
    return text


ID = Syntax("a document id", _parse_id, {"pattern": f"^{_ID}$"})
NAME = Syntax("a name", _parse_name, {"pattern": f"^{_NAME}$"})
PORTS = Syntax("ports such as 5050/tcp", parse_ports, {"pattern": PORTS_PATTERN})

PROVENANCE = Record(
    "provenance",
    (
        Field("section", Text(), "the source's heading above the row", required=True),
        Field("row", Text(), "the row's port cell, as the source writes it", required=True),
        Field("document", ID, "the source's id, when it is not this document's own"),
    ),
)

NOT_CHECKABLE = Record(
    "not_checkable",
    (
        Field("provenance", PROVENANCE, "where the source says it, as {section: …, row: …}", required=True),
        Field("reason", Text(), "why no probe of a port can tell", required=True),
    ),
)
