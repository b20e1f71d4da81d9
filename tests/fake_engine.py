"""An engine without sockets for its parts: it notes what they ask for, and answers when a test says so."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from portcheck.engine.neighbours import NextHop, Search
from portcheck.engine.probe import Attempt, Observation, PortState, ProbeSet, Reason
from portcheck.engine.responders import Responder
from portcheck.engine.target import Alike, Asking, Engine, Kind, Path, Target, Then

ADDRESS, ROUTER = "192.0.2.1", "198.51.100.254"
STARTED_S = 1000.0
"""The loop's clock at the start of a run: it has nothing to do with the run."""


def attempt(started_s: float = 0.0, result: str = "no-response", syns: int = 4) -> Attempt:
    return Attempt(started_s, 3.3, 40_000, syns, result)


def target_of(
    ports: Iterable[int] = (),
    in_bulk: Iterable[int] = (),
    *,
    address: str = ADDRESS,
    path: Path | None = None,
    gateway: str | None = ROUTER,
    own: bool = False,
    decoys: tuple[int, ...] = (),
) -> Target:
    """A target whose ports are asked in their order."""
    singly, swept = list(ports), list(in_bulk)
    probes = ProbeSet(address, singly, array("H", swept), decoys)
    hop = NextHop(address, gateway, Search.FOUND)
    return Target(probes, array("H", singly + swept), 2, hop, path or Path(), own)


def fall_silent(target: Target, ports: Iterable[int], tries: int = 2) -> None:
    """These were asked so often in vain, which nothing has proven yet."""
    for port in ports:
        if target.is_in_bulk(port):
            target.pending.count_silent(tries, port, tries * 4)
            continue
        asking = Asking(target, port, Kind.PORT, False)
        asking.started = tries
        asking.attempts = [attempt() for _ in range(tries)]
        target.pending.silent.append(asking)


def answer(target: Target, port: int, alike: Alike) -> Observation:
    """What one port came to, after one attempt."""
    return target.observation(port, alike, (attempt(result=str(alike.reason), syns=1),))


def reject(target: Target, ports: Iterable[int], by: str = ROUTER, at_s: float = STARTED_S) -> None:
    """A firewall rejected these, all at once."""
    for port in ports:
        alike = Alike(PortState.FILTERED, Reason.ADMIN_PROHIBITED, by, (3, 13))
        seen = answer(target, port, alike)
        target.rejections.setdefault(by, seen)
        target.path.responders.setdefault(by, Responder(by)).note(target.address, (target, port), at_s)
        target.keep(seen, target.proven)


@dataclass
class Question:
    """What a part of the engine asked for."""

    asking: Asking
    then: Then

    @property
    def of(self) -> tuple[str, int, Kind]:
        return self.asking.target.address, self.asking.port, self.asking.kind


class FakeEngine:
    """
    Attributes:
        questions: those that are not answered yet.
        decided: how many more ports are decided than at the start.
        settled, resumed, waiting, left: targets, in the order of the calls.
    """

    def __init__(self) -> None:
        self.time_s = STARTED_S
        self.questions: list[Question] = []
        self.moments: list[tuple[float, Callable[[Any, float], None], Any]] = []
        self.decided = 0
        self.settled: list[Target] = []
        self.resumed: list[Target] = []
        self.waiting: list[Target] = []
        self.left: list[Target] = []

    # ------------------------------------------------------------------------------------------- as an Engine

    def now(self) -> float:
        return self.time_s

    def since_start(self, moment: float) -> float:
        return moment - STARTED_S

    def free_at(self, target: Target, flows: int) -> float:
        return self.time_s

    def at(self, when: float, action: Callable[[Any, float], None], subject: Any) -> None:
        self.moments.append((when, action, subject))

    def ask(self, target: Target, port: int, kind: Kind, then: Then, hops: int | None = None) -> None:
        asking = Asking(target, port, kind, False, hops)
        target.asking.add(asking)
        self.questions.append(Question(asking, then))

    def resume(self, target: Target) -> None:
        self.resumed.append(target)

    def settle(self, target: Target) -> None:
        self.settled.append(target)

    def reopened(self, ports: int) -> None:
        self.decided -= ports

    def given_up(self, ports: int) -> None:
        self.decided += ports

    def waits(self, target: Target) -> None:
        self.waiting.append(target)

    def goes_on(self, target: Target) -> None:
        self.settle(target)

    def leave(self, target: Target) -> None:
        self.left.append(target)

    def withdraw(self, target: Target) -> list[Asking]:
        in_question = [asking for asking in target.asking if asking.kind is Kind.PORT]
        target.asking.clear()
        target.in_progress = 0
        self.questions = [question for question in self.questions if question.asking.target is not target]
        return in_question

    # --------------------------------------------------------------------------------------- what a test does

    def begin(self, target: Target, port: int, attempts: Iterable[Attempt] = ()) -> None:
        """A port in question is under way."""
        asking = Asking(target, port, Kind.PORT, target.is_in_bulk(port))
        asking.attempts = list(attempts)
        target.asking.add(asking)
        target.in_progress += 1

    def asked(self) -> list[tuple[str, int, Kind]]:
        """The questions that are not answered yet."""
        return [question.of for question in self.questions]

    def answer(self, alike: Alike, which: int = 0) -> None:
        """One of the questions comes to this."""
        question = self.questions.pop(which)
        asking = question.asking
        asking.target.asking.discard(asking)
        asking.attempts = [attempt(self.since_start(self.time_s), str(alike.reason), 1)]
        question.then(asking, asking.target.observation(asking.port, alike, asking.attempts), self.time_s)

    def pass_time(self, seconds: float) -> None:
        """What is due in this time happens in its order."""
        until = self.time_s + seconds
        while due := [moment for moment in self.moments if moment[0] <= until]:
            first = min(due, key=lambda moment: moment[0])
            self.moments.remove(first)
            self.time_s = max(self.time_s, first[0])
            first[1](first[2], self.time_s)
        self.time_s = until


_: Engine = FakeEngine()
"""mypy compares it with what the parts ask for."""
