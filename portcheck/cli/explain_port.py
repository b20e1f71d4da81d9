"""`explain PORT`: what all documents say of a port, a range, a protocol or a service name."""

from __future__ import annotations

import re

from portcheck import documents as document_files
from portcheck.cli.output import columns, say
from portcheck.engine.probe import Transport
from portcheck.knowledge import Knowledge
from portcheck.knowledge.said import About, Survey
from portcheck.model import Library, PortcheckError, Ports
from portcheck.ports import WITHOUT_PORTS, parse_ports
from portcheck.printable import quoted
from portcheck.reports import port_json, port_text
from portcheck.scoping.services import every_answer
from portcheck.service_names import Candidate, parse_service

_FORMS = "write a port (3268/tcp, 445), a range (8000-8100), a protocol (gre) or a service name (ldap)"
_NUMBERS_ALONE = re.compile(r"[0-9][0-9 ,-]*")
_FORMATS = ("terminal", "json")


def explain_port(question: str, own: list[str], report_format: str = "terminal", everything: bool = False) -> int:
    """Print what the shipped documents, and a user's `own`, say of the ports in question.

    Args:
        everything: rows that say the same are not merged, and nothing is left out; JSON has everything always.

    Raises:
        PortcheckError: it is neither ports nor a service that anybody knows; or a document that cannot be used.
    """
    if report_format not in _FORMATS:
        raise PortcheckError(f"--format {quoted(report_format)}: there are {' and '.join(_FORMATS)}")
    library = document_files.library(map(document_files.find_any, own))
    named = _named(question.strip(" "), library)
    ports = [ports for candidate in named for ports in candidate.ports] or _written(question.strip(" "))
    knowledge = Knowledge(library)
    said = [_said(knowledge, *numbers, transports) for numbers, transports in _by_numbers(ports).items()]
    if report_format == "json":
        say(port_json.render(question, said))
    else:
        meanings = [str(candidate) for candidate in named]
        say(port_text.render(question, meanings, said, columns(), everything))
    return 0


def _named(text: str, library: Library) -> tuple[Candidate, ...]:
    """What the text stands for as a service name; nothing when it is none."""
    asked = parse_service(text)
    return every_answer(asked, library.references) if asked is not None else ()


def _written(text: str) -> tuple[Ports, ...]:
    """The ports that the text is; without a transport, under TCP and UDP."""
    if ">" in text:
        raise PortcheckError(
            f"{quoted(text, 200)} looks like the id of a check: give the kept run too, as in "
            "portcheck explain 'a1>m1/ipv4/tcp/5050' run.json"
        )
    if not text[:1].isdigit() and text not in WITHOUT_PORTS:
        raise PortcheckError(f"{quoted(text, 200)} is neither a port nor a service name: {_FORMS}")
    return parse_ports(f"{text}/tcp+udp" if _NUMBERS_ALONE.fullmatch(text) else text)


def _by_numbers(ports: list[Ports] | tuple[Ports, ...]) -> dict[tuple[int | None, int | None], tuple[Transport, ...]]:
    """53/tcp and 53/udp are one question."""
    found: dict[tuple[int | None, int | None], tuple[Transport, ...]] = {}
    for item in ports:
        numbers = (None, None) if item.first is None else (item.first, item.last)
        asked = found.get(numbers, ())
        found[numbers] = asked if item.transport in asked else (*asked, item.transport)
    return found


def _said(
    knowledge: Knowledge, first: int | None, last: int | None, transports: tuple[Transport, ...]
) -> About | Survey:
    if first is None or last is None or first == last:
        return knowledge.about(transports, first)
    return knowledge.survey(transports, first, last)
