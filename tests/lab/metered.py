"""A router that counts new flows as intrusion systems do, and shuts out who begins too many of them.

Two meters: the common vendor default (100 new flows in 2 s to a host, 100 hosts in 10 s) and the common hardening
guide (20 in 5 s, 30 hosts in 10 s). The client's address decides which of them it meets. Behind the router are a
server with many ports and a network of a thousand addresses with few hosts.

A meter's time begins with the first flow and starts anew when it is over, as in the devices. Sliding windows are
stricter; tests/lab/flows.py counts those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from portcheck.model import Family
from tests.lab.build import Lab
from tests.lab.rules import chain, span, table
from tests.lab.topology import Link, Listener, Net, Node, Route, Topology

OPEN_PORTS = range(1000, 1240)
CLOSED_PORTS = range(1300, 1330)
DROPPED_PORTS = range(1400, 1430)

WIDE_OPEN_PORT, WIDE_DROPPED_PORT = 80, 81
"""What the hosts of the wide network have."""
WIDE_NETWORK = "10.97.4.0/23"
WIDE_PART = "10.97.4.0/26"
_LIVE = (7, 33, *range(90, 500, 37))

_LEFT = Net("left", "10.97.1.0/24")
_RIGHT = Net("right", "10.97.2.0/24")
_WIDE = Net("wide", WIDE_NETWORK)
BAN_S = 3600


@dataclass(frozen=True, slots=True)
class Meter:
    """What is too much: this many new flows to one host within `flows_s`, or this many hosts within `hosts_s`."""

    name: str
    flows: int
    flows_s: int
    hosts: int
    hosts_s: int
    clients: str
    """The range of client addresses that it judges."""


VENDOR = Meter("vendor", 100, 2, 100, 10, "10.97.1.10-10.97.1.49")
HARDENED = Meter("hardened", 20, 5, 30, 10, "10.97.1.50-10.97.1.99")

CLIENTS: Mapping[str, int] = {
    "normal": 10,
    "normal-w": 11,
    "fast": 12,
    "fast-w": 13,
    "polite": 50,
    "polite-w": 51,
    "fast-h": 52,
    "fast-h-w": 53,
}
"""The number of the address decides about the meter."""


def client_address(name: str) -> str:
    """Where the client's flows come from."""
    found = _LEFT.address(CLIENTS[name], Family.IPV4)
    assert found is not None
    return found


def live_addresses() -> set[str]:
    """The addresses of the wide network that a host has."""
    found = (_WIDE.address(number, Family.IPV4) for number in _LIVE)
    return {address for address in found if address is not None}


_SYN = "iifname left tcp flags & (syn | ack) == syn"
_FLOW = "ip saddr . tcp sport . ip daddr . tcp dport"
_PATH = "ip saddr . ip daddr"


def _sets() -> str:
    ip, port = "ipv4_addr", "inet_service"
    types = {"flows": f"{ip} . {port} . {ip} . {port}", "hosts": f"{ip} . {ip}", "banned": ip}
    for meter in (VENDOR, HARDENED):
        types |= {f"{meter.name}_flows": f"{ip} . {ip}", f"{meter.name}_hosts": ip}
    return "\n".join(f"set {name} {{ type {type}; flags dynamic,timeout; }}" for name, type in types.items())


def _judging() -> Iterator[str]:
    yield "iifname left ip saddr @banned drop"
    # A SYN that the kernel repeats is no new flow.
    yield f"{_SYN} {_FLOW} @flows accept"
    yield f"{_SYN} add @flows {{ {_FLOW} timeout 10m }}"
    for meter in (VENDOR, HARDENED):
        yield _meter(meter, f"{meter.name}_flows", _PATH, meter.flows, meter.flows_s)
    yield f"{_SYN} {_PATH} @hosts accept"
    yield f"{_SYN} add @hosts {{ {_PATH} timeout {VENDOR.hosts_s}s }}"
    for meter in (VENDOR, HARDENED):
        yield _meter(meter, f"{meter.name}_hosts", "ip saddr", meter.hosts, meter.hosts_s)


def _meter(meter: Meter, name: str, key: str, most: int, within_s: int) -> str:
    # `add` does not lengthen the life of an element that is there. A limit that gives nothing back within that time
    # is how a set counts.
    over = f"limit rate over 1/day burst {most - 1} packets"
    return (
        f"{_SYN} ip saddr {meter.clients} add @{name} {{ {key} timeout {within_s}s {over} }} "
        f'add @banned {{ ip saddr timeout {BAN_S}s }} counter drop comment "{name}"'
    )


def banned(lab: Lab) -> set[str]:
    """The clients that r1 has shut out."""
    listing = lab.run("r1", ["nft", "list", "set", "inet", "lab", "banned"], user=False).stdout
    return {name for name in CLIENTS if f"{client_address(name)} " in listing}


def metered() -> Topology:
    """Clients - r1 - server and farm; farm is every host of the wide network."""
    back = Route("left", via="r1")
    return Topology(
        "metered",
        "clients - r1 - server and a thousand addresses: r1 shuts out who begins too many flows",
        nets=(_LEFT, _RIGHT, _WIDE),
        nodes=(
            *(
                Node(name, (Link("left", number),), (Route("right", via="r1"), Route("wide", via="r1")))
                for name, number in CLIENTS.items()
            ),
            Node(
                "r1",
                (Link("left", 1), Link("right", 1)),
                routes=(Route("wide", via="farm"),),
                rules=table(_sets(), chain("forward", _judging())),
                forwards=True,
            ),
            Node(
                "server",
                (Link("right", 10),),
                routes=(back,),
                listeners=tuple(map(Listener, (*OPEN_PORTS, *DROPPED_PORTS))),
                rules=table(chain("input", [f"tcp dport {span(DROPPED_PORTS)} drop"])),
            ),
            Node(
                "farm",
                (Link("right", 20), Link("wide", _LIVE[0], also=_LIVE[1:])),
                routes=(back,),
                listeners=(Listener(WIDE_OPEN_PORT), Listener(WIDE_DROPPED_PORT)),
                rules=table(chain("input", [f"tcp dport {WIDE_DROPPED_PORT} drop"])),
                forwards=True,
            ),
        ),
    )


METERED = metered()
