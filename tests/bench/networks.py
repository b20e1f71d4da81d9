"""The network that only the jobs need; the others are the lab's own (tests/lab)."""

from __future__ import annotations

from portcheck.model import Family
from tests.lab.rules import chain, span, table
from tests.lab.topology import Link, Listener, Net, Node, Route, Topology

_LEFT = Net("left", "10.96.1.0/24")
_RIGHT = Net("right", "10.96.2.0/24")

ROOMY = range(10, 26)
"""The last numbers of sixteen addresses on which OPEN_PORTS are open and all other ports are refused."""
DARK, ONE_OPEN, MIXED, REJECTING = 30, 31, 32, 33
"""Those of addresses with ports that a router drops, or that the host rejects."""

OPEN_PORTS = range(1000, 1050)
DARK_PORTS = range(1000, 10_000)
"""Of DARK; r1 drops them, and nothing else of that address answers either."""
HIDDEN_PORTS = range(10_000, 15_000)
"""Of ONE_OPEN; r1 drops them."""
ONE_OPEN_PORT = 80
"""nmap asks it first. Had it to find the open port among the others, it would take more than 60 s instead of 14."""
REFUSED_PORTS = range(1050, 3000)
DROPPED_PORTS = range(3000, 4000)
"""Of MIXED, beside OPEN_PORTS."""
REJECTED_PORTS = range(10_000, 60_000)
"""Of REJECTING: the host's own firewall, with ICMP port-unreachable, without a limit."""


def right(number: int) -> str:
    """The address with this last number."""
    found = _RIGHT.address(number, Family.IPV4)
    assert found is not None
    return found


def _dropped(number: int, ports: range) -> str:
    return f"iifname left ip daddr {right(number)} tcp dport {span(ports)} drop"


def plain() -> Topology:
    """client - r1 - server, without loss."""
    at_r1 = [
        _dropped(DARK, range(1, 65_536)),
        _dropped(ONE_OPEN, HIDDEN_PORTS),
        _dropped(MIXED, DROPPED_PORTS),
    ]
    at_server = [f"ip daddr {right(REJECTING)} tcp dport {span(REJECTED_PORTS)} reject"]
    addresses = (*ROOMY, DARK, ONE_OPEN, MIXED, REJECTING)
    return Topology(
        "plain",
        "client - r1 - server: open, refused, dropped and rejected ports, by the server's address",
        nets=(_LEFT, _RIGHT),
        nodes=(
            Node("client", (Link("left", 2),), routes=(Route("right", via="r1"),)),
            Node("r1", (Link("left", 1), Link("right", 1)), rules=table(chain("forward", at_r1)), forwards=True),
            Node(
                "server",
                (Link("right", addresses[0], also=addresses[1:]),),
                routes=(Route("left", via="r1"),),
                listeners=(
                    *(Listener(port, bind="0.0.0.0") for port in OPEN_PORTS),
                    Listener(ONE_OPEN_PORT, bind=right(ONE_OPEN)),
                ),
                rules=table(chain("input", at_server)),
            ),
        ),
    )
