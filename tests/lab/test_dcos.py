"""A DC/OS site of three masters and five agents, healthy and with faults, as its administrator sees it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

import pytest

from portcheck.engine.probe import PortState, Reason
from portcheck.model import Certainty, Family, Finding, Outcome
from tests.lab import runs
from tests.lab.build import Lab, build
from tests.lab.dcos import AGENTS, FAULTS, MASTER_LOCAL_TCP, MASTERS, dcos_site, site_yaml
from tests.lab.runs import Result
from tests.lab.topology import Topology

pytestmark = pytest.mark.lab

FAMILIES = tuple(Family)
R_ON_AGENTS = {family: dcos_site(ipv6=True).address("r", family, "agents") for family in Family}
TCP = ("--transport", "tcp")


@dataclass(frozen=True, slots=True)
class Report:
    """What a fault must look like from agent a1, in each family.

    Attributes:
        flows: (host, port) of exactly the checks that fail.
        responder: whether the router must be named as the one who says no.
        diagnoses: how many; the router says no with an address of each family, so that is one each.
        says: what the first line of each diagnosis must contain.
    """

    flows: tuple[tuple[str, int], ...]
    finding: Finding
    cause: str
    says: tuple[str, ...]
    reason: Reason
    responder: bool = False
    diagnoses: int = 1

    def ids(self) -> set[str]:
        return {f"a1>{host}/{family}/tcp/{port}" for host, port in self.flows for family in FAMILIES}


REPORTS: Mapping[str, Report] = {
    "drop_5050": Report(
        tuple((master, 5050) for master in MASTERS),
        Finding.BLOCKED,
        "blocked",
        ("5050/tcp", "Mesos Master", "every master", "m1, m2, m3"),
        Reason.NO_RESPONSE,
    ),
    "reject_2181": Report(
        (("m2", 2181),),
        Finding.REJECTED,
        "rejected",
        ("2181/tcp", "ZooKeeper", "m2"),
        Reason.ADMIN_PROHIBITED,
        responder=True,
        diagnoses=2,
    ),
    "exposed_7070": Report((("m1", 7070),), Finding.EXPOSED, "exposed", ("7070/tcp", "m1"), Reason.SYN_ACK),
    "unexpected_8080": Report(
        (("a2", 8080),), Finding.UNEXPECTED_OPEN, "unexpected-open", ("8080/tcp", "a2"), Reason.SYN_ACK
    ),
    "not_listening_8181": Report(
        (("m3", 8181),), Finding.NOT_LISTENING, "not-listening", ("8181/tcp", "m3"), Reason.CONN_REFUSED
    ),
}
HOST_FAULTS = ("host_down", "host_silent")
ALL_FIVE = "all five"


def site(lab: Lab) -> str:
    """The path of the lab's site file."""
    path = lab.home / "site.yaml"
    if not path.exists():
        path.write_text(site_yaml(lab))
    return str(path)


def check(lab: Lab, node: str, *args: str) -> Result:
    return runs.check(lab, node, "-s", site(lab), *args)


@pytest.fixture(scope="module")
def faulty() -> Iterator[Mapping[str, Result]]:
    """One run from a1 for each faulty site, all at the same time."""
    sites: dict[str, Iterable[str]] = {name: [name] for name in (*REPORTS, *HOST_FAULTS)}
    sites[ALL_FIVE] = list(REPORTS)
    with ExitStack() as stack:
        labs = {name: stack.enter_context(build(dcos_site(faults, ipv6=True))) for name, faults in sites.items()}
        found = runs.at_once([partial(check, lab, "a1", *TCP) for lab in labs.values()])
        yield dict(zip(labs, found, strict=True))


def failed(result: Result) -> set[str]:
    return {c["id"] for c in result.checks if c["outcome"] == Outcome.FAIL}


# ------------------------------------------------------------------------------------------------- healthy


@pytest.mark.parametrize("families", [(Family.IPV4,), (Family.IPV4, Family.IPV6)], ids=["ipv4", "both"])
def test_healthy_site_is_healthy(dcos: Lab, families: tuple[Family, ...]) -> None:
    text = site_yaml(dcos)
    for family in set(Family) - set(families):
        for name in (*MASTERS, *AGENTS, "ntp"):
            text = text.replace(f', "{dcos.address(name, family)}"', "")
    path = dcos.home / f"site-{len(families)}.yaml"
    path.write_text(text)
    result = runs.check(dcos, "a1", "-s", str(path), *TCP)
    assert (result.status, result.run["diagnosis"]) == (0, [])
    assert {c["target"]["family"] for c in result.checks} == set(families)
    assert {c["outcome"] for c in result.checks} == {Outcome.PASS, Outcome.INFO}
    assert result.summary["packets"] == result.summary["checks"]


