"""`listen`: stand in for services that are not installed yet; say what came of each port, and who came."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from portcheck.cli.keys import ENVIRONMENT, key, write_new_key
from portcheck.cli.lifetime import End, Lifetime, ending
from portcheck.cli.lines import Lines
from portcheck.cli.listen_events import Ended, Events, JsonEvents, Ready, Services, TextEvents
from portcheck.cli.openings import addresses_of, openings, refuse_too_many
from portcheck.cli.output import tell
from portcheck.cli.started import STARTED_BY
from portcheck.engine.own_ports import LocalPorts
from portcheck.engine.probe import Standing, StandInPort, Transport
from portcheck.engine.stand_in import Opening, StandIn
from portcheck.engine.token import new_key
from portcheck.model import Address, Host, Phase, PortcheckError, Scope, Selection
from portcheck.printable import quoted
from portcheck.role_ports import role_ports
from portcheck.scoping import scope_of
from portcheck.vantage import local

_TTL = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smh])")
_UNIT_S: Mapping[str, int] = {"s": 1, "m": 60, "h": 3600}
_LONGEST_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Listening:
    """What a command line asks for.

    Attributes:
        selection: whose ports; its `source` is the name to call itself.
        binds, peers, ttl, report_format, key_file, write_key: as they were written.
    """

    selection: Selection
    binds: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    ttl: str = "30m"
    until_eof: bool = False
    outlive_parent: bool = False
    report_format: str = "text"
    key_file: str | None = None
    write_key: str | None = None


def stand_in(asked: Listening) -> int:
    """Open the ports, answer until it is time to go, and return the exit status.

    Raises:
        PortcheckError: unusable input, or not one port could be opened.
    """
    lifetime = Lifetime(_seconds(asked.ttl), None if asked.outlive_parent else STARTED_BY, asked.until_eof)
    if asked.report_format not in FORMATS:
        raise PortcheckError(f"--format {quoted(asked.report_format)}: write {' or '.join(FORMATS)}")
    peers = tuple(map(_peer, asked.peers))
    wanted, services = _wanted(asked)
    shared, is_new = _key(asked)
    is_stated, name = asked.selection.source is not None, asked.selection.source or local.machine_name()
    if is_new:
        tell(_shown_once(shared))
    with _events(asked.report_format) as events:
        server = StandIn(shared, name, is_stated=is_stated, peers=peers, tell=events.came)
        opened = server.open(wanted)
        events.opened(opened, services)
        if not any(port.standing is Standing.LISTENING for port in opened):
            raise PortcheckError("not one port could be opened, so nothing stands in here")
        ports = _ports(opened)
        ends = datetime.now().astimezone() + timedelta(seconds=lifetime.ttl_s)
        ready = Ready(name, is_stated, os.getpid(), len(ports), sum(ports.values()), ends)
        why = _serve(server, lifetime, lambda: events.ready(ready))
        status = 0 if all(ports.values()) else 1
        events.ended(Ended(why, status, server.came(), server.forgotten))
    return status


def _serve(server: StandIn, lifetime: Lifetime, announce: Callable[[], None]) -> End:
    async def until_it_ends() -> End:
        stop = ending(lifetime, asyncio.get_running_loop())
        announce()  # From here on a signal is an orderly end.
        await server.serve(stop)
        return stop.result()

    # Named explicitly: uvloop loses socket errors after the first one, so no installed policy may choose it.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(until_it_ends())


def _ports(opened: Iterable[StandInPort]) -> dict[tuple[Transport, int], bool]:
    """Every port, and whether it is open on all its addresses."""
    ports: dict[tuple[Transport, int], bool] = {}
    for each in opened:
        place = (each.transport, each.port)
        ports[place] = ports.get(place, True) and each.standing is Standing.LISTENING
    return ports


# --------------------------------------------------------------------------------------------------- output

FORMATS: Mapping[str, Callable[[Lines, Lines], Events]] = {
    "text": lambda out, err: TextEvents(out.say, err.say, os.path.realpath(sys.executable)),
    "jsonl": lambda out, err: JsonEvents(out.say),
}


@contextmanager
def _events(report_format: str) -> Iterator[Events]:
    """What is said, and at the end written, as far as anybody reads it."""
    out, err = Lines(sys.stdout), Lines(sys.stderr)
    try:
        yield FORMATS[report_format](out, err)
    finally:
        out.close()
        err.close()


# ---------------------------------------------------------------------------------------------------- ports


def _wanted(asked: Listening) -> tuple[tuple[Opening, ...], Services]:
    """What to open, and what will be there one day."""
    scope, host = _scope(asked.selection)
    ports = role_ports(scope, host)
    if not ports:
        raise PortcheckError("nothing to stand in for: no TCP or UDP port is left of what you named")
    wanted = openings(ports, tuple(map(_bind, asked.binds)) or _addresses(host))
    ephemeral = LocalPorts().ephemeral
    refuse_too_many(wanted, range(ephemeral[0], ephemeral[1] + 1) if ephemeral else range(0))
    return wanted, {(each.transport, each.port): each.services for each in ports}


def _scope(selection: Selection) -> tuple[Scope, Host]:
    scope = scope_of(selection, Phase.PREINSTALL, standing_in=True)
    return scope, scope.hosts[0]


def _addresses(host: Host) -> tuple[str, ...]:
    addresses, remarks = addresses_of(host, _is_own)
    for remark in remarks:
        tell(remark)
    return addresses


def _bind(text: str) -> str:
    address = local.canonical(text)
    if address is None:
        raise PortcheckError(f"--bind {quoted(text)}: write an IP address of this machine, 0.0.0.0 or ::")
    if not ipaddress.ip_address(address).is_unspecified and not _is_own(address):
        raise PortcheckError(f"--bind {quoted(text)}: this machine does not have this address")
    return address


def _is_own(address: str) -> bool:
    return local.is_this_machine([Address(address, local.family(address))])


# ------------------------------------------------------------------------------------------ one value each


def _seconds(text: str) -> float:
    match = _TTL.fullmatch(text)
    seconds = float(match[1]) * _UNIT_S[match[2]] if match else 0.0
    if not 1 <= seconds <= _LONGEST_S:
        raise PortcheckError(f"--ttl {quoted(text)}: write 90s, 30m or 8h; at least 1s, at most 24h")
    return seconds


def _peer(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text) if "/" in text else ipaddress.ip_address(text))
    except ValueError:
        raise PortcheckError(f"--peers {quoted(text)}: write an address or a network, like 10.0.0.0/24") from None


def _key(asked: Listening) -> tuple[bytes, bool]:
    """The key, and whether it is one that nobody has seen yet."""
    if asked.write_key is not None:
        if asked.key_file is not None:
            raise PortcheckError("--key-file takes a key and --write-key makes one: leave one of them out")
        return write_new_key(asked.write_key), False
    given = key(asked.key_file)
    return (new_key(), True) if given is None else (given, False)


def _shown_once(shared: bytes) -> str:
    return f"""A new key, shown this once. Stand-ins and checks that belong together need the same one:
{shared.hex()}
  in a file:           umask 077; cat > stand-in.key   (paste it, Ctrl-D), then --key-file stand-in.key
  in the environment:  read -rs {ENVIRONMENT}; export {ENVIRONMENT}   (paste it, Enter)"""
