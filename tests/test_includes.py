"""Roles that include others: a domain controller is also a Kerberos server, and a member of the domain."""

from __future__ import annotations

from typing import Any

from portcheck.engine.probe import PortState, Reason
from portcheck.facts import Facts
from portcheck.model import (
    Document,
    Expect,
    Finding,
    Gap,
    Level,
    Listen,
    NamedPorts,
    Phase,
    Role,
    Scope,
    Sweep,
    SweepKind,
)
from portcheck.plan import plan
from portcheck.ports import parse_ports
from portcheck.verdict import judge
from tests.samples import HERE, by_port, claimed, document, features, gaps, host, observation, row, site

ROLES = {
    "controller": Role("controller", "controller", includes=("kerberos", "directory", "member")),
    "directory": Role("directory", "directory", includes=("rpc",)),
    "kerberos": Role("kerberos", "kerberos"),
    "rpc": Role("rpc", "rpc"),
    "member": Role("member", "member", includes=("client",)),
    "printer": Role("printer", "printer"),
    "client": Role("client", "client", external=True),
}
ROWS = (
    row("88/tcp", "member", "kerberos"),
    row("389/tcp", "member", "directory"),
    row("135/tcp", "client", "rpc"),
    row("515/tcp", "client", "printer"),
    row("9100/tcp", "any", "printer", when="raw"),
    row("3702/tcp", "any", "controller", when="discovery"),
)


def windows(**fields: Any) -> Document:
    return document(*ROWS, roles=ROLES, **fields)


DOC = windows()
DC = host("dc", "10.0.0.1", roles=["doc:controller"])
PC = host("pc", "10.0.0.2", roles=["doc:member"])
P = host("p", "10.0.0.3", roles=["doc:printer"])


def test_a_host_offers_what_the_included_roles_offer_through_every_step() -> None:
    planned = plan(site([DOC], [DC, PC], "pc"))
    assert by_port(planned, "dc", Expect.REACHABLE) == {88, 389, 135}


def test_a_vantage_starts_the_flows_of_the_roles_that_its_own_include() -> None:
    # The member is a client; a controller is a member, and so a client as well.
    for vantage in ("pc", "dc"):
        assert by_port(plan(site([DOC], [DC, PC, P], vantage)), "p", Expect.REACHABLE) == {515}
    assert by_port(plan(site([DOC], [DC, P], claimed("doc:member"))), "dc", Expect.REACHABLE) == {88, 389, 135}
    # A client is no member: what is for members is not asked from there.
    assert by_port(plan(site([DOC], [DC], claimed("client"))), "dc", Expect.REACHABLE) == {135}


def test_an_included_role_does_not_lead_back_to_the_one_that_includes_it() -> None:
    kdc = host("kdc", "10.0.0.4", roles=["doc:kerberos"])
    assert by_port(plan(site([DOC], [kdc, PC], "pc")), "kdc", Expect.REACHABLE) == {88}


def test_an_external_role_is_included_across_documents() -> None:
    other = document(row("2049/tcp", "client", "master"), id="other")
    server = host("nfs", "10.0.0.5", roles=["other:master"])
    assert by_port(plan(site([DOC, other], [server, PC], "pc")), "nfs", Expect.REACHABLE) == {2049}


def test_the_target_is_called_by_the_roles_that_it_was_given() -> None:
    checks = plan(site([DOC], [DC, PC], "pc")).checks
    assert {check.role for check in checks} == {"controller"}


def test_a_role_that_a_host_has_through_another_is_not_called_missing() -> None:
    assert gaps(plan(site([DOC], [DC, PC], "pc")), Gap.NO_HOST_FOR_ROLE) == [(2, "no host for role printer")]


def test_many_roles_without_a_host_are_one_line() -> None:
    names = [f"r{number}" for number in range(12)]
    many = document(
        *(row(f"{1000 + number}/tcp", "any", name) for number, name in enumerate(names)),
        row("22/tcp", "any", "here"),
        roles={name: Role(name, name) for name in [*names, "here"]},
    )
    one = host("one", "10.0.0.9", roles=["doc:here"])
    [(flows, text)] = gaps(plan(site([many], [one], HERE)), Gap.NO_HOST_FOR_ROLE)
    assert flows == 12
    assert text == "no host for 12 roles of Doc: r0, r1, r10, r11, r2, r3, r4 and 5 more"


def test_a_feature_of_machines_that_are_not_looked_at_is_no_news() -> None:
    of_controller = gaps(plan(site([DOC], [DC, PC], "pc")), Gap.FEATURE_UNSTATED)
    assert [text for _, text in of_controller] == ["discovery (Feature discovery)"]
    assert gaps(plan(site([DOC], [PC], "pc")), Gap.FEATURE_UNSTATED) == []


