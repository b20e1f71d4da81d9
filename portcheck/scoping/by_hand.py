"""Ports that a user names by hand: -e and --sweep."""

from __future__ import annotations

import re

from portcheck.engine.probe import Transport
from portcheck.model import NamedPorts, PortcheckError, Ports, Sweep, SweepKind
from portcheck.ports import PortsError, parse_ports
from portcheck.printable import quoted
from portcheck.vantage import local

_SERVICE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,252}")
_SWEEPS = {kind.value: kind for kind in (SweepKind.NONE, SweepKind.DOCUMENTED, SweepKind.ALL)}


def parse_expect(text: str) -> tuple[NamedPorts, ...]:
    """Read one -e: `22/tcp,443/tcp`, `1025-2180/tcp`, `gre`, service names such as `ssh`, or a list of these.

    Raises:
        PortcheckError: an item is none of them.
    """
    items = [item.strip(" ") for item in text.split(",")]
    names = [item for item in items if _SERVICE_NAME.fullmatch(item) and item not in set(Transport)]
    named = tuple(NamedPorts(_service(name, text), name) for name in names)
    numbers = ",".join(item for item in items if item not in names)
    if named and not numbers:
        return named
    try:
        return named + tuple(NamedPorts(ports) for ports in parse_ports(numbers))
    except PortsError as error:
        raise PortcheckError(f"-e {quoted(text)}: {error}") from None


def _service(name: str, text: str) -> Ports:
    ports = local.service_ports(name)
    if ports is None:
        what = "of that name" if name == text.strip(" ") else name
        raise PortcheckError(f"-e {quoted(text)}: this system knows no service {what}; give a port: -e 22/tcp")
    return ports


def parse_sweep(text: str) -> Sweep:
    """Read --sweep: none, documented, all, or TCP ports such as `1-1024,8080` (a transport may be written).

    Raises:
        PortcheckError: it is none of these.
    """
    stripped = text.strip(" ")
    if stripped in _SWEEPS:
        return Sweep(_SWEEPS[stripped])
    forms = "write none, documented, all, or TCP ports such as 1-1024,8080"
    if not stripped[:1].isdigit():
        raise PortcheckError(f"--sweep {quoted(text)}: {forms}")
    try:
        ports = parse_ports(stripped if "/" in stripped else f"{stripped}/tcp")
    except PortsError as error:
        raise PortcheckError(f"--sweep {quoted(text)}: {error}; {forms}") from None
    if any(item.transport is not Transport.TCP for item in ports):
        raise PortcheckError(f"--sweep {quoted(text)}: only TCP ports can be swept; name UDP ports with -e 53/udp")
    return Sweep(SweepKind.PORTS, ports)
