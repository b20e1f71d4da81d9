"""What the engine knows of one address while it asks it, and of the way there. Bookkeeping: no socket, no clock."""

from array import array
from collections import deque
from enum import Enum
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
    Protocol,
    Sequence,
    Set,
    Tuple,
)

from .addresses import SockAddr
from .loss import LossRecord
from .neighbours import NextHop
from .probe import Answered, Attempt, Observation, PortState, Probe, ProbeSet, Reason, Tally, Transport
from .responders import Responder

Then = Callable[["Asking", Observation, float], None]
"""Takes what a port came to that was asked for a reason of our own, and the time."""


class Kind(Enum):
    """Why a port is asked."""

    PORT = "it is one of the ports in question"
    CANARY = "it answered before: does the host still talk to us?"
    DECOY = "nobody expects it to be open: does somebody accept everything?"
    ALONE = "it stayed silent behind a responder that limits its errors: once more, with nothing beside it"
    SOUNDING = "somebody rejected it: would he do so many times at once?"
    HOPS = "it is accepted: how far away?"


class Asking:
    """One port being asked, in one or more attempts.

    Attributes:
        started: attempts so far; `last_started` is when the last of them began.
        live: the attempts that are under way.
        attempts: those that ended.
        queued: waits for its turn to start another attempt.
        short_since: when a shortage of our own began to hold it up.
        hops: routers that its packets may pass, None for any number.
    """

    __slots__ = (
        "attempts",
        "done",
        "hops",
        "in_bulk",
        "kind",
        "last_started",
        "live",
        "port",
        "queued",
        "short_since",
        "started",
        "target",
        "then",
    )

    def __init__(self, target: "Target", port: int, kind: Kind, in_bulk: bool, hops: Optional[int] = None) -> None:
        self.target = target
        self.port = port
        self.kind = kind
        self.in_bulk = in_bulk
        self.hops = hops
        self.started = 0
        self.last_started = 0.0
        self.live: List[Any] = []
        self.attempts: List[Attempt] = []
        self.short_since: Optional[float] = None
        self.queued = True
        self.done = False
        self.then: Optional[Then] = None

    @property
    def probe(self) -> Probe:
        return self.target.probe(self.port)

    @property
    def held(self) -> bool:
        """Whether a connection of it was accepted, and is watched for a reset."""
        return any(connection.held for connection in self.live)


class Path:
    """What targets behind the same router, or on the same network segment, have in common.

    Attributes:
        responders: who rejected ports of targets on it.
        busy: targets that are being asked; `waiting`: those that are done but for silence that a limit may explain.
    """

    __slots__ = ("busy", "loss", "responders", "waiting")

    def __init__(self) -> None:
        self.loss = LossRecord()
        self.responders: Dict[str, Responder] = {}
        self.busy = 0
        self.waiting: List["Target"] = []


class Alike(NamedTuple):
    """What ports have in common that are counted together."""

    state: PortState
    reason: Reason
    responder: Optional[str] = None
    icmp: Optional[Tuple[int, int]] = None
    inferred: bool = False
    detail: Optional[str] = None


CLOSED = Alike(PortState.CLOSED, Reason.CONN_REFUSED)
SILENT = Alike(PortState.FILTERED, Reason.NO_RESPONSE)


class Counted:
    """Ports of a sweep that answered alike."""

    __slots__ = ("ports", "syns")

    def __init__(self) -> None:
        self.ports = array("H")
        self.syns = 0


