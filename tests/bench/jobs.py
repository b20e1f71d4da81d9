"""The jobs: a network, what is true in it, who asks, and what portcheck must reach."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from portcheck.engine.probe import PortState
from portcheck.model import Family
from tests.bench import networks
from tests.bench.answers import CLOSED, DROPPED, OPEN, Answer, Answers, Said, all_of, of_state
from tests.bench.programs import Program, asyncio_connect, nmap, portcheck
from tests.lab import lossy, many, middleboxes, rationed
from tests.lab.build import Lab
from tests.lab.matrix import CASES, MATRIX
from tests.lab.rules import span
from tests.lab.topology import Topology


@dataclass(frozen=True, slots=True)
class Limits:
    """What the runs of portcheck must keep to; None: no limit.

    Attributes:
        seconds: the median.
        speed: the first peer's median divided by ours, at least.
        peak_mb: of any run.
        wrong, undecided, unnamed: in all runs together, see answers.Count.
    """

    seconds: float | None = None
    speed: float | None = None
    peak_mb: float | None = None
    wrong: int | None = 0
    undecided: int | None = 0
    unnamed: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the table.

    Attributes:
        node: where the programs run.
        truth: of every port that is asked.
        programs: portcheck, then its peers.
        aim: what would be better still.
        runs: of each program, in turn.
        at_once: so many runs of a program at the same time: for jobs about verdicts, not about time.
        rest_s: before each run, until a router has its ICMP errors together again.
        around: what goes on in the lab during all runs, such as servers.
        under: the command that starts the programs, with its arguments; empty for none.
    """

    title: str
    network: Callable[[], Topology]
    truth: Answers
    programs: tuple[Program, ...]
    must: Limits | None
    aim: Limits | None = None
    node: str = "client"
    runs: int = 5
    at_once: int = 1
    rest_s: float = 0.0
    around: Callable[[Lab], AbstractContextManager[object]] = lambda lab: nullcontext()
    under: tuple[str, ...] = ()


FAST = ("--speed", "fast")


def _tcp(*spans: range) -> str:
    """What -e takes."""
    return f"{_ports(*spans)}/tcp"


def _ports(*spans: range) -> str:
    """What nmap's -p and --sweep take."""
    return ",".join(span(each) if len(each) > 1 else str(each[0]) for each in spans)


# ------------------------------------------------------------------------------------------------------ loss


def _twenty_ports(percent: int, runs: int, at_once: int, must: Limits | None, aim: Limits | None) -> Job:
    address, ports = lossy.server_address(percent), lossy.OPEN_PORTS[:20]
    return Job(
        f"20 open ports, {percent} % loss each way",
        lossy.lossy,
        {address: all_of(ports, OPEN)},
        (portcheck([address], "-e", _tcp(ports)), nmap([address], _ports(ports), "-sT")),
        must,
        aim,
        runs=runs,
        at_once=at_once,
    )


def _thousand_ports(percent: int, must: Limits | None, aim: Limits | None = None) -> Job:
    address, ports = lossy.server_address(percent), lossy.OPEN_PORTS
    return Job(
        f"1,000 open ports, {percent} % loss each way",
        lossy.lossy,
        {address: all_of(ports, OPEN)},
        (portcheck([address], "-e", _tcp(ports), *FAST), nmap([address], _ports(ports), "-sT")),
        must,
        aim,
        runs=15,
    )


# ------------------------------------------------------------------------------------------------ many ports

_EVERY_PORT = range(1, 65_536)


def _roomy(addresses: list[str]) -> Answers:
    return {address: all_of(_EVERY_PORT, CLOSED) | all_of(networks.OPEN_PORTS, OPEN) for address in addresses}


def _every_port() -> Job:
    address = networks.right(networks.ROOMY[0])
    return Job(
        "65,535 ports of one host, 50 open, the rest refused",
        networks.plain,
        _roomy([address]),
        (portcheck([address], "--sweep", "all", *FAST), nmap([address], "-", "-sT", "-T5")),
        Limits(speed=0.6),
        Limits(speed=1.0),
        runs=9,
    )


