"""The generated part of a document's page: who must reach whom on which port, or which names the list knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from generator.source_rows import SOURCE_ROWS
from portcheck import documents
from portcheck.model import Document, Expectation, Level, Listen, Ports, ReferenceDocument, role_key
from portcheck.ports import format_by_transport
from portcheck.rows import including

_COUNTED = ("section", "rows of the source", "entries", "distinct ports and ranges", "not checkable")

_Flow = tuple[str, str]
"""From role, to role."""


def tables() -> Mapping[str, str]:
    """By the name of the block: `flows ID` of a product's document, `names ID` of a port list, `counts` of all."""
    found = {id: documents.find_any(id) for id in documents.shipped()}
    pages = {"counts": _counts(found.values())}
    for id, document in found.items():
        if isinstance(document, Document):
            pages[f"flows {id}"] = _flows(document)
        else:
            pages[f"names {id}"] = _names(document)
    return pages


# -------------------------------------------------------------------------------------------------- flows


def _flows(document: Document) -> str:
    by_flow: dict[_Flow, list[Expectation]] = {}
    for expectation in document.expectations:
        for source in expectation.sources:
            for to in expectation.to:
                by_flow.setdefault((source, to), []).append(expectation)
    text = _table(("from", "to", "required", "with a feature", "a range of which some are used"), _rows(by_flow))
    composed = [role for role in document.roles.values() if role.includes]
    if not composed:
        return text
    roles = ((f"`{role.name}`", role.title, ", ".join(f"`{name}`" for name in role.includes)) for role in composed)
    whole = {role.name: rows for role in composed if (rows := _of_composed(document, role.name))}
    text += "\n### Roles that include others\n\n" + _table(("role", "", "has also"), roles)
    text += "\nWhat these roles come to, with everything that they include:\n\n"
    sums = {(source, name): rows for name, by_source in whole.items() for source, rows in by_source.items()}
    return text + _table(("from", "to", "required", "with a feature", "a range of which some are used"), _rows(sums))


def _of_composed(document: Document, role: str) -> dict[str, list[Expectation]]:
    """What leads to the role itself and to those that it includes, by source."""
    having = including([document])
    key = role_key(document, role)
    found: dict[str, list[Expectation]] = {}
    for expectation in document.expectations:
        if any(key in having[role_key(document, to)] for to in expectation.to):
            for source in expectation.sources:
                found.setdefault(source, []).append(expectation)
    return found


def _rows(by_flow: Mapping[_Flow, list[Expectation]]) -> Iterator[tuple[str, ...]]:
    for (source, to), rows in by_flow.items():
        single = [row for row in rows if row.listen is Listen.SINGLE]
        required = [ports for row in single if row.level is not Level.CONDITIONAL for ports in row.ports]
        features: dict[str, list[Ports]] = {}
        for row in single:
            if row.when is not None:
                features.setdefault(row.when, []).extend(ports for ports in row.ports if ports not in required)
        some = dict.fromkeys(_of_range(row, ports) for row in rows if row.listen is Listen.SOME for ports in row.ports)
        optional = "; ".join(f"{name}: {_numbers(ports)}" for name, ports in features.items() if ports)
        yield f"`{source}`", f"`{to}`", _numbers(required), optional, ", ".join(some)


def _of_range(row: Expectation, ports: Ports) -> str:
    return f"{ports}" if row.when is None else f"{ports} ({row.when})"


def _numbers(ports: Iterable[Ports]) -> str:
    keys = {key for each in ports for key in each.each()}
    return format_by_transport(sorted(keys, key=lambda key: (key[0], key[1] or 0)))


# -------------------------------------------------------------------------------------------------- names


def _names(reference: ReferenceDocument) -> str:
    rows: dict[str, dict[str, None]] = {}
    for service in reference.services:
        for name in service.names:
            rows.setdefault(name, {})[", ".join(map(str, service.by_name))] = None
    named = ((f"`{name}`", " or ".join(answers)) for name, answers in sorted(rows.items()))
    return _table(("name", "ports"), named)


# ------------------------------------------------------------------------------------------------- counts


def _counts(found: Iterable[Document | ReferenceDocument]) -> str:
    return "\n".join(
        f"### {document.title} (`{document.id}`)\n\n"
        + _table(_COUNTED, _sections(document, SOURCE_ROWS.get(document.id, {})))
        for document in found
    )


def _sections(document: Document | ReferenceDocument, source_rows: Mapping[str, int]) -> Iterator[tuple[str, ...]]:
    entries: dict[str, list[set[object]]] = {}
    if isinstance(document, Document):
        for expectation in document.expectations:
            for section in dict.fromkeys(place.section for place in expectation.provenance):
                entries.setdefault(section, []).append(set(expectation.ports))
    else:
        for service in document.services:
            entries.setdefault(service.provenance.section, []).append(set(service.ports))
    not_checkable: dict[str, int] = {}
    for line in document.not_checkable:
        entries.setdefault(line.provenance.section, [])
        not_checkable[line.provenance.section] = not_checkable.get(line.provenance.section, 0) + 1
    for section, ports in entries.items():
        distinct = set().union(*ports)
        rows = str(source_rows.get(section, ""))
        yield section, rows, str(len(ports)), str(len(distinct)), str(not_checkable.get(section, 0))
    everything = {ports for of_section in entries.values() for each in of_section for ports in each}
    total = len(document.expectations if isinstance(document, Document) else document.services)
    yield "**all**", str(sum(source_rows.values())), str(total), str(len(everything)), str(len(document.not_checkable))


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head), *(list(row) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)
