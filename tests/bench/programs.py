"""Programs that ask the same ports: how each is called, what it said, how long it took."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench import answers
from tests.bench.answers import Answers, Count
from tests.lab.build import Lab, portcheck_argv

_TIMED = Path(__file__).with_name("timed.py")
_ASYNCIO = Path(__file__).with_name("asyncio_connect.py")
_GRACE_S = 30.0
"""For what surrounds the program; after it the lab gives up waiting."""

PEER_LONGEST_S = 60.0
OUR_LONGEST_S = 180.0


@dataclass(frozen=True, slots=True)
class Program:
    """A way to ask the ports of a job.

    Attributes:
        name: for a column of the table.
        commands: run one after the other; times add up. As somebody would type them.
        argvs: the same as they are executed; in both, {home} is the lab's folder for files.
        read: makes answers from the standard output of one of them.
        user: runs as uid 65534 without capabilities; False: as root.
        longest_s: after which it is killed, and asked no second time.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]
    argvs: tuple[tuple[str, ...], ...]
    read: Callable[[str], Answers]
    user: bool = True
    longest_s: float = PEER_LONGEST_S


@dataclass(slots=True)
class Runs:
    """What the runs of a program came to.

    Attributes:
        seconds: of each run that ended by itself.
        killed: runs that took longer than the program's longest_s.
        cpu_s: of processor time each of these took, in the program and for it in the kernel.
        peak_mb: the most memory that a run's process held.
    """

    program: Program
    seconds: list[float] = field(default_factory=list)
    killed: int = 0
    cpu_s: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    count: Count = field(default_factory=Count)

    @property
    def median_s(self) -> float:
        """`longest_s` when no run ended by itself."""
        return median(self.seconds) if self.seconds else self.program.longest_s

    def add(self, other: Runs) -> None:
        self.seconds += other.seconds
        self.cpu_s += other.cpu_s
        self.killed += other.killed
        self.peak_mb = max(self.peak_mb, other.peak_mb)
        self.count.add(other.count)


def run(lab: Lab, node: str, program: Program, truth: Answers, under: Sequence[str]) -> Runs:
    """Runs it once. Raises SystemExit with its words when it failed."""
    seen: Answers = {}
    taken = Runs(program)
    seconds = cpu_s = 0.0
    for argv in program.argvs:
        words = [word.replace("{home}", str(lab.home)) for word in argv]
        timed = [sys.executable, "-I", "-S", str(_TIMED), str(program.longest_s), *under, *words]
        done = lab.run(node, timed, user=program.user, timeout_s=program.longest_s + _GRACE_S)
        measured = _measured(done.stderr)
        taken.peak_mb = max(taken.peak_mb, measured["peak_mb"])
        if measured["killed"]:
            taken.killed = 1
            return taken
        seconds += measured["seconds"]
        cpu_s += measured["cpu_s"]
        try:
            seen.update(program.read(done.stdout))
        except (ValueError, SyntaxError) as error:  # no JSON, no XML
            raise SystemExit(f"{' '.join(argv)}: {error}\n{done.stdout[:500]}\n{done.stderr}") from None
    taken.seconds.append(seconds)
    taken.cpu_s.append(cpu_s)
    taken.count = answers.compare(truth, seen)
    return taken


def _measured(stderr: str) -> dict[str, Any]:
    try:
        measured: dict[str, Any] = json.loads(stderr.splitlines()[-1])
    except (IndexError, ValueError):
        raise SystemExit(stderr) from None
    return measured


# --------------------------------------------------------------------------------------------------- programs


def portcheck(addresses: Iterable[str], *options: str) -> Program:
    """The checkout's command, which reports as JSON."""
    command = ("portcheck", "check", *addresses, *options, "--format", "json")
    return Program(
        "portcheck",
        (command,),
        (tuple(portcheck_argv(command[1:])),),
        lambda stdout: answers.of_portcheck(json.loads(stdout)),
        longest_s=OUR_LONGEST_S,
    )


def nmap(addresses: Iterable[str], ports: str, *options: str, user: bool = True) -> Program:
    """nmap, which is told not to skip a host and not to look up names; one family at a time, as it wants it."""
    families: dict[bool, list[str]] = {}
    for address in addresses:
        families.setdefault(":" in address, []).append(address)
    commands = tuple(
        ("nmap", *options, *(("-6",) if six else ()), "-Pn", "-n", "-p", ports, "-oX", "-", *members)
        for six, members in families.items()
    )
    name = " ".join(("nmap", *options, *(() if user else ("(root)",))))
    return Program(name, commands, commands, answers.of_nmap, user=user)


def asyncio_connect(address: str, ports: str) -> Program:
    """A short program that believes asyncio's `sock_connect`."""
    return Program(
        "asyncio sock_connect",
        (("python", "tests/bench/asyncio_connect.py", address, ports),),
        ((sys.executable, "-I", str(_ASYNCIO), address, ports),),
        lambda stdout: answers.of_connections(json.loads(stdout)),
    )
