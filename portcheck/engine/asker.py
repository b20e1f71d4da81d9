"""Asks stand-ins, over connections of our own: for an echo at each open port, and then for their reports.

What a port is has been measured already. Here it is only asked whose it is, so nothing that goes wrong on our side,
and no connection that cannot be made a second time, says anything about the port.
"""

import asyncio
import errno
import secrets
import socket
import time
from dataclasses import dataclass
from typing import (
    Any,
    Callable,
    Coroutine,
    Dict,
    Hashable,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
)

from . import token
from .addresses import family_of, is_surely_own, socket_address
from .connection import Connector, Socket, reset_when_closed
from .descriptors import raise_descriptor_limit
from .pace import Pace
from .probe import (
    CLOSED_WITHOUT_TOKEN,
    OTHER_WITHOUT_TOKEN,
    SILENT_WITHOUT_TOKEN,
    UNASKED_TOKEN,
    Echo,
    Probe,
    StandInReport,
    Transport,
)
from .tasks import end, together, until

Asked = Union[Echo, str]
"""What came of asking: an echo, or why there is none (CLOSED_, SILENT_, OTHER_WITHOUT_TOKEN, UNASKED_TOKEN)."""

_BY_THE_PEER = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED)
"""Errors of a connection that the other side caused. The rest are ours, or come from the way."""

_LOOK_AGAIN_S = 0.01
"""A socket that woke us before its error was set, see connection.py, stays awake."""

_WAYS = 3
"""Ports over which a report is asked for, when it cannot be had over the first."""

_READINGS = 2
"""A stand-in that was started anew in the middle of a reading has another report."""

_DATAGRAM_BYTES = token.PAGE_BYTES + 1

_T = TypeVar("_T")
_Name = TypeVar("_Name", bound=Hashable)


@dataclass(frozen=True)
class AskerTiming:
    """How long and how often we ask.

    Attributes:
        attempt_s: one connection, the handshake included: a lost SYN and a lost request are repeated in it, after 1 s
            and 0.2 s. Also the wait for one datagram.
        attempts: each from a new source port.
        pause_s: before the next one; a stand-in under a flood closes connections that it has no room for.
        overlap_s: the next one does not wait longer than this for the one before it.
        connections: at once.
        report_s: all pages of one stand-in.
    """

    attempt_s: float = 3.3
    attempts: int = 3
    pause_s: float = 0.3
    overlap_s: float = 1.0
    connections: int = 256
    report_s: float = 60.0


