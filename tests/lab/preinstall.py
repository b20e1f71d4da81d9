"""A DC/OS site with nothing installed: stand-ins where they are started, and a dozen ways to break a path.

m1, m2, m3, a1 and a2 are in three nets of one router, so that a1 reaches everybody through it. What the site needs from
others, DNS and NTP, is there already.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from portcheck.model import Family
from portcheck.ports import parse_ports
from portcheck.role_ports import samples
from tests.lab import runs, servers
from tests.lab.build import Lab, build
from tests.lab.known_servers import BOX, IN_CI
from tests.lab.rules import FIELD, chain, span, table
from tests.lab.topology import Link, Listener, Net, Node, Route, Topology
from tests.lab.unprivileged import NOBODY

ROLES: Mapping[str, str] = {"m1": "master", "m2": "master", "m3": "master", "a1": "agent", "a2": "agent"}
HOSTS = tuple(ROLES)
EXTERNAL = ("dns", "ntp")

[NAME_SERVER] = [server for server in IN_CI[BOX] if server.name == "dnsmasq"]

BOTH = tuple(Family)
IPV4, IPV6 = Family

KEY = bytes(range(32)).hex()
WRONG_KEY = bytes(range(1, 33)).hex()

LARGE_RANGE = parse_ports("8182-32000/tcp")[0]
"""Of Mesos tasks on agents: which of its ports they get is up to Mesos."""
_MIDDLE = samples(LARGE_RANGE)[2]
BLOCKED_BLOCK = range(_MIDDLE - 100, _MIDDLE + 100)
"""Of that range, around one of the ports that stand for it."""

READY_S = 30.0

_numbers = count(1)
"""Of files: several processes of one node may be under way at once."""

# What portcheck brings along names no DNS server for DC/OS.
_NAMES_DOCUMENT = """\
id: names
title: Names of the site
vendor: the lab
product: names
version: "1"
roles:
  dns: {title: name server, external: true}
expectations:
  - service: DNS
    ports: 53/tcp+udp
    speaks: dns
    from: [any]
    to: [dns]
    provenance: {section: Names, row: "1"}
"""


# ------------------------------------------------------------------------------------------------- the site


def before_install() -> Topology:
    """The machines, without the product, without a firewall."""
    nets = ("masters", "agents", "racks", "services")
    return Topology(
        "preinstall",
        "a DC/OS site before the install: masters, agents, DNS, NTP, a router in between",
        nets=tuple(Net(name, f"10.87.{number}.0/24", f"fd87:{number}::/64") for number, name in enumerate(nets, 1)),
        nodes=(
            Node("r", tuple(Link(net, 254) for net in nets), forwards=True),
            *(_host(name, "masters", number) for number, name in enumerate(("m1", "m2", "m3"), 11)),
            _host("a1", "agents", 11),
            _host("a2", "racks", 12),
            _host("dns", "services", 11),
            replace(_host("ntp", "services", 12), listeners=(Listener(123, "udp", answer="ntp"),)),
        ),
    )


def _host(name: str, net: str, number: int) -> Node:
    return Node(name, (Link(net, number),), (Route("default", via="r"),))


@contextlib.contextmanager
def built(topology: Topology) -> Iterator[Lab]:
    """The lab, with the name server running."""
    with build(topology) as lab, servers.running(lab, {"dns": [NAME_SERVER]}, client="a1"):
        yield lab


def site(lab: Lab) -> str:
    """The path of the lab's site file."""
    path = lab.home / "site.yaml"
    if not path.exists():
        roles = {**ROLES, **{name: name for name in EXTERNAL}}
        entries = {name: _entry(lab, name, role) for name, role in roles.items()}
        lines = ["documents: [dcos-1.11, names.yaml]", "features: {enterprise: false}", "hosts:"]
        lines += [f"  {name}: {entries[name]}" for name in HOSTS]
        lines += ["external:", *(f"  {name}: {entries[name]}" for name in EXTERNAL)]
        (lab.home / "names.yaml").write_text(_NAMES_DOCUMENT)
        path.write_text("\n".join((*lines, "")))
    return str(path)


