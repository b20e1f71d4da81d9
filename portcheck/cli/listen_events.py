"""What a stand-in says while it works: a line for each port, that it is ready, who came, how it ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Protocol

from portcheck.cli.lifetime import End
from portcheck.engine.probe import Holder, Standing, StandInPort, Transport
from portcheck.engine.stand_in_visitors import Came
from portcheck.ports import format_by_transport
from portcheck.printable import printable

Services = Mapping[tuple[Transport, int], tuple[str, ...]]

_MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class Ready:
    """Everything that can be opened is open.

    Attributes:
        listening: how many of the ports are open on all their addresses.
        ends: when the time is over, in local time.
    """

    name: str
    is_stated: bool
    pid: int
    ports: int
    listening: int
    ends: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """It is over.

    Attributes:
        came: who came, and how often.
        forgotten: how many are left out of it, for too many came.
    """

    reason: End
    exit_status: int
    came: tuple[Came, ...]
    forgotten: int


class Events(Protocol):
    """A format: it says what happened, where its reader looks for it."""

    def opened(self, ports: Iterable[StandInPort], services: Services) -> None: ...
    def ready(self, ready: Ready) -> None: ...
    def came(self, came: Came) -> None: ...
    def ended(self, ended: Ended) -> None: ...


Say = Callable[[str], None]
"""Takes a line."""


# ----------------------------------------------------------------------------------------------------- text

_WHY_ENDED: Mapping[End, str] = {
    End.TTL: "its time is over (--ttl)",
    End.INTERRUPT: "interrupted",
    End.TERMINATE: "it was told to stop (SIGTERM)",
    End.HANGUP: "its terminal has gone; with --outlive-parent it would have stayed",
    End.INPUT: "its input ended (--until-eof)",
    End.PARENT: "the process that started it has ended; with --outlive-parent it would have stayed",
}


class TextEvents:
    """For a person: the ports on stdout; who came, and how it ended, on stderr."""

    def __init__(self, out: Say, err: Say, python: str) -> None:
        self._out = out
        self._err = err
        self._python = python

    def opened(self, ports: Iterable[StandInPort], services: Services) -> None:
        ordered = sorted(ports, key=_place)
        for (transport, port), of_port in groupby(ordered, key=lambda each: (each.transport, each.port)):
            for line in _port_lines(f"{port}/{transport}", list(of_port), services.get((transport, port), ())):
                self._out(line)
        lacking = [each for each in ordered if each.standing is Standing.NEEDS_PRIVILEGE]
        if lacking:
            self._out(_needs_privilege(lacking, self._python))

    def ready(self, ready: Ready) -> None:
        day = "" if ready.ends.date() == datetime.now().astimezone().date() else f"{ready.ends:%Y-%m-%d} "
        ports = "port" if ready.ports == 1 else "ports"
        self._out(
            f"ready: {ready.listening} of {ready.ports} {ports}; ends at {day}{ready.ends:%H:%M:%S} or with Ctrl-C"
        )

    def came(self, came: Came) -> None:
        self._err(printable(f"{came.peer} came to {came.port}/{came.transport} {_with_key(came)}", _MAX_TEXT))

    def ended(self, ended: Ended) -> None:
        self._err(f"ended: {_WHY_ENDED[ended.reason]}")
        for came in ended.came:
            times = "once" if came.number == 1 else f"{came.number:,} times"
            self._err(printable(f"{came.peer} came {times} over {came.transport} {_with_key(came)}", _MAX_TEXT))
        if ended.forgotten:
            self._err(f"{ended.forgotten:,} more came, too many to remember")


def _place(port: StandInPort) -> tuple[str, int]:
    return str(port.transport), port.port


def _with_key(came: Came) -> str:
    return "with the key" if came.authentic else "without the key, and got no answer"


def _port_lines(port: str, standings: list[StandInPort], services: tuple[str, ...]) -> Iterator[str]:
    """One line for all addresses that came to the same; what needs privilege is told for all ports together."""
    about = ", ".join(services)
    told: dict[str, list[str]] = {}
    for each in standings:
        if each.standing is not Standing.NEEDS_PRIVILEGE:
            told.setdefault(_WORDS[each.standing](each), []).append(each.address)
    for text, addresses in told.items():
        word, _, why = text.partition("|")
        where = ", ".join(addresses)
        middle = f"{why} on {where}" if why else where
        yield printable(f"{word:<12} {port:<10} {middle:<14}  {about}".rstrip(), 2 * _MAX_TEXT)


_WORDS: Mapping[Standing, Callable[[StandInPort], str]] = {
    Standing.LISTENING: lambda port: "listening|",
    Standing.IN_USE: lambda port: f"in use|{_who(port.holder)}",
    Standing.FAILED: lambda port: f"not opened|{port.detail or 'the system refused it'}",
}


def _who(holder: Holder | None) -> str:
    if holder is None or (holder.pid is None and holder.uid is None):
        return "by somebody who cannot be seen"
    if holder.pid is None:
        return f"by a process of user {holder.uid} (only root can name it)"
    unit = f", {holder.unit}" if holder.unit else ""
    return f"by {'another stand-in' if holder.stand_in else holder.process or 'a process'} (PID {holder.pid}{unit})"


def _needs_privilege(lacking: list[StandInPort], python: str) -> str:
    keys = dict.fromkeys((each.transport, each.port) for each in lacking)
    lowest = min(port for _, port in keys)
    return printable(
        f"needs privilege: {format_by_transport(keys)}: run as root, or "
        f"sysctl -w net.ipv4.ip_unprivileged_port_start={lowest}, or setcap cap_net_bind_service=+ep {python} "
        "(for every program of this Python)"
    )


# ---------------------------------------------------------------------------------------------------- jsonl

Fields = Mapping[str, tuple[str, str]]

_CAME: Fields = {
    "peer": ("string", "Its address. A datagram's may be forged, unless it is `authentic`."),
    "transport": ("`tcp`, `udp`", "Over which it came."),
    "port": ("integer", "The port that it came to first."),
    "authentic": (
        "boolean",
        "Whether it had the key. Without it nothing is answered; a check comes once without it, to see if the port "
        "is open.",
    ),
    "number": ("integer", "How often so far: connections or datagrams without the key, questions with it."),
}

EVENTS: Mapping[str, tuple[str, Fields]] = {
    "port": (
        "What came of opening a port on one address. All of them come first.",
        {
            "transport": ("`tcp`, `udp`", "What carries the port."),
            "port": ("integer", "Its number."),
            "address": ("string", "As it is bound; `0.0.0.0` and `::` are all addresses of a family."),
            "services": ("list of string", "What will be there; empty for a port of `-e` without a name."),
            "standing": ("`listening`, `in-use`, `needs-privilege`, `failed`", "What came of it."),
            "holder": ("object or null", "Who has the port that is in use, as far as it can be seen."),
            "holder.address": ("string", "As it is bound there."),
            "holder.connected": ("boolean", "It is the near end of a connection, and nobody listens."),
            "holder.pid": ("integer or null", "The process. Those of other users are shown to root only."),
            "holder.process": ("string or null", "Its name."),
            "holder.unit": ("string or null", "Its systemd unit."),
            "holder.uid": ("integer or null", "The user whose socket it is."),
            "holder.stand_in": ("boolean", "It is another stand-in of portcheck."),
            "detail": ("string or null", "Why it needs privilege or failed."),
        },
    ),
    "ready": (
        "Everything that can be opened is open, and questions are answered. It is missing, and so are those below, "
        "when not one port could be opened.",
        {
            "name": ("string", "What it calls itself."),
            "is_stated": ("boolean", "Whether that was said with `--as`; otherwise it is the machine's name."),
            "pid": ("integer", "Its process."),
            "ports": ("integer", "How many ports it was to open."),
            "listening": ("integer", "How many of them are open on all their addresses."),
            "ends": ("string", "When its time is over: ISO 8601, UTC."),
        },
    ),
    "came": (
        "Somebody came for the first time over this transport, with the key or without. At once for some thousand; "
        "then one a second, so that invented addresses fill no disk. The counts are in `end`.",
        _CAME,
    ),
    "end": (
        "It ended as it was asked to.",
        {
            "reason": (", ".join(f"`{end}`" for end in End), "Why."),
            "exit_status": ("integer", "0, or 1 when a port could not be opened."),
            "came": ("list of object", "Who came and how often: objects with the fields of the event `came`."),
            "forgotten": ("integer", "How many are left out of it, for too many came."),
        },
    ),
}
"""By event: what it means, and of each of its fields the type and the meaning. The manual's page is made from this."""


class JsonEvents:
    """For a program: everything on stdout, an object to a line. ASCII, so nothing in it reaches a terminal as it is."""

    def __init__(self, out: Say) -> None:
        self._out = out

    def opened(self, ports: Iterable[StandInPort], services: Services) -> None:
        for each in ports:
            self._write("port", {**asdict(each), "services": services.get((each.transport, each.port), ())})

    def ready(self, ready: Ready) -> None:
        self._write("ready", {**asdict(ready), "ends": ready.ends.astimezone(UTC).isoformat(timespec="seconds")})

    def came(self, came: Came) -> None:
        self._write("came", asdict(came))

    def ended(self, ended: Ended) -> None:
        self._write("end", {**asdict(ended), "came": [_only(_CAME, asdict(came)) for came in ended.came]})

    def _write(self, event: str, values: Mapping[str, Any]) -> None:
        _, fields = EVENTS[event]
        self._out(json.dumps({"event": event, **_only(fields, values)}))


def _only(fields: Fields, values: Mapping[str, Any]) -> dict[str, Any]:
    """What the manual promises and nothing else, in its order."""
    return {name: values[name] for name in fields if "." not in name}
