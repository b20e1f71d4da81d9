"""A document as a person reads it: roles, rows, what no probe can show."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from portcheck.model import Answers, Document, Expectation, Level, Listen
from portcheck.printable import printable

_ANSWER_WORDS = {
    Answers.NEVER: "never answers a probe",
    Answers.WITH_SECRET: "answers only who knows a secret",
}


_HEADINGS = ("ID", "TITLE", "EXPECTS", "ROLES")


def render_list(documents: Iterable[Document]) -> str:
    """A table, one line for each: id, title, how many expectations, the product's roles."""
    rows = [_HEADINGS, *((d.id, d.title, f"{len(d.expectations)}", ", ".join(_inside(d))) for d in documents)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{printable(line).rstrip()}\n" for line in lines)


def _inside(document: Document) -> list[str]:
    return [role.name for role in document.roles.values() if not role.external]


def render(document: Document, width: int = 80) -> str:
    """The whole document, grouped by the section of the source."""
    lines = _wrapped(f"{document.id}: {document.title}", width, "")
    lines += _wrapped(f"{document.product} {document.version}, by {document.vendor}", width, "")
    if document.url:
        lines.append(document.url)
    for notice in document.notices:
        lines += ["", *(line.strip() for line in _wrapped(notice, width, ""))]
    lines += ["", "Roles"]
    for role in document.roles.values():
        outside = " (not part of the product)" if role.external else ""
        lines += _wrapped(f"{role.name}: {role.title}{outside}", width, "  ")
    if document.features:
        lines += ["", "Features"]
        lines += [
            line for name, title in document.features.items() for line in _wrapped(f"{name}: {title}", width, "  ")
        ]
    section = None
    for expectation in document.expectations:
        if expectation.provenance.section != section:
            section = expectation.provenance.section
            lines += ["", *_wrapped(section, width, "")]
        lines += _expectation(expectation, width)
    if document.not_checkable:
        lines += ["", "Not checkable by a port probe"]
        for entry in document.not_checkable:
            lines += _wrapped(f"{entry.provenance.section}, {entry.provenance.row}: {entry.reason}", width, "  ")
    return "".join(f"{printable(line)}\n" for line in lines)


def _expectation(expectation: Expectation, width: int) -> list[str]:
    ports = ",".join(str(item) for item in expectation.ports)
    flow = f"{', '.join(expectation.sources)} -> {', '.join(expectation.to)}"
    remarks = [
        "" if expectation.level is Level.REQUIRED else f"{expectation.level}",
        f"when {expectation.when}" if expectation.when else "",
        "nothing has to listen" if expectation.listen is Listen.SOME else "",
        _ANSWER_WORDS.get(expectation.answers, ""),
        "exists before the install" if expectation.present_before_install else "",
    ]
    said = ", ".join(remark for remark in remarks if remark)
    lines = _wrapped(f"{ports:<16} {expectation.service}: {flow}{f' [{said}]' if said else ''}", width, "  ")
    if expectation.note:
        lines += _wrapped(f"note: {expectation.note}", width, " " * 6)
    if expectation.doubt:
        lines += _wrapped(f"doubt: {expectation.doubt}", width, " " * 6)
    return lines


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(
        printable(text),
        width,
        initial_indent=indent,
        subsequent_indent=indent + "    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
