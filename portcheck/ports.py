"""Ports as people write them, read and printed: `5050/tcp`, `445,139/tcp`, `53/tcp+udp`, `1-99/udp`, `gre`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from portcheck.engine.probe import Transport
from portcheck.model import LAST_PORT, PortcheckError, Ports
from portcheck.printable import printable, quoted

WITH_PORTS: dict[str, tuple[Transport, ...]] = {
    "tcp": (Transport.TCP,),
    "udp": (Transport.UDP,),
    "tcp+udp": (Transport.TCP, Transport.UDP),
    "udp+tcp": (Transport.UDP, Transport.TCP),
}
"""What may stand behind the slash."""

WITHOUT_PORTS: dict[str, Transport] = {
    "icmp": Transport.ICMP,
    "gre": Transport.GRE,
    "esp": Transport.ESP,
    "ah": Transport.AH,
}
"""IP protocols: they stand alone."""

EXAMPLES = "22/tcp, 1025-2180/tcp, 53/tcp+udp or gre"

_NUMBERS = re.compile(r"([0-9]+)(?:-([0-9]+))?")

PORT_PATTERN = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"  # 1 to 65535
PRINTED_DASHES = "[\u2010-\u2015\u2212]"
"""What vendors' pages have between two ports, in place of a hyphen."""

_RANGE = rf"{PORT_PATTERN}(-{PORT_PATTERN})?"
_ITEM = rf"({_RANGE}( *, *{_RANGE})*/(tcp(\+udp)?|udp(\+tcp)?)|icmp|gre|esp|ah)"
PORTS_PATTERN = rf"^ *{_ITEM}( *, *{_ITEM})* *$"
"""The syntax for JSON Schema. It cannot say that a range is reversed or listed twice; `parse_ports` can."""


class PortsError(PortcheckError):
    """A text that is not ports. The message says what is wrong and what to write."""


def parse_ports(text: str) -> tuple[Ports, ...]:
    """Read a list of ports; a transport applies to all numbers since the transport before it.

    Returns:
        At least one item, in the order written, no port twice; `53/tcp+udp` gives 53/tcp and 53/udp.

    Raises:
        PortsError: the text is empty or not in the syntax, or names a port twice.
    """
    if not text.strip():
        raise PortsError(f"no ports given: write for example {EXAMPLES}")
    found: list[Ports] = []
    pending: list[tuple[int, int]] = []
    for item in (part.strip(" ") for part in text.split(",")):
        if not item:
            raise PortsError(f"{quoted(text)} has nothing between two commas, or a comma at an end: remove one comma")
        if item in WITHOUT_PORTS:
            _refuse_pending(pending)
            found.append(Ports(WITHOUT_PORTS[item], None, None))
            continue
        numbers, slash, transport = item.partition("/")
        pending.append(_parse_numbers(numbers, item))
        if slash:
            carriers = _parse_transport(transport, numbers)
            found += [Ports(carrier, first, last) for first, last in pending for carrier in carriers]
            pending.clear()
    _refuse_pending(pending)
    _refuse_overlap(found)
    return tuple(found)


def format_ports(numbers: Iterable[int]) -> str:
    """The set of port numbers as runs in ascending order: "1-21,23-79"; empty for no numbers."""
    return ",".join(f"{first}-{last}" if first != last else f"{first}" for first, last in runs(numbers))


def format_by_transport(ports: Iterable[tuple[Transport, int | None]]) -> str:
    """`53, 80/tcp and 53/udp`: one part for each transport, in the order of their first appearance."""
    numbers: dict[Transport, list[int]] = {}
    for transport, port in ports:
        numbers.setdefault(transport, []).extend([port] if port is not None else [])
    parts = (
        f"{format_ports(of_one).replace(',', ', ')}/{transport}" if of_one else str(transport)
        for transport, of_one in numbers.items()
    )
    return " and ".join(parts)


def runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of neighbours in a set of numbers, ascending."""
    ascending = iter(sorted(set(numbers)))
    first = last = next(ascending, None)
    if first is None or last is None:
        return
    for number in ascending:
        if number != last + 1:
            yield first, last
            first = number
        last = number
    yield first, last


def _parse_numbers(text: str, item: str) -> tuple[int, int]:
    match = _NUMBERS.fullmatch(text)
    if match is None:
        raise PortsError(_why_not_numbers(text, item))
    first = _parse_port(match[1])
    last = _parse_port(match[2]) if match[2] else first
    if first > last:
        raise PortsError(f"range {first}-{last} is reversed: write {last}-{first}")
    return first, last


def _why_not_numbers(text: str, item: str) -> str:
    if text in WITHOUT_PORTS:
        return f"{text} has no ports: write {text}"
    if text in WITH_PORTS:
        behind = item.partition("/")[2]
        if _NUMBERS.fullmatch(behind):
            return f"{quoted(item)} has the transport first: write {printable(behind, 20)}/{text}"
        return f"{text} needs a port: write for example 22/{text}"
    hyphens = re.sub(PRINTED_DASHES, "-", text)
    if _NUMBERS.fullmatch(hyphens):
        return f"{quoted(text)} has a printer's dash: write {printable(hyphens, 20)} with a plain hyphen"
    return f"{quoted(item)} is not a port: write for example {EXAMPLES}"


def _parse_port(digits: str) -> int:
    significant = digits.lstrip("0")
    if not significant or len(significant) > 5 or int(significant) > LAST_PORT:
        raise PortsError(f"port {printable(digits, 20)} does not exist: ports are 1 to {LAST_PORT}")
    if significant != digits:
        raise PortsError(f"port {printable(digits, 20)} begins with a zero: write {significant}")
    return int(significant)


def _parse_transport(text: str, numbers: str) -> tuple[Transport, ...]:
    if text in WITH_PORTS:
        return WITH_PORTS[text]
    shown = printable(numbers, 20)
    if text in WITHOUT_PORTS:
        raise PortsError(f"{text} has no ports: write {text}")
    if text.lower() in WITH_PORTS:
        raise PortsError(f"{quoted(text)} is not in small letters: write {shown}/{text.lower()}")
    if not text:
        raise PortsError(f"{shown}/ has no transport: write {shown}/tcp or {shown}/udp")
    raise PortsError(
        f"{quoted(text)} is not a transport: write {shown}/tcp, {shown}/udp or {shown}/tcp+udp, "
        f"or one of {', '.join(WITHOUT_PORTS)} alone"
    )


def _refuse_pending(pending: Sequence[tuple[int, int]]) -> None:
    if pending:
        numbers = printable(",".join(f"{f}-{t}" if f != t else f"{f}" for f, t in pending), 40)
        raise PortsError(f"{numbers} has no transport: write {numbers}/tcp or {numbers}/udp")


def _refuse_overlap(found: Sequence[Ports]) -> None:
    """A port written twice is a slip of the pen: one of the two was meant to be another port."""
    for before, after in pairwise(sorted(found)):
        if before == after:
            raise PortsError(f"{after} is listed twice: remove one")
        if after.first is not None and after.first in before and before.transport is after.transport:
            raise PortsError(f"{before} and {after} share port {after.first}: take it out of one of them")
