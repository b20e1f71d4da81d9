"""A DC/OS site before the install: honest without stand-ins, certain with them, and every broken path named rightly."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pytest

from portcheck.engine.probe import PortState, Reason
from portcheck.model import Certainty, Family, Finding, Outcome
from portcheck.ports import parse_ports
from portcheck.role_ports import samples
from tests.lab import runs
from tests.lab.build import Lab
from tests.lab.conftest import not_run
from tests.lab.dcos import AGENT_TCP, DNS_UDP, MASTER_LOCAL_TCP, MASTER_TCP, OVERLAY_UDP
from tests.lab.preinstall import (
    BLOCKED_BLOCK,
    BOTH,
    BREAKS,
    CUT_OFF,
    FOREIGN,
    HOSTS,
    IPV4,
    IPV6,
    LARGE_RANGE,
    NAME_SERVER,
    ROLES,
    TAKEN,
    WRONG_KEY,
    Report,
    StandIn,
    before_install,
    broken,
    built,
    from_site,
    key_file,
    look,
    site,
    stand_ins,
    troubled,
)
from tests.lab.runs import Check, until

pytestmark = pytest.mark.lab

VANTAGES = ("a1", "m1")
RANGES = ("1025-2180", "2182-3887", "3889-5049", "5052-8079", "8082-8180", "8182-32000")
NOT_FOR_MASTERS = 5051
"""A port of agents, on which a second stand-in on m1 listens all the same."""
SCHEDULERS = (15101, 15201)
"""Ports that only masters need."""
PRIVILEGED = (53, 80, 443)
"""Ports of a master that an ordinary user may not open."""
LOCAL = ("--local", "-d", "dcos-1.11", "-r", "master", "--feature", "enterprise=no")
LISTENERS_PROGRAM = "python"
"""What /proc calls the lab's own listeners, but for the digits of a version."""


@pytest.fixture(scope="module", autouse=True)
def name_server() -> None:
    if NAME_SERVER.missing():
        not_run(f"the site's name server needs {NAME_SERVER.package}", in_ci=bool(os.environ.get("CI")))


@dataclass(frozen=True, slots=True)
class Bare:
    """The whole site without a fault: reports without stand-ins, with them, and with a key that is not theirs.

    Attributes:
        left: (transport, port) of what was bound on each host when the stand-ins had been stopped.
        statuses: what the stand-ins' commands ended with.
    """

    without: Mapping[str, Report]
    certain: Mapping[str, Report]
    wrong_key: Report
    announced: Mapping[str, StandIn]
    left: Mapping[str, set[tuple[str, int]]]
    statuses: Mapping[str, int]


@pytest.fixture(scope="module")
def bare() -> Iterator[Bare]:
    with built(before_install()) as lab:
        without = runs.named({node: from_site(lab, node, key=None) for node in VANTAGES})
        with stand_ins(lab, HOSTS) as announced:
            certain = runs.named({node: from_site(lab, node) for node in VANTAGES})
            wrong_key = from_site(lab, "a1", key=WRONG_KEY)()
            statuses = {node: each.stop() for node, each in announced.items()}
            left = {node: each.bound() for node, each in announced.items()}
        yield Bare(without, certain, wrong_key, announced, left, statuses)


@dataclass(frozen=True, slots=True)
class Broken:
    """What was seen with all BREAKS in place, and what m2 sees of itself."""

    lab: Lab
    seen: Mapping[str, Report]
    own: Report


@dataclass(frozen=True, slots=True)
class Troubled:
    """Of hosts in trouble: what a1 saw, what stand-ins announced, what two masters see of themselves.

    Attributes:
        own: by (host, user) with user "root" or "nobody".
        statuses: what the stand-ins' commands ended with.
    """

    lab: Lab
    from_a1: Report
    announced: Mapping[str, StandIn]
    own: Mapping[tuple[str, str], Report]
    statuses: Mapping[str, int]


