"""What is left to find out about an address when all its ports have been asked, and then its report.

Silence is believed last: after enough attempts for the loss that was seen, after a canary has answered, and
after responders that limit their errors were heard.
"""

from dataclasses import replace
from typing import Callable, Iterator, List, Tuple

from .contact import Contact
from .hearing import hear_path
from .probe import Answered, Observation, PortState, Probe, ProbeSet, Reason, Tally, Transport
from .target import Alike, Asking, Engine, Kind, Ledger, Path, Target
from .timing import TcpTiming

_DECOY_TRIES = 2
"""How often silent decoys are asked again where there is a reason to."""
_MOST_HOPS = 12
_MOST_SILENT_HOPS = 3
_MOST_WAITING = 4096
"""Targets with silent ports that may wait for what others on the same path come to. Memory, not time."""
_TIME_EXCEEDED = ((11, 0), (3, 0))
"""RFC 792 and RFC 4443 section 3.3: the packet's lifetime ended at the sender of the error."""


class Settling:
    """The steps in their order; each says whether it has begun something that must end first."""

    def __init__(self, engine: Engine, contact: Contact, timing: TcpTiming, report: Callable[[Answered], None]) -> None:
        self._engine = engine
        self._contact = contact
        self._timing = timing
        self._report_one = report
        self._steps: Tuple[Callable[[Target, float], bool], ...] = (
            self._ask_more_often,
            self._ask_decoys_again,
            contact.prove,
            self._wait_for_the_path,
            self._seek_answerer,
        )

    def advance(self, target: Target, now: float) -> None:
        """Nothing of the target is under way: begin its next step, or report it."""
        for step in self._steps:
            if step(target, now):
                return
        self.report(target)

    # -------------------------------------------------------------------------------------------- the steps

    def _ask_more_often(self, target: Target, now: float) -> bool:
        """Loss was seen at other ports after these were given up."""
        needed = target.attempts_needed(self._timing.most_attempts)
        if target.lost is not None:
            self._few_attempts_as(target, needed, Alike(PortState.UNKNOWN, Reason.LOST_CONTACT, detail=target.lost))
            return False
        again: List[Asking] = []
        for ledger in (target.proven, target.pending):
            again += [asking for asking in ledger.silent if asking.started < needed]
            ledger.silent = [asking for asking in ledger.silent if asking.started >= needed]
            for tries in [tries for tries in ledger.silent_in_bulk if tries < needed]:
                ports = ledger.silent_in_bulk.pop(tries).ports
                self._engine.reopened(len(ports))
                target.ask_again(tries, ports)
        for asking in again:
            asking.done = False
            asking.queued = True
            target.asking.add(asking)
            target.in_progress += 1
            target.again.append(asking)
        if again or target.rounds:
            self._engine.reopened(len(again))
            target.heard = False
            self._engine.resume(target)
            return True
        return False

    def _wait_for_the_path(self, target: Target, now: float) -> bool:
        """Others on the path may show a responder that limits its errors, which would explain silent ports here."""
        if target.own or target.heard or not target.silent_ports:
            return False
        behind_router = target.hop.gateway is not None and len(target.path.waiting) < _MOST_WAITING
        if not (behind_router or target.rejections):
            return False
        target.waits = True
        target.path.waiting.append(target)
        self._engine.waits(target)
        return True

    def end_path(self, path: Path) -> None:
        """Every target of the path waits or is done."""
        hear_path(path, self._engine, self._timing, self._heard)

    def _heard(self, target: Target) -> None:
        target.heard = True
        target.waits = False
        self._engine.goes_on(target)

    def _seek_answerer(self, target: Target, now: float) -> bool:
        """Somebody accepts connections in the host's place: how many hops away is he?"""
        suspicious = target.accepts_everything or target.answers_for_it
        if not suspicious or target.answerer_sought or target.own or target.accepted_port is None:
            return False
        target.answerer_sought = True
        self._engine.ask(target, target.accepted_port, Kind.HOPS, self.take_hops, hops=1)
        return True

    def take_hops(self, asking: Asking, observation: Observation, now: float) -> None:
        """What became of a SYN that may pass so many routers."""
        target, hops = asking.target, asking.hops or 1
        accepted = observation.state is PortState.OPEN or observation.reason is Reason.RESET_AFTER_HANDSHAKE
        if accepted or observation.reason is Reason.ANSWERS_EVERYTHING:
            # Behind routers that stayed silent it may be any of them: then nobody is named.
            target.answerer = None if target.hops_silent else target.last_hop or target.hop.gateway
            return
        if observation.icmp in _TIME_EXCEEDED and observation.responder is not None:
            target.last_hop = observation.responder
            target.hops_silent = 0
        else:
            target.hops_silent += 1
        if hops < _MOST_HOPS and target.hops_silent < _MOST_SILENT_HOPS:
            self._engine.ask(target, asking.port, Kind.HOPS, self.take_hops, hops=hops + 1)

    def take_decoy(self, asking: Asking, observation: Observation, now: float) -> None:
        """Whether a port that nobody expects accepted a connection and kept it."""
        target = asking.target
        if observation.state is PortState.OPEN:
            target.decoys_open += 1
        elif observation.reason is Reason.RESET_AFTER_HANDSHAKE:
            target.answers_for_it = True
        elif observation.reason is Reason.NO_RESPONSE:
            target.decoys_silent.append(asking.port)

    def _ask_decoys_again(self, target: Target, now: float) -> bool:
        """A silent decoy may have been lost on the way: where packets are, or where the other one was accepted."""
        suspicious = target.decoys_open or target.loss.lost or target.path.loss.lost
        if not target.decoys_silent or not suspicious or target.lost is not None:
            return False
        if target.decoy_tries >= _DECOY_TRIES:
            return False
        target.decoy_tries += 1
        silent, target.decoys_silent = target.decoys_silent, []
        for port in silent:
            self._engine.ask(target, port, Kind.DECOY, self.take_decoy)
        return True

    # ------------------------------------------------------------------------------------------- the report

    def report(self, target: Target) -> None:
        """Report every port of the target; it is done."""
        target.settled = True
        target.proven.add(target.pend())
        for answered in self._answers(target, target.proven):
            self._report_one(answered)
        self._engine.leave(target)

    def _answers(self, target: Target, ledger: Ledger) -> Iterator[Answered]:
        for observation in ledger.observations:
            yield self._seen_as(target, observation)
        for alike, counted in ledger.alike.items():
            if alike.reason is Reason.RESET_AFTER_HANDSHAKE:
                alike = alike._replace(responder=target.answerer)
            yield target.tally(counted.ports, alike, counted.syns)
        for asking in ledger.silent:
            yield target.observation(asking.port, target.silence, asking.attempts)
        for counted in ledger.silent_in_bulk.values():
            yield target.tally(counted.ports, target.silence, counted.syns)

    def _seen_as(self, target: Target, observation: Observation) -> Observation:
        """The observation in the light of who answers for the host."""
        if observation.state is PortState.OPEN and target.accepts_everything:
            return replace(
                observation, state=PortState.UNKNOWN, reason=Reason.ANSWERS_EVERYTHING, responder=target.answerer
            )
        if observation.reason in (Reason.RESET_AFTER_HANDSHAKE, Reason.ANSWERS_EVERYTHING):
            return replace(observation, responder=target.answerer)
        return observation

    def interrupt(self, target: Target, reason: Reason) -> None:
        """The run ends before the target is settled: report what is known of it, the rest is unknown."""
        rest = Alike(PortState.UNKNOWN, reason)
        if target.lost is not None:
            rest = Alike(PortState.UNKNOWN, Reason.LOST_CONTACT, detail=target.lost)
        target.pend().add(target.questioned)
        self._few_attempts_as(target, target.attempts_needed(self._timing.most_attempts), rest)
        if not target.heard and target.path.responders:
            self._silence_as(target, target.proven, rest)
            self._silence_as(target, target.pending, rest)
        # An accepted port that is still watched would have been a canary in a moment.
        if (target.canaries or target.may_be_open) and not target.own:
            self._silence_as(target, target.pending, rest)
            if self._contact.bans_are_possible(target):
                target.pending.forget_answers(target, rest)
        for asking in self._engine.withdraw(target):
            target.keep(target.observation(asking.port, rest, asking.attempts), target.proven)
        for answered in target.answered_as(target.unasked(), rest):
            self._report_one(answered)
        self.report(target)

    def unasked(self, probes: ProbeSet, alike: Alike) -> Iterator[Answered]:
        """Reports of a target that was never begun with."""
        for port in probes.singly:
            probe = Probe(probes.address, Transport.TCP, port, probes.source_address)
            yield Observation(probe, alike.state, alike.reason)
        if probes.in_bulk:
            yield Tally(probes.address, probes.source_address, alike.state, alike.reason, probes.in_bulk, 0)

    def _few_attempts_as(self, target: Target, needed: int, alike: Alike) -> None:
        """Silence that would have been asked more often is not believed."""
        for ledger in (target.proven, target.pending):
            for asking in ledger.silent:
                if asking.started < needed:
                    target.keep(target.observation(asking.port, alike, asking.attempts), ledger)
            ledger.silent = [asking for asking in ledger.silent if asking.started >= needed]
            for tries in [tries for tries in ledger.silent_in_bulk if tries < needed]:
                counted = ledger.silent_in_bulk.pop(tries)
                ledger.count(alike, counted.ports, counted.syns)

    def _silence_as(self, target: Target, ledger: Ledger, alike: Alike) -> None:
        for asking in ledger.silent:
            target.keep(target.observation(asking.port, alike, asking.attempts), ledger)
        for counted in ledger.silent_in_bulk.values():
            ledger.count(alike, counted.ports, counted.syns)
        ledger.silent, ledger.silent_in_bulk = [], {}
