"""The machine on which the manual's examples run: its kernel's tables, and what a stand-in opens there. All made up.

The program looks at itself as it always does; what it meets are a folder in place of /proc, and no socket.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TextIO
from unittest.mock import patch

from portcheck.cli.lifetime import End
from portcheck.engine import own_ports
from portcheck.engine.own_rules import Listing, Signs, Trouble
from portcheck.engine.probe import Holder, Standing, StandInPort, Transport
from portcheck.engine.stand_in import Came, Opening

_DEFAULT_EPHEMERAL = "32768\t60999"
_PRIVILEGED = 1024
_OWNERS = 1000
_EVERYWHERE = ("0.0.0.0", "::")
_TABLE_HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
_LISTENS = {Transport.TCP: "0A", Transport.UDP: "07"}


@dataclass(frozen=True, slots=True)
class Machine:
    """Where an example runs.

    Attributes:
        held: who has a port, by "5050/tcp"; a process without a number is not ours to see.
        ephemeral: as in net.ipv4.ip_local_port_range.
        rules: of its packet filter, which accepts everything else; each as the `expr` of nft's JSON.
        came: who comes to a stand-in there.
    """

    name: str = "a1"
    address: str = "10.0.2.11"
    is_root: bool = False
    held: Mapping[str, Holder] = field(default_factory=dict)
    ephemeral: str = _DEFAULT_EPHEMERAL
    rules: tuple[tuple[Mapping[str, Any], ...], ...] = ()
    came: tuple[Came, ...] = ()

    def holder(self, transport: Transport, port: int) -> Holder | None:
        """Who has it."""
        return self.held.get(f"{port}/{transport}")


@contextmanager
def as_if_on(machine: Machine, proc: Path) -> Iterator[None]:
    """The program believes that it runs there.

    Args:
        proc: a folder to make up /proc in.
    """
    _write_proc(machine, proc)
    with ExitStack() as stack:
        for name, made_up in _made_up(machine, str(proc)).items():
            stack.enter_context(patch(f"portcheck.{name}", made_up))
        yield


def _made_up(machine: Machine, proc: str) -> Mapping[str, Any]:
    return {
        "vantage.local.is_own": lambda address: address == machine.address,
        "vantage.local.is_broadcast": lambda address: False,
        "vantage.local.privilege_lacking": lambda transport, address: None,
        "vantage.local.machine_name": lambda: machine.name,
        "engine.own_ports.is_own": lambda address: address == machine.address,
        "own_looks.look_at_own_ports": partial(own_ports.look_at_own_ports, proc=proc),
        "engine.own_ports._bind": partial(_bind, machine),
        "engine.own_ports.os.geteuid": lambda: 0 if machine.is_root else _OWNERS,
        "engine.own_rules.list_ruleset": lambda: _listing(machine),
        "engine.own_rules.look_for_signs": lambda: Signs(has_nftables=True, legacy=()),
        "cli.listen.LocalPorts": partial(own_ports.LocalPorts, proc),
        "cli.listen.StandIn": partial(_StandIn, machine),
        "cli.listen.Lines": _Lines,
        "cli.listen.sys.executable": "/opt/portcheck/bin/python3",
        "cli.listen.datetime": _Clock,
        "cli.listen_events.datetime": _Clock,
    }


def _bind(machine: Machine, transport: Transport, address: str, port: int) -> int | None:
    """The errno of trying it."""
    if port < _PRIVILEGED and not machine.is_root:
        return errno.EACCES
    holder = machine.holder(transport, port)
    if holder is None or (":" in holder.address) is not (":" in address):
        return None
    return errno.EADDRINUSE if holder.address == address or {holder.address, address} & {*_EVERYWHERE} else None


def _listing(machine: Machine) -> Listing:
    """What `nft -j list ruleset` prints."""
    if not machine.is_root:
        return Listing(None, Trouble.NOT_PERMITTED)
    place = {"family": "inet", "table": "filter"}
    hook = {"type": "filter", "hook": "input", "prio": 0, "policy": "accept"}
    objects = [
        {"table": {"family": "inet", "name": "filter", "handle": 1}},
        {"chain": {**place, "name": "input", "handle": 1, **hook}},
        *(
            {"rule": {**place, "chain": "input", "handle": at, "expr": rule}}
            for at, rule in enumerate(machine.rules, 2)
        ),
    ]
    return Listing(json.dumps({"nftables": objects if machine.rules else []}))


# -------------------------------------------------------------------------------------------------- /proc


def _write_proc(machine: Machine, proc: Path) -> None:
    sysctls = {"ip_local_port_range": machine.ephemeral, "ip_unprivileged_port_start": f"{_PRIVILEGED}"}
    for name, value in sysctls.items():
        _write(proc / "sys/net/ipv4" / name, f"{value}\n")
    lines: dict[str, list[str]] = {"tcp": [], "tcp6": [], "udp": [], "udp6": []}
    for inode, (port, holder) in enumerate(machine.held.items(), start=1):
        number, _, transport = port.partition("/")
        table = lines[transport + ("6" if ":" in holder.address else "")]
        table.append(_line(Transport(transport), holder.address, int(number), holder.uid or 0, inode))
        if holder.pid is not None and machine.is_root:
            _write_process(proc / str(holder.pid), holder, inode)
    for name, of_table in lines.items():
        _write(proc / "net" / name, _TABLE_HEADING + "".join(of_table))


def _line(transport: Transport, address: str, port: int, uid: int, inode: int) -> str:
    """As proc(5) has it: words of the machine's own byte order."""
    packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    words = [int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, len(packed), 4)]
    ends = f"{''.join(f'{word:08X}' for word in words)}:{port:04X} {'0' * 2 * len(packed)}:0000"
    return f"{inode:4}: {ends} {_LISTENS[transport]} 00000000:00000000 00:00000000 00000000 {uid} 0 {inode} 1\n"


