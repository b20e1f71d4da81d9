"""What becomes a check: rows of documents, hosts, vantages, features, sweeps. Expected values are from the design."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcheck.documents import find
from portcheck.engine.probe import PortState, Probe, Reason, Transport
from portcheck.facts import Facts
from portcheck.model import (
    ANY,
    INTERNET,
    LOCALHOST,
    Address,
    Answers,
    Check,
    Document,
    Expect,
    Expectation,
    Family,
    Gap,
    Host,
    Level,
    Listen,
    NamedPorts,
    NotPlanned,
    Own,
    Phase,
    Plan,
    Scope,
    Sweep,
    SweepKind,
    UnitKind,
    Vantage,
    Waiver,
    Without,
    role_key,
)
from portcheck.plan import plan
from portcheck.ports import format_ports, parse_ports
from portcheck.probe_sets import ports_by_address
from portcheck.verdict import judge
from tests.samples import (
    EXTERNAL_ROLES,
    HERE,
    OWN_ROLES,
    PATIENT,
    address,
    at,
    by_port,
    claimed,
    cluster,
    document,
    every_check,
    features,
    gaps,
    host,
    observation,
    row,
    site,
    the,
)

REACH, LOCAL, ALLOWED, NOT_OPEN = Expect.REACHABLE, Expect.LOCAL_ONLY, Expect.ALLOWED, Expect.NOT_OPEN
NO_SWEEP = Sweep(SweepKind.NONE)
DCOS = find("dcos-1.11")
QUMULO = find("qumulo-core")
MASTER, AGENT = "dcos-1.11:master", "dcos-1.11:agent"
NODES = (*cluster(DCOS, masters=2, agents=2), host("t1", "10.0.0.53", roles=["ntp"], external=True))


def extra(text: str, service: str | None = None) -> tuple[NamedPorts, ...]:
    return tuple(NamedPorts(ports, service) for ports in parse_ports(text))


# --------------------------------------------------------------------------------------- the shipped documents

LOCAL_TO_MASTERS = {1337, 7070, 8101, 8200, 8888, 9990, 15055}
ENTERPRISE_LOCAL = {1337, 8101, 8200, 8888}
# fmt: off
TO_MASTERS = {
    53, 80, 443, 2181, 3888, 5050, 8080, 8123, 8181, 8443, 9090, 9443,
    61003, 61053, 61091, 61420, 62053, 62080, 62501, 62502,
}
TO_AGENTS = {53, 5051, 61001, 61002, 61003, 61091, 61420, 62053, 62080, 62501, 62502}
# fmt: on
BETWEEN_MASTERS = {15101, 15201}
ONLY_ON_AGENTS = {5051, 61001, 61002}


def test_a_dcos_agent_sees_a_master() -> None:
    planned = plan(site([DCOS], NODES, "a1"))
    assert by_port(planned, "m1", REACH) == TO_MASTERS
    assert by_port(planned, "m1", LOCAL) == LOCAL_TO_MASTERS
    assert by_port(planned, "m1", ALLOWED) == set()
    assert by_port(planned, "m1", NOT_OPEN) == BETWEEN_MASTERS | {62500} | ONLY_ON_AGENTS
    assert by_port(planned, "m1", REACH, Transport.UDP) == {53, 61053, 62053, 64000}


def test_a_dcos_agent_sees_another_agent() -> None:
    planned = plan(site([DCOS], NODES, "a1"))
    assert by_port(planned, "a2", REACH) == TO_AGENTS
    # Everything else that the document names lies in a range for tasks, which may be open or not.
    assert by_port(planned, "a2", NOT_OPEN) == {80, 443, 2181, 3888, 5050, 8080, 8181, 61053, 62500} | BETWEEN_MASTERS
    assert by_port(planned, "a2", LOCAL) == by_port(planned, "a2", ALLOWED) == set()
    assert by_port(planned, "a2", REACH, Transport.UDP) == {53, 62053, 64000}


def test_an_explicit_port_wins_over_the_range_that_it_lies_in() -> None:
    """15101 is between masters and agents; for an agent it is not one of the ports for tasks (8182-32000)."""
    check = the(plan(site([DCOS], NODES, "a1")), "a1>a2/ipv4/tcp/15101")
    assert (check.expect, check.named_for) == (NOT_OPEN, ("master",))
    verdict = judge(check, observation(PortState.OPEN, Reason.SYN_ACK), Facts(1, True), Phase.INSTALLED)
    assert verdict.finding == "open-to-others"


def test_a_dcos_master_sees_the_cluster() -> None:
    planned = plan(site([DCOS], NODES, "m1"))
    assert by_port(planned, "m2", REACH) == TO_MASTERS | BETWEEN_MASTERS
    assert by_port(planned, "m2", ALLOWED) == {62500}
    assert by_port(planned, "a1", REACH) == TO_AGENTS | BETWEEN_MASTERS
    assert by_port(planned, "t1", transport=Transport.UDP) == {123}


def test_a_dcos_master_sees_its_own_local_services_on_loopback_and_nothing_else_of_itself() -> None:
    own = [check for check in plan(site([DCOS], NODES, "m1")).checks if check.host == "m1"]
    assert {check.address for check in own} == {"127.0.0.1"}
    assert {check.port for check in own if check.expect is REACH} == LOCAL_TO_MASTERS - ENTERPRISE_LOCAL
    assert {check.port for check in own if check.expect is ALLOWED} == ENTERPRISE_LOCAL
    assert own[0].id == "m1>m1/ipv4#127.0.0.1/tcp/7070"
    assert own[0].probe == Probe("127.0.0.1", Transport.TCP, 7070)


def test_a_claimed_role_sees_what_the_role_sees() -> None:
    by_role, by_host = (plan(site([DCOS], NODES, vantage)) for vantage in (claimed(AGENT), "a1"))
    for name in ("m1", "m2", "a2", "t1"):
        for expect in Expect:
            assert by_port(by_role, name, expect) == by_port(by_host, name, expect)
    assert by_port(by_role, "a1", REACH) == TO_AGENTS


def test_a_machine_without_a_role_sees_every_inbound_row() -> None:
    planned = plan(Scope((DCOS,), (host("m", "10.0.0.1", roles=[MASTER]),), HERE))
    assert by_port(planned, "m", REACH) == TO_MASTERS | BETWEEN_MASTERS
    assert by_port(planned, "m", ALLOWED) == {62500}
    assert by_port(planned, "m", LOCAL) == LOCAL_TO_MASTERS
    assert by_port(planned, "m", NOT_OPEN) == ONLY_ON_AGENTS
    assert {check.source for check in planned.checks} == {"here"}


def test_a_qumulo_client_and_a_qumulo_node() -> None:
    node = host("n1", "10.0.0.1", roles=["qumulo-core:node"])
    peer = host("p1", "10.0.0.9", roles=["replication-peer"], external=True)
    from_client = plan(site([QUMULO], [node, peer], claimed("client")))
    assert by_port(from_client, "n1", REACH) == {21, 22, 80, 111, 443, 445, 2049, 8000}
    assert by_port(from_client, "n1", ALLOWED) == {9000}
    assert the(from_client, "client>n1/ipv4/tcp/3712").named_for == ("replication-peer",)
    assert gaps(from_client, Gap.RANGE_OF_SOME) == [(1, "FTP Passive Mode: 32768-60999/tcp")]
    from_node = plan(site([QUMULO], [node, peer], "n1"))
    assert {(check.host, check.port) for check in from_node.checks} == {("p1", 3712)}
    assert (5, "no host for role domain-controller") not in gaps(from_node, Gap.NO_HOST_FOR_ROLE)
    assert (4, "no host for role domain-controller") in gaps(from_node, Gap.NO_HOST_FOR_ROLE)
    assert (2, "no host for role ldap") in gaps(from_node, Gap.NO_HOST_FOR_ROLE)


@pytest.mark.parametrize(
    ("stated", "expect", "named_for"),
    [({"enterprise": True}, REACH, ()), ({}, ALLOWED, ()), ({"enterprise": False}, NOT_OPEN, ())],
)
def test_a_feature_in_use_unstated_and_not_in_use(
    stated: dict[str, bool], expect: Expect, named_for: tuple[str, ...]
) -> None:
    planned = plan(site([DCOS], NODES, "m1", features=features(DCOS, **stated)))
    check = the(planned, "m1>m2/ipv4/tcp/62500")
    assert (check.expect, check.named_for, check.level) == (expect, named_for, Level.REQUIRED)


def test_what_belongs_to_a_feature_not_in_use_is_unexpected_and_said() -> None:
    planned = plan(site([DCOS], NODES, "a1", features=features(DCOS, enterprise=False)))
    assert by_port(planned, "m1", LOCAL) == LOCAL_TO_MASTERS - ENTERPRISE_LOCAL
    assert by_port(planned, "m1", NOT_OPEN) >= ENTERPRISE_LOCAL | {62500}
    assert {check.named_for for check in planned.checks if check.port in ENTERPRISE_LOCAL} == {()}
    ((flows, text),) = gaps(planned, Gap.FEATURE_OFF)
    assert flows == 5
    assert "DC/OS Enterprise" in text


def test_a_local_port_of_an_unstated_feature_stays_local() -> None:
    planned = plan(site([DCOS], NODES, "a1"))
    assert {the(planned, f"a1>m1/ipv4/tcp/{port}").expect for port in ENTERPRISE_LOCAL} == {LOCAL}


def test_a_doubt_a_note_and_a_tunnel_port_arrive_in_their_checks() -> None:
    planned = plan(site([DCOS], NODES, "m1"))
    assert "spartan" in (the(planned, "m1>a1/ipv4/tcp/53").doubt or "")
    assert the(planned, "m1>m2/ipv4/tcp/53").doubt is None
    tunnel = the(planned, "m1>m2/ipv4/udp/64000")
    assert tunnel.answers is Answers.NEVER
    assert tunnel.notes
    assert the(planned, "m1>m2/ipv4/tcp/5050").units == ((UnitKind.SYSTEMD, "dcos-mesos-master.service"),)
    assert [(p.section, p.row) for p in the(planned, "m1>m2/ipv4/tcp/5050").provenance] == [("Master / TCP", "5050")]


# -------------------------------------------------------------------------------------------- a single host


def test_from_outside_a_local_service_must_not_show_and_every_address_counts() -> None:
    doc = document(row("7070/tcp", LOCALHOST))
    target = host("m1", "10.0.0.1", "fd00::1", roles=["doc:master"])
    planned = plan(Scope((doc,), (target,), HERE))
    assert [(check.address, check.expect) for check in planned.checks] == [("10.0.0.1", LOCAL), ("fd00::1", LOCAL)]


@pytest.mark.parametrize(("ips", "loopback"), [(["10.0.0.1"], "127.0.0.1"), (["fd00::1"], "::1")])
def test_this_machine_as_a_target_sees_local_services_from_inside(ips: list[str], loopback: str) -> None:
    doc = document(row("7070/tcp", LOCALHOST), row("5050/tcp"))
    planned = plan(Scope((doc,), (host("me", *ips, roles=["doc:master"], is_self=True),), HERE))
    assert [(check.address, check.port, check.expect) for check in planned.checks] == [
        (ips[0], 5050, REACH),
        (loopback, 7070, REACH),
    ]


def test_a_target_on_loopback_is_asked_for_everything_there_and_once() -> None:
    doc = document(row("7070,7071/tcp", LOCALHOST), row("5050/tcp"), row("9/tcp", to="agent"))
    target = host("127.0.0.1", "127.0.0.1", roles=["doc:master"], is_self=True)
    planned = plan(Scope((doc,), (target,), HERE, extra=extra("7070/tcp", "by-hand"), sweep=swept("1-9999")))
    assert by_port(planned, "127.0.0.1", REACH) == {5050, 7070, 7071}
    assert planned.size == len({check.id for check in every_check(planned)}) == 9999
    assert the(planned, "here>127.0.0.1/ipv4/tcp/7070").services == ("7070,7071/tcp", "by-hand")


def test_a_sweep_of_this_machine_does_not_call_its_local_services_unexpected() -> None:
    """Seen from inside, nobody can tell whether 7070 is shown to others."""
    doc = document(row("7070/tcp", LOCALHOST), row("5050/tcp"))
    target = host("me", "10.0.0.1", roles=["doc:master"], is_self=True)
    planned = plan(Scope((doc,), (target,), HERE, sweep=swept("7069-7071")))
    assert [(c.address, c.port, c.expect) for c in planned.checks] == [
        ("10.0.0.1", 5050, REACH),
        ("10.0.0.1", 7069, NOT_OPEN),
        ("10.0.0.1", 7071, NOT_OPEN),
        ("127.0.0.1", 7070, REACH),
    ]


@pytest.mark.parametrize("kind", [SweepKind.NONE, SweepKind.DOCUMENTED, SweepKind.ALL])
def test_a_host_of_a_site_is_not_probed_from_itself_and_that_is_said(kind: SweepKind) -> None:
    doc = document(row("5050-5051/tcp", "agent master", "agent master"), row("7070/tcp", LOCALHOST, "agent"))
    hosts = (host("a1", "10.0.0.11", "fd00::11", roles=["doc:agent"]), host("m1", "10.0.0.1", roles=["doc:master"]))
    planned = plan(site([doc], hosts, "a1", extra=extra("22/tcp"), sweep=Sweep(kind)))
    assert {(c.address, c.port) for c in planned.checks if c.host == "a1"} == {("127.0.0.1", 7070)}
    ((flows, text),) = gaps(planned, Gap.ITSELF)
    assert flows == 6  # 22, 5050, 5051 at two addresses
    assert text.startswith("a1 ")


def test_a_claimed_role_does_not_make_this_machine_a_target_of_itself() -> None:
    doc = document(row("5050/tcp", "agent", "agent"))
    hosts = (host("a1", "10.0.0.11", roles=["doc:agent"], is_self=True), host("a2", "10.0.0.12", roles=["doc:agent"]))
    assert {c.host for c in plan(site([doc], hosts, claimed("doc:agent"))).checks} == {"a2"}


def test_that_the_own_ports_of_this_machine_were_looked_at_is_said_where_its_paths_were_not() -> None:
    doc = document(row("5050/tcp", "agent master", "agent"), row("7070/tcp", LOCALHOST, "agent"))
    hosts = tuple(host(f"a{n}", f"10.0.0.1{n}", roles=["doc:agent"]) for n in (1, 2))

    def said(scope: Scope) -> list[tuple[int, str]]:
        return gaps(plan(scope), Gap.ITSELF)

    ((_, probed_elsewhere),) = said(site([doc], hosts, "a1", phase=Phase.PREINSTALL))
    assert "check it from another" in probed_elsewhere  # nothing was looked at
    ((flows, looked),) = said(site([doc], hosts, "a1", phase=Phase.PREINSTALL, own=Own.ALSO))
    assert (flows, looked) == (1, "a1, whose own ports were looked at: the paths to it are for another host to check")


def test_that_a_claimed_role_leaves_out_the_own_ports_of_this_machine_is_said() -> None:
    doc = document(row("5050/tcp", "agent", "master"), row("7070/tcp", LOCALHOST, "master"))
    here, other = host("m1", "10.0.0.1", roles=["doc:master"]), host("m2", "10.0.0.2", roles=["doc:master"])
    hosts = (replace(here, is_self=True), other)
    scope = site([doc], hosts, claimed("doc:agent"), phase=Phase.PREINSTALL, own=Own.ALSO)
    said = gaps(plan(scope), Gap.ITSELF)
    assert (3, "the own ports of m1 were not looked at: say that this machine is it (--from m1)") in said  # two free
    assert len(said) == 2
    assert len(gaps(plan(replace(scope, own=Own.NOTHING)), Gap.ITSELF)) == 1


def test_several_addresses_of_one_family_are_told_apart_and_families_are_separate_flows() -> None:
    doc = document(row("22/tcp"))
    target = host("m1", "10.0.0.1", "10.0.0.2", "fd00::1", roles=["doc:master"])
    vantage = Vantage("a1", frozenset({"doc:agent"}), sources={Family.IPV4: "10.0.0.11"})
    planned = plan(Scope((doc,), (target,), vantage))
    assert {check.id: check.probe for check in planned.checks} == {
        "a1>m1/ipv4#10.0.0.1/tcp/22": Probe("10.0.0.1", Transport.TCP, 22, "10.0.0.11"),
        "a1>m1/ipv4#10.0.0.2/tcp/22": Probe("10.0.0.2", Transport.TCP, 22, "10.0.0.11"),
        "a1>m1/ipv6/tcp/22": Probe("fd00::1", Transport.TCP, 22),
    }


def test_a_name_without_an_address_is_a_check_that_could_not_be_made() -> None:
    doc = document(row("22/tcp"), row("53/udp"), row("7/tcp", to="agent"))
    target = host("m1", roles=["doc:master"], unresolved="m1.example: no such name")
    planned = plan(site([doc], [target], claimed("doc:agent")))
    assert {check.id for check in planned.checks} == {"agent>m1/unresolved/tcp/22", "agent>m1/unresolved/udp/53"}
    for check in planned.checks:
        assert (check.probe, check.address, check.family) == (None, None, None)
        assert check.unmeasured is not None
        assert (check.unmeasured.reason, check.unmeasured.detail) == (
            Reason.NAME_UNRESOLVED,
            "m1.example: no such name",
        )


def test_a_name_without_an_address_does_not_hide_behind_one_that_has_one() -> None:
    target = host("m1", "10.0.0.1", roles=["doc:master"], unresolved="m1-b.example: no such name")
    planned = plan(site([document(row("22/tcp"))], [target], claimed("doc:agent")))
    assert {check.id for check in planned.checks} == {"agent>m1/ipv4/tcp/22", "agent>m1/unresolved/tcp/22"}


def test_a_host_without_an_address_that_is_only_swept_does_not_vanish() -> None:
    targets = (host("m1", roles=["doc:agent"], unresolved="gone"), host("m2"))
    planned = plan(site([document(row("22/tcp"))], targets, claimed("doc:agent")))
    assert [(check.host, check.expect) for check in planned.checks] == [("m1", NOT_OPEN), ("m2", NOT_OPEN)]
    assert all(check.unmeasured for check in planned.checks)


def test_a_protocol_without_ports_is_asked_for_by_itself_and_counts_apart_from_tcp() -> None:
    doc = document(row("53/udp"), row("gre"), row("icmp"))
    planned = plan(Scope((doc,), (host("m1", "10.0.0.1", roles=["doc:master"]),), claimed("doc:agent")))
    assert [check.id for check in planned.checks] == [
        "agent>m1/ipv4/gre",
        "agent>m1/ipv4/icmp",
        "agent>m1/ipv4/udp/53",
    ]
    assert ports_by_address(planned) == {}
    assert ports_by_address(planned, connected=False) == {"10.0.0.1": 3}
    assert [check.probe for check in planned.checks] == [
        Probe("10.0.0.1", Transport.GRE, 0),
        Probe("10.0.0.1", Transport.ICMP, 0),
        Probe("10.0.0.1", Transport.UDP, 53),
    ]


@pytest.mark.parametrize(
    ("ports", "fields", "secrets", "answers", "speaks"),
    [
        ("123/udp", {}, set(), Answers.NORMALLY, ("ntp",)),
        ("61053/udp", {}, set(), Answers.NORMALLY, ()),
        ("61053/udp", {"speaks": "dns"}, set(), Answers.NORMALLY, ("dns",)),
        # Nobody answers over syslog, whether or not the document says so; where it says so, that counts.
        ("514/udp", {}, set(), Answers.NEVER, ("syslog",)),
        ("514/udp", {"speaks": "ntp"}, set(), Answers.NORMALLY, ("ntp",)),
        ("123/udp", {"answers": Answers.NEVER}, set(), Answers.NEVER, ("ntp",)),
        ("1812/udp", {}, set(), Answers.WITH_SECRET, ("radius",)),
        ("1812/udp", {}, {"radius_secret"}, Answers.NORMALLY, ("radius",)),
        ("1812/udp", {"answers": Answers.WITH_SECRET}, {"radius_secret"}, Answers.NORMALLY, ("radius",)),
        ("1812/udp", {"answers": Answers.WITH_SECRET}, {"snmp_community"}, Answers.WITH_SECRET, ("radius",)),
        ("1812/udp", {"answers": Answers.NEVER}, {"radius_secret"}, Answers.NEVER, ("radius",)),
        ("514/tcp", {}, set(), Answers.NORMALLY, ()),
    ],
)
def test_whether_a_service_answers_us_depends_on_what_it_speaks_and_on_our_secrets(
    ports: str, fields: dict[str, Any], secrets: set[str], answers: Answers, speaks: tuple[str, ...]
) -> None:
    scope = site([document(row(ports, **fields))], [host("m1", "10.0.0.1", roles=["doc:master"])], claimed("doc:agent"))
    (check,) = (c for c in plan(replace(scope, secrets=frozenset(secrets))).checks if c.expect is Expect.REACHABLE)
    assert (check.answers, check.speaks) == (answers, speaks)


def test_by_hand_a_port_is_asked_in_its_usual_protocol() -> None:
    named = extra("514/udp,53/udp,22/tcp")
    planned = plan(Scope((), (host("10.0.0.1", "10.0.0.1"),), HERE, extra=named, sweep=Sweep(SweepKind.NONE)))
    assert {check.port_text: (check.speaks, check.answers) for check in planned.checks} == {
        "514/udp": (("syslog",), Answers.NEVER),
        "53/udp": (("dns",), Answers.NORMALLY),
        "22/tcp": (("ssh",), Answers.NORMALLY),
    }


def test_udp_ports_are_swept_where_they_are_given_by_number() -> None:
    doc = document(row("53/udp"), row("22/tcp"), row("161/udp", to="agent"))
    hosts = [host("m1", "10.0.0.1", roles=["doc:master"], offers=parse_ports("69/udp"))]
    scope = site([doc], hosts, claimed("doc:agent"))
    assert not [c for c in every_check(plan(scope)) if c.expect is NOT_OPEN and c.transport is Transport.UDP]
    by_number = replace(scope, sweep=Sweep(SweepKind.PORTS, parse_ports("22,80/tcp, 50-200/udp")))
    planned = plan(by_number)
    swept = {c.port_text for c in every_check(planned) if c.expect is NOT_OPEN}
    assert swept == {"80/tcp", *(f"{port}/udp" for port in range(50, 201) if port not in (53, 69))}
    assert sum(map(len, planned.sweeps)) > 64
    assert next(c for c in every_check(planned) if c.port_text == "161/udp").known_as == ("161/udp on agent",)


@pytest.mark.parametrize(
    ("transports", "expected"),
    [
        (None, {"tcp/22", "udp/53", "gre", "tcp/99"}),
        ({Transport.TCP}, {"tcp/22", "tcp/99"}),
        ({Transport.UDP}, {"udp/53"}),
        ({Transport.UDP, Transport.GRE}, {"udp/53", "gre"}),
    ],
)
def test_chosen_transports_leave_the_others_out(transports: set[Transport] | None, expected: set[str]) -> None:
    doc = document(row("22/tcp"), row("53/udp"), row("gre"), row("99/tcp", to="agent"))
    chosen = None if transports is None else frozenset(transports)
    target = host("m1", "10.0.0.1", roles=["doc:master"])
    planned = plan(Scope((doc,), (target,), claimed("doc:agent"), transports=chosen))
    assert {check.id.removeprefix("agent>m1/ipv4/") for check in planned.checks} == expected


def test_ports_given_by_hand_are_asked_of_every_target_and_add_to_the_documents() -> None:
    hosts = (host("m1", "10.0.0.1", roles=["doc:master"]), host("other", "10.0.0.9"))
    doc = document(row("22/tcp"))
    planned = plan(
        Scope((doc,), hosts, HERE, extra=(*extra("1025-1027/tcp"), *extra("443/tcp", "https")), sweep=NO_SWEEP)
    )
    assert by_port(planned, "m1", REACH) == {22, 443, 1025, 1026, 1027}
    assert by_port(planned, "other", REACH) == {443, 1025, 1026, 1027}
    assert the(planned, "here>other/ipv4/tcp/443").services == ("https",)
    assert the(planned, "here>other/ipv4/tcp/443").documents == ()
    assert plan(Scope((), hosts, HERE, extra=extra("22/tcp"))).checks


def test_what_exists_already_is_marked() -> None:
    doc = document(row("123/udp", to="ntp"), row("22/tcp", present_before_install=True), row("5050/tcp"))
    hosts = (
        host("t1", "10.0.0.53", roles=["ntp"], external=True),
        host("m1", "10.0.0.1", roles=["doc:master"]),
    )
    planned = plan(site([doc], hosts, claimed("doc:agent"), sweep=NO_SWEEP))
    assert {check.id.partition(">")[2]: check.present for check in planned.checks} == {
        "t1/ipv4/udp/123": True,
        "m1/ipv4/tcp/22": True,
        "m1/ipv4/tcp/5050": False,
    }


@pytest.mark.parametrize("of_document", [False, True])
def test_a_silent_system_is_marked_by_its_document_or_its_host(of_document: bool) -> None:
    doc = document(row("22/tcp"), silent_when_closed=of_document)
    target = host("m1", "10.0.0.1", roles=["doc:master"], silent_when_closed=not of_document)
    (check,) = plan(Scope((doc,), (target,), HERE)).checks
    assert check.silent_when_closed


def test_an_address_of_a_network_is_marked() -> None:
    target = host("10.0.0.1", "10.0.0.1", from_network=True)
    (check,) = plan(Scope((), (target,), HERE, extra=extra("22/tcp"))).checks
    assert (check.from_network, check.id) == (True, "here>10.0.0.1/ipv4/tcp/22")


# -------------------------------------------------------------------------------------------------- merging


def merged(*rows: Expectation, **fields: Any) -> Check:
    """The one check of 22/tcp of a master, seen from an agent."""
    doc = document(*rows)
    scope = Scope((doc,), (host("m1", "10.0.0.1", roles=["doc:master", "doc:agent"]),), claimed("doc:agent"))
    return the(plan(replace(scope, **fields)), "agent>m1/ipv4/tcp/22")


STRICTEST = {
    "reachable over local-only": (["agent", LOCALHOST], REACH),
    "reachable over allowed": (["agent", "agent when"], REACH),
    "local-only over allowed": ([LOCALHOST, "agent when"], LOCAL),
    "reachable over all": ([LOCALHOST, "agent when", "agent"], REACH),
    "any is reachable": ([LOCALHOST, ANY], REACH),
    "not from here": ([LOCALHOST, "master"], LOCAL),
    "only for others": (["master"], NOT_OPEN),
    "the internet is others": ([INTERNET], NOT_OPEN),
}


@pytest.mark.parametrize(("kinds", "expect"), STRICTEST.values(), ids=STRICTEST)
def test_the_strictest_row_wins_whatever_their_order(kinds: list[str], expect: Expect) -> None:
    rows = [
        row("22/tcp", kind.partition(" ")[0], service=kind, when="extra" if "when" in kind else None)
        if "when" in kind
        else row("22/tcp", kind, service=kind)
        for kind in kinds
    ]
    for order in permutations(rows):
        check = merged(*order)
        assert check.expect is expect
        if expect is not NOT_OPEN:
            asked = {e.service for e in order if e.sources != ("master",)}
            assert set(check.services) == asked
            assert len(check.provenance) == 1
            assert check.documents == ("doc",)


def test_rows_of_two_documents_are_one_check_with_both_names() -> None:
    one, two = document(row("22/tcp", service="A")), document(row("22/tcp", service="B"), id="two")
    target = host("m1", "10.0.0.1", roles=["doc:master", "two:master"])
    scope = Scope((one, two), (target,), claimed("doc:agent", "two:agent"))
    (check,) = plan(scope).checks
    assert (check.services, check.documents) == (("A", "B"), ("doc", "two"))
    assert [p.document for p in check.provenance] == ["doc", "two"]
    assert check.role == "master"


A_UNIT, B_UNIT = (UnitKind.SYSTEMD, "a"), (UnitKind.SYSTEMD, "b")
MERGED_FIELDS = {
    "recommended": (
        [row("22/tcp", level=Level.RECOMMENDED), row("22/tcp", level=Level.RECOMMENDED)],
        {"level": Level.RECOMMENDED},
    ),
    "required wins": ([row("22/tcp", level=Level.RECOMMENDED), row("22/tcp")], {"level": Level.REQUIRED}),
    "all doubt": ([row("22/tcp", doubt="A."), row("22/tcp", doubt="B.")], {"doubt": "A. B."}),
    "one is sure": ([row("22/tcp", doubt="A."), row("22/tcp")], {"doubt": None}),
    "a weaker row is no witness": (
        [row("22/tcp", doubt="A."), row("22/tcp", when="extra")],
        {"doubt": "A.", "expect": REACH},
    ),
    "a doubt of a weaker row": ([row("22/tcp"), row("22/tcp", when="extra", doubt="A.")], {"doubt": None}),
    "an optional level does not warn": (
        [row("22/tcp", level=Level.RECOMMENDED), row("22/tcp", when="extra")],
        {"level": Level.RECOMMENDED, "expect": REACH},
    ),
    "never answers": ([row("22/tcp", answers=Answers.NEVER)], {"answers": Answers.NEVER}),
    "one answers": ([row("22/tcp", answers=Answers.NEVER), row("22/tcp")], {"answers": Answers.NORMALLY}),
    "no one answers": (
        [row("22/tcp", answers=Answers.NEVER), row("22/tcp", answers=Answers.WITH_SECRET)],
        {"answers": Answers.WITH_SECRET},
    ),
    "notes": ([row("22/tcp", note="A."), row("22/tcp", note="A."), row("22/tcp", note="B.")], {"notes": ("A.", "B.")}),
    "units": ([row("22/tcp", unit="a"), row("22/tcp"), row("22/tcp", unit="b")], {"units": (A_UNIT, B_UNIT)}),
}


@pytest.mark.parametrize(("rows", "expected"), MERGED_FIELDS.values(), ids=MERGED_FIELDS)
def test_what_a_merged_check_knows(rows: list[Expectation], expected: dict[str, object]) -> None:
    check = merged(*rows)
    assert {name: getattr(check, name) for name in expected} == expected


def test_what_is_asked_by_hand_is_required_without_doubt() -> None:
    check = merged(
        row("22/tcp", doubt="A.", level=Level.RECOMMENDED, answers=Answers.NEVER), extra=extra("22/tcp", "ssh")
    )
    assert (check.level, check.doubt, check.answers) == (Level.REQUIRED, None, Answers.NORMALLY)
    assert check.services == ("22/tcp", "ssh")


# ---------------------------------------------------------------------------------------------------- sweep


def swept(ports: str) -> Sweep:
    return Sweep(SweepKind.PORTS, parse_ports(f"{ports}/tcp"))


SWEEP_DOC = document(
    row("22/tcp"),
    row("80/tcp", "master"),
    row("90-95/tcp", "agent", listen=Listen.SOME),
    row("100-105/tcp", "master", listen=Listen.SOME),
    row("93/tcp", "master"),
    row("53/udp"),
    row("5051/tcp", to="agent"),
    row("1000/tcp", when="extra"),
    row("25/tcp", service="Mail"),
)
SWEEPS = {
    "none": (NO_SWEEP, set()),
    "documented": (Sweep(SweepKind.DOCUMENTED), {80, 93, 5051}),
    "ports": (swept("22,79-81,90-106"), {79, 80, 81, 93, *range(96, 107)}),
    "all": (Sweep(SweepKind.ALL), set(range(1, 65536)) - {22, 25, 1000, 90, 91, 92, 94, 95}),
}


@pytest.mark.parametrize(("sweep", "expected"), SWEEPS.values(), ids=SWEEPS)
def test_a_sweep_looks_at_what_nobody_asked_for(sweep: Sweep, expected: set[int]) -> None:
    target = host("m1", "10.0.0.1", roles=["doc:master"])
    planned = plan(Scope((SWEEP_DOC,), (target,), claimed("doc:agent"), sweep=sweep))
    assert by_port(planned, "m1", NOT_OPEN) == expected
    assert by_port(planned, "m1", REACH) == {22, 25}
    named = {check.port: check.named_for for check in every_check(planned) if check.named_for}
    others = {80, 93, *range(100, 106)} & expected
    assert named == dict.fromkeys(others, ("master",))


def test_a_swept_port_knows_what_the_documents_have_it_for_elsewhere() -> None:
    doc = document(
        row("1/tcp", to="agent", service="One"),
        row("1-3/tcp", to="agent master", service="Many", listen=Listen.SOME),
        row("9/tcp", "client", to="master"),
        row("2/tcp", to="agent", service="Off", when="off"),
    )
    target = host("c1", "10.0.0.1", roles=["client"])
    scope = Scope((doc,), (target,), HERE, sweep=swept("1-2,4"), features=features(doc, off=False))
    assert {check.port: check.known_as for check in plan(scope).checks} == {
        1: ("One on agent", "Many on agent, master"),
        2: ("Off on agent (not in use here)", "Many on agent, master"),
        4: (),
    }


LARGE_SWEEP_DOC = document(
    row("5050/tcp"),
    row("8080/tcp", to="agent", service="Proxy"),
    row("20000-29999/tcp", "client", "master", service="Tasks", listen=Listen.SOME),
    row("30000-39999/tcp", "client", "agent", service="Jobs", listen=Listen.SOME),
)
OLD_PROXY = Waiver("m1", "any", parse_ports("9000/tcp")[0], None, "old", date(2027, 1, 1))
DARK = Waiver("m1", "any", parse_ports("9500-9599/tcp")[0], None, "dark", date(2027, 1, 1))


def large_sweep() -> Plan:
    target = host("m1", "10.0.0.1", roles=["doc:master"], offers=parse_ports("22/tcp"))
    fields: dict[str, Any] = {"sweep": Sweep(SweepKind.ALL), "waivers": (OLD_PROXY, DARK)}
    return plan(Scope((LARGE_SWEEP_DOC,), (target,), claimed("doc:agent"), **fields))


def test_many_swept_ports_that_nothing_tells_apart_are_planned_together() -> None:
    planned = large_sweep()
    assert [(check.port, check.expect) for check in planned.checks] == [
        (5050, REACH),
        (8080, NOT_OPEN),
        (9000, NOT_OPEN),
    ]
    sweeps = {format_ports(sweep.numbers()): sweep for sweep in planned.sweeps}
    rest = "1-21,23-5049,5051-8079,8081-8999,9001-9499,9600-19999,40000-65535"
    assert {ports: (len(sweep), sweep.first.named_for, sweep.first.known_as) for ports, sweep in sweeps.items()} == {
        rest: (65535 - 3 - 1 - 100 - 20000, (), ()),
        "9500-9599": (100, (), ()),
        "20000-29999": (10000, ("client",), ("Tasks on master",)),
        "30000-39999": (10000, (), ("Jobs on agent",)),
    }
    assert planned.size == 65534
    assert 22 not in sweeps[rest]
    assert 65535 in sweeps[rest]


def test_a_port_out_of_a_sweep_is_a_check_like_any_other() -> None:
    (sweep,) = (sweep for sweep in large_sweep().sweeps if 25000 in sweep)
    check = sweep.check(25000)
    assert (check.id, check.port) == ("agent>m1/ipv4/tcp/25000", 25000)
    assert check.probe == Probe("10.0.0.1", Transport.TCP, 25000)
    assert (check.expect, check.services, check.named_for) == (NOT_OPEN, ("Tasks",), ("client",))


@pytest.mark.parametrize("ports", ["100-162", "100-163"])
def test_a_few_swept_ports_are_checked_singly_each_with_its_own_evidence(ports: str) -> None:
    planned = plan(Scope((), (host("m1", "10.0.0.1"),), HERE, sweep=swept(ports)))
    assert (len(planned.checks), len(planned.sweeps)) == ((63, 0) if ports == "100-162" else (0, 1))


def test_a_sweep_of_a_host_without_an_address_does_not_vanish_either() -> None:
    planned = plan(Scope((), (host("m1", unresolved="gone"),), HERE, sweep=Sweep(SweepKind.ALL)))
    ((sweep,), checks) = planned.sweeps, planned.checks
    assert (checks, len(sweep), sweep.check(7).probe) == ((), 65535, None)
    assert sweep.check(7).unmeasured == sweep.first.unmeasured is not None


def test_a_sweep_leaves_out_what_a_host_offers_and_hosts_of_others() -> None:
    hosts = (
        host("m1", "10.0.0.1", offers=parse_ports("22,80/tcp,81/udp")),
        host("t1", "10.0.0.53", roles=["ntp"], external=True),
    )
    planned = plan(site([], hosts, Vantage("x", frozenset()), sweep=swept("22,80-82")))
    assert [(check.host, check.port) for check in planned.checks] == [("m1", 81), ("m1", 82)]


def test_an_offer_does_not_make_a_local_port_public_nor_a_required_one_optional() -> None:
    doc = document(row("22/tcp"), row("7070/tcp", LOCALHOST))
    target = host("m1", "10.0.0.1", roles=["doc:master"], offers=parse_ports("22,7070/tcp"))
    planned = plan(Scope((doc,), (target,), claimed("doc:agent")))
    assert [(check.port, check.expect) for check in planned.checks] == [(22, REACH), (7070, LOCAL)]


def test_what_the_site_does_without_is_unexpected_and_said() -> None:
    without = (Without("doc", "Mail", "we have none"), Without(None, "Nothing", "of the kind"))
    target = host("m1", "10.0.0.1", roles=["doc:master"])
    planned = plan(site([SWEEP_DOC], [target], claimed("doc:agent"), without=without))
    check = the(planned, "agent>m1/ipv4/tcp/25")
    assert (check.expect, check.named_for, check.services) == (NOT_OPEN, (), ())
    assert gaps(planned, Gap.WITHOUT) == [
        (1, "Mail is not used: we have none"),
        (0, "Nothing is not used: of the kind"),
    ]


def test_another_documents_service_of_the_same_name_stays() -> None:
    one, two = document(row("25/tcp", service="Mail")), document(row("26/tcp", service="Mail"), id="two")
    target = host("m1", "10.0.0.1", roles=["doc:master", "two:master"])
    scope = Scope((one, two), (target,), HERE, without=(Without("doc", "Mail", "none"),))
    assert by_port(plan(scope), "m1", REACH) == {26}
    assert by_port(plan(replace(scope, without=(Without(None, "Mail", "none"),))), "m1", REACH) == set()


def test_only_tcp_is_swept() -> None:
    target = host("m1", "10.0.0.1", roles=["doc:master"])
    planned = plan(Scope((SWEEP_DOC,), (target,), claimed("doc:agent"), transports=frozenset({Transport.UDP})))
    assert [check.id for check in planned.checks] == ["agent>m1/ipv4/udp/53"]


def test_a_range_out_of_which_ports_are_used_is_said_and_not_checked() -> None:
    target = host("m1", "10.0.0.1", roles=["doc:master"])
    planned = plan(Scope((SWEEP_DOC,), (target,), HERE, sweep=NO_SWEEP))
    assert by_port(planned, "m1") == {22, 25, 80, 93, 1000}
    assert gaps(planned, Gap.RANGE_OF_SOME) == [(1, "90-95/tcp: 90-95/tcp"), (1, "100-105/tcp: 100-105/tcp")]


# ------------------------------------------------------------------------------------------------ properties

KEYS = (*(f"doc:{name}" for name in OWN_ROLES), *EXTERNAL_ROLES)
NUMBERS = st.integers(1, 12)


@st.composite
def rows(draw: st.DrawFn) -> Expectation:
    first = draw(NUMBERS)
    last = draw(st.integers(first, min(first + 3, 12)))
    ports = draw(st.sampled_from([f"{first}-{last}/tcp" if last > first else f"{first}/tcp", f"{first}/udp", "gre"]))
    everyone = [*OWN_ROLES, *EXTERNAL_ROLES]
    sources = draw(
        st.just([LOCALHOST])
        | st.lists(st.sampled_from([*everyone, ANY, INTERNET]), min_size=1, max_size=3, unique=True)
    )
    to = draw(st.lists(st.sampled_from(everyone), min_size=1, max_size=2, unique=True))
    fields: dict[str, object] = {"service": f"{ports} {sources} {to}"}
    if draw(st.booleans()):
        fields["when"] = draw(st.sampled_from(["one", "two"]))
    if "-" in ports and draw(st.booleans()):
        fields["listen"] = Listen.SOME
    if draw(st.booleans()):
        fields["doubt"] = "Why?"
    return row(ports, " ".join(sources), " ".join(to), **fields)


DOCUMENTS = st.lists(rows(), min_size=1, max_size=6).map(lambda listed: document(*listed))
SWEEP = st.sampled_from([NO_SWEEP, Sweep(SweepKind.DOCUMENTED), swept("1-14")])


@st.composite
def hosts_of(draw: st.DrawFn) -> tuple[Host, ...]:
    listed: list[Host] = []
    for n in range(1, draw(st.integers(1, 4)) + 1):
        ips = draw(
            st.lists(st.sampled_from([f"10.0.{n}.1", f"10.0.{n}.2", f"fd00::{n}"]), min_size=1, max_size=3, unique=True)
        )
        roles = draw(st.lists(st.sampled_from(KEYS), max_size=2, unique=True))
        external = bool(roles) and all(role in EXTERNAL_ROLES for role in roles)
        unresolved = draw(st.sampled_from([None, None, None, "gone"]))
        listed.append(host(f"h{n}", *ips, roles=roles, external=external, unresolved=unresolved))
    return tuple(listed)


@st.composite
def scopes(draw: st.DrawFn) -> Scope:
    doc = draw(DOCUMENTS)
    hosts = draw(hosts_of())
    stated = draw(st.dictionaries(st.sampled_from(["one", "two"]), st.booleans()))
    by_hand = draw(st.sampled_from([(), extra("3/tcp"), extra("3/udp,4-5/tcp")]))
    fields: dict[str, Any] = {"sweep": draw(SWEEP), "features": {doc.id: stated}, "extra": by_hand}
    vantage = draw(st.sampled_from(["h1", "role", "outside", "here"]))
    if vantage == "here":
        own = draw(st.booleans())
        hosts = (replace(hosts[0], is_self=own), *hosts[1:])
        return Scope((doc,), hosts, HERE, **fields)
    if vantage == "role":
        return site((doc,), hosts, claimed(draw(st.sampled_from(KEYS))), **fields)
    if vantage == "outside":
        return site((doc,), hosts, claimed(INTERNET), **fields)
    return site((doc,), hosts, "h1", **fields)


@PATIENT
@given(scopes())
def test_every_check_has_an_id_of_its_own_and_a_probe_or_a_reason(scope: Scope) -> None:
    planned = plan(scope)
    ids = [check.id for check in planned.checks]
    assert len(ids) == len(set(ids))
    for check in planned.checks:
        assert (check.probe is None) != (check.unmeasured is None)
        if check.probe is not None:
            assert (check.probe.address, check.probe.transport) == (check.address, check.transport)
            assert check.probe.port == (check.port or 0)


@PATIENT
@given(scopes(), st.sets(st.integers(1, 14), max_size=3), st.sets(st.integers(1, 14), max_size=3))
def test_what_is_planned_together_is_what_would_be_planned_singly(
    scope: Scope, offered: set[int], waived: set[int]
) -> None:
    first = replace(scope.hosts[0], offers=tuple(parse_ports(f"{port}/tcp")[0] for port in offered))
    waivers = tuple(Waiver("h1", "any", parse_ports(f"{n}/tcp")[0], None, "", date(2027, 1, 1)) for n in waived)
    scope = replace(scope, hosts=(first, *scope.hosts[1:]), waivers=waivers)
    found = []
    for many in (1, 10**6):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("portcheck.plan._MANY", many)
            found.append(plan(scope))
    together, singly = found
    assert {check.id: check for check in every_check(together)} == {check.id: check for check in singly.checks}
    assert together.size == singly.size == len(singly.checks)
    assert singly.sweeps == ()
    assert ports_by_address(together) == ports_by_address(singly)


def signature(planned: Plan) -> dict[str, object]:
    return {
        check.id: (check.expect, check.level, check.doubt, check.probe, frozenset(check.services), check.unmeasured)
        for check in planned.checks
    }


@PATIENT
@given(scopes(), st.randoms())
def test_the_order_of_hosts_addresses_and_rows_changes_nothing(scope: Scope, random: object) -> None:
    hosts = [replace(one, addresses=tuple(reversed(one.addresses))) for one in scope.hosts]
    (doc,) = scope.documents
    other = replace(scope, hosts=tuple(reversed(hosts)), documents=(replace(doc, expectations=doc.expectations[::-1]),))
    assert signature(plan(other)) == signature(plan(scope))
    assert sorted(not_planned(other)) == sorted(not_planned(scope))


def not_planned(scope: Scope) -> list[tuple[str, int]]:
    return [(entry.gap, entry.flows) for entry in plan(scope).not_planned]


@PATIENT
@given(DOCUMENTS, DOCUMENTS, hosts_of())
def test_the_order_of_documents_changes_nothing(one: Document, other: Document, hosts: tuple[Host, ...]) -> None:
    two = replace(other, id="two")
    both = [replace(h, roles=(*h.roles, *(r.replace("doc:", "two:") for r in h.roles if ":" in r))) for h in hosts]
    first, second = (plan(site(order, both, "h1")) for order in ([one, two], [two, one]))
    assert signature(first).keys() == signature(second).keys()
    assert {c.id: c.expect for c in first.checks} == {c.id: c.expect for c in second.checks}


@PATIENT
@given(scopes())
def test_in_a_site_a_host_is_probed_from_itself_on_loopback_only(scope: Scope) -> None:
    for check in plan(scope).checks:
        if scope.whole_site and check.host == scope.vantage.host:
            assert check.address in ("127.0.0.1", "::1")
            assert check.expect in (REACH, ALLOWED)


@PATIENT
@given(scopes())
def test_a_check_asks_for_nothing_that_no_row_and_no_hand_asks_for(scope: Scope) -> None:
    by_name = {one.name: one for one in scope.hosts}
    (doc,) = scope.documents
    for check in plan(scope).checks:
        if check.expect in (REACH, ALLOWED) and not scope.extra:
            roles = set(by_name[check.host].roles)
            assert any(
                any(role_key(doc, role) in roles for role in e.to)
                and any(p.transport is check.transport and (check.port is None or check.port in p) for p in e.ports)
                for e in doc.expectations
            )


def somebody_else_connects(scope: Scope, e: Expectation) -> bool:
    """Whether a flow of this row crosses the network at all: not from a host to itself alone."""
    (doc,) = scope.documents
    targets = [h.name for h in scope.hosts if {role_key(doc, role) for role in e.to} & set(h.roles)]
    if not targets or set(e.sources) & {ANY, INTERNET, LOCALHOST, *EXTERNAL_ROLES}:
        return True
    keys = {role_key(doc, role) for role in e.sources}
    inside = [h.name for h in scope.hosts if keys & set(h.roles) and not h.external]
    return not inside or any(source != target for source in inside for target in targets)


@PATIENT
@given(rows(), hosts_of(), st.sampled_from(["h1", *KEYS, INTERNET]), st.sampled_from([True, False, None]))
def test_in_a_site_no_required_row_disappears(
    e: Expectation, hosts: tuple[Host, ...], seen_from: str, stated: bool | None
) -> None:
    """A document of one row: it is checked, or a line says why not."""
    doc = document(e)
    states = {} if stated is None or e.when is None else {e.when: stated}
    vantage = "h1" if seen_from == "h1" else claimed(seen_from)
    scope = site([doc], hosts, vantage, sweep=NO_SWEEP, features={"doc": states})
    planned = plan(scope)
    required = e.when is None or stated is True
    if not required or not somebody_else_connects(scope, e):
        return
    missing = {role_key(doc, role) for role in e.to} - {role for h in hosts for role in h.roles}
    assert planned.checks or planned.not_planned, e
    assert len(gaps(planned, Gap.NO_HOST_FOR_ROLE)) == len(missing)


@PATIENT
@given(rows(), st.sampled_from([HERE, *(claimed(key) for key in (*KEYS, INTERNET))]))
def test_without_a_site_no_required_row_to_a_target_disappears(e: Expectation, vantage: Vantage) -> None:
    doc = document(replace(e, when=None))
    target = host("t", "10.0.0.1", roles=[role_key(doc, e.to[0])])
    planned = plan(Scope((doc,), (target,), vantage, sweep=NO_SWEEP))
    assert planned.checks or planned.not_planned


def test_roles_of_hosts_that_were_not_chosen_are_not_missing() -> None:
    doc = document(row("22/tcp"), row("23/tcp", to="agent"), row("24/tcp", to="client"))
    chosen, other = host("m1", "10.0.0.1", roles=["doc:master"]), host("a1", "10.0.0.2", roles=["doc:agent"])
    scope = replace(site([doc], [chosen], claimed("doc:agent")), other_hosts=(other,))
    assert gaps(plan(scope), Gap.NO_HOST_FOR_ROLE) == [(1, "no host for role client")]


def test_what_resolving_left_out_is_passed_on() -> None:
    line = NotPlanned(Gap.FAMILY_WITHOUT_ROUTE, 0, "m1: fd00::1")
    scope = Scope((), (host("m1", "10.0.0.1"),), HERE, extra=extra("22/tcp"), left_out=(line,))
    assert plan(scope).not_planned == (line,)


def test_every_probe_is_sent_once() -> None:
    hosts = (host("one", "10.0.0.1"), host("other", "10.0.0.1"))
    planned = plan(Scope((), hosts, HERE, extra=extra("22/tcp")))
    assert len(planned.checks) == 2
    assert ports_by_address(planned) == {"10.0.0.1": 1}
    assert address("10.0.0.1") == Address("10.0.0.1", Family.IPV4)
    assert at("one", hosts).sources == {Family.IPV4: "10.0.0.1"}


def test_ports_by_hand_are_not_asked_of_what_the_cluster_merely_uses() -> None:
    """`-s site.yaml -e 22/tcp` is about the site's own hosts; a named external host was meant."""
    of = document(row("5050/tcp"))
    hosts = (*cluster(of), host("ntp", "10.0.9.9", external=True))
    asked = site([of], hosts, "a1", extra=tuple(NamedPorts(ports) for ports in parse_ports("22/tcp")))
    assert by_port(plan(asked), "m1") >= {22}
    assert by_port(plan(asked), "ntp") == set()
    assert by_port(plan(replace(asked, chosen=frozenset({"ntp"}))), "ntp") == {22}


