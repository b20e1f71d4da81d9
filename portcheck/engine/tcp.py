"""The TCP engine: what does connect() to each of these ports come to, and who says so?

Every attempt is a non-blocking connect() of its own socket. An answer decides at once. Silence is believed
only after two attempts from different source ports, because a packet may be lost, and a stateless rule or
an ECMP path can swallow one 4-tuple for ever. Trouble of our own (descriptors, ports, routes, our firewall)
is state `unknown`, never a verdict about the port.

Silence counts only when it was listened to. A process that was stopped, starved or held up by `report` finds
deadlines passed and answers waiting: every turn takes the answers first, and ends only attempts that were due
before it looked.

The rule against a false "connected": when an ICMP error arrives on another CPU, epoll wakes before the
socket's error is set, and SO_ERROR reads 0. So: error queue first, then SO_ERROR, then getpeername() must
succeed, otherwise keep waiting (0 false in 44,220 rejected connects; asyncio's sock_connect: 7 in 15,000).
"""

import asyncio
import errno
import heapq
import socket
import struct
import sys
from collections import deque
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

from . import error_queue
from .addresses import SockAddr, family_of, is_own, socket_address, source_towards
from .descriptors import raise_descriptor_limit
from .error_queue import IcmpError
from .neighbours import Neighbours, NextHop, Search
from .probe import Attempt, Observation, PortState, Probe, Reason
from .readiness import Readiness, new_readiness
from .timing import ATTEMPTS, TcpTiming

__all__ = ["TcpEngine", "TcpTiming"]

_LINUX = sys.platform.startswith("linux")
_IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h: choose the port at connect(), per destination
_TCP_SYNCNT = 7  # linux/tcp.h
_TCP_INFO = 11
_TCP_INFO_TOTAL_RETRANS = 100  # offset of tcpi_total_retrans in struct tcp_info
_SYN_RETRIES = 6  # the kernel's default; a node may have lowered net.ipv4.tcp_syn_retries
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

_OWN_LIMITS: Dict[int, Reason] = {
    errno.EMFILE: Reason.LOCAL_FD_LIMIT,
    errno.ENFILE: Reason.LOCAL_FD_LIMIT,
    errno.EADDRNOTAVAIL: Reason.LOCAL_NO_PORTS,
    errno.EADDRINUSE: Reason.LOCAL_NO_PORTS,
    errno.EAGAIN: Reason.LOCAL_NO_PORTS,
    errno.ENOBUFS: Reason.LOCAL_ERROR,
    errno.ENOMEM: Reason.LOCAL_ERROR,
}
"""Shortages that pass: wait and try again; the reason when they do not pass."""

_OF_ONE_DESTINATION = (errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EAGAIN)
"""Linux gives the same local port to connections with different destinations: others are not concerned."""


class Answer(NamedTuple):
    """What an errno without an ICMP entry means."""

    state: PortState
    reason: Reason


_ERRNO_ANSWERS: Dict[int, Answer] = {
    errno.ECONNREFUSED: Answer(PortState.CLOSED, Reason.CONN_REFUSED),
    # RFC 9293 section 3.10.7.3: in SYN-SENT a reset counts only with an acceptable ACK: an RST too.
    errno.ECONNRESET: Answer(PortState.CLOSED, Reason.CONN_REFUSED),
    errno.EACCES: Answer(PortState.UNKNOWN, Reason.LOCAL_FIREWALL),
    errno.EPERM: Answer(PortState.UNKNOWN, Reason.LOCAL_FIREWALL),
    errno.EHOSTUNREACH: Answer(PortState.FILTERED, Reason.HOST_UNREACH),
    errno.EHOSTDOWN: Answer(PortState.FILTERED, Reason.ARP_FAILURE),
    errno.ENETUNREACH: Answer(PortState.FILTERED, Reason.NET_UNREACH),
}

_OF_THE_WAY = (Reason.HOST_UNREACH, Reason.NET_UNREACH)
"""About a host, not about a port. Routers limit these errors: five at once and one a second (Linux ip_error())."""

_NO_ROUTE_AT_ONCE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)
"""From connect() itself, before any packet left: our own routing table answers."""


_FIRST_SYN_S = 0.9
"""An answer within this time answers the first SYN: the kernel repeats it after 1 s."""
_LAUNCHES_PER_TURN = 256
"""Sockets started before the loop looks at the answers again."""
_PAUSE_S = 0.05


