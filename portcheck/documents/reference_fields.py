"""What may stand in a port list (`kind: reference`). The loader, the JSON Schema and the manual are made from this."""

from __future__ import annotations

import re

from portcheck.documents.fields import ID, NOT_CHECKABLE, PORTS, PROVENANCE
from portcheck.documents.port_cells import CELL_PATTERN, RANGE_PATTERN, parse_cell, parse_range
from portcheck.model import PortcheckError, Remark
from portcheck.ports import WITHOUT_PORTS
from portcheck.printable import quoted
from portcheck.records import Choice, Field, ListOf, Record, Syntax, Text

_SERVICE_NAME = "[a-z][a-z0-9._-]{0,63}"


def _parse_service_name(text: str) -> str:
    if text in WITHOUT_PORTS:
        raise PortcheckError(f"{text} is a protocol and asked for as such; choose another name")
    if not re.fullmatch(_SERVICE_NAME, text):
        raise PortcheckError(
            f"{quoted(text)} is not a service name; begin with a small letter, then small letters, digits, . _ and - "
            "(imaps)"
        )
    return text


CELL = Syntax(
    "ports such as 407, 1417-1420",
    parse_cell,
    # A single port without quotes is a number to an editor.
    {"type": ["string", "integer"], "minimum": 1, "maximum": 65535, "pattern": CELL_PATTERN},
)
RANGE = Syntax("a range such as 0-1023", parse_range, {"pattern": RANGE_PATTERN})
SERVICE_NAME = Syntax("a service name", _parse_service_name, {"pattern": f"^{_SERVICE_NAME}$"})

SERVICE = Record(
    "service",
    (
        Field("service", Text(), "the service as the list calls it", required=True),
        Field(
            "tcp", CELL, "its TCP ports: 407, 1417-1420, 5800+ (and some after it), >=1024 (one of them at run time)"
        ),
        Field("udp", CELL, "its UDP ports, written like those of tcp"),
        Field("either", CELL, "its ports where the list does not say which transport"),
        Field("tcp_of", ListOf(Text(), at_least=1), "services of this list whose TCP ports it needs as well"),
        Field("udp_of", ListOf(Text(), at_least=1), "services of this list whose UDP ports it needs as well"),
        Field("provenance", PROVENANCE, "where the list says so, as {section: …, row: …}", required=True),
        Field("names", ListOf(SERVICE_NAME, at_least=1), "what a user may write for it after -e and under offers"),
        Field(
            "by_name",
            PORTS,
            "what the names stand for; may be left out when it has one single port with its transport",
        ),
        Field(
            "remarks",
            ListOf(Choice(tuple(map(str, Remark))), at_least=1),
            "what matters when the port is open and nobody asked for it",
        ),
        Field("note", Text(), "what the reader of a finding should know; with not-registered, whose number it is"),
        Field("doubt", Text(), "why the list may be wrong here"),
    ),
)

PORT_RANGE = Record(
    "range",
    (
        Field("title", Text(), "what the list calls this part of all port numbers", required=True),
        Field("ports", RANGE, "its first and last port: 0-1023", required=True),
        Field("note", Text(), "what the reader should know"),
        Field("provenance", PROVENANCE, "where the list says so, as {section: …, row: …}", required=True),
    ),
)

REFERENCE = Record(
    "reference",
    (
        Field("id", ID, "the name of the list in commands; the file is called <id>.yaml", required=True),
        Field("kind", Choice(("reference",)), "reference: it names ports and requires none", required=True),
        Field("title", Text(), "the list's title", required=True),
        Field("vendor", Text(), "who wrote the list", required=True),
        Field("version", Text(), 'the version of the list, in quotes: "2024"; or unversioned', required=True),
        Field("url", Text(), "where the list is, as far as it says so itself"),
        Field("notices", ListOf(Text()), "paragraphs that the reader of the list must know"),
        Field("ranges", ListOf(PORT_RANGE), "the parts of all port numbers"),
        Field("services", ListOf(SERVICE, at_least=1), "one entry for each row of the list", required=True),
        Field("not_checkable", ListOf(NOT_CHECKABLE), "rows of the list without any number"),
    ),
)
