"""A small cluster on loopback addresses with things wrong with it: real sockets for the real engine.

Linux answers on all of 127.0.0.0/8, so every host has an address of its own; elsewhere there is one host on
127.0.0.1. Nothing leaves the machine and nothing needs a privilege.
"""

from __future__ import annotations

import errno
import select
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace

from portcheck import documents
from portcheck.engine.probe import Transport
from portcheck.model import (
    LOCALHOST,
    Address,
    Document,
    Expectation,
    Family,
    Host,
    Level,
    Listen,
    PortcheckError,
    Ports,
    Scope,
    Vantage,
    role_key,
)

_SOURCE_DOCUMENT = "dcos-1.11"
_PRIVILEGED = 1024
_HOSTS = {"m1": "127.77.0.11", "m2": "127.77.0.12", "a1": "127.77.0.21", "a2": "127.77.0.22"}
_ROLES = {"m": "master", "a": "agent"}
_VANTAGE = "a1"
_ONLY_ADDRESS = "127.0.0.1"
_BACKLOG = 16
_FILLERS = 8
_FULL_AFTER_S = 0.2
_MOVES = 2000
_LOOK_UP_S = 0.1
_DNS_HEADER_BYTES = 12
_NOT_IMPLEMENTED = bytes((0x80, 0x04)) + bytes(8)
"""RFC 1035 section 4.1.1: a response (QR) with RCODE 4 and no records."""

Place = tuple[str, Transport, int]
"""Host, transport and port, the port as the document has it."""

BLOCKED: Place = ("m1", Transport.TCP, 5050)
REFUSED: Place = ("m2", Transport.TCP, 8181)
REFUSED_UDP: Place = ("m2", Transport.UDP, 61053)
EXPOSED: Place = ("m1", Transport.TCP, 7070)
UNEXPECTED: Place = ("a2", Transport.TCP, 8080)
UNEXPECTED_ON_ONE_HOST: Place = ("m1", Transport.TCP, 5051)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that is up.

    Attributes:
        staged: what was made wrong, in words, in the order of the ports.
        left_out: what this platform cannot show, and why.
        moved: port of the document to the port used instead, because somebody has the former.
    """

    scope: Scope
    staged: tuple[str, ...]
    left_out: tuple[str, ...]
    moved: dict[int, int]


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start the cluster; its listeners are closed at the end.

    Raises:
        PortcheckError: no free ports were found.
    """
    addresses = _addresses()
    several = len(addresses) > 1
    document, moved = _free_document(_demo_document(), tuple(addresses.values()))
    with ExitStack() as stack:
        opened = set(_healthy(document, addresses))
        staged: list[str] = []
        left_out: list[str] = []
        opened -= {_there(REFUSED, moved), _there(REFUSED_UDP, moved)}
        unexpected = UNEXPECTED if several else UNEXPECTED_ON_ONE_HOST
        opened |= {_there(unexpected, moved)}
        if several:
            opened |= {_there(EXPOSED, moved)}
            staged += [f"{_say(REFUSED, moved)} does not listen", f"{_say(REFUSED_UDP, moved)} does not listen"]
            staged.append(f"{_say(EXPOSED, moved)} listens to everybody")
        else:
            left_out.append("only 127.0.0.1 answers here, so there is one host and nothing is local to it alone")
        staged.append(f"{_say(unexpected, moved)} is open and nobody asked for it")
        if sys.platform.startswith("linux"):
            opened -= {_there(BLOCKED, moved)}
            host, _, port = _there(BLOCKED, moved)
            listen_to_nobody(stack, addresses[host], port)
            staged.append(f"{_say(BLOCKED, moved)} drops what it gets")
        else:
            left_out.append("no blocked port: a full queue drops connections on Linux only")
        for host, transport, port in sorted(opened):
            _OPEN[transport](stack, addresses[host], port)
        yield Cluster(_scope(document, addresses), tuple(staged), tuple(left_out), moved)


def _addresses() -> dict[str, str]:
    """A loopback address for each host, or the only one there is."""
    with socket.socket() as trial:
        try:
            trial.bind((_HOSTS[_VANTAGE], 0))
        except OSError:
            return {"m1": _ONLY_ADDRESS}
    return dict(_HOSTS)


def _there(place: Place, moved: dict[int, int]) -> Place:
    host, transport, port = place
    return host, transport, moved.get(port, port)


def _say(place: Place, moved: dict[int, int]) -> str:
    host, transport, port = _there(place, moved)
    return f"{port}/{transport} on {host}"


# ---------------------------------------------------------------------------------------------- the document


def _demo_document() -> Document:
    """The certain, required rows of the DC/OS document that need no privilege to listen: TCP, and DNS over UDP."""
    source = documents.find(_SOURCE_DOCUMENT)
    rows = tuple(row for row in source.expectations if _fits(row))
    used = {role for row in rows for role in (*row.sources, *row.to)}
    return replace(
        source,
        id="demo",
        title="DC/OS demo",
        roles={name: role for name, role in source.roles.items() if name in used},
        features={},
        expectations=tuple(
            replace(row, provenance=tuple(replace(place, document="demo") for place in row.provenance)) for row in rows
        ),
        not_checkable=(),
        notices=(),
    )


