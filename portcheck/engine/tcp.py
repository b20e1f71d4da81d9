"""The TCP engine: what does connect() to each of these ports come to, and who says so?

Every attempt is a non-blocking connect() of its own socket. An answer decides at once. Silence is believed last:
only after attempts from different source ports, because a packet may be lost, and a stateless rule or an ECMP path
can swallow one 4-tuple for ever; and only when the host is known to talk to us still (contact.py), when lost SYNs
were accounted for (loss.py) and responders that limit their errors were heard (hearing.py). Trouble of our own
(descriptors, ports, routes, our firewall) is state `unknown`, never a verdict about the port.

Silence counts only when it was listened to. A process that was stopped, starved or held up by `report` finds
deadlines passed and answers waiting: every turn takes the answers first, and ends only attempts that were due
before it looked.
"""

import asyncio
import errno
import random
import socket
import zlib
from array import array
from collections import deque
from functools import partial
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

from .addresses import (
    family_of,
    is_own,
    is_surely_own,
    sent_by_ourselves,
    socket_address,
    source_towards,
)
from .connection import NOTHING, REFUSED, Connector, Heard, Socket, reset_when_closed, source_of, with_port
from .contact import Contact
from .descriptors import raise_descriptor_limit
from .error_queue import IcmpError
from .loss import SYNS_PER_ATTEMPT
from .neighbours import Neighbours, NextHop, Search
from .own_network import route_fingerprint
from .pace import Pace
from .probe import (
    OWN_ROUTE_LOST,
    WINDOW_STAYS_ZERO,
    Answered,
    Attempt,
    Observation,
    PortState,
    ProbeSet,
    Reason,
)
from .readiness import Readiness, new_readiness
from .responders import Responder
from .scout import Scout, cores
from .settling import Settling
from .target import Alike, Asking, Kind, Path, Target, Then
from .timing import MOST_ACTIVE, TcpTiming
from .turns import Turns

__all__ = ["TcpEngine", "TcpTiming"]

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
_ALONE_S = 0.9
"""One SYN and no repetition, which would take a token from the next one."""
_HOPS_S = 0.9
_MOST_AT_ONCE = 2
"""Connections to one port."""
_LAUNCHES_PER_TURN = 256
"""Sockets started before the loop looks at the answers again."""
_LAUNCHES_PER_TARGET = 16
"""Of these, how many go to one target before it is the next one's turn."""
_ADMITTED_AT_ONCE = 64
_PORTS_FOR_SCOUTS = 8192
"""Fewer are asked before another process has started."""
_ANSWERS_FOR_SCOUTS = 1024
_REFUSING = 0.9
_MOST_CORES = 8
_PAUSE_S = 0.05


class _Connection:
    """One attempt: a socket on its way, or, `held`, an accepted one that is watched for a reset."""

    __slots__ = ("asking", "held", "rtt_s", "sock", "started")

    def __init__(self, asking: Asking, sock: Socket, started: float) -> None:
        self.asking = asking
        self.sock = sock
        self.started = started
        self.held = False
        self.rtt_s = 0.0


def _ignore(_: Any) -> None:
    """Nobody wants to know."""


