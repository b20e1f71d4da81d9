"""What is known of a port in one phrase: `Italk, also used by Trojans (Ports for Internet Services)`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from portcheck.knowledge.said import REMARK_WORDS, Naming, Need
from portcheck.model import KnownService, Remark
from portcheck.printable import printable

LIMIT = 200
"""Characters; one name alone may be longer."""
_MAX_NAMES = 60
_MAX_NAME = 100
_MAX_SOURCE = 60
_MAX_NOTE = 80


@dataclass(frozen=True, slots=True)
class _Named:
    source: str
    name: str
    warns: bool = False


def phrase(namings: Iterable[Naming], needs: Iterable[Need], limit: int = LIMIT) -> str | None:
    """Names with their sources, port lists first, what a list warns of before all else; None without any.

    What does not fit is counted. Commas hold together what belongs to one name, semicolons part the names.
    """
    found = [*_of_lists(namings), *_of_products(needs)]
    warning = {item.source for item in found if item.warns}
    by_source: dict[str, dict[str, None]] = {}
    for item in sorted(found, key=lambda item: (item.source not in warning, not item.warns)):
        by_source.setdefault(item.source, {})[item.name] = None
    names = [(source, name) for source, of_source in by_source.items() for name in of_source]
    if not names:
        return None
    tried = range(2, min(len(names), _MAX_NAMES) + 1)
    shown = max((n for n in tried if len(_joined(names[:n], len(names) - n)) <= limit), default=1)
    return _joined(names[:shown], len(names) - shown)


def _joined(names: list[tuple[str, str]], more: int) -> str:
    by_source: dict[str, list[str]] = {}
    for source, name in names:
        by_source.setdefault(source, []).append(name)
    text = "; ".join(f"{'; '.join(of_source)} ({source})" for source, of_source in by_source.items())
    return f"{text} and {more} more" if more else text


def _of_lists(namings: Iterable[Naming]) -> Iterator[_Named]:
    for naming in namings:
        service = naming.service
        name = ", ".join([printable(service.service, _MAX_NAME), *remarks_of(service)])
        yield _Named(printable(naming.reference.title, _MAX_SOURCE), name, bool(service.remarks))


def _of_products(needs: Iterable[Need]) -> Iterator[_Named]:
    for need in needs:
        name = printable(need.expectation.service, _MAX_NAME)
        yield _Named(printable(need.document.product, _MAX_SOURCE), name)


def remarks_of(service: KnownService) -> Iterator[str]:
    """Its remarks in words; with "not registered" comes the note, which says whose number it is."""
    for remark in service.remarks:
        words = REMARK_WORDS[remark]
        if remark is Remark.NOT_REGISTERED and service.note:
            # Its first clause: a semicolon parts names here.
            words += f": {printable(re.split('[.;]', service.note)[0], _MAX_NOTE)}"
        yield words
