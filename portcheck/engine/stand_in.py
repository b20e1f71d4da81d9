"""A stand-in: listens in place of services that are not installed yet, and answers nobody but checks of ours.

Everything else is accepted and closed, or dropped, without a byte. One process, one event loop; its memory is bounded
whatever comes: connections, runs, visitors. Half-open connections are the kernel's, which bounds them itself (SYN
cookies, RFC 4987 section 3.6).
"""

import asyncio
import hashlib
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

from . import token
from .descriptors import raise_descriptor_limit
from .half_open import HalfOpen
from .probe import Holder, Standing, StandInPort, Transport
from .socket_table import SocketTable
from .stand_in_answers import Answers, Peers
from .stand_in_connections import Connections
from .stand_in_datagrams import Datagrams
from .stand_in_places import Places
from .stand_in_sockets import is_for_want_of_ipv6, listening, why_not
from .stand_in_visitors import Came, Visitors

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NETWORK = Path("/proc/self/ns/net")
_ELSEWHERE = secrets.token_bytes(16)

_LEAST_CONNECTIONS = 64
"""Descriptors that listeners leave for them; of few, half."""
_SWEEPS = 10
"""How often in the time of a connection the old ones are looked for."""

_WILDCARDS = ("0.0.0.0", "::")

WhoHas = Callable[[Transport, int], Sequence[Holder]]


@dataclass(frozen=True)
class Opening:
    """A port to listen on.

    Attributes:
        port: 0 for any that is free.
        addresses: to bind; "0.0.0.0" and "::" for all of a family. A link-local one carries its zone.
    """

    transport: Transport
    port: int
    addresses: Tuple[str, ...]


@dataclass(frozen=True)
class Limits:
    """What a stand-in takes on.

    Attributes:
        connections: at once, if the limit of open files allows it; 1.1 KB each (measured), and some more in the kernel.
        idle_s: how long a connection may take for a request.
        runs: checks of which is remembered what of them arrived; a hundred nodes of a cluster may check at once.
        visitors: how many are counted, with and without the key, and of how many is remembered where they connected.
        places: where it was, of each run and of each visitor.
        places_in_all: of all runs together, and of all visitors; 170 bytes each (measured).
    """

    connections: int = 10_000
    idle_s: float = 5.0
    runs: int = 256
    visitors: int = 1024
    places: int = 4096
    places_in_all: int = 24_576


