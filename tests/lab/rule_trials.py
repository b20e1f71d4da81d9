"""A client that tries what is said of a server's packet filter: the network, and the comparison with the kernel."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

from portcheck.engine.own_rules import Listing, Signs, judged
from portcheck.engine.probe import OWN_RULES, Observation, Probe, Reason, Transport
from tests.lab import own_rules
from tests.lab.build import Lab
from tests.lab.own_rules import CLIENTS, PORTS, SERVER, Ask
from tests.lab.topology import Link, Listener, Net, Node, Topology

DEFINITE: Mapping[Reason, str] = {
    Reason.RULES_ACCEPT: "accept",
    Reason.RULES_DROP: "drop",
    Reason.RULES_REJECT: "reject",
}

TOPOLOGY = Topology(
    "own-rules",
    "client - server: the server filters for itself",
    nets=(Net("lan", "10.98.1.0/24", "fd98:1::/64"),),
    nodes=(
        Node("client", (Link("lan", 20, also=(21,)),)),
        Node(
            "server",
            (Link("lan", 10),),
            listeners=tuple(
                Listener(port, kind, answer=how) for port in PORTS for kind, how in (("tcp", "keep"), ("udp", "echo"))
            ),
        ),
    ),
)


@contextmanager
def client_in(lab: Lab) -> Iterator[Popen[str]]:
    """The program in tests/lab/own_rules.py."""
    program = lab.command("client", ["python3", "-I", "-S", str(Path(own_rules.__file__))], user=False)
    with Popen(program, stdin=PIPE, stdout=PIPE, text=True) as process:
        yield process
        process.kill()


def compare(client: Popen[str], listing: Listing, rules: str) -> Counter[str]:
    """How often what was said; raises AssertionError where the kernel, with these rules in force, does otherwise."""
    assert client.stdin is not None
    assert client.stdout is not None
    counted: Counter[str] = Counter()
    said = list(_told(listing))
    client.stdin.write(json.dumps([ask for ask, _ in said]) + "\n")
    client.stdin.flush()
    for (ask, observation), came in zip(said, json.loads(client.stdout.readline()), strict=True):
        expected = DEFINITE.get(observation.reason, "unclear")
        counted[expected] += 1
        assert expected in (came, "unclear"), f"{ask}: said {expected}, came {came}: {observation.detail}\n{rules}"
    return counted


def _told(listing: Listing) -> Iterator[tuple[Ask, Observation]]:
    """For each port, family and client what is said."""
    for is_ipv6, target in SERVER.items():
        for source in CLIENTS[is_ipv6]:
            probes = [Probe(OWN_RULES, kind, port) for kind in (Transport.TCP, Transport.UDP) for port in PORTS]
            sources = {(each.transport, each.port): [source] for each in probes}
            for each in judged(probes, sources, [target], listing, Signs(legacy=())).observations:
                answers = DEFINITE.get(each.reason) in ("accept", "reject")
                yield (str(each.probe.transport), target, each.probe.port, source, answers), each
