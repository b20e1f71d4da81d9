"""How much more time the ports take that are not decided because somebody limits his ICMP errors. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import ceil

from portcheck.diagnosis.group import Group
from portcheck.engine.probe import Reason, Transport
from portcheck.model import Verdict
from portcheck.wording import plural

_S_OF_PORT = {4: 1.3, 6: 0.13}
"""What a closed port takes of the time, by IP version: Linux's limit (icmp(7), icmp_ratelimit) and what the engine
waits more, so as not to meet the moment of a refill."""
_LINUX_SENDS = {4: "one such error a second over IPv4", 6: "ten such errors a second over IPv6"}
_ROUND_S = 10


def give_more_time(group: Group) -> str | None:
    """How much: what all ports of the slowest limiter take if it does as Linux, or twice what was not enough."""
    asked = {limiter: _asked_of(limiter, group) for limiter in limiters_of(group)}
    version = 6 if ":" in (group.first.check.address or "") else 4
    ports = max(asked.values())
    needed_s, had_s = _rounded_up(ports * _S_OF_PORT[version]), group.context.selection.udp_budget_s
    if needed_s <= had_s:
        return (
            f"Give it twice the time (--udp-budget {_rounded_up(2 * had_s)}): "
            "it sends fewer such errors than a Linux machine would, or others use them up."
        )
    of_each = " of each" if set(asked) == {None} and len(_addresses(group)) > 1 else ""
    return (
        f"Give it more time: a Linux machine sends {_LINUX_SENDS[version]}, and "
        f"{plural(ports, 'port')}{of_each} take about {needed_s} s (--udp-budget {needed_s})."
    )


def limiters_of(group: Group) -> frozenset[str | None]:
    """The routers that may keep errors back about these addresses, "" for one without a name; None: the host itself.

    Whoever sent an error about an address may be out of them: the engine names one, and it may have been the other.
    """
    found: set[str | None] = set()
    for verdict in _without_connection(group):
        seen = verdict.observation
        if verdict.check.address in _addresses(group) and _is_about_errors(verdict):
            found.add(None if seen.rejected_by_target else seen.responder or "")
    return frozenset(found)


def _asked_of(limiter: str | None, group: Group) -> int:
    """How many ports it has to answer for: a host for its own, a router for those of all whom it answers for."""
    own: Counter[str | None] = Counter()
    for verdict in _without_connection(group):
        if _is_about_errors(verdict) and verdict.check.address in _addresses(group):
            own[verdict.check.address] += verdict.count
    if limiter is None:
        return max(own.values())
    elsewhere = (
        verdict.count
        for verdict in _without_connection(group)
        if verdict.check.address not in own and limiter and verdict.observation.responder == limiter
    )
    return sum(own.values()) + sum(elsewhere)


def _addresses(group: Group) -> frozenset[str | None]:
    return frozenset(verdict.check.address for verdict in group.verdicts)


def _without_connection(group: Group) -> Iterator[Verdict]:
    return (verdict for verdict in group.context.verdicts if verdict.check.transport is not Transport.TCP)


def _is_about_errors(verdict: Verdict) -> bool:
    """Somebody answered with an ICMP error, or keeps one back."""
    seen = verdict.observation
    return seen.responder is not None or seen.reason is Reason.ICMP_RATE_LIMITED


def _rounded_up(seconds: float) -> int:
    return ceil(seconds / _ROUND_S) * _ROUND_S
