"""Lost datagrams, lost answers and lost ICMP errors, beside the kernel's own limits: no verdict is changed by them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from portcheck.engine.probe import PortState, Reason
from portcheck.model import Family
from tests.lab import runs
from tests.lab.build import Lab, build
from tests.lab.runs import Check, Result
from tests.lab.udp_lossy import (
    CLIENTS,
    CLOSED_PORTS,
    DROPPED_PORTS,
    LOSS_PERCENT,
    OPEN_PORTS,
    PORTS,
    PROHIBITED_PORTS,
    SILENT_PORTS,
    UDP_LOSSY,
    server_address,
)

pytestmark = pytest.mark.lab

LOOKS = [(percent, family) for percent in LOSS_PERCENT for family in Family]


@pytest.fixture(scope="module")
def lossy() -> Iterator[Lab]:
    with build(UDP_LOSSY) as lab:
        yield lab


@pytest.fixture(scope="module")
def looks(lossy: Lab) -> list[Result]:
    """Every client asks every server once, in both families."""
    addresses = [server_address(*look) for look in LOOKS]
    ports = f"{','.join(map(str, PORTS))}/udp"
    return runs.at_once([partial(runs.check, lossy, client, *addresses, "-e", ports) for client in CLIENTS])


def truth(address: str) -> dict[int, tuple[str, str]]:
    return {
        **dict.fromkeys(OPEN_PORTS, (PortState.OPEN, Reason.UDP_RESPONSE)),
        **dict.fromkeys((*SILENT_PORTS, *DROPPED_PORTS), (PortState.OPEN_FILTERED, Reason.NO_RESPONSE)),
        **dict.fromkeys(CLOSED_PORTS, (PortState.CLOSED, Reason.PORT_UNREACH)),
        **dict.fromkeys(PROHIBITED_PORTS, (PortState.FILTERED, Reason.ADMIN_PROHIBITED)),
    }


@pytest.mark.parametrize(("percent", "family"), LOOKS)
def test_no_verdict_is_changed_by_loss(looks: list[Result], percent: int, family: Family) -> None:
    address = server_address(percent, family)
    for look in looks:
        assert look.seen(address) == truth(address)


@pytest.mark.parametrize(("percent", "family"), [look for look in LOOKS if look[0] >= 10])
def test_who_answered_only_a_repetition_is_flaky(looks: list[Result], percent: int, family: Family) -> None:
    open_ports = [check for look in looks for check in answered(look, server_address(percent, family))]
    assert all(check["attempts"] > 1 for check in open_ports if check["flaky"])
    # A datagram and its answer are lost with this probability each: of 96 ports, 18 or more.
    assert any(check["flaky"] for check in open_ports)


def answered(look: Result, address: str) -> list[Check]:
    return [check for port, check in look.ports(address).items() if port in OPEN_PORTS]