class _Target:
    """What is known of one address during the run."""

    __slots__ = ("answers", "hop", "in_progress", "late_answers", "unreachable", "waiting")

    def __init__(self, hop: NextHop) -> None:
        self.hop = hop
        self.in_progress = 0
        self.answers = 0
        self.late_answers = 0
        self.unreachable: Optional[Observation] = None
        self.waiting: Deque["_Inquiry"] = deque()

    @property
    def nobody_there(self) -> Optional[Observation]:
        """An answer that explains silence: the address is not reached at all. None without one."""
        if self.answers:
            return None
        return self.unreachable or (None if self.hop.answered else self.hop.absent)


class _Inquiry:
    """One probe in progress: its live sockets and what its ended attempts came to."""

    __slots__ = ("attempts", "done", "live", "probe", "queued", "short_since", "started", "target")

    def __init__(self, probe: Probe, target: _Target) -> None:
        self.probe = probe
        self.target = target
        self.started = 0
        self.live: List[_Connection] = []
        self.attempts: List[Attempt] = []
        self.short_since: Optional[float] = None
        self.queued = False
        self.done = False


class _Connection:
    """One attempt: a socket on its way."""

    __slots__ = ("inquiry", "number", "sock", "started")

    def __init__(self, inquiry: _Inquiry, sock: socket.socket, started: float) -> None:
        self.inquiry = inquiry
        self.sock = sock
        self.started = started
        self.number = inquiry.started


