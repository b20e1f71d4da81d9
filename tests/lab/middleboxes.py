"""Boxes that accept connections for somebody else: a SYN proxy, a box that accepts everything, a load balancer.

All of them are r1, in front of one server that has an address for each.
"""

from __future__ import annotations

from portcheck.model import Family
from tests.lab.rules import FIELD, chain, table
from tests.lab.topology import Link, Listener, Net, Node, Route, Topology

PROXIED, CAPTIVE, BALANCED, BALANCED_MUTE = 10, 20, 30, 40
"""The last numbers of the server's addresses: behind the SYN proxy; every port answered by r1; only BALANCED_PORTS
answered by r1 and the rest refused by the server, or dropped."""

OPEN_PORTS = range(1000, 1020)
DROPPED_PORT = 2000
"""The server's firewall drops it."""
CLOSED_PORTS = range(5000, 6000)
BALANCED_PORTS = (80, 443)
_KEEPER = 9999
"""Where r1 accepts and keeps what it redirects to itself."""

_LEFT = Net("left", "10.94.1.0/24", "fd94:1::/64")
_RIGHT = Net("right", "10.94.2.0/24", "fd94:2::/64")


def address(number: int, family: Family = Family.IPV4) -> str:
    """One of the server's addresses."""
    found = _RIGHT.address(number, family)
    assert found is not None
    return found


def box(family: Family = Family.IPV4) -> str:
    """The address of r1 that its packets to the client come from."""
    found = _LEFT.address(1, family)
    assert found is not None
    return found


def _to(number: int) -> list[str]:
    """Matches TCP from the client to an address, in both families."""
    return [f"iifname left {field} daddr {address(number, family)} tcp" for family, field in FIELD.items()]


_BALANCED = f"dport {{ {', '.join(map(str, BALANCED_PORTS))} }} redirect to :{_KEEPER}"
# nft(8), SYNPROXY STATEMENT: the SYN must not be tracked, and what is not tracked goes to the proxy.
_SYNPROXY = "dport 1-65535 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm"

_ROUTER_RULES = table(
    chain("prerouting", [f"{to} flags syn notrack" for to in _to(PROXIED)], priority="raw"),
    chain(
        "forward",
        [f"{to} {then}" for then in (_SYNPROXY, "dport 1-65535 ct state invalid drop") for to in _to(PROXIED)],
    ),
    chain(
        "prerouting",
        [
            *(f"{to} dport 1-65535 redirect to :{_KEEPER}" for to in _to(CAPTIVE)),
            *(f"{to} {_BALANCED}" for number in (BALANCED, BALANCED_MUTE) for to in _to(number)),
        ],
        kind="nat",
        priority="dstnat",
    ),
)

_MUTE = (f"{field} daddr {address(BALANCED_MUTE, family)} tcp dport 1-65535 drop" for family, field in FIELD.items())
_SERVER_RULES = table(chain("input", [f"tcp dport {DROPPED_PORT} drop", *_MUTE]))


def middleboxes() -> Topology:
    """client - r1 - server."""
    return Topology(
        "boxes",
        "client - r1 - server: r1 accepts connections for the server, in four ways by the server's address",
        nets=(_LEFT, _RIGHT),
        nodes=(
            Node("client", (Link("left", 2),), routes=(Route("right", via="r1"),)),
            Node(
                "r1",
                (Link("left", 1), Link("right", 1)),
                listeners=(Listener(_KEEPER),),
                rules=_ROUTER_RULES,
                # A connection that the proxy has not made is not picked up in the middle.
                sysctls={"net.netfilter.nf_conntrack_tcp_loose": "0"},
                forwards=True,
            ),
            Node(
                "server",
                (Link("right", PROXIED, also=(CAPTIVE, BALANCED, BALANCED_MUTE)),),
                routes=(Route("left", via="r1"),),
                listeners=tuple(map(Listener, (*OPEN_PORTS, DROPPED_PORT))),
                rules=_SERVER_RULES,
            ),
        ),
    )


BOXES = middleboxes()
