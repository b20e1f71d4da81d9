"""The jobs of UDP: a network, what is true in it, who asks, and what portcheck must reach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from portcheck.engine.probe import PortState, Transport
from portcheck.model import Family
from tests.bench import networks
from tests.bench.answers import CLOSED, OPEN, SILENT, Answer, Answers, Said, all_of, of_state
from tests.bench.jobs import Job, Limits
from tests.bench.programs import Program, nmap, portcheck
from tests.lab import udp_limits, udp_lossy
from tests.lab.build import Lab
from tests.lab.dcos import AGENTS, DNS_UDP, MASTERS, OVERLAY_UDP, dcos_site, site_yaml
from tests.lab.known_servers import BOX, DC, IN_CI
from tests.lab.servers import running
from tests.lab.topology import Listener, Topology
from tests.lab.udp_matrix import CASES, UDP_MATRIX, USER

FULL_AGAIN_S = 7.0
"""Rest before each run: by then a Linux machine has its six ICMP errors together again."""


def _ports(ports: Iterable[int]) -> str:
    return ",".join(map(str, ports))


def _both(truth: Answers, *options: str) -> tuple[Program, ...]:
    """portcheck and nmap -sU, which ask all ports of `truth` at all its addresses."""
    ports = _ports(sorted({port for there in truth.values() for port in there}))
    return (portcheck(truth, "-e", f"{ports}/udp", *options), _nmap(truth, ports))


def _nmap(addresses: Iterable[str], ports: str) -> Program:
    return replace(nmap(addresses, ports, "-sU", user=False), longest_s=150)


# ------------------------------------------------------------------------------------------- ICMP limits


def _limited(
    question: str, title: str, must: Limits, aim: Limits | None = None, options: tuple[str, ...] = (), runs: int = 3
) -> Job:
    """A question of tests/lab/udp_limits.py, asked by its client."""
    name, family = udp_limits.QUESTIONS[question]
    target = udp_limits.TARGETS[name]
    truth: Answers = {}
    for address in udp_limits.addresses(name, family):
        refused = (
            Answer(Said.REJECTED, udp_limits.responder(name, address, family)) if target.rejected_by_r1 else CLOSED
        )
        truth[address] = all_of(target.closed_ports, refused) | all_of(target.dropped_ports, SILENT)
    return Job(
        title,
        udp_limits.udp_limits,
        truth,
        _both(truth, *options),
        must,
        aim,
        node=f"c-{question}",
        runs=runs,
        rest_s=FULL_AGAIN_S,
    )


def _limits() -> dict[str, Job]:
    budget = ("--udp-budget", "120")
    return {
        "closed-20": _limited("closed", "20 closed ports", Limits(seconds=17)),
        "closed-20-ipv6": _limited("closed6", "20 closed ports, IPv6", Limits()),
        "half": _limited("half", "10 closed ports, 10 dropped", Limits()),
        "half-slow": _limited(
            "slow",
            "the same, and the host says 3 errors at once, then one in 2 s",
            Limits(undecided=None),
            Limits(),
        ),
        "closed-100": _limited("hundred", "100 closed ports, IPv4", Limits(seconds=97), options=budget, runs=2),
        "closed-100-ipv6": _limited("hundred6", "100 closed ports, IPv6", Limits(seconds=12), options=budget),
        "crowd": _limited(
            "crowd",
            "38 hosts behind a router that rejects a port of each",
            Limits(seconds=21.5, undecided=None),
        ),
        "aliases": _limited(
            "aliases", "8 addresses of one machine, 3 closed ports each", Limits(undecided=None), runs=3
        ),
    }


# ------------------------------------------------------------------------------------------ mixed ports


_SERVED = {DC: {53, 88, 137, 138, 389, 464}, BOX: {69, 111, 123, 161, 500, 3478, 4500}}
"""Ports, by the node of tests/lab/known_servers.py whose servers are started for them; all on one machine here."""
_REAL_SILENT, _REAL_CLOSED = (networks.DISCARD_PORT, 138), (1701, 2049, 5060, 11211)
_REAL_DROPPED, _REAL_PROHIBITED = (1900,), (5353,)


def _real_servers() -> Job:
    answering = {port for ports in _SERVED.values() for port in ports} - set(_REAL_SILENT)
    address = networks.twenty_address()
    truth = {
        address: all_of(answering, OPEN)
        | all_of((*_REAL_SILENT, *_REAL_DROPPED), SILENT)
        | all_of(_REAL_CLOSED, CLOSED)
        | all_of(_REAL_PROHIBITED, Answer(Said.REJECTED, address))
    }
    servers = tuple(server for node, ports in _SERVED.items() for server in IN_CI[node] if ports & set(server.udp))

    def around(lab: Lab) -> AbstractContextManager[object]:
        return running(lab, {networks.TWENTY: servers}, client="client")

    return Job(
        "20 ports: 12 real servers, 2 open and silent, 4 closed, 1 dropped, 1 prohibited",
        lambda: networks.twenty(_REAL_DROPPED, _REAL_PROHIBITED),
        truth,
        _both(truth),
        Limits(seconds=2),
        runs=5,
        rest_s=FULL_AGAIN_S,
        around=around,
    )


def _mix(percent: int, must: Limits, runs: int) -> Job:
    address = udp_lossy.server_address(percent)
    truth = {
        address: all_of(udp_lossy.OPEN_PORTS, OPEN)
        | all_of((*udp_lossy.SILENT_PORTS, *udp_lossy.DROPPED_PORTS), SILENT)
        | all_of(udp_lossy.CLOSED_PORTS, CLOSED)
        | all_of(udp_lossy.PROHIBITED_PORTS, Answer(Said.REJECTED, address))
    }
    return Job(
        f"20 ports: 12 open, 2 open and silent, 4 closed, 1 dropped, 1 prohibited; {percent} % loss each way",
        udp_lossy.udp_lossy,
        truth,
        _both(truth),
        must,
        node=udp_lossy.CLIENTS[0],
        runs=runs,
        rest_s=FULL_AGAIN_S,
    )


def _reject_cases() -> Job:
    """Every UDP case of the truth table in which somebody who is not the client says no; and silence."""
    cases = [
        case
        for case in CASES
        if case.transport is Transport.UDP
        and case.asker == USER
        and case.address in _matrix_servers()
        and case.state is not PortState.UNKNOWN
    ]
    truth: Answers = {}
    for case in cases:
        truth.setdefault(case.address, {})[case.port] = of_state(case.state, case.reason, case.responder, False)
    counts = ", ".join(f"{sum(case.family is family for case in cases)} IPv{family.value[-1]}" for family in Family)
    return Job(
        f"{len(cases)} cases of the truth table ({counts}): state, reason, sender; nobody limits his errors",
        lambda: UDP_MATRIX,
        truth,
        _both(truth),
        Limits(unnamed=0),
        runs=3,
    )


def _matrix_servers() -> tuple[str, ...]:
    return tuple(UDP_MATRIX.address("server", family) for family in Family)


# --------------------------------------------------------------------------------------- many machines


def _machines() -> Job:
    addresses = networks.machine_addresses()
    truth = {address: all_of(networks.MACHINE_PORTS, CLOSED) for address in addresses}
    return Job(
        f"{len(addresses)} machines, 30 closed ports each, --speed fast",
        networks.machines,
        truth,
        _both(truth, "--speed", "fast", "--udp-budget", "60"),
        Limits(seconds=30),
        runs=2,
        rest_s=FULL_AGAIN_S,
    )


def _dcos(title: str, *, overlay: bool, must: Limits | None) -> Job:
    def network() -> Topology:
        site = dcos_site()
        if overlay:
            return site
        return replace(
            site, nodes=tuple(replace(node, listeners=_without_overlay(node.listeners)) for node in site.nodes)
        )

    @contextmanager
    def around(lab: Lab) -> Iterator[None]:
        (lab.home / "site.yaml").write_text(site_yaml(lab))
        yield

    site = dcos_site()
    there = all_of((OVERLAY_UDP,), SILENT if overlay else CLOSED)
    truth: Answers = {}
    for name in (*MASTERS, *AGENTS[1:]):
        truth[site.address(name, Family.IPV4)] = all_of(DNS_UDP[name[0]], OPEN) | there
    truth[site.address("ntp", Family.IPV4)] = {123: OPEN}
    ports = _ports(sorted({port for ports in truth.values() for port in ports}))
    return Job(
        title,
        network,
        truth,
        (
            portcheck((), "-s", "{home}/site.yaml", "--from", "a1", "--transport", "udp"),
            _nmap(truth, ports),
        ),
        must,
        node="a1",
        around=around,
    )


def _without_overlay(listeners: tuple[Listener, ...]) -> tuple[Listener, ...]:
    return tuple(listener for listener in listeners if listener.port != OVERLAY_UDP)


JOBS: Mapping[str, Job] = {
    "real-servers": _real_servers(),
    **_limits(),
    "loss-10": _mix(10, Limits(seconds=4), runs=15),
    "loss-20": _mix(20, Limits(), runs=5),
    "truth-table": _reject_cases(),
    "200-machines": _machines(),
    "dcos": _dcos("The UDP rows of a DC/OS site, everything answers", overlay=False, must=Limits(seconds=1)),
    "dcos-overlay": _dcos("The same with the overlay's port, which never answers", overlay=True, must=None),
}
"""By the name that the command line takes, in the order of the table."""
