"""Are ports of this machine free? Tried by binding, and looked up in the kernel's table of sockets.

A trial alone says that a port is taken, not by whom, and an ordinary user may not try those below 1024. The table
alone misses who has a port bound and does not listen. So both are asked. Nothing is sent and nothing ever listens: a
trial's socket is closed at once, and only a service that starts in those few microseconds could meet it.
"""

import errno
import os
import socket
from dataclasses import dataclass
from typing import Dict, Iterable, List, Optional, Sequence, Set, Tuple

from .addresses import family_of, is_own, socket_address
from .probe import (
    IN_EPHEMERAL_RANGE,
    MAY_BE_STAND_IN,
    RESERVED,
    Holder,
    Observation,
    PortState,
    Probe,
    Reason,
    Transport,
)
from .socket_table import PROC, SocketTable, Use

NEEDS_CAPABILITY = "needs CAP_NET_BIND_SERVICE"
FORBIDDEN = "the security policy of this machine forbids us to bind it"

_TYPES = {Transport.TCP: socket.SOCK_STREAM, Transport.UDP: socket.SOCK_DGRAM}
_EVERYWHERE = ("0.0.0.0", "::", "127.0.0.1", "::1")
"""On Linux who has a port on any address is in the way of the wildcard; other systems want the loopback tried too."""
_NOT_ALLOWED = (errno.EACCES, errno.EPERM)
"""Without CAP_NET_BIND_SERVICE, or by SELinux; by a BPF program of the control group."""
_NOT_HERE = (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EADDRNOTAVAIL)
"""Without IPv6; of an address that has gone, or that the kernel still looks for duplicates of."""
_ALWAYS_PRIVILEGED = 1024
"""Ports below it need a privilege where net.ipv4.ip_unprivileged_port_start does not say otherwise."""
_NAMED_AT_MOST = 3
_NO_TABLE = "this system does not show who has a port"


@dataclass(frozen=True)
class OwnPortsSeen:
    """An observation for each probe, in their order; in sentences, what could not be seen."""

    observations: Tuple[Observation, ...]
    remarks: Tuple[str, ...]


def look_at_own_ports(
    probes: Iterable[Probe], addresses: Sequence[str], proc: str = PROC, *, trial: bool = True
) -> OwnPortsSeen:
    """What this machine's kernel says of its own ports.

    Best before anything is sent: the connections of a run hold ports of ours themselves.

    Args:
        probes: over TCP or UDP; their address does not matter.
        addresses: what the product will bind beside the wildcards. One that this machine does not have is left out.
        trial: bind the ports as well; without, the table alone tells.
    """
    asked = tuple(probes)
    if not trial:
        return _looked_up(asked, SocketTable(proc))
    trials = Trials(addresses)
    errors = {probe: trials.error(probe.transport, probe.port) for probe in asked}
    # Read after the trials, so that it has who came while they ran.
    look = _Look(SocketTable(proc), LocalPorts(proc))
    for probe, error in errors.items():
        if error == errno.EADDRINUSE and not look.table.sockets(probe.transport, probe.port):
            errors[probe] = trials.error(probe.transport, probe.port)  # Who had it may have ended since.
    observations = tuple(look.observation(probe, errors[probe]) for probe in asked)
    return OwnPortsSeen(observations, tuple(_remarks(observations, errors, trials.absent, look)))


def _looked_up(asked: Sequence[Probe], table: SocketTable) -> OwnPortsSeen:
    observations = []
    for probe in asked:
        holders = table.holders(probe.transport, probe.port)
        if any(not holder.connected for holder in holders):
            observations.append(Observation(probe, PortState.OPEN, Reason.PORT_HELD, holders=holders))
        elif table.is_readable(probe.transport):
            observations.append(Observation(probe, PortState.CLOSED, Reason.PORT_FREE))
        else:
            observations.append(Observation(probe, PortState.UNKNOWN, Reason.LOCAL_ERROR, detail=_NO_TABLE))
    return OwnPortsSeen(tuple(observations), ())


# ------------------------------------------------------------------------------------------------ the trial