@pytest.fixture(scope="module")
def damaged() -> Iterator[tuple[Broken, Troubled]]:
    """Both networks side by side, because most of a look at them is waiting."""
    with (
        built(broken()) as one,
        built(troubled()) as other,
        stand_ins(one, HOSTS),
        stand_ins(other, ("m1", "m2", "a2"), as_user=("m2",)) as of_troubled,
        stand_ins(other, ("m1",), ports=("-e", f"{NOT_FOR_MASTERS}/tcp")),
    ):
        looks = {("a1", "broken"): from_site(one, "a1"), ("m1", "broken"): from_site(one, "m1")}
        looks["m2", "broken"] = look(one, "m2", "--local", "-s", site(one), user=False)
        looks["a1", "troubled"] = from_site(other, "a1")
        looks["m1", "root"] = look(other, "m1", *LOCAL, user=False)
        looks["m1", "nobody"] = look(other, "m1", *LOCAL, "--key-file", key_file(other))
        looks["m3", "root"] = look(other, "m3", *LOCAL, user=False)
        looks["m3", "nobody"] = look(other, "m3", *LOCAL)
        seen = runs.named(looks)
        from_both = {vantage: seen[vantage, "broken"] for vantage in VANTAGES}
        own = {(host, user): report for (host, user), report in seen.items() if user in ("root", "nobody")}
        statuses = {host: each.stop() for host, each in of_troubled.items()}
        yield (
            Broken(one, from_both, seen["m2", "broken"]),
            Troubled(other, seen["a1", "troubled"], of_troubled, own, statuses),
        )


@pytest.fixture(scope="module")
def faulty(damaged: tuple[Broken, Troubled]) -> Broken:
    return damaged[0]


@pytest.fixture(scope="module")
def in_trouble(damaged: tuple[Broken, Troubled]) -> Troubled:
    return damaged[1]


def required(report: Report) -> dict[str, Check]:
    """The checks of paths to the cluster's own services, by id."""
    found = (c for c in report.result.checks if c["expect"] == "reachable")
    return {c["id"]: c for c in found if c["target"]["host"] in HOSTS}


def not_well(report: Report) -> dict[str, Check]:
    well = (Outcome.PASS, Outcome.INFO)
    return {c["id"]: c for c in report.result.checks if c["outcome"] not in well}


def own_checks(report: Report, expect: str) -> dict[tuple[str, int], Check]:
    """(transport, port) of this machine's own checks."""
    return {(c["transport"], c["port"]): c for c in report.result.checks if c["expect"] == expect}


def told(report: Report, check_id: str) -> str:
    """Everything that the diagnoses of a check say."""
    found = (d for d in report.result.run["diagnosis"] if check_id in d["checks"])
    return "\n".join(line for d in found for line in (d["text"], *d["lines"], d["remedy"] or ""))


def head(report: Report) -> str:
    """The first lines of the report, up to its answer, as one line."""
    return " ".join(report.text.partition("\n\n")[0].split())


def first_answer(report: Report) -> str:
    """The one sentence that answers the question, as one line."""
    return " ".join(report.text.split("\n\n")[1].split())


def cells(vantage: str, host: str, transport: str, ports: Iterable[int]) -> set[str]:
    return {f"{vantage}>{host}/{family}/{transport}/{port}" for port in ports for family in BOTH}


def needed(vantage: str, *, ranges: bool) -> set[str]:
    """What the vendor's table says that the vantage needs of the others, written here by hand."""
    found: set[str] = set()
    ours = set(SCHEDULERS) if ROLES[vantage] == "agent" else set()
    for host, role in ROLES.items():
        if host == vantage:
            continue
        tcp = set(MASTER_TCP if role == "master" else AGENT_TCP) - ours
        sampled = {port for numbers in RANGES for port in samples(parse_ports(f"{numbers}/tcp")[0])}
        found |= cells(vantage, host, "tcp", tcp | (sampled if ranges and role == "agent" else set()))
        found |= cells(vantage, host, "udp", (*DNS_UDP[host[0]], OVERLAY_UDP))
    return found