class Ledger:
    """Answers of one address that are not reported yet.

    Attributes:
        silent: ports that left all their attempts unanswered; `silent_in_bulk` holds those of a sweep by the number
            of these attempts.
    """

    __slots__ = ("alike", "observations", "silent", "silent_in_bulk")

    def __init__(self) -> None:
        self.observations: List[Observation] = []
        self.alike: Dict[Alike, Counted] = {}
        self.silent: List[Asking] = []
        self.silent_in_bulk: Dict[int, Counted] = {}

    def __bool__(self) -> bool:
        return bool(self.observations or self.alike or self.silent or self.silent_in_bulk)

    def count(self, alike: Alike, ports: Iterable[int], syns: int) -> None:
        counted = self.alike.get(alike)
        if counted is None:
            counted = self.alike[alike] = Counted()
        counted.ports.extend(ports)
        counted.syns += syns

    def count_silent(self, tries: int, port: int, syns: int) -> None:
        counted = self.silent_in_bulk.get(tries)
        if counted is None:
            counted = self.silent_in_bulk[tries] = Counted()
        counted.ports.append(port)
        counted.syns += syns

    def add(self, other: "Ledger") -> None:
        """Take over everything from another one, which is empty afterwards."""
        self.observations += other.observations
        self.silent += other.silent
        for alike, counted in other.alike.items():
            self.count(alike, counted.ports, counted.syns)
        for tries, counted in other.silent_in_bulk.items():
            mine = self.silent_in_bulk.setdefault(tries, Counted())
            mine.ports.extend(counted.ports)
            mine.syns += counted.syns
        other.__init__()  # type: ignore[misc]

    @property
    def rejected(self) -> bool:
        """Whether somebody said no to any of its ports, other than by a refusal."""
        states = (*(seen.state for seen in self.observations), *(alike.state for alike in self.alike))
        return PortState.FILTERED in states

    def forget_answers(self, target: "Target", alike: Alike) -> None:
        """Its refusals and rejections are not to be believed."""
        observations, counted = self.observations, self.alike
        self.observations, self.alike = [], {}
        for observation in observations:
            target.keep(target.observation(observation.probe.port, alike, observation.attempts), self)
        for ports in counted.values():
            self.count(alike, ports.ports, ports.syns)

    @property
    def silent_ports(self) -> int:
        return len(self.silent) + sum(len(counted.ports) for counted in self.silent_in_bulk.values())

    def ports(self) -> Iterator[int]:
        for observation in self.observations:
            yield observation.probe.port
        for asking in self.silent:
            yield asking.port
        for counted in (*self.alike.values(), *self.silent_in_bulk.values()):
            yield from counted.ports


class Round:
    """Ports that are still to be asked, after so many attempts that were silent."""

    __slots__ = ("at", "ports", "tries")

    def __init__(self, ports: "array[int]", tries: int = 0) -> None:
        self.ports = ports
        self.tries = tries
        self.at = 0

    @property
    def left(self) -> "array[int]":
        return self.ports[self.at :]


