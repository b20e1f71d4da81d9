"""Findings that the site accepts: marked and explained, never hidden, and only until a date. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from portcheck.model import ANY, LOCALHOST, Outcome, Vantage, Verdict, Waiver, role_label

_LOOPBACK = ("127.0.0.1", "::1")
_WAIVABLE = frozenset({Outcome.FAIL, Outcome.WARN, Outcome.INCONCLUSIVE})


def apply_waivers(
    verdicts: Iterable[Verdict], waivers: Iterable[Waiver], vantage: Vantage, today: date
) -> tuple[tuple[Verdict, ...], tuple[str, ...]]:
    """Mark the accepted findings. Also returns one warning for each waiver that has expired or is not needed."""
    listed = list(verdicts)
    warnings: list[str] = []
    for waiver in waivers:
        if not _starts_here(waiver, vantage):
            continue  # Whether it is still needed shows from where it says.
        if waiver.until < today:
            warnings.append(f"{_name(waiver)} expired on {waiver.until} and no longer counts.")
            continue
        examined = [index for index, verdict in enumerate(listed) if _is_about(waiver, verdict)]
        accepted = [index for index in examined if _accepts(waiver, listed[index])]
        for index in accepted:
            listed[index] = replace(listed[index], waived=waiver.reason)
        if not accepted:
            warnings.append(f"{_name(waiver)} matches nothing: {_why([listed[index] for index in examined])}.")
    return tuple(listed), tuple(warnings)


def _starts_here(waiver: Waiver, vantage: Vantage) -> bool:
    if waiver.source == LOCALHOST:
        return waiver.to == vantage.host
    roles = {role_label(role) for role in vantage.roles or ()} | set(vantage.roles or ())
    return waiver.source in {ANY, vantage.name} | roles


def _is_about(waiver: Waiver, verdict: Verdict) -> bool:
    check = verdict.check
    if waiver.to != check.host or waiver.ports.transport is not check.transport:
        return False
    if waiver.source == LOCALHOST and check.address not in _LOOPBACK:
        return False
    return waiver.ports.first is None if check.port is None else check.port in waiver.ports


def _accepts(waiver: Waiver, verdict: Verdict) -> bool:
    return verdict.outcome in _WAIVABLE and waiver.finding in (None, verdict.finding)


def _why(examined: list[Verdict]) -> str:
    """Why none of the checks that a waiver is about has what it accepts."""
    if not examined:
        return "no check of this run is about it"
    others = dict.fromkeys(str(v.finding) for v in examined if v.outcome is not Outcome.PASS)
    return f"what is found now is {' and '.join(others)}" if others else "its port is fine now"


def _name(waiver: Waiver) -> str:
    return f"The waiver for {waiver.ports} on {waiver.to}"