def _fits(row: Expectation) -> bool:
    carried = {Transport.TCP, Transport.UDP} if row.speaks == "dns" else {Transport.TCP}
    ports = all(p.transport in carried and p.first is not None and p.first >= _PRIVILEGED for p in row.ports)
    single = row.listen is Listen.SINGLE and not any(p.is_range for p in row.ports)
    return ports and single and row.level is Level.REQUIRED and row.doubt is None


def _free_document(document: Document, addresses: Iterable[str]) -> tuple[Document, dict[int, int]]:
    """Move every port that somebody on this machine uses already."""
    used = {number for row in document.expectations for ports in row.ports for number in ports.numbers()}
    moved: dict[int, int] = {}
    for number in sorted(used):
        if not _is_free(number, addresses):
            candidates = (n for n in range(number + 1, min(number + _MOVES, 65536)) if n not in used)
            free = next((n for n in candidates if _is_free(n, addresses)), None)
            if free is None:
                raise PortcheckError(f"The demo found no free port near {number}: too much listens on this machine.")
            moved[number] = free
            used.add(free)
    rows = tuple(
        replace(row, ports=tuple(_moved(ports, moved) for ports in row.ports)) for row in document.expectations
    )
    return replace(document, expectations=rows), moved


def _moved(ports: Ports, moved: dict[int, int]) -> Ports:
    assert ports.first is not None, "the demo has no protocols without ports"
    number = moved.get(ports.first, ports.first)
    return Ports(ports.transport, number, number)


def _is_free(port: int, addresses: Iterable[str]) -> bool:
    for address in addresses:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as trial:
                try:
                    trial.bind((address, port))
                except OSError as error:
                    if error.errno == errno.EADDRINUSE:
                        return False
                    raise
    return True


def _healthy(document: Document, addresses: dict[str, str]) -> Iterator[Place]:
    """Where a healthy cluster listens, as seen from outside its hosts."""
    for row in document.expectations:
        if LOCALHOST not in row.sources:
            for host in addresses:
                if _ROLES[host[0]] in row.to:
                    yield from ((host, ports.transport, n) for ports in row.ports for n in ports.numbers())


# ----------------------------------------------------------------------------------------------- the sockets


def _listen(stack: ExitStack, address: str, port: int, backlog: int = _BACKLOG) -> socket.socket:
    """Accepting is the kernel's work: a listening socket completes handshakes by itself."""
    listener = stack.enter_context(socket.socket())
    listener.bind((address, port))
    listener.listen(backlog)
    return listener


def _answer_as_dns(stack: ExitStack, address: str, port: int) -> None:
    """A datagram is answered by a program, not by the kernel: a thread says to every query that it does not do that."""
    server = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    server.bind((address, port))
    ended = threading.Event()
    # Closing a socket does not wake who waits for it, and its number may be another's by then.
    server.settimeout(_LOOK_UP_S)
    thread = threading.Thread(target=_refuse_queries, args=(server, ended), daemon=True)
    thread.start()
    stack.callback(thread.join)
    stack.callback(ended.set)


def _refuse_queries(server: socket.socket, ended: threading.Event) -> None:
    while not ended.is_set():
        with suppress(OSError):
            query, peer = server.recvfrom(512)
            if len(query) >= _DNS_HEADER_BYTES:
                server.sendto(query[:2] + _NOT_IMPLEMENTED, peer)


_OPEN: dict[Transport, Callable[[ExitStack, str, int], object]] = {
    Transport.TCP: _listen,
    Transport.UDP: _answer_as_dns,
}


def listen_to_nobody(stack: ExitStack, address: str, port: int) -> None:
    """A listener whose queue is full: Linux drops the SYNs of all who come later, as a firewall does."""
    _listen(stack, address, port, backlog=0)
    for _ in range(_FILLERS):
        filler = stack.enter_context(socket.socket())
        filler.setblocking(False)
        with suppress(BlockingIOError):
            filler.connect((address, port))
        if not select.select([], [filler], [], _FULL_AFTER_S)[1]:
            return


# -------------------------------------------------------------------------------------------------- the scope


def _scope(document: Document, addresses: dict[str, str]) -> Scope:
    hosts = tuple(
        Host(name, (Address(ip, Family.IPV4),), (role_key(document, _ROLES[name[0]]),))
        for name, ip in addresses.items()
    )
    if _VANTAGE in addresses:
        vantage = Vantage(
            _VANTAGE,
            frozenset({role_key(document, "agent")}),
            _VANTAGE,
            {Family.IPV4: addresses[_VANTAGE]},
            "this machine",
        )
    else:
        vantage = Vantage("agent", frozenset({role_key(document, "agent")}), machine="this machine")
    return Scope((document,), hosts, vantage, whole_site=len(addresses) > 1)
