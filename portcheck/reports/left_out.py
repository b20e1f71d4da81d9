"""What a plan leaves out, as lines for a person: why, how much, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

from portcheck.model import Gap, NotPlanned, Plan
from portcheck.wording import plural

_HEADINGS = {
    Gap.STARTS_ELSEWHERE: "Start elsewhere, run portcheck there",
    Gap.NO_HOST_FOR_ROLE: "Without a host",
    Gap.RANGE_OF_SOME: "Ranges in which nothing has to listen, so that the paths to them are not tested",
    Gap.FEATURE_OFF: "Not in use, so their ports must not be open",
    Gap.FEATURE_UNSTATED: "Not said whether in use (--feature NAME or NAME=no), so their ports may be open or not",
    Gap.WITHOUT: "Left out by the site file",
    Gap.FAMILY_WITHOUT_ROUTE: "Addresses left out",
    Gap.ITSELF: "This machine",
}


_NAMED_IN_FULL = 3
"""More features than that are named without what they are: Windows has thirty."""


def lines(plan: Plan) -> Iterator[str]:
    """One line for each reason that leaves something out, in the order of the table."""
    for gap, heading in _HEADINGS.items():
        entries = [entry for entry in plan.not_planned if entry.gap is gap and not _is_circumstance(entry)]
        names = [entry.name for entry in entries if entry.name]
        if len(names) > _NAMED_IN_FULL:
            having = [document for document in plan.scope.documents if set(names) & set(document.features)]
            shown = " and ".join(document.path or document.id for document in having)
            yield f"{heading}: {', '.join(names)}. What they are: portcheck documents show {shown}"
        elif entries:
            yield f"{heading}: {'; '.join(_said(entry) for entry in entries)}"


def circumstances(plan: Plan) -> Iterator[str]:
    """What leaves nothing out but changes what the results mean."""
    return (entry.text for entry in plan.not_planned if _is_circumstance(entry))


def _is_circumstance(entry: NotPlanned) -> bool:
    return entry.gap is Gap.ITSELF and not entry.flows


def _said(entry: NotPlanned) -> str:
    if entry.gap is Gap.STARTS_ELSEWHERE:
        return f"{plural(entry.flows, 'flow')} at {entry.text}"
    if entry.gap is Gap.NO_HOST_FOR_ROLE:
        return f"{plural(entry.flows, 'flow')}, {entry.text}"
    return entry.text