class Target:
    """One address during the run.

    Attributes:
        own: an address of this machine: no network on the way, so no pace, decoys or canaries.
        again: what is asked before the rounds go on: retries, canaries.
        asking: everything that is under way; `in_progress` counts the ports in question among them.
        proven: answers that are known to be the host's and the network's; `pending`: those that we would also get
            if the host had banned us in the meantime. A port that answered before (`canaries`) tells.
        refused_in_bulk: the most frequent of the pending answers, counted by itself for speed.
        port_started: when the last attempt at a port in question began; `canary_started` that of the last canary, and
            `proved_at` that of the last one that answered as before.
        questioned: pending answers that the canary which is under way will prove; `canary_at` says which one it is.
        doubted: the canary is late, so nothing new is begun; lost: since when contact is lost, None while it is not.
        earlier: attempts at ports that are asked anew because contact was lost.
        decoys_open: ports that nobody expects, which accepted a connection and kept it.
        answers_for_it: a connection was accepted and reset at once, so somebody may answer in the host's place;
            `answerer` is the router at which he was found, at `accepted_port`.
        silence: what its silent ports come to, once responders that limit their errors were `heard`.
    """

    def __init__(self, probes: ProbeSet, order: "array[int]", family: int, hop: NextHop, path: Path, own: bool) -> None:
        self.address = probes.address
        self.source_address = probes.source_address
        self.singly: Optional[FrozenSet[int]] = frozenset(probes.singly) if probes.in_bulk else None
        self.sockaddr: Optional[SockAddr] = None
        self.family = family
        self.hop = hop
        self.path = path
        self.own = own
        self.route: Any = None

        self.again: Deque[Asking] = deque()
        self.rounds: Deque[Round] = deque([Round(order)])
        self.asking: Set[Asking] = set()
        self.in_progress = 0
        self.scheduled = False
        self.resting = False
        self.flows = 0
        self.scouted = False
        self.scouts: List[Any] = []
        self.settled = False

        self.answers = 0
        self.late_answers = 0
        self.loss = LossRecord()
        self.rtt_s = 0.0
        self.unreachable: Optional[Observation] = None
        self.rejections: Dict[str, Observation] = {}
        self.proven = Ledger()
        self.pending = Ledger()
        self.refused_in_bulk = Counted()
        self.earlier: Dict[int, List[Attempt]] = {}

        self.canaries: List[Tuple[int, PortState]] = [] if own else list(probes.canaries)
        self.canary_due = 0.0
        self.canary = (0, PortState.UNKNOWN)
        self.canary_at = 0
        self.canary_started = self.port_started = 0.0
        self.proved_at = -1.0
        self.questioned = Ledger()
        self.doubted = False
        self.lost: Optional[str] = None
        self.losses = 0
        self.last_answer_s = 0.0

        self.decoys: Tuple[int, ...] = () if own else tuple(probes.decoys)
        self.decoys_asked = False
        self.decoys_open = 0
        self.decoy_tries = 0
        self.decoys_silent: List[int] = []
        self.accepted_port: Optional[int] = None
        self.answers_for_it = False
        self.hops_silent = 0
        self.last_hop: Optional[str] = None
        self.answerer: Optional[str] = None
        self.answerer_sought = False

        self.waits = False
        self.heard = False
        self.silence = SILENT

    def probe(self, port: int) -> Probe:
        return Probe(self.address, Transport.TCP, port, self.source_address)

    def is_in_bulk(self, port: int) -> bool:
        return self.singly is not None and port not in self.singly

    @property
    def nobody_there(self) -> Optional[Observation]:
        """An answer that explains silence: the address is not reached at all. None without one."""
        if self.answers:
            return None
        return self.unreachable or (None if self.hop.answered else self.hop.absent)

    @property
    def reserve(self) -> int:
        """Connections that must stay possible at once: both decoys and a canary, when a port turns out to be open."""
        return 1 if self.decoys_asked else len(self.decoys) + 1

    @property
    def accepts_everything(self) -> bool:
        return len(self.decoys) > 1 and self.decoys_open == len(self.decoys)

    @property
    def may_be_open(self) -> bool:
        """Whether one of its ports accepted a connection and is watched still: soon it may be a canary."""
        return any(asking.held for asking in self.asking)

    def is_trusted(self, answers: int) -> bool:
        """Whether it gave so many answers, none of them late."""
        return self.answers >= answers and not self.late_answers

    def attempts_needed(self, most: int) -> int:
        """How many attempts a port must leave unanswered before it counts as silent."""
        return max(self.loss.attempts_needed(most), self.path.loss.attempts_needed(most))

    def take_swept(self, most: int) -> Sequence[int]:
        """The next ports of the round, as long as they belong to the sweep and were never asked."""
        if self.singly is None or not self.rounds or self.rounds[0].tries or self.earlier:
            return ()
        current = self.rounds[0]
        ports = current.ports[current.at : current.at + max(0, most)]
        if self.singly:
            for at, port in enumerate(ports):
                if port in self.singly:
                    ports = ports[:at]
                    break
        current.at += len(ports)
        return ports

    def left_in_bulk(self) -> int:
        """How many ports of the sweep the first round still has."""
        return len(self.rounds[0].left) if self.rounds and self.singly is not None else 0

    def split_off(self, ports: int) -> "array[int]":
        """So many of the last ports of the round, without those that are asked singly."""
        current = self.rounds[0]
        taken, current.ports = current.ports[-ports:], current.ports[:-ports]
        current.ports.extend(port for port in taken if not self.is_in_bulk(port))
        return array("H", filter(self.is_in_bulk, taken))

    def take_silent(self, port: int) -> "Optional[Asking]":
        """Take a silent port out, because it answered after all; None when it is not silent (any more)."""
        for ledger in (self.proven, self.pending):
            for asking in ledger.silent:
                if asking.port == port:
                    ledger.silent.remove(asking)
                    return asking
            for tries, counted in ledger.silent_in_bulk.items():
                if port in counted.ports:
                    counted.ports.remove(port)
                    asking = Asking(self, port, Kind.PORT, True)
                    asking.started = tries
                    return asking
        return None

    @property
    def silent_ports(self) -> int:
        return self.proven.silent_ports + self.pending.silent_ports

    def silent_port_numbers(self) -> Iterator[int]:
        for ledger in (self.proven, self.pending):
            for asking in ledger.silent:
                yield asking.port
            for counted in ledger.silent_in_bulk.values():
                yield from counted.ports

    def is_silent(self, port: int) -> bool:
        return any(port == silent for silent in self.silent_port_numbers())

    def add_attempts(self, port: int, attempts: Iterable[Attempt]) -> None:
        """A silent port was asked again in vain."""
        for ledger in (self.proven, self.pending):
            for asking in ledger.silent:
                if asking.port == port:
                    asking.attempts.extend(attempts)

    def keep(self, observation: Observation, ledger: Ledger) -> None:
        """Note an answer about a port in question; ordinary ones of a sweep are only counted."""
        port = observation.probe.port
        if observation.state is PortState.OPEN or not self.is_in_bulk(port):
            ledger.observations.append(observation)
            return
        alike = Alike(
            observation.state,
            observation.reason,
            observation.responder,
            observation.icmp,
            observation.inferred,
            observation.detail,
        )
        ledger.count(alike, (port,), sum(attempt.syns or 1 for attempt in observation.attempts))

    @property
    def quiet(self) -> bool:
        """Whether everything that was to be asked has been."""
        return not self.asking and not self.again and not self.rounds and not self.scouts

    @property
    def to_be_settled(self) -> bool:
        return self.quiet and not self.settled and not self.waits

    def next_port(self) -> Optional[Asking]:
        """The next port of the rounds."""
        while self.rounds:
            current = self.rounds[0]
            if current.at < len(current.ports):
                port = current.ports[current.at]
                current.at += 1
                if current.at == len(current.ports):
                    self.rounds.popleft()
                asking = Asking(self, port, Kind.PORT, self.singly is not None and port not in self.singly)
                asking.started = current.tries
                if self.earlier and port in self.earlier:
                    asking.attempts = self.earlier.pop(port)
                return asking
            self.rounds.popleft()
        return None

    def pend(self) -> Ledger:
        """The pending answers, all of them."""
        if self.refused_in_bulk.ports:
            self.pending.count(CLOSED, self.refused_in_bulk.ports, self.refused_in_bulk.syns)
            self.refused_in_bulk = Counted()
        return self.pending

    def ask_again(self, tries: int, ports: Iterable[int]) -> None:
        """Put ports of a sweep back, after so many attempts that were silent."""
        again = array("H", ports)
        if again:
            self.rounds.append(Round(again, tries))

    def unasked(self) -> "array[int]":
        """What is left of the rounds; they are empty afterwards."""
        left = array("H")
        for current in self.rounds:
            left.extend(current.left)
        self.rounds.clear()
        return left

    def answered_as(self, ports: Iterable[int], alike: Alike) -> Iterator[Answered]:
        """These ports as reports: singly or in bulk, as each was asked for."""
        in_bulk = array("H")
        for port in ports:
            if self.is_in_bulk(port):
                in_bulk.append(port)
            else:
                yield self.observation(port, alike, self.earlier.get(port, ()))
        if in_bulk:
            yield self.tally(in_bulk, alike, 0)

    def observation(self, port: int, alike: Alike, attempts: Iterable[Attempt]) -> Observation:
        return Observation(
            probe=self.probe(port),
            state=alike.state,
            reason=alike.reason,
            attempts=tuple(attempts),
            responder=alike.responder,
            icmp=alike.icmp,
            inferred=alike.inferred,
            detail=alike.detail,
        )

    def tally(self, ports: "array[int]", alike: Alike, syns: int) -> Tally:
        return Tally(
            address=self.address,
            source_address=self.source_address,
            state=alike.state,
            reason=alike.reason,
            ports=ports,
            syns=syns,
            responder=alike.responder,
            icmp=alike.icmp,
            inferred=alike.inferred,
            detail=alike.detail,
        )