def test_flows_from_a_host_with_a_composed_role_are_counted_once_for_each_port() -> None:
    planned = plan(site([DOC], [DC, PC, P], "pc"))
    # From the controller to the printer: 515. (9100 counts with its feature only.)
    assert gaps(planned, Gap.STARTS_ELSEWHERE) == [(1, "dc (controller)"), (2, "client, outside the site")]
    with_raw = plan(site([DOC], [DC, PC, P], "pc", features=features(DOC, raw=True)))
    assert gaps(with_raw, Gap.STARTS_ELSEWHERE)[0] == (1, "dc (controller)")


def test_a_composed_role_may_talk_to_its_own_kind_when_an_included_one_may() -> None:
    peers = document(
        row("22/tcp", "any", "node"),
        row("23/tcp", "any", "admin"),
        roles={
            "node": Role("node", "node", all_ports_between=True),
            "big": Role("big", "big", includes=("node",)),
            "admin": Role("admin", "admin"),
        },
    )
    one, two = host("one", "10.0.0.1", roles=["doc:big"]), host("two", "10.0.0.2", roles=["doc:node"])
    admin = host("three", "10.0.0.3", roles=["doc:admin"])
    assert by_port(plan(site([peers], [one, two, admin], "one")), "two", Expect.NOT_OPEN) == set()
    assert by_port(plan(site([peers], [one, two, admin], "three")), "two", Expect.NOT_OPEN) == {23}


def test_levels_stay_with_their_rows() -> None:
    mild = document(
        row("22/tcp", "any", "part", level=Level.RECOMMENDED),
        roles={"part": Role("part", "part"), "whole": Role("whole", "whole", includes=("part",))},
    )
    [check] = plan(site([mild], [host("w", "10.0.0.1", roles=["doc:whole"])], HERE)).checks
    assert check.level is Level.RECOMMENDED


# ---------------------------------------------------------------------------------------------- rare features


def test_a_rare_feature_is_not_in_use_until_somebody_says_so() -> None:
    doc = document(row("22/tcp", "any", "master"), row("1025/tcp", "any", "master", when="legacy"))
    rare = document(*doc.expectations, rare_features=("legacy",))
    m1 = host("m1", "10.0.0.1", roles=["doc:master"])
    assert by_port(plan(site([doc], [m1], HERE)), "m1", Expect.ALLOWED) == {1025}
    unsaid = plan(site([rare], [m1], HERE))
    assert by_port(unsaid, "m1", Expect.NOT_OPEN) == {1025}
    assert gaps(unsaid, Gap.FEATURE_OFF) == [(1, "legacy (Feature legacy), as nobody says --feature legacy")]
    said = plan(site([rare], [m1], HERE, features=features(rare, legacy=True)))
    assert by_port(said, "m1", Expect.REACHABLE) == {22, 1025}
    denied = plan(site([rare], [m1], HERE, features=features(rare, legacy=False)))
    assert gaps(denied, Gap.FEATURE_OFF) == [(1, "legacy (Feature legacy)")]


# ------------------------------------------------------------------------------------------------ preinstall


def test_what_exists_before_the_install_is_not_taken_also_where_it_is_for_others() -> None:
    """135 is open on every Windows machine: a member that may not ask for it has not found a port in use."""
    doc = document(
        row("135/tcp", "client", "rpc", present_before_install=True), row("9000/tcp", "client", "rpc"), roles=ROLES
    )
    host_with_rpc = host("h", "10.0.0.7", roles=["doc:rpc"])
    planned = plan(site([doc], [host_with_rpc, host("p", "10.0.0.3", roles=["doc:printer"])], "p"))
    present = {check.port: check.present for check in planned.checks if check.host == "h"}
    assert present == {135: True, 9000: False}


def test_a_port_out_of_a_range_for_others_is_not_the_one_that_the_product_needs() -> None:
    doc = document(
        row("20000-20010/tcp", "client", "rpc", listen=Listen.SOME), row("20020/tcp", "client", "rpc"), roles=ROLES
    )
    ports = Sweep(SweepKind.PORTS, parse_ports("20005/tcp,20020/tcp"))
    hosts = [host("h", "10.0.0.7", roles=["doc:rpc"]), host("p", "10.0.0.3", roles=["doc:printer"])]
    planned = plan(site([doc], hosts, "p", phase=Phase.PREINSTALL, sweep=ports))
    found = {
        check.port: judge(check, observation(PortState.OPEN, Reason.SYN_ACK), Facts(), Phase.PREINSTALL).finding
        for check in planned.checks
        if check.host == "h"
    }
    assert found == {20005: Finding.OPEN_TO_OTHERS, 20020: Finding.OCCUPIED}


