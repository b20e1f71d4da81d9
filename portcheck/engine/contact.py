"""Does the host still talk to us? A port that answered before is asked once more, the canary.

An intrusion system that bans us in the middle, a host that restarts, our own cable: everything asked after
that looks dropped, or rejected, or refused. So no such answer is believed before a canary that was sent after
it has answered as before. When no canary does, what came since the last proof is asked anew once the host is
back, at a polite pace, or is unknown.
"""

from array import array
from math import isinf
from typing import Callable, Iterable

from .own_network import route_fingerprint
from .pace import Pace
from .probe import OWN_ROUTE_LOST, Observation, PortState, Reason
from .target import Alike, Asking, Engine, Kind, Ledger, Round, Target
from .timing import TcpTiming

_MOST_CANARIES = 3
_FEWEST_FOR_A_BAN = 18
"""Connections to an address; the strictest common threshold bans at 20 in 5 s."""
_FEW = 64
_MOST_LOSSES = 3
"""After so many returns the host is left alone."""


class Contact:
    """Canaries, and what follows when they fall silent."""

    def __init__(self, engine: Engine, timing: TcpTiming, pace: Pace, tell: Callable[[str], None]) -> None:
        self._engine = engine
        self._timing = timing
        self._pace = pace
        self._tell = tell

    def note(self, target: Target, port: int, state: PortState, now: float) -> None:
        """A port answered from the address itself: it may serve as a canary, an open one rather than a closed one."""
        target.last_answer_s = now
        if target.canaries and target.canaries[0][1] is not state:
            if state is PortState.CLOSED:
                return
            target.canaries.clear()
        if len(target.canaries) < _MOST_CANARIES and (port, state) not in target.canaries:
            target.canaries.append((port, state))
            target.canary_due = target.canary_due or now + self._timing.canary_after_s

    def is_due(self, target: Target, now: float) -> bool:
        """Ask a canary in the middle of a long round; True when that was done."""
        if not target.canary_due or now < target.canary_due or target.own:
            return False
        return self.prove(target, now)

    def prove(self, target: Target, now: float) -> bool:
        """Ask a canary when answers wait to be proven; False when none do, or when there is no canary."""
        pending = target.pend()
        if target.own or target.lost or not target.canaries or not pending:
            self._proven(target, pending, now)
            return False
        # Refused before, refused since: a canary would say nothing more. And nobody bans for so little.
        nothing_to_prove = not pending.silent_ports and not self.bans_are_possible(target)
        if nothing_to_prove or target.proved_at > target.port_started:
            self._proven(target, pending, now)
            return False
        target.questioned.add(pending)
        target.canary_due = float("inf")
        self._ask(target, 0)
        return True

    def prove_early(self, target: Target, now: float) -> None:
        """Ask a canary beside the last attempts of few ports, when these are known to be the last: one second sooner.

        A host that is trusted was silent on two source ports then, of which the canary came later.
        """
        if target.in_progress > _FEW or target.again or target.rounds or not target.canaries or target.own:
            return
        last_attempts = all(asking.kind is Kind.PORT and asking.started > 1 for asking in target.asking)
        if last_attempts and target.is_trusted(self._timing.trusted_answers):
            target.canary_due = float("inf")
            self._ask(target, 0)

    @staticmethod
    def bans_are_possible(target: Target) -> bool:
        """Whether refusals and rejections may come from somebody who bans us: they differ from what answered before.

        A port that was accepted and is still watched counts as one that answered.
        """
        open_before = target.may_be_open or target.canaries[0][1] is PortState.OPEN
        return target.flows >= _FEWEST_FOR_A_BAN and (open_before or target.pending.rejected)

    def _ask(self, target: Target, which: int) -> None:
        target.canary_at = which
        target.canary = target.canaries[which]
        self._engine.ask(target, target.canary[0], Kind.CANARY, self.take)

    def _proven(self, target: Target, ledger: Ledger, now: float) -> None:
        target.proven.add(ledger)
        target.canary_due = now + self._timing.canary_after_s if target.canaries else 0.0

    def take(self, asking: Asking, observation: Observation, now: float) -> None:
        """What the canary came to."""
        target = asking.target
        target.doubted = False
        before = target.canary[1]
        as_before = observation.state is before or (before is PortState.CLOSED and observation.state is PortState.OPEN)
        if as_before:
            target.proved_at = target.canary_started
            self._proven(target, target.questioned, now)
            if target.lost:
                self._regain(target, now)
            self._engine.resume(target)
        elif target.lost:
            self._engine.at(now + self._timing.recheck_after_s, self.recheck, target)
        elif target.canary_at + 1 < len(target.canaries):
            self._ask(target, target.canary_at + 1)
        else:
            self.lose(target, self._last_heard(target), now)

    def _last_heard(self, target: Target) -> str:
        if not target.last_answer_s:
            return "answered in the earlier run"  # Its canaries are from there.
        return f"answered until {self._engine.since_start(target.last_answer_s):.1f} s"

    def lose(self, target: Target, why: str, now: float) -> None:
        """Contact is lost: what is not proven will be asked anew, and nothing else until a canary answers."""
        again = array("H", (asking.port for asking in self._withdrawn(target)))
        if target.lost is not None:
            target.ask_again(0, again)  # Known already: this one was on its way.
            return
        target.pend().add(target.questioned)
        taken_back = self._taken_back(target)
        self._engine.reopened(len(taken_back))
        again.extend(taken_back)
        target.lost = why
        target.losses += 1
        target.doubted = False
        if again:
            target.rounds.appendleft(Round(again))
        if target.losses > _MOST_LOSSES:
            self.give_up(target)
            return
        patience_s = self._timing.patience_s
        if target.losses == 1:
            most = "until the deadline" if isinf(patience_s) else f"for {patience_s:.0f} s at most"
            self._tell(f"No contact with {target.address} ({why}): waiting for it {most}")
        self._engine.at(now + self._timing.recheck_after_s, self.recheck, target)
        if not isinf(patience_s):
            self._engine.at(now + patience_s, self._patience_over(target.losses), target)

    def _withdrawn(self, target: Target) -> Iterable[Asking]:
        for asking in self._engine.withdraw(target):
            if asking.attempts and not asking.in_bulk:
                target.earlier[asking.port] = asking.attempts
            yield asking

    def _taken_back(self, target: Target) -> "array[int]":
        """The ports of all pending answers, with the attempts that they took."""
        ports = array("H", target.pending.ports())
        for asking in target.pending.silent:
            target.earlier[asking.port] = asking.attempts
        for observation in target.pending.observations:
            target.earlier[observation.probe.port] = list(observation.attempts)
        target.pending = Ledger()
        return ports

    def recheck(self, target: Target, now: float) -> None:
        """Is it back?"""
        if target.lost is None or target.settled or any(asking.kind is Kind.CANARY for asking in target.asking):
            return
        if target.canaries:
            self._ask(target, (target.canary_at + 1) % len(target.canaries))
        elif target.route is None or route_fingerprint(target.address, target.source_address) is not None:
            self._regain(target, now)
            self._engine.resume(target)
        else:
            self._engine.at(now + self._timing.recheck_after_s, self.recheck, target)

    def _regain(self, target: Target, now: float) -> None:
        banned = target.lost != OWN_ROUTE_LOST
        target.lost = None
        target.route = route_fingerprint(target.address, target.source_address)
        if banned:
            # Whatever banned us counts our connections.
            self._pace.slow_down(target.address)
        self._tell(f"{target.address} answers again: going on with it{', more slowly' if banned else ''}")
        self._engine.settle(target)

    def _patience_over(self, losses: int) -> "Callable[[Target, float], None]":
        def end(target: Target, now: float) -> None:
            if target.lost is not None and target.losses == losses and not target.settled:
                self.give_up(target)

        return end

    def give_up(self, target: Target) -> None:
        """Nothing more is asked of it: what was not proven is unknown."""
        lost = Alike(PortState.UNKNOWN, Reason.LOST_CONTACT, detail=target.lost)
        unproven = [*(asking.port for asking in self._withdrawn(target)), *target.unasked()]
        self._engine.given_up(len(unproven))
        for answered in target.answered_as(unproven, lost):
            if isinstance(answered, Observation):
                target.proven.observations.append(answered)
            else:
                target.proven.count(lost, answered.ports, answered.syns)
        self._engine.settle(target)
