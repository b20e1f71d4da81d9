"""The engine without the command around it, for what no option of the command sets: patience, and an end after 0.6 s.

Standard input is JSON: {"sets": {address: [[singly…], [in bulk…]]}, "speed", "timing", "stop_after_s"}. Standard
output is JSON, one entry for each port; what the engine tells the user goes to standard error as it comes.
"""

from __future__ import annotations

import asyncio
import json
import sys
from array import array
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from portcheck.engine.pace import Pace, Speed
from portcheck.engine.probe import Answered, Observation, ProbeSet, Reason
from portcheck.engine.tcp import TcpEngine
from portcheck.engine.timing import timing_of

DECOYS = (60001, 60002)


async def observe(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """What was answered, port by port."""
    answers: list[Answered] = []
    speed = Speed(asked["speed"])
    timing = replace(timing_of(speed), **asked.get("timing", {}))
    sets = [
        ProbeSet(address, array("H", singly), array("H", in_bulk), DECOYS)
        for address, (singly, in_bulk) in asked["sets"].items()
    ]
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[Reason] = loop.create_future()
    if asked.get("stop_after_s"):
        loop.call_later(asked["stop_after_s"], stop.set_result, Reason.DEADLINE)
    engine = TcpEngine(timing, answers.append, pace=Pace(speed), seed=1, tell=tell)
    await engine.run(iter(sets), stop)
    return [entry for answered in answers for entry in entries(answered)]


def entries(answered: Answered) -> Iterator[dict[str, Any]]:
    """An Observation and a Tally in the same words."""
    single = isinstance(answered, Observation)
    address = answered.probe.address if isinstance(answered, Observation) else answered.address
    ports = [answered.probe.port] if isinstance(answered, Observation) else answered.ports
    for port in ports:
        yield {
            "address": address,
            "port": port,
            "state": answered.state,
            "reason": answered.reason,
            "responder": answered.responder,
            "singly": single,
        }


def tell(sentence: str) -> None:
    """At once, because a test waits for it."""
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        sys.stdout.write(json.dumps(runner.run(observe(json.load(sys.stdin)))))
