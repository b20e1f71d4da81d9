"""Ports that a user names by hand: -e and --sweep."""

from __future__ import annotations

from portcheck.engine.probe import Transport
from portcheck.model import NamedPorts, PortcheckError, Sweep, SweepKind
from portcheck.ports import PortsError, parse_ports
from portcheck.printable import quoted
from portcheck.scoping.services import ports_of_service
from portcheck.service_names import parse_service

_SWEEPS = {kind.value: kind for kind in (SweepKind.NONE, SweepKind.DOCUMENTED, SweepKind.ALL)}


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
    """Read --sweep: none, documented, common, all, or TCP ports such as `1-1024,8080` (a transport may be written).

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
    forms = "write none, documented, common, all, or TCP ports such as 1-1024,8080"
    if not stripped[:1].isdigit():
        raise PortcheckError(f"--sweep {quoted(text)}: {forms}")
    try:
        ports = parse_ports(stripped if "/" in stripped else f"{stripped}/tcp")
    except PortsError as error:
        raise PortcheckError(f"--sweep {quoted(text)}: {error}; {forms}") from None
    if any(item.transport is not Transport.TCP for item in ports):
        raise PortcheckError(f"--sweep {quoted(text)}: only TCP ports can be swept; name UDP ports with -e 53/udp")
    return Sweep(SweepKind.PORTS, ports)
