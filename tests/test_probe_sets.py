"""What the engine is asked for a plan: every port once, swept ports in bulk, and ports that nobody expects."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcheck.engine.probe import Answered, Observation, PortState, Probe, ProbeSet, Reason, Tally, Transport
from portcheck.measured import Measured
from portcheck.model import Family, Host, Listen, NamedPorts, Plan, Scope, Sweep, SweepKind, Vantage
from portcheck.plan import plan
from portcheck.ports import parse_ports
from portcheck.probe_sets import of_plan, ports_by_address, probe_sets
from tests.samples import HERE, PATIENT, document, host, row

SSH = (NamedPorts(parse_ports("22/tcp")[0], "ssh"),)
EVERY_PORT = Sweep(SweepKind.ALL)
WEB = host("web", "10.0.0.1")


def planned(*hosts: Host, sweep: str = "1000-1999", vantage: Vantage = HERE) -> Plan:
    swept = Sweep(SweepKind.PORTS, parse_ports(f"{sweep}/tcp")) if sweep else Sweep(SweepKind.NONE)
    return plan(Scope((), hosts or (WEB,), vantage, extra=SSH, sweep=swept))


def sets(of: Plan, kept: Measured | None = None, evidence: bool = False) -> list[ProbeSet]:
    return list(probe_sets(of, seed=1, evidence=evidence, kept=kept))


def closed(port: int, source: str | None = None) -> Observation:
    return Observation(Probe("10.0.0.1", Transport.TCP, port, source), PortState.CLOSED, Reason.CONN_REFUSED)


def tally(*ports: int, source: str | None = None, address: str = "10.0.0.1") -> Tally:
    return Tally(address, source, PortState.CLOSED, Reason.CONN_REFUSED, array("H", ports), len(ports))


def test_swept_ports_are_asked_in_bulk_and_all_others_singly() -> None:
    (asked,) = sets(planned())
    assert (asked.address, asked.source_address) == ("10.0.0.1", None)
    assert list(asked.singly) == [22]
    assert list(asked.in_bulk) == list(range(1000, 2000))


def test_with_evidence_every_port_is_asked_singly() -> None:
    (asked,) = sets(planned(), evidence=True)
    assert (list(asked.singly), list(asked.in_bulk)) == ([22, *range(1000, 2000)], [])


def test_an_address_that_two_hosts_share_is_asked_once() -> None:
    (asked,) = sets(planned(WEB, host("other", "10.0.0.1")))
    assert (list(asked.singly), len(asked.in_bulk)) == ([22], 1000)


def test_each_address_is_asked_from_its_own_source() -> None:
    vantage = Vantage("a1", frozenset(), sources={Family.IPV4: "10.0.0.9"})
    both = host("web", "10.0.0.1", "fd00::1")
    assert [(one.address, one.source_address) for one in sets(planned(both, vantage=vantage))] == [
        ("10.0.0.1", "10.0.0.9"),
        ("fd00::1", None),
    ]


def test_ports_are_counted_by_address() -> None:
    assert ports_by_address(planned(WEB, host("db", "10.0.0.2", unresolved="gone"))) == {
        "10.0.0.1": 1001,
        "10.0.0.2": 1001,
    }


# -------------------------------------------------------------------------------------------------- resuming


def test_what_is_known_is_not_asked_again() -> None:
    known = Measured([closed(22), tally(*range(1000, 1900)), closed(1950)])
    (asked,) = sets(planned(), known)
    assert list(asked.singly) == []
    assert list(asked.in_bulk) == [*range(1900, 1950), *range(1951, 2000)]


def test_an_address_of_which_everything_is_known_is_left_alone() -> None:
    assert sets(planned(), Measured([closed(22), tally(*range(1000, 2000))])) == []


KEPT: dict[str, tuple[list[Answered], int]] = {
    "asked": ([closed(22)], 1),
    "swept": ([closed(1500)], 1),
    "another port": ([closed(23)], 0),
    "another address": ([tally(1000, address="10.0.0.2")], 0),
    "from another source": ([closed(22, "10.0.0.9"), tally(1000, source="10.0.0.9")], 0),
    "some of them": ([tally(1, 22, 1000, 1999, 2000)], 3),
}


@pytest.mark.parametrize(("answers", "number"), KEPT.values(), ids=KEPT)
def test_of_an_earlier_run_only_what_the_plan_asks_for_is_kept(answers: list[Answered], number: int) -> None:
    assert Measured(of_plan(planned(), answers)).kept == number


@PATIENT
@given(st.sets(st.integers(990, 2010)), st.booleans())
def test_together_with_what_is_known_every_port_is_asked_once(known: set[int], evidence: bool) -> None:
    kept = Measured(of_plan(planned(), [tally(*known)] if known else []))
    asked = [port for one in sets(planned(), kept, evidence) for port in (*one.singly, *one.in_bulk)]
    assert sorted([*asked, *(known & {22, *range(1000, 2000)})]) == [22, *range(1000, 2000)]


# ---------------------------------------------------------------------------------------------------- decoys


DOCUMENT = document(row("5000-40000/tcp"), row("41000-60000/tcp", listen=Listen.SOME, to="agent"))


def test_decoys_are_ports_that_nobody_expects() -> None:
    target = host("m1", "10.0.0.1", roles=["doc:master"], offers=parse_ports("60001-65000/tcp"))
    scope = Scope((DOCUMENT,), (target,), HERE, sweep=Sweep(SweepKind.PORTS, parse_ports("1024-2000/tcp")))
    planned = plan(scope)
    drawn = [one.decoys for seed in range(20) for one in probe_sets(planned, seed=seed)]
    assert {len(set(decoys)) for decoys in drawn} == {2}
    for port in {port for decoys in drawn for port in decoys}:
        assert port > 2000, "neither privileged nor swept"
        assert not 5000 <= port <= 40000, "not documented"
        assert not 41000 <= port <= 65000, "neither documented nor offered"


def test_decoys_are_the_same_for_the_same_seed_and_differ_between_addresses() -> None:
    both = planned(WEB, host("db", "10.0.0.2"))
    first, again, other = (list(probe_sets(both, seed=seed)) for seed in (1, 1, 2))
    assert [one.decoys for one in first] == [one.decoys for one in again]
    assert len({one.decoys for one in (*first, *other)}) == 4


def test_where_all_ports_are_swept_decoys_are_swept_ports_and_where_all_are_required_there_are_none() -> None:
    (swept,) = sets(plan(Scope((), (WEB,), HERE, sweep=EVERY_PORT)))
    assert len(set(swept.decoys)) == 2
    wanted = (NamedPorts(parse_ports("1-65535/tcp")[0]),)
    (required,) = sets(plan(Scope((), (WEB,), HERE, extra=wanted, sweep=Sweep(SweepKind.NONE))))
    assert required.decoys == ()


def test_a_host_of_which_a_document_has_every_port_has_decoys_that_are_only_not_expected_there() -> None:
    of = document(row("1-65535/tcp", to="agent", listen=Listen.SOME), row("22/tcp"))
    scope = Scope((of,), (host("m1", "10.0.0.1", roles=["doc:master"]),), HERE, sweep=Sweep(SweepKind.NONE))
    (asked,) = probe_sets(plan(replace(scope, extra=SSH)), seed=3)
    assert len(set(asked.decoys) - {22}) == 2
