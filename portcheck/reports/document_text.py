"""A document as a person reads it: roles and rows, or the names of ports, and what no probe can show."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from portcheck.model import (
    Answers,
    Document,
    Expectation,
    KnownPorts,
    KnownService,
    Level,
    Listen,
    NotCheckable,
    Provenance,
    ReferenceDocument,
    Role,
    Spread,
)
from portcheck.printable import printable
from portcheck.protocols import titles
from portcheck.wording import plural

_ANSWER_WORDS = {
    Answers.NEVER: "need not answer a probe",
    Answers.WITH_SECRET: "answers only who knows a secret",
}

_HEADINGS = ("ID", "KIND", "ENTRIES", "TITLE")


def counts(document: Document | ReferenceDocument) -> str:
    """`3 expectations, 1 not checkable`."""
    if isinstance(document, Document):
        entries = plural(len(document.expectations), "expectation")
    else:
        entries = plural(len(document.services), "service")
    return f"{entries}, {len(document.not_checkable)} not checkable"


def render_list(documents: Iterable[Document | ReferenceDocument], width: int = 80) -> str:
    """A table, one row for each: id, kind, how many entries, title."""
    rows = [_HEADINGS, *map(_list_row, documents)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS) - 1)]
    before = sum(widths) + 2 * len(widths)
    lines: list[str] = []
    for *cells, title in rows:
        head = "".join(f"{cell:<{cell_width}}  " for cell, cell_width in zip(cells, widths, strict=True))
        first, *rest = textwrap.wrap(printable(title), max(width - before, 20)) or [""]
        lines += [f"{printable(head)}{first}", *(f"{' ' * before}{line}" for line in rest)]
    return "".join(f"{line}\n" for line in lines)


def _list_row(document: Document | ReferenceDocument) -> tuple[str, ...]:
    if isinstance(document, ReferenceDocument):
        return document.id, "reference", f"{len(document.services)}", document.title
    return document.id, "product", f"{len(document.expectations)}", document.title


def render(document: Document | ReferenceDocument, width: int = 80) -> str:
    """The whole document, grouped by the section of the source."""
    body = _product(document, width) if isinstance(document, Document) else _reference(document, width)
    lines = [*_head(document, width), *body, *_not_checkable(document.not_checkable, width)]
    return "".join(f"{printable(line)}\n" for line in lines)


def _head(document: Document | ReferenceDocument, width: int) -> Iterator[str]:
    yield from _wrapped(f"{document.id}: {document.title}", width, "")
    if isinstance(document, Document):
        about = f"{document.product} {document.version}"
    else:
        about = f"A list of port names ({document.version})"
    yield from _wrapped(f"{about}, by {document.vendor}", width, "")
    if document.url:
        yield document.url
    for notice in document.notices:
        yield ""
        yield from (line.strip() for line in _wrapped(notice, width, ""))


def _not_checkable(entries: Sequence[NotCheckable], width: int) -> Iterator[str]:
    if entries:
        yield from ("", "Not checkable by a port probe")
    for entry in entries:
        yield from _wrapped(f"{entry.provenance.section}, {entry.provenance.row}: {entry.reason}", width, "  ")


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(
        printable(text),
        width,
        initial_indent=indent,
        subsequent_indent=indent + "    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


# ------------------------------------------------------------------------------------ what a product needs


def _product(document: Document, width: int) -> Iterator[str]:
    yield from ("", "Roles")
    for role in document.roles.values():
        yield from _wrapped(_role(role), width, "  ")
    if document.features:
        yield from ("", "Features")
    for name, title in document.features.items():
        title += " (not in use unless somebody says so)" if name in document.rare_features else ""
        yield from _wrapped(f"{name}: {title}", width, "  ")
    section = None
    for expectation in document.expectations:
        if expectation.provenance[0].section != section:
            section = expectation.provenance[0].section
            yield from ("", *_wrapped(section, width, ""))
        yield from _expectation(expectation, width)


def _role(role: Role) -> str:
    outside = " (not part of the product)" if role.external else ""
    more = f" (has also {', '.join(role.includes)})" if role.includes else ""
    return f"{role.name}: {role.title}{outside}{more}"


def _expectation(expectation: Expectation, width: int) -> Iterator[str]:
    ports = ",".join(str(item) for item in expectation.ports)
    flow = f"{', '.join(expectation.sources)} -> {', '.join(expectation.to)}"
    remarks = [
        "" if expectation.level is Level.REQUIRED else f"{expectation.level}",
        f"when {expectation.when}" if expectation.when else "",
        "nothing has to listen" if expectation.listen is Listen.SOME else "",
        _ANSWER_WORDS.get(expectation.answers, ""),
        f"speaks {titles([expectation.speaks])}" if expectation.speaks else "",
        "exists before the install" if expectation.present_before_install else "",
    ]
    said = ", ".join(remark for remark in remarks if remark)
    yield from _wrapped(f"{ports:<16} {expectation.service}: {flow}{f' [{said}]' if said else ''}", width, "  ")
    if len(expectation.provenance) > 1:
        also = "; ".join(map(_place, expectation.provenance[1:]))
        yield from _wrapped(f"also in: {also}", width, " " * 6)
    yield from _note_and_doubt(expectation.note, expectation.doubt, width)


def _place(place: Provenance) -> str:
    return f"{place.section}, {place.row}"


def _note_and_doubt(note: str | None, doubt: str | None, width: int) -> Iterator[str]:
    if note:
        yield from _wrapped(f"note: {note}", width, " " * 6)
    if doubt:
        yield from _wrapped(f"doubt: {doubt}", width, " " * 6)


# ------------------------------------------------------------------------------------- what ports are called


def _reference(document: ReferenceDocument, width: int) -> Iterator[str]:
    if document.ranges:
        yield from ("", "Ranges")
    for part in document.ranges:
        yield from _wrapped(f"{f'{part.first}-{part.last}':<16} {part.title}", width, "  ")
        yield from _note_and_doubt(part.note, None, width)
    section = None
    for service in document.services:
        if service.provenance.section != section:
            section = service.provenance.section
            yield from ("", *_wrapped(section, width, ""))
        yield from _service(service, width)


def _service(service: KnownService, width: int) -> Iterator[str]:
    ports = ", ".join(map(_known_ports, service.ports))
    said = f" [{', '.join(service.remarks)}]" if service.remarks else ""
    yield from _wrapped(f"{ports:<16} {service.service}{said}", width, "  ")
    for transport in dict.fromkeys(transport for transport, _ in service.uses):
        names = ", ".join(name for other, name in service.uses if other is transport)
        yield from _wrapped(f"needs the {transport.upper()} ports of {names}", width, " " * 6)
    if service.names:
        by_name = ",".join(map(str, service.by_name))
        yield from _wrapped(f"by name: {', '.join(service.names)} ({by_name})", width, " " * 6)
    yield from _note_and_doubt(service.note, service.doubt, width)


def _known_ports(ports: KnownPorts) -> str:
    """`407/tcp`, `5800+/tcp`, `one of 1024-65535/udp`; without a transport where the list has none."""
    numbers = f"{ports.first}" if ports.first == ports.last else f"{ports.first}-{ports.last}"
    words = {Spread.EXACT: numbers, Spread.ONWARD: f"{ports.first}+", Spread.DYNAMIC: f"one of {numbers}"}
    return words[ports.spread] if ports.transport is None else f"{words[ports.spread]}/{ports.transport}"
