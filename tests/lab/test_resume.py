"""A run that was stopped goes on where it was, asks nothing twice, and ends as if it had never been stopped."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pytest

from portcheck.engine.probe import PortState
from portcheck.model import Family
from portcheck.ports import parse_ports
from tests.lab import runs
from tests.lab.build import Lab, build, portcheck_argv
from tests.lab.flows import Flow, Recorded, recorded
from tests.lab.metered import CLOSED_PORTS, DROPPED_PORTS, METERED, OPEN_PORTS, client_address
from tests.lab.runs import Result, running, until

pytestmark = pytest.mark.lab

SERVER = METERED.address("server", Family.IPV4)
SINGLY = (*OPEN_PORTS[:120], *CLOSED_PORTS[:10], *DROPPED_PORTS[:10])
SWEPT = range(1290, 1450)
"""Closed and dropped ports that nobody names, asked about in bulk."""
STOPPED_AFTER = 130
"""Flows: at --speed normal in the second window of 2 s, with the greater part still to come."""
ENDING_S = 5.0
CANARIES = 3


@dataclass(frozen=True, slots=True)
class Story:
    """What was done and what came of it.

    Attributes:
        stopped: the run that got a SIGTERM; resumed: the one that went on with it; whole: one without a break.
        first, second: the flows of the stopped run and of the resumed one.
    """

    stopped: Result
    resumed: Result
    whole: Result
    first: tuple[Flow, ...]
    second: tuple[Flow, ...]


def arguments(*more: str) -> tuple[str, ...]:
    return (SERVER, "-e", runs.tcp(SINGLY), "--sweep", f"{SWEPT.start}-{SWEPT.stop - 1}", *more)


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    with build(METERED) as lab, recorded(lab, "r1", "left") as flows, ThreadPoolExecutor(1) as beside:
        whole = beside.submit(partial(runs.check, lab, "normal-w", *arguments()))
        stopped = stop_in_the_middle(lab, flows)
        first = of_normal(flows())
        kept = str(lab.home / "run.json")
        resumed = runs.check(lab, "normal", "--resume", kept, "-o", kept)
        assert json.loads((lab.home / "run.json").read_text()) == resumed.run
        yield Story(stopped, resumed, whole.result(), first, of_normal(flows())[len(first) :])


def of_normal(flows: tuple[Flow, ...]) -> tuple[Flow, ...]:
    return tuple(flow for flow in flows if flow.source == client_address("normal"))


def stop_in_the_middle(lab: Lab, flows: Recorded) -> Result:
    argv = portcheck_argv(["check", *arguments("-o", str(lab.home / "run.json")), "--format", "json"])
    with running(lab, "normal", argv) as process:
        until(lambda: len(of_normal(flows())) >= STOPPED_AFTER)
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=ENDING_S)
    result = runs.result_of(process.returncode, stdout, stderr)
    assert result.run == json.loads((lab.home / "run.json").read_text())
    return result


def answered(result: Result) -> set[int]:
    """Ports that have their answer."""
    singly = {check["port"] for check in result.checks if check["state"] != PortState.UNKNOWN}
    swept = ",".join(entry["ports"] for entry in result.run["swept"] if entry["state"] != PortState.UNKNOWN)
    return singly.union(*(ports.numbers() for ports in (parse_ports(f"{swept}/tcp") if swept else ())))


def test_the_first_run_was_stopped_in_the_middle(story: Story) -> None:
    asked = len(SINGLY) + len(set(SWEPT) - set(SINGLY))
    assert story.stopped.run["interrupted"] == "SIGTERM"
    # Refusals since the last canary are not believed, so what is answered are the open ports above all.
    assert 0.1 * asked < len(answered(story.stopped)) < 0.8 * asked


def test_the_end_is_that_of_a_run_without_a_break(story: Story) -> None:
    assert story.resumed.verdicts() == story.whole.verdicts()
    assert story.resumed.sweep() == story.whole.sweep()
    assert story.resumed.status == story.whole.status
    assert story.resumed.run["interrupted"] is None


def test_what_had_its_answer_is_not_asked_again_but_for_canaries(story: Story) -> None:
    """Only ports that were open, to see that the host still talks to us."""
    again = {flow.port for flow in story.second} & answered(story.stopped)
    assert again <= set(OPEN_PORTS)
    assert len(again) <= CANARIES


def test_it_is_said_which_run_was_resumed(story: Story) -> None:
    assert story.resumed.run["resumed"] == story.stopped.run["run_id"]
    assert story.resumed.run["run_id"] != story.stopped.run["run_id"]
