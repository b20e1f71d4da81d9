"""Two hundred addresses behind a router: most are alive, some have no machine, some are silent."""

from __future__ import annotations

from portcheck.model import Family
from tests.lab.rules import chain, span, table
from tests.lab.topology import Link, Listener, Net, Node, Route, Topology

LIVE = range(10, 190)
ABSENT = range(190, 200)
"""Nobody has these addresses: the router says so after 3 s."""
SILENT = range(200, 210)
"""The router drops whatever goes there."""

OPEN_PORTS = range(1000, 1020)
CLOSED_PORTS = range(1100, 1108)
DROPPED_PORTS = range(1200, 1202)
PORTS = (*OPEN_PORTS, *CLOSED_PORTS, *DROPPED_PORTS)

_LEFT = Net("left", "10.98.1.0/24")
_RIGHT = Net("right", "10.98.2.0/24")


def addresses(numbers: range) -> tuple[str, ...]:
    """The addresses that end in these numbers."""
    found = (_RIGHT.address(number, Family.IPV4) for number in numbers)
    return tuple(address for address in found if address is not None)


def many() -> Topology:
    """Clients - r1 - hosts."""
    first, last = addresses(SILENT)[0], addresses(SILENT)[-1]
    return Topology(
        "many",
        "clients - r1 - 200 addresses, 20 of them dead",
        nets=(_LEFT, _RIGHT),
        nodes=(
            *(Node(name, (Link("left", n),), (Route("right", via="r1"),)) for name, n in (("normal", 2), ("fast", 3))),
            Node(
                "r1",
                (Link("left", 1), Link("right", 1)),
                rules=table(chain("forward", [f"ip daddr {first}-{last} drop"])),
                forwards=True,
            ),
            Node(
                "hosts",
                (Link("right", LIVE[0], also=tuple(LIVE[1:])),),
                routes=(Route("left", via="r1"),),
                listeners=tuple(map(Listener, (*OPEN_PORTS, *DROPPED_PORTS))),
                rules=table(chain("input", [f"tcp dport {span(DROPPED_PORTS)} drop"])),
            ),
        ),
    )


MANY = many()