def _million() -> Job:
    addresses = [networks.right(number) for number in networks.ROOMY]
    return Job(
        "1,048,560 ports in one run: 16 hosts, 50 open ports each, the rest refused",
        networks.plain,
        _roomy(addresses),
        (portcheck(addresses, "--sweep", "all", *FAST), nmap(addresses, "-", "-sT", "-T5")),
        Limits(peak_mb=200),
        Limits(peak_mb=100),
        runs=3,
    )


def _sweep(title: str, number: int, parts: Mapping[range, Answer], must_s: float, aim_s: float, *timings: str) -> Job:
    address, ports = networks.right(number), _ports(*parts)
    return Job(
        title,
        networks.plain,
        {address: {port: answer for part, answer in parts.items() for port in part}},
        (
            portcheck([address], "--sweep", ports, *FAST),
            *(nmap([address], ports, "-sT", timing) for timing in timings),
        ),
        Limits(seconds=must_s),
        Limits(seconds=aim_s),
        runs=3,
    )


def _sweeps() -> dict[str, Job]:
    one_open = {range(networks.ONE_OPEN_PORT, networks.ONE_OPEN_PORT + 1): OPEN, networks.HIDDEN_PORTS: DROPPED}
    mixed = {networks.OPEN_PORTS: OPEN, networks.REFUSED_PORTS: CLOSED, networks.DROPPED_PORTS: DROPPED}
    return {
        "dropped-9000": _sweep(
            "9,000 ports dropped, nothing answers", networks.DARK, {networks.DARK_PORTS: DROPPED}, 10, 4.5, "-T4", "-T5"
        ),
        "dropped-5000": _sweep("5,000 ports dropped, one open", networks.ONE_OPEN, one_open, 7, 4.5, "-T4"),
        "mixed-3000": _sweep("1,950 ports refused, 50 open, 1,000 dropped", networks.MIXED, mixed, 3.0, 2.4, "-T4"),
    }


# ---------------------------------------------------------------------------------------- rejections, boxes


def _rationed(name: str, node: str, title: str) -> Job:
    target, address = rationed.TARGETS[name], rationed.address(name)
    asked = range(target.rejected_ports.start, (target.dropped_ports or target.rejected_ports).stop)
    rejected = Answer(Said.REJECTED, rationed.responder(name))
    truth = all_of(target.rejected_ports, rejected) | all_of(target.dropped_ports, DROPPED)
    return Job(
        title,
        rationed.rationed,
        {address: truth},
        (
            portcheck([address], "-e", _tcp(asked)),
            nmap([address], _ports(asked), "-sS", user=False),
            nmap([address], _ports(asked), "-sT"),
        ),
        # A dropped port may be called probably rejected: who limits its answers leaves both possible.
        Limits(seconds=15, undecided=None if target.dropped else 0, unnamed=0),
        node=node,
        runs=3,
        rest_s=10,
    )


def _syn_proxy() -> Job:
    address, ports = middleboxes.address(middleboxes.PROXIED), middleboxes.CLOSED_PORTS
    return Job(
        "1,000 closed ports behind a SYN proxy",
        middleboxes.middleboxes,
        {address: all_of(ports, Answer(Said.CLOSED, middleboxes.box()))},
        (
            portcheck([address], "-e", _tcp(ports), *FAST),
            nmap([address], _ports(ports), "-sT"),
            nmap([address], _ports(ports), "-sS", user=False),
        ),
        Limits(undecided=None),
        Limits(undecided=None, unnamed=0),
        runs=3,
    )


def _reject_cases() -> Job:
    """Every rejection of the matrix by the server or a router; the client's own firewall is another matter."""
    cases = [case for case in CASES if case.responder and case.state is PortState.FILTERED and case.port >= 2000]
    truth: Answers = {}
    for case in cases:
        truth.setdefault(case.address, {})[case.port] = of_state(case.state, case.reason, case.responder, False)
    ports = ",".join(str(port) for port in sorted({case.port for case in cases}))
    counts = {family: sum(case.family is family for case in cases) for family in Family}
    by_family = ", ".join(f"{number} IPv{family.value[-1]}" for family, number in counts.items())
    return Job(
        f"{len(cases)} reject cases ({by_family}): state, reason, sender",
        lambda: MATRIX,
        truth,
        (portcheck(truth, "-e", f"{ports}/tcp"), nmap(truth, ports, "-sT"), nmap(truth, ports, "-sS", user=False)),
        Limits(unnamed=0),
    )


