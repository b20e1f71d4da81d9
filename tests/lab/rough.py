"""A rough network: everything that makes a checker say something wrong, on one segment.

Unlike the matrix, it is not about what firewalls answer, but about loss, rules without state, sources, wide
networks, and the trouble of the machine that looks.
"""

from __future__ import annotations

from tests.lab.topology import Link, Listener, Net, Node, Route, Topology

OPEN_PORTS = range(1000, 1200)
ABSENT_PORT = 1999
"""Nothing listens there."""
SWALLOWED_PORTS = range(7000, 7020)
"""Open, but whatever the first source port to ask one of them is, its SYNs are dropped for ever."""
SOURCE_PORT = 7500
"""Open for the client's second address only."""
REJECTED_PORTS = range(10_000, 15_000)
SILENT_PORTS = range(20_000, 20_200)
LOSS_PERCENT = 10

LIVE_HOSTS = ("live1", "live2", "live3")
LIVE_NETWORK = "10.90.1.0/24"
WIDE_NETWORKS = {"client": "10.90.16.0/23", "cramped": "10.90.18.0/23", "server": "10.90.20.0/23"}
"""By who looks at it: on the same segment; all addresses together are more than a kernel's neighbour table holds."""
NEEDLES_PER_NETWORK = 5
_NEEDLES = tuple(256 * (16 + 2 * network) + 17 + 101 * n for network in range(3) for n in range(NEEDLES_PER_NETWORK))


def _span(ports: range) -> str:
    """As nftables and -e write a range."""
    return f"{ports.start}-{ports.stop - 1}"


_SERVER_RULES = f"""
table inet lab {{
    set asked {{ type inet_service; flags dynamic; size 65535; }}
    set first {{ type inet_service . inet_service; flags dynamic; size 65535; }}
    chain input {{
        type filter hook input priority filter; policy accept;
        tcp dport {_span(SWALLOWED_PORTS)} tcp dport . tcp sport @first drop
        tcp dport {_span(SWALLOWED_PORTS)} tcp dport != @asked add @asked {{ tcp dport }} \
            add @first {{ tcp dport . tcp sport }} drop
        ip saddr 10.90.0.1 tcp dport {SOURCE_PORT} counter drop comment "from-the-first-address"
        tcp dport {_span(REJECTED_PORTS)} counter reject comment "rejected"
        tcp dport {_span(SILENT_PORTS)} counter drop comment "silence"
    }}
}}
"""

# On the target's side: the client's own rule would be its own firewall. Neighbour discovery is spared.
_LOSS = f"meta l4proto tcp numgen random mod 100 < {LOSS_PERCENT} drop"
_LOSSY_RULES = f"""
table inet lab {{
    chain input {{ type filter hook input priority filter; policy accept; {_LOSS}; }}
    chain output {{ type filter hook output priority filter; policy accept; {_LOSS}; }}
}}
"""


def rough() -> Topology:
    """client and cramped look; server, lossy, the others are looked at."""
    listening = (*OPEN_PORTS, *SWALLOWED_PORTS, SOURCE_PORT)
    return Topology(
        "rough",
        "one segment with loss, stateless rules, two source addresses, wide networks",
        nets=(Net("wire", "10.90.0.0/16", "fd90::/64"), Net("beyond", "10.91.0.0/24", "fd91::/64")),
        nodes=(
            Node("client", (Link("wire", 1, also=(5,)),), routes=(Route("beyond", via="deadgw"),)),
            Node("cramped", (Link("wire", 2),), sysctls={"net.ipv4.ip_local_port_range": "50000 50003"}),
            Node("server", (Link("wire", 10),), listeners=tuple(map(Listener, listening)), rules=_SERVER_RULES),
            Node("lossy", (Link("wire", 11),), listeners=tuple(map(Listener, OPEN_PORTS)), rules=_LOSSY_RULES),
            Node("ghost", (Link("wire", 99),), present=False),
            Node("deadgw", (Link("wire", 98), Link("beyond", 1)), present=False),
            Node("beyond", (Link("beyond", 5, also=tuple(range(10, 60))),), present=False),
            *(
                Node(name, (Link("wire", 256 + number),), listeners=(Listener(80),))
                for number, name in enumerate(LIVE_HOSTS, 10)
            ),
            Node("needles", (Link("wire", _NEEDLES[0], also=_NEEDLES[1:]),), listeners=(Listener(80),)),
        ),
    )


ROUGH = rough()