class Asker:
    """Asks with the key of the stand-ins.

    Args:
        run: the same for all of a run.
        began_s: time.monotonic() when the run began to send; None for now. Reports tell of what arrived since.
    """

    def __init__(
        self,
        key: bytes,
        run: bytes,
        *,
        pace: Pace,
        timing: AskerTiming = AskerTiming(),
        began_s: Optional[float] = None,
    ) -> None:
        self._key, self._run = key, run
        self._began_s = time.monotonic() if began_s is None else began_s
        self._pace, self._timing = pace, timing
        self._connector = Connector(portable=False)
        self._turns: Dict[str, asyncio.Lock] = {}
        # Half of the descriptors: somebody else may hold sockets as well.
        self._connections = max(1, min(timing.connections, raise_descriptor_limit() // 2))

    async def ask(self, probes: Iterable[Probe], stop: "asyncio.Future[Any]") -> Dict[Probe, Asked]:
        """Ask each open TCP port for an echo; what `stop` leaves unasked is not in the answer."""
        answers: Dict[Probe, Asked] = {}

        async def ask_one(probe: Probe) -> None:
            answers[probe] = await self._echo(probe)

        waiting = _by_turns(dict.fromkeys(probes), lambda probe: probe.address)
        await until(stop, None, self._each(waiting, ask_one))
        return answers

    async def reports(
        self, through: Mapping[_Name, Sequence[Probe]], stop: "asyncio.Future[Any]"
    ) -> Dict[_Name, StandInReport]:
        """The report of each stand-in, over the first of the ports given for it that has one, best first."""
        found: Dict[_Name, StandInReport] = {}

        async def read_one(name: _Name) -> None:
            # What takes longer is left out: a stand-in that is slow on purpose must not hold up the run.
            await until(stop, self._timing.report_s, self._report(name, through[name], found))

        await until(stop, None, self._each(iter(through), read_one))
        return found

    async def _each(self, waiting: Iterator[_T], do: Callable[[_T], Coroutine[Any, Any, None]]) -> None:
        """As many at once as there may be connections, for each has at most one."""

        async def work() -> None:
            for each in waiting:
                await do(each)

        await together(work() for _ in range(self._connections))

    # -------------------------------------------------------------------------------------------------- echoes

    async def _echo(self, probe: Probe) -> Asked:
        """An echo, or what most of all speaks against one; only silence at every attempt is silence."""
        without: List[str] = []
        running: "set[asyncio.Future[Tuple[Asked, bool]]]" = set()
        left = self._timing.attempts
        try:
            while left or running:
                if left:
                    if without and not running:
                        await asyncio.sleep(self._timing.pause_s)
                    running.add(asyncio.ensure_future(self._attempt(probe)))
                    left -= 1
                wait_s = self._timing.overlap_s if left else None
                done, running = await asyncio.wait(running, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
                for answer, is_final in (each.result() for each in done):
                    if is_final:
                        return answer
                    without.append(str(answer))
        finally:
            await end(running)
        for detail in (OTHER_WITHOUT_TOKEN, CLOSED_WITHOUT_TOKEN, UNASKED_TOKEN):
            if detail in without:
                return detail
        return SILENT_WITHOUT_TOKEN

    async def _attempt(self, probe: Probe) -> Tuple[Asked, bool]:
        """What one connection came to, and whether another one could tell more."""
        sent, data, end = await self._exchange(probe, lambda: self._request(probe))
        echo = token.read_echo(self._key, sent, data)
        if echo is not None:
            return echo, True
        return (OTHER_WITHOUT_TOKEN, not _is_cut_off(data)) if data else (end, False)

    def _request(self, probe: Probe) -> bytes:
        return token.request(self._key, self._run, _nonce(), probe.transport, probe.port)

    async def _exchange(self, probe: Probe, request: Callable[[], bytes]) -> Tuple[bytes, bytes, str]:
        """What was said over a connection and what comes back, as far as it may be a response; or why nothing does.

        The request is made when it can be sent, for it may say how old the run is.
        """
        await self._turn(probe)
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timing.attempt_s
        try:
            sock = self._connector.socket_for(family_of(probe.address), probe.source_address)
        except OSError:
            return b"", b"", UNASKED_TOKEN
        try:
            if not await self._connected(sock, probe, until):
                return b"", b"", UNASKED_TOKEN
            sent = request()
            return (sent, *await _response(sock, sent, until))
        finally:
            sock.close()

    async def _connected(self, sock: Socket, probe: Probe, until: float) -> bool:
        try:
            number = sock.connect_ex(socket_address(probe.address, probe.port))
            if number not in (0, errno.EINPROGRESS):
                return False
            while await _ready(sock, until, to_write=True):
                heard = self._connector.hear(sock)
                if heard.connected:
                    reset_when_closed(sock)
                    return True
                if heard.itself or heard.errno or heard.icmp is not None:
                    return False
                await asyncio.sleep(_LOOK_AGAIN_S)
        except OSError:
            pass
        return False

    async def _turn(self, probe: Probe) -> None:
        """Returns when the pace allows one more flow to the address. One waits for the moment, the others for it."""
        address, datagram = probe.address, probe.transport is Transport.UDP
        loop = asyncio.get_running_loop()
        if self._pace.unlimited or is_surely_own(address):
            return
        async with self._turns.setdefault(address, asyncio.Lock()):
            while True:
                now = loop.time()
                due = self._pace.due(address, now, datagram=datagram)
                if due <= now:
                    break
                await asyncio.sleep(due - now)
            self._pace.spend(address, now, datagram=datagram)

    # ------------------------------------------------------------------------------------------------- reports

    async def _report(self, name: _Name, ways: Sequence[Probe], found: Dict[_Name, StandInReport]) -> None:
        connected = [probe for probe in ways if probe.transport is Transport.TCP]
        for probe in (connected or list(ways))[:_WAYS]:
            for _ in range(_READINGS):
                report = await self._reading(probe)
                if report is not None:
                    found[name] = report
                    return

    async def _reading(self, probe: Probe) -> Optional[StandInReport]:
        """All pages, one after the other; None when one is missing, or when they are not of one report."""
        pieces: List[bytes] = []
        while True:
            got = await self._page(probe, len(pieces))
            if got is None or got[0] != len(pieces):
                return None
            pieces.append(got[2])
            if len(pieces) == got[1]:
                return token.joined(pieces)

    async def _page(self, probe: Probe, number: int) -> Optional[Tuple[int, int, bytes]]:
        for attempt in range(self._timing.attempts):
            if attempt:
                await asyncio.sleep(self._timing.pause_s)
            if probe.transport is Transport.TCP:
                sent, data, _ = await self._exchange(probe, lambda: self._page_request(number))
                got = token.read_page(self._key, sent, data)
            else:
                got = await self._page_by_datagram(probe, number)
            if got is not None:
                return got
        return None

    def _page_request(self, number: int) -> bytes:
        return token.page_request(self._key, self._run, _nonce(), number, time.monotonic() - self._began_s)

    async def _page_by_datagram(self, probe: Probe, number: int) -> Optional[Tuple[int, int, bytes]]:
        await self._turn(probe)
        until = asyncio.get_running_loop().time() + self._timing.attempt_s
        try:
            with socket.socket(family_of(probe.address), socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                if probe.source_address is not None:
                    sock.bind(socket_address(probe.source_address, 0))
                sock.connect(socket_address(probe.address, probe.port))
                sent = self._page_request(number)
                sock.send(sent)
                # Whatever else comes to this port may be forged, and ends nothing.
                while await _ready(sock, until):
                    got = token.read_page(self._key, sent, _received(sock, _DATAGRAM_BYTES) or b"")
                    if got is not None:
                        return got
        except OSError:
            pass
        return None


# -------------------------------------------------------------------------------------------- one connection


async def _response(sock: Socket, sent: bytes, until: float) -> Tuple[bytes, str]:
    """Say it, and read to the end of a response and no further, or until what comes is none."""
    data = b""
    try:
        # Without waiting: a request fits into the kernel's buffer.
        sock.send(sent)
        while await _ready(sock, until):
            more = _received(sock, _wanted(data) - len(data))
            if more == b"":
                return data, CLOSED_WITHOUT_TOKEN
            data += more or b""
            if len(data) >= _wanted(data):
                break
    except OSError as error:
        return data, CLOSED_WITHOUT_TOKEN if error.errno in _BY_THE_PEER else UNASKED_TOKEN
    return data, SILENT_WITHOUT_TOKEN


def _received(sock: Socket, most: int) -> Optional[bytes]:
    """What is there; None when there is nothing, though the kernel woke us (select(2): a bad checksum)."""
    try:
        return sock.recv(most)
    except BlockingIOError:
        return None


def _wanted(data: bytes) -> int:
    """How many bytes to have before we know more: a head, then all of it; what is no response has enough."""
    if not token.may_be_response(data):
        return len(data)
    return token.HEAD_BYTES if len(data) < token.HEAD_BYTES else token.response_length(data) or len(data)


def _is_cut_off(data: bytes) -> bool:
    """The beginning of a response of ours, and not its end."""
    return _wanted(data) > len(data)


def _nonce() -> bytes:
    return secrets.token_bytes(token.NONCE_BYTES)


# ------------------------------------------------------------------------------------------------- the loop


async def _ready(sock: Socket, until: float, to_write: bool = False) -> bool:
    """Whether there is something to read, an end too, or room to write, at that moment at the latest."""
    loop = asyncio.get_running_loop()
    ready: "asyncio.Future[bool]" = loop.create_future()
    add, remove = (loop.add_writer, loop.remove_writer) if to_write else (loop.add_reader, loop.remove_reader)

    def say(value: bool) -> None:
        if not ready.done():
            ready.set_result(value)

    timer = loop.call_at(until, say, False)
    add(sock, say, True)
    try:
        return await ready
    finally:
        remove(sock)
        timer.cancel()


def _by_turns(probes: Iterable[Probe], group: Callable[[Probe], str]) -> Iterator[Probe]:
    """One of each group, then another of each: a slow address holds up the others as little as possible."""
    groups: Dict[str, List[Probe]] = {}
    for probe in probes:
        groups.setdefault(group(probe), []).append(probe)
    rows = list(groups.values())
    place = 0
    while rows:
        rows = [row for row in rows if place < len(row)]
        for row in rows:
            yield row[place]
        place += 1
