"""A server with a packet filter of its own, rulesets by chance for it, and a client that tries what they do.

The client is this file, run as a program in the client's namespace: each line of standard input is a JSON list of
[transport, address, port, source, is an answer expected], each line of standard output the JSON list of what came:
"accept", "reject" or "drop". What is expected to answer is waited for; silence is believed after SILENCE_S.
"""

from __future__ import annotations

import json
import selectors
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from random import Random

PATIENCE_S = 5.0
SILENCE_S = 0.1

PORTS = (2000, 2001, 2002, 2003)
SERVER = {False: "10.98.1.10", True: "fd98:1::10"}
CLIENTS = {False: ("10.98.1.20", "10.98.1.21"), True: ("fd98:1::20", "fd98:1::21")}
"""By whether it is IPv6."""

Ask = tuple[str, str, int, str, bool]


# --------------------------------------------------------------------------------------- rulesets by chance

INNER = ("one", "two", "three")
_SETS = """
set ports { type inet_service; flags interval; elements = { 2000, 2002-2999 }
}
set four { type ipv4_addr; flags interval; elements = { 10.98.1.20, 10.99.0.0/16 }
}
set six { type ipv6_addr; flags interval; elements = { fd98:1::20-fd98:1::20 }
}
set rows { type inet_proto . inet_service; flags interval; elements = { tcp . 2001, udp . 2002-2003 }
}
set seen { type ipv4_addr; flags dynamic; size 100;
}
set heavy { type inet_service; quota over 100 mbytes; elements = { 2000, 2001 }
}
set counted { type inet_service; counter; elements = { 2000, 2002 }
}
map kept { type inet_service : verdict; counter quota over 100 mbytes; elements = { 2001 : accept, 2002 : drop }
}
"""
_MATCHES = (
    *("tcp dport 2000", "udp dport 2001", "tcp dport { 2001, 2003 }", "udp dport 2000-2002", "tcp dport != 2002"),
    *("udp dport != { 2000, 2001 }", "tcp dport @ports", "udp dport != @ports", "tcp dport >= 2002", "th dport < 2002"),
    *(
        "meta l4proto tcp",
        "meta l4proto { tcp, udp }",
        "meta l4proto != udp",
        "meta l4proto { tcp, udp } th dport 2003",
    ),
    *("ct state new", "ct state established,related", "ct state { new, established }", "ct state != established"),
    *("ct state ! new", "ct state invalid", "ct status dnat", "ct direction original", "ct state untracked"),
    *("tcp flags & (fin|syn|rst|ack) == syn", "tcp flags syn", "tcp flags ! ack", "tcp flags & (syn|ack) == syn|ack"),
    *('iifname "lo"', 'iifname != "lo"', 'iifname "lan"', 'iif "lo"', 'iifname { "lo", "lan" }', 'oifname "lo"'),
    *("fib daddr type local", "fib daddr type { broadcast, multicast }", "fib saddr . iif oif missing"),
    *("meta mark 0", "meta mark 1", "meta pkttype host", "meta pkttype { broadcast, multicast }", "tcp sport 1-1023"),
    *(
        "meta protocol ip",
        "numgen random mod 2 < 1",
        "limit rate 1/hour burst 1 packets",
        "tcp option sack-perm exists",
    ),
    *("meta l4proto . th dport @rows", "tcp dport & 1 == 1", "meta nfproto ipv6"),
    *("tcp dport @heavy", "udp dport != @heavy", "tcp dport @counted", "udp dport @counted"),
    *("tcp dport { 2001 limit rate 1/hour burst 1 packets, 2003 }", "udp dport { 2000 counter, 2001 counter }"),
)
_MATCHES_OF = {
    "ip": (
        *("ip saddr 10.98.1.20", "ip saddr != 10.98.1.20", "ip saddr 10.98.1.0/24", "ip saddr @four"),
        *("ip saddr != { 10.98.1.21, 10.98.2.0/24 }", "ip daddr 10.98.1.10", "ip daddr 224.0.0.0/4", "ip protocol tcp"),
        *("ip saddr & 0.0.0.1 == 0.0.0.1", "ip saddr . tcp dport { 10.98.1.20 . 2000, 10.98.1.21 . 2001-2003 }"),
        *("ip saddr 10.98.1.21-10.98.1.30", "add @seen { ip saddr }", "ip frag-off & 0x1fff != 0", "ip ttl > 3"),
    ),
    "ip6": (
        *("ip6 saddr fd98:1::20", "ip6 saddr != fd98:1::20", "ip6 saddr fd98:1::/64", "ip6 saddr @six"),
        *("ip6 daddr fd98:1::10", "ip6 nexthdr tcp", "ip6 saddr { fe80::/10, fd98:1::21 }", "exthdr frag exists"),
    ),
}
_MAPS = (
    "tcp dport vmap { 2000 : accept, 2001 : drop, 2002 : jump one, 2003 : goto two }",
    "udp dport vmap { 2000-2001 : accept, 2003 : jump three }",
    "ct state vmap { established : accept, related : accept, invalid : drop }",
    "meta l4proto . th dport vmap { tcp . 2001 : accept, udp . 2002 : drop, tcp . 2000 : jump two }",
    "meta mark vmap { 0 : accept, 1 : drop }",
    "iifname vmap { lo : accept, lan : jump one }",
    *("tcp dport vmap @kept", "udp dport vmap @kept"),
)
_DECISIONS = (
    *("accept", "accept", "accept", "drop", "drop", "reject", "reject", "return"),
    *("counter", "continue", 'log prefix "x "', "meta mark set 1", "ct mark set 1"),
)
_REJECTIONS = {
    "inet": ("icmpx admin-prohibited", "icmpx host-unreachable", "icmp net-prohibited", "icmpv6 admin-prohibited"),
    "ip": ("icmp host-unreachable", "icmp admin-prohibited"),
    "ip6": ("icmpv6 admin-prohibited", "icmpv6 addr-unreachable"),
}
_BEGINNINGS = (
    "ct state established,related accept",
    "ct state vmap { established : accept, related : accept, invalid : drop }",
    "",
)
_NEIGHBOURS = ("meta l4proto ipv6-icmp accept", "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept", "")
_BASES = (
    *(("filter", "input", priority) for priority in (-10, 0, 10)),
    *(("filter", "prerouting", priority) for priority in (-300, -150)),
    ("filter", "output", 0),
    ("nat", "prerouting", -100),
)


