"""What all documents say of a port, as a person reads it: who needs it, what it is called, where they disagree."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from portcheck.engine.probe import Transport
from portcheck.knowledge.said import REMARK_WORDS, About, InRange, Naming, Need, Span, Survey, Taken
from portcheck.model import Answers, KnownPorts, Level, Ports, Spread
from portcheck.printable import printable
from portcheck.wording import listed

_MAX_TEXT = 2000
_ROLES_SHOWN = 6
_NAMES_SHOWN = 20
_ROWS_SHOWN = 200
"""Rows of one block; no port of the shipped documents comes near."""

_ANSWERS: Mapping[Answers, str] = {
    Answers.NORMALLY: "",
    Answers.NEVER: "never answers a probe",
    Answers.WITH_SECRET: "answers only who knows a secret",
}

_NOT_SAID = "(TCP or UDP, not said which)"

_TAKEN: Mapping[Taken, str] = {
    Taken.ALL: "",
    Taken.SOME: "some of these: ",
    Taken.ONWARD: "from here on: ",
}

Block = tuple[str, Iterable[str]]
"""A heading and the paragraphs below it; lines of a paragraph after its first are details."""


def render(question: str, meanings: list[str], said: Iterable[About | Survey], width: int = 80) -> str:
    """Everything that is known of the ports in question; `meanings` are those of a service name."""
    pages = [_wrapped(f"{question}: {'; '.join(meanings)}", width, "", "    ")] if meanings else []
    pages += [_port_page(each, width) if isinstance(each, About) else _survey_page(each, width) for each in said]
    return "\n".join(pages)


def _port_page(about: About, width: int) -> str:
    port = _port(about.transports, about.port)
    if not (about.is_named or about.some_of or about.dynamic):
        lies_in = _lies_in(about.ranges, "; it is in ")
        return _wrapped(f"Nothing in the documents names {port}{lies_in}.", width, "", "")
    blocks: tuple[Block, ...] = (
        ("Products that need it", (_need(need, about) for need in about.needs)),
        ("What port lists call it", _in_lists(about)),
        ("Where they disagree", (f"- {item.text}" for item in about.disagreements)),
        ("One of a range of which some ports are used", _out_of_ranges(about)),
        ("Any port of a range around it may be taken by", _by_list(about.dynamic)),
    )
    alone = "" if about.is_named else "; nothing in the documents names the port itself, only ranges around it"
    title = _wrapped(f"{port}{_lies_in(about.ranges)}{alone}.", width, "", "")
    return title + "".join(_block(heading, paragraphs, width) for heading, paragraphs in blocks)


def _survey_page(survey: Survey, width: int) -> str:
    asked = f"{survey.first}-{survey.last}/{'+'.join(survey.transports)}"
    title = _wrapped(f"{asked}{_lies_in(survey.ranges)}.", width, "", "")
    if not (survey.named or survey.spans or survey.dynamic):
        return f"{title}{_wrapped('Nothing in the documents names any of these ports.', width, '', '')}"
    named = [(_port(item.transports, item.number), item.phrase) for item in survey.named]
    spans = [(_span(item), _TAKEN[item.taken] + item.phrase) for item in survey.spans]
    tables = (("Ports with a name", named), ("Ranges", spans))
    dynamic = _block("Any port of a range around them may be taken by", _by_list(survey.dynamic), width)
    return title + "".join(_table(heading, rows, width) for heading, rows in tables if rows) + dynamic


# ------------------------------------------------------------------------------------------------------- rows


def _need(need: Need, about: About) -> str:
    expectation, document = need.expectation, need.document
    lines = [
        f"{_numbers(need.at(about.transports, about.port))} {expectation.service}, {document.product} ({document.id})",
        _flow(need),
        _level(need),
        _ANSWERS[expectation.answers],
        "exists before the product is installed" if expectation.present_before_install else "",
        f"Note: {expectation.note}" if expectation.note else "",
        f"Doubt: {expectation.doubt}" if expectation.doubt else "",
        *(f'"{place.section}", row {place.row}' for place in expectation.provenance),
    ]
    return "\n".join(line for line in lines if line)


def _out_of_ranges(about: About) -> Iterator[str]:
    """Rows that want some ports of the same range are told as one: dynamic RPC stands in dozens of sections."""
    groups: dict[tuple[str, str, str], list[Need]] = {}
    for need in about.some_of:
        ports = _numbers(need.at(about.transports, about.port))
        groups.setdefault((ports, need.expectation.service, need.document.id), []).append(need)
    for (ports, service, document_id), needs in groups.items():
        if len(needs) == 1:
            yield _need(needs[0], about)
            continue
        to = dict.fromkeys(role for need in needs for role in need.expectation.to)
        lines = (
            f"{ports} {service}, {needs[0].document.product} ({document_id})",
            f"to {listed(list(to), _ROLES_SHOWN)}",
            "; ".join(dict.fromkeys(map(_level, needs))),
            f"{len(needs)} rows: portcheck documents show {document_id}",
        )
        yield "\n".join(lines)


def _flow(need: Need) -> str:
    to = f"{_roles(need.expectation.to)}{_so_also(need.listeners_too)}"
    if need.local_only:
        return f"on {to}, for the host itself only"
    return f"from {_roles(need.expectation.sources)}{_so_also(need.starters_too)} to {to}"


def _roles(names: tuple[str, ...]) -> str:
    return listed(names, _ROLES_SHOWN)


def _so_also(roles: tuple[str, ...]) -> str:
    return f" (and so {listed(roles, _ROLES_SHOWN)})" if roles else ""


def _level(need: Need) -> str:
    expectation = need.expectation
    if expectation.level is not Level.CONDITIONAL or expectation.when is None:
        return str(expectation.level)
    title = need.document.features.get(expectation.when, expectation.when)
    return f"only with {title} (--feature {expectation.when})"


def _in_lists(about: About) -> Iterator[str]:
    for naming in about.namings:
        service = naming.service
        known = naming.at(about.transports, about.port) if about.port is not None else ()
        lines = [
            f"{_numbers(known)} {service.service}: {naming.reference.title} ({naming.reference.id})",
            ", ".join(REMARK_WORDS[remark] for remark in service.remarks),
            f"for -e and offers: {listed(service.names)}" if service.names else "",
            f"Note: {service.note}" if service.note else "",
            f"Doubt: {service.doubt}" if service.doubt else "",
            f'"{service.provenance.section}", row {service.provenance.row}',
        ]
        yield "\n".join(line for line in lines if line)
    yield from (f"{use.naming.service.service} needs {use.of.service} as well" for use in about.uses)


def _by_list(namings: Iterable[Naming]) -> Iterator[str]:
    """A paragraph for each list: thousands of ports lie in these ranges, and it says little about any of them."""
    names: dict[str, dict[str, None]] = {}
    for naming in namings:
        names.setdefault(naming.reference.title, {})[naming.service.service] = None
    yield from (f"{listed(list(of_list), _NAMES_SHOWN)} ({title})" for title, of_list in names.items())


# ------------------------------------------------------------------------------------------------------ ports


def _port(transports: tuple[Transport, ...], port: int | str | None) -> str:
    """`445/tcp`, `445/tcp+udp`, `445` where no transport is said, `gre`."""
    carriers = "+".join(transports)
    return carriers if port is None else f"{port}/{carriers}" if carriers else f"{port}"


def _numbers(ports: Iterable[Ports | KnownPorts]) -> str:
    """`80/tcp+udp`, `5800+/tcp, 5900/udp`, `22 (TCP or UDP, not said which)`, `gre`."""
    transports: dict[tuple[int | None, int | None, bool], list[Transport | None]] = {}
    for item in ports:
        onward = isinstance(item, KnownPorts) and item.spread is Spread.ONWARD
        transports.setdefault((item.first, item.last, onward), []).append(item.transport)
    parts = []
    for (first, last, onward), carriers in transports.items():
        said = tuple(carrier for carrier in carriers if carrier is not None)
        numbers = f"{first}+" if onward else f"{first}-{last}" if first != last else first
        parts.append(_port(said, numbers) if said else f"{numbers} {_NOT_SAID}")
    return ", ".join(parts)


def _span(span: Span) -> str:
    numbers = f"{span.first}-{span.last}" if span.first != span.last else f"{span.first}"
    return _port((span.transport,) if span.transport is not None else (), numbers)


def _lies_in(ranges: Iterable[InRange], start: str = ", in ") -> str:
    """Where the numbers lie; each part once, although several lists may have it."""
    parts = dict.fromkeys(f"{each.part.title} ({each.part.first}-{each.part.last})" for each in ranges)
    return f"{start}{' and '.join(parts)}" if parts else ""


# ------------------------------------------------------------------------------------------------------ lines


def _block(heading: str, paragraphs: Iterable[str], width: int) -> str:
    shown = list(islice(paragraphs, _ROWS_SHOWN))
    if not shown:
        return ""
    return f"\n{heading}\n" + "".join(_paragraph(text, width) for text in shown)


def _paragraph(text: str, width: int) -> str:
    first, *details = text.split("\n")
    return _wrapped(first, width, "  ", "    ") + "".join(_wrapped(line, width, "      ", "      ") for line in details)


def _table(heading: str, rows: list[tuple[str, str]], width: int) -> str:
    left = min(max(len(port) for port, _ in rows), width // 3)
    lines = (_wrapped(f"{port:<{left}}  {phrase}", width, "  ", " " * (left + 4)) for port, phrase in rows)
    return f"\n{heading}\n{''.join(lines)}"


def _wrapped(text: str, width: int, first: str, rest: str) -> str:
    lines = textwrap.wrap(
        printable(text, _MAX_TEXT),
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=True,
        break_on_hyphens=False,
    )
    return "".join(f"{line}\n" for line in lines)
