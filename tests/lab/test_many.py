"""Two hundred hosts with thirty ports each, twenty of them dead: in time, and all right."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pytest

from portcheck.engine.probe import PortState, Reason
from portcheck.model import Family, Finding
from tests.lab import runs
from tests.lab.build import build
from tests.lab.many import ABSENT, CLOSED_PORTS, DROPPED_PORTS, LIVE, MANY, OPEN_PORTS, PORTS, SILENT, addresses
from tests.lab.runs import SILENT as SILENT_PORT
from tests.lab.runs import Result

pytestmark = pytest.mark.lab

AT_MOST_S = {"normal": 60.0, "fast": 30.0}
"""Twice to three times of what tests/bench demands: here the two run beside each other."""

Runs = Mapping[str, Result]


@pytest.fixture(scope="module")
def looks() -> Runs:
    every = addresses(range(LIVE.start, SILENT.stop))
    assert (len(every), len(PORTS), len(ABSENT) + len(SILENT)) == (200, 30, 20)
    options = ("-e", runs.tcp(PORTS), "--speed")
    with build(MANY) as lab:
        return runs.named(
            {speed: partial(runs.check, lab, speed, *every, *options, speed, timeout_s=150.0) for speed in AT_MOST_S}
        )


@pytest.mark.parametrize("speed", AT_MOST_S)
def test_it_is_done_in_time(looks: Runs, speed: str) -> None:
    assert looks[speed].run["duration_s"] < AT_MOST_S[speed]


@pytest.mark.parametrize("speed", AT_MOST_S)
def test_every_port_of_every_live_host_is_right(looks: Runs, speed: str) -> None:
    truth = runs.truth(open=OPEN_PORTS, closed=CLOSED_PORTS, silent=DROPPED_PORTS)
    wrong = [address for address in addresses(LIVE) if looks[speed].seen(address) != truth]
    assert wrong == []


@pytest.mark.parametrize("speed", AT_MOST_S)
def test_an_address_without_a_machine_is_one_thing_to_all_its_ports(looks: Runs, speed: str) -> None:
    """The router says of three hundred ports at once that nobody is there, and loses most of what it says.

    Its kernel's socket for ICMP holds about a hundred errors (IcmpOutErrors in nstat), so of some addresses we hear
    nothing. But one error about an address is enough for all its ports.
    """
    unreachable = (PortState.FILTERED, Reason.HOST_UNREACH, MANY.address("r1", Family.IPV4, "left"))
    findings = {unreachable: Finding.HOST_UNREACHABLE, (*SILENT_PORT, None): Finding.BLOCKED}
    seen = [
        {((c["state"], c["reason"], c["responder"]), c["finding"]) for c in looks[speed].ports(address).values()}
        for address in addresses(ABSENT)
    ]
    assert all(len(alike) == 1 and alike <= set(findings.items()) for alike in seen), seen
    assert {(unreachable, Finding.HOST_UNREACHABLE)} in seen


@pytest.mark.parametrize("speed", AT_MOST_S)
def test_a_silent_host_is_blocked(looks: Runs, speed: str) -> None:
    for address in addresses(SILENT):
        assert looks[speed].seen(address) == runs.truth(silent=PORTS)