# ------------------------------------------------------------------------------------------ without stand-ins


@pytest.mark.parametrize("vantage", VANTAGES)
def test_without_stand_ins_tcp_is_weak_and_udp_is_not_known(bare: Bare, vantage: str) -> None:
    report = bare.without[vantage]
    checks = required(report)
    assert report.result.status == 3
    assert set(checks) == needed(vantage, ranges=False)
    over = {name: [c for c in checks.values() if c["transport"] == name] for name in ("tcp", "udp")}
    assert {(c["outcome"], c["certainty"], c["reason"]) for c in over["tcp"]} == {
        (Outcome.PASS, Certainty.WEAK, Reason.CONN_REFUSED)
    }
    assert {c["outcome"] for c in over["udp"]} == {Outcome.INCONCLUSIVE}
    assert {c["outcome"] for c in not_well(report).values()} == {Outcome.INCONCLUSIVE}


@pytest.mark.parametrize("vantage", VANTAGES)
def test_without_stand_ins_the_first_lines_say_so_and_how_to_be_certain(bare: Bare, vantage: str) -> None:
    said = head(bare.without[vantage])
    assert "weak" in said
    assert "portcheck listen" in said


# --------------------------------------------------------------------------------------------- with stand-ins


@pytest.mark.parametrize("vantage", VANTAGES)
def test_with_stand_ins_every_cell_is_certain(bare: Bare, vantage: str) -> None:
    report = bare.certain[vantage]
    checks = required(report)
    assert set(checks) == needed(vantage, ranges=True)
    assert {(c["outcome"], c["certainty"], c["finding"], c["reason"]) for c in checks.values()} == {
        (Outcome.PASS, Certainty.CERTAIN, Finding.OK, Reason.ECHO_TOKEN)
    }
    assert {c["target"]["family"] for c in checks.values()} == set(BOTH)
    assert not_well(report) == {}
    assert (report.result.status, report.result.run["diagnosis"]) == (0, [])
    assert [report.result.summary[word] for word in ("fail", "inconclusive", "unprovable")] == [0, 0, 0]


@pytest.mark.parametrize("vantage", VANTAGES)
def test_an_echo_says_who_answered_and_where(bare: Bare, vantage: str) -> None:
    network = before_install()
    for check in required(bare.certain[vantage]).values():
        family, target = Family(check["target"]["family"]), check["target"]
        echo = check["echo"]
        assert (echo["name"], echo["address"], echo["port"]) == (target["host"], target["address"], check["port"])
        assert echo["peer"] == network.address(vantage, family)


def test_of_a_range_five_ports_are_paths(bare: Bare) -> None:
    """Of the agent that a1 sees; masters have no ranges."""
    sampled = [c for c in required(bare.certain["a1"]).values() if c["range"] is not None]
    by_range = {numbers: {c["port"] for c in sampled if c["range"] == numbers} for numbers in RANGES}
    assert {c["target"]["host"] for c in sampled} == {"a2"}
    assert {numbers: set(samples(parse_ports(f"{numbers}/tcp")[0])) for numbers in RANGES} == by_range


@pytest.mark.parametrize("vantage", VANTAGES)
def test_the_first_lines_say_which_stand_ins_were_heard(bare: Bare, vantage: str) -> None:
    report = bare.certain[vantage]
    assert [host for host in HOSTS if host != vantage and host not in head(report)] == []
    assert "Stand-ins were heard" in head(report)
    assert {entry["host"] for entry in report.result.run["stand_ins"]} == set(HOSTS) - {vantage}
    assert first_answer(report).startswith("OK")


