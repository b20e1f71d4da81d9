"""Port cells of a port list, read and printed: `407, 1417-1420`, `5800+`, `>=1024<=5000`. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from portcheck.model import LAST_PORT, PortcheckError, Spread
from portcheck.ports import PORT_PATTERN, PRINTED_DASHES
from portcheck.printable import printable, quoted

ONWARD_PORTS = 9
"""`5900+` is a screen number added to a base. Few machines have more than ten screens, and of the ports further on
many are somebody else's: 5985 is WinRM, and no finding should call it VNC."""

EXAMPLES = "407, 1417-1420, 5800+ or >=1024<=5000"

_NUMBER = "[0-9]{1,20}"
_ITEM = re.compile(rf"(?P<first>{_NUMBER})(?:-(?P<last>{_NUMBER})|(?P<onward>\+))?")
_DYNAMIC = re.compile(rf">= ?(?P<first>{_NUMBER})(?: ?<= ?(?P<last>{_NUMBER}))?")

_CELL_ITEM = rf"({PORT_PATTERN}(-{PORT_PATTERN}|\+)?|>= ?{PORT_PATTERN}( ?<= ?{PORT_PATTERN})?)"
CELL_PATTERN = rf"^ *{_CELL_ITEM}( *, *{_CELL_ITEM})* *$"
"""The syntax for JSON Schema. It cannot say that a range is reversed or listed twice; `parse_cell` can."""

RANGE_PATTERN = rf"^ *(0|{PORT_PATTERN})-{PORT_PATTERN} *$"


@dataclass(frozen=True, slots=True)
class CellPorts:
    """One item of a cell: the ports `first` to `last`, see Spread."""

    first: int
    last: int
    spread: Spread = Spread.EXACT

    def __str__(self) -> str:
        match self.spread:
            case Spread.ONWARD:
                return f"{self.first}+"
            case Spread.DYNAMIC:
                return f">={self.first}" if self.last == LAST_PORT else f">={self.first}<={self.last}"
            case _:
                return f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"


def parse_cell(text: str) -> tuple[CellPorts, ...]:
    """Read the ports of one transport.

    Raises:
        PortcheckError: an item is not in the syntax, or two items share a port.
    """
    items = tuple(_parse_item(part.strip(" "), text) for part in text.split(","))
    _refuse_overlap(items)
    return items


def parse_range(text: str) -> CellPorts:
    """Read a part of all port numbers, 0 among them: `0-1023`.

    Raises:
        PortcheckError: it is not one range.
    """
    match = _ITEM.fullmatch(text.strip(" "))
    if match is None or match["last"] is None:
        raise PortcheckError(f"{quoted(text)} is not a range of ports; write one like 0-1023")
    return _exact(_port(match["first"], lowest=0), _port(match["last"]))


def _parse_item(item: str, cell: str) -> CellPorts:
    if not item:
        raise PortcheckError(f"{quoted(cell)} has nothing between two commas, or a comma at an end; remove one comma")
    if match := _DYNAMIC.fullmatch(item):
        first, last = _port(match["first"]), _port(match["last"] or str(LAST_PORT))
        if first > last:
            raise PortcheckError(f"no port is >={first} and <={last}; write >={last}<={first}")
        return CellPorts(first, last, Spread.DYNAMIC)
    match = _ITEM.fullmatch(item)
    if match is None:
        raise PortcheckError(_why_not(item))
    first = _port(match["first"])
    if match["onward"]:
        return CellPorts(first, min(first + ONWARD_PORTS, LAST_PORT), Spread.ONWARD)
    return _exact(first, _port(match["last"] or match["first"]))


def _exact(first: int, last: int) -> CellPorts:
    if first > last:
        raise PortcheckError(f"range {first}-{last} is reversed; write {last}-{first}")
    return CellPorts(first, last)


def _why_not(item: str) -> str:
    number, slash, _ = item.partition("/")
    if slash and _ITEM.fullmatch(number):
        return (
            f"{quoted(item)} has a transport; write {printable(number, 40)}: the key says it (tcp, udp, or either "
            "where the list does not say)"
        )
    hyphens = re.sub(PRINTED_DASHES, "-", item)
    if _ITEM.fullmatch(hyphens):
        return f"{quoted(item)} has a printer's dash; write {printable(hyphens, 40)} with a plain hyphen"
    return f"{quoted(item)} is not a port; write for example {EXAMPLES}, and words under note"


def _port(digits: str, lowest: int = 1) -> int:
    significant = digits.lstrip("0") or "0"
    if len(significant) > 5 or not lowest <= int(significant) <= LAST_PORT:
        raise PortcheckError(f"port {printable(digits, 20)} does not exist; ports are {lowest} to {LAST_PORT}")
    if significant != digits:
        raise PortcheckError(f"port {printable(digits, 20)} begins with a zero; write {significant}")
    return int(significant)


def _refuse_overlap(items: Sequence[CellPorts]) -> None:
    """A port written twice is a slip of the pen. Ports chosen at run time may be around others that are fixed."""
    seen: set[CellPorts] = set()
    for item in items:
        if item in seen:
            raise PortcheckError(f"{item} is listed twice; remove one")
        seen.add(item)
    fixed = sorted((item.first, item.last, item) for item in items if item.spread is Spread.EXACT)
    for (_, last, before), (first, _, after) in pairwise(fixed):
        if first <= last:
            raise PortcheckError(f"{before} and {after} share port {first}; take it out of one of them")
