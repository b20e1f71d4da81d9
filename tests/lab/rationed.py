"""Firewalls that ration their ICMP errors as every Linux machine does: 6 at once to one peer, then one a second.

A hundred rejected ports look like 6 rejected and 94 dropped. The ration is counted for each peer, so every
question has a client of its own and none takes another's share. Behind every port something listens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from portcheck.engine.probe import Reason
from portcheck.model import Family
from tests.lab.rules import FIELD, chain, span, table
from tests.lab.topology import KERNEL_ICMP_LIMITS, Link, Listener, Net, Node, Route, Topology

OPEN_PORT = 80
FIRST_PORT = 3000


@dataclass(frozen=True, slots=True)
class Target:
    """One address and its firewall: the first `rejected` ports from FIRST_PORT on are rejected, then come the dropped.

    Attributes:
        number: ends the address.
        rejected_by: the node that rejects; it also drops.
        answers: OPEN_PORT can be reached.
    """

    name: str
    number: int
    rejected: int
    dropped: int
    rejected_by: str = "r1"
    answers: bool = True

    @property
    def rejected_ports(self) -> range:
        return range(FIRST_PORT, FIRST_PORT + self.rejected)

    @property
    def dropped_ports(self) -> range:
        return range(self.rejected_ports.stop, self.rejected_ports.stop + self.dropped)

    @property
    def reason(self) -> Reason:
        return Reason.ADMIN_PROHIBITED if self.rejected_by == "r1" else Reason.PORT_UNREACH


TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        Target("rejected", 10, rejected=100, dropped=0),
        Target("half", 20, rejected=50, dropped=50),
        Target("few", 30, rejected=3, dropped=2),
        Target("itself", 40, rejected=100, dropped=0, rejected_by="itself"),
        Target("shut", 50, rejected=20, dropped=0, answers=False),
        Target("mute", 60, rejected=0, dropped=20, answers=False),
    )
}

CLIENTS: Mapping[str, int] = {
    name: number for number, name in enumerate(("c-rej", "c-half", "c-few", "c-self", "c-two", "c-rej6", "c-half6"), 2)
}
"""Who asks, and the number of its address."""

_LEFT = Net("left", "10.93.1.0/24", "fd93:1::/64")
_RIGHT = Net("right", "10.93.2.0/24", "fd93:2::/64")


def _verdict(target: Target, family: Family) -> str:
    what = "admin-prohibited" if target.rejected_by == "r1" else "port-unreachable"
    return f"reject with {'icmp' if family is Family.IPV4 else 'icmpv6'} {what}"


def _rules(node: str, arrives_on: str) -> Iterator[str]:
    """What `node` rejects and drops of its targets; only the SYN's direction is matched."""
    for target in TARGETS.values():
        for family, field in FIELD.items():
            if target.rejected_by == node:
                to = f"iifname {arrives_on} {field} daddr {address(target.name, family)} tcp"
                rest = "drop" if target.dropped else _verdict(target, family)
                if target.rejected:
                    yield f"{to} dport {span(target.rejected_ports)} counter {_verdict(target, family)}"
                if target.dropped:
                    yield f"{to} dport {span(target.dropped_ports)} counter drop"
                if not target.answers:
                    yield f"{to} dport 1-65535 {rest}"


def address(target: str, family: Family = Family.IPV4) -> str:
    """The address of a target."""
    found = _RIGHT.address(TARGETS[target].number, family)
    assert found is not None
    return found


def responder(target: str, family: Family = Family.IPV4) -> str:
    """The address that rejects what is rejected there."""
    if TARGETS[target].rejected_by != "r1":
        return address(target, family)
    found = _LEFT.address(1, family)
    assert found is not None
    return found


def rationed() -> Topology:
    """Clients - r1 - servers."""
    behind_r1 = [target.number for target in TARGETS.values() if target.rejected_by == "r1"]
    listeners = tuple(map(Listener, (OPEN_PORT, *range(FIRST_PORT, FIRST_PORT + 100))))
    back = (Route("left", via="r1"),)
    return Topology(
        "rationed",
        "clients - r1 - servers: who rejects says so 6 times at once, then once a second",
        nets=(_LEFT, _RIGHT),
        nodes=(
            *(Node(name, (Link("left", n),), routes=(Route("right", via="r1"),)) for name, n in CLIENTS.items()),
            Node(
                "r1",
                (Link("left", 1), Link("right", 1)),
                rules=table(chain("forward", _rules("r1", "left"))),
                sysctls=KERNEL_ICMP_LIMITS,
                forwards=True,
            ),
            Node("server", (Link("right", behind_r1[0], also=tuple(behind_r1[1:])),), back, listeners),
            Node(
                "itself",
                (Link("right", TARGETS["itself"].number),),
                back,
                listeners,
                rules=table(chain("input", _rules("itself", "right"))),
                sysctls=KERNEL_ICMP_LIMITS,
            ),
        ),
    )


RATIONED = rationed()