@pytest.mark.parametrize("vantage", VANTAGES)
def test_ports_that_our_own_stand_in_holds_are_not_taken(bare: Bare, vantage: str) -> None:
    """An ordinary user asks, and the stand-in is root's."""
    own = own_checks(bare.certain[vantage], "free")
    assert {("tcp", 62501), ("udp", 64000)} <= own.keys()
    assert {c["outcome"] for c in own.values()} == {Outcome.PASS}


@pytest.mark.parametrize("vantage", VANTAGES)
def test_ports_of_this_machine_are_free(bare: Bare, vantage: str) -> None:
    own = own_checks(bare.without[vantage], "free")
    assert {("tcp", 62501), ("udp", 64000), ("tcp", 53)} <= own.keys()
    assert {c["outcome"] for c in own.values()} == {Outcome.PASS}
    weak = {port for (_, port), c in own.items() if c["certainty"] == Certainty.WEAK}
    assert weak <= set(PRIVILEGED)


@pytest.mark.parametrize("stage", ["without", "certain"])
@pytest.mark.parametrize("vantage", VANTAGES)
def test_what_exists_already_is_judged_as_installed(bare: Bare, stage: str, vantage: str) -> None:
    reports = bare.without if stage == "without" else bare.certain
    external = [c for c in reports[vantage].result.checks if c["target"]["host"] in ("dns", "ntp")]
    asked = [c for c in external if c["expect"] == "reachable"]
    assert {(c["transport"], c["port"]) for c in asked} == {("tcp", 53), ("udp", 53), ("udp", 123)}
    assert {(c["outcome"], c["certainty"], c["state"]) for c in asked} == {
        (Outcome.PASS, Certainty.CERTAIN, PortState.OPEN)
    }
    assert {c["reason"] for c in asked} == {Reason.SYN_ACK, Reason.UDP_RESPONSE}


def test_a_stand_in_announces_every_port_of_its_role(bare: Bare) -> None:
    for host, each in bare.announced.items():
        listening = {(event["transport"], event["port"]) for event in each.ports if event["standing"] == "listening"}
        role = host[0]
        tcp = {*MASTER_TCP, *MASTER_LOCAL_TCP} if role == "m" else set(AGENT_TCP)
        udp = {*DNS_UDP[role], OVERLAY_UDP}
        assert {("tcp", port) for port in tcp} | {("udp", port) for port in udp} <= listening, each.said()
        assert {event["standing"] for event in each.ports} == {"listening"}


def test_nothing_is_left_when_stand_ins_are_stopped(bare: Bare) -> None:
    assert set(bare.statuses.values()) == {0}
    assert bare.left == {host: set() for host in HOSTS}


def test_another_key_is_said_clearly(bare: Bare) -> None:
    report = bare.wrong_key
    checks = required(report).values()
    assert report.result.status == 1
    over = {name: [c for c in checks if c["transport"] == name] for name in ("tcp", "udp")}
    assert {(c["outcome"], c["finding"]) for c in over["tcp"]} == {(Outcome.FAIL, Finding.WRONG_RESPONDER)}
    assert {c["outcome"] for c in over["udp"]} == {Outcome.INCONCLUSIVE}
    for check in over["tcp"]:
        assert "key" in told(report, check["id"]), check["id"]
    assert len(report.result.diagnosis("wrong-responder")) <= len(HOSTS)


def test_a_killed_parent_leaves_no_stand_in() -> None:
    shell = ("sh", "-c", '"$@" & wait', "sh")
    with built(before_install()) as lab, stand_ins(lab, ["m1"], started_by=shell) as announced:
        stand_in = announced["m1"]
        assert ("tcp", 5050) in stand_in.bound()
        stand_in.process.send_signal(signal.SIGKILL)
        stand_in.process.wait()
        until(lambda: stand_in.bound() == set())


# ----------------------------------------------------------------------------------------------------- breaks


