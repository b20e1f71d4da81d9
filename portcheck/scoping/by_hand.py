"""Ports that a user names by hand: -e and --sweep."""

from __future__ import annotations

from collections.abc import Iterable

from portcheck.engine.probe import Transport
from portcheck.model import NamedPorts, PortcheckError, Ports, Selection, Sweep, SweepKind
from portcheck.ports import PortsError, parse_ports
from portcheck.printable import printable, quoted
from portcheck.scoping.services import ports_of_service
from portcheck.service_names import parse_service

_SWEEPS = {kind.value: kind for kind in (SweepKind.NONE, SweepKind.DOCUMENTED, SweepKind.ALL)}


def check_transports(selection: Selection, sweep: Sweep, extra: tuple[NamedPorts, ...]) -> None:
    """That --transport leaves something of what was named by hand.

    Raises:
        PortcheckError: it does not, and the message says what to write.
    """
    if not (chosen := selection.transports):
        return
    option = f"--transport {' '.join(chosen)}"
    swept = _swept_transports(sweep)
    if swept and not swept & set(chosen):
        numbers = _NUMBERS.get(sweep.kind) or _with_transport(sweep.ports, "")
        other = next((f": write --sweep {numbers}/{name}" for name in _WITH_PORTS if name in chosen), "")
        kinds = " and ".join(sorted(transport.upper() for transport in swept))
        raise PortcheckError(f"--sweep {quoted(selection.sweep)} is {kinds}, which {option} leaves out{other}")
    ports = tuple(named.ports for named in extra)
    if ports and not {each.transport for each in ports} & set(chosen):
        texts = (_with_transport(ports, f"/{name}") for name in _WITH_PORTS if name in chosen)
        write = next((f"write -e {text}, or " for text in texts if all(each.first is not None for each in ports)), "")
        written = printable(",".join(selection.expects), 100)
        raise PortcheckError(f"-e {written} is left out by {option}: {write}leave --transport out")


_WITH_PORTS = ("tcp", "udp")
_NUMBERS = {SweepKind.COMMON: "PORTS", SweepKind.ALL: "1-65535"}


def _swept_transports(sweep: Sweep) -> set[str]:
    if sweep.kind in _NUMBERS:
        return {str(Transport.TCP)}
    return {str(ports.transport) for ports in sweep.ports}


def _with_transport(ports: Iterable[Ports], ending: str) -> str:
    texts = (str(each).partition("/")[0] for each in ports)
    return ",".join(f"{text}{ending}" for text in dict.fromkeys(texts))


def parse_expect(text: str) -> tuple[NamedPorts, ...]:
    """Read one -e: `22/tcp,443/tcp`, `1025-2180/tcp`, `gre`, service names such as `ssh`, or a list of these.

    Raises:
        PortcheckError: an item is none of them, or a name that is unknown or ambiguous.
    """
    items = [(item, parse_service(item)) for item in (part.strip(" ") for part in text.split(","))]
    numbers = ",".join(item for item, service in items if service is None)
    try:
        named = tuple(
            NamedPorts(ports, service.name)
            for _, service in items
            if service is not None
            for ports in ports_of_service(service)
        )
        by_number = parse_ports(numbers) if numbers or not named else ()
    except PortcheckError as error:
        raise PortcheckError(f"-e {quoted(text)}: {error}") from None
    return (*named, *(NamedPorts(ports) for ports in by_number))


def parse_sweep(text: str) -> Sweep:
    """Read --sweep: none, documented, common, all, or ports such as `1-1024,8080` or `53,161/udp`, TCP unless written.

    Raises:
        PortcheckError: it is none of these.
    """
    stripped = text.strip(" ")
    if stripped in _SWEEPS:
        return Sweep(_SWEEPS[stripped])
    if stripped == SweepKind.COMMON:
        from portcheck import documents  # most checks need no word of documents that they do not name
        from portcheck.knowledge import common_tcp_ports

        return Sweep(SweepKind.COMMON, common_tcp_ports(documents.library()))
    forms = "write none, documented, common, all, or ports such as 1-1024,8080 or 53,161/udp"
    if not stripped[:1].isdigit():
        raise PortcheckError(f"--sweep {quoted(text)}: {forms}")
    try:
        ports = parse_ports(stripped if "/" in stripped else f"{stripped}/tcp")
    except PortsError as error:
        raise PortcheckError(f"--sweep {quoted(text)}: {error}; {forms}") from None
    if lacking := next((item for item in ports if item.first is None), None):
        raise PortcheckError(f"--sweep {quoted(text)}: {lacking} has no ports; name it with -e {lacking}")
    return Sweep(SweepKind.PORTS, ports)
