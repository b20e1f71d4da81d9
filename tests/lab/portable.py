"""The engine of macOS and the BSDs, run on Linux in a lab: reads {address: [port…]}, prints what it observed.

Standard input and output are JSON. It has no error queue, so it knows only what errno says.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from portcheck.engine.pace import Pace, Speed
from portcheck.engine.probe import Answered, Observation, ProbeSet, Reason
from portcheck.engine.tcp import TcpEngine
from portcheck.engine.timing import timing_of


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

    engine = TcpEngine(timing_of(Speed.FAST), take, pace=Pace(Speed.FAST), portable=True)
    never: asyncio.Future[Reason] = asyncio.get_running_loop().create_future()
    await engine.run([ProbeSet(address, ports) for address, ports in asked.items()], never)
    return seen


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        sys.stdout.write(json.dumps(runner.run(observe(json.load(sys.stdin)))))