def _other_cpu() -> Job:
    address, ports = networks.right(networks.REJECTING), networks.REJECTED_PORTS
    last_cpu = (os.cpu_count() or 1) - 1

    @contextmanager
    def steered(lab: Lab) -> Iterator[None]:
        """What the client receives is handled on the last CPU, while the programs run on the first."""
        steering = f"echo {1 << last_cpu:x} > /sys/class/net/left/queues/rx-0/rps_cpus"
        if lab.run("client", ["sh", "-c", steering], user=False).returncode != 0:
            raise SystemExit("this kernel cannot steer received packets to another CPU (RPS)")
        yield

    return Job(
        "50,000 rejected ports, ICMP errors handled on another CPU",
        networks.plain,
        {address: all_of(ports, Answer(Said.REJECTED, address))},
        (portcheck([address], "--sweep", _ports(ports), *FAST), asyncio_connect(address, span(ports))),
        Limits(),
        runs=3,
        around=steered,
        # Few sockets at once: a busy program reads an error so late that it is there.
        under=("taskset", "-c", "0", "prlimit", "--nofile=32"),
    )


# ------------------------------------------------------------------------------------------------ many hosts


def _many_hosts(speed: str, seconds: float) -> Job:
    live, dead = many.addresses(many.LIVE), many.addresses(many.ABSENT) + many.addresses(many.SILENT)
    ports = all_of(many.OPEN_PORTS, OPEN) | all_of(many.CLOSED_PORTS, CLOSED) | all_of(many.DROPPED_PORTS, DROPPED)
    nobody = all_of(many.PORTS, Answer(Said.ABSENT_HOST))
    spans = (many.OPEN_PORTS, many.CLOSED_PORTS, many.DROPPED_PORTS)
    return Job(
        f"200 hosts, 20 of them dead, 30 ports each, --speed {speed}",
        many.many,
        dict.fromkeys(live, ports) | dict.fromkeys(dead, nobody),
        (
            portcheck((*live, *dead), "-e", _tcp(*spans), "--speed", speed),
            nmap((*live, *dead), _ports(*spans), "-sT", "-T4"),
        ),
        Limits(seconds=seconds),
        node=speed,
        runs=3,
    )


def _one_port() -> Job:
    address, port = networks.right(networks.ROOMY[0]), networks.REFUSED_PORTS[0]
    return Job(
        "One refused port: what it costs to start",
        networks.plain,
        {address: {port: CLOSED}},
        (portcheck([address], "-e", f"{port}/tcp"), nmap([address], str(port), "-sT")),
        None,
        runs=15,
    )


JOBS: Mapping[str, Job] = {
    "loss-20-ports": _twenty_ports(10, 60, 1, Limits(seconds=1.6), None),
    "loss-20-ports-heavy": _twenty_ports(20, 500, 10, None, Limits()),
    "loss-1000-ports-5": _thousand_ports(5, Limits(seconds=2.5)),
    "loss-1000-ports-20": _thousand_ports(20, Limits(seconds=5)),
    "loss-1000-ports-40": _thousand_ports(40, None, Limits(seconds=10)),
    "every-port": _every_port(),
    **_sweeps(),
    "icmp-limit": _rationed("rejected", "c-rej", "100 ports rejected by a router that limits its ICMP errors"),
    "icmp-limit-half": _rationed("half", "c-half", "50 ports rejected by such a router, 50 dropped"),
    "syn-proxy": _syn_proxy(),
    "reject-cases": _reject_cases(),
    "icmp-other-cpu": _other_cpu(),
    "million-ports": _million(),
    "200-hosts-normal": _many_hosts("normal", 30),
    "200-hosts-fast": _many_hosts("fast", 9),
    "one-port": _one_port(),
}
"""By the name that the command line takes, in the order of the table."""
