"""From verdicts to causes: one thing to act on for each, not one line for each port. Pure.

A cause is tried in the order of CAUSES; a verdict belongs to the first that takes it. Within a cause, ports
that fail on the same hosts are one diagnosis: a port that every master drops is one rule on the way, and
twenty ports of one host are that host.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from portcheck.diagnosis.causes import CAUSES, Cause
from portcheck.diagnosis.group import GRAVITY, Context, Group
from portcheck.model import Diagnosis, Selection, Vantage, Verdict

_SWEPT_NAMED = 24
_NOTHING_SELECTED = Selection()


def diagnose(
    verdicts: tuple[Verdict, ...],
    vantage: Vantage,
    titles: Mapping[str, str],
    secrets: frozenset[str] = frozenset(),
    selection: Selection = _NOTHING_SELECTED,
) -> tuple[Diagnosis, ...]:
    """Every verdict that is not well and not waived, in as few diagnoses as there are causes; gravest first.

    Args:
        titles: of the documents, by id.
        secrets: those that were given, by field name of Secrets.
        selection: what the user asked for, for the commands that she is told.
    """
    open_ones = [v for v in verdicts if v.outcome in GRAVITY and v.waived is None]
    context = Context(vantage, titles, _hosts_by_role(verdicts), verdicts, secrets, selection)
    found: list[Diagnosis] = []
    for cause in CAUSES:
        taken = cause.takes(open_ones, verdicts)
        if taken:
            ids = {id(verdict) for verdict in taken}
            open_ones = [verdict for verdict in open_ones if id(verdict) not in ids]
            found.extend(_describe(cause, Group(group, context)) for group in cause.groups(taken))
    return tuple(sorted(found, key=lambda diagnosis: GRAVITY.index(diagnosis.outcome)))


def _describe(cause: Cause, group: Group) -> Diagnosis:
    return Diagnosis(
        cause=cause.name,
        outcome=min((v.outcome for v in group.verdicts), key=GRAVITY.index),
        headline=cause.headline(group),
        lines=(*cause.evidence(group), *group.services, *group.places),
        remedy=cause.remedy(group),
        checks=tuple(_ids(group.verdicts)),
        count=group.check_count,
    )


def _ids(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """Of every check by itself; of swept ports with one answer the first few, which stand for thousands."""
    swept_left = _SWEPT_NAMED
    for verdict in verdicts:
        if not verdict.alike:
            yield verdict.check.id
        for port in verdict.alike[:swept_left]:
            swept_left -= 1
            yield f"{verdict.check.id.rpartition('/')[0]}/{port}"


def _hosts_by_role(verdicts: tuple[Verdict, ...]) -> dict[str, frozenset[str]]:
    hosts: dict[str, set[str]] = {}
    for verdict in verdicts:
        if verdict.check.is_own:
            continue  # "Every master" are those that were asked over the network.
        for role in filter(None, verdict.check.role.split(", ")):
            hosts.setdefault(role, set()).add(verdict.check.host)
    return {role: frozenset(names) for role, names in hosts.items()}
