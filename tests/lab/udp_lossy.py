"""UDP through a router that loses packets; the last number of a server's address is the share it loses, in percent.

Each server is a machine of its own with the kernel's ICMP limits, for lost errors and rationed ones look alike.
"""

from __future__ import annotations

from portcheck.model import Family
from tests.lab.rules import chain, loses, span, table
from tests.lab.topology import KERNEL_ICMP_LIMITS, Link, Listener, Net, Node, Route, Topology

LOSS_PERCENT = (5, 10, 20)
CLIENTS = tuple(f"c{number}" for number in range(1, 9))
"""For several runs at once: the limits are counted for each peer."""

OPEN_PORTS = range(2000, 2012)
SILENT_PORTS = range(2012, 2014)
"""Something listens there, and never answers."""
CLOSED_PORTS = range(2014, 2018)
DROPPED_PORTS = range(2018, 2019)
PROHIBITED_PORTS = range(2019, 2020)
"""The server's own firewall says so."""
PORTS = (*OPEN_PORTS, *SILENT_PORTS, *CLOSED_PORTS, *DROPPED_PORTS, *PROHIBITED_PORTS)

_LEFT = Net("left", "10.73.1.0/24", "fd73:1::/64")
_RIGHT = Net("right", "10.73.2.0/24", "fd73:2::/64")

_SERVER_RULES = table(
    chain(
        "input",
        [
            f"udp dport {span(DROPPED_PORTS)} drop",
            f"udp dport {span(PROHIBITED_PORTS)} reject with icmpx admin-prohibited",
        ],
    )
)


def server_address(percent: int, family: Family = Family.IPV4) -> str:
    """The server that is met through this loss."""
    address = _RIGHT.address(percent, family)
    assert address is not None
    return address


def _loses(percent: int) -> list[str]:
    """A datagram may be lost, and so may its answer or an ICMP error."""
    return loses(percent, {family: server_address(percent, family) for family in Family})


def udp_lossy() -> Topology:
    """Clients - r1 - servers."""
    back = (Route("left", via="r1"),)
    listeners = (
        *(Listener(port, "udp", answer="hello") for port in (*OPEN_PORTS, *DROPPED_PORTS, *PROHIBITED_PORTS)),
        *(Listener(port, "udp", answer="silent") for port in SILENT_PORTS),
    )
    return Topology(
        "udploss",
        f"clients - r1 - servers: r1 loses {', '.join(map(str, LOSS_PERCENT))} % each way, by the server's address",
        nets=(_LEFT, _RIGHT),
        nodes=(
            *(Node(name, (Link("left", n),), (Route("right", via="r1"),)) for n, name in enumerate(CLIENTS, 2)),
            Node(
                "r1",
                (Link("left", 1), Link("right", 1)),
                rules=table(chain("forward", (rule for percent in LOSS_PERCENT for rule in _loses(percent)))),
                forwards=True,
            ),
            *(
                Node(f"loses{percent}", (Link("right", percent),), back, listeners, _SERVER_RULES, KERNEL_ICMP_LIMITS)
                for percent in LOSS_PERCENT
            ),
        ),
    )


UDP_LOSSY = udp_lossy()
