"""`python -m tests.bench.against_nmap`: portcheck beside nmap on the same ports of the same labs.

nmap -sT runs as the same unprivileged uid as portcheck, nmap -sS as root; both with -Pn -n, which is what somebody
gives who does not want a host to be skipped. All of them ask every port of the list at every address. nmap takes one
family at a time: its times are the sum of two runs, while portcheck does both families in one.

How states are compared: the truth is matrix.CASES, and for the DC/OS site what its topology says. Only ports whose
true state is open, closed or filtered count, for nmap has no word for "our own firewall" or "no route from here".
A state is wrong when the word differs; a port that is not in the output, for the host was taken for down, counts
apart. A responder is missing when an ICMP error decided the port and its sender is not named (nmap leaves out
`reason_ip` when it is the target itself, which counts as named).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from portcheck.engine.probe import PortState
from portcheck.model import Family
from tests.bench.dcos_site import FIVE
from tests.bench.measure import say
from tests.lab import runs
from tests.lab.build import Lab, build
from tests.lab.matrix import CASES, MATRIX
from tests.lab.scenarios import dcos_site, site_yaml

TIMES = 3
NMAP_TIMEOUT_S = 120.0
DECIDED = (PortState.OPEN, PortState.CLOSED, PortState.FILTERED)
NO_ICMP = ("syn-ack", "conn-refused", "reset", "no-response")

Port = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a program says of a port; `responder` None when nobody is named."""

    state: str
    responder: str | None


Truth = Mapping[Port, Seen]


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    look: Callable[[Lab, str, Truth], dict[Port, Seen]]


def nmap(*options: str, user: bool) -> Callable[[Lab, str, Truth], dict[Port, Seen]]:
    def look(lab: Lab, node: str, truth: Truth) -> dict[Port, Seen]:
        seen: dict[Port, Seen] = {}
        for family in Family:
            addresses = list(dict.fromkeys(ip for ip, _ in truth if (":" in ip) == (family is Family.IPV6)))
            ports = sorted({port for ip, port in truth if ip in addresses})
            argv = ["nmap", *options, "-Pn", "-n", "--reason", "-vv", "-oX", "-", "-p", ",".join(map(str, ports))]
            six = ["-6"] if family is Family.IPV6 else []
            done = lab.run(node, [*argv, *six, *addresses], user=user, timeout_s=NMAP_TIMEOUT_S)
            seen.update(_read(done.stdout))
        return seen

    return look


def _read(xml: str) -> dict[Port, Seen]:
    seen: dict[Port, Seen] = {}
    for host in ElementTree.fromstring(xml).iter("host"):
        address = next(entry.attrib["addr"] for entry in host.iter("address") if entry.attrib["addrtype"] != "mac")
        for port in host.iter("port"):
            state = next(port.iter("state")).attrib
            signed = state["reason"] not in NO_ICMP
            responder = state.get("reason_ip", address) if signed else None
            seen[address, int(port.attrib["portid"])] = Seen(state["state"], responder)
    return seen


def _checked(checks: Iterable[runs.Check]) -> dict[Port, Seen]:
    return {(c["target"]["address"], c["port"]): Seen(c["state"], c["responder"]) for c in checks}


def portcheck_matrix(lab: Lab, node: str, truth: Truth) -> dict[Port, Seen]:
    addresses = dict.fromkeys(ip for ip, _ in truth)
    return _checked(runs.check(lab, node, *addresses, "-e", runs.tcp(port for _, port in truth)).checks)


def portcheck_site(lab: Lab, node: str, truth: Truth) -> dict[Port, Seen]:
    args = ("-s", str(lab.home / "site.yaml"), "--transport", "tcp", "--sweep", "none")
    return _checked(runs.check(lab, node, *args).checks)


def matrix_truth() -> Truth:
    return {(c.address, c.port): Seen(c.state, c.responder) for c in CASES if c.state in DECIDED}


def site_truth(lab: Lab) -> Truth:
    """Of every flow that the site's document wants from a1, and of every local port seen from outside."""
    args = ("-s", str(lab.home / "site.yaml"), "--transport", "tcp", "--sweep", "none")
    asked = [(c["target"]["host"], c["target"]["address"], c["port"]) for c in runs.check(lab, "a1", *args).checks]
    return {(address, port): _site_state(lab, host, address, port) for host, address, port in asked}


def _site_state(lab: Lab, host: str, address: str, port: int) -> Seen:
    if port == 5050:
        return Seen(PortState.FILTERED, None)
    if (host, port) == ("m2", 2181):
        family = Family.IPV6 if ":" in address else Family.IPV4
        return Seen(PortState.FILTERED, lab.address("r", family, "agents"))
    listening = any(
        (listener.transport, listener.port, listener.bind) == ("tcp", port, None)
        for listener in lab.topology.node(host).listeners
    )
    return Seen(PortState.OPEN if listening else PortState.CLOSED, None)


def compare(lab: Lab, node: str, truth: Truth, tools: Iterable[Tool]) -> None:
    signed = sum(true.responder is not None for true in truth.values())
    say("", f"{lab.topology.name}: {len(truth)} ports, {signed} decided by an ICMP error")
    for tool in tools:
        taken, wrong, absent, mute = [], [], [], []
        for _ in range(TIMES):
            began = time.perf_counter()
            seen = tool.look(lab, node, truth)
            taken.append(time.perf_counter() - began)
            there = [(true, seen[port]) for port, true in truth.items() if port in seen]
            absent.append(len(truth) - len(there))
            wrong.append(sum(true.state != found.state for true, found in there))
            mute.append(signed - sum(true.responder == found.responder is not None for true, found in there))
        say(
            f"  {tool.name:12} {statistics.median(taken):7.2f} s   wrong states {_each(wrong)}   "
            f"not reported {_each(absent)}   missing responders {_each(mute)} of {signed}"
        )


def _each(counts: list[int]) -> str:
    return "/".join(map(str, counts))


def main() -> None:
    nmaps = (Tool("nmap -sT", nmap("-sT", user=True)), Tool("nmap -sS", nmap("-sS", user=False)))
    say(f"median of {TIMES} runs; counts of each run")
    with build(MATRIX) as lab:
        compare(lab, "client", matrix_truth(), (Tool("portcheck", portcheck_matrix), *nmaps))
    with build(dcos_site(FIVE, ipv6=True)) as lab:
        (lab.home / "site.yaml").write_text(site_yaml(lab))
        compare(lab, "a1", site_truth(lab), (Tool("portcheck", portcheck_site), *nmaps))


if __name__ == "__main__":
    main()
