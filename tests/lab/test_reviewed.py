"""Wrong verdicts that a review proved, each with the network that brought it about."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from portcheck.engine.probe import PortState, Reason
from portcheck.model import Finding
from portcheck.ports import parse_ports
from tests.lab import reviewed, runs
from tests.lab.build import Lab, build, portcheck_argv
from tests.lab.reviewed import (
    BANNED_PATH,
    BANS,
    CLOSED_PORTS,
    DROPPED_PORTS,
    FAR_HOST,
    FEW,
    FLOWS_BEFORE_BAN,
    OPEN_PORTS,
    OTHER,
    REJECTED_PORTS,
    REVIEWED,
    address,
    responder,
)
from tests.lab.runs import OPEN, Result, running, until

pytestmark = pytest.mark.lab

SERVER = address(reviewed.SERVER)
SECOND = address(OTHER)
REJECTED = (PortState.FILTERED, Reason.ADMIN_PROHIBITED)
RATE_LIMITED = (PortState.UNKNOWN, Reason.ICMP_RATE_LIMITED)
LOST = (PortState.UNKNOWN, Reason.LOST_CONTACT)

BEFORE_SHUT_OFF = 230
"""SYNs to the first address, in 4.5 s: by then a canary has proven that some ports are dropped."""
DRIVEN_S = 55.0
TWO_HOSTS: Mapping[str, Any] = {
    "sets": {
        SERVER: [list(OPEN_PORTS[:60]), [*DROPPED_PORTS, *range(4000, 4380)]],
        # Asked in 17 s, so that some hundred are left when the first address has been found lost, after 13 s.
        SECOND: [[], [*OPEN_PORTS[:60], *range(4000, 4700)]],
    },
    "speed": "normal",
    "timing": {"canary_after_s": 2.0, "patience_s": 4.0},
}
FAR: Mapping[str, Any] = {"sets": {FAR_HOST: [[22, 80], []]}, "speed": "fast"}
DRIVEN = ("-m", "tests.lab.driven")

Runs = Mapping[str, Result]
Entries = list[dict[str, Any]]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with build(REVIEWED) as lab:
        yield lab


@pytest.fixture(scope="module")
def beside(lab: Lab) -> Iterator[Mapping[str, Future[Any]]]:
    """The long stories, which go on while the short runs are looked at."""
    with ThreadPoolExecutor(2) as pool:
        lost = pool.submit(two_hosts, lab)
        # Before all the others start and make this one wait: it is stopped in the moment after the ban.
        first = stopped(lab)
        yield {"two-hosts": lost, "stopped": pool.submit(gone_on, lab, first)}


@pytest.fixture(scope="module")
def looks(lab: Lab, beside: object) -> Runs:
    def look(client: str, *args: str, speed: str = "fast") -> Result:
        return runs.check(lab, client, SERVER, *args, "--speed", speed)

    few = {
        client: partial(look, client, "-e", runs.tcp((*REJECTED_PORTS[: n.rejected], *OPEN_PORTS[: n.open])))
        for client, n in FEW.items()
    }
    return runs.named(
        {
            **few,
            "ten": partial(look, "ten", "-e", runs.tcp((OPEN_PORTS[0], *DROPPED_PORTS[:10]))),
            "three": partial(look, "three", "-e", runs.tcp((OPEN_PORTS[0], *DROPPED_PORTS[:3]))),
            "all": partial(look, "all", "-e", runs.tcp(REJECTED_PORTS), "--deadline", "6", speed="normal"),
            "singly": partial(look, "singly", "-e", runs.tcp(CLOSED_PORTS), "--deadline", "10"),
            "in-bulk": partial(look, "in-bulk", "--sweep", f"{CLOSED_PORTS[0]}-{CLOSED_PORTS[-1]}", "--deadline", "10"),
        }
    )


def two_hosts(lab: Lab) -> Entries:
    """The first address is shut off in the middle; as soon as that is noticed, packets to the other are lost."""
    with running(lab, "two-hosts", [sys.executable, *DRIVEN]) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(json.dumps(TWO_HOSTS))
        process.stdin.close()
        process.stdin = None
        until(lambda: lab.counted("sours")[BANNED_PATH] >= BEFORE_SHUT_OFF, within_s=20.0)
        reviewed.shut_off(lab)
        told = process.stderr.readline()
        assert told.startswith(f"No contact with {SERVER} "), told
        reviewed.lose(lab)
        stdout, stderr = process.communicate(timeout=DRIVEN_S)
    assert process.returncode == 0, stderr
    return entries(stdout)


def kept(lab: Lab) -> str:
    """Where the stopped run is kept."""
    return str(lab.home / "stopped.json")


def stopped(lab: Lab) -> Result:
    """SIGINT right after a ban."""
    argv = portcheck_argv(["check", SERVER, "-e", runs.tcp(OPEN_PORTS), "-o", kept(lab), "--format", "json"])
    with running(lab, "stopped", argv) as process:
        until(lambda: lab.counted("pardons")[BANS] >= FLOWS_BEFORE_BAN)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)
    return runs.result_of(process.returncode, stdout, stderr)


def gone_on(lab: Lab, first: Result) -> tuple[Result, Result]:
    """Then there is no ban any more, and the run goes on."""
    reviewed.pardon(lab)
    return first, runs.check(lab, "stopped", "--resume", kept(lab))


def entries(stdout: str) -> Entries:
    found: Entries = json.loads(stdout)
    return found


def seen(result: Result) -> set[tuple[str, str]]:
    return set(result.seen(SERVER).values())


# ------------------------------------------------------------------------------------------ rationed errors


@pytest.mark.parametrize("client", FEW)
def test_ports_whose_errors_are_rationed_are_never_called_dropped(looks: Runs, client: str) -> None:
    """Every one of them is rejected, by the router, whether or not its own error came."""
    ports = looks[client].ports(SERVER)
    for port in REJECTED_PORTS[: FEW[client].rejected]:
        check = ports[port]
        state = check["state"], check["reason"]
        assert state in {REJECTED, RATE_LIMITED}, check
        assert state != REJECTED or check["responder"] == responder(client), check
        # What is not inferred has the error itself as its evidence.
        assert state != REJECTED or check["inferred"] or check["icmp"] is not None, check
    assert any((check["state"], check["reason"]) == REJECTED for check in ports.values())
    assert {port: looks[client].seen(SERVER)[port] for port in OPEN_PORTS[: FEW[client].open]} == runs.truth(
        open=OPEN_PORTS[: FEW[client].open]
    )


@pytest.mark.parametrize(("client", "dropped"), [("ten", 10), ("three", 3)])
def test_a_firewall_that_rejects_all_but_a_few_ports_is_read_rightly(looks: Runs, client: str, dropped: int) -> None:
    """Only the decoys are rejected, which uses no ration up: the silence of the others is their own."""
    assert looks[client].seen(SERVER) == runs.truth(open=OPEN_PORTS[:1], silent=DROPPED_PORTS[:dropped])
    assert looks[client].status == 1


def test_a_deadline_among_rejected_ports_leaves_the_unheard_ones_unknown(looks: Runs) -> None:
    checks = looks["all"].checks
    assert len(checks) == len(REJECTED_PORTS)
    assert REJECTED in seen(looks["all"])
    for check in checks:
        assert (check["state"], check["reason"]) == REJECTED or check["state"] == PortState.UNKNOWN, check


# -------------------------------------------------------------------------------------------- bans by ICMP


def test_a_ban_by_reject_among_closed_ports_is_lost_contact(lab: Lab, looks: Runs) -> None:
    """No open port vouches for the refusals before the ban, and the errors after it are about us, not the ports."""
    assert lab.counted("bans")[BANS] > 0
    assert looks["singly"].seen(SERVER) == dict.fromkeys(CLOSED_PORTS, LOST)
    assert {check["finding"] for check in looks["singly"].checks} == {Finding.UNDETERMINED}
    assert {check["responder"] for check in looks["singly"].checks} == {None}


def test_a_ban_by_reject_in_a_sweep_is_lost_contact(looks: Runs) -> None:
    swept = looks["in-bulk"].run["swept"]
    assert {(entry["state"], entry["reason"]) for entry in swept} == {LOST}
    ports = parse_ports(f"{','.join(entry['ports'] for entry in swept)}/tcp")
    assert sorted(port for part in ports for port in part.numbers()) == list(CLOSED_PORTS)


# --------------------------------------------------------------------------------------------- a silent hop


@pytest.mark.parametrize(("client", "stop_after_s"), [("walker", None), ("hasty", 0.6)])
def test_nobody_is_named_when_the_hop_before_the_box_is_silent(
    lab: Lab, client: str, stop_after_s: float | None
) -> None:
    """Who accepts is somewhere behind the silent hop; the last one that answered is not blamed."""
    done = lab.python(client, *DRIVEN, input=json.dumps({**FAR, "stop_after_s": stop_after_s}), timeout_s=20.0)
    assert done.returncode == 0, done.stderr
    found = entries(done.stdout)
    assert {entry["port"] for entry in found} == {22, 80}
    for entry in found:
        assert (entry["state"], entry["reason"]) == (PortState.UNKNOWN, Reason.ANSWERS_EVERYTHING), entry
        assert entry["responder"] is None, entry


# ----------------------------------------------------------------------------------------- the long stories


@pytest.fixture(scope="module")
def story(looks: Runs, beside: Mapping[str, Future[tuple[Result, Result]]]) -> tuple[Result, Result]:
    return beside["stopped"].result(timeout=DRIVEN_S)


def test_what_a_banned_run_had_not_proven_when_stopped_is_unknown(story: tuple[Result, Result]) -> None:
    first, _ = story
    assert first.run["interrupted"] == "SIGINT"
    assert len(first.checks) == len(OPEN_PORTS)
    for check in first.checks:
        assert (check["state"], check["reason"]) == OPEN or check["state"] == PortState.UNKNOWN, check
    assert first.summary["fail"] == 0


def test_when_the_ban_is_lifted_the_stopped_run_ends_with_every_port_open(story: tuple[Result, Result]) -> None:
    _, second = story
    assert second.seen(SERVER) == runs.truth(open=OPEN_PORTS)
    assert second.status == 0


def test_a_lost_host_is_given_up_while_another_one_on_the_way_loses_packets(
    looks: Runs, beside: Mapping[str, Future[Entries]]
) -> None:
    """The run has an end, and what was not answered by the lost host is not called dropped."""
    found = beside["two-hosts"].result(timeout=DRIVEN_S)
    states = {SERVER: set[tuple[str, str]](), SECOND: set[tuple[str, str]]()}
    for entry in found:
        state = entry["state"], entry["reason"]
        # Silence before the loss may have been proven.
        if state != runs.SILENT or entry["port"] not in DROPPED_PORTS:
            states[entry["address"]].add(state)
    assert len(found) == sum(len(ports) for both in TWO_HOSTS["sets"].values() for ports in both)
    assert LOST in states[SERVER]
    assert states[SERVER] <= {OPEN, runs.CLOSED, LOST}
    assert states[SECOND] == {OPEN, runs.CLOSED}
