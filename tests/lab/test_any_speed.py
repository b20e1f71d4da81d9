"""The same network gives the same result at every speed, and it is the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import pytest

from portcheck.engine.pace import Speed
from portcheck.model import Family
from tests.lab import runs
from tests.lab.build import build
from tests.lab.matrix import CASES, CLOSED_PORT, MATRIX, OPEN_PORT, PLACES
from tests.lab.runs import SILENT, Result
from tests.lab.topology import Link, Node, Route

pytestmark = pytest.mark.lab

PORTS = (OPEN_PORT, CLOSED_PORT, *(place.first_port + offset for place in PLACES[:3] for offset in (1, 2, 3, 4)))
"""Open and closed; and at the host and each router: dropped, reset, port-unreachable, prohibited."""
TARGETS = ("server", "silent", "ghost", "farghost")

NETWORK = replace(
    MATRIX,
    nodes=(
        *MATRIX.nodes,
        # A client for each speed: what a kernel or router has to say to one of them does not wait for the others.
        *(
            Node(speed, (Link("left", number),), tuple(Route(net, via="r1") for net in ("mid", "right")))
            for number, speed in enumerate(Speed, 10)
        ),
    ),
)

Runs = Mapping[str, Result]


@pytest.fixture(scope="module")
def looks() -> Runs:
    addresses = [NETWORK.address(node, family) for node in TARGETS for family in Family]
    with build(NETWORK) as lab:
        return runs.named(
            {
                speed: partial(runs.check, lab, speed, *addresses, "-e", runs.tcp(PORTS), "--speed", speed)
                for speed in Speed
            }
        )


@pytest.mark.parametrize("speed", [Speed.POLITE, Speed.FAST])
def test_the_speed_changes_nothing(looks: Runs, speed: Speed) -> None:
    assert len(looks[speed].verdicts()) == len(PORTS) * len(TARGETS) * len(Family)
    assert looks[speed].verdicts() == looks[Speed.NORMAL].verdicts()
    assert looks[speed].status == looks[Speed.NORMAL].status


@pytest.mark.parametrize("speed", Speed)
@pytest.mark.parametrize("family", Family)
def test_every_speed_finds_the_truth(looks: Runs, speed: Speed, family: Family) -> None:
    server = NETWORK.address("server", family)
    truth = {c.port: (c.state, c.reason, c.responder) for c in CASES if c.address == server and c.port in PORTS}
    found = looks[speed].ports(server)
    assert {port: (c["state"], c["reason"], c["responder"]) for port, c in found.items()} == truth


@pytest.mark.parametrize("speed", Speed)
@pytest.mark.parametrize("family", Family)
def test_every_speed_finds_the_truth_about_a_silent_host(looks: Runs, speed: Speed, family: Family) -> None:
    """The routers say what they have to say about its ports too; the host drops the rest."""
    server, silent = NETWORK.address("server", family), NETWORK.address("silent", family)
    by_router = {
        c.port: (c.state, c.reason, c.responder)
        for c in CASES
        if c.address == server and c.port in PORTS and c.name.endswith(("@r1", "@r2"))
    }
    truth = {port: by_router.get(port, (*SILENT, None)) for port in PORTS}
    found = looks[speed].ports(silent)
    assert {port: (c["state"], c["reason"], c["responder"]) for port, c in found.items()} == truth
