"""The demo: real sockets on loopback, every staged fault found, nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from portcheck import demo as staged
from tests.command import Done, portcheck

ROOT = Path(__file__).resolve().parents[1]
LONGEST_S = 10


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, dict[str, Any], float]:
    """One demo: what it printed, the run that it kept, the seconds that it took."""
    path = tmp_path_factory.mktemp("demo") / "run.json"
    started = time.monotonic()
    done = portcheck("demo", "-o", str(path))
    lasted_s = time.monotonic() - started
    return done, json.loads(path.read_text(encoding="utf-8")), lasted_s


@contextmanager
def occupied(port: int) -> Iterator[None]:
    with closing(socket.socket()) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", port))
        listener.listen()
        yield


def causes(run: dict[str, Any]) -> set[str]:
    return {diagnosis["cause"] for diagnosis in run["diagnosis"]}


def sockets(pid: int | str = "self") -> set[str]:
    """The sockets of a process, as /proc names them."""
    found: set[str] = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(os.readlink(link))
    return {name for name in found if name.startswith("socket:")}


def test_it_is_over_in_ten_seconds_and_says_how_it_ends(kept: tuple[Done, dict[str, Any], float]) -> None:
    done, run, lasted_s = kept
    assert (done.status, done.err) == (0, "")
    assert lasted_s < LONGEST_S
    assert run["summary"]["exit_status"] == 1
    assert done.out.rstrip().endswith("a real check that found this ends with status 1.")


def test_it_finds_what_was_made_wrong_and_nothing_else(kept: tuple[Done, dict[str, Any], float]) -> None:
    _, run, _ = kept
    assert causes(run) == {"blocked", "not-listening", "exposed", "unexpected-open"}
    assert run["summary"]["fail"] == 5
    assert run["summary"]["inconclusive"] == run["summary"]["warn"] == 0


def test_it_says_beforehand_what_it_made_wrong(kept: tuple[Done, dict[str, Any], float]) -> None:
    done, _, _ = kept
    introduction, _, report = done.out.partition("\n\n")
    faults = [line.strip("- ") for line in introduction.splitlines() if line.startswith("  - ")]
    assert len(faults) == 5
    for fault in faults:
        port, host = fault.split()[0], fault.split()[2]
        assert f"{port} " in report
        assert f"{host} " in report
    assert max(map(len, done.out.splitlines())) <= 80


def test_the_kept_run_can_be_explained(kept: tuple[Done, dict[str, Any], float], tmp_path: Path) -> None:
    _, run, _ = kept
    path = tmp_path / "run.json"
    path.write_text(json.dumps(run), encoding="utf-8")
    (blocked,) = (d for d in run["diagnosis"] if d["cause"] == "blocked")
    done = portcheck("explain", blocked["checks"][0], str(path))
    assert done.status == 0
    assert "fail, blocked" in done.out


def test_ports_that_are_taken_are_moved_and_said(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    with occupied(5050), occupied(8080):
        done = portcheck("demo", "-o", str(path))
    assert done.status == 0
    said = " ".join(done.out.split())
    assert "Ports that somebody uses here already were moved: " in said
    assert re.search(r"\b5050 to 505[1-9]\b.*\b8080 to 808[1-9]\b", said)
    run = json.loads(path.read_text(encoding="utf-8"))
    assert causes(run) == {"blocked", "not-listening", "exposed", "unexpected-open"}
    assert run["summary"]["fail"] == 5


def test_where_only_one_address_answers_it_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staged, "_addresses", lambda: {"m1": "127.0.0.1"})
    done = portcheck("demo")
    said = " ".join(done.out.split())
    assert done.status == 0
    assert "Left out: only 127.0.0.1 answers here, so there is one host and nothing is local to it alone." in said
    assert "5051/tcp on m1 is open and nobody asked for it" in said
    assert "1 port is open that nobody asked for" in said


def test_what_another_system_cannot_show_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staged, "_addresses", lambda: {"m1": "127.0.0.1"})
    monkeypatch.setattr("portcheck.demo.sys.platform", "darwin")
    with staged.cluster() as cluster:
        left_out = cluster.left_out
    assert left_out[1] == "no blocked port: a full queue drops connections on Linux only"


def test_no_free_port_is_a_message_and_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staged, "_is_free", lambda port, addresses: False)
    before = sockets()
    done = portcheck("demo")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("portcheck: The demo found no free port near ")
    assert sockets() == before


def test_it_leaves_no_listener_behind() -> None:
    before = sockets()
    with staged.cluster():
        assert len(sockets() - before) > 10
    assert sockets() == before


def test_an_interrupted_demo_still_reports() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "from portcheck.cli import main; main(['demo'])"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        said: list[str] = []
        while "A silent port takes four seconds to prove." not in "".join(said):
            said.append(process.stdout.readline())
            assert said[-1], "the demo ended before it began"
        wait_for_packets(process.pid)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "SIGINT ended the run early" in " ".join(out.split())
    assert "FAIL" in out
    assert "The run was interrupted first." in " ".join(out.split())
    assert "The demo ends with status 0" in out


PROBE_IN_FLIGHT = re.compile(r"^ *\d+: 15004D7F:\w+ \w+:\w+ 02 (?:\S+ ){5} *(\d+)", re.MULTILINE)
"""A row of /proc/net/tcp: from 127.77.0.21, the demo's vantage, in SYN-SENT; the last field is the inode."""


def wait_for_packets(pid: int) -> None:
    """Until the process waits for the silent port, and so has taken over Ctrl-C."""
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        rows = re.sub(" +", " ", Path("/proc/net/tcp").read_text(encoding="ascii"))
        if {f"socket:[{match[1]}]" for match in PROBE_IN_FLIGHT.finditer(rows)} & sockets(pid):
            return
    raise AssertionError("no probe of the blocked port was seen")
