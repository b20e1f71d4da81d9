"""Which verdicts have which cause, and which of them are one thing to act on. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from portcheck.engine.probe import (
    ICMP_ALIVE,
    NEEDS_SOURCE_PORT_68,
    OWN_ROUTE_LOST,
    Observation,
    PortState,
    Reason,
    Transport,
)
from portcheck.holding import holders
from portcheck.model import Answers, Expect, Finding, Outcome, Sight, Verdict
from portcheck.observed import doubt_of_silence
from portcheck.protocols import PROTOCOLS

_TOO_MANY_FOR_CHANCE = 3
"""More required ports than this, all refused: it is the product that is missing, not its services."""
_UNREACHABLE = frozenset({Reason.ARP_FAILURE, Reason.HOST_UNREACH, Reason.NET_UNREACH})

Takes = Callable[[list[Verdict], tuple[Verdict, ...]], list[Verdict]]


def of_nothing_but_mute_hosts(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    """Several hosts, and none of them ever answered: what they share is this machine and its way out."""
    hosts = {v.check.host for v in everything if v.asked}
    silent = all(_is_silent(v.observation) for v in everything if v.asked)
    return of_mute_hosts(candidates, everything) if silent and len(hosts) > 1 else []


def of_mute_hosts(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    """Hosts of which several ports were asked and nothing ever came; UDP alone is silent on many that are well."""
    asked = _by_address(v for v in everything if v.asked)
    mute = {
        address
        for address, verdicts in asked.items()
        if sum(v.count for v in verdicts) > 1
        and all(_is_silent(v.observation) for v in verdicts)
        and any(v.observation.state is PortState.FILTERED for v in verdicts)
    }
    return [v for v in candidates if v.check.address in mute and _is_silent(v.observation)]


def _is_silent(seen: Observation) -> bool:
    """No answer, not even to something that was asked beside it."""
    return seen.reason is Reason.NO_RESPONSE and seen.detail != ICMP_ALIVE


def behind_dead_routers(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    """The engine names the router in the detail: our kernel looked for it, not for the host."""
    return [v for v in candidates if v.observation.reason is Reason.ARP_FAILURE and v.observation.detail is not None]


def unreachable(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    return [
        v
        for v in candidates
        if v.observation.reason in _UNREACHABLE and v.finding in (Finding.HOST_UNREACHABLE, Finding.UNDETERMINED)
    ]


def with_reason(*reasons: Reason) -> Takes:
    return lambda candidates, everything: [v for v in candidates if v.observation.reason in reasons]


def with_finding(finding: Finding) -> Takes:
    return lambda candidates, everything: [v for v in candidates if v.finding is finding]


def doubtful(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    return [v for v in candidates if v.doubtful]


def without_connection(*reasons: Reason) -> Takes:
    """The same, where no connection was asked for."""
    return lambda candidates, everything: [
        v for v in candidates if v.observation.reason in reasons and v.check.transport is not Transport.TCP
    ]


def free_or_rejected(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    """Before the install: what the host's address says is closed, over UDP."""
    return [v for v in candidates if v.observation.state is PortState.CLOSED and v.finding is Finding.UNDETERMINED]