@dataclass(frozen=True, slots=True)
class Blame:
    """What a break must look like.

    Attributes:
        reason: as observed, in every family that it concerns.
        responder: the node that must be named as the sender of the ICMP error.
        says: what the diagnosis must contain.
    """

    finding: Finding
    reason: Reason
    says: tuple[str, ...]
    responder: str | None = None


BLAMES: Mapping[str, Blame] = {
    "dropped": Blame(Finding.BLOCKED, Reason.NO_RESPONSE, ("5050/tcp", "Mesos Master", "m1")),
    "host-unreachable": Blame(Finding.REJECTED, Reason.HOST_UNREACH, ("8080/tcp", "Marathon", "m1"), "r"),
    "net-unreachable": Blame(Finding.REJECTED, Reason.NET_UNREACH, ("8123/tcp", "Mesos DNS", "m1"), "r"),
    "port-unreachable": Blame(Finding.REJECTED, Reason.PORT_UNREACH, ("8181/tcp", "ZooKeeper", "m1"), "r"),
    "prohibited": Blame(Finding.REJECTED, Reason.ADMIN_PROHIBITED, ("2181/tcp", "ZooKeeper", "m2"), "r"),
    "reset-by-router": Blame(Finding.REJECTED, Reason.CONN_REFUSED, ("8443/tcp", "Marathon SSL", "m1", "stand-in")),
    "reset-by-host": Blame(Finding.REJECTED, Reason.CONN_REFUSED, ("9090/tcp", "m3", "stand-in")),
    "rejected-by-host": Blame(Finding.REJECTED, Reason.PORT_UNREACH, ("8181/tcp", "m3"), "m3"),
    "udp-dropped": Blame(Finding.BLOCKED, Reason.NO_RESPONSE, ("61053/udp", "Mesos DNS", "m2")),
    "udp-prohibited": Blame(Finding.REJECTED, Reason.ADMIN_PROHIBITED, ("61053/udp", "Mesos DNS", "m1"), "r"),
    "udp-rejected-by-host": Blame(Finding.REJECTED, Reason.PORT_UNREACH, ("61053/udp", "m3", "stand-in")),
    "translated": Blame(Finding.WRONG_RESPONDER, Reason.ECHO_TOKEN, ("9443/tcp", "m2", "m3")),
    "udp-translated": Blame(Finding.WRONG_RESPONDER, Reason.ECHO_TOKEN, ("53/udp", "m1", "m2")),
    "redirected": Blame(Finding.WRONG_RESPONDER, Reason.ECHO_TOKEN, ("8123/tcp", "Mesos DNS", "m2", "8443")),
    "read-and-stopped": Blame(Finding.BLOCKED, Reason.SYN_ACK, ("8123/tcp", "Mesos DNS", "m3", "stopped")),
    "one-way": Blame(Finding.BLOCKED, Reason.NO_RESPONSE, ("62501/tcp", "m3", "way back")),
    "udp-one-way": Blame(Finding.BLOCKED, Reason.NO_RESPONSE, ("53/udp", "m3", "way back")),
    "ipv6-only": Blame(Finding.BLOCKED, Reason.NO_RESPONSE, ("62080/tcp", "Navstar", "m3 (fd87:1::13)")),
    "range": Blame(Finding.BLOCKED, Reason.NO_RESPONSE, ("8182-32000", "Mesos tasks", "a2")),
    "own-firewall": Blame(Finding.BLOCKED, Reason.NO_RESPONSE, ("80/tcp", "Admin Router", "m2")),
    "from-masters": Blame(Finding.BLOCKED, Reason.NO_RESPONSE, ("61001/tcp", "Admin Router Agent", "a2")),
    "occupied": Blame(Finding.OCCUPIED, Reason.SYN_ACK, ("3888/tcp", "m2", LISTENERS_PROGRAM)),
    "udp-occupied": Blame(Finding.OCCUPIED, Reason.UDP_RESPONSE, ("62053/udp", "m3", LISTENERS_PROGRAM)),
    "udp-occupied-silently": Blame(Finding.OCCUPIED, Reason.NO_RESPONSE, ("64000/udp", "m3", LISTENERS_PROGRAM)),
}