def test_a_port_that_one_of_several_services_still_has_to_get_is_not_there_already() -> None:
    doc = document(
        row("445/tcp", "client", "rpc", present_before_install=True), row("445/tcp", "member", "rpc"), roles=ROLES
    )
    srv, others = host("h", "10.0.0.7", roles=["doc:rpc"]), host("p", "10.0.0.3", roles=["doc:printer"])
    for vantage in (PC, host("c", "10.0.0.4", roles=["client"]), others):
        [check] = [c for c in plan(site([doc], [srv, vantage], vantage.name)).checks if c.host == "h"]
        verdict = judge(check, observation(PortState.OPEN, Reason.SYN_ACK), Facts(), Phase.PREINSTALL)
        # Only whoever is asked for the one that exists sees nothing wrong.
        expected = Finding.OK if vantage.name == "c" else Finding.OCCUPIED
        assert verdict.finding is expected, vantage.name


def test_a_feature_that_nobody_states_needs_no_port() -> None:
    doc = document(row("62500/tcp", "member", "rpc", when="extra"), row("22/tcp", "any", "rpc"), roles=ROLES)
    hosts = [host("h", "10.0.0.7", roles=["doc:rpc"]), host("p", "10.0.0.3", roles=["doc:printer"])]
    [check] = [c for c in plan(site([doc], hosts, "p")).checks if c.port == 62500]
    verdict = judge(check, observation(PortState.OPEN, Reason.SYN_ACK), Facts(), Phase.PREINSTALL)
    assert verdict.finding is Finding.OPEN_TO_OTHERS


# --------------------------------------------------------------------------------------------------- ranges


def test_every_range_is_named_once_and_counts_where_it_begins() -> None:
    some = {"listen": Listen.SOME}
    doc = document(
        row("100-110/tcp", "any", "rpc", service="A", **some),
        row("100-110/tcp,200-210/tcp", "any", "rpc", service="B", **some),
        row("300-310/tcp", "localhost", "rpc", service="C", **some),
        row("400-410/tcp", "member", "rpc", service="D", **some),
        row("22/tcp", "any", "rpc"),
        roles=ROLES,
    )
    hosts = [host("h", "10.0.0.7", roles=["doc:rpc"]), host("p", "10.0.0.3", roles=["doc:printer"])]
    named = gaps(plan(site([doc], hosts, "p")), Gap.RANGE_OF_SOME)
    # C is for the host itself, D for members.
    assert named == [
        (1, "A, B: 100-110/tcp"),
        (1, "B: 200-210/tcp"),
        (0, "C: 300-310/tcp"),
        (0, "D: 400-410/tcp"),
    ]


# -------------------------------------------------------------------------------------------- silent systems


def test_a_silent_system_is_silent_for_every_port_whoever_asks_for_it() -> None:
    doc = document(row("135/tcp", "any", "rpc"), row("53/tcp", "any", "client"), roles=ROLES, silent_when_closed=True)
    silent, other = host("h", "10.0.0.7", roles=["doc:rpc"]), host("dns", "10.0.0.8", roles=["client"], external=True)
    extra = (NamedPorts(parse_ports("8443/tcp")[0]),)
    planned = plan(site([doc], [silent, other], HERE, extra=extra))
    assert {check.port: check.silent_when_closed for check in planned.checks if check.host == "h"} == {
        135: True,
        8443: True,
        53: True,
    }
    # Of its name server nobody knows whether it is one.
    assert {check.silent_when_closed for check in planned.checks if check.host == "dns"} == {True}


# ------------------------------------------------------------------------------------------------- elsewhere


def test_without_a_site_flows_of_a_composed_role_to_its_own_kind_are_counted() -> None:
    one = host("dc", "10.0.0.1", roles=["doc:controller"])
    found = dict(gaps(plan(Scope((DOC,), (one,), HERE)), Gap.STARTS_ELSEWHERE))
    # 88, 389 and 135 between controllers; what it asks of printers is not about these targets.
    assert found == {3: "every controller"}


def test_clients_outside_of_the_site_are_there_also_when_a_member_is_a_client() -> None:
    planned = plan(site([DOC], [DC, PC, P], "dc"))
    # To 135 of the controller and to 515 of the printer.
    assert (2, "client, outside the site") in gaps(planned, Gap.STARTS_ELSEWHERE)
