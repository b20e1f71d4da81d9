"""A draft as a YAML file that `documents lint` accepts. Nothing from the page can leave its value or its comment."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from portcheck.documents.importing.drafting import Draft, Kind, Unread
from portcheck.documents.importing.page import as_value
from portcheck.documents.importing.rows import HOST, PEER, Entry
from portcheck.model import Ports
from portcheck.printable import printable
from portcheck.yaml_input import ScalarNode, yaml_type

_WIDTH = 130

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 ./()+_-]*")
"""What YAML takes for the text itself wherever it stands; everything else is quoted."""

_IS_SOME = "is every port of the range open? Then write listen: single."
_IS_SINGLE = "is every port of the range open? If not, write listen: some."

_TITLES = {
    HOST: "TODO: the machines that listen, where the page does not say",
    PEER: "TODO: the machines that they connect to, where the page does not say",
}


def as_yaml(draft: Draft, document_id: str, file_name: str) -> str:
    """The draft as a document file."""
    return "".join(f"{line}\n" for line in _lines(draft, document_id, file_name))


def _lines(draft: Draft, document_id: str, file_name: str) -> Iterator[str]:
    yield f"# A draft, made by portcheck from {_comment(file_name)}."
    yield "# Ports and transports were read from the page's tables; the rest is a beginning. Go through every entry"
    yield "# beside the page, settle each TODO and each doubt, and use words of your own."
    yield ""
    yield f"id: {document_id}"
    yield f"title: {_value(draft.title or document_id)}"
    yield "vendor: TODO"
    yield "product: TODO"
    yield "version: unversioned                # TODO: the version of the product that the page is about"
    if draft.url:
        yield f"url: {_value(draft.url)}"
    yield ""
    yield "# TODO: roles that are not part of the product (clients, DNS, NTP ...) get external: true."
    yield "roles:"
    for name, title in draft.roles.items():
        external = ", external: true" if name == PEER else ""
        yield f"  {_value(name)}: {{title: {_value(title or _TITLES.get(name, name))}{external}}}"
    yield ""
    yield "expectations:"
    for section, entries in groupby(draft.entries, lambda entry: entry.section):
        yield ""
        yield f"  # ---- {_comment(section)}"
        for entry in entries:
            yield ""
            yield from _entry(entry)
    yield from _rest(draft.unread)


def _entry(entry: Entry) -> Iterator[str]:
    for remark in entry.remarks:
        yield f"  # TODO, line {entry.line}: {_comment(remark)}"
    if entry.is_range:
        yield f"  # TODO: {_IS_SOME if entry.listens_in_some else _IS_SINGLE}"
    yield f"  - service: {_value(entry.service)}"
    if entry.unit:
        yield f"    unit: {_value(entry.unit)}"
    yield f"    ports: {written(entry.ports)}"
    yield f"    from: [{', '.join(map(_value, entry.sources))}]"
    yield f"    to: [{', '.join(map(_value, entry.to))}]"
    if entry.listens_in_some:
        yield "    listen: some"
    yield f"    provenance: {_place(entry.section, entry.row)}"
    if entry.doubts:
        yield f"    doubt: {_value(' '.join(entry.doubts))}"


def _rest(unread: Sequence[Unread]) -> Iterator[str]:
    rows = [each for each in unread if each.kind is Kind.ROW]
    if rows:
        yield ""
        yield "not_checkable:"
    for each in rows:
        yield ""
        yield f"  - provenance: {_place(each.section, each.row)}"
        yield f"    reason: {_value(f'TODO, line {each.line} was not read: {each.why}')}"
    others = [each for each in unread if each.kind is not Kind.ROW]
    if others:
        yield ""
        yield "# TODO, not read:"
    for each in others:
        yield f"# line {each.line}, {_comment(each.section)}: {_comment(each.row)}: {_comment(each.why)}"


def written(ports: Sequence[Ports]) -> str:
    """`445,139/tcp`, `53/tcp+udp`, `gre`: the ports of one entry, all its transports have the same."""
    if ports[0].first is None:
        return str(ports[0].transport)
    transports = dict.fromkeys(str(each.transport) for each in ports)
    numbers = dict.fromkeys(str(each).partition("/")[0] for each in ports)
    return f"{','.join(numbers)}/{'+'.join(transports)}"


def _place(section: str, row: str) -> str:
    return f"{{section: {_value(section)}, row: {_value(row)}}}"


def _value(text: str) -> str:
    """The text as a YAML value. Double quotes as JSON has them are YAML's too; printable characters need no escape."""
    shown = as_value(text)
    is_text = yaml_type(ScalarNode(shown, 0, plain=True)) == "text"
    if _PLAIN.fullmatch(shown) and is_text and not shown.endswith(" "):
        return shown
    return json.dumps(shown, ensure_ascii=False)


def _comment(text: str) -> str:
    """The text as part of a comment: one line."""
    return printable(" ".join(text.split()), _WIDTH)
