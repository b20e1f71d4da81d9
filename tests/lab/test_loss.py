"""Packets get lost: that costs time, is said of the ports that it hit, and changes no verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import pytest

from portcheck.model import Family, Finding
from tests.lab import runs
from tests.lab.build import Lab, build
from tests.lab.lossy import CLOSED_PORTS, DROPPED_PORTS, LOSS_PERCENT, LOSSY, OPEN_PORTS, server_address
from tests.lab.runs import OPEN, Check, Result

pytestmark = pytest.mark.lab

FEW_PORTS = OPEN_PORTS[:20]
FEW_PORTS_RUNS = 60
FEW_PORTS_LOSS = 10
AT_MOST_S = 30.0
"""tests/bench measures the time exactly; this is for runs beside each other on a busy machine."""

KERNEL_REPEATS_SYN_S = 0.9

LOOKS = [(percent, Family.IPV4) for percent in LOSS_PERCENT] + [(20, Family.IPV6)]

Runs = Mapping[tuple[int, Family], Result]


@pytest.fixture(scope="module")
def lossy() -> Iterator[Lab]:
    with build(LOSSY) as lab:
        yield lab


@pytest.fixture(scope="module")
def all_ports(lossy: Lab) -> Runs:
    """Every kind of port at every loss."""
    ports = runs.tcp((*OPEN_PORTS, *DROPPED_PORTS, *CLOSED_PORTS))
    options = ("-e", ports, "--speed", "fast", "--evidence")
    return runs.named({look: partial(runs.check, lossy, "client", server_address(*look), *options) for look in LOOKS})


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_no_verdict_is_changed_by_loss(all_ports: Runs, look: tuple[int, Family]) -> None:
    seen = all_ports[look].seen(server_address(*look))
    assert seen == runs.truth(open=OPEN_PORTS, silent=DROPPED_PORTS, closed=CLOSED_PORTS)


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_dropped_ports_among_open_ones_are_still_blocked(all_ports: Runs, look: tuple[int, Family]) -> None:
    ports = all_ports[look].ports(server_address(*look))
    assert {ports[port]["finding"] for port in DROPPED_PORTS} == {Finding.BLOCKED}


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_loss_costs_little_time(all_ports: Runs, look: tuple[int, Family]) -> None:
    assert all_ports[look].run["duration_s"] < AT_MOST_S


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_who_answered_only_a_repeated_syn_is_flaky(all_ports: Runs, look: tuple[int, Family]) -> None:
    ports = all_ports[look].ports(server_address(*look))
    flaky = {port for port in OPEN_PORTS if ports[port]["flaky"]}
    assert {port for port in OPEN_PORTS if was_repeated(ports[port])} <= flaky
    assert not any(answered_at_once(ports[port]) for port in flaky)
    # Each way a packet is lost with this probability, so a first SYN goes unanswered with nearly twice that.
    assert len(flaky) > len(OPEN_PORTS) * look[0] / 100


def was_repeated(check: Check) -> bool:
    first = check["evidence"][0]
    return bool(first["result"] != "syn-ack" or first["syns"] > 1)


def answered_at_once(check: Check) -> bool:
    return not was_repeated(check) and bool(check["evidence"][0]["lasted_s"] < KERNEL_REPEATS_SYN_S)


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_a_second_attempt_has_a_source_port_of_its_own(all_ports: Runs, look: tuple[int, Family]) -> None:
    asked_again = [check for check in all_ports[look].checks if check["attempts"] > 1]
    assert len(asked_again) >= len(DROPPED_PORTS)
    for check in asked_again:
        first, second, *_ = check["evidence"]
        assert first["source_port"] != second["source_port"], check["id"]


def test_twenty_ports_sixty_times_without_a_wrong_verdict(lossy: Lab) -> None:
    """The everyday job: few ports, where there is little to learn the loss from."""
    look = partial(
        runs.check, lossy, "client", server_address(FEW_PORTS_LOSS), "-e", runs.tcp(FEW_PORTS), "--sweep", "none"
    )
    results = runs.at_once([look] * FEW_PORTS_RUNS, workers=6)
    assert [result.states() for result in results] == [{OPEN: len(FEW_PORTS)}] * FEW_PORTS_RUNS
    assert {result.status for result in results} == {0}