def _entry(lab: Lab, name: str, role: str) -> str:
    addresses = ", ".join(f'"{address}"' for address in lab.topology.addresses(name))
    return f"{{address: [{addresses}], roles: [{role}]}}"


def key_file(lab: Lab, owner: int = NOBODY, key: str = KEY) -> str:
    """A file that only `owner` can read."""
    path = lab.home / f"key-{owner}-{key[:4]}"
    if not path.exists():
        path.write_text(f"{key}\n")
        path.chmod(0o600)
        os.chown(path, owner, owner)
    return str(path)


# ------------------------------------------------------------------------------------------------- breaks


@dataclass(frozen=True, slots=True)
class Hook:
    """Where a rule stands, and what is written in it before the verdict. `seen_from`: whose packets it meets."""

    name: str
    kind: str
    priority: str
    match: str
    seen_from: tuple[str, ...]


_TO = "{ip} daddr {host} {transport} dport {ports}"
_FROM = "{ip} saddr {host} {transport} sport {ports}"
THROUGH = Hook("forward", "filter", "filter", f"iifname agents {_TO}", ("a1",))
BACK = Hook("forward", "filter", "filter", f"oifname agents {_FROM}", ("a1",))
ELSEWHERE = Hook("prerouting", "nat", "dstnat", f"iifname agents {_TO}", ("a1",))
FROM_MASTERS = Hook("forward", "filter", "filter", f"iifname masters {_TO}", ("m1",))
INTO = Hook("input", "filter", "filter", _TO, ("a1", "m1"))


@dataclass(frozen=True, slots=True)
class Break:
    """One rule that is wrong.

    Attributes:
        at: the node that has the rule.
        verdict: in nft's words, for the families that it concerns; `{m3}` is an address of m3.
    """

    at: str
    hook: Hook
    host: str
    transport: str
    ports: range
    verdict: Mapping[Family, str]

    def rules(self, site: Topology) -> Iterator[str]:
        for family, verdict in self.verdict.items():
            addresses = {name: site.address(name, family) for name in HOSTS}
            words = {"ip": FIELD[family], "host": addresses[self.host], "transport": self.transport}
            yield f"{self.hook.match.format(ports=span(self.ports), **words)} {verdict.format(**addresses)}"


def _break(at: str, hook: Hook, host: str, ports: str, verdict: str | Mapping[Family, str]) -> Break:
    [parsed] = parse_ports(ports)
    numbers = parsed.numbers()
    in_each = dict.fromkeys(BOTH, verdict) if isinstance(verdict, str) else verdict
    return Break(at, hook, host, str(parsed.transport), range(numbers[0], numbers[-1] + 1), in_each)


def _reject(ipv4: str, ipv6: str) -> Mapping[Family, str]:
    return {IPV4: f"reject with icmp {ipv4}", IPV6: f"reject with icmpv6 {ipv6}"}


_RESET = "reject with tcp reset"
_ADMIN = _reject("admin-prohibited", "admin-prohibited")
_PORT = _reject("port-unreachable", "port-unreachable")

