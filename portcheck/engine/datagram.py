"""The engine for everything without a connection: UDP, ICMP echo, GRE, ESP, AH. Who answers, and who says that not?

A reply or an ICMP error decides at once. Silence is what closed ports, dropped packets, and servers that do not talk
to strangers have in common, and Linux machines make it worse: they reject six ports, then one a second. So questions
are repeated in waves that end with a packet to a port that is known to be rejected (waves.py), as slowly as the
sender of the errors allows (budgets.py), and as often as lost packets demand (silence.py). A silence counts with
respect to everybody who may have to speak: the address itself once it has sent an error, and every router that
rejected anything on the same way out of this machine. A router has one budget for all behind it, so all who wait for
it are asked in one wave, which ends with one packet for it.

An address that never sent an error is given its time (a bucket may be empty from an earlier scan), asked on ports
that nobody named, and is mute then: nothing can be told about what is silent there.

What is still undecided because of somebody's limit when the budget of the address is over is `unknown`.
"""

import asyncio
import errno
import random
import zlib
from collections import deque
from functools import partial
from math import ceil
from typing import (
    Any,
    Callable,
    Deque,
    Dict,
    FrozenSet,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from .addresses import family_of, is_surely_own, sent_by_ourselves, socket_address, source_towards
from .budgets import FIRST_INTERVAL_S, Budget
from .channels import NO_ICMP, Arrived, Channel, Channels, Inbox, PrivilegeError
from .connection import with_port
from .datagram_target import MOST_ATTEMPTS, Asking, Outlet, Packet, Part, Target, Verdict, Way
from .datagram_timing import DatagramTiming
from .descriptors import raise_descriptor_limit
from .error_queue import Returned
from .neighbours import Neighbours, NextHop, Search
from .own_network import route_fingerprint
from .pace import Pace
from .probe import (
    ICMP_ALIVE,
    ICMP_MUTE,
    NEEDS_SOURCE_PORT_68,
    OWN_ROUTE_LOST,
    REPLIED_FROM,
    Answered,
    Attempt,
    DatagramSet,
    Observation,
    PortState,
    Probe,
    Question,
    Reason,
    Reply,
    Tally,
    Transport,
)
from .readiness import Readiness, new_readiness
from .turns import Turns
from .waves import PROOFS, Evidence, Wave

__all__ = ["DatagramEngine", "DatagramTiming"]

_SHORTAGES: Dict[int, Reason] = {
    errno.EMFILE: Reason.LOCAL_FD_LIMIT,
    errno.ENFILE: Reason.LOCAL_FD_LIMIT,
    errno.EADDRINUSE: Reason.LOCAL_NO_PORTS,
    errno.EAGAIN: Reason.LOCAL_ERROR,
    errno.ENOBUFS: Reason.LOCAL_ERROR,
    errno.ENOMEM: Reason.LOCAL_ERROR,
}
"""Of our own, and they pass: wait and try again; the reason when they do not."""

_NOT_SENT: Dict[int, Reason] = {
    errno.ENETUNREACH: Reason.NO_ROUTE,
    errno.EHOSTUNREACH: Reason.NO_ROUTE,
    errno.ENETDOWN: Reason.NO_ROUTE,
    errno.EPERM: Reason.LOCAL_FIREWALL,
    errno.EACCES: Reason.LOCAL_FIREWALL,
}
"""Of sendto() itself, when no error was queued that it could have come from."""

_REPLIES: Dict[Transport, Reason] = {Transport.UDP: Reason.UDP_RESPONSE, Transport.ICMP: Reason.ECHO_REPLY}
_SAYS_CLOSED: Dict[Transport, Reason] = {
    Transport.UDP: Reason.PORT_UNREACH,
    Transport.GRE: Reason.PROTO_UNREACH,
    Transport.ESP: Reason.PROTO_UNREACH,
    Transport.AH: Reason.PROTO_UNREACH,
}
"""The error by which the address itself says that nobody is there."""

_OF_THE_WAY = (Reason.HOST_UNREACH, Reason.NET_UNREACH)
"""About a host, not about a port: no rule of a firewall that other ports may meet too."""
_TOO_BIG = ((3, 4), (2, 0))
"""Fragment it, says a router: our kernel will, at the next attempt."""

_MOST_ACTIVE = 1024
"""Addresses that are asked at the same time; each holds at least one socket."""
_MOST_QUESTIONS = 130_000
"""In memory at the same time, of all addresses."""
_MOST_WAITING = 2048
"""Questions of one address that were silent and are not decided yet; the next ones are not asked before."""
_MOST_DECIDED = 512
"""Swept ports of one address with a verdict that a late reply may still better."""
_PACKETS_PER_TURN = 512
"""Then others have their turn, TCP above all."""
_IN_FLIGHT = 64
_GUESSES = range(49152, 65000)
_MOST_GUESSES = 3
_CANARY_BYTES = 4
_FIRST = 1000
_DRAWN = 0.2
_LATER_S = 1.0
_SENT_AGAIN = 2
"""Where packets get lost, or tokens are scarce, a question is in a wave once for each so many silences it needs."""
_MOST_EXAMPLES = 3
_LOOKED_UP_S = 0.9
"""Our kernel searches for a neighbour for 3 s; a rule of our own firewall rejects at once."""
_PAUSE_S = 0.05
_SLOW_S = 0.02
_SOURCE_PORT_TAKEN = "source port {} is in use on this machine"


class _Choice(NamedTuple):
    """What one target has in the next wave.

    Attributes:
        canary: for its own errors.
        routers: who needs a canary too.
        copies: how often each question is in it whose silence counted before.
        look: is the target mute?
    """

    askings: List[Asking]
    canary: Optional[Asking] = None
    routers: FrozenSet[str] = frozenset()
    copies: int = 1
    look: bool = False


class _Look(NamedTuple):
    """A router's canary under way."""

    router: Budget
    wave: Wave
    way: Way
    rested_s: float


def _ignore(_: Any) -> None:
    """Nobody wants to know."""


class DatagramEngine:
    """Asks every question of the sets and reports each exactly once, an address at a time."""

    def __init__(
        self,
        timing: DatagramTiming,
        report: Callable[[Answered], None],
        *,
        pace: Pace,
        seed: int = 0,
        progress: Callable[[int], None] = _ignore,
        tell: Callable[[str], None] = _ignore,
        portable: bool = False,
        channels: Optional[Channels] = None,
    ) -> None:
        """
        Args:
            seed: of what is drawn: ports of canaries, waits.
            progress: called with the number of questions that are decided so far.
            tell: called with a sentence for the person who waits.
            portable: what macOS and the BSDs can do, and no more; for tests on Linux.
            channels: makes the sockets; for tests.
        """
        self._timing = timing
        self._report = report
        self._pace = pace
        self._seed = seed
        self._progress = progress
        self._tell = tell
        self._portable = portable
        self._channels = channels or Channels(portable)
        self._random = random.Random(seed)
        self._neighbours = Neighbours(timing.max_neighbours)
        self._not_searched: Dict[NextHop, Target] = {}
        self._budgets: Dict[str, Budget] = {}
        self._ways: Dict[Optional[str], Way] = {}
        self._examples: Dict[str, List[Asking]] = {}
        self._router_rtt_s: Dict[str, float] = {}
        self._ready: Deque[Target] = deque()
        self._active: Set[Target] = set()
        # The other half is for connections, and for what asks the kernel about an address.
        self._most_sockets = max(1, raise_descriptor_limit() // 2)
        self._sockets = 0
        self._questions = 0
        self._shared: Dict[Tuple[int, Optional[str], int], Outlet] = {}
        self._outlets: Dict[int, Outlet] = {}
        self._own_ports: Set[int] = set()
        self._canaries_sent = 0
        self._more_to_read = False
        self._decided = self._told = 0

    async def run(self, sets: Iterable[DatagramSet], stop: "asyncio.Future[Reason]") -> None:
        """Ask everything; when `stop` gets a reason, what is left is reported unknown with that reason.

        Raises:
            Exception: whatever `report` raises; the run ends and all sockets are closed.
        """
        self._loop = asyncio.get_running_loop()
        self._epoch: Optional[float] = None
        self._sets: Iterator[DatagramSet] = iter(sets)
        self._take_next_set()
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
        """Take what came, judge what was silent long enough, send what may be sent; arrange to be called again."""
        # Read before the answers are: a wave that was due by then has been listened to for its whole time.
        now = self._loop.time()
        self._hear_all()
        if not self._more_to_read:
            self._turns.wake_due(now)
        self._launch()
        if self._decided != self._told:
            self._told = self._decided
            self._progress(self._decided)
        if self._next_set is None and not self._active:
            self._turns.finish()
            return
        self._set_timer()

    def _set_timer(self) -> None:
        now = self._loop.time()
        moments = self._turns.next_moments()
        if self._ready or self._more_to_read:
            moments.append(now)
        if self._next_set is not None and self._has_room:
            moments.append(self._due(self._next_set.address, is_surely_own(self._next_set.address), 1, now))
        if moments:
            self._turns.come_back(min(moments))

    def _resume(self, target: Target, now: float = 0.0) -> None:
        if not target.queued and not target.done:
            target.queued = True
            self._ready.append(target)

    def _due(self, address: str, own: bool, flows: int, now: float) -> float:
        """When so many flows to it may start."""
        if own or self._pace.unlimited:
            return now
        return self._pace.due(address, now, max(0, flows - 1), datagram=True)

    # --------------------------------------------------------------------------------------- who is begun with

    def _take_next_set(self) -> None:
        self._next_set: Optional[DatagramSet] = next(self._sets, None)
        asked = self._next_set
        self._next_sockets = self._next_weight = 0
        if asked is not None:
            self._weigh_set(asked.questions)

    def _weigh_set(self, questions: Sequence[Question]) -> None:
        """How many descriptors it takes to ask the next address, and how many questions are in memory for it."""
        alone = singly = 0
        for question in questions:
            alone += self._is_alone(question)
            singly += not question.in_bulk
        self._next_sockets = alone + (alone < len(questions))
        self._next_weight = min(len(questions), singly + _MOST_WAITING + _MOST_DECIDED)

    def _is_alone(self, question: Question) -> bool:
        """Whether it needs a socket of its own."""
        return question.private or question.transport is not Transport.UDP or not self._channels.shows_errors

    @property
    def _has_room(self) -> bool:
        """Whether the next address may be begun with. One is always asked, however much that takes."""
        if not self._active:
            return True
        return (
            len(self._active) < _MOST_ACTIVE
            and self._sockets + self._next_sockets <= self._most_sockets
            and self._questions + self._next_weight <= _MOST_QUESTIONS
        )

    def _admit(self, now: float) -> None:
        while self._next_set is not None and self._has_room:
            asked = self._next_set
            own = is_surely_own(asked.address)
            if self._due(asked.address, own, 1, now) > now or len(self._ready) >= _IN_FLIGHT:
                return
            if asked.questions:
                self._begin(asked, own)
            self._take_next_set()

    def _begin(self, asked: DatagramSet, own: bool) -> None:
        hop = self._neighbours.towards(asked.address)
        way = Way() if own else self._ways.setdefault(hop.gateway, Way())
        target = Target(asked, family_of(asked.address), hop, way, own)
        target.fresh.shuffle(random.Random(self._seed ^ zlib.crc32(asked.address.encode())))
        target.window = self._timing.wave
        target.sockets, target.weight = self._next_sockets, self._next_weight
        self._sockets += target.sockets
        self._questions += target.weight
        self._active.add(target)
        self._prepare(target, self._loop.time())

    def _prepare(self, target: Target, now: float) -> None:
        """Ask our kernel how it is reached; where a shortage of our own prevents that, once more later."""
        try:
            target.sockaddr = socket_address(target.address, 0)
            target.sends_from = target.source_address or source_towards(target.address)
        except OSError as error:
            short_since = target.short_since = now if target.short_since is None else target.short_since
            number = error.errno or 0
            if number not in _SHORTAGES:
                self._conclude_rest(target, _cannot_ask(target, error))
            elif now - short_since < self._timing.own_limit_s:
                self._turns.at(now + _PAUSE_S, self._prepare, target)
            else:
                self._conclude_rest(target, _fell_short(number))
            return
        if not target.own:
            target.route = route_fingerprint(target.address, target.source_address)
        if self._neighbours.may_be_asked(target.hop):
            self._resume(target)
        else:
            self._not_searched[target.hop] = target

    def _end_search(self, hop: NextHop, search: Search) -> None:
        for following in self._neighbours.end(hop, search):
            target = self._not_searched.pop(following, None)
            if target is not None:
                self._resume(target)

    # ------------------------------------------------------------------------------------- what leaves when

    def _launch(self) -> None:
        """Send one wave: for every target that may send now its part, then the routers' canaries."""
        now = self._loop.time()
        self._admit(now)
        chosen: List[Tuple[Target, _Choice]] = []
        packets = 0
        while self._ready and packets < _PACKETS_PER_TURN:
            target = self._ready.popleft()
            target.queued = False
            choice = None if target.done else self._choose(target, now)
            if choice is None:
                continue
            flows = sum(asking.sent == 0 for asking in choice.askings)
            flows += choice.canary is not None and choice.canary.sent == 0
            due = self._due(target.address, target.own, flows, now) if flows else now
            if due > now:
                self._turns.at(due, self._resume, target)
                continue
            self._take_out(target, choice, flows, now)
            chosen.append((target, choice))
            packets += len(choice.askings) * choice.copies + 1
        if chosen:
            self._send_wave(chosen)
        for target, _ in chosen:
            if target.fresh:
                self._resume(target)

    def _choose(self, target: Target, now: float) -> Optional[_Choice]:
        """The target's part of the next wave; None when there is nothing to send now."""
        if self._may_go_on(target):
            room = min(target.window, max(_IN_FLIGHT, target.window) - target.in_flight)
            if room > 0 and not self._is_held(target, now):
                room = min(room, self._most_flows(target, now))
                return _Choice([target.fresh[place] for place in range(min(room, len(target.fresh)))])
        if target.look_at is not None and target.look_at <= now:
            return _Choice(list(target.waiting)[: target.window], self._canary(target), look=True)
        return self._choose_again(target, now)

    @staticmethod
    def _may_go_on(target: Target) -> bool:
        """Whether more of its questions may be asked; not while very many wait to be asked again."""
        return bool(target.fresh) and len(target.waiting) < _MOST_WAITING

    def _choose_again(self, target: Target, now: float) -> Optional[_Choice]:
        """Of those that were silent, as many as may find out something now."""
        longest_waiting = next(iter(target.waiting), None)
        if longest_waiting is None or (target.in_flight and now - longest_waiting.waiting_since < _LATER_S):
            return None  # Those that are still listened for may be asked again in the same wave.
        lacking: Dict[Asking, List[Budget]] = {}
        needed, senders = target.needed, target.senders_that_count()
        for asking in target.waiting:
            short = self._lacking(asking, needed, senders)
            if short is not None:
                lacking[asking] = short
        if not lacking:
            if needed != target.decided_with:
                self._turns.at(now, self._advance, target)  # Answers of others have changed what is enough.
            return None
        moments = {
            asking: min((_ready_for(asking, sender) for sender in short), default=now)
            for asking, short in lacking.items()
        }
        due = [asking for asking, moment in moments.items() if moment <= now]
        if not due:
            self._turns.at(min(moments.values()), self._resume, target)
            return None
        limited = any(sender.rations for sender in target.senders())
        silent = [asking for asking in due if asking.counted and asking.limited_by is None]
        silent.sort(key=lambda asking: -min(asking.counted.values()))
        others = [asking for asking in due if not (asking.counted and asking.limited_by is None)]
        if limited and len(others) > 2 * self._timing.limited_wave:
            others = others[: self._timing.limited_wave]
        askings = (silent[: self._timing.wave] + others)[: max(self._timing.wave, target.window)]
        wanted = {
            sender.address for asking in askings for sender in lacking[asking] if _ready_for(asking, sender) <= now
        }
        routers = frozenset(wanted.intersection(target.way.routers))
        if target.budget is None:
            own_error = not target.looked and target.canary_seen < _MOST_GUESSES
        else:
            own_error = target.budget.address in wanted
        copies = ceil(needed / _SENT_AGAIN) if limited or target.way.answers.late else 1
        return _Choice(askings, self._canary(target) if own_error else None, routers, copies)

    def _is_held(self, target: Target, now: float) -> bool:
        """Whether our own pace holds its questions back; if so, the target is looked at again in time."""
        due = self._due(target.address, target.own, 1, now)
        if due <= now:
            return False
        if target.held_since is None:
            target.held_since = now
        if due != target.held_until:
            target.held_until = due
            self._turns.at(due, self._resume, target)
        return True

    def _most_flows(self, target: Target, now: float) -> int:
        """How many flows to it may begin now."""
        if target.own or self._pace.unlimited:
            return self._timing.largest_wave
        at_once = self._pace.at_once(target.address)
        possible = self._pace.possible(target.address, now, datagram=True)
        # One is left for a canary.
        most = [number for number in (None if at_once is None else at_once - 1, possible) if number is not None]
        return max(1, min(most, default=self._timing.largest_wave))

    def _take_out(self, target: Target, choice: _Choice, flows: int, now: float) -> None:
        if not (target.own or self._pace.unlimited):
            for _ in range(flows):
                self._pace.spend(target.address, now, datagram=True)
        if choice.look:
            target.look_at = None
        gone = set(choice.askings)
        if target.fresh and target.fresh[0] in gone:
            if target.held_since is not None:
                target.held_s += now - target.held_since
                target.held_since = None
            for _ in gone:
                target.fresh.popleft()
        elif gone:
            for asking in gone:
                target.waiting.pop(asking, None)

    def _canary(self, target: Target) -> Optional[Asking]:
        """A port of the target that is rejected by itself, as far as we know; None when every port is in question."""
        canary = target.canary
        if canary is not None and not (target.guess_is_wrong and target.guesses < _MOST_GUESSES):
            return canary
        if target.taken is None:
            target.taken = frozenset(asked.port for asked in target.questions if asked.port in _GUESSES)
        taken = target.taken
        port: Optional[int] = self._random.choice(_GUESSES)
        if port in taken:
            port = next((port for port in _GUESSES if port not in taken), None)
        target.guesses += 1
        target.guess_is_wrong = False
        target.canary = None if port is None else Asking(target, port, None)
        return target.canary

    def _send_wave(self, chosen: List[Tuple[Target, _Choice]]) -> None:
        """Those that were silent before come first, then the others, then the canaries."""
        now = self._loop.time()
        senders = {sender for target, _ in chosen for sender in target.senders()}
        unrested = {sender for sender in senders if not sender.rested(now)}
        wave = Wave(
            now,
            frozenset(sender.address for sender in unrested),
            frozenset(sender.address for sender in unrested if sender.short(now)),
        )
        parts: Dict[Target, Part] = {}
        order: List[Tuple[int, int, Asking]] = []
        for target, choice in chosen:
            rested_s = 0.0 if target.budget is None else now - target.budget.last_error_s
            parts[target] = Part(target, wave, now, rested_s)
            parts[target].look = choice.look
            parts[target].drawn = 1 + _DRAWN * self._random.random()
            for asking in choice.askings:
                counted = min(asking.counted.values(), default=0)
                # Before whatever may take the token of a machine that has both addresses.
                counted = _FIRST if choice.look else counted
                few = target.undecided <= self._timing.limited_wave and not target.way.routers
                again = choice.copies if counted or few else 1
                # A second packet to a closed port must not take the token of another one's first.
                order += [(-counted, turn, asking) for turn in range(1 if choice.look else again)]
            if choice.canary is not None:
                parts[target].awaited.add(target.twin)
            parts[target].awaited.update(choice.routers)
        wave.parts = list(parts.values())
        order.sort(key=lambda entry: entry[:2])
        for _, _, asking in order:
            self._send(asking, asking.payload, wave, parts[asking.target], None)
        for target, choice in sorted(chosen, key=lambda pair: not pair[1].look):
            if choice.canary is not None:
                known = target.twin if choice.canary.verdict is not None else ""
                for _ in range(_canaries(target.way)):
                    self._send_canary(choice.canary, wave, parts[target], known)
        for router in sorted({router for _, choice in chosen for router in choice.routers}):
            self._look_at_router(self._budgets[router], wave)
        for part in parts.values():
            self._listen(part)

    def _listen(self, part: Part) -> None:
        target = part.target
        if not target.done:
            self._turns.at(part.sent_s + self._timing.least_wait_s, self._look_at_part, part)

    def _look_at_router(self, router: Budget, wave: Wave) -> None:
        """A packet that this router is known to reject ends the wave."""
        examples = self._examples[router.address]
        example = examples[self._canaries_sent % len(examples)]
        now = self._loop.time()
        look = _Look(router, wave, example.target.way, wave.began_s - router.last_error_s)
        for _ in range(_canaries(example.target.way)):
            self._send_canary(example, wave, None, router.address)
        wait_s = self._wait_s(self._router_rtt_s.get(router.address))
        self._turns.at(now + wait_s, self._judge_router, look)

    def _send_canary(self, asking: Asking, wave: Wave, part: Optional[Part], canary_of: str) -> None:
        self._canaries_sent += 1
        if asking.transport is Transport.UDP:
            # It tells this canary from earlier ones, whose errors may still be on their way.
            token = self._canaries_sent.to_bytes(_CANARY_BYTES, "big")
        else:
            token = asking.payload
        self._send(asking, token, wave, part, canary_of)

    def _send(self, asking: Asking, payload: bytes, wave: Wave, part: Optional[Part], canary_of: Optional[str]) -> None:
        target = asking.target
        if asking.verdict is not None and canary_of is None:
            return
        channel = self._channel_of(asking)
        if channel is None or asking.destination is None:
            return
        now = self._loop.time()
        if asking.unheard_since is None:
            asking.unheard_since = now
        number, inbox = channel.send(payload, asking.destination)
        if inbox.returned and asking.outlet is not None:
            # They are looked at after the wave has left.
            self._loop.call_soon(self._turns.guarded, partial(self._hear, asking.outlet, inbox))
        if number:
            self._not_sent(asking, number, canary_of)
            return
        if self._epoch is None:
            self._epoch = now
        if target.began_s is None:
            target.began_s = now
            self._turns.at(now + self._timing.budget_s, self._budget_over, target)
        asking.short_since = None
        asking.sent += 1
        asking.first_s = asking.first_s or now
        asking.last_s = target.last_sent_s = now
        if canary_of:
            wave.canaries.add(canary_of)
        packet = Packet(asking, payload, wave, part, now, canary_of)
        asking.flying.append(packet)
        if part is not None:
            part.packets.append(packet)
            target.in_flight += 1
            if canary_of is not None:
                part.canary = packet
            else:
                part.open += 1

    def _not_sent(self, asking: Asking, number: int, canary_of: Optional[str]) -> None:
        target = asking.target
        now = self._loop.time()
        if canary_of is not None:
            target.guess_is_wrong = target.guess_is_wrong or canary_of == ""
        elif number in _SHORTAGES:
            self._fall_short(asking, number, now)
        elif _NOT_SENT.get(number) is Reason.NO_ROUTE and target.began_s is not None:
            self._conclude_rest(target, Verdict(PortState.UNKNOWN, Reason.LOST_CONTACT, detail=OWN_ROUTE_LOST))
        else:
            without_route = Reason.NO_ROUTE if target.sends_from is None else Reason.LOCAL_ERROR
            reason = _NOT_SENT.get(number, without_route)
            detail = errno.errorcode.get(number, str(number)) if reason is Reason.LOCAL_ERROR else None
            self._conclude(asking, Verdict(PortState.UNKNOWN, reason, errno=number, detail=detail))

    def _fall_short(self, asking: Asking, number: int, now: float) -> None:
        """A shortage of our own: wait for it to pass; after `own_limit_s` say what was short."""
        if asking.short_since is None:
            asking.short_since = now
        elif now - asking.short_since >= self._timing.own_limit_s:
            self._conclude(asking, _fell_short(number))
            return
        if asking.sent:
            self._wait_again(asking, now)
        elif asking not in asking.target.fresh:
            asking.target.fresh.appendleft(asking)
        # Not before: the target would find it ready at once, in every turn.
        asking.target.queued = True
        self._turns.at(now + _PAUSE_S, self._pause_over, asking.target)

    def _pause_over(self, target: Target, now: float) -> None:
        target.queued = False
        self._resume(target)

    # ---------------------------------------------------------------------------------------------- sockets

    def _channel_of(self, asking: Asking) -> Optional[Channel]:
        """The socket to ask it from; None when there is none, which is noted."""
        if asking.channel is None:
            try:
                asking.channel = self._channel_for(asking)
                asking.destination = _destination(asking)
            except PrivilegeError as lack:
                self._conclude(asking, Verdict(PortState.UNKNOWN, Reason.NEEDS_PRIVILEGE, detail=str(lack)))
            except OSError as error:
                number = error.errno or 0
                if asking.question is None:
                    asking.target.guess_is_wrong = True
                elif number in _SHORTAGES:
                    self._fall_short(asking, number, self._loop.time())
                else:
                    self._conclude(asking, _cannot_ask(asking.target, error))
        return asking.channel

    def _channel_for(self, asking: Asking) -> Channel:
        target, question = asking.target, asking.question
        address, source = target.address, target.source_address
        if asking.transport is Transport.ICMP:
            return self._own(self._channels.echo(address, source), asking, target)
        if asking.transport is not Transport.UDP:
            return self._own(self._channels.raw(address, asking.transport, source), asking, target)
        if question is not None and question.source_port is not None:
            shared = self._from_port(asking, question.source_port)
            if shared is not None:
                return shared
        alone = question is not None and question.private
        if not self._channels.shows_errors and not alone:
            return self._own(self._channels.udp(address, asking.port, source, None), asking, target)
        if alone:
            return self._own(self._channels.udp(address, 0, source, None), asking, target)
        if target.outlet is None:
            target.outlet = self._watch(Outlet(self._channels.udp(address, 0, source, None), target))
            target.outlets.append(target.outlet)
        return self._join(target.outlet, asking)

    def _from_port(self, asking: Asking, source_port: int) -> Optional[Channel]:
        """The socket with this port, which all who need it share; None when we cannot have it."""
        target = asking.target
        key = (target.family, target.source_address, source_port)
        if key not in self._shared:
            try:
                channel = self._channels.udp(target.address, 0, target.source_address, source_port)
            except PrivilegeError:
                asking.note = NEEDS_SOURCE_PORT_68
                return None
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                asking.note = _SOURCE_PORT_TAKEN.format(source_port)
                return None
            self._shared[key] = self._watch(Outlet(channel, None))
        return self._join(self._shared[key], asking)

    def _own(self, channel: Channel, asking: Asking, target: Target) -> Channel:
        """A socket for this question alone: what comes over it concerns nothing else."""
        outlet = self._watch(Outlet(channel, target, asking))
        target.outlets.append(outlet)
        return self._join(outlet, asking)

    def _watch(self, outlet: Outlet) -> Outlet:
        fd = outlet.channel.fileno()
        self._outlets[fd] = outlet
        port = outlet.channel.source[1]
        if port and (outlet.target is None or outlet.target.own):
            self._own_ports.add(port)  # For good: what left from there may be read when the socket is closed.
        self._readiness.watch(fd)
        self._readiness.hold(fd)
        return outlet

    @staticmethod
    def _join(outlet: Outlet, asking: Asking) -> Channel:
        outlet.asked[asking.target.twin, asking.port] = asking
        asking.outlet = outlet
        return outlet.channel

    def _drop(self, outlet: Outlet) -> None:
        fd = outlet.channel.fileno()
        del self._outlets[fd]
        self._readiness.forget(fd)
        outlet.channel.close()

    # --------------------------------------------------------------------------------------- what was heard

    def _hear_all(self) -> None:
        self._more_to_read = False
        for fd in self._readiness.ready():
            outlet = self._outlets.get(fd)
            if outlet is not None:
                inbox = outlet.channel.hear()
                self._more_to_read |= inbox.is_full
                self._hear(outlet, inbox)

    def _hear(self, outlet: Outlet, inbox: Inbox) -> None:
        now = self._loop.time()
        for returned in inbox.returned:
            asking = outlet.returned_to(returned)
            if asking is not None:
                self._take_error(asking, returned, now)
        for arrived in inbox.arrived:
            asking = outlet.meant_by(arrived)
            if asking is not None and not self._is_of_ours(arrived):
                self._take_reply(asking, arrived, now)

    def _is_of_ours(self, arrived: Arrived) -> bool:
        """A question of ours to an address of ours, which met the socket of another question."""
        return arrived.port in self._own_ports and is_surely_own(arrived.address)

    def _take_reply(self, asking: Asking, arrived: Arrived, now: float) -> None:
        target = asking.target
        if asking.question is None:
            if target.canary is asking:
                target.canary, target.guess_is_wrong = None, False
            return
        elsewhere = arrived.address != target.twin
        if target.done or asking.reply is not None or (elsewhere and asking.verdict is not None):
            return
        if not elsewhere:
            self._note_sign(target, now)
        last = min(asking.sent, len(asking.question.payloads)) - 1
        asking.reply = Reply(arrived.data, arrived.address, arrived.port, last)
        reason = _REPLIES.get(asking.transport, Reason.PROTO_RESPONSE)
        detail = f"{REPLIED_FROM}{arrived.address}" if elsewhere else None
        self._note_time(asking, now, is_reply=True)
        self._answer(asking, Verdict(PortState.OPEN, reason, detail=detail), now)

    def _take_error(self, asking: Asking, returned: Returned, now: float) -> None:
        target, error = asking.target, returned.error
        if error.icmp in _TOO_BIG or not _is_about(asking, returned):
            return
        responder = error.responder
        if error.reason is Reason.REFUSED_ORIGIN_UNKNOWN:
            responder = target.twin  # Not more than likely, and said so by the reason.
        try:
            from_us = sent_by_ourselves(responder, target.address)
        except OSError:
            return  # No descriptor left to ask the kernel with; it is asked again.
        if from_us:
            self._take_own_error(asking, returned, now)
            return
        packet = _packet_of(asking, returned.payload)
        if responder is not None:
            self._note_sender(asking, packet, responder, error.reason, now)
        if packet is not None and packet.canary_of is not None:
            self._canary_answered(asking, packet, responder, now)
        if asking.question is None:
            if responder == target.twin and error.reason in (Reason.PORT_UNREACH, Reason.REFUSED_ORIGIN_UNKNOWN):
                asking.verdict = Verdict(PortState.CLOSED, error.reason)
            elif target.canary is asking:
                target.guess_is_wrong = True
            return
        if target.done or asking.verdict is not None:
            return
        self._note_time(asking, now, is_reply=False)
        self._answer(asking, self._meaning(asking, returned, responder), now)

    @staticmethod
    def _meaning(asking: Asking, returned: Returned, responder: Optional[str]) -> Verdict:
        error = returned.error
        if error.reason is Reason.REFUSED_ORIGIN_UNKNOWN:
            return Verdict(PortState.CLOSED, error.reason, errno=error.errno)
        closed = responder == asking.target.twin and error.reason is _SAYS_CLOSED.get(asking.transport)
        state = PortState.CLOSED if closed else PortState.FILTERED
        return Verdict(state, error.reason, responder, None if error.icmp == NO_ICMP else error.icmp, error.errno)

    def _take_own_error(self, asking: Asking, returned: Returned, now: float) -> None:
        """Our own kernel sent it: it found no neighbour, or our own firewall rejects it."""
        target, error = asking.target, returned.error
        if target.done or asking.question is None or asking.verdict is not None:
            return
        since_s = asking.unheard_since if asking.unheard_since is not None else now
        asking.unheard_since = None
        if error.reason is not Reason.HOST_UNREACH:
            self._answer(asking, Verdict(PortState.UNKNOWN, Reason.LOCAL_FIREWALL, None, error.icmp, error.errno), now)
        elif now - since_s >= _LOOKED_UP_S:
            absent = Verdict(PortState.FILTERED, Reason.ARP_FAILURE, errno=error.errno, detail=target.hop.detail)
            self._end_search(target.hop, Search.NOT_BEGUN)
            self._answer(asking, absent, now)
            if not target.gave_sign:
                # Of many packets that wait for a dead neighbour the kernel reports only the last few.
                self._conclude_rest(target, absent._replace(errno=None, inferred=True))
        else:
            # Too fast to tell a search that somebody else began from a rule of our own firewall: once more.
            asking.quick_errors += 1
            if asking.quick_errors > 1:
                verdict = Verdict(PortState.UNKNOWN, Reason.LOCAL_FIREWALL, None, error.icmp, error.errno)
                self._answer(asking, verdict, now)

    def _note_sign(self, target: Target, now: float) -> None:
        if target.last_heard_s is None:
            self._end_search(target.hop, Search.FOUND)
            target.hop.answered = True
        target.last_heard_s = now

    def _note_sender(
        self, asking: Asking, packet: Optional[Packet], responder: str, reason: Reason, now: float
    ) -> None:
        """What an error says about who sent it: it has a budget, and this packet took a token of it."""
        target = asking.target
        from_target = responder == target.twin
        if reason in _OF_THE_WAY and not from_target:
            target.unreachable = target.unreachable or Verdict(PortState.FILTERED, reason, responder, inferred=True)
            return
        budget = self._budgets.setdefault(responder, Budget(responder, self._random.random))
        budget.heard(now)
        if packet is not None:
            packet.wave.note(responder, packet.place, packet.sent_s)
        if from_target:
            self._note_sign(target, now)
            if target.budget is None:
                target.budget = target.way.targets[responder] = budget
                target.way.shared |= target.was_silent
                target.looked, target.looks, target.look_at = False, 0, None
            if asking.transport is Transport.UDP and (target.canary is None or target.canary.verdict is None):
                closed = asking.question is not None and reason in (Reason.PORT_UNREACH, Reason.REFUSED_ORIGIN_UNKNOWN)
                if closed:
                    target.canary, target.guess_is_wrong = asking, False
        elif not target.own and asking.transport is Transport.UDP:
            self._note_router(asking, budget)
            if packet is not None and asking.sent == 1:
                rtt_s = now - packet.sent_s
                self._router_rtt_s[responder] = max(rtt_s, self._router_rtt_s.get(responder, 0.0))

    def _note_router(self, asking: Asking, router: Budget) -> None:
        """It rejects this one: whatever is silent on the same way may be silent for want of its tokens."""
        target = asking.target
        examples = self._examples.setdefault(router.address, [])
        if len(examples) < _MOST_EXAMPLES and asking not in examples and not target.done:
            examples.append(asking)
            target.keeps_outlets = True
        if examples:
            target.way.routers[router.address] = router

    def _canary_answered(self, asking: Asking, packet: Packet, responder: Optional[str], now: float) -> None:
        self._land(packet, str(Reason.PORT_UNREACH), now)
        if packet.canary_of and packet.canary_of == responder:
            self._note_arrival(asking.target, late=False)
        for part in list(packet.wave.parts):
            if responder in part.awaited:
                part.awaited.discard(responder)
                if not part.awaited:
                    # Errors come in the order of the packets, and replies are waited for longer than one wave.
                    wait_s = max(self._timing.quick_s, part.target.rtt_s or 0.0)
                    self._turns.at(now + wait_s * part.drawn, self._part_is_complete, part)

    def _note_time(self, asking: Asking, now: float, is_reply: bool) -> None:
        """What an answer says about the round-trip time, and about lost packets."""
        target = asking.target
        since_last_s = now - asking.last_s
        if asking.sent == 1:
            asking.rtt_s = since_last_s
            target.rtt_s = since_last_s if target.rtt_s is None else 0.875 * target.rtt_s + 0.125 * since_last_s
            self._note_arrival(target, late=False)
            return
        if is_reply:
            assert asking.question is not None
            # Not the answer to an earlier packet by somebody slow, nor to another request than the first.
            prompt = since_last_s <= 3 * (target.rtt_s or 0.0) + _SLOW_S
            asking.lost = prompt and asking.sent > len(asking.question.payloads)
            if asking.lost:
                self._note_arrival(target, late=True)
        else:
            # A silence that counted is refuted. One that did not count says nothing.
            asking.lost = bool(asking.counted)
            self._note_arrival(target, late=asking.lost)

    @staticmethod
    def _note_arrival(target: Target, late: bool) -> None:
        target.answers.note(late)
        target.way.answers.note(late)

    def _answer(self, asking: Asking, verdict: Verdict, now: float) -> None:
        """Something came that decides. A reply betters an error that came before it."""
        for packet in list(asking.flying):
            self._land(packet, str(verdict.reason) if packet is asking.flying[-1] else "not-needed", now)
        if asking.verdict is not None:
            asking.verdict = verdict
            return
        self._conclude(asking, verdict)

    def _land(self, packet: Packet, result: str, now: float) -> None:
        """It is not listened for any more."""
        if packet.over:
            return
        packet.over = True
        asking, part = packet.asking, packet.part
        asking.flying.remove(packet)
        if packet.canary_of is None and len(asking.attempts) < MOST_ATTEMPTS:
            source = asking.channel.source if asking.channel is not None else (None, None)
            asking.attempts.append(
                Attempt(
                    started_s=round(packet.sent_s - (self._epoch or 0.0), 4),
                    lasted_s=round(now - packet.sent_s, 4),
                    source_port=source[1],
                    syns=1,
                    result=result,
                    source_address=asking.target.sends_from or source[0],
                )
            )
        if part is None:
            return
        asking.target.in_flight -= 1
        if packet.canary_of is None:
            part.open -= 1
            if not part.open and not part.judged:
                self._turns.at(now, self._part_is_answered, part)

    # ------------------------------------------------------------------------------------ what silence means

    def _wait_s(self, rtt_s: Optional[float]) -> float:
        timing = self._timing
        if rtt_s is None:
            return timing.most_wait_s
        return min(max(4 * rtt_s, timing.least_wait_s), timing.most_wait_s)

    def _wait_of(self, target: Target) -> float:
        if target.own:
            return self._timing.least_wait_s
        if target.rtt_s is None and target.gave_sign:
            return self._timing.least_wait_s
        return self._wait_s(target.rtt_s)

    def _part_is_complete(self, part: Part, now: float) -> None:
        if not part.judged and not part.target.done:
            self._judge(part, now)

    def _part_is_answered(self, part: Part, now: float) -> None:
        """Nothing to wait for any more; the canary has said or not said what it had to."""
        if not part.judged and not part.open and not part.target.done and len(part.packets) > (part.canary is not None):
            self._judge(part, now)

    def _look_at_part(self, part: Part, now: float) -> None:
        """The round-trip time may be known by now."""
        if part.judged or part.target.done:
            return
        due = part.sent_s + self._wait_of(part.target) * part.drawn
        if due > now:
            self._turns.at(due, self._look_at_part, part)
        else:
            self._judge(part, now)

    def _judge(self, part: Part, now: float) -> None:
        """The part was listened to for long enough: what is silent in it?"""
        part.judged = True
        part.wave.parts.remove(part)
        target = part.target
        limited = False
        for packet in part.packets:
            if packet.over:
                continue
            self._land(packet, str(Reason.NO_RESPONSE), now)
            if packet.canary_of is None and packet.asking.verdict is None:
                limited |= not self._weigh(packet, now)
        self._judge_canary(part)
        part.packets.clear()  # The wave may be remembered for long.
        if not limited:
            target.window = min(2 * target.window, self._timing.largest_wave)
        self._advance(target, now)

    def _weigh(self, packet: Packet, now: float) -> bool:
        """Count the silence for everybody it counts for; False when somebody may only have been short of tokens."""
        asking, wave = packet.asking, packet.wave
        asking.silences += 1
        asking.target.was_silent = True
        asking.limited_by = None
        for sender in asking.target.senders() if asking.may_be_limited else ():
            evidence = wave.evidence(sender.address, packet.place, packet.sent_s)
            if evidence is Evidence.LIBERAL:
                if sender.address in asking.leniently:
                    evidence = Evidence.NONE
                asking.leniently.add(sender.address)
            if evidence is Evidence.NONE:
                self._doubt(asking, sender, wave)
            else:
                self._count(asking, sender.address, wave, evidence)
        self._wait_again(asking, now)
        return asking.limited_by is None

    @staticmethod
    def _count(asking: Asking, sender: str, wave: Wave, evidence: Evidence) -> None:
        asking.counted[sender] = asking.counted.get(sender, 0) + 1
        if asking.proved_in.get(sender) is not wave:
            asking.proved_in[sender] = wave
            asking.proofs[sender] = asking.proofs.get(sender, 0.0) + PROOFS[evidence]

    @staticmethod
    def _doubt(asking: Asking, sender: Budget, wave: Wave) -> None:
        """It may be silent because the sender was short of tokens."""
        if sender.has_some_left:
            # Not by what we know. It is counted as one of many, once other waves have shown that this is true.
            asking.assumed[sender.address] = asking.assumed.get(sender.address, 0) + 1
            return
        asking.limited_by = sender.address
        asking.was_limited = True
        if sender.address in wave.canaries and not asking.target.way.answers.late:
            asking.in_vain.add(sender.address)

    def _wait_again(self, asking: Asking, now: float) -> None:
        if asking not in asking.target.waiting and not asking.flying:
            asking.waiting_since = now
            asking.target.waiting[asking] = None

    def _judge_canary(self, part: Part) -> None:
        canary, target = part.canary, part.target
        if canary is None:
            target.looked |= part.look  # Our own firewall lets no canary out.
            return
        budget = target.budget
        if not canary.canary_of or budget is None:
            if target.canary is canary.asking and canary.asking.verdict is None:
                target.guess_is_wrong = True
            if budget is None:
                target.canary_seen += 1
                if part.look:
                    self._judge_look(part, canary)
            return
        answered = part.wave.answered_by(budget.address)
        for _ in range(budget.take_wave(answered, part.wave.began_s, part.rested_s, target.way.answers.late > 0)):
            self._note_arrival(target, late=True)

    @staticmethod
    def _judge_look(part: Part, canary: Packet) -> None:
        """Silent once more, after all the time that a bucket needs. Did another address of the same machine take it?"""
        target, wave = part.target, part.wave
        target.drained_by = None
        for sharer in target.way.draining(part.sent_s):
            if wave.evidence(sharer.address, canary.place, canary.sent_s) is Evidence.NONE:
                target.drained_by = sharer
        target.looks += target.drained_by is None
        # A token may also have gone into an error that got lost.
        target.looked = target.looks >= (2 if target.way.answers.late else 1)

    def _judge_router(self, look: _Look, now: float) -> None:
        router = look.router
        answered = look.wave.answered_by(router.address)
        for _ in range(router.take_wave(answered, look.wave.began_s, look.rested_s, look.way.answers.late > 0)):
            look.way.answers.note(late=True)

    # -------------------------------------------------------------------------------------- what is decided

    @staticmethod
    def _lacking(asking: Asking, needed: int, senders: Sequence[Budget]) -> Optional[List[Budget]]:
        """For whom of these it was not silent often enough; None when it needs to be sent no more."""
        assert asking.question is not None
        if senders and asking.may_be_limited:
            lacking = [
                sender for sender in senders if asking.counts_for(sender) < needed or not asking.is_proven_for(sender)
            ]
            if lacking:
                return lacking
        return [] if asking.silences < max(needed, len(asking.question.payloads)) else None

    def _advance(self, target: Target, now: float) -> None:
        """Decide what can be decided, and see to it that the rest goes on."""
        if target.done:
            return
        over_budget = self._budget_left_s(target, now) <= 0
        needed = target.decided_with = target.needed
        senders = target.senders_that_count()
        unproven: List[Asking] = []
        later: List[float] = []
        for asking in list(target.waiting):
            if not senders and asking.silences < needed:
                continue  # It is asked again; of very many silent ports most are such.
            lacking = self._lacking(asking, needed, senders)
            if lacking is None:
                if asking.may_be_limited and not (target.alive or target.looked or target.given_up):
                    unproven.append(asking)
                elif self._given_up_at(asking) > now:
                    later.append(self._given_up_at(asking))
                else:
                    self._conclude(asking, self._silent(asking))
            elif lacking and over_budget and asking.was_limited:
                self._conclude(asking, self._limited(target, lacking, now))
        if unproven and over_budget and target.drained_by is not None:
            for asking in unproven:
                self._conclude(asking, self._limited(target, [target.drained_by], now))
        elif unproven and target.look_at is None and not self._may_go_on(target) and not target.in_flight:
            self._look_later(target, now)
        if later:
            self._turns.at(min(later), self._advance, target)
        self._resume(target)

    def _look_later(self, target: Target, now: float) -> None:
        """A bucket that somebody else emptied has a token again after that."""
        if target.drained_by is not None:
            rested_at = target.drained_by.rested_at()
        else:
            rested_at = target.last_sent_s + FIRST_INTERVAL_S[_version(target.twin)]
        target.look_at = max(rested_at, now)
        self._turns.at(target.look_at, self._resume, target)

    def _given_up_at(self, asking: Asking) -> float:
        target, timing = asking.target, self._timing
        wait_s = self._wait_of(target) if target.way.answers.late or not target.alive else timing.quick_s
        due = max(asking.first_s + timing.settle_s, asking.last_s + wait_s)
        if not target.gave_sign and not target.own and target.began_s is not None:
            due = max(due, target.began_s + timing.lifeless_s)
        return due

    def _silent(self, asking: Asking) -> Verdict:
        unreachable = asking.target.unreachable
        if unreachable is not None and asking.target.given_up:
            return unreachable
        if asking.transport is Transport.ICMP:
            # Every host answers an echo request (RFC 1122 section 3.2.2.6).
            return Verdict(PortState.FILTERED, Reason.NO_RESPONSE)
        if asking.target.own and asking.transport is not Transport.UDP:
            # While a raw socket of ours receives a protocol, our kernel rejects it nowhere.
            return Verdict(PortState.OPEN_FILTERED, Reason.NO_RESPONSE, detail=asking.note)
        detail = asking.note or (ICMP_ALIVE if asking.target.alive else ICMP_MUTE)
        return Verdict(PortState.OPEN_FILTERED, Reason.NO_RESPONSE, detail=detail)

    def _limited(self, target: Target, lacking: List[Budget], now: float) -> Verdict:
        """The time is over, and somebody's limit stood in the way."""
        limiter = lacking[-1]
        heard_s = target.last_heard_s or 0.0
        if limiter is target.budget and limiter.is_lost(now, heard_s):
            detail = f"answered until {heard_s - (self._epoch or 0.0):.1f} s"
            return Verdict(PortState.UNKNOWN, Reason.LOST_CONTACT, detail=detail)
        return Verdict(PortState.UNKNOWN, Reason.ICMP_RATE_LIMITED, limiter.address)

    def _budget_left_s(self, target: Target, now: float) -> float:
        return round(self._timing.budget_s - target.budget_used_s(now), 6)

    def _budget_over(self, target: Target, now: float) -> None:
        """What waits for somebody's next token is not waited for any longer."""
        left_s = self._budget_left_s(target, now)
        if left_s > 0:
            if not target.done:
                self._turns.at(now + max(left_s, _PAUSE_S), self._budget_over, target)
            return
        senders = target.senders_that_count()
        for asking in list(target.askings):
            if asking.was_limited and asking.flying and (lacking := self._lacking(asking, target.needed, senders)):
                self._conclude(asking, self._limited(target, lacking, now))
        self._advance(target, now)

    def _conclude(self, asking: Asking, verdict: Verdict) -> None:
        target = asking.target
        if asking.verdict is not None or asking.question is None or target.done:
            return
        asking.verdict = verdict
        target.undecided -= 1
        self._decided += 1
        target.waiting.pop(asking, None)
        if asking.in_bulk:
            target.decided.append(asking)
            if len(target.decided) > _MOST_DECIDED:
                self._fold(target.decided.popleft())
        if not target.undecided:
            self._turns.at(self._loop.time(), self._settle, target)

    def _fold(self, asking: Asking) -> None:
        """One of very many whose end is long known leaves the memory, unless it serves as a canary."""
        target, outlet = asking.target, asking.outlet
        if asking is target.canary or any(asking in examples for examples in self._examples.values()):
            return
        target.fold(asking)
        if outlet is None or asking in target.askings:
            return
        if outlet.only is asking:
            target.outlets.remove(outlet)
            self._drop(outlet)
        else:
            outlet.asked.pop((target.twin, asking.port), None)

    def _conclude_rest(self, target: Target, verdict: Verdict) -> None:
        for asking in list(target.askings):
            self._conclude(asking, verdict)
        while target.fresh:
            self._conclude(target.fresh.popleft(), verdict)
        target.waiting.clear()

    def _settle(self, target: Target, now: float) -> None:
        """Everything is decided: report it."""
        if target.done:
            return
        target.done = True
        self._active.discard(target)
        self._end_search(target.hop, Search.NOT_BEGUN)
        for asking in target.askings:
            for packet in list(asking.flying):
                self._land(packet, "not-needed", now)
        self._questions -= target.weight
        if not target.keeps_outlets:
            self._sockets -= target.sockets
            for outlet in target.outlets:
                self._drop(outlet)
        for answered in target.answered():
            self._report(answered)

    # ----------------------------------------------------------------------------------- our own network

    def _compare_routes(self, now: float) -> None:
        """Our interfaces or routes have changed: who is concerned?"""
        lost = Verdict(PortState.UNKNOWN, Reason.LOST_CONTACT, detail=OWN_ROUTE_LOST)
        concerned = [
            target
            for target in self._active
            if target.route is not None and route_fingerprint(target.address, target.source_address) != target.route
        ]
        for target in concerned:
            self._conclude_rest(target, lost)
        if concerned:
            more = f" and {len(concerned) - 1} more" if len(concerned) > 1 else ""
            self._tell(f"This machine lost its way to {concerned[0].address}{more}")

    # --------------------------------------------------------------------------------------------- the end

    def _give_up(self, reason: Reason) -> None:
        self._hear_all()
        now = self._loop.time()
        for target in list(self._active):
            for asking in target.askings:
                for packet in list(asking.flying):
                    self._land(packet, str(reason), now)
            self._conclude_rest(target, Verdict(PortState.UNKNOWN, reason))
            self._settle(target, now)
        while self._next_set is not None:
            for answered in _unasked(self._next_set, reason):
                self._report(answered)
            self._take_next_set()

    def _close(self) -> None:
        for outlet in list(self._outlets.values()):
            self._drop(outlet)
        self._turns.close()


def _unasked(asked: DatagramSet, reason: Reason) -> Iterator[Answered]:
    """Reports of an address that was never begun with."""
    in_bulk: Dict[Transport, List[int]] = {}
    for question in asked.questions:
        if question.in_bulk:
            in_bulk.setdefault(question.transport, []).append(question.port)
        else:
            probe = Probe(asked.address, question.transport, question.port, asked.source_address)
            yield Observation(probe, PortState.UNKNOWN, reason)
    for transport, ports in in_bulk.items():
        yield Tally(asked.address, asked.source_address, PortState.UNKNOWN, reason, ports, 0, transport=transport)


def _ready_for(asking: Asking, sender: Budget) -> float:
    """When its silence may be worth something with respect to this sender."""
    return sender.rested_at() if sender.address in asking.in_vain else sender.ready_at()


def _canaries(way: Way) -> int:
    """Of two one may get lost; the second one's token is saved where the first took the last one."""
    return 2 if way.answers.late else 1


def _destination(asking: Asking) -> Tuple[Any, ...]:
    sockaddr = asking.target.sockaddr
    assert sockaddr is not None
    return with_port(sockaddr, asking.port)


def _version(address: str) -> int:
    return 6 if ":" in address else 4


def _is_about(asking: Asking, returned: Returned) -> bool:
    """Whether the datagram that came back is one of ours; only as many bytes tell as did come back."""
    if asking.transport is not Transport.UDP or not returned.payload:
        return True  # Of an echo request the kernel has changed identifier and checksum.
    known = list(asking.question.payloads) if asking.question is not None else []
    if any(_same(payload, returned.payload) for payload in known):
        return True
    return asking.question is None or asking.verdict is not None


def _packet_of(asking: Asking, payload: bytes) -> Optional[Packet]:
    """Which of the packets under way the error is about; None: one from before.

    Of several in one wave the first: that the others are behind it is then not taken for proof of their silence.
    """
    for packet in asking.flying:
        if asking.transport is not Transport.UDP or _same(packet.payload, payload):
            return packet
    return None


def _same(sent: bytes, returned: bytes) -> bool:
    length = min(len(sent), len(returned))
    return sent[:length] == returned[:length]


def _fell_short(number: int) -> Verdict:
    """A shortage of our own that did not pass."""
    return Verdict(PortState.UNKNOWN, _SHORTAGES[number], errno=number, detail=errno.errorcode[number])


def _cannot_ask(target: Target, error: OSError) -> Verdict:
    """No socket, or no socket address: what is wrong, and that it is not the network."""
    number = error.errno or 0
    if number == errno.EAFNOSUPPORT:
        family = "IPv6" if ":" in target.address else "IPv4"
        return Verdict(PortState.UNKNOWN, Reason.NO_ROUTE, errno=number, detail=f"this machine has no {family}")
    reason = _NOT_SENT.get(number, Reason.LOCAL_ERROR)
    sender = f"cannot send from {target.source_address}: " if target.source_address is not None else ""
    detail = f"{sender}{error.strerror}" if reason is Reason.LOCAL_ERROR else None
    return Verdict(PortState.UNKNOWN, reason, errno=number, detail=detail)
