"""A router that bans: whoever begins too many flows to the server is shut out, in three ways, for a time or for good.

Every client is judged by itself. The ban concerns everything that the client sends, also to ports that were open
before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from portcheck.model import Family
from tests.lab.rules import chain, span, table
from tests.lab.topology import Link, Listener, Net, Node, Route, Topology

FLOWS_BEFORE_BAN = 30
"""The next SYN within METER_S of the first brings the ban."""
METER_S = 5
SHORT_BAN_S = 6
LONG_BAN_S = 3600

OPEN_PORTS = range(1000, 1060)
CLOSED_PORTS = range(1100, 1110)
DROPPED_PORTS = range(1200, 1205)

_LEFT = Net("left", "10.95.1.0/24")
_RIGHT = Net("right", "10.95.2.0/24")

_ANSWERS = {
    "drop": "drop",
    "reject": "reject with icmp port-unreachable",  # what fail2ban does by default
    "reset": "reject with tcp reset",
}


@dataclass(frozen=True, slots=True)
class Ban:
    """What happens to one client.

    Attributes:
        answer: "drop", "reject" or "reset".
        number: ends the client's address.
    """

    answer: str
    number: int
    lasts_s: int

    @property
    def client(self) -> str:
        return f"{self.answer}-{'6s' if self.lasts_s == SHORT_BAN_S else '1h'}"

    @property
    def address(self) -> str:
        found = _LEFT.address(self.number, Family.IPV4)
        assert found is not None
        return found


BANS: Mapping[str, Ban] = {
    ban.client: ban
    for ban in (
        Ban(answer, number, lasts_s)
        for lasts_s, first in ((SHORT_BAN_S, 10), (LONG_BAN_S, 20))
        for number, answer in enumerate(_ANSWERS, first)
    )
}
"""By the name of the client's node."""


_SYN = "iifname left tcp flags & (syn | ack) == syn"
_FLOW = "ip saddr . tcp sport . ip daddr . tcp dport"


def _sets() -> str:
    """The flows there were, how many of them each client has begun lately, and who is banned until when, by how."""
    types = {"flows": "ipv4_addr . inet_service . ipv4_addr . inet_service", "recent": "ipv4_addr"}
    types |= {_banned(ban): "ipv4_addr" for ban in BANS.values()}
    return "\n".join(f"set {name} {{ type {type}; flags dynamic,timeout; }}" for name, type in types.items())


def _banned(ban: Ban) -> str:
    return f"banned_{ban.answer}_{ban.lasts_s}s"


def _judging() -> Iterator[str]:
    for ban in BANS.values():
        answer = f'counter {_ANSWERS[ban.answer]} comment "{ban.client}"'
        yield f"iifname left ip saddr @{_banned(ban)} meta l4proto tcp {answer}"
    # A SYN that the kernel repeats is no new flow.
    yield f"{_SYN} {_FLOW} @flows accept"
    yield f"{_SYN} add @flows {{ {_FLOW} timeout 10m }}"
    for ban in BANS.values():
        # `add` does not lengthen the life of an element that is there, so what is counted are the flows of METER_S
        # from the first one on. A limit that gives nothing back within that time is how a set counts.
        over = f"limit rate over 1/day burst {FLOWS_BEFORE_BAN} packets"
        yield (
            f"{_SYN} ip saddr {ban.address} add @recent {{ ip saddr timeout {METER_S}s {over} }} "
            f"add @{_banned(ban)} {{ ip saddr timeout {ban.lasts_s}s }} drop"
        )


def bans() -> Topology:
    """Clients - r1 - server."""
    return Topology(
        "bans",
        f"clients - r1 - server: r1 bans who begins more than {FLOWS_BEFORE_BAN} flows in {METER_S} s",
        nets=(_LEFT, _RIGHT),
        nodes=(
            *(Node(ban.client, (Link("left", ban.number),), (Route("right", via="r1"),)) for ban in BANS.values()),
            Node(
                "r1",
                (Link("left", 1), Link("right", 1)),
                rules=table(_sets(), chain("forward", _judging())),
                forwards=True,
            ),
            Node(
                "server",
                (Link("right", 10),),
                routes=(Route("left", via="r1"),),
                listeners=tuple(map(Listener, (*OPEN_PORTS, *DROPPED_PORTS))),
                rules=table(chain("input", [f"tcp dport {span(DROPPED_PORTS)} drop"])),
            ),
        ),
    )


BANNED = bans()