BREAKS: Mapping[str, Break] = {
    "dropped": _break("r", THROUGH, "m1", "5050/tcp", "drop"),
    "host-unreachable": _break("r", THROUGH, "m1", "8080/tcp", _reject("host-unreachable", "addr-unreachable")),
    "net-unreachable": _break("r", THROUGH, "m1", "8123/tcp", _reject("net-unreachable", "no-route")),
    "port-unreachable": _break("r", THROUGH, "m1", "8181/tcp", _PORT),
    "prohibited": _break("r", THROUGH, "m2", "2181/tcp", _ADMIN),
    "reset-by-router": _break("r", THROUGH, "m1", "8443/tcp", _RESET),
    "reset-by-host": _break("m3", INTO, "m3", "9090/tcp", _RESET),
    "rejected-by-host": _break("m3", INTO, "m3", "8181/tcp", _PORT),
    "udp-dropped": _break("r", THROUGH, "m2", "61053/udp", "drop"),
    "udp-prohibited": _break("r", THROUGH, "m1", "61053/udp", _ADMIN),
    "udp-rejected-by-host": _break("m3", INTO, "m3", "61053/udp", _PORT),
    "translated": _break("r", ELSEWHERE, "m2", "9443/tcp", {IPV4: "dnat ip to {m3}", IPV6: "dnat ip6 to {m3}"}),
    "udp-translated": _break("r", ELSEWHERE, "m1", "53/udp", {IPV4: "dnat ip to {m2}", IPV6: "dnat ip6 to {m2}"}),
    "redirected": _break(
        *("r", ELSEWHERE, "m2", "8123/tcp"), {IPV4: "dnat ip to {m2}:8443", IPV6: "dnat ip6 to [{m2}]:8443"}
    ),
    "read-and-stopped": _break("r", THROUGH, "m3", "8123/tcp", "meta length > 200 drop"),
    "one-way": _break("r", BACK, "m3", "62501/tcp", "drop"),
    "udp-one-way": _break("r", BACK, "m3", "53/udp", "drop"),
    "ipv6-only": _break("r", THROUGH, "m3", "62080/tcp", {IPV6: "drop"}),
    "range": _break("r", THROUGH, "a2", f"{span(BLOCKED_BLOCK)}/tcp", "drop"),
    "own-firewall": _break("m2", INTO, "m2", "80/tcp", "drop"),
    "from-masters": _break("r", FROM_MASTERS, "a2", "61001/tcp", "drop"),
}
"""None of them is in another's way, so that one run meets them all."""

TAKEN: Mapping[str, tuple[str, Listener]] = {
    "occupied": ("m2", Listener(3888, answer="close")),
    "udp-occupied": ("m3", Listener(62053, "udp", answer="hello")),
    "udp-occupied-silently": ("m3", Listener(64000, "udp", answer="silent")),
}
"""Ports that a program has before the stand-in comes."""


def broken() -> Topology:
    """before_install() with all BREAKS and what has TAKEN ports."""
    whole = before_install()
    return replace(whole, nodes=tuple(_broken(node, whole) for node in whole.nodes))


def _broken(node: Node, site: Topology) -> Node:
    chains: dict[tuple[str, str, str], list[str]] = {}
    for each in BREAKS.values():
        if each.at == node.name:
            place = each.hook.name, each.hook.kind, each.hook.priority
            chains.setdefault(place, []).extend(each.rules(site))
    rules = table(*(chain(name, lines, kind=kind, priority=at) for (name, kind, at), lines in chains.items()))
    taken = tuple(listener for host, listener in TAKEN.values() if host == node.name)
    return replace(node, rules=rules if chains else "", listeners=(*node.listeners, *taken))


FOREIGN: Mapping[str, tuple[Listener, ...]] = {
    "m1": (Listener(5050),),
    "m3": (Listener(5050, answer="close"), Listener(8080, bind="127.0.0.1")),
}
"""Programs on the product's ports in troubled(), one of which others cannot see; m3 is to get no stand-in."""
CUT_OFF = "a2"
"""To which nothing gets over IPv6 in troubled()."""


def troubled() -> Topology:
    """before_install() with hosts in trouble instead of ports."""
    whole = before_install()
    cut = f"ip6 daddr {whole.address(CUT_OFF, IPV6)} drop"
    changed = {name: replace(whole.node(name), listeners=listeners) for name, listeners in FOREIGN.items()}
    changed["r"] = replace(whole.node("r"), rules=table(chain("forward", [cut])))
    return replace(whole, nodes=tuple(changed.get(node.name, node) for node in whole.nodes))


# ----------------------------------------------------------------------------------------------- stand-ins


