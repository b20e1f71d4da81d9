"""Accepted findings: marked until a day, never hidden, and said when they are not needed."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from portcheck.engine.probe import PortState, Reason, Transport
from portcheck.facts import Facts
from portcheck.model import Check, Expect, Finding, Outcome, Phase, Role, Scope, Unexpected, Vantage, Verdict, Waiver
from portcheck.ports import parse_ports
from portcheck.verdict import Strictness, judge
from portcheck.waivers import apply_waivers
from tests.samples import check, document, host, observation, row

TODAY = date(2026, 6, 15)
AGENT = Vantage("a1", frozenset({"doc:agent"}), "a1", machine="machine")
ALIVE = Facts(answered=3, alive=True)
STATES = {
    "open": (PortState.OPEN, Reason.SYN_ACK),
    "closed": (PortState.CLOSED, Reason.CONN_REFUSED),
    "blocked": (PortState.FILTERED, Reason.NO_RESPONSE),
    "unknown": (PortState.UNKNOWN, Reason.NO_ROUTE),
}


def found(state: str, target: Check | None = None) -> Verdict:
    return judge(target or check(Expect.NOT_OPEN), observation(*STATES[state]), ALIVE, Phase.INSTALLED)


def waiver(
    port: str = "22/tcp",
    to: str = "m1",
    source: str = "any",
    finding: Finding | None = None,
    until: date = TODAY,
) -> Waiver:
    (ports,) = parse_ports(port)
    return Waiver(to, source, ports, finding, "old proxy", until)


def waived(verdict: Verdict, *waivers: Waiver, vantage: Vantage = AGENT) -> tuple[str | None, tuple[str, ...]]:
    (after,), warnings = apply_waivers([verdict], waivers, vantage, TODAY)
    assert (after.outcome, after.finding, after.because) == (verdict.outcome, verdict.finding, verdict.because)
    return after.waived, warnings


@pytest.mark.parametrize("state", ["open", "unknown"])
def test_an_accepted_finding_is_marked_and_stays_what_it_is(state: str) -> None:
    assert waived(found(state), waiver()) == ("old proxy", ())


def test_a_warning_can_be_accepted() -> None:
    verdict = found("blocked", check(Expect.REACHABLE))
    assert verdict.outcome is Outcome.FAIL
    assert waived(verdict, waiver(finding=Finding.BLOCKED)) == ("old proxy", ())


MATCHES = {
    "from any": (waiver(source="any"), True),
    "from this host": (waiver(source="a1"), True),
    "from its role": (waiver(source="agent"), True),
    "from its role in full": (waiver(source="doc:agent"), True),
    "the finding": (waiver(finding=Finding.UNEXPECTED_OPEN), True),
    "a range": (waiver("20-25/tcp"), True),
    "its last day": (waiver(until=TODAY), True),
    "later": (waiver(until=date(2027, 1, 31)), True),
    "another host": (waiver(to="m2"), False),
    "another port": (waiver("23/tcp"), False),
    "a range beside it": (waiver("23-25/tcp"), False),
    "another transport": (waiver("22/udp"), False),
    "a protocol": (waiver("gre"), False),
    "another finding": (waiver(finding=Finding.EXPOSED), False),
    "yesterday": (waiver(until=date(2026, 6, 14)), False),
}


@pytest.mark.parametrize(("accepted", "matches"), MATCHES.values(), ids=MATCHES)
def test_what_a_waiver_is_about(accepted: Waiver, matches: bool) -> None:
    reason, warnings = waived(found("open"), accepted)
    assert reason == ("old proxy" if matches else None)
    assert len(warnings) == (not matches)


ELSEWHERE = [waiver(source="m1"), waiver(source="master"), waiver(source="internet"), waiver(source="localhost")]


@pytest.mark.parametrize("accepted", [*ELSEWHERE, waiver(source="m1", until=date(2020, 1, 1))])
def test_a_waiver_from_elsewhere_neither_counts_here_nor_warns(accepted: Waiver) -> None:
    assert waived(found("open"), accepted) == (None, ())


def test_a_role_does_not_stand_for_its_hosts_as_a_target() -> None:
    """A host may be called like a role: its waiver must not excuse every host of that role."""
    verdict = found("open", check(Expect.NOT_OPEN, host="m1", role="master"))
    assert waived(verdict, waiver(to="master"))[0] is None
    assert waived(verdict, waiver(to="any"))[0] is None


def test_from_localhost_accepts_what_is_seen_inside_the_host_and_nothing_else() -> None:
    inside = check(Expect.REACHABLE, host="a1", address="127.0.0.1")
    outside = check(Expect.REACHABLE, host="a1", address="10.0.0.11")
    accepted = waiver(to="a1", source="localhost")
    assert waived(found("closed", inside), accepted) == ("old proxy", ())
    reason, (warning,) = waived(found("closed", outside), accepted)
    assert reason is None
    assert "matches nothing" in warning


def test_protocols_without_ports_can_be_accepted() -> None:
    tunnel = check(Expect.REACHABLE, transport=Transport.GRE, port=None)
    assert waived(found("unknown", tunnel), waiver("gre")) == ("old proxy", ())
    assert waived(found("unknown", tunnel), waiver("1-65535/tcp"))[0] is None


WARNINGS = {
    "expired": (
        "open",
        waiver(until=date(2026, 6, 14)),
        "The waiver for 22/tcp on m1 expired on 2026-06-14 and no longer counts.",
    ),
    "not needed": ("closed", waiver(), "The waiver for 22/tcp on m1 matches nothing: its port is fine now."),
    "something worse": (
        "open",
        waiver(finding=Finding.BLOCKED),
        "The waiver for 22/tcp on m1 matches nothing: what is found now is unexpected-open.",
    ),
    "not checked": (
        "open",
        waiver("8000-8080/tcp"),
        "The waiver for 8000-8080/tcp on m1 matches nothing: no check of this run is about it.",
    ),
}


@pytest.mark.parametrize(("state", "accepted", "warning"), WARNINGS.values(), ids=WARNINGS)
def test_a_waiver_that_does_nothing_is_said(state: str, accepted: Waiver, warning: str) -> None:
    assert waived(found(state), accepted) == (None, (warning,))


def test_an_expired_waiver_does_not_end_another() -> None:
    reason, warnings = waived(found("open"), waiver(until=date(2020, 1, 1)), waiver())
    assert reason == "old proxy"
    assert len(warnings) == 1


def test_one_waiver_accepts_every_port_of_its_range_and_no_other_verdict() -> None:
    targets = [check(Expect.NOT_OPEN, port=port, id=str(port)) for port in (21, 22, 23)]
    verdicts, warnings = apply_waivers([found("open", t) for t in targets], [waiver("21-22/tcp")], AGENT, TODAY)
    assert [verdict.waived for verdict in verdicts] == ["old proxy", "old proxy", None]
    assert warnings == ()


def test_without_waivers_nothing_changes() -> None:
    verdicts = (found("open"), found("closed"))
    assert apply_waivers(verdicts, [], AGENT, TODAY) == (verdicts, ())


# ------------------------------------------------------------------------------------------ roles that include

DOMAIN = document(
    row("22/tcp", "member", "controller"),
    roles={
        "member": Role("member", "member", includes=("client",)),
        "controller": Role("controller", "controller", includes=("member",)),
        "client": Role("client", "client", external=True),
    },
)


def scope_of(vantage: Vantage, *names: str, **fields: Any) -> Scope:
    return Scope((DOMAIN,), tuple(host(name, "10.0.0.1") for name in names or ("m1",)), vantage, **fields)


@pytest.mark.parametrize("source", ["client", "doc:client", "member", "doc:member", "controller"])
def test_a_waiver_counts_from_every_role_that_we_have_through_ours(source: str) -> None:
    here = Vantage("dc", frozenset({"doc:controller"}), "dc", machine="machine")
    (after,), warnings = apply_waivers([found("open")], [waiver(source=source)], here, TODAY, scope_of(here))
    assert (after.waived, warnings) == ("old proxy", ())


def test_a_waiver_from_a_role_that_includes_ours_does_not_count() -> None:
    here = Vantage("pc", frozenset({"doc:member"}), "pc", machine="machine")
    (after,), warnings = apply_waivers([found("open")], [waiver(source="controller")], here, TODAY, scope_of(here))
    assert (after.waived, warnings) == (None, ())


def test_a_waiver_of_what_this_run_ignores_is_still_needed() -> None:
    ignoring = Strictness(unexpected=Unexpected.IGNORE)
    verdict = judge(check(Expect.NOT_OPEN), observation(*STATES["open"]), ALIVE, Phase.INSTALLED, ignoring)
    assert waived(verdict, waiver(finding=Finding.UNEXPECTED_OPEN)) == (None, ())
    (_, warnings) = waived(verdict, waiver(finding=Finding.EXPOSED))
    assert len(warnings) == 1


def test_a_name_that_a_host_and_a_role_share_means_the_host() -> None:
    here = Vantage("dc", frozenset({"doc:controller"}), "dc", machine="machine")
    scope = scope_of(here, "m1", "member")
    (after,), _ = apply_waivers([found("open")], [waiver(source="member")], here, TODAY, scope)
    assert after.waived is None


def test_a_run_of_other_hosts_or_another_transport_does_not_call_a_waiver_useless() -> None:
    here = Vantage("dc", frozenset({"doc:controller"}), "dc", machine="machine")
    elsewhere = [waiver(to="m2"), waiver("53/udp")]
    only_tcp = scope_of(here, "m1", transports=frozenset({Transport.TCP}))
    assert apply_waivers([found("closed")], elsewhere, here, TODAY, only_tcp)[1] == ()
    assert len(apply_waivers([found("closed")], [waiver("53/udp")], here, TODAY, scope_of(here))[1]) == 1


@pytest.mark.parametrize("finding", [None, Finding.OPEN_TO_OTHERS])
def test_a_waiver_for_the_strict_run_is_not_useless_in_others(finding: Finding | None) -> None:
    verdict = found("open", check(Expect.NOT_OPEN, named_for=("master",)))
    assert verdict.outcome is Outcome.INFO
    assert waived(verdict, waiver(finding=finding)) == (None, ())