def ruleset(random: Random) -> str:
    """Some tables with some chains; input is always filtered."""
    tables = random.sample(("inet", "ip", "ip6"), k=random.choice((1, 1, 2)))
    parts = ["flush ruleset"]
    for number, family in enumerate(tables):
        bases = [("filter", "input", random.choice((-10, 0, 10)))] if number == 0 or random.random() < 0.5 else []
        bases += [each for each in _BASES if random.random() < 0.15 and each not in bases]
        parts += [f"table {family} lab{number} {{", *(["flags dormant"] if random.random() < 0.05 else []), _SETS]
        # A chain must exist before another jumps to it.
        for at, name in enumerate(INNER):
            rules = [_rule(random, family, INNER[:at]) for _ in range(random.randrange(4))]
            parts += [f"chain {name} {{", *rules, "}"]
        for kind, hook, priority in bases:
            parts += _base(random, family, kind, hook, priority)
        parts.append("}")
    return "\n".join(parts)


def _base(random: Random, family: str, kind: str, hook: str, priority: int) -> list[str]:
    policy = (
        random.choice(("accept", "drop", "drop")) if hook == "input" else random.choice(("accept",) * 6 + ("drop",))
    )
    head = [
        f"chain {hook}{'_early' if priority < 0 else ''}{abs(priority)} {{",
        f"type {kind} hook {hook} priority {priority}; policy {policy};",
    ]
    if kind == "nat":
        return [*head, random.choice(("tcp dport 2003 redirect to :2000", "udp dport 2002 drop", "counter")), "}"]
    rules = [_rule(random, family, INNER, hook) for _ in range(random.randrange(1, 7))]
    beginning = [random.choice(_BEGINNINGS), random.choice(_NEIGHBOURS if family != "ip" else ("",))]
    if priority == -300 and random.random() < 0.3:
        beginning.append(random.choice(("tcp dport 2001 notrack", "tcp dport 2001 ct zone set 5")))
    return [*head, *beginning, *rules, "}"]


