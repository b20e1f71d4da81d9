"""What a check would send, for the person who has to approve it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from portcheck.engine.probe import Reason, Transport
from portcheck.model import Check, Expect, Own, Plan, SweptPorts, role_labels
from portcheck.ports import format_by_transport
from portcheck.printable import printable
from portcheck.reports import left_out
from portcheck.wording import plural

EXPECT_WORDS = {
    Expect.REACHABLE: "must be reachable",
    Expect.LOCAL_ONLY: "must not be reachable, local only",
    Expect.ALLOWED: "may be open",
    Expect.NOT_OPEN: "must not be open",
    Expect.FREE: "must be free",
    Expect.LOOPBACK_ONLY: "must listen on localhost only",
    Expect.LET_IN: "must be let in by its packet filter",
}
"""Every expectation, in the order in which they are told."""
_EXPECTS = tuple(EXPECT_WORDS)
_Planned = Check | SweptPorts
_NOTHING_SENT = "Nothing is sent: this is about the machine itself."
_FOR_OTHERS = "meant for others, noted when open"

_UNMEASURED_WORDS = {
    None: "",
    Reason.NAME_UNRESOLVED: " (not tested, no address)",
}


def render(plan: Plan, size: str, width: int = 80, lacking: Mapping[Transport, str] | None = None) -> str:
    """The plan as text: the size first, then each host with its ports, then what is not planned.

    Args:
        lacking: the privileges that this process lacks, by what cannot be sent without them.
    """
    lines = [
        *_wrapped(f"{_vantage(plan)}: {plural(plan.size, 'check')}.", width, ""),
        *_wrapped(_NOTHING_SENT if plan.scope.own is Own.ONLY else size, width, ""),
        *(line for text in left_out.circumstances(plan) for line in _wrapped(f"{text}.", width, "")),
        *(line for text in _unsendable(lacking or {}) for line in _wrapped(text, width, "")),
    ]
    for planned in _by_host(plan).values():
        lines += ["", *_wrapped(_heading(plan, _check(planned[0])), width, "")]
        lines += _ports(planned, width)
    others = list(left_out.lines(plan))
    if others:
        lines += ["", "Not planned"]
        lines += [line for text in others for line in _wrapped(f"- {text}", width)]
    return "\n".join(lines) + "\n"


def _unsendable(lacking: Mapping[Transport, str]) -> Iterator[str]:
    return (f"This process may not send {name}: that takes {privilege}." for name, privilege in lacking.items())


def _vantage(plan: Plan) -> str:
    vantage = plan.scope.vantage
    name = "this machine" if vantage.roles is None else vantage.name
    roles = role_labels(sorted(vantage.roles or ()))
    details = [part for part in (vantage.machine, roles) if part and part != name]
    return f"From {name} ({', '.join(details)})" if details else f"From {name}"


def _by_host(plan: Plan) -> dict[tuple[str, str | None, bool], list[_Planned]]:
    """What is planned for each address, in the order of the hosts; what a machine finds out of itself is apart."""
    order = {host.name: number for number, host in enumerate(plan.scope.hosts)}
    everything: list[_Planned] = [*plan.checks, *plan.sweeps]
    by_host: dict[tuple[str, str | None, bool], list[_Planned]] = {}
    for planned in sorted(everything, key=lambda planned: order.get(_check(planned).host, 0)):
        check = _check(planned)
        by_host.setdefault((check.host, check.address, check.is_own), []).append(planned)
    return by_host


def _heading(plan: Plan, check: Check) -> str:
    if not check.is_own:
        return _with_details(check.host, check.address or "no address", check.role)
    if plan.scope.vantage.machine:
        machine = _with_details("this machine", check.host, check.role)
    else:  # A plan can be made for another machine of the site.
        machine = _with_details(f"{check.host} itself", check.role)
    return f"{machine}, nothing is sent for it"


def _with_details(name: str, *details: str) -> str:
    given = [detail for detail in details if detail and detail != name]
    return f"{name} ({', '.join(given)})" if given else name


def _check(planned: _Planned) -> Check:
    """The check, of swept ports the first one's."""
    return planned if isinstance(planned, Check) else planned.first


def _ports(listed: list[_Planned], width: int) -> list[str]:
    groups: dict[str, list[tuple[Transport, int | None]]] = {}
    for planned in sorted(listed, key=_rank):
        check = _check(planned)
        words = _FOR_OTHERS if check.named_for else EXPECT_WORDS[check.expect]
        remark = _UNMEASURED_WORDS[check.unmeasured.reason if check.unmeasured else None]
        ports = (check.port,) if isinstance(planned, Check) else planned.numbers()
        groups.setdefault(words + remark, []).extend((check.transport, port) for port in ports)
    return [
        line for words, ports in groups.items() for line in _wrapped(f"{words}: {format_by_transport(ports)}", width)
    ]


def _rank(planned: _Planned) -> tuple[int, bool]:
    check = _check(planned)
    return _EXPECTS.index(check.expect), bool(check.named_for)


def _wrapped(text: str, width: int, indent: str = "  ") -> list[str]:
    return textwrap.wrap(
        printable(text), width, initial_indent=indent, subsequent_indent=indent + "    ", break_on_hyphens=False
    )
