"""The network that only the jobs need; the others are the lab's own (tests/lab)."""

from __future__ import annotations

from collections.abc import Iterable

from portcheck.model import Family
from tests.lab.rules import chain, span, table
from tests.lab.topology import KERNEL_ICMP_LIMITS, Link, Listener, Net, Node, Route, Topology

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


# ------------------------------------------------------------------------------------------------------- UDP

TWENTY = "twenty"
"""The machine with real servers."""
DISCARD_PORT = 9
MACHINES = range(10, 210)
MACHINE_PORTS = range(3000, 3030)

_LAN = Net("lan", "10.99.1.0/24", "fd99:1::/64")
_FAR = Net("far", "10.97.2.0/24")
_NEAR = Net("near", "10.97.1.0/24")


def twenty(dropped: Iterable[int], prohibited: Iterable[int]) -> Topology:
    """A client and a machine that real servers are started on; it limits its ICMP errors."""
    rules = [f"udp dport {port} drop" for port in dropped]
    rules += [f"udp dport {port} reject with icmpx admin-prohibited" for port in prohibited]
    # Behind what the firewall refuses something answers.
    refused = tuple(Listener(port, "udp", answer="hello") for port in (*dropped, *prohibited))
    return Topology(
        "twenty",
        "client - twenty: real servers",
        nets=(_LAN,),
        nodes=(
            Node("client", (Link("lan", 2),)),
            Node(
                TWENTY,
                (Link("lan", 10),),
                listeners=(Listener(DISCARD_PORT, "udp", answer="silent"), *refused),
                rules=table(chain("input", rules)),
                sysctls=KERNEL_ICMP_LIMITS,
            ),
        ),
    )


def twenty_address() -> str:
    found = _LAN.address(10, Family.IPV4)
    assert found is not None
    return found


def machines() -> Topology:
    """client - r1 - 200 machines without a service, each with limits of its own."""
    return Topology(
        "machines",
        f"client - r1 - {len(MACHINES)} machines",
        nets=(_NEAR, _FAR),
        nodes=(
            Node("client", (Link("near", 2),), routes=(Route("far", via="r1"),)),
            Node("r1", (Link("near", 1), Link("far", 1)), forwards=True),
            *(
                Node(f"m{number}", (Link("far", number),), (Route("near", via="r1"),), sysctls=KERNEL_ICMP_LIMITS)
                for number in MACHINES
            ),
        ),
    )


def machine_addresses() -> tuple[str, ...]:
    found = (_FAR.address(number, Family.IPV4) for number in MACHINES)
    return tuple(address for address in found if address is not None)