class StandIn:
    """`portcheck listen` on a node.

    Attributes:
        process: the command itself, or a shell that started it.
        ports: every port that it announced, one event each.
        ready: the event that says that it listens.
    """

    def __init__(self, lab: Lab, node: str, process: subprocess.Popen[bytes], announced: Path) -> None:
        self.node = node
        self.process = process
        self.ports: list[dict[str, Any]] = []
        self.ready: dict[str, Any] = {}
        self._lab = lab
        self._announced = announced

    def await_ready(self) -> None:
        """Until it listens. Raises AssertionError when it does not come to that."""
        runs.until(lambda: self.process.poll() is not None or bool(self._events("ready")), READY_S)
        assert self._events("ready"), f"{self.node}: status {self.process.poll()}: {self.said()}"
        [self.ready] = self._events("ready")
        self.ports = self._events("port")

    def said(self) -> str:
        """Everything that it printed so far, events first."""
        return "".join(path.read_text() for path in (self._announced, self._announced.with_suffix(".err")))

    def bound(self) -> set[tuple[str, int]]:
        """(transport, port) of all that is bound on its node now."""
        return servers.bound(self._lab, self.node)

    def stop(self) -> int:
        """Ends it as a user would; its exit status."""
        self.process.terminate()
        return self.process.wait(timeout=READY_S)

    def _events(self, kind: str) -> list[dict[str, Any]]:
        # The last line may be half written.
        lines = self._announced.read_text().split("\n")[:-1]
        return [event for event in map(json.loads, lines) if event["event"] == kind]


@contextlib.contextmanager
def stand_ins(
    lab: Lab,
    nodes: Iterable[str],
    *,
    as_user: Sequence[str] = (),
    started_by: Sequence[str] = (),
    ports: Sequence[str] = (),
) -> Iterator[dict[str, StandIn]]:
    """One on each node, all of them ready; as root, on the nodes in `as_user` as uid 65534.

    Args:
        started_by: the beginning of a command line that the stand-in's is added to.
        ports: options that choose its ports, in place of the node's entry in the site.
    """
    started: dict[str, StandIn] = {}
    try:
        for node in nodes:
            chosen = ports or ("-s", site(lab), "--as", node)
            started[node] = _start(lab, node, chosen, node in as_user, started_by)
        for each in started.values():
            each.await_ready()
        yield started
    finally:
        for each in started.values():
            each.process.kill()
            each.process.wait()


def _start(lab: Lab, node: str, ports: Sequence[str], as_user: bool, started_by: Sequence[str]) -> StandIn:
    announced = lab.folder / f"{node}-{next(_numbers)}.jsonl"
    key = key_file(lab, NOBODY if as_user else os.geteuid())
    # As a user starts it: root recognises a stand-in by its command line.
    program = [sys.executable, "-m", "portcheck", "listen"]
    command = lab.command(node, [*started_by, *program, *ports, "--key-file", key, "--format", "jsonl"], user=as_user)
    with announced.open("wb") as out, announced.with_suffix(".err").open("wb") as err:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=lab.environment(), cwd="/"
        )
    return StandIn(lab, node, process, announced)


# ------------------------------------------------------------------------------------------------- checks


@dataclass(frozen=True, slots=True)
class Report:
    """A run as JSON, and as the text that a person gets."""

    result: runs.Result
    text: str


Look = Callable[[], Report]


def look(lab: Lab, node: str, *args: str, user: bool = True) -> Look:
    """`portcheck check ARGS` on `node`, to be run."""
    return partial(_report, lab, node, args, user)


def from_site(lab: Lab, node: str, *args: str, key: str | None = KEY) -> Look:
    """A look at the whole site before the install, with the stand-ins' key or without one."""
    with_key = ("--key-file", key_file(lab, key=key)) if key is not None else ()
    return look(lab, node, "-s", site(lab), "--from", node, "--phase", "preinstall", *with_key, *args)


def _report(lab: Lab, node: str, args: Sequence[str], user: bool) -> Report:
    kept = lab.home / f"{node}-{next(_numbers)}.txt"
    result = runs.check(lab, node, *args, "-o", str(kept), user=user)
    return Report(result, kept.read_text())
