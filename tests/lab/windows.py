"""A small Windows domain: a member, a router with the rules, a controller that is silent where nothing listens."""

from __future__ import annotations

from collections.abc import Iterable

from tests.lab.build import Lab
from tests.lab.topology import Link, Listener, Net, Node, Route, Topology

CONTROLLER_TCP = (88, 135, 389, 445, 464, 593, 636, 3268, 3269, 9389)
"""What Active Directory needs of a current controller."""
WITH_WINDOWS = (139, 5985)
"""What Windows itself has open besides: NetBIOS over TCP/IP, as it is set up, and WinRM."""
DYNAMIC_RPC = (49664, 49667, 50123, 65535)
"""Ports that its RPC services took from the dynamic range when they started."""
DROPPED = 636
GUEST = 12345
"""A port that nobody asked for, and that the port lists know."""


def _stealth(ports: Iterable[int]) -> str:
    """Windows Firewall: what nothing listens on is dropped, not refused."""
    listening = ", ".join(map(str, ports))
    hook = "type filter hook input priority filter; policy drop;"
    return (
        f"table inet lab {{\nchain input {{\n{hook}\niif lo accept\nct state established,related accept\n"
        f"meta l4proto {{ icmp, ipv6-icmp }} accept\ntcp dport {{ {listening} }} accept\n}}\n}}"
    )


def windows_site(*, dropped: int | None = None, opened: Iterable[int] = ()) -> Topology:
    """The domain; `dropped`: a port that the router drops; `opened`: what listens on the controller besides."""
    listening = (*CONTROLLER_TCP, *WITH_WINDOWS, *DYNAMIC_RPC, *opened)
    rule = "" if dropped is None else f"tcp dport {dropped} counter drop"
    hook = "type filter hook forward priority filter; policy accept;"
    return Topology(
        "windows",
        "a Windows domain: a member, a router, a controller",
        nets=(Net("office", "10.89.1.0/24"), Net("servers", "10.89.2.0/24")),
        nodes=(
            Node(
                "r",
                (Link("office", 254), Link("servers", 254)),
                rules=f"table inet lab {{\nchain forward {{\n{hook}\n{rule}\n}}\n}}" if rule else "",
                forwards=True,
            ),
            Node("pc", (Link("office", 11),), (Route("default", via="r"),)),
            Node(
                "dc",
                (Link("servers", 11),),
                (Route("default", via="r"),),
                tuple(Listener(port) for port in listening),
                rules=_stealth(listening),
            ),
        ),
    )


def windows_yaml(lab: Lab) -> str:
    """The site file of the lab."""
    return (
        "documents: [windows-server]\n"
        "hosts:\n"
        f"  pc: {{address: {lab.topology.addresses('pc')[0]}, roles: [domain-member]}}\n"
        f"  dc: {{address: {lab.topology.addresses('dc')[0]}, roles: [domain-controller]}}\n"
    )
