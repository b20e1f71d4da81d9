"""What the datagram engine knows of one address, and of each question to it. Bookkeeping: no socket, no clock."""

import socket
from array import array
from collections import deque
from random import Random
from typing import Deque, Dict, FrozenSet, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from .addresses import SockAddr, family_of
from .budgets import Budget
from .channels import Arrived, Channel
from .error_queue import Returned
from .neighbours import NextHop
from .own_network import RouteKey
from .probe import (
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
from .silence import Answers
from .waves import PROVEN, Wave

MOST_ATTEMPTS = 64
"""How many datagrams of a question are kept as evidence."""


def as_the_kernel_writes(address: str) -> str:
    """The literal in the kernel's spelling, without its zone."""
    family = family_of(address)
    return socket.inet_ntop(family, socket.inet_pton(family, address.partition("%")[0]))


class Verdict(NamedTuple):
    """What a question came to; fields as in Observation."""

    state: PortState
    reason: Reason
    responder: Optional[str] = None
    icmp: Optional[Tuple[int, int]] = None
    errno: Optional[int] = None
    detail: Optional[str] = None
    inferred: bool = False


class Way:
    """What is known of the way to the addresses behind one router of ours, or on our own network segments.

    Attributes:
        routers: who rejected something there that was not sent to them.
        targets: addresses that sent errors about themselves.
        shared: an address was silent before it sent its first error: several may be one machine with one budget.
    """

    __slots__ = ("answers", "routers", "shared", "targets")

    def __init__(self) -> None:
        self.answers = Answers()
        self.routers: Dict[str, Budget] = {}
        self.targets: Dict[str, Budget] = {}
        self.shared = False

    def draining(self, since_s: float) -> Iterator[Budget]:
        """Addresses that may just have used up what another address of the same machine would have answered with."""
        for budget in self.targets.values():
            if budget.last_error_s > since_s - budget.interval_s and (self.shared or budget.short(since_s)):
                yield budget


class Asking:
    """One port being asked, or one protocol; also a port that is asked for its ICMP error only, a canary.

    Attributes:
        question: None for a canary that nobody asked for.
        outlet, channel: the socket that it is asked from.
        sent: how many datagrams so far; `first_s` and `last_s` are when the first and the last of them left.
        flying: those that are still listened for.
        silences: how many were not answered, whatever that means.
        counted: how many of these count, by the sender of errors that they are counted for.
        assumed: how many more count if the sender's bucket was a full one of Linux at first.
        proofs: that no limit of the sender is behind them, see waves.PROVEN; `proved_in`: the last wave with one.
        in_vain: senders whose canary said nothing about it when they had not rested.
        leniently: senders for whom a LIBERAL one is among these.
        limited_by: the sender whose shortage made the last one worthless; `was_limited` stays true.
        lost: it was answered at last, and a packet before was lost.
        verdict: what it came to; a reply may still better it.
    """

    __slots__ = (
        *("assumed", "attempts", "channel", "counted", "destination", "first_s", "flying", "in_vain", "last_s"),
        *("leniently", "limited_by", "lost", "note", "outlet", "port", "proofs", "proved_in", "question"),
        *("quick_errors", "reply", "rtt_s", "sent", "short_since", "silences", "target", "transport"),
        *("unheard_since", "verdict", "waiting_since", "was_limited"),
    )

    def __init__(self, target: "Target", port: int, question: Optional[Question]) -> None:
        self.target = target
        self.port = port
        self.question = question
        self.transport = Transport.UDP if question is None else question.transport
        self.channel: Optional[Channel] = None
        self.outlet: Optional[Outlet] = None
        self.destination: Optional[SockAddr] = None
        self.sent = 0
        self.first_s = 0.0
        self.last_s = 0.0
        self.waiting_since = 0.0
        self.flying: List["Packet"] = []
        self.silences = 0
        self.counted: Dict[str, int] = {}
        self.assumed: Dict[str, int] = {}
        self.proofs: Dict[str, float] = {}
        self.proved_in: Dict[str, Wave] = {}
        self.leniently: Set[str] = set()
        self.in_vain: Set[str] = set()
        self.limited_by: Optional[str] = None
        self.lost = False
        self.was_limited = False
        self.quick_errors = 0
        self.unheard_since: Optional[float] = None
        self.short_since: Optional[float] = None
        self.note: Optional[str] = None
        self.verdict: Optional[Verdict] = None
        self.reply: Optional[Reply] = None
        self.rtt_s: Optional[float] = None
        self.attempts: List[Attempt] = []

    def counts_for(self, sender: Budget) -> int:
        """How many of its silences count as far as the sender is concerned."""
        assumed = 0 if sender.limits else self.assumed.get(sender.address, 0)
        return self.counted.get(sender.address, 0) + assumed

    def is_proven_for(self, sender: Budget) -> bool:
        """No limit of the sender is behind its silences."""
        return self.proofs.get(sender.address, 0.0) >= PROVEN

    @property
    def in_bulk(self) -> bool:
        return self.question is not None and self.question.in_bulk

    @property
    def payload(self) -> bytes:
        """What is sent next."""
        assert self.question is not None
        return self.question.payloads[min(self.sent, len(self.question.payloads) - 1)]

    @property
    def may_be_limited(self) -> bool:
        """Whether its silence may be that of an error; a host that answers no echo request is filtered either way."""
        return self.transport is not Transport.ICMP

    @property
    def probe(self) -> Probe:
        return Probe(self.target.address, self.transport, self.port, self.target.source_address)


class Outlet:
    """A socket, and who is asked over it.

    Attributes:
        target: the only address that it is used for; None where many share it.
        only: the only question that it is used for; None where there are more.
        asked: by address and port.
    """

    __slots__ = ("asked", "channel", "only", "target")

    def __init__(self, channel: Channel, target: "Optional[Target]", only: Optional[Asking] = None) -> None:
        self.channel = channel
        self.target = target
        self.only = only
        self.asked: Dict[Tuple[str, int], Asking] = {}

    def returned_to(self, returned: Returned) -> Optional[Asking]:
        """Whose datagram it was that came back."""
        if self.only is not None:
            return self.only if returned.address == self.only.target.twin else None
        return self.asked.get((returned.address, returned.port))

    def meant_by(self, arrived: Arrived) -> Optional[Asking]:
        """Whom a datagram answers.

        A server with several addresses may answer from another one. Nothing else is asked over this socket than ports
        of one address, so the port tells which; not so over a socket that many share.
        """
        asking = self.only or self.asked.get((arrived.address, arrived.port))
        if asking is None and self.target is not None and arrived.address != self.target.twin:
            return self.asked.get((self.target.twin, arrived.port))
        return asking


class Packet:
    """One datagram on its way.

    Attributes:
        place: in its wave.
        canary_of: the sender of errors who is known to reject it; "" when it is a guess.
        over: it was answered, or listened for long enough.
    """

    __slots__ = ("asking", "canary_of", "over", "part", "payload", "place", "sent_s", "wave")

    def __init__(
        self,
        asking: Asking,
        payload: bytes,
        wave: Wave,
        part: "Optional[Part]",
        sent_s: float,
        canary_of: Optional[str],
    ) -> None:
        self.asking = asking
        self.payload = payload
        self.wave = wave
        self.part = part
        self.sent_s = sent_s
        self.place = wave.next_place()
        self.canary_of = canary_of
        self.over = False


class Part:
    """The packets of one wave that concern one address.

    Attributes:
        open: questions among them that are not answered yet.
        look: the last canary of an address that seems to be mute.
        rested_s: from the target's last error until it left.
        drawn: how much longer than necessary it is listened to.
        awaited: senders of errors whose canaries end it.
    """

    __slots__ = (
        "awaited",
        "canary",
        "drawn",
        "judged",
        "look",
        "open",
        "packets",
        "rested_s",
        "sent_s",
        "target",
        "wave",
    )

    def __init__(self, target: "Target", wave: Wave, sent_s: float, rested_s: float) -> None:
        self.target = target
        self.wave = wave
        self.sent_s = sent_s
        self.rested_s = rested_s
        self.packets: List[Packet] = []
        self.canary: Optional[Packet] = None
        self.open = 0
        self.look = False
        self.drawn = 1.0
        self.awaited: Set[str] = set()
        self.judged = False


class Fresh:
    """Questions of an address that were never asked, the next one first; an Asking is made when it is looked at."""

    __slots__ = ("_made", "_order", "_target")

    def __init__(self, target: "Target", count: int) -> None:
        self._target = target
        self._order = array("L", range(count))
        self._made: Deque[Asking] = deque()

    def shuffle(self, random: Random) -> None:
        """Before the first is looked at."""
        random.shuffle(self._order)
        self._order.reverse()

    def __len__(self) -> int:
        return len(self._made) + len(self._order)

    def __contains__(self, asking: Asking) -> bool:
        return asking in self._made

    def __getitem__(self, place: int) -> Asking:
        while place >= len(self._made):
            question = self._target.questions[self._order.pop()]
            asking = Asking(self._target, question.port, question)
            self._target.askings[asking] = None
            self._made.append(asking)
        return self._made[place]

    def popleft(self) -> Asking:
        asking = self[0]
        self._made.popleft()
        return asking

    def appendleft(self, asking: Asking) -> None:
        self._made.appendleft(asking)


class Target:
    """One address.

    Attributes:
        own: an address of this machine, which nobody paces or limits.
        sends_from: the address of ours that its datagrams have.
        askings: what was made of its questions so far, without those of a sweep whose end was tallied.
        fresh: questions that were never asked.
        held_since: since when the pace lets none of them leave; `held_s` is for how long it did so before.
        held_until: when it is asked again.
        waiting: those to be asked again; the keys, in the order in which they began to wait.
        decided_with: how many silences a question took when the waiting ones were looked at last.
        decided: of a sweep, those with a verdict that a reply may still better.
        undecided: those without a verdict; without connection with `fresh` and `waiting`.
        in_flight: packets that are listened for.
        budget: its own ICMP errors; None while it never sent one.
        outlet: the socket for UDP, among `outlets`, all that are its own; a router's canary leaves by them even after.
        sockets: descriptors that are set aside for it; `weight`: questions that are in memory for it at most.
        short_since: since when a shortage of our own keeps us from beginning with it.
        taken: ports that are no guess for a canary, for they are asked.
        canary: a port of its own that is closed, or a guess of one.
        guesses: how many guesses were made.
        unreachable: what a router said about the way to it.
        looked: mute: its last canary had all the time that a bucket needs, and was not answered.
        looks: how many such canaries there were.
        drained_by: who made that worthless, for both may be one machine.
    """

    __slots__ = (
        *(
            "address",
            "answers",
            "askings",
            "began_s",
            "budget",
            "canary",
            "canary_seen",
            "done",
            "drained_by",
            "family",
        ),
        *("_tallied", "decided", "questions", "taken", "weight"),
        *("decided_with", "fresh", "guess_is_wrong", "guesses", "held_s", "held_since", "held_until", "hop"),
        *("in_flight", "keeps_outlets", "last_heard_s"),
        *(
            "last_sent_s",
            "look_at",
            "looked",
            "looks",
            "outlet",
            "outlets",
            "own",
            "queued",
            "route",
            "rtt_s",
            "sends_from",
        ),
        *(
            "short_since",
            "sockaddr",
            "sockets",
            "source_address",
            "twin",
            "undecided",
            "unreachable",
            "waiting",
            "was_silent",
            "way",
            "window",
        ),
    )

    def __init__(self, asked: DatagramSet, family: int, hop: NextHop, way: Way, own: bool) -> None:
        self.address = asked.address
        self.source_address = asked.source_address
        self.twin = as_the_kernel_writes(asked.address)
        self.family = family
        self.hop = hop
        self.way = way
        self.own = own
        self.route: Optional[RouteKey] = None
        self.sends_from: Optional[str] = None
        self.questions = asked.questions
        self.askings: Dict[Asking, None] = {}
        self.fresh = Fresh(self, len(asked.questions))
        self.decided: Deque[Asking] = deque()
        self._tallied: Dict[Tuple[Transport, Verdict], Tuple["array[int]", List[int]]] = {}
        self.taken: Optional[FrozenSet[int]] = None
        self.waiting: Dict[Asking, None] = {}
        self.undecided = len(asked.questions)
        self.outlet: Optional[Outlet] = None
        self.outlets: List[Outlet] = []
        self.sockets = 0
        self.weight = 0
        self.short_since: Optional[float] = None
        self.keeps_outlets = False
        self.sockaddr: Optional[SockAddr] = None
        self.began_s: Optional[float] = None
        self.last_sent_s = 0.0
        self.last_heard_s: Optional[float] = None
        self.rtt_s: Optional[float] = None
        self.answers = Answers()
        self.budget: Optional[Budget] = None
        self.canary: Optional[Asking] = None
        self.canary_seen = 0
        self.guesses = 0
        self.guess_is_wrong = False
        self.unreachable: Optional[Verdict] = None
        self.looked = False
        self.looks = 0
        self.was_silent = False
        self.drained_by: Optional[Budget] = None
        self.look_at: Optional[float] = None
        self.held_since: Optional[float] = None
        self.held_until: Optional[float] = None
        self.held_s = 0.0
        self.decided_with = 0
        self.in_flight = 0
        self.window = 0
        self.queued = False
        self.done = False

    @property
    def alive(self) -> bool:
        """It has sent an ICMP error: about that its silence may say something."""
        return self.budget is not None

    @property
    def given_up(self) -> bool:
        """A router says that there is no way to it, and nobody says the contrary."""
        return self.unreachable is not None and not self.gave_sign

    @property
    def gave_sign(self) -> bool:
        """Something came from the address itself."""
        return self.last_heard_s is not None

    @property
    def needed(self) -> int:
        """How many silences a question takes."""
        if self.answers.late:
            return max(self.answers.needed, self.way.answers.needed)
        return self.way.answers.needed if self.way.answers.seen else self.answers.needed

    def budget_used_s(self, now: float) -> float:
        """How long it has been asked. The time does not count in which our own pace held questions back."""
        if self.began_s is None:
            return 0.0
        held_s = self.held_s + (0.0 if self.held_since is None else now - self.held_since)
        return now - self.began_s - held_s

    def senders(self) -> Iterator[Budget]:
        """All whose errors an undecided question may be waiting for in vain."""
        if self.budget is not None:
            yield self.budget
        for router in self.way.routers.values():
            if (":" in router.address) == (":" in self.twin):
                yield router

    def senders_that_count(self) -> Sequence[Budget]:
        """None of them where a router says that nothing gets there anyway."""
        return () if self.given_up else tuple(self.senders())

    def answered(self) -> Iterator[Answered]:
        """The reports of everything that was asked."""
        for asking in self.askings:
            verdict = asking.verdict
            assert verdict is not None
            if asking.in_bulk and verdict.state is not PortState.OPEN:
                self._tally(asking, verdict)
            else:
                yield self._observation(asking, verdict)
        for (transport, verdict), (ports, sent) in self._tallied.items():
            yield Tally(
                self.address,
                self.source_address,
                verdict.state,
                verdict.reason,
                ports,
                sent[0],
                verdict.responder,
                verdict.icmp,
                verdict.inferred,
                verdict.detail,
                transport,
            )

    def fold(self, asking: Asking) -> None:
        """Of one of many ports keep only what will be told; nothing betters its verdict any more."""
        verdict = asking.verdict
        assert verdict is not None
        if verdict.state is not PortState.OPEN:
            self._tally(asking, verdict)
            del self.askings[asking]

    def _tally(self, asking: Asking, verdict: Verdict) -> None:
        # The error number and the like of one of many ports are nobody's question.
        ports, sent = self._tallied.setdefault((asking.transport, verdict._replace(errno=None)), (array("H"), [0]))
        ports.append(asking.port)
        sent[0] += asking.sent

    def _observation(self, asking: Asking, verdict: Verdict) -> Observation:
        return Observation(
            probe=asking.probe,
            state=verdict.state,
            reason=verdict.reason,
            attempts=tuple(sorted(asking.attempts, key=lambda attempt: attempt.started_s)),
            responder=verdict.responder,
            icmp=verdict.icmp,
            errno=verdict.errno,
            rtt_ms=None if asking.rtt_s is None else round(asking.rtt_s * 1000, 3),
            flaky=asking.lost and verdict.state in (PortState.OPEN, PortState.CLOSED),
            inferred=verdict.inferred,
            detail=verdict.detail,
            reply=asking.reply,
        )
