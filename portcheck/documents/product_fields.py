"""What may stand in a product's document. The loader, the JSON Schema and the manual are made from this table."""

from __future__ import annotations

from portcheck.documents.fields import ID, NAME, NOT_CHECKABLE, PORTS, PROVENANCE
from portcheck.model import Answers, Level, Listen, PortcheckError, UnitKind
from portcheck.printable import quoted
from portcheck.protocols import PROTOCOLS
from portcheck.records import Choice, Field, Flag, ListOf, MapOf, Record, Syntax, Text
from portcheck.wording import did_you_mean


def _parse_protocol(text: str) -> str:
    if text not in PROTOCOLS:
        hint = did_you_mean(text, PROTOCOLS) or f"; write one of {', '.join(PROTOCOLS)}"
        raise PortcheckError(f"{quoted(text)} is no protocol that portcheck speaks{hint}")
    return text


PROTOCOL = Syntax("a protocol such as dns", _parse_protocol, {"enum": list(PROTOCOLS)})

EXPECTATION = Record(
    "expectation",
    (
        Field("service", Text(), "what listens, in the vendor's words", required=True),
        Field("unit", Text(), "the systemd unit, Windows service or process that listens"),
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
        Field(
            "provenance",
            ListOf(PROVENANCE, at_least=1, lone=True),
            "where the source says so, as {section: …, row: …}; a list where it says so in several places",
            required=True,
        ),
        Field("note", Text(), "what the reader of a report should know"),
        Field("doubt", Text(), "why the source may be wrong here: not-listening is then not a fail"),
        Field(
            "answers",
            Choice((str(Answers.NEVER), str(Answers.WITH_SECRET))),
            "never, or with-secret: a healthy service need not answer a stranger's probe; without the key it does",
        ),
        Field(
            "speaks",
            PROTOCOL,
            "what is spoken at these ports, where it is not what is usual there; UDP is asked in it",
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
        Field("includes", ListOf(NAME, at_least=1), "roles that every host of this role has as well"),
    ),
)

FEATURE = Record(
    "feature",
    (
        Field("title", Text(), "the feature as a person would say it", required=True),
        Field("rare", Flag(), "true: taken as not in use where nobody says that it is (default: false)"),
    ),
)

PRODUCT = Record(
    "document",
    (
        Field(
            "id", ID, "the name of the document in commands and site files; the file is called <id>.yaml", required=True
        ),
        Field("kind", Choice(("product",)), "product (default): what a product needs"),
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
        Field(
            "units", Choice(tuple(map(str, UnitKind))), "what `unit` names: systemd (default), or windows for services"
        ),
        Field("features", MapOf(NAME, FEATURE), "what a site may use or not, by name"),
        Field("roles", MapOf(NAME, ROLE, at_least=1), "the parts that hosts play, by name", required=True),
        Field("expectations", ListOf(EXPECTATION, at_least=1), "one entry for each flow of the source", required=True),
        Field("not_checkable", ListOf(NOT_CHECKABLE), "rows and sentences of the source that no probe can check"),
    ),
)
