"""The engine without an error queue meets the whole truth table: what it cannot know it says, and it is never wrong."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from portcheck.engine.probe import PortState, Reason, Transport
from tests.lab import portable
from tests.lab.build import Lab
from tests.lab.matrix import CASES, Case

pytestmark = pytest.mark.lab

REFUSED = (PortState.CLOSED, Reason.REFUSED_ORIGIN_UNKNOWN)
HOST_UNREACH = (PortState.FILTERED, Reason.HOST_UNREACH)
NET_UNREACH = (PortState.FILTERED, Reason.NET_UNREACH)
LOCAL_FIREWALL = (PortState.UNKNOWN, Reason.LOCAL_FIREWALL)
LOCAL_ERROR = (PortState.UNKNOWN, Reason.LOCAL_ERROR)
NO_ROUTE = (PortState.UNKNOWN, Reason.NO_ROUTE)

# What errno leaves of each answer: icmp_err_convert in net/ipv4/icmp.c, icmpv6_err_convert in net/ipv6/icmp.c.
BY_ERRNO: Mapping[Reason, tuple[tuple[PortState, Reason], ...]] = {
    Reason.SYN_ACK: ((PortState.OPEN, Reason.SYN_ACK),),
    Reason.CONN_REFUSED: (REFUSED,),
    Reason.PORT_UNREACH: (REFUSED,),
    Reason.NO_RESPONSE: ((PortState.FILTERED, Reason.NO_RESPONSE),),
    Reason.ADMIN_PROHIBITED: (HOST_UNREACH, NET_UNREACH, LOCAL_FIREWALL),
    Reason.HOST_UNREACH: (HOST_UNREACH,),
    Reason.NET_UNREACH: (NET_UNREACH, HOST_UNREACH),
    Reason.PROTO_UNREACH: (LOCAL_ERROR, (PortState.FILTERED, Reason.PROTO_UNREACH)),
    Reason.ARP_FAILURE: (HOST_UNREACH, (PortState.FILTERED, Reason.ARP_FAILURE)),
    Reason.NO_ROUTE: (NO_ROUTE,),
    # Our own firewall's words look like anybody's.
    Reason.LOCAL_FIREWALL: (REFUSED, HOST_UNREACH, NET_UNREACH, LOCAL_FIREWALL, LOCAL_ERROR),
}


@pytest.fixture(scope="module")
def observed(matrix: Lab) -> portable.Seen:
    seen = portable.observed(matrix, Transport.TCP, CASES)
    assert len(seen) == len(CASES)
    return seen


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(observed: portable.Seen, case: Case) -> None:
    entry = observed[case.address, case.port]
    assert (entry["state"], entry["reason"]) in BY_ERRNO[case.reason]
    assert (entry["responder"], entry["icmp"]) == (None, None)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_not_open_is_never_open(observed: portable.Seen, case: Case) -> None:
    assert (observed[case.address, case.port]["state"] == PortState.OPEN) == (case.state is PortState.OPEN)
