"""What a check would send, for the person who has to approve it."""

from __future__ import annotations

import textwrap

from portcheck.engine.probe import Reason, Transport
from portcheck.model import Check, Expect, Plan, role_labels
from portcheck.ports import format_by_transport
from portcheck.printable import printable
from portcheck.reports import left_out
from portcheck.wording import plural

_EXPECT_WORDS = {
    Expect.REACHABLE: "must be reachable",
    Expect.LOCAL_ONLY: "must not be reachable, local only",
    Expect.ALLOWED: "may be open",
    Expect.NOT_OPEN: "must not be open",
}
_EXPECTS = tuple(_EXPECT_WORDS)
_FOR_OTHERS = "meant for others, noted when open"

_UNMEASURED_WORDS = {
    None: "",
    Reason.UNSUPPORTED: " (not tested by this version)",
    Reason.NAME_UNRESOLVED: " (not tested, no address)",
}


def render(plan: Plan, size: str, width: int = 80) -> str:
    """The plan as text: the size first, then each host with its ports, then what is not planned."""
    lines = [
        *_wrapped(f"{_vantage(plan)}: {plural(len(plan.checks), 'check')}.", width, ""),
        *_wrapped(size, width, ""),
        *(line for text in left_out.circumstances(plan) for line in _wrapped(f"{text}.", width, "")),
    ]
    by_host: dict[tuple[str, str], list[Check]] = {}
    for check in plan.checks:
        by_host.setdefault((check.host, check.address or "no address"), []).append(check)
    for (host, address), checks in by_host.items():
        details = [part for part in (address, checks[0].role) if part and part != host]
        lines += ["", *_wrapped(f"{host} ({', '.join(details)})" if details else host, width, "")]
        lines += _ports(checks, width)
    others = list(left_out.lines(plan))
    if others:
        lines += ["", "Not planned"]
        lines += [line for text in others for line in _wrapped(f"- {text}", width)]
    return "\n".join(lines) + "\n"


def _vantage(plan: Plan) -> str:
    vantage = plan.scope.vantage
    name = "this machine" if vantage.roles is None else vantage.name
    roles = role_labels(sorted(vantage.roles or ()))
    details = [part for part in (vantage.machine, roles) if part and part != name]
    return f"From {name} ({', '.join(details)})" if details else f"From {name}"


def _ports(checks: list[Check], width: int) -> list[str]:
    groups: dict[str, list[tuple[Transport, int | None]]] = {}
    for check in sorted(checks, key=lambda check: (_EXPECTS.index(check.expect), bool(check.named_for))):
        words = _FOR_OTHERS if check.named_for else _EXPECT_WORDS[check.expect]
        remark = _UNMEASURED_WORDS[check.unmeasured.reason if check.unmeasured else None]
        groups.setdefault(words + remark, []).append((check.transport, check.port))
    return [
        line for words, ports in groups.items() for line in _wrapped(f"{words}: {format_by_transport(ports)}", width)
    ]


def _wrapped(text: str, width: int, indent: str = "  ") -> list[str]:
    return textwrap.wrap(
        printable(text), width, initial_indent=indent, subsequent_indent=indent + "    ", break_on_hyphens=False
    )