def _write_process(folder: Path, holder: Holder, inode: int) -> None:
    _write(folder / "comm", f"{holder.process}\n")
    _write(folder / "cgroup", f"0::/system.slice/{holder.unit or ''}\n")
    _write(folder / "cmdline", "portcheck\0listen\0" if holder.stand_in else f"{holder.process}\0")
    (folder / "fd").mkdir(exist_ok=True)
    os.symlink(f"socket:[{inode}]", folder / "fd" / str(inode))


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="ascii")


# ------------------------------------------------------------------------------------------------- stand-ins


class _StandIn:
    """Opens nothing, and is interrupted as soon as everybody came."""

    def __init__(self, machine: Machine, key: bytes, name: str, *, tell: Callable[[Came], None], **_: object) -> None:
        self._machine = machine
        self._tell = tell
        self.forgotten = 0

    def open(self, openings: Iterable[Opening]) -> tuple[StandInPort, ...]:
        return tuple(
            opened(self._machine, opening.transport, opening.port, address)
            for opening in openings
            for address in opening.addresses
        )

    async def serve(self, stop: asyncio.Future[End]) -> None:
        for came in self._machine.came:
            self._tell(replace(came, number=1))
        stop.set_result(End.INTERRUPT)

    def came(self) -> tuple[Came, ...]:
        return self._machine.came


def opened(machine: Machine, transport: Transport, port: int, address: str) -> StandInPort:
    """What comes of opening a port for a stand-in there."""
    error = _bind(machine, transport, address, port)
    if error == errno.EADDRINUSE:
        holder = machine.holder(transport, port)
        return StandInPort(transport, port, address, Standing.IN_USE, holder)
    if error == errno.EACCES:
        return StandInPort(transport, port, address, Standing.NEEDS_PRIVILEGE)
    return StandInPort(transport, port, address, Standing.LISTENING)


class _Lines:
    """Written at once, in the order in which they are said."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def say(self, line: str) -> None:
        self._stream.write(f"{line}\n")

    def close(self) -> None:
        """Nothing waits."""


class _Clock(datetime):
    """Half past nine, wherever the manual is made."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime(2026, 11, 2, 9, 30)
