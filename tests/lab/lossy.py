"""A router that loses packets: the last number of the server's address is the share it loses, each way, in percent.

The same machine with the same listeners is behind every address, so what differs is the loss alone. Loss is
independent for each packet; on real networks it comes in bursts.
"""

from __future__ import annotations

from portcheck.model import Family
from tests.lab.rules import chain, loses, span, table
from tests.lab.topology import Link, Listener, Net, Node, Route, Topology

LOSS_PERCENT = (5, 10, 20, 40)
OPEN_PORTS = range(1000, 2000)
DROPPED_PORTS = range(2000, 2020)
"""Something listens there, but the server's own firewall drops what asks for it."""
CLOSED_PORTS = range(2100, 2120)

_LEFT = Net("left", "10.92.1.0/24", "fd92:1::/64")
_RIGHT = Net("right", "10.92.2.0/24", "fd92:2::/64")


def server_address(percent: int, family: Family = Family.IPV4) -> str:
    """Where the server is met through this loss."""
    address = _RIGHT.address(percent, family)
    assert address is not None
    return address


def _loses(percent: int) -> list[str]:
    """A SYN may be lost, and so may its answer."""
    return loses(percent, {family: server_address(percent, family) for family in Family}, "meta l4proto tcp")


_ROUTER_RULES = table(chain("forward", (rule for percent in LOSS_PERCENT for rule in _loses(percent))))
_SERVER_RULES = table(chain("input", [f"tcp dport {span(DROPPED_PORTS)} drop"]))


def lossy() -> Topology:
    """client - r1 - server."""
    return Topology(
        "lossy",
        f"client - r1 - server: r1 loses {', '.join(map(str, LOSS_PERCENT))} % each way, by the server's address",
        nets=(_LEFT, _RIGHT),
        nodes=(
            Node("client", (Link("left", 2),), routes=(Route("right", via="r1"),)),
            Node("r1", (Link("left", 1), Link("right", 1)), rules=_ROUTER_RULES, forwards=True),
            Node(
                "server",
                (Link("right", LOSS_PERCENT[0], also=LOSS_PERCENT[1:]),),
                routes=(Route("left", via="r1"),),
                listeners=tuple(map(Listener, (*OPEN_PORTS, *DROPPED_PORTS))),
                rules=_SERVER_RULES,
            ),
        ),
    )


LOSSY = lossy()