class Trials:
    """Binds ports, one at a time, as servers do.

    Attributes:
        absent: those of the addresses that this machine does not have.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        planned = [address for address in dict.fromkeys(addresses) if address not in _EVERYWHERE]
        self.absent: Set[str] = {address for address in planned if not _is_ours(address)}
        self._addresses = [*_EVERYWHERE, *(address for address in planned if address not in self.absent)]

    def error(self, transport: Transport, port: int) -> Optional[int]:
        """Why the port cannot be bound on all addresses: an errno, None if it can."""
        errors: List[Optional[int]] = []
        for address in self._addresses:
            found = _bind(transport, address, port)
            if found == errno.EADDRINUSE:
                return found
            if found not in _NOT_HERE:
                errors.append(found)
            elif address not in _EVERYWHERE:
                self.absent.add(address)
        # No address at all: nothing was tried, which is not the same as nothing in the way.
        return next((found for found in errors if found is not None), None) if errors else errno.EAFNOSUPPORT


def _bind(transport: Transport, address: str, port: int) -> Optional[int]:
    """The errno of one trial, None when it succeeded."""
    family = family_of(address)
    try:
        with socket.socket(family, _TYPES[transport]) as sock:
            if transport is Transport.TCP:
                # As every server does: past connections of a service (TIME-WAIT) must not look like a holder. Over
                # UDP the same option would let us share a port that somebody has.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family is socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(socket_address(address, port))
    except OSError as error:
        return error.errno or errno.EINVAL
    return None


def _is_ours(address: str) -> bool:
    # Not by binding alone: net.ipv4.ip_nonlocal_bind=1 lets anybody bind the address of another machine.
    try:
        return is_own(address)
    except OSError:
        return _bind(Transport.UDP, address, 0) is None


# ------------------------------------------------------------------------------------ what the kernel may give away


class LocalPorts:
    """Which ports the kernel gives to outgoing connections, ip(7): /proc/sys/net/ipv4/ip_local_*, of IPv6 too.

    Attributes:
        ephemeral: the first and the last one; None where that cannot be read.
        unprivileged: the first port that anybody may bind.
    """

    def __init__(self, proc: str = PROC) -> None:
        folder = f"{proc}/sys/net/ipv4"
        bounds = numbers(_read(f"{folder}/ip_local_port_range"))
        start = numbers(_read(f"{folder}/ip_unprivileged_port_start"))
        self.ephemeral: Optional[Tuple[int, int]] = (bounds[0], bounds[1]) if len(bounds) == 2 else None
        self.unprivileged = start[0] if start else _ALWAYS_PRIVILEGED
        self._reserved = ranges(_read(f"{folder}/ip_local_reserved_ports"))

    def detail(self, port: int) -> Optional[str]:
        """Whether an outgoing connection may take the port at any moment, in the words of an observation."""
        if any(first <= port <= last for first, last in self._reserved):
            return RESERVED
        if self.ephemeral is not None and self.ephemeral[0] <= port <= self.ephemeral[1]:
            return "{}{}-{}".format(IN_EPHEMERAL_RANGE, *self.ephemeral)
        return None


def numbers(text: str) -> Tuple[int, ...]:
    """The numbers of a kernel setting, () when there is anything else in it."""
    words = text.split()
    return tuple(map(int, words)) if all(word.isdecimal() for word in words) else ()


def ranges(text: str) -> Tuple[Tuple[int, int], ...]:
    """The ranges of a list of ports such as 5050,8000-8100."""
    found = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first.isdecimal() and (last or first).isdecimal():
            found.append((int(first), int(last or first)))
    return tuple(found)


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


# ---------------------------------------------------------------------------------------------- what it comes to


@dataclass(frozen=True)
class _Look:
    """What was read once for all ports."""

    table: SocketTable
    ports: LocalPorts

    def observation(self, probe: Probe, error: Optional[int]) -> Observation:
        """One port, from the errno of its trial and from who is in the table."""
        sockets = self.table.sockets(probe.transport, probe.port)
        uses = {each.use for each in sockets}
        if uses & {Use.LISTENS_FOR_OTHERS, Use.LISTENS_ON_LOOPBACK}:
            # Also where the trial succeeded: the product may want an address that we did not try.
            return self._held(probe, Reason.PORT_HELD)
        if error is None:
            return Observation(probe, PortState.CLOSED, Reason.PORT_FREE, detail=self.ports.detail(probe.port))
        if error == errno.EADDRINUSE:
            # Of the trial, TIME-WAIT too: where the near end did without SO_REUSEADDR, Linux keeps the port for it.
            return self._held(probe, Reason.PORT_IN_CONNECTION if sockets else Reason.PORT_HELD)
        if error not in _NOT_ALLOWED:
            return Observation(probe, PortState.UNKNOWN, Reason.LOCAL_ERROR, errno=error, detail=os.strerror(error))
        if Use.CONNECTED in uses:
            return self._held(probe, Reason.PORT_IN_CONNECTION)
        why = NEEDS_CAPABILITY if probe.port < self.ports.unprivileged else FORBIDDEN
        if not self.table.is_readable(probe.transport):
            return Observation(probe, PortState.UNKNOWN, Reason.LOCAL_ERROR, errno=error, detail=why)
        return Observation(probe, PortState.CLOSED, Reason.PORT_UNUSED, errno=error, detail=why)

    def _held(self, probe: Probe, reason: Reason) -> Observation:
        holders = self.table.holders(probe.transport, probe.port)
        ours = any(holder.stand_in for holder in holders)
        detail = self.ports.detail(probe.port) if ours or reason is Reason.PORT_IN_CONNECTION else None
        if holders and all(map(is_unnamed, holders)):
            owner = {holder.uid for holder in holders}
            stand_in = next((each.pid for each in self.table.stand_ins if each.uid in owner), None)
            detail = detail if stand_in is None else f"{MAY_BE_STAND_IN}{stand_in}"
        return Observation(probe, PortState.OPEN, reason, detail=detail, holders=holders)


def _remarks(
    observations: Sequence[Observation], errors: Dict[Probe, Optional[int]], absent: Set[str], look: _Look
) -> Iterable[str]:
    """One sentence for each thing that could not be seen."""
    if absent:
        yield f"This machine does not have {_some(sorted(absent))}: ports were tried on its other addresses only."
    untried = [each.probe for each in observations if errors[each.probe] in _NOT_ALLOWED and not _is_held(each)]
    if any(look.table.is_readable(probe.transport) for probe in untried):
        yield (
            f"We may not bind {_ports(untried)}: looked up among the sockets in use, not tried. Root, or "
            "CAP_NET_BIND_SERVICE, tries them too."
        )
    held = [each for each in observations if _is_held(each)]
    if any(not look.table.is_readable(each.probe.transport) for each in held):
        yield "This system does not show who has a port (/proc/net): what is in use is found, its process is not."
    hidden = [each.probe for each in held if not each.holders and look.table.is_readable(each.probe.transport)]
    if hidden:
        yield f"{_ports(hidden)}: taken by a socket that does not listen yet, and the kernel's table does not name it."
    if look.ports.ephemeral is None and any(each.reason is Reason.PORT_FREE for each in observations):
        yield "We could not read which ports outgoing connections take: a free port may be one of them."


def _is_held(observation: Observation) -> bool:
    return observation.reason is Reason.PORT_HELD


def remark_on_unnamed(observations: Iterable[Observation]) -> Optional[str]:
    """Which ports somebody has whom we may not see; None where there are none.

    Best said last: some of them may turn out to be a stand-in's of ours.
    """
    unnamed = [each.probe for each in observations if any(map(is_unnamed, each.holders))]
    if not unnamed:
        return None
    if os.geteuid() != 0:
        return f"Only root can see which process has {_ports(unnamed)}."
    return f"No process that we can see has {_ports(unnamed)}: the kernel itself, or one in another container."


def is_unnamed(holder: Holder) -> bool:
    """It is a process's, and we may not see whose."""
    # Without an owner it is a connection that no process has any more.
    return holder.pid is None and holder.uid is not None


def _ports(probes: Sequence[Probe]) -> str:
    return _some([f"{probe.port}/{probe.transport}" for probe in probes])


def _some(names: Sequence[str]) -> str:
    """At most a few of them, and how many more there are."""
    shown, more = list(names[:_NAMED_AT_MOST]), len(names) - _NAMED_AT_MOST
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
