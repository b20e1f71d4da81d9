"""Silent ports behind a responder that limits its ICMP errors: asked once more, one at a time.

Asked alone, a rejected port finds a token in the responder's bucket. When there are too many for that, silence
cannot be told from rejection: ports of an address at which the responder was sighted are inferred to be
rejected; they are never called dropped.
"""

from dataclasses import replace
from itertools import cycle, islice
from typing import Callable, Dict, Iterator, List, Optional, Set, Tuple

from .probe import Observation, PortState, Reason
from .responders import BURST, SPACING_S, Responder
from .target import SILENT, Alike, Asking, Engine, Kind, Path, Target
from .timing import TcpTiming

_SAMPLES = 2
"""Ports that are asked alone at an address where not all can be, and how often each is where all can.

Once is enough where even Linux's first burst of errors would have been enough for all."""

Done = Callable[[Target], None]


def hear_path(path: Path, engine: Engine, timing: TcpTiming, done: Done) -> None:
    """Everything on the path has been asked: decide for each waiting target what its silence means.

    Args:
        done: called for each of them when that is known.
    """
    waiting, path.waiting = path.waiting, []
    by_responder: Dict[str, List[Target]] = {}
    for target in waiting:
        responder = _limiter(target)
        if responder is None:
            done(target)
        else:
            by_responder.setdefault(responder.address, []).append(target)
    for address, targets in by_responder.items():
        responder = path.responders[address]
        if responder.could_have_answered(sum(target.silent_ports for target in targets)):
            for target in targets:
                done(target)
        else:
            Hearing(responder, targets, engine, timing, done).begin()


def _limiter(target: Target) -> Optional[Responder]:
    """Who may have wanted to reject the silent ports: who did at this address, else the one of the path."""
    known = [responder for responder in target.path.responders.values() if responder.examples]
    here = [responder for responder in known if responder.address in target.rejections]
    # A host that rejects its own ports says nothing about others.
    on_the_way = [r for r in known if set(r.sighted) - {r.address}] if target.hop.gateway else []
    return max(here or on_the_way, key=lambda responder: responder.errors, default=None)


class Hearing:
    """One responder, and the targets whose silence it may explain."""

    def __init__(
        self, responder: Responder, targets: List[Target], engine: Engine, timing: TcpTiming, done: Done
    ) -> None:
        self._responder = responder
        self._targets = targets
        self._engine = engine
        self._done = done
        self._hearing_s = timing.hearing_s
        self._complete = False
        self._questions: List[Tuple[Target, int]] = []
        self._asked: Set[str] = set()
        self._under_way = 0
        self._ending = False

    def begin(self) -> None:
        """First the ports that it rejected, all at once: does it limit its errors at all?"""
        examples = self._responder.examples
        targets = [target for target, _ in examples]
        at_once = -(-self._responder.sounding // len(targets))
        free_at = max(self._engine.free_at(target, at_once * targets.count(target)) for target in targets)
        self._engine.at(free_at, self._sound, None)

    def _sound(self, _: None, now: float) -> None:
        for target, port in islice(cycle(self._responder.examples), self._responder.sounding):
            self._under_way += 1
            self._engine.ask(target, port, Kind.SOUNDING, self._take_sounding)

    def _take_sounding(self, asking: Asking, observation: Observation, now: float) -> None:
        """One of these was rejected again, or was not."""
        self._under_way -= 1
        if self._under_way:
            return
        silent = sum(target.silent_ports for target in self._targets)
        if self._responder.could_have_answered(silent):
            self._complete = True
            self._end()
            return
        most = int(self._hearing_s / SPACING_S)
        rounds = 1 if self._responder.errors + silent <= BURST else _SAMPLES
        self._complete = rounds * silent <= most
        self._questions = list(self._all(rounds) if self._complete else self._sample())[:most][::-1]
        self._engine.at(now + SPACING_S, self._next, None)

    def _all(self, rounds: int) -> Iterator[Tuple[Target, int]]:
        for _ in range(rounds):
            for target in self._targets:
                for port in target.silent_port_numbers():
                    yield target, port

    def _sample(self) -> Iterator[Tuple[Target, int]]:
        """Some of each: first where nothing was rejected yet, of these first the hosts that are alive."""
        order = sorted(self._targets, key=lambda target: (self._sighted(target) > 0, not target.answers))
        for number in range(_SAMPLES):
            for target in order:
                for port in list(target.silent_port_numbers())[number : number + 1]:
                    yield target, port

    def _sighted(self, target: Target) -> int:
        return self._responder.sighted.get(target.address, 0)

    def _next(self, _: None, now: float) -> None:
        while self._questions:
            target, port = self._questions.pop()
            if target.is_silent(port):
                self._under_way += 1
                self._engine.ask(target, port, Kind.ALONE, self._take)
                self._engine.at(now + SPACING_S, self._next, None)
                return
        if not self._under_way:
            self._ask_example(now)

    def _take(self, asking: Asking, observation: Observation, now: float) -> None:
        """What a port came to that was asked alone."""
        self._under_way -= 1
        target = asking.target
        if observation.reason is Reason.NO_RESPONSE:
            self._asked.add(target.address)
            target.add_attempts(asking.port, asking.attempts)
        elif observation.reason is Reason.LOST_CONTACT:
            self._complete = False
            target.add_attempts(asking.port, asking.attempts)
        else:
            silent = target.take_silent(asking.port)
            if silent is not None:
                attempts = (*silent.attempts, *observation.attempts)
                target.keep(replace(observation, attempts=attempts), target.proven)
        if not self._questions and not self._under_way:
            self._ask_example(now)

    def _ask_example(self, now: float) -> None:
        """At last a port that it did reject: when that is silent too, our own network may be gone, or its tokens."""
        if not self._ending:
            self._ending = True
            self._engine.at(now + SPACING_S, self._example, None)

    def _example(self, _: None, now: float) -> None:
        target, port = self._responder.examples[0]
        self._engine.ask(target, port, Kind.SOUNDING, self._take_example)

    def _take_example(self, asking: Asking, observation: Observation, now: float) -> None:
        if observation.responder != self._responder.address:
            self._complete = False
            self._asked.clear()
        self._end()

    def _end(self) -> None:
        targets, self._targets = self._targets, []
        for target in targets:
            target.silence = SILENT if self._complete else self._inferred(target)
            self._done(target)

    def _inferred(self, target: Target) -> Alike:
        by, sighted, silent = self._responder.address, self._sighted(target), target.silent_ports
        seen = target.rejections.get(by)
        if seen is not None:
            detail = f"seen on {sighted} of {sighted + silent} ports"
            return Alike(PortState.FILTERED, seen.reason, by, seen.icmp, True, detail)
        if target.address in self._asked:
            return SILENT._replace(detail=f"{by} limits its ICMP errors; some of these ports were asked alone")
        if target.answers:
            return Alike(PortState.UNKNOWN, Reason.ICMP_RATE_LIMITED, by)
        return SILENT._replace(detail=f"{by} limits its ICMP errors, so this may be a rejection")
