"""The counting of flows, which the tests of pacing rely on, against the plain definition of a window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcheck.model import Family
from tests.lab.build import build
from tests.lab.flows import Flow, most_flows, most_targets, recorded
from tests.lab.severed import DROPPED_PORTS, OPEN_PORTS, SEVERED

WINDOW_S = 2.0

flows_in_order = st.lists(st.tuples(st.integers(0, 64), st.sampled_from("abc")), max_size=40).map(
    lambda seen: tuple(Flow(eighths / 8, "me", 1, target, 80, 1) for eighths, target in sorted(seen))
)


@given(flows_in_order)
def test_windows_are_counted_as_they_are_defined(flows: tuple[Flow, ...]) -> None:
    """No window holds more than one that begins with a flow."""
    windows = [[f for f in flows if first.at_s <= f.at_s < first.at_s + WINDOW_S] for first in flows]
    alike = [sum(f.target == target for f in window) for window in windows for target in "abc"]
    assert most_flows(flows, WINDOW_S) == max(alike, default=0)
    assert most_targets(flows, WINDOW_S) == max((len({f.target for f in window}) for window in windows), default=0)


# Asks ports of an address, argv[1], once and lets go after the kernel has repeated the SYN.
ASK = """
import socket, sys, time
held = []
for port in map(int, sys.argv[2:]):
    held.append(socket.socket())
    held[-1].setblocking(False)
    held[-1].connect_ex((sys.argv[1], port))
time.sleep(1.5)
"""


@pytest.mark.lab
def test_every_flow_is_seen_once_however_often_its_syn_is_repeated() -> None:
    server, client = SEVERED.address("server", Family.IPV4), SEVERED.address("cable", Family.IPV4)
    with build(SEVERED) as lab, recorded(lab, "r1", "left") as flows:
        asked = (OPEN_PORTS[0], DROPPED_PORTS[0])
        lab.python("cable", "-c", ASK, server, *map(str, asked))
        seen = {(flow.source, flow.target, flow.port): flow.syns for flow in flows()}
    assert seen == {(client, server, OPEN_PORTS[0]): 1, (client, server, DROPPED_PORTS[0]): 2}
