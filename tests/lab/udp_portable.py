"""The datagram engine of macOS and the BSDs, run on Linux in a lab: reads {address: [port…]}, prints what it observed.

Standard input and output are JSON. It has no error queue: of ICMP errors it sees what a connected socket says.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from portcheck.engine.datagram import DatagramEngine
from portcheck.engine.datagram_timing import DatagramTiming
from portcheck.engine.pace import Pace, Speed
from portcheck.engine.probe import Answered, DatagramSet, Observation, Question, Reason, Transport


async def observe(asked: dict[str, list[int]]) -> list[dict[str, Any]]:
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

    engine = DatagramEngine(DatagramTiming(), take, pace=Pace(Speed.FAST), portable=True)
    never: asyncio.Future[Reason] = asyncio.get_running_loop().create_future()
    sets = [DatagramSet(address, [Question(Transport.UDP, port) for port in ports]) for address, ports in asked.items()]
    await engine.run(sets, never)
    return seen


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        sys.stdout.write(json.dumps(runner.run(observe(json.load(sys.stdin)))))