def test_ipv6_alone_is_enough(dcos: Lab) -> None:
    text = site_yaml(dcos)
    for name in (*MASTERS, *AGENTS, "ntp"):
        text = text.replace(f'"{dcos.address(name, Family.IPV4)}", ', "")
    path = dcos.home / "site-6.yaml"
    path.write_text(text)
    result = runs.check(dcos, "a1", "-s", str(path), *TCP)
    assert (result.status, {c["target"]["family"] for c in result.checks}) == (0, {Family.IPV6})


def test_over_udp_a_healthy_site_is_well_but_for_what_answers_nobody(dcos: Lab) -> None:
    result = check(dcos, "a1")
    over_udp = [c for c in result.checks if c["transport"] == "udp"]
    unsure = {c["id"] for c in over_udp if c["outcome"] == Outcome.INCONCLUSIVE}
    assert result.status == 0
    assert {c["state"] for c in over_udp if c["id"] not in unsure} == {PortState.OPEN}
    assert {"a1>ntp/ipv4/udp/123", "a1>m1/ipv6/udp/61053"} <= {c["id"] for c in over_udp} - unsure
    assert {(c["port"], c["state"]) for c in over_udp if c["id"] in unsure} == {(64000, PortState.OPEN_FILTERED)}
    assert result.run["summary"]["unprovable"] == len(unsure) > 0
    assert {check for entry in result.diagnosis("unprovable") for check in entry["checks"]} <= unsure


def test_a_master_looks_at_its_own_local_ports_on_loopback(dcos: Lab) -> None:
    result = check(dcos, "m1", *TCP)
    own = {c["port"]: c for c in result.checks if c["target"]["host"] == "m1"}
    assert result.status == 0
    assert own.keys() == set(MASTER_LOCAL_TCP)
    assert {c["target"]["address"] for c in own.values()} == {"127.0.0.1"}
    assert {c["finding"] for c in own.values()} == {Finding.OK}
    others = {
        c["target"]["host"] for c in result.checks if c["port"] in MASTER_LOCAL_TCP and c["expect"] == "local-only"
    }
    assert others == {"m2", "m3"}


def test_vantage_is_found_by_its_address_and_can_be_named(dcos: Lab) -> None:
    [vantage] = check(dcos, "a3", *TCP).run["vantages"]
    [named] = check(dcos, "a3", *TCP, "--from", "a3").run["vantages"]
    assert vantage == named
    assert vantage["host"] == "a3"
    assert vantage["sources"] == {family: dcos.address("a3", family) for family in Family}


# -------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize("fault", REPORTS)
@pytest.mark.parametrize("among", ["alone", ALL_FIVE])
def test_fault_is_reported_rightly(faulty: Mapping[str, Result], fault: str, among: str) -> None:
    result, report = faulty[fault if among == "alone" else among], REPORTS[fault]
    assert result.status == 1
    assert {c["id"] for c in result.checks if c["finding"] == report.finding} >= report.ids()
    assert report.ids() <= failed(result)
    for seen in (c for c in result.checks if c["id"] in report.ids()):
        family = Family(seen["target"]["family"])
        assert (seen["finding"], seen["reason"]) == (report.finding, report.reason)
        assert seen["responder"] == (R_ON_AGENTS[family] if report.responder else None)
    diagnoses = result.diagnosis(report.cause)
    assert len(diagnoses) == report.diagnoses
    assert {check_id for entry in diagnoses for check_id in entry["checks"]} == report.ids()
    assert [word for entry in diagnoses for word in report.says if word not in entry["text"]] == []
    if report.responder:
        unnamed = [ip for ip in R_ON_AGENTS.values() if not any(ip in entry["text"] for entry in diagnoses)]
        assert unnamed == []