class StandIn:
    """Listens in place of services. `open` binds, `serve` answers.

    Args:
        key: shared with the checks; token.LEAST_KEY_BYTES to token.MOST_KEY_BYTES.
        name: what it calls itself; `is_stated` when a user said so.
        peers: addresses and networks that are answered; none: everybody.
        tell: is told of everybody who comes for the first time, from within the loop.
        who_has: who has a port of this machine; asked for those in use.

    Raises:
        ValueError: the key has another length, or a peer is no address and no network.
    """

    def __init__(
        self,
        key: bytes,
        name: str,
        *,
        is_stated: bool = False,
        peers: Sequence[str] = (),
        tell: Callable[[Came], None] = lambda came: None,
        limits: Limits = Limits(),
        who_has: Optional[WhoHas] = None,
    ) -> None:
        if not token.LEAST_KEY_BYTES <= len(key) <= token.MOST_KEY_BYTES:
            raise ValueError(f"a key has {token.LEAST_KEY_BYTES} to {token.MOST_KEY_BYTES} bytes")
        self._limits = limits
        self._who_has = who_has
        self._visitors = Visitors(tell, limits.visitors)
        self._half_open = HalfOpen()
        self._answers = Answers(
            key=key,
            stack=stack_id(),
            name=name,
            is_stated=is_stated,
            peers=Peers(peers),
            visitors=self._visitors,
            heard=Places(limits.runs, limits.places, limits.places_in_all),
            connected=Places(limits.visitors, limits.places, limits.places_in_all),
            half_open=self._half_open,
        )
        self._sockets: List[Tuple[socket.socket, Transport, int]] = []
        self._most_sockets = raise_descriptor_limit()

    # ------------------------------------------------------------------------------------------------ opening

    def open(self, openings: Iterable[Opening]) -> Tuple[StandInPort, ...]:
        """Bind everything, and say what came of each; what could not be bound says why, and the others are open.

        An address that another one of the same port covers is left out, and so is all of IPv6 on a host without it.
        """
        table = _TableReadOnce(self._who_has)
        found = [self._open_one(*each, table) for each in _each_once(openings)]
        opened = tuple(port for port in found if port is not None)
        self._answers.ports += opened
        return opened

    def _open_one(
        self, transport: Transport, port: int, address: str, table: "_TableReadOnce"
    ) -> Optional[StandInPort]:
        room = self._most_sockets - min(_LEAST_CONNECTIONS, self._most_sockets // 2)
        if len(self._sockets) >= room:
            detail = f"no room for more than {room} sockets: raise the limit of open files (ulimit -n)"
            return StandInPort(transport, port, address, Standing.FAILED, detail=detail)
        try:
            sock = listening(transport, port, address)
        except (OSError, OverflowError) as error:
            if is_for_want_of_ipv6(error, address):
                return None
            standing, reason = why_not(error, port)
            holder = table.holder(transport, port, address) if standing is Standing.IN_USE else None
            return StandInPort(transport, port, address, standing, holder, reason)
        number = int(sock.getsockname()[1])
        self._sockets.append((sock, transport, number))
        return StandInPort(transport, number, address, Standing.LISTENING)

    # ------------------------------------------------------------------------------------------------ serving

    async def serve(self, stop: "asyncio.Future[Any]") -> None:
        """Answer until `stop` is done, and close everything.

        Raises:
            Exception: whatever `tell` raised.
        """
        loop = asyncio.get_running_loop()
        failed: "asyncio.Future[None]" = loop.create_future()

        def guarded(step: Callable[..., None], *args: Any) -> None:
            # A bug ends the stand-in loudly; the loop would log it and call the step again at once, for ever.
            try:
                step(*args)
            except Exception as error:
                if not failed.done():
                    failed.set_exception(error)

        most = min(self._limits.connections, self._most_sockets - len(self._sockets))
        connections = Connections(loop, guarded, self._answers, most, self._limits.idle_s)
        datagrams = Datagrams(loop, guarded, self._answers)
        steps = (connections.sweep, self._half_open.look)
        sweeping = _Sweeping(loop, guarded, steps, self._limits.idle_s / _SWEEPS)
        try:
            for sock, transport, port in self._sockets:
                watching = connections if transport is Transport.TCP else datagrams
                watching.watch(sock, port)
            either: Set[asyncio.Future[Any]] = {stop, failed}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sweeping.cancel()
            for sock, _, _ in self._sockets:
                loop.remove_reader(sock)
            connections.close()
            datagrams.close()
            self.close()
        if failed.done():
            failed.result()
        failed.cancel()

    def close(self) -> None:
        """Close what `open` opened, when it is not served."""
        for sock, _, _ in self._sockets:
            sock.close()
        self._sockets.clear()

    # ------------------------------------------------------------------------------------------------ telling

    def came(self) -> Tuple[Came, ...]:
        """Who came, and how often; those with the key first."""
        return self._visitors.all()

    @property
    def forgotten(self) -> int:
        """How many are left out of `came`, for too many came."""
        return self._visitors.forgotten


class _Sweeping:
    """Does what has to be done again and again."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        guarded: Callable[..., None],
        steps: Sequence[Callable[[], None]],
        every_s: float,
    ) -> None:
        self._loop = loop
        self._guarded = guarded
        self._steps = steps
        self._every_s = every_s
        self._later = loop.call_later(every_s, guarded, self._sweep)

    def _sweep(self) -> None:
        for step in self._steps:
            step()
        self._later = self._loop.call_later(self._every_s, self._guarded, self._sweep)

    def cancel(self) -> None:
        self._later.cancel()


class _TableReadOnce:
    """Who has the ports that are in use; read for the first of them."""

    def __init__(self, who_has: Optional[WhoHas]) -> None:
        self._who_has = who_has

    def holder(self, transport: Transport, port: int, address: str) -> Optional[Holder]:
        """Whoever is most likely in our way."""
        if self._who_has is None:
            self._who_has = SocketTable().holders
        found = self._who_has(transport, port)
        return min(found, key=lambda each: _how_unlikely(each, address), default=None)


def _how_unlikely(holder: Holder, address: str) -> Tuple[bool, int]:
    """Several may have one port, on addresses of their own; we too, when it is the other family that is in use."""
    same_family = (":" in holder.address) == (":" in address)
    if holder.address == address:
        distance = 0
    elif same_family and (holder.address in _WILDCARDS or address in _WILDCARDS):
        distance = 1
    elif holder.address == "::":
        distance = 2  # It may have IPv4 as well.
    else:
        distance = 3
    return holder.connected, distance


def _each_once(openings: Iterable[Opening]) -> Iterator[Tuple[Transport, int, str]]:
    """Every socket that is to be bound; not one on 127.0.0.1 beside one on all addresses, which has it already."""
    wanted = {(each.transport, each.port, address): None for each in openings for address in each.addresses}
    for transport, port, address in wanted:
        wildcard = "::" if ":" in address else "0.0.0.0"
        if address == wildcard or (transport, port, wildcard) not in wanted:
            yield transport, port, address


def stack_id() -> str:
    """16 hexadecimal digits for our network stack: alike for all processes that share its ports and addresses.

    Hashed, because a boot id is nobody else's business (machine-id(5)).
    """
    try:
        stack = f"{_BOOT_ID.read_text(encoding='ascii').strip()} {os.readlink(_NETWORK)}".encode()
    except (OSError, ValueError):
        stack = _ELSEWHERE
    return hashlib.sha256(b"portcheck stack " + stack).hexdigest()[:16]
