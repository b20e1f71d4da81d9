"""Who has a port of this machine: the kernel's table of sockets, and the processes that hold them.

Linux only, by proc(5): /proc/net/tcp and its like name every socket of our network namespace, to anybody. Which
process has a socket shows only among the open files of a process, /proc/PID/fd, which root may read and everybody
else of his own processes. Elsewhere, and where /proc/net is hidden from us, the table is not readable.
"""

import os
import re
import socket
import sys
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Dict, FrozenSet, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

from .probe import Holder, Transport

PROC = "/proc"

_FILES = {"tcp": Transport.TCP, "tcp6": Transport.TCP, "udp": Transport.UDP, "udp6": Transport.UDP}
_HEADING = "local_address"
_LISTEN = "0A"
_SYN_RECV = "03"
_UNCONNECTED = "07"
"""net/tcp_states.h. A UDP socket has one of two: TCP_CLOSE while it takes datagrams from anybody, or ESTABLISHED."""

_SOCKETS_OF_A_PORT = 16
"""Of more we keep these: a thousand clients of one port, or a worker of a server on each core, tell nothing new."""
_NAME_CHARACTERS = 120
_CMDLINE_BYTES = 4096
_SOCKET_LINK = re.compile(r"socket:\[(\d+)\]")


End = Tuple[str, int]
"""Address and port."""


class Use(Enum):
    """What a socket does with its port, most important first."""

    LISTENS_FOR_OTHERS = 0
    LISTENS_ON_LOOPBACK = 1
    CONNECTED = 2
    ENDING = 3


@dataclass(frozen=True)
class Socket:
    """One line of the kernel's table.

    Attributes:
        address: the near end's. IPv4 also where an IPv6 socket is bound to an IPv4-mapped address; "::" without
            IPV6_V6ONLY has IPv4 too, which the table does not show.
        use: "listens" is said of every UDP socket that takes datagrams from anybody. ENDING is a connection that no
            process has any more (TIME-WAIT and the like).
    """

    transport: Transport
    address: str
    port: int
    use: Use
    uid: int
    inode: int


@dataclass(frozen=True)
class Running:
    """A process, and whose it is."""

    pid: int
    uid: int