@pytest.mark.parametrize("name", [*REPORTS, ALL_FIVE])
def test_nothing_else_is_reported(faulty: Mapping[str, Result], name: str) -> None:
    reports = list(REPORTS.values()) if name == ALL_FIVE else [REPORTS[name]]
    assert failed(faulty[name]) == {check_id for report in reports for check_id in report.ids()}
    assert len(faulty[name].run["diagnosis"]) == sum(report.diagnoses for report in reports)
    assert faulty[name].summary["inconclusive"] == 0


@pytest.mark.parametrize(
    ("fault", "host", "cause", "finding", "reasons"),
    [
        ("host_down", "a4", "host-unreachable", Finding.HOST_UNREACHABLE, {Reason.ARP_FAILURE}),
        ("host_silent", "m3", "host-silent", Finding.BLOCKED, {Reason.NO_RESPONSE}),
    ],
)
def test_a_host_that_is_gone_is_one_diagnosis(
    faulty: Mapping[str, Result], fault: str, host: str, cause: str, finding: Finding, reasons: set[Reason]
) -> None:
    result = faulty[fault]
    of_host = [c for c in result.checks if c["target"]["host"] == host]
    assert result.status == 1
    assert {c["reason"] for c in of_host} == reasons
    assert {c["finding"] for c in of_host if c["outcome"] == Outcome.FAIL} == {finding}
    [diagnosis] = result.run["diagnosis"]
    assert (diagnosis["cause"], host in diagnosis["text"]) == (cause, True)
    assert set(diagnosis["checks"]) == {c["id"] for c in of_host if c["outcome"] != Outcome.INFO}
    assert {c["target"]["host"] for c in result.checks if c["outcome"] == Outcome.FAIL} == {host}


def test_ports_of_a_silent_host_are_not_called_closed(faulty: Mapping[str, Result]) -> None:
    """Silence of a host that says nothing at all does not show that a local port is local."""
    local = [c for c in faulty["host_silent"].checks if c["target"]["host"] == "m3" and c["expect"] == "local-only"]
    assert {c["port"] for c in local} == set(MASTER_LOCAL_TCP)
    assert {c["outcome"] for c in local} == {Outcome.INCONCLUSIVE}


def test_every_fault_has_its_test() -> None:
    assert {*REPORTS, *HOST_FAULTS} == set(FAULTS)


# -------------------------------------------------------------------------------------- before the install


def before_install() -> Topology:
    """The machines are there, the product is not."""
    site = dcos_site()
    idle = {*MASTERS, *AGENTS}
    return replace(site, nodes=tuple(replace(n, listeners=()) if n.name in idle else n for n in site.nodes))


@pytest.fixture(scope="module")
def bare() -> Iterator[Lab]:
    with build(before_install()) as lab:
        yield lab


def test_before_the_install_a_refused_port_is_a_weak_pass(bare: Lab) -> None:
    result = check(bare, "a1", *TCP, "--phase", "preinstall")
    required = [c for c in result.checks if c["expect"] == "reachable"]
    assert result.status == 0
    assert {(c["outcome"], c["certainty"], c["finding"]) for c in required} == {
        (Outcome.PASS, Certainty.WEAK, Finding.OK)
    }
    # Of its own ports an ordinary user may not try those below 1024.
    untried = [c for c in result.checks if c["expect"] == "free" and c["certainty"] == Certainty.WEAK]
    assert {c["port"] for c in untried} == {53}
    assert result.summary["weak"] == len(required) + len(untried)


def test_strict_does_not_believe_weak_passes(bare: Lab) -> None:
    result = check(bare, "a1", *TCP, "--phase", "preinstall", "--strict")
    required = [c for c in result.checks if c["expect"] == "reachable"]
    assert result.status == 3
    assert {(c["outcome"], c["finding"]) for c in required} == {(Outcome.INCONCLUSIVE, Finding.UNDETERMINED)}


def test_before_the_install_a_used_port_is_occupied(dcos: Lab) -> None:
    result = check(dcos, "a1", *TCP, "--phase", "preinstall")
    required = [c for c in result.checks if c["expect"] == "reachable"]
    assert (result.status, {c["finding"] for c in required}) == (1, {Finding.OCCUPIED})


def test_a_product_that_does_not_run_is_one_line_for_each_host(bare: Lab) -> None:
    result = check(bare, "a1", *TCP)
    assert result.status == 1
    assert {entry["cause"] for entry in result.run["diagnosis"]} == {"product-not-running"}
    assert len(result.run["diagnosis"]) == len({*MASTERS, *AGENTS} - {"a1"})