class TcpEngine:
    """Connects to every probe's port and reports one Observation for each, in the order of their answers."""

    def __init__(self, timing: TcpTiming, report: Callable[[Observation], None]) -> None:
        self._timing = timing
        self._report = report
        self._tells_refusals_apart = error_queue.tells_refusals_apart()
        self._max_window = self._window = timing.window(raise_descriptor_limit())
        self._targets: Dict[str, _Target] = {}
        self._by_fd: Dict[int, _Connection] = {}
        self._inquiries: Dict[int, _Inquiry] = {}
        self._again: Deque[_Inquiry] = deque()
        self._neighbours = Neighbours(timing.max_neighbours)
        self._wakeups: List[Tuple[float, int, _Inquiry]] = []
        self._sequence = 0
        self._paused_until = 0.0
        self._short: Deque[Tuple[float, _Inquiry]] = deque()
        self._short_since: Optional[float] = None

    async def run(self, probes: Iterable[Probe], stop: "asyncio.Future[Reason]") -> None:
        """Probe everything; when `stop` gets a reason, what is left is reported unknown with that reason.

        Raises:
            Exception: whatever `report` raises; the run ends and all sockets are closed.
        """
        self._loop = asyncio.get_running_loop()
        self._epoch = self._looked = self._loop.time()
        self._probes: Iterator[Probe] = iter(probes)
        self._exhausted = False
        self._finished: "asyncio.Future[None]" = self._loop.create_future()
        self._timer: Optional[asyncio.TimerHandle] = None
        self._readiness: Readiness = new_readiness()
        self._loop.add_reader(self._readiness.fileno(), self._guarded, self._turn)
        try:
            self._loop.call_soon(self._guarded, self._turn)
            either: Set[asyncio.Future[Any]] = {self._finished, stop}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if self._finished.done():
                self._finished.result()
            else:
                self._give_up(stop.result())
        finally:
            self._close()

    # --------------------------------------------------------------------------------- one turn of the run

    def _guarded(self, step: Callable[[], None]) -> None:
        """A bug inside a callback ends the run loudly instead of leaving it waiting for ever."""
        if self._finished.done():
            return
        try:
            step()
        except Exception as error:
            self._finished.set_exception(error)

    def _turn(self) -> None:
        """Take the answers, end what was silent, start what may start, then arrange to be called again."""
        # Read before the answers are: an attempt that was due by then has been listened to for its whole time.
        now = self._loop.time()
        self._take_answers(now)
        self._wake_due(now)
        while self._short and self._short[0][0] <= now:
            self._again.append(self._short.popleft()[1])
        all_started = now < self._paused_until or self._launch()
        if self._exhausted and not self._inquiries:
            self._finished.set_result(None)
            return
        self._set_timer(all_started)

    def _set_timer(self, all_started: bool) -> None:
        now = self._loop.time()
        moments = [moments[0][0] for moments in (self._wakeups, self._short) if moments]
        if self._paused_until > now:
            moments.append(self._paused_until)
        if not all_started:
            moments.append(now)
        if not moments:
            return
        due = min(moments)
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._guarded, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._turn()

    def _launch(self) -> bool:
        """Start attempts; False when there are more to start, after another look at the answers."""
        for _ in range(_LAUNCHES_PER_TURN):
            if len(self._by_fd) >= self._window:
                return True
            inquiry = self._again.popleft() if self._again else self._next_inquiry()
            if inquiry is None:
                return True
            if not inquiry.done:
                inquiry.queued = False
                self._start_attempt(inquiry)
                if self._paused_until > self._loop.time():
                    return True
        return False

    def _next_inquiry(self) -> Optional[_Inquiry]:
        for probe in self._probes:
            target = self._targets.get(probe.address)
            if target is None:
                target = self._targets[probe.address] = _Target(self._neighbours.towards(probe.address))
            inquiry = _Inquiry(probe, target)
            self._inquiries[id(inquiry)] = inquiry
            if self._neighbours.may_be_asked(target.hop) and target.in_progress < self._timing.max_per_address:
                target.in_progress += 1
                return inquiry
            target.waiting.append(inquiry)
        self._exhausted = True
        return None

    def _end_search(self, hop: NextHop, search: Search) -> None:
        for following in self._neighbours.end(hop, search):
            target = self._targets[following.address]
            for _ in range(min(len(target.waiting), self._timing.max_per_address)):
                target.in_progress += 1
                self._again.append(target.waiting.popleft())

    # ----------------------------------------------------------------------------------------- one attempt

    def _start_attempt(self, inquiry: _Inquiry) -> None:
        probe = inquiry.probe
        try:
            sock = socket.socket(family_of(probe.address), socket.SOCK_STREAM)
        except OSError as error:
            self._take_trouble(inquiry, error)
            return
        try:
            destination = self._prepare(sock, probe)
        except OSError as error:
            sock.close()
            self._take_trouble(inquiry, error)
            return
        now = self._loop.time()
        number = sock.connect_ex(destination)
        if number in _OWN_LIMITS:
            sock.close()
            self._fall_short(inquiry, number)
            return
        self._window = min(self._window + 1, self._max_window)
        inquiry.short_since = self._short_since = None
        inquiry.started += 1
        connection = _Connection(inquiry, sock, now)
        inquiry.live.append(connection)
        self._by_fd[sock.fileno()] = connection
        self._readiness.watch(sock.fileno())
        if number in (0, errno.EINPROGRESS):
            self._wake_later(inquiry, now + self._timing.retry_after_s)
            if number == 0:
                self._take_answer(connection)
        else:
            self._take_failure(connection, number, at_once=True)

    def _prepare(self, sock: socket.socket, probe: Probe) -> SockAddr:
        sock.setblocking(False)
        error_queue.enable(sock)
        # Closing with a reset leaves no TIME_WAIT behind, here or in a firewall's state table.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        if _LINUX:
            sock.setsockopt(socket.IPPROTO_TCP, _TCP_SYNCNT, _SYN_RETRIES)
        if probe.source_address is not None:
            if _LINUX:
                sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind(socket_address(probe.source_address, 0))
        return socket_address(probe.address, probe.port)

    def _take_trouble(self, inquiry: _Inquiry, error: OSError) -> None:
        """No connect() was reached: a shortage passes, anything else is final for this probe."""
        probe, number = inquiry.probe, error.errno or 0
        if number in _OWN_LIMITS:
            self._fall_short(inquiry, number)
        elif number == errno.EAFNOSUPPORT:
            family = "IPv6" if family_of(probe.address) == socket.AF_INET6 else "IPv4"
            self._conclude_unmeasured(inquiry, Reason.NO_ROUTE, number, f"this machine has no {family}")
        else:
            sender = f"cannot send from {probe.source_address}: " if probe.source_address else ""
            self._conclude_unmeasured(inquiry, Reason.LOCAL_ERROR, number, f"{sender}{error.strerror}")

    def _fall_short(self, inquiry: _Inquiry, number: int) -> None:
        """A shortage of our own: wait for it to pass; after `own_limit_s` say what was short."""
        if number == errno.EADDRNOTAVAIL:
            try:
                final = _never_available(inquiry.probe)
            except OSError as error:
                number = error.errno or errno.ENFILE  # The question itself fell short.
            else:
                if final is not None:
                    self._conclude_unmeasured(inquiry, final[0], number, final[1])
                    return
        now = self._loop.time()
        if number in (errno.EMFILE, errno.ENFILE):
            self._window = max(1, len(self._by_fd))
        one_destination = number in _OF_ONE_DESTINATION
        since = inquiry.short_since if one_destination else self._short_since
        if since is None:
            since = now
        elif now - since >= self._timing.own_limit_s:
            self._conclude_unmeasured(inquiry, _OWN_LIMITS[number], number, errno.errorcode[number])
            return
        inquiry.queued = True
        if one_destination:
            inquiry.short_since = since
            self._short.append((now + _PAUSE_S, inquiry))
        else:
            self._short_since = since
            self._again.appendleft(inquiry)
            self._paused_until = now + _PAUSE_S

    def _take_answers(self, now: float) -> None:
        # A wake-up that decided nothing stays ready; it is looked at again in the next turn, not here.
        for fd in self._readiness.ready():
            connection = self._by_fd.get(fd)
            if connection is not None:
                self._take_answer(connection)
        self._looked = now

    def _take_answer(self, connection: _Connection) -> None:
        icmp = error_queue.read(connection.sock)
        if icmp is not None:
            self._take_icmp(connection, icmp)
            return
        number = connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._take_failure(connection, number, at_once=False)
            return
        try:
            itself = connection.sock.getpeername() == connection.sock.getsockname()
        except OSError:
            # Woken before the error is set: the rule against a false "connected". Or reset in this moment (macOS).
            return
        if itself:
            # The kernel chose the probed port as our source port and we met ourselves (RFC 9293 section 3.5,
            # simultaneous open). It says that nobody listens there; a new source port will prove it.
            self._end_attempt(connection, "self-connected")
            self._retry_or_conclude(connection.inquiry)
            return
        self._answered(connection, PortState.OPEN, Reason.SYN_ACK, None)

    def _take_failure(self, connection: _Connection, number: int, at_once: bool) -> None:
        # The entry of an ICMP error may have been queued between our look at the queue and SO_ERROR.
        icmp = error_queue.read(connection.sock)
        if icmp is not None:
            self._take_icmp(connection, icmp)
        elif number == errno.ETIMEDOUT:
            self._end_attempt(connection, str(Reason.NO_RESPONSE))
            self._retry_or_conclude(connection.inquiry)
        elif at_once and number in _NO_ROUTE_AT_ONCE:
            self._end_attempt(connection, str(Reason.NO_ROUTE))
            self._conclude_unmeasured(connection.inquiry, Reason.NO_ROUTE, number, None)
        elif number in _ERRNO_ANSWERS:
            answer = _ERRNO_ANSWERS[number]
            reason = answer.reason
            if reason is Reason.CONN_REFUSED and not self._tells_refusals_apart:
                reason = Reason.REFUSED_ORIGIN_UNKNOWN
            self._answered(connection, answer.state, reason, number)
        else:
            self._end_attempt(connection, str(Reason.LOCAL_ERROR))
            name = errno.errorcode.get(number, str(number))
            self._conclude_unmeasured(connection.inquiry, Reason.LOCAL_ERROR, number, name)

    def _take_icmp(self, connection: _Connection, icmp: IcmpError) -> None:
        inquiry = connection.inquiry
        try:
            from_ourselves = _from_ourselves(icmp.responder, inquiry.probe.address)
        except OSError as error:
            self._conclude_unmeasured(inquiry, Reason.LOCAL_FD_LIMIT, error.errno, None)
            return
        if not from_ourselves:
            self._answered(connection, PortState.FILTERED, icmp.reason, icmp.errno, icmp)
        elif icmp.reason is not Reason.HOST_UNREACH:
            self._answered(connection, PortState.UNKNOWN, Reason.LOCAL_FIREWALL, icmp.errno, icmp)
        elif self._looked - connection.started >= _FIRST_SYN_S or inquiry.target.hop.absent is not None:
            # Our kernel found no neighbour: it asks three times, a second apart, before it says so. A rule of our
            # own firewall answers at once, and had not yet when we last looked. No ICMP packet was ever received.
            self._answered(connection, PortState.FILTERED, Reason.ARP_FAILURE, icmp.errno)
        elif connection.number < ATTEMPTS:
            # Too fast to tell a search for the neighbour that was nearly over from a rule of our own
            # firewall: the second attempt will show it.
            self._end_attempt(connection, str(icmp.reason))
            self._retry_or_conclude(inquiry)
        else:
            self._answered(connection, PortState.UNKNOWN, Reason.LOCAL_FIREWALL, icmp.errno, icmp)

    # --------------------------------------------------------------------------------- retries and silence

    def _wake_later(self, inquiry: _Inquiry, when: float) -> None:
        self._sequence += 1
        heapq.heappush(self._wakeups, (when, self._sequence, inquiry))

    def _wake_due(self, now: float) -> None:
        while self._wakeups and self._wakeups[0][0] <= now:
            inquiry = heapq.heappop(self._wakeups)[2]
            if not inquiry.done:
                self._wake(inquiry, now)

    def _wake(self, inquiry: _Inquiry, now: float) -> None:
        """End attempts that were silent long enough, start the second one, come back when more is due."""
        target, timing = inquiry.target, self._timing
        trusted = target.answers >= timing.trusted_answers and not target.late_answers
        limit = timing.trusted_attempt_s if trusted else timing.attempt_s
        for connection in [c for c in inquiry.live if c.started + limit <= now]:
            self._end_attempt(connection, str(Reason.NO_RESPONSE))
        if not inquiry.queued and (inquiry.started < ATTEMPTS or not inquiry.live):
            self._retry_or_conclude(inquiry)
        if inquiry.live and not inquiry.done:
            # Also while the second attempt waits for a free socket: the first must not hold its own for ever.
            oldest = min(connection.started for connection in inquiry.live)
            # The same sums as above, so that rounding cannot make a moment that is past but not due.
            moments = (oldest + timing.trusted_attempt_s, oldest + limit)
            self._wake_later(inquiry, min(moment for moment in moments if moment > now))

    def _retry_or_conclude(self, inquiry: _Inquiry) -> None:
        if inquiry.started >= ATTEMPTS:
            if not inquiry.live:
                self._conclude_silent(inquiry)
            return
        started = [connection.started for connection in inquiry.live]
        started += [attempt.started_s + self._epoch for attempt in inquiry.attempts]
        due = min(started) + self._timing.retry_after_s
        if due > self._loop.time():
            self._wake_later(inquiry, due)
        else:
            inquiry.queued = True
            self._again.append(inquiry)

    def _conclude_silent(self, inquiry: _Inquiry) -> None:
        unreachable = inquiry.target.nobody_there
        if unreachable is not None:
            # Of many SYNs that wait for a dead neighbour the kernel reports only the last few.
            self._conclude(
                inquiry,
                Observation(
                    probe=inquiry.probe,
                    state=unreachable.state,
                    reason=unreachable.reason,
                    attempts=tuple(inquiry.attempts),
                    responder=unreachable.responder,
                    inferred=True,
                    detail=unreachable.detail,
                ),
            )
            return
        if any(attempt.result == "self-connected" for attempt in inquiry.attempts):
            state, reason = PortState.CLOSED, Reason.CONN_REFUSED
        else:
            state, reason = PortState.FILTERED, Reason.NO_RESPONSE
        self._conclude(
            inquiry,
            Observation(probe=inquiry.probe, state=state, reason=reason, attempts=tuple(inquiry.attempts)),
        )

    # ------------------------------------------------------------------------------------------ the answer

    def _answered(
        self,
        connection: _Connection,
        state: PortState,
        reason: Reason,
        number: Optional[int],
        icmp: Optional[IcmpError] = None,
    ) -> None:
        inquiry, target = connection.inquiry, connection.inquiry.target
        hop, absent = target.hop, reason is Reason.ARP_FAILURE
        elapsed_s = self._loop.time() - connection.started
        from_target = state in (PortState.OPEN, PortState.CLOSED)
        attempt = self._end_attempt(connection, str(reason))
        late = connection.number > 1 or attempt.syns != 1
        self._end_others(inquiry)
        observation = Observation(
            probe=inquiry.probe,
            state=state,
            reason=reason,
            attempts=tuple(inquiry.attempts),
            responder=icmp.responder if icmp is not None else None,
            icmp=icmp.icmp if icmp is not None else None,
            errno=number,
            rtt_ms=None if elapsed_s >= _FIRST_SYN_S else round(elapsed_s * 1000, 3),
            flaky=from_target and late,
            detail=hop.detail if absent else None,
        )
        if from_target:
            target.answers += 1
            target.late_answers += late
        if absent:
            hop.absent = hop.absent or observation
        elif state is not PortState.UNKNOWN:
            hop.answered = True
            self._end_search(hop, Search.FOUND)
        if reason in _OF_THE_WAY:
            target.unreachable = target.unreachable or observation
        self._conclude(inquiry, observation)

    def _end_attempt(self, connection: _Connection, result: str) -> Attempt:
        inquiry, sock = connection.inquiry, connection.sock
        now = self._loop.time()
        source = _source(sock)
        attempt = Attempt(
            started_s=round(connection.started - self._epoch, 4),
            lasted_s=round(now - connection.started, 4),
            source_port=source[1],
            syns=1 if now - connection.started < _FIRST_SYN_S else _syns(sock),
            result=result,
            source_address=source[0],
        )
        inquiry.attempts.append(attempt)
        inquiry.live.remove(connection)
        fd = sock.fileno()
        del self._by_fd[fd]
        self._readiness.forget(fd)
        sock.close()
        return attempt

    def _end_others(self, inquiry: _Inquiry) -> None:
        """One attempt decided; the others are evidence too, a swallowed source port above all."""
        for connection in list(inquiry.live):
            self._end_attempt(connection, "not-needed")
        inquiry.attempts.sort(key=lambda attempt: attempt.started_s)

    def _conclude_unmeasured(
        self, inquiry: _Inquiry, reason: Reason, number: Optional[int], detail: Optional[str]
    ) -> None:
        for connection in list(inquiry.live):
            self._end_attempt(connection, str(reason))
        self._conclude(
            inquiry,
            Observation(
                probe=inquiry.probe,
                state=PortState.UNKNOWN,
                reason=reason,
                attempts=tuple(inquiry.attempts),
                errno=number,
                detail=detail,
            ),
        )

    def _conclude(self, inquiry: _Inquiry, observation: Observation) -> None:
        inquiry.done = True
        del self._inquiries[id(inquiry)]
        target = inquiry.target
        if target.waiting:
            self._again.append(target.waiting.popleft())
        else:
            target.in_progress -= 1
            if not target.in_progress:
                self._end_search(target.hop, Search.NOT_BEGUN)
        self._report(observation)

    # --------------------------------------------------------------------------------------------- the end

    def _give_up(self, reason: Reason) -> None:
        self._take_answers(self._loop.time())
        for inquiry in list(self._inquiries.values()):
            self._conclude_unmeasured(inquiry, reason, None, None)
        for probe in self._probes:
            self._report(Observation(probe=probe, state=PortState.UNKNOWN, reason=reason))

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._finished.cancel()  # What is still scheduled finds the run over.
        for connection in self._by_fd.values():
            connection.sock.close()
        self._by_fd.clear()
        self._loop.remove_reader(self._readiness.fileno())
        self._readiness.close()


