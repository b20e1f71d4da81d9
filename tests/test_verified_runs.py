"""`check --verify`: what answers at open ports is in the report, and nothing that was measured changes."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.command import portcheck

GREETING = b"SSH-2.0-OpenSSH_9.2\r\n"

DOCUMENT = """\
id: doc
title: Doc
vendor: V
product: P
version: "1"
roles: {{server: {{title: Server}}}}
expectations:
  - service: Console
    ports: {port}/tcp
    from: [any]
    to: [server]
    speaks: {speaks}
    provenance: {{section: A, row: B}}
"""


@pytest.fixture
def ssh_server() -> Iterator[int]:
    """A port that greets as an SSH server does."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=16)) as listener:
        thread = threading.Thread(target=_greet, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _greet(listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            peer, _ = listener.accept()
            with peer, suppress(OSError):
                peer.sendall(GREETING)
                peer.recv(256)


def unwrapped(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_what_answered_is_said_where_it_was_asked_for(ssh_server: int) -> None:
    port = f"{ssh_server}/tcp"
    verified = portcheck("check", "127.0.0.1", "-e", port, "--verify")
    assert verified.status == 0
    assert f"What answered - {port} on 127.0.0.1: SSH, OpenSSH_9.2" in unwrapped(verified.out)
    plain = portcheck("check", "127.0.0.1", "-e", port)
    assert (plain.status, "What answered" in plain.out) == (0, False)


@pytest.mark.parametrize(("speaks", "findings"), [("http", ["wrong-responder"]), ("ssh", ["ok"])])
def test_an_open_port_that_speaks_something_else_is_a_warning(
    tmp_path: Path, ssh_server: int, speaks: str, findings: list[str]
) -> None:
    path, kept = tmp_path / "doc.yaml", tmp_path / "run.json"
    path.write_text(DOCUMENT.format(port=ssh_server, speaks=speaks), encoding="utf-8")
    done = portcheck(
        *("check", "127.0.0.1", "-d", str(path), "-r", "server", "--verify", "-o", str(kept)), "--sweep", "none"
    )
    assert done.status == 0  # A warning alone is no failure.
    (check,) = json.loads(kept.read_text(encoding="utf-8"))["checks"]
    assert (check["state"], [check["finding"]]) == ("open", findings)
    assert check["speaks"] == "ssh"
    assert (f"{ssh_server}/tcp Console on 127.0.0.1 is open, but speaks SSH" in done.out) is (speaks == "http")


def test_ports_that_were_not_asked_are_said(ssh_server: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_time(*_: Any, **__: Any) -> dict[Any, Any]:
        return {}

    monkeypatch.setattr("portcheck.verify.verify", no_time)
    done = portcheck("check", "127.0.0.1", "-e", f"{ssh_server}/tcp", "--verify")
    assert done.status == 0
    assert "1 open port was not asked what is spoken there (--verify): " in unwrapped(done.out)
