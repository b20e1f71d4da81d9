"""Which verdicts have which cause, and which of them are one thing to act on. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from portcheck.engine.probe import OWN_ROUTE_LOST, Reason
from portcheck.model import Expect, Finding, Verdict

_TOO_MANY_FOR_CHANCE = 3
"""More required ports than this, all refused: it is the product that is missing, not its services."""
_UNREACHABLE = frozenset({Reason.ARP_FAILURE, Reason.HOST_UNREACH, Reason.NET_UNREACH})

Takes = Callable[[list[Verdict], tuple[Verdict, ...]], list[Verdict]]


def of_nothing_but_mute_hosts(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    """Several hosts, and none of them ever answered: what they share is this machine and its way out."""
    hosts = {v.check.host for v in everything if v.asked}
    silent = all(v.observation.reason is Reason.NO_RESPONSE for v in everything if v.asked)
    return of_mute_hosts(candidates, everything) if silent and len(hosts) > 1 else []


def of_mute_hosts(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    """Hosts of which several ports were asked and nothing ever came."""
    asked = _by_address(v for v in everything if v.asked)
    mute = {
        address
        for address, verdicts in asked.items()
        if sum(v.count for v in verdicts) > 1 and all(v.observation.reason is Reason.NO_RESPONSE for v in verdicts)
    }
    return [v for v in candidates if v.check.address in mute and v.observation.reason is Reason.NO_RESPONSE]


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


def unprovable(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    return [v for v in candidates if v.unprovable]


def whole_hosts_refuse(candidates: list[Verdict], everything: tuple[Verdict, ...]) -> list[Verdict]:
    """Hosts that refuse every required port: the product is not running there."""
    required = _by_address(v for v in everything if v.check.expect is Expect.REACHABLE and v.check.probe is not None)
    idle = {
        address
        for address, verdicts in required.items()
        if len(verdicts) > _TOO_MANY_FOR_CHANCE and all(v.finding is Finding.NOT_LISTENING for v in verdicts)
    }
    return [v for v in candidates if v.check.address in idle and v.finding is Finding.NOT_LISTENING]


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


def by_host_and_detail(verdicts: list[Verdict]) -> list[tuple[Verdict, ...]]:
    """Where the detail makes it another thing to act on."""
    return _partition(verdicts, lambda verdict: (*_host(verdict), verdict.observation.detail))


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
    doubt = seen.detail if seen.reason is Reason.NO_RESPONSE else None
    return ("itself" if seen.rejected_by_target else seen.responder), seen.reason, doubt


def _partition(verdicts: Iterable[Verdict], key: Callable[[Verdict], object]) -> list[tuple[Verdict, ...]]:
    parts: dict[object, list[Verdict]] = {}
    for verdict in verdicts:
        parts.setdefault(key(verdict), []).append(verdict)
    return [tuple(part) for part in parts.values()]