ALL_DAMAGE = (*BREAKS, *TAKEN)


def broken_cells(name: str, vantage: str) -> set[str]:
    """Ids of the checks from the vantage that a break concerns."""
    if name in TAKEN:
        host, listener = TAKEN[name]
        return cells(vantage, host, listener.transport, (listener.port,))
    each = BREAKS[name]
    if vantage not in each.hook.seen_from:
        return set()
    ports = set(each.ports)
    if len(ports) > 1:
        ports &= set(samples(LARGE_RANGE))
    families = tuple(each.verdict)
    return {f"{vantage}>{each.host}/{family}/{each.transport}/{port}" for port in ports for family in families}


def in_sight(vantage: str) -> set[str]:
    """All cells from the vantage that must be broken."""
    return set().union(*(broken_cells(name, vantage) for name in ALL_DAMAGE))


SEEN = [(name, vantage) for name in ALL_DAMAGE for vantage in VANTAGES if broken_cells(name, vantage)]


@pytest.mark.parametrize(("name", "vantage"), SEEN)
def test_break_is_named_rightly(faulty: Broken, name: str, vantage: str) -> None:
    report, blame, ids = faulty.seen[vantage], BLAMES[name], broken_cells(name, vantage)
    checks = required(report)
    found = {check_id: checks[check_id] for check_id in ids}
    assert {(c["outcome"], c["finding"], c["reason"]) for c in found.values()} == {
        (Outcome.FAIL, blame.finding, blame.reason)
    }
    for check_id, check in found.items():
        said = told(report, check_id)
        assert [word for word in blame.says if word not in said] == [], f"{check_id}: {said}"
        if blame.responder is not None:
            net = {"a1": "agents", "m1": "masters"}[vantage] if blame.responder == "r" else None
            address = faulty.lab.address(blame.responder, Family(check["target"]["family"]), net)
            assert check["responder"] == address
            assert address in said or (blame.responder == check["target"]["host"] and "the host itself" in said)


@pytest.mark.parametrize("vantage", VANTAGES)
def test_nothing_else_is_blamed(faulty: Broken, vantage: str) -> None:
    report = faulty.seen[vantage]
    assert report.result.status == 1
    assert set(not_well(report)) == in_sight(vantage)
    others = {check_id: c for check_id, c in required(report).items() if check_id not in in_sight(vantage)}
    assert {(c["outcome"], c["certainty"], c["reason"]) for c in others.values()} == {
        (Outcome.PASS, Certainty.CERTAIN, Reason.ECHO_TOKEN)
    }
    assert set(required(report)) == needed(vantage, ranges=True)
    blamed = {check_id for entry in report.result.run["diagnosis"] for check_id in entry["checks"]}
    assert blamed == in_sight(vantage)


@pytest.mark.parametrize("vantage", VANTAGES)
def test_first_lines_of_a_broken_site(faulty: Broken, vantage: str) -> None:
    report = faulty.seen[vantage]
    assert first_answer(report).startswith("FAIL")
    assert [host for host in HOSTS if host != vantage and host not in head(report)] == []
    assert f" of {len(needed(vantage, ranges=True)) + 6} required flows" in first_answer(report)


def test_one_port_of_a_range_stands_for_the_block_in_its_middle() -> None:
    [cell] = {cell.rpartition("/")[2] for cell in broken_cells("range", "a1")}
    assert int(cell) in BLOCKED_BLOCK
    assert len(samples(LARGE_RANGE)) == 5


def test_every_damage_has_its_blame() -> None:
    assert set(BLAMES) == set(ALL_DAMAGE)