def without_source_port(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    return [v for v in candidates if v.observation.detail == NEEDS_SOURCE_PORT_68]


def maybe_open(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    return [v for v in candidates if v.observation.state is PortState.OPEN_FILTERED]


def unprovable(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    return [v for v in candidates if v.unprovable]


def whole_hosts_refuse(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    """Hosts that refuse every required port: the product is not running there. What is not known over UDP, and an
    echo that is answered, do not speak against it."""
    required = _by_address(v for v in everything if v.check.expect is Expect.REACHABLE and _tells_of_a_service(v))
    idle = {
        address
        for address, verdicts in required.items()
        if len(verdicts) > _TOO_MANY_FOR_CHANCE and all(v.finding is Finding.NOT_LISTENING for v in verdicts)
    }
    return [v for v in candidates if v.check.address in idle and v.finding is Finding.NOT_LISTENING]


def _tells_of_a_service(verdict: Verdict) -> bool:
    unsure_over_udp = verdict.check.transport is Transport.UDP and verdict.outcome is Outcome.INCONCLUSIVE
    return verdict.check.probe is not None and verdict.check.port is not None and not unsure_over_udp


def of_ourselves(finding: Finding) -> Takes:
    """Of the machine that we stand on."""
    return lambda candidates, everything: [v for v in candidates if v.check.is_own and v.finding is finding]


def held_by_connections(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    return [v for v in candidates if v.observation.reason is Reason.PORT_IN_CONNECTION]


def stopped_by_own_filter(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    return [v for v in candidates if v.observation.reason in (Reason.RULES_DROP, Reason.RULES_REJECT)]


def taken_in_a_range(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    """One port of a range of which the product takes some: it takes another one."""
    return [v for v in candidates if v.finding is Finding.OCCUPIED and v.outcome is Outcome.WARN and v.check.range]


def answered_in_its_place(sight: Sight) -> Takes:
    """An open port at which another than the host's stand-in answers."""
    return lambda candidates, everything: [
        v for v in candidates if v.seen.sight is sight and v.observation.state is PortState.OPEN and _is_known(v)
    ]


def unasked(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    """Open ports of which it is not known whether our stand-in has them."""
    return [
        v
        for v in candidates
        if v.seen.sight in (Sight.LISTENING, Sight.UNREPORTED, Sight.ABSENT, Sight.CUT_SHORT)
        and v.observation.state is PortState.OPEN
        and not _is_known(v)
    ]


def _is_known(verdict: Verdict) -> bool:
    return verdict.finding is not Finding.UNDETERMINED or verdict.seen.sight is Sight.CLOSES


def undecided_without(sight: Sight) -> Takes:
    """Required ports that a stand-in would have decided."""
    return lambda candidates, everything: [
        v
        for v in candidates
        if v.seen.sight is sight
        and v.check.expect is Expect.REACHABLE
        and v.outcome is Outcome.INCONCLUSIVE
        and v.observation.state in (PortState.CLOSED, PortState.OPEN_FILTERED)
    ]


def question_stopped(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    """Our stand-in was connected to, and not asked."""
    return [v for v in candidates if v.finding is Finding.BLOCKED and v.seen.reached and not v.seen.arrived]


def answer_lost(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    """The question reached our stand-in, and nothing came back."""
    return [v for v in candidates if v.finding is Finding.BLOCKED and v.seen.arrived]


def refused_in_front(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    """Refused in the host's name, though our stand-in listens."""
    return [v for v in candidates if v.finding is Finding.REJECTED and v.observation.state is PortState.CLOSED]


def the_rest(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    return list(candidates)


def _by_address(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    by_address: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.check.address is not None:
            by_address.setdefault(verdict.check.address, []).append(verdict)
    return by_address


Groups = Callable[[list[Verdict]], list[tuple[Verdict, ...]]]


def all_together(verdicts: list[Verdict]) -> list[tuple[Verdict, ...]]:
    return [tuple(verdicts)]


def by_host(verdicts: list[Verdict]) -> list[tuple[Verdict, ...]]:
    return _partition(verdicts, _host)


def by_name(verdicts: list[Verdict]) -> list[tuple[Verdict, ...]]:
    """All of a host together, whether its kernel answered with a reset or with an ICMP error."""
    return _partition(verdicts, lambda verdict: verdict.check.host)


def by_host_and_detail(verdicts: list[Verdict]) -> list[tuple[Verdict, ...]]:
    """Where the detail makes it another thing to act on."""
    return _partition(verdicts, lambda verdict: (*_host(verdict), verdict.observation.detail))


def by_limiters(verdicts: list[Verdict]) -> list[tuple[Verdict, ...]]:
    """Those about which the same keep ICMP errors back; all that do so for themselves together."""
    limiters: dict[str | None, set[str | None]] = {}
    for verdict in verdicts:
        limiters.setdefault(verdict.check.address, set()).add(_who(verdict.observation))
    return _partition(verdicts, lambda verdict: frozenset(limiters[verdict.check.address]))


def by_spoken(verdicts: list[Verdict]) -> list[tuple[Verdict, ...]]:
    """The same on the same port, instead of the same."""
    return _partition(
        verdicts, lambda verdict: (verdict.port_set, verdict.outcome, verdict.check.speaks, verdict.observation.speaks)
    )


def by_holder(verdicts: list[Verdict]) -> list[tuple[Verdict, ...]]:
    """What the same program has on the same hosts, however it answered; where no program is known, as elsewhere."""
    hosts: dict[object, set[str]] = {}
    for verdict in verdicts:
        hosts.setdefault((verdict.port_set, _program(verdict)), set()).add(verdict.check.host)

    def signature(verdict: Verdict) -> object:
        program = _program(verdict)
        return verdict.outcome, verdict.check.is_own, program, frozenset(hosts[verdict.port_set, program])

    named = [v for v in verdicts if _program(v)]
    unnamed = [v for v in verdicts if not _program(v)]
    return [*_partition(named, signature), *by_same_hosts(unnamed)]


def _program(verdict: Verdict) -> frozenset[tuple[str, str | None]]:
    """Empty where it is not known."""
    having = holders(verdict.observation, verdict.seen)
    return frozenset((holder.process, holder.unit) for holder in having if holder.process)


def by_who_answers(verdicts: list[Verdict]) -> list[tuple[Verdict, ...]]:
    """The same instead of the host's own stand-in."""
    return [group for part in _partition(verdicts, lambda v: v.seen.who) for group in by_same_hosts(list(part))]


def by_name_and_detail(verdicts: list[Verdict]) -> list[tuple[Verdict, ...]]:
    """Of each host apart what has the same reason and detail."""
    return _partition(
        verdicts,
        lambda v: (v.check.host, v.outcome, v.observation.reason, v.observation.detail, v.seen.detail),
    )


def by_transport(verdicts: list[Verdict]) -> list[tuple[Verdict, ...]]:
    """Each apart, for the sentence of the first names what was sent."""
    return _partition(verdicts, lambda verdict: verdict.check.transport)


def by_way_to_certainty(verdicts: list[Verdict]) -> list[tuple[Verdict, ...]]:
    """What one thing to do would decide: to look on the host, to ask a peer, or to give a secret."""
    return _partition(verdicts, lambda verdict: (verdict.check.port is None, secret_of(verdict)))


def secret_of(verdict: Verdict) -> str | None:
    """The secret that would make the service answer, a field name of Secrets; None where there is none to be given."""
    if verdict.check.answers is not Answers.WITH_SECRET:
        return None
    secrets = (PROTOCOLS[name].secret for name in verdict.check.speaks if name in PROTOCOLS)
    return next((secret for secret in secrets if secret is not None), None)


def by_lost_host(verdicts: list[Verdict]) -> list[tuple[Verdict, ...]]:
    """Each host that fell silent; all together where it was this machine that lost its network."""

    def lost(verdict: Verdict) -> object:
        return None if verdict.observation.detail == OWN_ROUTE_LOST else verdict.check.host

    return _partition(verdicts, lost)


def by_reason(verdicts: list[Verdict]) -> list[tuple[Verdict, ...]]:
    return _partition(verdicts, lambda verdict: (verdict.observation.reason, verdict.observation.detail))


def by_same_hosts(verdicts: list[Verdict]) -> list[tuple[Verdict, ...]]:
    """Ports that fail in the same way on the same hosts belong together."""
    hosts: dict[object, set[tuple[str, str | None]]] = {}
    for verdict in verdicts:
        hosts.setdefault(_failure(verdict), set()).add((verdict.check.host, verdict.check.address))

    def signature(verdict: Verdict) -> object:
        where = frozenset(hosts[_failure(verdict)])
        return where, verdict.outcome, *_who_says_no(verdict)

    return _partition(verdicts, signature)


def by_transport_and_hosts(verdicts: list[Verdict]) -> list[tuple[Verdict, ...]]:
    """The same, each transport apart."""
    return [group for part in by_transport(verdicts) for group in by_same_hosts(list(part))]


def by_expectation_and_hosts(verdicts: list[Verdict]) -> list[tuple[Verdict, ...]]:
    """The same, apart for what must answer and what must not, and for what is not there yet."""
    parts = _partition(verdicts, lambda verdict: (verdict.check.expect, verdict.phase))
    return [group for part in parts for group in by_transport_and_hosts(list(part))]


def by_port(verdicts: list[Verdict]) -> list[tuple[Verdict, ...]]:
    return _partition(verdicts, lambda verdict: (verdict.port_set, verdict.outcome))


def _host(verdict: Verdict) -> tuple[object, object]:
    return verdict.check.host, verdict.observation.responder


def _failure(verdict: Verdict) -> object:
    return verdict.port_set, verdict.outcome, *_who_says_no(verdict)


def _who_says_no(verdict: Verdict) -> tuple[object, ...]:
    """Who rejects it and in which words; every host that does it by itself counts as one and the same.

    By the reason and not by the ICMP code: an inferred rejection belongs to the seen ones, and may have no code.
    The detail of a silence says what else it may be.
    """
    seen = verdict.observation
    return _who(seen), seen.reason, doubt_of_silence(seen)


def _who(seen: Observation) -> str | None:
    return "itself" if seen.rejected_by_target else seen.responder


def _partition(verdicts: Iterable[Verdict], key: Callable[[Verdict], object]) -> list[tuple[Verdict, ...]]:
    parts: dict[object, list[Verdict]] = {}
    for verdict in verdicts:
        parts.setdefault(key(verdict), []).append(verdict)
    return [tuple(part) for part in parts.values()]