class SocketTable:
    """The sockets of our network namespace as they were when it was made."""

    def __init__(self, proc: str = PROC) -> None:
        self._proc = proc
        self._sockets: Dict[Tuple[Transport, int], List[Socket]] = {}
        self._pids: Optional[Dict[int, int]] = None
        self._read: Set[str] = set()
        for name, transport in _FILES.items():
            try:
                with open(f"{proc}/net/{name}", encoding="ascii", errors="replace") as lines:
                    # A sandbox hides the file behind an empty one.
                    if _HEADING in next(lines, ""):
                        self._read.add(name)
                    for found in parse(lines, transport):
                        self._keep(found)
            except FileNotFoundError:
                if name.endswith("6"):
                    self._read.add(name)  # A kernel without IPv6 has no such file, and no such socket.
            except OSError:
                self._read.discard(name)

    def is_readable(self, transport: Transport) -> bool:
        """Whether a port that is not in the table is not in use."""
        return all(name in self._read for name, each in _FILES.items() if each is transport)

    def sockets(self, transport: Transport, port: int) -> Tuple[Socket, ...]:
        """Those that hold a port, the most important first: who listens, or else the near ends of connections."""
        found = sorted(self._sockets.get((transport, port), ()), key=lambda each: each.use.value)
        listening = [each for each in found if each.use in (Use.LISTENS_FOR_OTHERS, Use.LISTENS_ON_LOOPBACK)]
        return tuple(listening or found)

    def holders(self, transport: Transport, port: int) -> Tuple[Holder, ...]:
        """Who holds a port, in the same order; its process only where we may see it."""
        return tuple(dict.fromkeys(self._holder(each) for each in self.sockets(transport, port)))

    @cached_property
    def stand_ins(self) -> Tuple[Running, ...]:
        """The stand-ins of ours that share these sockets with us; which of them they have is for root to see."""
        pids = (pid for pid in _pids(self._proc) if is_stand_in(_read(f"{self._proc}/{pid}/cmdline").split("\0")))
        return tuple(Running(pid, uid) for pid in pids if (uid := self._uid_here(pid)) is not None)

    def _uid_here(self, pid: int) -> Optional[int]:
        """Whose process it is; None for one of another network namespace, which has other sockets."""
        known = {each.inode for kept in self._sockets.values() for each in kept if each.inode}
        for name, transport in _FILES.items():
            try:
                with open(f"{self._proc}/{pid}/net/{name}", encoding="ascii", errors="replace") as lines:
                    if not known.isdisjoint(each.inode for each in parse(lines, transport)):
                        return os.stat(f"{self._proc}/{pid}").st_uid
            except OSError:
                continue
        return None

    def _keep(self, found: Socket) -> None:
        kept = self._sockets.setdefault((found.transport, found.port), [])
        kept.append(found)
        if len(kept) > _SOCKETS_OF_A_PORT:
            # What others can reach is never dropped for what only we can.
            kept.remove(max(kept, key=lambda each: each.use.value))

    def _holder(self, found: Socket) -> Holder:
        connected = found.use in (Use.CONNECTED, Use.ENDING)
        if found.use is Use.ENDING:
            return Holder(found.address, connected)
        if self._pids is None:
            inodes = frozenset(each.inode for kept in self._sockets.values() for each in kept if each.inode)
            self._pids = pids_of(inodes, self._proc)
        pid = self._pids.get(found.inode)
        if pid is None:
            return Holder(found.address, connected, uid=found.uid)
        return Holder(
            address=found.address,
            connected=connected,
            pid=pid,
            process=_shown(_read(f"{self._proc}/{pid}/comm").rstrip("\n")),
            unit=_shown(unit_of(_read(f"{self._proc}/{pid}/cgroup"))),
            uid=found.uid,
            stand_in=is_stand_in(_read(f"{self._proc}/{pid}/cmdline").split("\0")),
        )


# ------------------------------------------------------------------------------------------------- the table


def parse(lines: Iterable[str], transport: Transport, byteorder: str = sys.byteorder) -> Iterator[Socket]:
    """The sockets of /proc/net/tcp, tcp6, udp or udp6. Headings, and what is no line of such a file, are left out."""
    for line in lines:
        fields = line.split(None, 10)
        if len(fields) < 10:
            continue
        try:
            literal, number = _end(fields[1], byteorder)
            uid, inode = int(fields[7]), int(fields[9])
        except (ValueError, OverflowError):
            continue
        if 0 < number <= 65535:
            yield Socket(transport, literal, number, _use(transport, fields[3], literal, inode), uid, inode)


def half_open(lines: Iterable[str], byteorder: str = sys.byteorder) -> Iterator[Tuple[End, End]]:
    """Near and far end of connections that somebody began and that have not come about, of tcp or tcp6."""
    for line in lines:
        fields = line.split(None, 4)
        if len(fields) < 4 or fields[3] != _SYN_RECV:
            continue
        try:
            yield _end(fields[1], byteorder), _end(fields[2], byteorder)
        except ValueError:
            continue


def _end(text: str, byteorder: str) -> End:
    address, _, port = text.partition(":")
    return address_of(address, byteorder), int(port, 16)


