"""The engines of macOS and the BSDs, run on Linux in a lab: without an error queue they know only what errno says.

As a program, `portable tcp` or `portable udp`, it reads {address: [port…]} and prints what it observed, both as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from portcheck.engine.datagram import DatagramEngine, DatagramTiming
from portcheck.engine.pace import Pace, Speed
from portcheck.engine.probe import Answered, DatagramSet, Observation, ProbeSet, Question, Reason, Transport
from portcheck.engine.tcp import TcpEngine
from portcheck.engine.timing import timing_of

if TYPE_CHECKING:
    from tests.lab.build import Lab

Seen = dict[tuple[str, int], dict[str, Any]]
"""By address and port: state, reason, responder and icmp."""


class Case(Protocol):
    """A port to ask; of the cases of a truth table nothing else matters here."""

    @property
    def address(self) -> str: ...

    @property
    def port(self) -> int: ...


def observed(lab: Lab, transport: Transport, cases: Iterable[Case]) -> Seen:
    """What the engine says of every case, seen from the client of the lab."""
    asked: dict[str, list[int]] = {}
    for case in cases:
        asked.setdefault(case.address, []).append(case.port)
    done = lab.python("client", "-m", __name__, transport, input=json.dumps(asked))
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert len(seen) == sum(map(len, asked.values()))
    return {(entry["address"], entry["port"]): entry for entry in seen}


async def observe(transport: str, asked: Mapping[str, list[int]]) -> list[dict[str, Any]]:
    """One entry for each port."""
    seen: list[dict[str, Any]] = []

    def take(answered: Answered) -> None:
        assert isinstance(answered, Observation), "every port was asked singly"
        seen.append(
            {
                "address": answered.probe.address,
                "port": answered.probe.port,
                "state": answered.state,
                "reason": answered.reason,
                "responder": answered.responder,
                "icmp": answered.icmp,
            }
        )

    pace = Pace(Speed.FAST)
    never: asyncio.Future[Reason] = asyncio.get_running_loop().create_future()
    if transport == Transport.TCP:
        connecting = TcpEngine(timing_of(Speed.FAST), take, pace=pace, portable=True)
        await connecting.run([ProbeSet(address, ports) for address, ports in asked.items()], never)
    else:
        sending = DatagramEngine(DatagramTiming(), take, pace=pace, portable=True)
        questions = {address: [Question(Transport.UDP, port) for port in ports] for address, ports in asked.items()}
        await sending.run([DatagramSet(address, each) for address, each in questions.items()], never)
    return seen


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        sys.stdout.write(json.dumps(runner.run(observe(sys.argv[1], json.load(sys.stdin)))))
