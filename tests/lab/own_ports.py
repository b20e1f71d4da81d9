"""A machine some of whose ports are taken, one whose kernel takes nearly all of them, and a look at them from inside.

`python -m tests.lab.own_ports look`: standard input is JSON, {"ports": ["5050/tcp", …], "addresses": [address, …]};
standard output is JSON, {"ports": {port: {"state", "reason", "detail", "holders"}}, "remarks"}.

`python -m tests.lab.own_ports hold ADDRESS`: takes ports in ways that a listener does not, says "ready", and holds
them until its standard input ends.
"""

from __future__ import annotations

import json
import socket
import sys
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from portcheck.engine.own_ports import look_at_own_ports, remark_on_unnamed
from portcheck.engine.probe import OWN_HOST, Probe, Transport
from tests.lab.topology import Link, Listener, Net, Node, Topology

ADDRESS, ADDRESS6 = "10.98.0.1", "fd98::1"
ELSEWHERE = "10.98.0.99"
SERVER = "10.98.0.2"
SERVER_PORT = 9000
CONNECTED_PORT = 40000
BOUND_PORT = 7070
SHARED_PORT = 8101

OWN_PORTS = Topology(
    "own",
    "a machine with foreign listeners, one with a wide ephemeral range",
    nets=(Net("wire", "10.98.0.0/24", "fd98::/64"),),
    nodes=(
        Node(
            "taken",
            (Link("wire", 1),),
            listeners=(
                Listener(5050),
                Listener(80),
                Listener(53, "udp"),
                Listener(8123, bind="127.0.0.1"),
                Listener(8181, bind="::"),
                Listener(61420, bind=ADDRESS6),
            ),
        ),
        Node(
            "tuned",
            (Link("wire", 2),),
            listeners=(Listener(SERVER_PORT),),
            sysctls={
                "net.ipv4.ip_local_port_range": "1024 65535",
                "net.ipv4.ip_local_reserved_ports": "5050,8000-8100",
            },
        ),
    ),
)


def look(asked: dict[str, Any]) -> dict[str, Any]:
    """What this machine's kernel says of the ports, as the engine reports it."""
    probes = {
        Probe(OWN_HOST, Transport(transport), int(number)): f"{number}/{transport}"
        for number, _, transport in (port.partition("/") for port in asked["ports"])
    }
    seen = look_at_own_ports(probes, asked["addresses"])
    ports = {
        probes[each.probe]: {
            "state": each.state,
            "reason": each.reason,
            "detail": each.detail,
            "holders": [asdict(holder) for holder in each.holders],
        }
        for each in seen.observations
    }
    unnamed = remark_on_unnamed(seen.observations)
    return {"ports": ports, "remarks": [*seen.remarks, *([unnamed] if unnamed is not None else [])]}


def hold(address: str) -> None:
    """An outgoing connection from a port, a socket that is bound and no more, and one that shares its port."""
    with ExitStack() as held:
        connected, bound, shared = (held.enter_context(socket.socket()) for _ in range(3))
        connected.bind((address, CONNECTED_PORT))
        connected.connect((SERVER, SERVER_PORT))
        bound.bind((address, BOUND_PORT))
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind((address, SHARED_PORT))
        shared.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    if sys.argv[1] == "hold":
        hold(sys.argv[2])
    else:
        sys.stdout.write(json.dumps(look(json.load(sys.stdin))))