def address_of(words: str, byteorder: str = sys.byteorder) -> str:
    """The literal of an address in hexadecimal digits.

    The kernel prints words of 32 bits as numbers of its own byte order: 127.0.0.1 is 0100007F on x86 and ARM, and
    7F000001 on s390x.

    Raises:
        ValueError: it is no such address.
    """
    if len(words) not in (8, 32):
        raise ValueError(f"{len(words)} digits")
    packed = bytes.fromhex(words)
    if byteorder == "little":
        packed = b"".join(packed[at : at + 4][::-1] for at in range(0, len(packed), 4))
    if len(packed) == 4:
        return socket.inet_ntop(socket.AF_INET, packed)
    if packed.startswith(bytes(10) + b"\xff\xff"):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return socket.inet_ntop(socket.AF_INET6, packed)


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches a socket that is bound to this literal."""
    return address == "::1" or address.startswith("127.")


def _use(transport: Transport, state: str, address: str, inode: int) -> Use:
    if state == (_LISTEN if transport is Transport.TCP else _UNCONNECTED):
        return Use.LISTENS_ON_LOOPBACK if is_loopback(address) else Use.LISTENS_FOR_OTHERS
    return Use.CONNECTED if inode else Use.ENDING


# --------------------------------------------------------------------------------------------- the processes


def pids_of(inodes: FrozenSet[int], proc: str = PROC) -> Dict[int, int]:
    """The process that has each of these sockets; those are missing that we may not see, or that end meanwhile.

    Of several that share a socket it is the oldest, which began to listen before it made workers; and not systemd,
    which listens in place of a service until that takes over.
    """
    found: Dict[int, int] = {}
    for pid in sorted(_pids(proc), key=lambda number: (number == 1, number)):
        for inode in _sockets_of(f"{proc}/{pid}/fd"):
            if inode in inodes:
                found.setdefault(inode, pid)
    return found


def _pids(proc: str) -> List[int]:
    try:
        return [int(name) for name in os.listdir(proc) if name.isdecimal()]
    except OSError:
        return []


def _sockets_of(folder: str) -> Iterator[int]:
    try:
        numbers = os.listdir(folder)
    except OSError:
        return  # Not ours to see, or it has ended.
    for number in numbers:
        try:
            match = _SOCKET_LINK.fullmatch(os.readlink(f"{folder}/{number}"))
        except OSError:
            continue  # Closed since we saw it.
        if match is not None:
            yield int(match.group(1))


_UNIT = re.compile(r".+\.(service|socket|scope|mount|swap)")
_CONTAINER = re.compile(r"[0-9a-f]{64}|.*-[0-9a-f]{64}\.scope|lxc(\.payload)?[./].*|machine-.*\.scope")
_FIRST_PROCESS = "init.scope"
"""The unit of systemd itself, which holds sockets in place of many."""


def unit_of(cgroups: str) -> Optional[str]:
    """systemd's unit in /proc/PID/cgroup; None without systemd, and for a process inside a container.

    Version 1 has a line for each hierarchy, of which systemd has a named one; version 2 has one line in all, "0::".
    """
    paths = dict(_cgroup_lines(cgroups))
    parts = (paths.get("name=systemd") or paths.get("") or "").split("/")
    if any(_CONTAINER.fullmatch(part) for part in parts):
        return None  # The units inside are those of another systemd, if any.
    units = [part for part in parts if _UNIT.fullmatch(part)]
    # The innermost: a service of a user's is below user@1000.service.
    return units[-1] if units and units[-1] != _FIRST_PROCESS else None


def _cgroup_lines(cgroups: str) -> Iterator[Tuple[str, str]]:
    for line in cgroups.splitlines():
        _, colon, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if colon:
            yield controllers, path


def is_stand_in(argv: Sequence[str]) -> bool:
    """Whether a command line is that of `portcheck listen`: as a script of Python's, or by `python -m portcheck`."""
    program = os.path.basename(argv[0]) if argv else ""
    rest = list(argv[1:])
    if re.fullmatch(r"(python|pypy)[0-9.]*", program):
        while rest and rest[0].startswith("-") and rest[0] not in ("-m", "-c"):
            rest = rest[2:] if rest[0] in ("-W", "-X") else rest[1:]
        if rest[:1] == ["-m"]:
            rest = rest[1:]
        program, rest = os.path.basename(rest[0]) if rest else "", rest[1:]
    return program == "portcheck" and rest[:1] == ["listen"]


def _read(path: str) -> str:
    """The beginning of a small file of /proc; empty when it is gone or not for us."""
    try:
        with open(path, "rb") as file:
            return file.read(_CMDLINE_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _shown(name: Optional[str]) -> Optional[str]:
    """A name that any process may give itself, without what a terminal would obey."""
    if not name:
        return None
    return "".join(char if char.isprintable() else "?" for char in name[:_NAME_CHARACTERS])