class TcpEngine:
    """Connects to every port of the probe sets and reports each exactly once, an address at a time."""

    def __init__(
        self,
        timing: TcpTiming,
        report: Callable[[Answered], None],
        *,
        pace: Pace,
        seed: int = 0,
        progress: Callable[[int], None] = _ignore,
        tell: Callable[[str], None] = _ignore,
        portable: bool = False,
    ) -> None:
        """
        Args:
            seed: order of the ports of an address.
            progress: called with the number of ports that are decided so far; it may go down again.
            tell: called with a sentence for the person who waits.
            portable: what macOS and the BSDs can do, and no more; for tests on Linux.
        """
        self._timing = timing
        self._report = report
        self._pace = pace
        self._seed = seed
        self._progress = progress
        self._portable = portable
        self._connector = Connector(portable)
        self._max_window = self._window = timing.window(raise_descriptor_limit())
        self._neighbours = Neighbours(timing.max_neighbours)
        self._contact = Contact(self, timing, pace, tell)
        self._settling = Settling(self, self._contact, timing, report)
        self._unsettled: Set[Target] = set()
        self._waiting: Set[Target] = set()
        self._not_searched: Dict[NextHop, Target] = {}
        self._paths: Dict[Optional[str], Path] = {}
        self._ready: Deque[Target] = deque()
        self._quiet: Deque[Target] = deque()
        self._by_fd: Dict[int, _Connection] = {}
        self._sockets = 0
        self._first_looks: Deque[Tuple[float, Asking]] = deque()
        self._short: Deque[Tuple[float, Asking]] = deque()
        self._short_since: Optional[float] = None
        self._paused_until = 0.0
        self._at_once = True
        self._decided = self._told = 0

    async def run(self, probe_sets: Iterable[ProbeSet], stop: "asyncio.Future[Reason]") -> None:
        """Probe everything; when `stop` gets a reason, what is left is reported unknown with that reason.

        Raises:
            Exception: whatever `report` raises; the run ends and all sockets are closed.
        """
        self._loop = asyncio.get_running_loop()
        self._epoch = self._looked = self._loop.time()
        self._probe_sets: Iterator[ProbeSet] = iter(probe_sets)
        self._next_set: Optional[ProbeSet] = next(self._probe_sets, None)
        self._readiness: Readiness = new_readiness(self._portable)
        self._turns = Turns(self._turn, self._compare_routes, self._readiness)
        try:
            stopped = await self._turns.until(stop)
            if stopped is not None:
                self._give_up(stopped)
        finally:
            self._close()

    # --------------------------------------------------------------------------------- one turn of the run

    def _turn(self) -> None:
        """Take the answers, end what was silent, start what may start, then arrange to be called again."""
        # Read before the answers are: an attempt that was due by then has been listened to for its whole time.
        now = self._loop.time()
        self._take_answers(now)
        self._wake_due(now)
        all_started = self._launch()
        while self._quiet:
            target = self._quiet.popleft()
            if target.to_be_settled:
                self._settling.advance(target, now)
        if self._decided != self._told:
            self._told = self._decided
            self._progress(self._decided)
        if self._next_set is None and not self._unsettled:
            self._turns.finish()
            return
        self._set_timer(all_started and not self._ready)

    def _set_timer(self, all_started: bool) -> None:
        now = self._loop.time()
        moments = [queue[0][0] for queue in (self._first_looks, self._short) if queue] + self._turns.next_moments()
        if self._paused_until > now:
            moments.append(self._paused_until)
        elif not all_started and self._sockets < self._window:
            moments.append(now)
        may_begin = self._next_set is not None and len(self._unsettled) - len(self._waiting) < MOST_ACTIVE
        if may_begin and self._next_set is not None and not self._ready:
            moments.append(self._pace.due(self._next_set.address, now))
        if moments:
            self._turns.come_back(min(moments))

    def _wake_due(self, now: float) -> None:
        while self._first_looks and self._first_looks[0][0] <= now:
            self._wake(self._first_looks.popleft()[1], now)
        self._turns.wake_due(now)
        while self._short and self._short[0][0] <= now:
            asking = self._short.popleft()[1]
            if not asking.done:
                asking.target.again.append(asking)
                self.resume(asking.target)

    # ----------------------------------------------------------------- what the parts of the engine ask of it

    def now(self) -> float:
        return self._loop.time()

    def free_at(self, target: Target, flows: int) -> float:
        now = self._loop.time()
        if target.own or self._pace.unlimited:
            return now
        return self._pace.due(target.address, now, flows - 1)

    def since_start(self, moment: float) -> float:
        return moment - self._epoch

    def at(self, when: float, action: Callable[[Any, float], None], subject: Any) -> None:
        self._turns.at(when, action, subject)

    def ask(self, target: Target, port: int, kind: Kind, then: Then, hops: Optional[int] = None) -> None:
        asking = Asking(target, port, kind, False, hops)
        asking.then = then
        target.asking.add(asking)
        target.again.appendleft(asking)
        self.resume(target)

    def resume(self, target: Target) -> None:
        if target.scheduled and not target.resting:
            return
        target.scheduled = True
        target.resting = False
        self._ready.append(target)

    def settle(self, target: Target) -> None:
        self._quiet.append(target)

    def reopened(self, ports: int) -> None:
        self._decided -= ports

    def given_up(self, ports: int) -> None:
        self._decided += ports

    def waits(self, target: Target) -> None:
        if target not in self._waiting:
            self._waiting.add(target)
            target.path.busy -= 1
        self._look_at_path(target.path)

    def goes_on(self, target: Target) -> None:
        if target in self._waiting:
            self._waiting.discard(target)
            target.path.busy += 1
        self._quiet.append(target)

    @staticmethod
    def _unheard(asking: Asking, now: float) -> None:
        if asking.then is not None:
            unknown = Observation(asking.probe, PortState.UNKNOWN, Reason.LOST_CONTACT, tuple(asking.attempts))
            asking.then(asking, unknown, now)

    def leave(self, target: Target) -> None:
        self._unsettled.discard(target)
        if target in self._waiting:
            self._waiting.discard(target)
        else:
            target.path.busy -= 1
        self._end_search(target.hop, Search.NOT_BEGUN)
        self._look_at_path(target.path)

    def withdraw(self, target: Target) -> List[Asking]:
        in_question = [asking for asking in target.asking if asking.kind is Kind.PORT]
        for asking in target.asking:
            for connection in list(asking.live):
                self._end_attempt(connection, "withdrawn")
            asking.done = True
            if asking.kind in (Kind.ALONE, Kind.SOUNDING):
                self.at(self._loop.time(), self._unheard, asking)  # Somebody counts on its answer.
        for scout in list(target.scouts):
            self._end_scout(target, scout)
            target.ask_again(0, scout.ports)
        target.asking.clear()
        target.again.clear()
        target.in_progress = 0
        return in_question

    def _look_at_path(self, path: Path) -> None:
        if self._next_set is None and not path.busy and path.waiting:
            self._settling.end_path(path)

    def _compare_routes(self, now: float) -> None:
        """Our interfaces or routes have changed: who is concerned?"""
        for target in list(self._unsettled - self._waiting):
            if target.route is None:
                continue
            if target.lost is not None:
                self._contact.recheck(target, now)
            elif route_fingerprint(target.address, target.source_address) != target.route:
                self._contact.lose(target, OWN_ROUTE_LOST, now)
                self._contact.recheck(target, now)

    # ------------------------------------------------------------------------------------- what starts when

    def _launch(self) -> bool:
        """Start attempts; False when there are more to start, after another look at the answers."""
        now = self._loop.time()
        started: List[_Connection] = []
        self._paused_until = max(self._paused_until, self._pace.nothing_before(now))
        room = min(_LAUNCHES_PER_TURN, self._window - self._sockets)
        while room > 0 and now >= self._paused_until:
            self._admit(now)
            if not self._ready:
                break
            most = room if len(self._ready) == 1 else min(_LAUNCHES_PER_TARGET, room)
            room -= self._launch_from(self._ready.popleft(), most, now, started)
        self._look_at_once(started)
        return not self._ready

    def _admit(self, now: float) -> None:
        """Begin with the next targets, so that hosts are interleaved."""
        while self._next_set is not None and len(self._ready) < _ADMITTED_AT_ONCE:
            probes = self._next_set
            own = is_surely_own(probes.address)
            if len(self._unsettled) - len(self._waiting) >= MOST_ACTIVE:
                return
            if not own and self._pace.due(probes.address, now) > now:
                return
            self._next_set = next(self._probe_sets, None)
            self._begin(probes, own)
            if self._next_set is None:
                for path in self._paths.values():
                    self._look_at_path(path)

    def _begin(self, probes: ProbeSet, own: bool) -> None:
        hop = self._neighbours.towards(probes.address)
        path = self._paths.setdefault(hop.gateway, Path())
        order = array("H", probes.singly)
        order.extend(probes.in_bulk)
        random.Random(self._seed ^ zlib.crc32(probes.address.encode())).shuffle(order)
        target = Target(probes, order, family_of(probes.address), hop, path, own)
        if not own:
            target.route = route_fingerprint(probes.address, probes.source_address)
        path.busy += 1
        self._unsettled.add(target)
        if self._neighbours.may_be_asked(hop):
            self.resume(target)
        else:
            self._not_searched[hop] = target

    def _end_search(self, hop: NextHop, search: Search) -> None:
        for following in self._neighbours.end(hop, search):
            target = self._not_searched.pop(following, None)
            if target is not None:
                self.resume(target)

    def _launch_from(self, target: Target, most: int, now: float, started: List[_Connection]) -> int:
        """Start as many attempts at this target as it may have now; how many it were."""
        paced = not (target.own or self._pace.unlimited)
        launched = self._sweep_at_once(target, most, now) if self._at_once and not paced else 0
        if launched:
            self._ready.append(target)
            return launched
        for launched in range(most):
            if paced:
                due = self._pace.due(target.address, now, 0 if target.again else target.reserve)
                if due > now:
                    target.resting = True
                    self.at(due, self._rested, target)
                    return launched
            asking = self._next_asking(target, now)
            if asking is None:
                target.scheduled = False
                if target.quiet:
                    self._quiet.append(target)
                return launched
            self._start_attempt(asking, now, started)
            if now < self._paused_until:
                break
        self._ready.append(target)
        return launched + 1

    def _sweep_at_once(self, target: Target, most: int, now: float) -> int:
        """Ask swept ports whose refusal is there before connect() returns: these need no bookkeeping.

        Anything else goes the way of every other attempt, with the socket that it has. How many were asked.
        """
        if target.again or target.lost is not None or target.doubted or now >= target.canary_due > 0:
            return 0
        connector, family, source = self._connector, target.family, target.source_address
        try:
            sockaddr = self._sockaddr(target)
        except OSError:
            return 0  # The usual way says what is wrong.
        ports = target.take_swept(min(most, self._timing.max_per_address - target.in_progress))
        refused = noted = 0
        for at, port in enumerate(ports):
            try:
                sock = connector.socket_for(family, source)
            except OSError:
                target.ask_again(0, ports[at:])
                ports = ports[:at]
                break
            number = sock.connect_ex(with_port(sockaddr, port))
            heard = connector.hear(sock) if number == errno.EINPROGRESS else NOTHING
            if heard is REFUSED and connector.tells_refusals_apart:
                sock.close()
                target.refused_in_bulk.ports.append(port)
                refused += 1
            else:
                # Before this one: when it finds our route gone, what is not proven is taken back.
                self._note_refused(target, refused - noted)
                noted = refused
                asking = Asking(target, port, Kind.PORT, True)
                target.asking.add(asking)
                target.in_progress += 1
                connection = self._take_start(asking, sock, number, now, heard)
                if connection is not None:
                    self._watch(connection)
        self._note_refused(target, refused - noted)
        if refused:
            self._at_once = 2 * refused > len(ports)
            if not target.scouted and target.answers >= _ANSWERS_FOR_SCOUTS and self._pace.unlimited:
                self._send_scouts(target)
        elif ports:
            self._at_once = False
        return len(ports)

    def _send_scouts(self, target: Target) -> None:
        """Nearly all of a large sweep refuses: let the other cores have their share of the rest."""
        others = min(cores(), _MOST_CORES) - 1
        left = target.left_in_bulk()
        if target.own or others < 1 or left < _PORTS_FOR_SCOUTS or target.answers < _REFUSING * target.flows:
            return
        target.scouted = True
        for _ in range(others):
            ports = target.split_off(left // (others + 1))
            try:
                scout = Scout(target.address, target.source_address, ports)
            except OSError:
                target.ask_again(0, ports)
                return
            target.scouts.append(scout)
            self._loop.add_reader(scout.fileno(), self._turns.guarded, partial(self._take_scout, target, scout))

    def _take_scout(self, target: Target, scout: Scout) -> None:
        refused = scout.refused()
        if refused is None:
            return
        self._end_scout(target, scout)
        target.ask_again(0, set(scout.ports).difference(refused))
        if refused:
            target.refused_in_bulk.ports.extend(refused)
            self._note_refused(target, len(refused))
        self._after(target)
        self._turn()

    def _end_scout(self, target: Target, scout: Scout) -> None:
        self._loop.remove_reader(scout.fileno())
        scout.end()
        target.scouts.remove(scout)

    def _rested(self, target: Target, now: float) -> None:
        if target.resting:
            target.resting = False
            self._ready.append(target)

    def _next_asking(self, target: Target, now: float) -> Optional[Asking]:
        while True:
            while target.again:
                asking = target.again.popleft()
                if not asking.done:
                    return asking
            if target.lost is not None or target.doubted or target.in_progress >= self._timing.max_per_address:
                return None
            if target.rounds and self._contact.is_due(target, now):
                continue
            following = target.next_port()
            if following is not None:
                target.asking.add(following)
                target.in_progress += 1
            return following

    # ----------------------------------------------------------------------------------------- one attempt

    def _start_attempt(self, asking: Asking, now: float, started: List[_Connection]) -> None:
        target = asking.target
        try:
            destination = with_port(self._sockaddr(target), asking.port)
            sock = self._connector.socket_for(target.family, target.source_address, asking.hops)
        except OSError as error:
            self._take_trouble(asking, error)
            return
        if not asking.in_bulk:
            now = self._loop.time()
        number = sock.connect_ex(destination)
        connection = self._take_start(asking, sock, number, now, NOTHING)
        if connection is not None:
            started.append(connection)

    def _take_start(
        self, asking: Asking, sock: Socket, number: int, now: float, heard: Heard
    ) -> "Optional[_Connection]":
        """connect() was called, and said this; the connection when it is under way and has not been heard.

        Args:
            heard: what was heard of it since.
        """
        if number in _OWN_LIMITS:
            sock.close()
            self._fall_short(asking, number)
            return None
        self._note_start(asking, now)
        connection = _Connection(asking, sock, now)
        asking.live.append(connection)
        self._sockets += 1
        if number not in (0, errno.EINPROGRESS):
            self._take_failure(connection, number, at_once=True)
            return None
        asking.target.flows += 1
        if heard.errno or heard.icmp or heard.itself:
            self._take(connection, heard)
            return None
        return connection

    def _note_start(self, asking: Asking, now: float) -> None:
        if self._window < self._max_window:
            self._window += 1
        self._short_since = asking.short_since = None
        asking.queued = False
        asking.started += 1
        asking.last_started = now
        if asking.kind is Kind.PORT:
            asking.target.port_started = now
            if asking.started > 1:
                self._contact.prove_early(asking.target, now)
        elif asking.kind is Kind.CANARY and asking.started == 1:
            asking.target.canary_started = now
        if not (asking.target.own or self._pace.unlimited):
            self._pace.spend(asking.target.address, now)
        if asking.kind in _LISTENED_S:
            self.at(now + self._limit_s(asking), self._wake, asking)
        elif asking.started == 1:
            self._first_looks.append((now + self._timing.retry_after_s, asking))
        else:
            self.at(now + self._timing.retry_after_s, self._wake, asking)

    @staticmethod
    def _sockaddr(target: Target) -> Tuple[Any, ...]:
        """The socket address without its port; resolves the zone of fe80::1%eth0 once."""
        if target.sockaddr is None:
            target.sockaddr = socket_address(target.address, 0)
        return target.sockaddr

    def _take_trouble(self, asking: Asking, error: OSError) -> None:
        """No connect() was reached: a shortage passes, anything else is final for this port."""
        number, target = error.errno or 0, asking.target
        if number in _OWN_LIMITS:
            self._fall_short(asking, number)
        elif number == errno.EAFNOSUPPORT:
            family = "IPv6" if target.family == socket.AF_INET6 else "IPv4"
            self._conclude_unmeasured(asking, Reason.NO_ROUTE, number, f"this machine has no {family}")
        else:
            sender = f"cannot send from {target.source_address}: " if target.source_address else ""
            self._conclude_unmeasured(asking, Reason.LOCAL_ERROR, number, f"{sender}{error.strerror}")

    def _fall_short(self, asking: Asking, number: int) -> None:
        """A shortage of our own: wait for it to pass; after `own_limit_s` say what was short."""
        if number == errno.EADDRNOTAVAIL:
            try:
                final = _never_available(asking.target)
            except OSError as error:
                number = error.errno or errno.ENFILE  # The question itself fell short.
            else:
                if final is not None:
                    self._conclude_unmeasured(asking, final[0], number, final[1])
                    return
        now = self._loop.time()
        if number in (errno.EMFILE, errno.ENFILE):
            self._window = max(1, self._sockets)
        one_destination = number in _OF_ONE_DESTINATION
        since = asking.short_since if one_destination else self._short_since
        if since is None:
            since = now
        elif now - since >= self._timing.own_limit_s:
            self._conclude_unmeasured(asking, _OWN_LIMITS[number], number, errno.errorcode[number])
            return
        asking.queued = True
        if one_destination:
            asking.short_since = since
            self._short.append((now + _PAUSE_S, asking))
        else:
            self._short_since = since
            asking.target.again.appendleft(asking)
            self._paused_until = now + _PAUSE_S

    # --------------------------------------------------------------------------------------- what was heard

    def _look_at_once(self, started: List[_Connection]) -> None:
        """On a fast network the answer is there before connect() returns: then nothing has to be watched.

        One system call less for each port where it works; where it does not, it is tried on few.
        """
        tried = found = 0
        for connection in started:
            if connection.asking.done:
                continue
            if self._at_once or not tried:
                tried += 1
                heard = self._connector.hear(connection.sock)
                if heard.errno or heard.icmp or heard.itself:
                    found += 1
                    self._take(connection, heard)
                    continue
            self._watch(connection)
        if tried:
            self._at_once = 2 * found > tried

    def _watch(self, connection: _Connection) -> None:
        fd = connection.sock.fileno()
        self._by_fd[fd] = connection
        self._readiness.watch(fd)

    def _take_answers(self, now: float) -> None:
        # A wake-up that decided nothing stays ready; it is looked at again in the next turn, not here.
        for fd in self._readiness.ready():
            connection = self._by_fd.get(fd)
            if connection is None:
                continue
            if connection.held:
                self._hear_held(connection)
            else:
                self._take(connection, self._connector.hear(connection.sock))
        self._looked = now

    def _take(self, connection: _Connection, heard: Heard) -> None:
        if heard.errno:
            if heard.errno == errno.ECONNREFUSED and connection.asking.in_bulk and connection.asking.started == 1:
                self._refused_in_bulk(connection)
            else:
                self._take_failure(connection, heard.errno, at_once=False)
        elif heard.icmp is not None:
            self._take_icmp(connection, heard.icmp)
        elif heard.itself:
            # It says that nobody listens there; a new source port will prove it.
            self._end_attempt(connection, "self-connected")
            self._retry_or_conclude(connection.asking)
        elif heard.connected:
            self._begin_hold(connection)

    def _refused_in_bulk(self, connection: _Connection) -> None:
        """The most frequent answer of a sweep, without everything that nobody will ask for."""
        asking = connection.asking
        target = asking.target
        if self._loop.time() - connection.started >= _FIRST_SYN_S or not self._connector.tells_refusals_apart:
            self._take_failure(connection, errno.ECONNREFUSED, at_once=False)
            return
        self._forget(connection)
        connection.sock.close()
        self._end(asking)
        self._decided -= 1
        target.refused_in_bulk.ports.append(asking.port)
        self._note_refused(target, 1)
        self._after(target)

    def _note_refused(self, target: Target, ports: int) -> None:
        """So many ports were refused at the first SYN; the last of them is in the list."""
        if not ports:
            return
        if not target.answers:
            self._first_answer(target)
        target.answers += ports
        target.loss.sent += ports
        target.path.loss.sent += ports
        target.refused_in_bulk.syns += ports
        target.flows += ports
        self._decided += ports
        if not target.canaries and not target.own:
            self._contact.note(target, target.refused_in_bulk.ports[-1], PortState.CLOSED, self._loop.time())

    def _first_answer(self, target: Target) -> None:
        target.hop.answered = True
        self._end_search(target.hop, Search.FOUND)

    def _take_failure(self, connection: _Connection, number: int, at_once: bool) -> None:
        asking = connection.asking
        icmp = self._connector.queued(connection.sock) if at_once else None
        if icmp is not None:
            self._take_icmp(connection, icmp)
        elif number == errno.ETIMEDOUT:
            self._end_attempt(connection, str(Reason.NO_RESPONSE))
            self._retry_or_conclude(asking)
        elif at_once and number in _NO_ROUTE_AT_ONCE:
            self._end_attempt(connection, str(Reason.NO_ROUTE))
            if asking.target.flows and asking.kind is Kind.PORT:
                self._contact.lose(asking.target, OWN_ROUTE_LOST, self._loop.time())
            else:
                self._conclude_unmeasured(asking, Reason.NO_ROUTE, number, None)
        elif number == errno.ECONNRESET:
            # A reset of a connection that was complete; before, it is ECONNREFUSED (Linux tcp_reset()). We were not
            # quick enough to see it in between.
            self._reset(connection)
        elif number in _ERRNO_ANSWERS:
            answer = _ERRNO_ANSWERS[number]
            reason = answer.reason
            if reason is Reason.CONN_REFUSED and not self._connector.tells_refusals_apart:
                reason = Reason.REFUSED_ORIGIN_UNKNOWN
            self._answered(connection, answer.state, reason, number)
        else:
            self._end_attempt(connection, str(Reason.LOCAL_ERROR))
            name = errno.errorcode.get(number, str(number))
            self._conclude_unmeasured(asking, Reason.LOCAL_ERROR, number, name)

    def _take_icmp(self, connection: _Connection, icmp: IcmpError) -> None:
        asking = connection.asking
        target = asking.target
        try:
            from_ourselves = sent_by_ourselves(icmp.responder, target.address)
        except OSError as error:
            self._conclude_unmeasured(asking, Reason.LOCAL_FD_LIMIT, error.errno, None)
            return
        if not from_ourselves:
            self._answered(connection, PortState.FILTERED, icmp.reason, icmp.errno, icmp)
        elif icmp.reason is not Reason.HOST_UNREACH:
            self._answered(connection, PortState.UNKNOWN, Reason.LOCAL_FIREWALL, icmp.errno, icmp)
        elif self._looked - connection.started >= _FIRST_SYN_S or target.hop.absent is not None:
            # Our kernel found no neighbour: it asks three times, a second apart, before it says so. A rule of our
            # own firewall answers at once, and had not yet when we last looked. No ICMP packet was ever received.
            self._answered(connection, PortState.FILTERED, Reason.ARP_FAILURE, icmp.errno)
        elif asking.started < _MOST_AT_ONCE:
            # Too fast to tell a search for the neighbour that was nearly over from a rule of our own
            # firewall: the second attempt will show it.
            self._end_attempt(connection, str(icmp.reason))
            self._retry_or_conclude(asking)
        else:
            self._answered(connection, PortState.UNKNOWN, Reason.LOCAL_FIREWALL, icmp.errno, icmp)

    # ------------------------------------------------------------------------------ more than a handshake

    def _begin_hold(self, connection: _Connection) -> None:
        """Accepted. Behind a SYN proxy that says nothing yet: keep the connection and watch for a reset."""
        now = self._loop.time()
        connection.held = True
        connection.rtt_s = now - connection.started
        self._readiness.hold(connection.sock.fileno())
        target = connection.asking.target
        # After a repeated SYN the time since the first one is no round-trip time.
        rtt_s = connection.rtt_s if connection.rtt_s < _FIRST_SYN_S else target.rtt_s
        self.at(now + max(rtt_s, self._timing.hold_s), self._end_hold, connection)
        if target.accepted_port is None:
            target.accepted_port = connection.asking.port
        if not target.decoys_asked:
            target.decoys_asked = True
            for port in target.decoys:
                self.ask(target, port, Kind.DECOY, self._settling.take_decoy)

    def _hear_held(self, connection: _Connection) -> None:
        if connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._reset(connection)
            return
        try:
            connection.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            self._reset(connection)
            return
        # It spoke, or ended the connection in good order: no proxy does that before the host has answered.
        self._answered(connection, PortState.OPEN, Reason.SYN_ACK, None)

    def _reset(self, connection: _Connection) -> None:
        target = connection.asking.target
        target.answers_for_it = True
        target.accepted_port = connection.asking.port
        self._answered(connection, PortState.UNKNOWN, Reason.RESET_AFTER_HANDSHAKE, errno.ECONNRESET)

    def _end_hold(self, connection: _Connection, now: float) -> None:
        asking = connection.asking
        if asking.done or connection not in asking.live:
            return
        if connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._reset(connection)
        elif not self._connector.window_is_zero(connection.sock):
            self._answered(connection, PortState.OPEN, Reason.SYN_ACK, None)
        elif now - connection.started < self._timing.attempt_s:
            # A SYN proxy lets us send when the host itself has accepted.
            self.at(now + 2 * self._timing.hold_s, self._end_hold, connection)
        else:
            asking.target.answers_for_it = True
            asking.target.accepted_port = asking.port
            self._answered(connection, PortState.UNKNOWN, Reason.ANSWERS_EVERYTHING, None, detail=WINDOW_STAYS_ZERO)

    # --------------------------------------------------------------------------------- retries and silence

    def _limit_s(self, asking: Asking) -> float:
        """How long an attempt is listened to."""
        target, timing = asking.target, self._timing
        fixed = _LISTENED_S.get(asking.kind)
        if fixed is not None:
            if asking.kind is not Kind.DECOY:
                return fixed
            return timing.trusted_attempt_s if target.decoy_tries else 2 * (target.rtt_s + timing.hold_s)
        return (
            timing.trusted_attempt_s if target.is_trusted(timing.trusted_answers) else timing.attempt_s
        ) + target.rtt_s

    def _needed(self, asking: Asking) -> int:
        if asking.kind in _LISTENED_S:
            return 1
        return asking.target.attempts_needed(self._timing.most_attempts)

    def _wake(self, asking: Asking, now: float) -> None:
        """End attempts that were silent long enough, start the next one, come back when more is due."""
        if asking.done:
            return
        limit = self._limit_s(asking)
        for connection in [c for c in asking.live if not c.held and c.started + limit <= now]:
            self._end_attempt(connection, str(Reason.NO_RESPONSE))
        if asking.held:
            return
        if asking.kind is Kind.CANARY and asking.live:
            asking.target.doubted = True
        if not asking.queued:
            self._retry_or_conclude(asking)
        if asking.live and not asking.done:
            # Also while the next attempt waits for a free socket: the first must not hold its own for ever.
            oldest = min(connection.started for connection in asking.live)
            # The same sums as above, so that rounding cannot make a moment that is past but not due.
            moments = (oldest + self._timing.trusted_attempt_s, oldest + limit)
            self.at(min(moment for moment in moments if moment > now), self._wake, asking)

    def _retry_or_conclude(self, asking: Asking) -> None:
        if asking.done or asking.queued:
            return
        if asking.started >= self._needed(asking):
            if not asking.live:
                self._conclude_silent(asking)
            return
        if len(asking.live) >= _MOST_AT_ONCE:
            return
        due = asking.last_started + self._timing.retry_after_s
        if due > self._loop.time():
            self.at(due, self._wake, asking)
        else:
            asking.queued = True
            asking.target.again.append(asking)
            self.resume(asking.target)

    def _conclude_silent(self, asking: Asking) -> None:
        target = asking.target
        unreachable = target.nobody_there
        if any(attempt.result == "self-connected" for attempt in asking.attempts):
            self._conclude(asking, self._observed(asking, PortState.CLOSED, Reason.CONN_REFUSED))
        elif unreachable is not None:
            # Of many SYNs that wait for a dead neighbour the kernel reports only the last few.
            observation = Observation(
                probe=asking.probe,
                state=unreachable.state,
                reason=unreachable.reason,
                attempts=tuple(asking.attempts),
                responder=unreachable.responder,
                inferred=True,
                detail=unreachable.detail,
            )
            self._conclude(asking, observation)
        elif asking.kind is not Kind.PORT:
            self._conclude(asking, self._observed(asking, PortState.FILTERED, Reason.NO_RESPONSE))
        else:
            self._end(asking)
            if asking.in_bulk:
                syns = sum(attempt.syns or 1 for attempt in asking.attempts)
                target.pending.count_silent(asking.started, asking.port, syns)
            else:
                target.pending.silent.append(asking)
            self._after(target)

    @staticmethod
    def _observed(asking: Asking, state: PortState, reason: Reason) -> Observation:
        return Observation(probe=asking.probe, state=state, reason=reason, attempts=tuple(asking.attempts))

    # ------------------------------------------------------------------------------------------ the answer

    def _answered(
        self,
        connection: _Connection,
        state: PortState,
        reason: Reason,
        number: Optional[int],
        icmp: Optional[IcmpError] = None,
        detail: Optional[str] = None,
    ) -> None:
        asking = connection.asking
        target, now = asking.target, self._loop.time()
        elapsed_s = connection.rtt_s if connection.held else now - connection.started
        from_target = state in (PortState.OPEN, PortState.CLOSED)
        absent = reason is Reason.ARP_FAILURE
        attempt = self._end_attempt(connection, str(reason))
        late = attempt.syns != 1 or max(asking.started, len(asking.attempts) + len(asking.live)) > 1
        self._end_others(asking)
        observation = Observation(
            probe=asking.probe,
            state=state,
            reason=reason,
            attempts=tuple(asking.attempts),
            responder=icmp.responder if icmp is not None else None,
            icmp=icmp.icmp if icmp is not None else None,
            errno=number,
            rtt_ms=None if elapsed_s >= _FIRST_SYN_S else round(elapsed_s * 1000, 3),
            flaky=from_target and late,
            detail=target.hop.detail if absent else detail,
        )
        if asking.kind is not Kind.HOPS:
            self._learn(asking, observation, late, elapsed_s, now)
        self._conclude(asking, observation)

    def _learn(self, asking: Asking, observation: Observation, late: bool, elapsed_s: float, now: float) -> None:
        """What an answer says about the host and the way to it."""
        target, port = asking.target, asking.port
        state, reason = observation.state, observation.reason
        if state in (PortState.OPEN, PortState.CLOSED):
            target.answers += 1
            target.late_answers += late
            if elapsed_s < _FIRST_SYN_S:
                target.rtt_s = max(target.rtt_s, elapsed_s)
            # Not those from before contact was lost. Of swept ports that are asked anew the first are only counted.
            attempts = observation.attempts[-asking.started :]
            syns = sum(attempt.syns or 1 for attempt in attempts) if late else 1
            syns += SYNS_PER_ATTEMPT * (asking.started - len(attempts))
            target.loss.note(syns)
            target.path.loss.note(syns)
            if not target.own:
                self._contact.note(target, port, state, now)
        if reason is Reason.ARP_FAILURE:
            target.hop.absent = target.hop.absent or observation
        elif state is not PortState.UNKNOWN or reason is Reason.RESET_AFTER_HANDSHAKE:
            self._first_answer(target)
        responder = observation.responder
        if reason in _OF_THE_WAY:
            target.unreachable = target.unreachable or observation
        elif state is PortState.FILTERED and responder is not None:
            target.rejections.setdefault(responder, observation)
            known = target.path.responders.setdefault(responder, Responder(responder))
            if asking.kind in (Kind.PORT, Kind.ALONE):
                known.note(target.address, (target, port), now)
            else:
                known.note_again(now)

    def _end_attempt(self, connection: _Connection, result: str) -> Attempt:
        asking, sock = connection.asking, connection.sock
        now = self._loop.time()
        source = source_of(sock)
        elapsed_s = connection.rtt_s if connection.held else now - connection.started
        attempt = Attempt(
            started_s=round(connection.started - self._epoch, 4),
            lasted_s=round(now - connection.started, 4),
            source_port=source[1],
            syns=1 if elapsed_s < _FIRST_SYN_S else self._connector.syns(sock),
            result=result,
            source_address=source[0],
        )
        asking.attempts.append(attempt)
        if connection.held:
            reset_when_closed(sock)
        self._forget(connection)
        sock.close()
        return attempt

    def _forget(self, connection: _Connection) -> None:
        connection.asking.live.remove(connection)
        self._sockets -= 1
        fd = connection.sock.fileno()
        if self._by_fd.pop(fd, None) is not None:
            self._readiness.forget(fd)

    def _end_others(self, asking: Asking) -> None:
        """One attempt decided; the others are evidence too, a swallowed source port above all."""
        for connection in list(asking.live):
            self._end_attempt(connection, "not-needed")
        asking.attempts.sort(key=lambda attempt: attempt.started_s)

    def _conclude_unmeasured(
        self, asking: Asking, reason: Reason, number: Optional[int], detail: Optional[str]
    ) -> None:
        for connection in list(asking.live):
            self._end_attempt(connection, str(reason))
        observation = Observation(
            probe=asking.probe,
            state=PortState.UNKNOWN,
            reason=reason,
            attempts=tuple(asking.attempts),
            errno=number,
            detail=detail,
        )
        self._conclude(asking, observation)

    def _conclude(self, asking: Asking, observation: Observation) -> None:
        target = asking.target
        self._end(asking)
        if asking.kind is Kind.PORT:
            # What is open, or our own trouble, needs no proof that the host still talks to us.
            proven = observation.state in (PortState.OPEN, PortState.UNKNOWN)
            target.keep(observation, target.proven if proven else target.pending)
        elif asking.then is not None:
            asking.then(asking, observation, self._loop.time())
        self._after(target)

    def _end(self, asking: Asking) -> None:
        asking.done = True
        asking.target.asking.discard(asking)
        if asking.kind is Kind.PORT:
            asking.target.in_progress -= 1
            self._decided += 1

    def _after(self, target: Target) -> None:
        if target.quiet:
            self._quiet.append(target)
        elif target.rounds and not target.scheduled:
            self.resume(target)

    # --------------------------------------------------------------------------------------------- the end

    def _give_up(self, reason: Reason) -> None:
        self._take_answers(self._loop.time())
        for target in list(self._unsettled):
            self._settling.interrupt(target, reason)
        unknown = Alike(PortState.UNKNOWN, reason)
        while self._next_set is not None:
            for answered in self._settling.unasked(self._next_set, unknown):
                self._report(answered)
            self._next_set = next(self._probe_sets, None)

    def _close(self) -> None:
        for connection in self._by_fd.values():
            connection.sock.close()  # Also those to targets that are settled, which a hearing asks once more.
        for target in self._unsettled:
            for asking in target.asking:
                for connection in asking.live:
                    connection.sock.close()
            for scout in list(target.scouts):
                self._end_scout(target, scout)
        self._turns.close()


_LISTENED_S: Dict[Kind, float] = {Kind.ALONE: _ALONE_S, Kind.SOUNDING: _ALONE_S, Kind.HOPS: _HOPS_S, Kind.DECOY: 0.0}
"""What is asked once, and how long it is listened to; a decoy by the round-trip time."""


def _never_available(target: Target) -> Optional[Tuple[Reason, str]]:
    """Why there will never be a local address and port for it; None when ports are only exhausted.

    Raises:
        OSError: no descriptor left to ask the kernel with.
    """
    source = target.source_address
    if source is not None and not is_own(source):
        return Reason.LOCAL_ERROR, f"cannot send from {source}"
    if source_towards(target.address) is None:
        return Reason.NO_ROUTE, "no source address for this family"
    return None