def test_a_host_names_the_rule_of_its_own_firewall(faulty: Broken) -> None:
    let_in = own_checks(faulty.own, "let-in")
    dropped = let_in["tcp", 80]
    assert (dropped["outcome"], dropped["finding"], dropped["reason"]) == (
        Outcome.FAIL,
        Finding.BLOCKED,
        Reason.RULES_DROP,
    )
    assert "filter_input_filter" in told(faulty.own, dropped["id"])
    assert {port for port, c in let_in.items() if c["outcome"] == Outcome.FAIL} == {("tcp", 80)}
    assert {c["reason"] for port, c in let_in.items() if port != ("tcp", 80)} == {Reason.RULES_ACCEPT}


def test_a_host_names_who_has_its_port(faulty: Broken) -> None:
    free = own_checks(faulty.own, "free")
    assert {port for port, c in free.items() if c["outcome"] != Outcome.PASS} == {("tcp", 3888)}
    [holder] = {(h["process"].rstrip("0123456789."), h["pid"]) for h in free["tcp", 3888]["holders"]}
    assert holder[0] == LISTENERS_PROGRAM
    assert str(holder[1]) in told(faulty.own, free["tcp", 3888]["id"])


# ---------------------------------------------------------------------------------------------- hosts in trouble


def test_a_foreign_listener_on_mesos_port_is_found_from_another_host(in_trouble: Troubled) -> None:
    report = in_trouble.from_a1
    checks = required(report)
    for host in FOREIGN:
        for check_id in cells("a1", host, "tcp", (5050,)):
            assert (checks[check_id]["outcome"], checks[check_id]["finding"]) == (Outcome.FAIL, Finding.OCCUPIED)
    for check_id in cells("a1", "m1", "tcp", (5050,)):
        assert LISTENERS_PROGRAM in told(report, check_id)


def test_the_stand_in_itself_says_who_has_the_port(in_trouble: Troubled) -> None:
    stand_in = in_trouble.announced["m1"]
    in_use = [event for event in stand_in.ports if event["standing"] == "in-use"]
    assert {(event["transport"], event["port"]) for event in in_use} == {("tcp", 5050)}
    assert {event["holder"]["process"].rstrip("0123456789.") for event in in_use} == {LISTENERS_PROGRAM}
    assert {type(event["holder"]["pid"]) for event in in_use} == {int}
    assert {event["standing"] for event in stand_in.ports} == {"in-use", "listening"}


@pytest.mark.parametrize("user", ["root", "nobody"])
@pytest.mark.parametrize("host", FOREIGN)
def test_the_host_itself_finds_it(in_trouble: Troubled, host: str, user: str) -> None:
    """On m1 our stand-in has all the other ports, on m3 nobody has them."""
    report = in_trouble.own[host, user]
    free = own_checks(report, "free")
    assert report.result.status == 1
    taken = {port for port, c in free.items() if c["outcome"] == Outcome.FAIL}
    assert taken == {("tcp", listener.port) for listener in FOREIGN[host]}
    assert {free[port]["finding"] for port in taken} == {Finding.OCCUPIED}
    assert {c["outcome"] for port, c in free.items() if port not in taken} == {Outcome.PASS}
    assert {("tcp", port) for port in (*MASTER_TCP, *MASTER_LOCAL_TCP)} <= free.keys()
    assert {("udp", port) for port in (*DNS_UDP["m"], OVERLAY_UDP)} <= free.keys()
    for port in taken:
        said = told(report, free[port]["id"])
        assert f"{port[1]}/tcp" in said
        assert user == "nobody" or LISTENERS_PROGRAM in said


def test_a_host_without_a_stand_in_is_not_known_and_that_is_said(in_trouble: Troubled) -> None:
    report = in_trouble.from_a1
    of_m3 = {c["id"]: c for c in required(report).values() if c["target"]["host"] == "m3" and c["port"] != 5050}
    assert {c["outcome"] for c in of_m3.values()} == {Outcome.INCONCLUSIVE}
    assert {c["finding"] for c in of_m3.values()} == {Finding.UNDETERMINED}
    assert "m3" in head(report)
    for check_id in of_m3:
        assert "portcheck listen" in told(report, check_id)


