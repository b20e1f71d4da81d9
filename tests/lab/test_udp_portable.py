"""The datagram engine without an error queue meets the truth table: what it cannot know it says, and is never wrong."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from portcheck.engine.probe import PortState, Reason, Transport
from portcheck.model import Family
from tests.lab import portable
from tests.lab.build import build
from tests.lab.udp_matrix import CASES, TFTP_PORT, UDP_MATRIX, Case

pytestmark = pytest.mark.lab

SERVERS = [UDP_MATRIX.address("server", family) for family in Family]
ASKED = [
    case for case in CASES if case.transport is Transport.UDP and case.address in SERVERS and case.port != TFTP_PORT
]
"""Whoever is absent takes longer, and is no different."""

SILENT = (PortState.OPEN_FILTERED, Reason.NO_RESPONSE)
REFUSED = (PortState.CLOSED, Reason.REFUSED_ORIGIN_UNKNOWN)

HOST_UNREACH = (PortState.FILTERED, Reason.HOST_UNREACH)
NET_UNREACH = (PortState.FILTERED, Reason.NET_UNREACH)
LOCAL_FIREWALL = (PortState.UNKNOWN, Reason.LOCAL_FIREWALL)
LOCAL_ERROR = (PortState.UNKNOWN, Reason.LOCAL_ERROR)

# A connected UDP socket is told of "hard" errors only, as an errno: icmp_err_convert in net/ipv4/icmp.c.
ALLOWED: Mapping[Reason, tuple[tuple[PortState, Reason], ...]] = {
    Reason.UDP_RESPONSE: ((PortState.OPEN, Reason.UDP_RESPONSE),),
    Reason.NO_RESPONSE: (SILENT,),
    Reason.PORT_UNREACH: (REFUSED,),
    Reason.LOCAL_FIREWALL: (LOCAL_FIREWALL,),
    Reason.ADMIN_PROHIBITED: (SILENT, HOST_UNREACH, NET_UNREACH, LOCAL_FIREWALL),
    Reason.HOST_UNREACH: (SILENT, HOST_UNREACH),
    Reason.NET_UNREACH: (SILENT, NET_UNREACH),
    Reason.PROTO_UNREACH: (SILENT, LOCAL_ERROR),
}


@pytest.fixture(scope="module")
def observed() -> portable.Seen:
    with build(UDP_MATRIX) as lab:
        seen = portable.observed(lab, Transport.UDP, ASKED)
    assert len(seen) == len(ASKED)
    return seen


@pytest.mark.parametrize("case", ASKED, ids=str)
def test_case(observed: portable.Seen, case: Case) -> None:
    entry = observed[case.address, case.port]
    assert (entry["state"], entry["reason"]) in ALLOWED[case.reason]
    assert (entry["responder"], entry["icmp"]) == (None, None)
