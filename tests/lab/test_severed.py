"""Our own network goes away in the middle of a run: no port is blamed for it, and the run goes on when it is back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import pytest

from portcheck.engine.probe import PortState, Reason
from portcheck.model import Family, Finding
from tests.lab import runs
from tests.lab.build import Lab, build, portcheck_argv
from tests.lab.runs import OPEN, Result, running, until
from tests.lab.severed import (
    DROPPED_PORTS,
    OPEN_PORTS,
    SEVERED,
    bring_up,
    plug_cable,
    pull_cable,
    take_down,
)

pytestmark = pytest.mark.lab

AWAY_S = 5.0
FLOWS_BEFORE = 100
"""At --speed normal these take two windows of 2 s. What is still to come then: the last open ports of all, and what
the dropped ones take."""
RETURNING_OPEN_PORTS = OPEN_PORTS[:130]
"""Whoever fell silent is asked slowly afterwards, so there must not be much left."""
RETURNING_PORTS = runs.tcp((*RETURNING_OPEN_PORTS, *DROPPED_PORTS))
ONLY_OPEN_PORTS = runs.tcp(OPEN_PORTS)
LOST = (PortState.UNKNOWN, Reason.LOST_CONTACT)

Change = Callable[[Lab, str], None]
Runs = Mapping[str, Result]


def server(family: Family) -> str:
    return SEVERED.address("server", family)


def interrupted(
    lab: Lab, client: str, family: Family, away: Change, back: Change | None, ports: str, *options: str
) -> Result:
    """A run whose client loses its network after FLOWS_BEFORE flows, and gets it back after AWAY_S."""
    argv = portcheck_argv(["check", server(family), "-e", ports, *options, "--format", "json"])
    with running(lab, client, argv) as process:
        until(lambda: lab.counted("r1")[f"{client}-{family}"] >= FLOWS_BEFORE)
        away(lab, client)
        if back is not None:
            time.sleep(AWAY_S)  # how long the network is away: what the test is about, not a wait for anything
            back(lab, client)
        stdout, stderr = process.communicate(timeout=120)
    return runs.result_of(process.returncode, stdout, stderr)


@pytest.fixture(scope="module")
def looks() -> Iterator[Runs]:
    four, six = Family.IPV4, Family.IPV6
    with build(SEVERED) as lab:
        yield runs.named(
            {
                "downed": partial(interrupted, lab, "downed", four, take_down, bring_up, RETURNING_PORTS),
                "cable": partial(interrupted, lab, "cable", four, pull_cable, plug_cable, RETURNING_PORTS),
                "cable6": partial(interrupted, lab, "cable6", six, pull_cable, plug_cable, RETURNING_PORTS),
                "gone": partial(interrupted, lab, "gone", four, take_down, None, ONLY_OPEN_PORTS, "--deadline", "20"),
                "cut": partial(interrupted, lab, "cut", four, pull_cable, None, ONLY_OPEN_PORTS, "--deadline", "20"),
            }
        )


@pytest.mark.parametrize(("name", "family"), [("downed", Family.IPV4), ("cable", Family.IPV4), ("cable6", Family.IPV6)])
def test_a_network_that_comes_back_leaves_no_trace_in_the_verdicts(looks: Runs, name: str, family: Family) -> None:
    result = looks[name]
    assert result.seen(server(family)) == runs.truth(open=RETURNING_OPEN_PORTS, silent=DROPPED_PORTS)
    assert result.run["interrupted"] is None
    assert result.run["duration_s"] > AWAY_S


@pytest.mark.parametrize("name", ["gone", "cut"])
def test_a_network_that_stays_away_blocks_no_port(looks: Runs, name: str) -> None:
    result = looks[name]
    assert set(result.states()) == {OPEN, LOST}
    assert {check["finding"] for check in result.checks} == {Finding.OK, Finding.UNDETERMINED}
    assert result.states()[OPEN] >= FLOWS_BEFORE // 2
    assert result.status == 3


@pytest.mark.parametrize("name", ["gone", "cut"])
def test_it_is_said_that_our_own_network_went_away(looks: Runs, name: str) -> None:
    """Not that the host did."""
    details = {check["detail"] for check in looks[name].checks if (check["state"], check["reason"]) == LOST}
    assert details
    assert all(detail.startswith("this machine lost its ") for detail in details), details