def _rule(random: Random, family: str, chains: Sequence[str], hook: str = "") -> str:
    of_family = [match for name, matches in _MATCHES_OF.items() if family in (name, "inet") for match in matches]
    if len(chains) == len(INNER) and random.random() < 0.2:
        return random.choice(_MAPS)
    matches = [
        match
        for match in random.choices((*_MATCHES, *of_family), k=random.choice((0, 1, 1, 1, 2)))
        if _fits(match, family, hook)
    ]
    decisions = [f"reject with {kind}" for kind in _REJECTIONS[family]]
    if not any("udp" in match for match in matches):
        decisions.append("reject with tcp reset")
    decisions += [*_DECISIONS, *(f"{verb} {name}" for name in chains for verb in ("jump", "goto"))]
    return " ".join([*matches, random.choice(decisions)])


def _fits(match: str, family: str, hook: str) -> bool:
    """Whether nft takes it there; chains that are jumped to (no hook) may be reached from everywhere."""
    if match.startswith("fib"):
        return hook in ("input", "prerouting")
    if match.startswith(("iif", "oif")):
        return (hook == "output") == match.startswith("oif") and bool(hook)
    return family == "inet" or match not in ("meta protocol ip", "meta nfproto ipv6")


# ------------------------------------------------------------------------------------------- trying them all


def tried(asks: Sequence[Ask]) -> list[str]:
    """What came of each, all at once."""
    came: dict[int, str] = {}
    with selectors.DefaultSelector() as waiting:
        for number, ask in enumerate(asks):
            sock = _sent(ask)
            if isinstance(sock, str):
                came[number] = sock
            else:
                waiting.register(sock, selectors.EVENT_READ if ask[0] == "udp" else selectors.EVENT_WRITE, number)
        began = time.monotonic()
        while waiting.get_map():
            waited = time.monotonic() - began
            expected = any(asks[key.data][4] for key in waiting.get_map().values())
            if waited > (PATIENCE_S if expected else SILENCE_S):
                break
            for key, _ in waiting.select(SILENCE_S / 4):
                waiting.unregister(key.fileobj)
                came[key.data] = _answer(key.fileobj, asks[key.data][0])  # type: ignore[arg-type]
        for key in list(waiting.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
    return [came.get(number, "drop") for number in range(len(asks))]


_ERRORS_OF_IPV4 = (socket.IPPROTO_IP, 11)
_ERRORS_OF_IPV6 = (socket.IPPROTO_IPV6, 25)
"""IP_RECVERR and IPV6_RECVERR, linux/in.h and linux/in6.h."""
_source_ports = cycle(range(1100, 30000))
"""No port a second time while connection tracking may remember the first, which would not be new then."""


def _sent(ask: Ask) -> socket.socket | str:
    transport, address, port, source, _ = ask
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM)
    sock.setblocking(False)
    # Without it a socket over IPv6 ignores all errors of ICMP at first, and one for UDP all but a few.
    sock.setsockopt(*(_ERRORS_OF_IPV6 if ":" in address else _ERRORS_OF_IPV4), 1)
    if transport == "tcp":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.bind((source, next(_source_ports)))
    try:
        sock.connect((address, port))
        sock.send(b"ask")
    except BlockingIOError:
        return sock
    except OSError:
        sock.close()
        return "reject"
    return sock


def _answer(sock: socket.socket, transport: str) -> str:
    with sock:
        if transport == "tcp":
            return "reject" if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) else "accept"
        try:
            return "accept" if sock.recv(100) else "reject"
        except OSError:
            return "reject"


def _lines() -> Iterator[str]:
    while line := sys.stdin.readline():
        yield line


if __name__ == "__main__":
    for line in _lines():
        sys.stdout.write(json.dumps(tried(json.loads(line))) + "\n")
        sys.stdout.flush()