def test_the_stand_in_of_an_ordinary_user_leaves_low_ports_weak(in_trouble: Troubled) -> None:
    announced = in_trouble.announced["m2"].ports
    unable = {event["port"] for event in announced if event["standing"] == "needs-privilege"}
    assert unable == set(PRIVILEGED)
    report = in_trouble.from_a1
    checks = {check_id: c for check_id, c in required(report).items() if c["target"]["host"] == "m2"}
    low = {check_id: c for check_id, c in checks.items() if c["port"] in PRIVILEGED}
    assert {(c["transport"], c["outcome"], c["certainty"]) for c in low.values() if c["transport"] == "tcp"} == {
        ("tcp", Outcome.PASS, Certainty.WEAK)
    }
    assert {c["outcome"] for c in low.values() if c["transport"] == "udp"} == {Outcome.INCONCLUSIVE}
    assert {(c["outcome"], c["reason"]) for check_id, c in checks.items() if check_id not in low} == {
        (Outcome.PASS, Reason.ECHO_TOKEN)
    }
    assert "m2" in report.text
    assert "privilege" in report.text


def test_the_first_lines_say_where_no_stand_in_was_heard(in_trouble: Troubled) -> None:
    said = head(in_trouble.from_a1)
    assert "Stand-ins were heard on m1, m2, a2, and none on m3." in said
    assert "could not open 53, 80, 443/tcp on m2" in said


def test_the_status_of_a_stand_in_says_whether_it_had_all_its_ports(in_trouble: Troubled) -> None:
    assert in_trouble.statuses == {"m1": 1, "m2": 1, "a2": 0}


def test_a_second_stand_in_on_a_host_is_ours_as_well(in_trouble: Troubled) -> None:
    """It is on a port that its host does not need, so that nobody asked for it; yet it is no foreign program."""
    swept = in_trouble.from_a1.result.run["swept"]
    ours = [entry for entry in swept if (entry["target"]["host"], entry["reason"]) == ("m1", Reason.ECHO_TOKEN)]
    assert len(ours) == len(BOTH)
    assert {(entry["ports"], entry["outcome"]) for entry in ours} == {(str(NOT_FOR_MASTERS), Outcome.PASS)}


def test_a_family_that_is_cut_off_is_one_finding(in_trouble: Troubled) -> None:
    report = in_trouble.from_a1
    of_it = [c for c in required(report).values() if c["target"]["host"] == CUT_OFF]
    seen = {family: [c for c in of_it if c["target"]["family"] == family] for family in (IPV4, IPV6)}
    assert {(c["outcome"], c["reason"]) for c in seen[IPV4]} == {(Outcome.PASS, Reason.ECHO_TOKEN)}
    assert {(c["outcome"], c["finding"]) for c in seen[IPV6]} == {(Outcome.FAIL, Finding.BLOCKED)}
    blamed = [entry for entry in report.result.run["diagnosis"] if seen[IPV6][0]["id"] in entry["checks"]]
    assert len(blamed) == 1
    assert {c["id"] for c in seen[IPV6]} <= set(blamed[0]["checks"])


def test_nothing_else_is_blamed_on_hosts_in_trouble(in_trouble: Troubled) -> None:
    failed = {c["id"] for c in in_trouble.from_a1.result.checks if c["outcome"] == Outcome.FAIL}
    cut_off = {check_id for check_id in required(in_trouble.from_a1) if check_id.startswith(f"a1>{CUT_OFF}/{IPV6}/")}
    assert failed == cut_off.union(*(cells("a1", host, "tcp", (5050,)) for host in FOREIGN))