class Engine(Protocol):
    """What the parts of the engine ask of the one that holds the sockets."""

    def now(self) -> float:
        """The loop's clock, in seconds."""

    def since_start(self, moment: float) -> float:
        """Seconds of the run."""

    def free_at(self, target: Target, flows: int) -> float:
        """When so many connections to the target may be started at once."""

    def at(self, when: float, action: "Callable[[Any, float], None]", subject: Any) -> None:
        """Call `action(subject, now)` then."""

    def ask(self, target: Target, port: int, kind: Kind, then: Then, hops: Optional[int] = None) -> None:
        """Ask one port for a reason of our own, before anything else of this target; `then` takes what it came to."""

    def resume(self, target: Target) -> None:
        """The target has something to start (again)."""

    def settle(self, target: Target) -> None:
        """The target may be done: look at it when nothing of it is under way."""

    def reopened(self, ports: int) -> None:
        """So many ports that were decided are to be asked again."""

    def given_up(self, ports: int) -> None:
        """So many ports are decided without being asked (again)."""

    def waits(self, target: Target) -> None:
        """The target waits for what others on its path come to."""

    def goes_on(self, target: Target) -> None:
        """What the others came to is known."""

    def leave(self, target: Target) -> None:
        """The target is done, and is forgotten."""

    def withdraw(self, target: Target) -> "List[Asking]":
        """End everything that is under way; the ports in question among it."""
