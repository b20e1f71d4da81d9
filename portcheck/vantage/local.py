"""This machine as a vantage: which addresses are ours, what names resolve to, where we have a route. No packets."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from portcheck.engine.addresses import is_broadcast as is_broadcast_here
from portcheck.engine.addresses import is_own, source_towards
from portcheck.engine.channels import Channels, PrivilegeError
from portcheck.engine.probe import Transport
from portcheck.model import Address, Family, PortcheckError, Ports
from portcheck.printable import quoted

_LOOKUPS_AT_ONCE = 32

_SERVICES = "/etc/services"
_MAX_SERVICES_BYTES = 2**20

_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)

_CARRIERS = ("/tcp", "/udp")

Lookup = tuple[str, ...] | str
"""What a name came to: its addresses, or in one phrase why it has none."""


def family(ip: str) -> Family:
    """The family of an IP literal."""
    return Family.IPV6 if ":" in ip else Family.IPV4


def canonical(text: str) -> str | None:
    """The one spelling of an IP literal; None when it is not one, and so a name."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # ::ffff:10.0.0.1 is IPv4 on the wire (RFC 4291, 2.5.5.2), and must not be told as IPv6.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def machine_name() -> str:
    """What this machine calls itself."""
    return socket.gethostname()


def look_up(names: Iterable[str]) -> dict[str, Lookup]:
    """Every name resolved once, many at a time: a resolver that is down must not cost its timeout per name.

    Raises:
        PortcheckError: no descriptor left to ask the resolver with.
    """
    wanted = tuple(dict.fromkeys(names))
    if not wanted:
        return {}
    with ThreadPoolExecutor(min(_LOOKUPS_AT_ONCE, len(wanted))) as pool:
        return dict(zip(wanted, pool.map(_look_up, wanted), strict=True))


def _look_up(name: str) -> Lookup:
    try:
        infos = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno in _NO_DESCRIPTOR:
            raise _no_descriptor(f"{quoted(name)} cannot be looked up", error) from None
        # A label over 63 characters fails in Python's IDNA codec, before any resolver is asked.
        return error.strerror or str(error) if isinstance(error, OSError) else "not a valid host name"
    return tuple(dict.fromkeys(str(info[4][0]) for info in infos))


def reachable_families(addresses: tuple[Address, ...]) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
    """Split a name's addresses into those for which we have a route and the others.

    Without a route to any of them all are kept: the run will say so for each.

    Raises:
        PortcheckError: no descriptor left to ask the kernel with.
    """
    with _descriptor_needed():
        routed = {address: source_towards(address.ip) is not None for address in addresses}
    kept = tuple(address for address in addresses if routed[address])
    if not kept:
        return addresses, ()
    return kept, tuple(address for address in addresses if not routed[address])


def own_sources(addresses: Iterable[Address]) -> dict[Family, str]:
    """The first of these addresses, by family, that belongs to this machine.

    Raises:
        PortcheckError: as `reachable_families`.
    """
    sources: dict[Family, str] = {}
    with _descriptor_needed():
        for address in addresses:
            if is_own(address.ip):
                sources.setdefault(address.family, address.ip)
    return sources


def is_this_machine(addresses: Iterable[Address]) -> bool:
    """Whether one of these addresses is our own.

    Raises:
        PortcheckError: as `reachable_families`.
    """
    with _descriptor_needed():
        return any(is_own(address.ip) for address in addresses)


def is_broadcast(ip: str) -> bool:
    """Whether it is the broadcast address of a network that this machine is connected to.

    Raises:
        PortcheckError: as `reachable_families`.
    """
    with _descriptor_needed():
        return is_broadcast_here(ip)


def privilege_lacking(transport: Transport, address: str) -> str | None:
    """What it takes to send packets without ports to an address, where this process lacks it; a socket is tried."""
    channels = Channels(portable=False)
    try:
        if transport is Transport.ICMP:
            channels.echo(address, None).close()
        else:
            channels.raw(address, transport, None).close()
    except PrivilegeError as lack:
        return str(lack)
    except OSError:
        return None  # No route, or a shortage of our own, of which the check will tell.
    return None


@contextmanager
def _descriptor_needed() -> Iterator[None]:
    """The kernel is asked through a socket; all that can be missing for it is a descriptor."""
    try:
        yield
    except OSError as error:
        raise _no_descriptor("The kernel cannot be asked for a route", error) from None


def _no_descriptor(what: str, error: OSError) -> PortcheckError:
    return PortcheckError(f"{what}: {error.strerror or error}. Allow more open files (ulimit -n 1024).")


def service_ports(name: str) -> tuple[Ports, ...]:
    """The ports that this system's services database has for a name, TCP before UDP; empty when it has none."""
    found: list[Ports] = []
    for transport in (Transport.TCP, Transport.UDP):
        try:
            number = socket.getservbyname(name, str(transport))
        except OSError:
            continue
        if 0 < number < 65536:
            found.append(Ports(transport, number, number))
    return tuple(found)


def service_names() -> tuple[str, ...]:
    """The names and aliases in this system's services database, as far as it is a file that we may read."""
    try:
        with open(_SERVICES, encoding="utf-8", errors="replace") as file:
            lines = file.read(_MAX_SERVICES_BYTES).splitlines()
    except OSError:
        return ()
    rows = (line.partition("#")[0].split() for line in lines)
    known = (row for row in rows if len(row) > 1 and row[1].endswith(_CARRIERS))
    return tuple(dict.fromkeys(name for row in known for name in (row[0], *row[2:])))
