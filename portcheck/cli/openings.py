"""What a stand-in opens: which ports on which addresses, and how many are too many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from portcheck.engine.probe import Transport
from portcheck.engine.stand_in import Opening
from portcheck.model import LOOPBACK, WILDCARD, Host, PortcheckError
from portcheck.ports import format_ports
from portcheck.printable import printable
from portcheck.role_ports import RolePort

MAX_SOCKETS = 4096
_EPHEMERAL_SHARE = 10
"""One in so many ports of the range that the kernel takes for outgoing connections. When all of it is bound, every
outgoing connection of the machine fails with EADDRNOTAVAIL (measured)."""


def addresses_of(host: Host, is_own: Callable[[str], bool]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The addresses to open a host's ports on, and a sentence for each that had to be replaced.

    What a translator of addresses shows to others (NAT) is no address of the machine: there all of the family are
    opened, and then none of them singly, for the two exclude each other.
    """
    if not host.addresses:
        remark = f"{host.name} has no address ({host.unresolved}): {_INSTEAD}"
        return tuple(WILDCARD.values()), (remark,) if host.unresolved else ()
    foreign = [address for address in host.addresses if not is_own(address.ip)]
    wild = {address.family for address in foreign}
    found = [WILDCARD[each.family] if each.family in wild else each.ip for each in host.addresses]
    remarks = tuple(f"{each.ip} of {host.name} is no address of this machine: {_INSTEAD}" for each in foreign)
    return tuple(dict.fromkeys(found)), remarks


_INSTEAD = "the ports are opened on all its addresses instead"


def openings(ports: Iterable[RolePort], addresses: tuple[str, ...]) -> tuple[Opening, ...]:
    """What to open; services for the host itself on its loopback addresses and no other."""
    return tuple(
        Opening(each.transport, each.port, tuple(LOOPBACK.values()) if each.local_only else addresses) for each in ports
    )


def refuse_too_many(wanted: Sequence[Opening], ephemeral: range) -> None:
    """That the machine can go on working beside the stand-in.

    Raises:
        PortcheckError: it could not.
    """
    sockets = sum(len(each.addresses) for each in wanted)
    if sockets > MAX_SOCKETS:
        raise PortcheckError(
            f"{_ports(wanted)}: that takes {sockets:,} sockets, one for each port and address, and at most "
            f"{MAX_SOCKETS:,} are opened; name fewer ports, or fewer addresses with --bind"
        )
    for transport in (Transport.TCP, Transport.UDP):
        inside = [each for each in wanted if each.transport is transport and each.port in ephemeral]
        most = len(ephemeral) // _EPHEMERAL_SHARE
        if len(inside) > most:
            raise PortcheckError(
                f"{_ports(inside)}: {len(inside):,} ports lie in {ephemeral[0]}-{ephemeral[-1]}, the range that this "
                f"machine takes for outgoing connections (net.ipv4.ip_local_port_range); at most a tenth of it, "
                f"{most:,}, may be opened, or these fail; name fewer ports, or narrow the range"
            )


def _ports(wanted: Iterable[Opening]) -> str:
    numbers: dict[Transport, list[int]] = {}
    for each in wanted:
        numbers.setdefault(each.transport, []).append(each.port)
    return printable(" and ".join(f"{format_ports(ports)}/{transport}" for transport, ports in numbers.items()), 80)
