"""What may stand in a document's file. The loader, the JSON Schema and the manual are made from this table."""

from __future__ import annotations

import re

from portcheck.model import Answers, Level, Listen, PortcheckError
from portcheck.ports import PORTS_PATTERN, parse_ports
from portcheck.printable import quoted
from portcheck.records import Choice, Field, Flag, ListOf, MapOf, Record, Syntax, Text

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

EXPECTATION = Record(
    "expectation",
    (
        Field("service", Text(), "what listens, in the vendor's words", required=True),
        Field("unit", Text(), "the systemd unit or process that listens"),
        Field(
            "ports",
            PORTS,
            "5050/tcp, 445,139/tcp, 49152-65535/tcp, 53/tcp+udp, or one of icmp, gre, esp, ah",
            required=True,
        ),
        Field(
            "from",
            ListOf(NAME, at_least=1),
            "the roles that connect; also any (every vantage), internet, or localhost alone",
            required=True,
        ),
        Field("to", ListOf(NAME, at_least=1), "the roles whose hosts listen", required=True),
        Field(
            "level",
            Choice(tuple(map(str, Level))),
            "required (default), recommended (a fail is a warning), conditional (counts with the feature in `when`)",
        ),
        Field("when", NAME, "the feature that must be in use, with level: conditional"),
        Field(
            "listen",
            Choice(tuple(map(str, Listen))),
            "single (default): every port listens; some: a range out of which ports are used, never all",
        ),
        Field("provenance", PROVENANCE, "where the source says so, as {section: …, row: …}", required=True),
        Field("note", Text(), "what the reader of a report should know"),
        Field("doubt", Text(), "why the source may be wrong here: not-listening is then not a fail"),
        Field(
            "answers",
            Choice((str(Answers.NEVER), str(Answers.WITH_SECRET))),
            "never, or with-secret: how the service treats a stranger's probe; without the key it answers",
        ),
        Field("before_install", Choice(("present",)), "present: the service exists before the product is installed"),
    ),
)

ROLE = Record(
    "role",
    (
        Field("title", Text(), "the role as a person would say it", required=True),
        Field(
            "external", Flag(), "true: not part of the product (DNS, NTP, clients); shared by name between documents"
        ),
        Field(
            "all_ports_between",
            Flag(),
            "true: its hosts may use every port between each other; none is unexpected there",
        ),
    ),
)

FEATURE = Record("feature", (Field("title", Text(), "the feature as a person would say it", required=True),))

NOT_CHECKABLE = Record(
    "not_checkable",
    (
        Field("provenance", PROVENANCE, "where the source says it, as {section: …, row: …}", required=True),
        Field("reason", Text(), "why no probe of a port can tell", required=True),
    ),
)

DOCUMENT = Record(
    "document",
    (
        Field(
            "id", ID, "the name of the document in commands and site files; the file is called <id>.yaml", required=True
        ),
        Field("title", Text(), "the vendor's title", required=True),
        Field("vendor", Text(), "who wrote the source", required=True),
        Field("product", Text(), "the product it is about", required=True),
        Field("version", Text(), 'the version of product or document, in quotes: "1.11"', required=True),
        Field("url", Text(), "where the source is, as far as it says so itself"),
        Field("notices", ListOf(Text()), "paragraphs printed once with every report"),
        Field(
            "silent_when_closed",
            Flag(),
            "true: the product's hosts drop packets to ports without a listener (default: false)",
        ),
        Field("features", MapOf(NAME, FEATURE), "what a site may use or not, by name"),
        Field("roles", MapOf(NAME, ROLE, at_least=1), "the parts that hosts play, by name", required=True),
        Field("expectations", ListOf(EXPECTATION, at_least=1), "one entry for each flow of the source", required=True),
        Field("not_checkable", ListOf(NOT_CHECKABLE), "rows and sentences of the source that no probe can check"),
    ),
)