def _never_available(probe: Probe) -> Optional[Tuple[Reason, str]]:
    """Why there will never be a local address and port for this probe; None when ports are only exhausted.

    Raises:
        OSError: no descriptor left to ask the kernel with.
    """
    source = probe.source_address
    if source is not None and not is_own(source):
        return Reason.LOCAL_ERROR, f"cannot send from {source}"
    if source_towards(probe.address) is None:
        return Reason.NO_ROUTE, "no source address for this family"
    return None


def _from_ourselves(responder: Optional[str], address: str) -> bool:
    """Whether our own kernel sent the error, about an address that is not our own.

    Raises:
        OSError: no descriptor left to ask the kernel with.
    """
    if responder is None:
        return False
    if responder.startswith("fe80:") and "%" in address:
        responder += address[address.index("%") :]
    return is_own(responder) and not is_own(address)


def _source(sock: socket.socket) -> Tuple[Optional[str], Optional[int]]:
    """Address and port that the kernel chose; None before it did."""
    try:
        name = sock.getsockname()
    except OSError:
        return None, None
    return (str(name[0]), int(name[1])) if name[1] else (None, None)


def _syns(sock: socket.socket) -> Optional[int]:
    """SYNs that the kernel sent on this socket so far; None where it does not tell."""
    if not _LINUX:
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _TCP_INFO_TOTAL_RETRANS + 4)
    except OSError:
        return None
    if len(info) < _TCP_INFO_TOTAL_RETRANS + 4:
        return None
    retransmitted: int = struct.unpack_from("=I", info, _TCP_INFO_TOTAL_RETRANS)[0]
    return 1 + retransmitted
