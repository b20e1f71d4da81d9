"""Findings that the site accepts: marked and explained, never hidden, and only until a date. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from portcheck.model import ANY, LOCALHOST, Finding, Outcome, Scope, Vantage, Verdict, Waiver, role_key, role_label
from portcheck.rows import played

_LOOPBACK = ("127.0.0.1", "::1")
_MINOR = frozenset({Finding.UNEXPECTED_OPEN, Finding.OPEN_TO_OTHERS})
"""What options make a failure or not."""
_WAIVABLE = frozenset({Outcome.FAIL, Outcome.WARN, Outcome.INCONCLUSIVE})


def apply_waivers(
    verdicts: Iterable[Verdict],
    waivers: Iterable[Waiver],
    vantage: Vantage,
    today: date,
    scope: Scope | None = None,
) -> tuple[tuple[Verdict, ...], tuple[str, ...]]:
    """Mark the accepted findings. Also returns one warning for each waiver that has expired or is not needed.

    Args:
        scope: which roles include others, which names are hosts, and what was looked at; None where nothing is known.
    """
    listed = list(verdicts)
    warnings: list[str] = []
    sources = _sources_here(vantage, scope)
    for waiver in waivers:
        if not (waiver.to == vantage.host if waiver.source == LOCALHOST else waiver.source in sources):
            continue  # Whether it is still needed shows from where it says.
        if waiver.until < today:
            warnings.append(f"{_name(waiver)} expired on {waiver.until} and no longer counts.")
            continue
        examined = [index for index, verdict in enumerate(listed) if _is_about(waiver, verdict)]
        accepted = [index for index in examined if _accepts(waiver, listed[index])]
        for index in accepted:
            listed[index] = replace(listed[index], waived=waiver.reason)
        left_out = not examined and scope is not None and not _is_looked_at(waiver, scope)
        if not accepted and not left_out and not any(_accepts_less(waiver, listed[index]) for index in examined):
            warnings.append(f"{_name(waiver)} matches nothing: {_why([listed[index] for index in examined])}.")
    return tuple(listed), tuple(warnings)


def _is_looked_at(waiver: Waiver, scope: Scope) -> bool:
    """A run of some hosts or one transport does not say whether a waiver of others is still needed."""
    return scope.asks_for(waiver.ports.transport) and any(host.name == waiver.to for host in scope.hosts)


def _sources_here(vantage: Vantage, scope: Scope | None) -> frozenset[str]:
    """How a waiver may name where we stand: by host, or by a role with or without its document."""
    documents = scope.documents if scope is not None else ()
    hosts = {host.name for host in scope.all_hosts} if scope is not None else set()
    keys = played(documents, vantage.roles or ())
    roles = {
        name
        for document in documents
        for role in document.roles
        if role_key(document, role) in keys
        for name in (role, f"{document.id}:{role}")
    }
    # A name that a host and a role share means the host, as with --from.
    named = {*keys, *(role_label(key) for key in keys), *roles} - hosts
    return frozenset({ANY, vantage.name, *named})


def _is_about(waiver: Waiver, verdict: Verdict) -> bool:
    check = verdict.check
    if waiver.to != check.host or waiver.ports.transport is not check.transport:
        return False
    if waiver.source == LOCALHOST and check.address not in _LOOPBACK:
        return False
    return waiver.ports.first is None if check.port is None else check.port in waiver.ports


def _accepts(waiver: Waiver, verdict: Verdict) -> bool:
    return verdict.outcome in _WAIVABLE and waiver.finding in (None, verdict.finding)


def _accepts_less(waiver: Waiver, verdict: Verdict) -> bool:
    """What it accepts is there, and this run does not mind it anyway: the next one may."""
    minor = verdict.outcome is Outcome.INFO and verdict.finding in _MINOR
    return minor and waiver.finding in (None, verdict.finding)


def _why(examined: list[Verdict]) -> str:
    """Why none of the checks that a waiver is about has what it accepts."""
    if not examined:
        return "no check of this run is about it"
    others = dict.fromkeys(str(v.finding) for v in examined if v.outcome is not Outcome.PASS)
    return f"what is found now is {' and '.join(others)}" if others else "its port is fine now"


def _name(waiver: Waiver) -> str:
    return f"The waiver for {waiver.ports} on {waiver.to}"
