"""A small DC/OS site: masters and agents with a firewall between them, and faults that can be put in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from portcheck.model import Family
from tests.lab.build import Lab
from tests.lab.matrix import SILENCE
from tests.lab.topology import Link, Listener, Net, Node, Route, Topology

MASTERS = ("m1", "m2", "m3")
AGENTS = ("a1", "a2", "a3", "a4", "a5")

MASTER_TCP = (
    *(53, 80, 443, 2181, 3888, 5050, 8080, 8123, 8181, 8443, 9090, 9443, 15101, 15201),
    *(61003, 61053, 61091, 61420, 62053, 62080, 62501, 62502),
)
MASTER_LOCAL_TCP = (7070, 9990, 15055)
"""Ports that DC/OS wants on 127.0.0.1 only."""
AGENT_TCP = (53, 5051, 15101, 15201, 61001, 61002, 61003, 61091, 61420, 62053, 62080, 62501, 62502)

DNS_UDP = {"m": (53, 61053, 62053), "a": (53, 62053)}
OVERLAY_UDP = 64000
"""A kernel tunnel port: nothing that it gets is ever answered."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a site. Each part is independent of the others, so that faults combine.

    Attributes:
        firewall: nftables rules for the router's forward chain, made from the site's topology.
        opens, closes: listeners by node; `closes` are ports on which nothing listens.
        silent: nodes that drop everything.
        absent: nodes behind whose address there is no machine.
    """

    title: str
    firewall: Callable[[Topology], tuple[str, ...]] = lambda site: ()
    opens: Mapping[str, Listener] | None = None
    closes: Mapping[str, int] | None = None
    silent: str | None = None
    absent: str | None = None


def _reject_2181(site: Topology) -> tuple[str, ...]:
    nets = [family for family in Family if site.net("masters").prefix(family)]
    to = {Family.IPV4: "ip daddr", Family.IPV6: "ip6 daddr"}
    return tuple(
        f"iifname agents {to[family]} {site.address('m2', family)} tcp dport 2181 counter "
        f'reject with icmpx admin-prohibited comment "reject_2181-{family}"'
        for family in nets
    )


FAULTS: Mapping[str, Fault] = {
    "drop_5050": Fault(
        "the router drops 5050/tcp from agents to masters",
        firewall=lambda site: ('iifname agents oifname masters tcp dport 5050 counter drop comment "drop_5050"',),
    ),
    "reject_2181": Fault("the router prohibits 2181/tcp from agents to m2", firewall=_reject_2181),
    "exposed_7070": Fault("7070/tcp of m1 listens on every address", opens={"m1": Listener(7070)}),
    "unexpected_8080": Fault("8080/tcp is open on a2", opens={"a2": Listener(8080)}),
    "not_listening_8181": Fault("nothing listens on 8181/tcp of m3", closes={"m3": 8181}),
    "host_down": Fault("there is no machine behind a4's address", absent="a4"),
    "host_silent": Fault("m3 drops everything", silent="m3"),
}


def dcos_site(faults: Iterable[str] = (), *, ipv6: bool = False) -> Topology:
    """Three masters, five agents and an NTP server in three nets of one router, with the named FAULTS.

    Raises KeyError for a fault that does not exist.
    """
    chosen = [FAULTS[name] for name in dict.fromkeys(faults)]
    site = Topology(
        "dcos",
        "a DC/OS site: masters, agents, NTP, a router in between",
        nets=tuple(
            Net(name, f"10.88.{number}.0/24", f"fd88:{number}::/64" if ipv6 else None)
            for number, name in enumerate(("masters", "agents", "services"), 1)
        ),
        nodes=(
            Node("r", tuple(Link(net, 254) for net in ("masters", "agents", "services")), forwards=True),
            *(_host(name, "masters", number, _master_listeners()) for number, name in enumerate(MASTERS, 11)),
            *(_host(name, "agents", number, _agent_listeners()) for number, name in enumerate(AGENTS, 11)),
            _host("ntp", "services", 11, (Listener(123, "udp", answer="ntp"),)),
        ),
    )
    nodes = tuple(_with_faults(node, site, chosen) for node in site.nodes)
    return replace(site, nodes=nodes)


def _host(name: str, net: str, number: int, listeners: tuple[Listener, ...]) -> Node:
    return Node(name, (Link(net, number),), (Route("default", via="r"),), listeners)


def _udp_listeners(role: str) -> tuple[Listener, ...]:
    dns = tuple(Listener(port, "udp", answer="dns") for port in DNS_UDP[role])
    return (*dns, Listener(OVERLAY_UDP, "udp", answer="silent"))


def _master_listeners() -> tuple[Listener, ...]:
    local = tuple(Listener(port, bind="127.0.0.1") for port in MASTER_LOCAL_TCP)
    return (*(Listener(port) for port in MASTER_TCP), *local, *_udp_listeners("m"))


def _agent_listeners() -> tuple[Listener, ...]:
    return (*(Listener(port) for port in AGENT_TCP), *_udp_listeners("a"))


def _with_faults(node: Node, site: Topology, faults: Iterable[Fault]) -> Node:
    for fault in faults:
        if fault.opens and node.name in fault.opens:
            opened = fault.opens[node.name]
            others = (other for other in node.listeners if (other.transport, other.port) != ("tcp", opened.port))
            node = replace(node, listeners=(*others, opened))
        if fault.closes and node.name in fault.closes:
            closed = ("tcp", fault.closes[node.name])
            kept = tuple(other for other in node.listeners if (other.transport, other.port) != closed)
            node = replace(node, listeners=kept)
        if fault.silent == node.name:
            node = replace(node, rules=SILENCE)
        if fault.absent == node.name:
            node = replace(node, present=False)
    if node.forwards:
        node = replace(node, rules=_firewall(rule for fault in faults for rule in fault.firewall(site)))
    return node


def _firewall(rules: Iterable[str]) -> str:
    body = "\n".join(rules)
    hook = "type filter hook forward priority filter; policy accept;"
    return f"table inet lab {{\nchain forward {{\n{hook}\n{body}\n}}\n}}" if body else ""


def site_yaml(lab: Lab) -> str:
    """The site file of a lab made from dcos_site(); machines that are down are still part of the site."""
    site = lab.topology
    lines = ["documents: [dcos-1.11]", "features: {enterprise: false}", "hosts:"]
    for role, names in (("master", MASTERS), ("agent", AGENTS)):
        lines += [f"  {name}: {_site_entry(site, name, role)}" for name in names]
    lines += ["external:", f"  ntp: {_site_entry(site, 'ntp', 'ntp')}"]
    return "\n".join(lines) + "\n"


def _site_entry(site: Topology, name: str, role: str) -> str:
    addresses = ", ".join(f'"{address}"' for address in site.addresses(name))
    return f"{{address: [{addresses}], roles: [{role}]}}"
