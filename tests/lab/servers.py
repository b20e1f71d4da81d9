"""Real servers from Debian's packages on the nodes of a lab: started together, without systemd, ended with the lab.

Each server sees a /run of its own, so that two of a kind, or the machine's own, are not in each other's way, and a
folder of its own with the files that it was given. What it says is kept there in `log`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from portcheck.model import Family
from tests.lab.build import Lab

READY_S = 90.0
BETWEEN_LOOKS_S = 0.05
SHOWN_OF_A_LOG = 1500

# /run is private; the server's folder stays where it is, though it may lie below /run.
PRIVATE_RUN = """\
exec >>{folder}/log 2>&1
mount --bind {folder} /mnt
mount -t tmpfs -o mode=755 run /run
mkdir -p {folder}
mount --bind /mnt {folder}
umount /mnt
cd {folder}
"""

SILENT = None
"""Of a port: nobody answers us there, though the server is well."""


@dataclass(frozen=True, slots=True)
class Server:
    """How a program of a Debian package is started in the foreground, and what is to be said of it.

    In `command` and in `files`, `{folder}` is the server's own folder, `{ipv4}` and `{ipv6}` are the node's addresses,
    `{client4}` and `{client6}` those of the machine that asks.

    Attributes:
        name: its word in tests; unique on a node.
        package: the Debian package that it is of, whose version is told.
        program: what must be there to start it.
        command: lines of shell, the last one an `exec`.
        udp: its ports, with a regular expression for what portcheck must say that answered, or SILENT.
        tcp: likewise, for what --verify says.
        files: name: content.
        needs: packages to install besides.
        only: ports that it has in one family only.
        only_with: what it answers to, where that is not everybody.
        why: of a silent one, the reason, as half a sentence.
    """

    name: str
    package: str
    program: str
    command: str
    udp: Mapping[int, str | None] = field(default_factory=dict)
    tcp: Mapping[int, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    only: Mapping[int, Family] = field(default_factory=dict)
    only_with: str | None = None
    why: str = ""

    @property
    def ports(self) -> frozenset[tuple[str, int]]:
        """(transport, port) of all that is bound when it is ready."""
        return frozenset({*(("udp", port) for port in self.udp), *(("tcp", port) for port in self.tcp)})

    def missing(self) -> bool:
        return shutil.which(self.program) is None


@dataclass(frozen=True, slots=True)
class Running:
    """A server that was started."""

    server: Server
    node: str
    folder: Path
    process: subprocess.Popen[bytes]

    def log(self) -> str:
        """What it said so far."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")


def missing_packages(servers: Iterable[Server]) -> tuple[str, ...]:
    """The packages to install before these servers can be started."""
    lacking = [server for server in servers if server.missing()]
    return tuple(sorted({package for server in lacking for package in (server.package, *server.needs)}))


def versions(packages: Iterable[str]) -> dict[str, str]:
    """The installed versions, as Debian writes them; a package that dpkg does not know is left out."""
    show = ["dpkg-query", "--show", "--showformat=${Package} ${Version}\n", *sorted(set(packages))]
    listing = subprocess.run(show, capture_output=True, text=True, check=False).stdout
    return dict(line.split(maxsplit=1) for line in listing.splitlines() if line.count(" ") == 1)


@contextlib.contextmanager
def running(lab: Lab, servers: Mapping[str, Sequence[Server]], *, client: str) -> Iterator[dict[str, Running]]:
    """Servers by node, all started at once; {"node/name": Running} when every port of theirs is bound.

    `client` is the node that will ask.

    Raises:
        RuntimeError: one of them ended, or is not ready after READY_S; with the end of its log.
    """
    started: dict[str, Running] = {}
    try:
        for node, several in servers.items():
            for server in several:
                started[f"{node}/{server.name}"] = _start(lab, node, server, client)
        _await_ports(lab, started.values())
        yield started
    finally:
        for each in started.values():
            # Its children as well, where it has some.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(each.process.pid, signal.SIGKILL)
            each.process.communicate()


def bound(lab: Lab, node: str) -> set[tuple[str, int]]:
    """(transport, port) of every listening TCP port and every unconnected UDP socket of a node."""
    listing = lab.run(node, ["ss", "-Hlntu"], user=False).stdout
    rows = (line.split() for line in listing.splitlines())
    return {(row[0], int(row[4].rpartition(":")[2])) for row in rows}


def _start(lab: Lab, node: str, server: Server, client: str) -> Running:
    folder = lab.folder / "servers" / node / server.name
    folder.mkdir(parents=True, exist_ok=True)
    words = {"folder": str(folder), **_addresses(lab, node, client)}
    for name, content in server.files.items():
        (folder / name).write_text(_filled(content, words), encoding="utf-8")
    script = "set -eu\n" + _filled(PRIVATE_RUN + server.command, words)
    command = lab.command(node, ["sh", "-c", script], user=False)
    # Standard input stays open and silent: some servers end with it.
    stdin = subprocess.PIPE
    process = subprocess.Popen(command, stdin=stdin, env=_environment(folder), cwd="/", process_group=0)
    return Running(server, node, folder, process)


def _addresses(lab: Lab, node: str, client: str) -> dict[str, str]:
    return {
        "ipv4": lab.address(node, Family.IPV4),
        "ipv6": lab.address(node, Family.IPV6),
        "client4": lab.address(client, Family.IPV4),
        "client6": lab.address(client, Family.IPV6),
    }


def _filled(template: str, words: Mapping[str, str]) -> str:
    """Not str.format: configuration files are full of braces."""
    for word, value in words.items():
        template = template.replace(f"{{{word}}}", value)
    return template


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
    }


def _await_ports(lab: Lab, started: Iterable[Running]) -> None:
    deadline = time.monotonic() + READY_S
    waiting = list(started)
    while waiting:
        seen = {node: bound(lab, node) for node in {each.node for each in waiting}}
        waiting = [each for each in waiting if not each.server.ports <= seen[each.node]]
        for each in waiting:
            if each.process.poll() is not None:
                raise RuntimeError(_failure(each, f"ended with status {each.process.returncode}"))
            if time.monotonic() > deadline:
                lacking = sorted(each.server.ports - seen[each.node])
                raise RuntimeError(_failure(each, f"has not bound {lacking} after {READY_S:.0f} s"))
        if waiting:
            time.sleep(BETWEEN_LOOKS_S)


def _failure(each: Running, what: str) -> str:
    said = each.log()[-SHOWN_OF_A_LOG:]
    return f"{each.server.name} ({each.server.package}) on {each.node} {what}:\n{said}"
