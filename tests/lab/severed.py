"""A network whose clients lose their way in the middle of a run; the tests do that with ip(8)."""

from __future__ import annotations

from portcheck.model import Family
from tests.lab.build import Lab
from tests.lab.rules import FIELD, chain, span, table
from tests.lab.topology import SWITCH, Link, Listener, Net, Node, Route, Topology

OPEN_PORTS = range(1000, 1200)
DROPPED_PORTS = range(1400, 1410)
CLIENTS = {"downed": 10, "gone": 11, "cable": 12, "cable6": 13, "cut": 14}

_LEFT = Net("left", "10.96.1.0/24", "fd96:1::/64")
_RIGHT = Net("right", "10.96.2.0/24", "fd96:2::/64")


def _counting() -> list[str]:
    """How many SYNs of each client have come through."""
    return [
        f"{FIELD[family]} saddr {_LEFT.address(number, family)} tcp flags & (syn | ack) == syn counter "
        f'comment "{name}-{family}"'
        for name, number in CLIENTS.items()
        for family in Family
    ]


def severed() -> Topology:
    """Clients - r1 - server."""
    return Topology(
        "severed",
        "clients - r1 - server: each client's link can be cut by itself",
        nets=(_LEFT, _RIGHT),
        nodes=(
            *(Node(name, (Link("left", number),), (Route("right", via="r1"),)) for name, number in CLIENTS.items()),
            Node("r1", (Link("left", 1), Link("right", 1)), rules=table(chain("forward", _counting())), forwards=True),
            Node(
                "server",
                (Link("right", 10),),
                routes=(Route("left", via="r1"),),
                listeners=tuple(map(Listener, (*OPEN_PORTS, *DROPPED_PORTS))),
                rules=table(chain("input", [f"tcp dport {span(DROPPED_PORTS)} drop"])),
            ),
        ),
    )


SEVERED = severed()


def take_down(lab: Lab, client: str) -> None:
    """The interface goes down; its routes and IPv6 addresses go with it."""
    _shell(lab, client, "ip link set left down")


def bring_up(lab: Lab, client: str) -> None:
    """The interface comes back with the routes that it had, as a network manager sees to it."""
    routes = "".join(f"; ip route replace {to} via {hop}" for to, hop in lab.topology.routes(client) if ":" not in to)
    _shell(lab, client, f"ip link set left up{routes}")


def pull_cable(lab: Lab, client: str) -> None:
    """The interface stays up and keeps addresses and routes; the switch's end of its cable is dead."""
    _shell(lab, SWITCH, f"ip link set {client}.left down")


def plug_cable(lab: Lab, client: str) -> None:
    """The carrier comes back."""
    _shell(lab, SWITCH, f"ip link set {client}.left up")


def _shell(lab: Lab, node: str, script: str) -> None:
    done = lab.run(node, ["sh", "-ec", script], user=False)
    assert done.returncode == 0, done.stderr
