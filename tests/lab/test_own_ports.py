"""Is a port free, and who has it: the real kernel, as an ordinary user and as root."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.lab.build import Lab, build
from tests.lab.own_ports import (
    ADDRESS,
    ADDRESS6,
    BOUND_PORT,
    CONNECTED_PORT,
    ELSEWHERE,
    OWN_PORTS,
    SHARED_PORT,
)
from tests.lab.runs import running
from tests.lab.unprivileged import NOBODY

pytestmark = pytest.mark.lab

FREE, UNUSED = ("closed", "port-free"), ("closed", "port-unused")
HELD, IN_CONNECTION = ("open", "port-held"), ("open", "port-in-connection")

FOREIGN = {
    "5050/tcp": {"0.0.0.0", "::"},
    "80/tcp": {"0.0.0.0", "::"},
    "53/udp": {"0.0.0.0", "::"},
    "8123/tcp": {"127.0.0.1"},
    "8181/tcp": {"::"},
    "61420/tcp": {ADDRESS6},
}
"""What root's listeners have, and on which addresses."""
OTHERS = {
    f"{CONNECTED_PORT}/tcp": IN_CONNECTION,
    f"{BOUND_PORT}/tcp": HELD,
    f"{SHARED_PORT}/tcp": HELD,
    # Another transport's, or nobody's.
    "5050/udp": FREE,
    "8080/tcp": FREE,
    "40001/tcp": FREE,
    "53/tcp": FREE,
    "67/udp": FREE,
}
"""What a process of our own user holds, and what nobody does."""
LOW_AND_UNUSED = ("53/tcp", "67/udp")


@dataclass(frozen=True, slots=True)
class Look:
    """What one user sees."""

    ports: dict[str, dict[str, Any]]
    remarks: list[str]
    holding_pid: int

    def states(self) -> dict[str, tuple[str, str]]:
        return {port: (seen["state"], seen["reason"]) for port, seen in self.ports.items()}

    def holders(self, port: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ports[port]["holders"]
        return found


def look(lab: Lab, node: str, ports: Sequence[str], *, user: bool, holding_pid: int = 0) -> Look:
    asked = {"ports": [*ports], "addresses": [ADDRESS, ADDRESS6, ELSEWHERE] if node == "taken" else []}
    done = lab.python(node, "-m", "tests.lab.own_ports", "look", user=user, input=json.dumps(asked))
    assert done.returncode == 0, done.stderr
    return Look(**json.loads(done.stdout), holding_pid=holding_pid)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with build(OWN_PORTS) as built:
        yield built


@pytest.fixture(scope="module")
def looks(lab: Lab) -> dict[bool, Look]:
    """By whether an ordinary user looks."""
    holding = [sys.executable, "-m", "tests.lab.own_ports", "hold", ADDRESS]
    with running(lab, "taken", holding) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
        ports = (*FOREIGN, *OTHERS)
        return {user: look(lab, "taken", ports, user=user, holding_pid=process.pid) for user in (True, False)}


@pytest.mark.parametrize("user", [True, False], ids=["user", "root"])
def test_a_taken_port_is_found_and_no_other(looks: dict[bool, Look], user: bool) -> None:
    """A foreign listener on 5050 is the case that DC/OS's own check misses."""
    expected = dict.fromkeys(FOREIGN, HELD) | OTHERS | dict.fromkeys(LOW_AND_UNUSED, UNUSED if user else FREE)
    assert looks[user].states() == expected


@pytest.mark.parametrize("user", [True, False], ids=["user", "root"])
def test_it_is_said_on_which_addresses_it_is_taken(looks: dict[bool, Look], user: bool) -> None:
    for port, addresses in FOREIGN.items():
        assert {holder["address"] for holder in looks[user].holders(port)} == addresses
        assert {(holder["connected"], holder["uid"]) for holder in looks[user].holders(port)} == {(False, 0)}


def test_root_sees_the_process(looks: dict[bool, Look]) -> None:
    for port in FOREIGN:
        for holder in looks[False].holders(port):
            assert holder["process"].startswith("python")
            assert holder["stand_in"] is False
    assert not [remark for remark in looks[False].remarks if "process" in remark]


def test_a_user_is_told_that_only_root_can_name_it(looks: dict[bool, Look]) -> None:
    assert {holder["pid"] for port in FOREIGN for holder in looks[True].holders(port)} == {None}
    assert "Only root can see which process has 5050/tcp, 80/tcp, 53/udp and 3 more." in looks[True].remarks


@pytest.mark.parametrize("user", [True, False], ids=["user", "root"])
def test_a_user_sees_processes_of_his_own(looks: dict[bool, Look], user: bool) -> None:
    seen = looks[user]
    for port, connected in ((CONNECTED_PORT, True), (SHARED_PORT, False)):
        [holder] = seen.holders(f"{port}/tcp")
        assert (holder["address"], holder["connected"], holder["uid"]) == (ADDRESS, connected, NOBODY)
        assert holder["pid"] == seen.holding_pid


@pytest.mark.parametrize("user", [True, False], ids=["user", "root"])
def test_who_does_not_listen_yet_cannot_be_named(looks: dict[bool, Look], user: bool) -> None:
    assert looks[user].holders(f"{BOUND_PORT}/tcp") == []
    assert [remark for remark in looks[user].remarks if remark.startswith(f"{BOUND_PORT}/tcp: ")]


@pytest.mark.parametrize("user", [True, False], ids=["user", "root"])
def test_what_could_not_be_tried_is_told(looks: dict[bool, Look], user: bool) -> None:
    untried = [remark for remark in looks[user].remarks if remark.startswith("We may not bind ")]
    assert [remark.partition(":")[0] for remark in untried] == (["We may not bind 53/tcp and 67/udp"] if user else [])
    assert {looks[user].ports[port]["detail"] for port in LOW_AND_UNUSED} == (
        {"needs CAP_NET_BIND_SERVICE"} if user else {None}
    )
    assert [remark for remark in looks[user].remarks if remark.startswith(f"This machine does not have {ELSEWHERE}")]


def test_free_ports_that_a_connection_may_take_are_told(lab: Lab, looks: dict[bool, Look]) -> None:
    """Linux's own range begins above nearly all services; the common tuning begins below them."""
    details = {port: looks[True].ports[port]["detail"] for port in ("5050/udp", "8080/tcp", "40001/tcp")}
    assert details == {"5050/udp": None, "8080/tcp": None, "40001/tcp": "in ephemeral range 32768-60999"}
    tuned = look(lab, "tuned", ("5050/tcp", "5051/udp", "8000/tcp", "8101/tcp", "65535/tcp"), user=True)
    assert set(tuned.states().values()) == {FREE}
    wide = "in ephemeral range 1024-65535"
    assert {port: seen["detail"] for port, seen in tuned.ports.items()} == {
        "5050/tcp": "reserved",
        "5051/udp": wide,
        "8000/tcp": "reserved",
        "8101/tcp": wide,
        "65535/tcp": wide,
    }
    assert tuned.remarks == []


def test_looking_disturbs_nobody(lab: Lab, looks: dict[bool, Look]) -> None:
    """Nobody was sent anything, but for the one connection that a process of the test has made."""
    assert looks
    assert sum(lab.accepted("taken").values()) == 0
    assert sum(lab.accepted("tuned").values()) == 1