def test_nothing_is_unexpected_between_hosts_that_may_use_every_port() -> None:
    """Qumulo: what one node opens for another is nobody's surprise; seen from outside the cluster it is."""
    qumulo = find("qumulo-core")
    nodes = tuple(host(f"n{n}", f"10.0.0.{n}", roles=[role_key(qumulo, "node")]) for n in (1, 2))
    between = site([qumulo], nodes, "n1", sweep=Sweep(SweepKind.ALL))
    assert by_port(plan(between), "n2", Expect.NOT_OPEN) == set()
    outside = site([qumulo], nodes, claimed("client"), sweep=Sweep(SweepKind.ALL))
    assert {389, 12345} <= by_port(plan(outside), "n2", Expect.NOT_OPEN)
    assert {389, 12345} <= by_port(plan(replace(between, vantage=HERE, whole_site=False)), "n2", Expect.NOT_OPEN)


def test_a_port_of_something_that_is_not_used_is_known_for_it() -> None:
    """Open 2181 on a site without ZooKeeper: nobody asked for it, but the reader is told what it probably is."""
    of = document(row("5050/tcp"), row("2181/tcp", service="ZooKeeper"))
    unused = site([of], cluster(of), "a1", without=(Without(None, "ZooKeeper", "not used"),))
    port = the(plan(unused), "a1>m1/ipv4/tcp/2181")
    assert (port.expect, port.known_as) == (Expect.NOT_OPEN, ("ZooKeeper on master (not in use here)",))
