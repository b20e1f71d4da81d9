"""Somebody on the way bans us in the middle of a run: what is not known since then is not called blocked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial

import pytest

from portcheck.engine.probe import PortState, Reason
from portcheck.model import Family, Finding
from tests.lab import runs
from tests.lab.bans import (
    BANNED,
    BANS,
    CLOSED_PORTS,
    DROPPED_PORTS,
    FLOWS_BEFORE_BAN,
    OPEN_PORTS,
    SHORT_BAN_S,
)
from tests.lab.build import Lab, build
from tests.lab.runs import OPEN, Result

pytestmark = pytest.mark.lab

SERVER = BANNED.address("server", Family.IPV4)
SHORT = [name for name, ban in BANS.items() if ban.lasts_s == SHORT_BAN_S]
LONG = [name for name in BANS if name not in SHORT]
FEW_OPEN_PORTS = OPEN_PORTS[:35]
"""Whoever was banned goes on slowly, so there is not much left to ask."""
DECOYS = 2
LOST = (PortState.UNKNOWN, Reason.LOST_CONTACT)

ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    **{name: ("-e", runs.tcp((*FEW_OPEN_PORTS, *CLOSED_PORTS, *DROPPED_PORTS)), "--deadline", "60") for name in SHORT},
    **{name: ("-e", runs.tcp(OPEN_PORTS), "--deadline", "20") for name in LONG},
    # As long as the engine thinks right.
    "drop-1h": ("-e", runs.tcp(OPEN_PORTS)),
}

Runs = Mapping[str, Result]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with build(BANNED) as lab:
        yield lab


@pytest.fixture(scope="module")
def looks(lab: Lab) -> Runs:
    """`--speed fast` begins all flows at once, which brings the ban after FLOWS_BEFORE_BAN of them."""
    return runs.named(
        {
            name: partial(runs.check, lab, name, SERVER, *arguments, "--speed", "fast", timeout_s=150.0)
            for name, arguments in ARGUMENTS.items()
        }
    )


@pytest.mark.parametrize("name", BANS)
def test_the_ban_came(lab: Lab, looks: Runs, name: str) -> None:
    assert looks[name].checks
    assert lab.counted("r1")[name] > 0


@pytest.mark.parametrize("name", SHORT)
def test_after_a_ban_that_ends_everything_is_decided_rightly(looks: Runs, name: str) -> None:
    result = looks[name]
    assert result.seen(SERVER) == runs.truth(open=FEW_OPEN_PORTS, closed=CLOSED_PORTS, silent=DROPPED_PORTS)
    assert {check["responder"] for check in result.checks} == {None}
    assert result.run["interrupted"] is None


@pytest.mark.parametrize("name", LONG)
def test_under_a_ban_that_stays_no_port_is_called_blocked_or_closed(looks: Runs, name: str) -> None:
    result = looks[name]
    assert {check["finding"] for check in result.checks} == {Finding.OK, Finding.UNDETERMINED}
    assert {check["responder"] for check in result.checks} == {None}
    assert result.status == 3


@pytest.mark.parametrize("name", LONG)
def test_what_answered_before_the_ban_stays_open_and_the_rest_is_lost(looks: Runs, name: str) -> None:
    states = looks[name].states()
    assert set(states) == {OPEN, LOST}
    assert FLOWS_BEFORE_BAN - DECOYS <= states[OPEN] <= FLOWS_BEFORE_BAN
    lost = [check for check in looks[name].checks if (check["state"], check["reason"]) == LOST]
    assert all(check["detail"].startswith("answered until") for check in lost)


@pytest.fixture(scope="module")
def gone_on(lab: Lab, looks: Runs) -> Runs:
    """Who is still banned goes on with the run that the ban ended; three canaries take 13 s to be silent."""
    for name in LONG:
        (lab.home / f"{name}.json").write_text(json.dumps(looks[name].run))
    return runs.named(
        {
            name: partial(runs.check, lab, name, "--resume", str(lab.home / f"{name}.json"), "--deadline", "25")
            for name in LONG
        }
    )


@pytest.mark.parametrize("name", LONG)
def test_who_goes_on_under_the_ban_hears_that_the_host_is_lost_and_not_that_it_drops(
    looks: Runs, gone_on: Runs, name: str
) -> None:
    assert gone_on[name].states() == looks[name].states()
    lost = [check for check in gone_on[name].checks if (check["state"], check["reason"]) == LOST]
    assert all(check["detail"].startswith("answered ") for check in lost)
