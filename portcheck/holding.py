"""Who has a port, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from portcheck.addresses import literal
from portcheck.engine.probe import Holder, Observation
from portcheck.model import NOT_SEEN, Seen
from portcheck.printable import printable
from portcheck.wording import listed

_HOLDERS_NAMED = 3
_MAX_NAME = 60


def holders(observation: Observation, seen: Seen = NOT_SEEN) -> tuple[Holder, ...]:
    """Who has the port, as far as it is known: of our own port, or by the word of the target's stand-in."""
    listening = tuple(holder for holder in observation.holders if not holder.connected)
    # Our own stand-in gives way; who has the port beside it is the news.
    others = tuple(holder for holder in listening if not holder.stand_in)
    told = (seen.holder,) if seen.holder is not None else ()
    return others or listening or observation.holders or told


UNNAMED = ("somebody", "a process", "another")
"""How the words for one begin that has no name."""


def who_holds(having: Iterable[Holder]) -> str:
    """`java (PID 812, unit dcos-mesos.service)`; in the middle of a sentence."""
    return listed(list(dict.fromkeys(_holder(holder) for holder in having)), _HOLDERS_NAMED) or "somebody"


def _holder(holder: Holder) -> str:
    unit = f"unit {printable(holder.unit, _MAX_NAME)}" if holder.unit else ""
    pid = f"PID {holder.pid}" if holder.pid is not None else ""
    user = f"user id {holder.uid}" if holder.uid is not None and not pid else ""
    known = ", ".join(filter(None, (pid, user, unit)))
    process = printable(holder.process, _MAX_NAME) if holder.process else "a process" if known else "somebody"
    if holder.stand_in:
        process = "another stand-in of portcheck"
    return f"{process} ({known})" if known else process


def is_loopback(address: str) -> bool:
    """Whether only the machine itself can reach what is bound to this address."""
    found = literal(address)
    mapped = getattr(found, "ipv4_mapped", None)
    return found is not None and (found.is_loopback or (mapped is not None and bool(mapped.is_loopback)))
