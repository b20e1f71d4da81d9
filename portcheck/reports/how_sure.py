"""How sure the passes of a run are before an install, and what would make them certain: the lines at its top."""

from __future__ import annotations

from collections.abc import Iterator

from portcheck import commands
from portcheck.engine.probe import PortState
from portcheck.model import Certainty, Own, Run, Sight, Verdict
from portcheck.ports import format_by_transport
from portcheck.wording import listed, plural

_NAMED = 3
"""Hosts whose ports are told one by one."""


def before_install(run: Run) -> Iterator[str]:
    """One sentence each: which stand-ins were heard, and why passes are weak."""
    weak = [v for v in run.verdicts if v.certainty is Certainty.WEAK and v.observation.state is PortState.CLOSED]
    refused = [v for v in weak if not v.check.is_own]
    if run.plan.scope.stand_ins and run.plan.scope.own is not Own.ONLY:
        yield from _stand_ins(run)
    if refused:
        passes = plural(sum(v.count for v in refused), "pass is", "passes are")
        why = f"{passes} weak: a firewall that resets connections looks like a port that is free."
        yield f"{why} {_certain(run, refused)}"
    if untried := [v for v in weak if v.check.is_own]:
        passes = plural(len(untried), "pass is", "passes are")
        yield f"{passes} weak: this user may not try these ports. As root it is certain."


def _stand_ins(run: Run) -> Iterator[str]:
    """Which hosts' stand-ins were heard, and which not."""
    asked: dict[str, set[Sight]] = {}
    for verdict in run.verdicts:
        if verdict.seen.sight is not Sight.NONE:
            asked.setdefault(verdict.check.host, set()).add(verdict.seen.sight)
    heard = [host for host, sights in asked.items() if any(sight.is_heard for sight in sights)]
    unheard = [host for host in asked if host not in heard]
    if not asked:
        yield "No port of this run is one for stand-ins: the key was not used."
    elif not unheard:
        yield f"Stand-ins were heard on {_all(heard)}."
    elif not heard:
        yield f"No stand-in was heard on {listed(unheard)}."
    else:
        yield f"Stand-ins were heard on {listed(heard)}, and none on {listed(unheard)}."


def _all(hosts: list[str]) -> str:
    return hosts[0] if len(hosts) == 1 else f"all {len(hosts):,} hosts ({listed(hosts)})"


def _certain(run: Run, refused: list[Verdict]) -> str:
    """What makes these passes certain."""
    by_host: dict[str, list[Verdict]] = {}
    for verdict in refused:
        by_host.setdefault(verdict.check.host, []).append(verdict)
    if run.plan.scope.stand_ins:
        # Where there are stand-ins, only what they could not open is weak.
        lacking = [f"{format_by_transport(k for v in of for k in v.keys)} on {host}" for host, of in by_host.items()]
        return f"The stand-ins could not open {listed(lacking, _NAMED, '; ')}: start them there as root."
    first = next(iter(by_host))
    take_key = f"--key-file {commands.KEY_FILE}"
    others = f"start theirs alike, each with its own name and {take_key}; " if len(by_host) > 1 else ""
    return (
        f"To be certain, run on {first}: {commands.listen(run.selection, first)}. "
        f"{commands.copy_key(len(by_host))}; {others}then this check with {take_key}."
    )
