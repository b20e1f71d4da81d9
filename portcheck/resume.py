"""Going on with a stopped run: what its JSON says was asked for, and which of its answers still answer a plan.

What was not measured (state `unknown`, whatever the reason) is not kept, and so is asked again. Pure: the file is read
elsewhere.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from portcheck.addresses import literal
from portcheck.engine.pace import JITTER_S, LIMITS, Speed
from portcheck.engine.probe import (
    Answered,
    Attempt,
    Observation,
    PortState,
    Probe,
    Reason,
    Tally,
    Transport,
    Word,
)
from portcheck.model import Phase, PortcheckError, Selection, Unexpected, Vantage
from portcheck.ports import PortsError, parse_ports
from portcheck.reports.run_json import vantage_json
from portcheck.reports.run_shape import PORT_SET, Shape, damage

Json = dict[str, Any]

_SILENT = frozenset({Reason.NO_RESPONSE})
_REJECTED = frozenset(
    {Reason.PORT_UNREACH, Reason.ADMIN_PROHIBITED, Reason.PROTO_UNREACH}
    | {Reason.HOST_UNREACH, Reason.NET_UNREACH, Reason.ARP_FAILURE}
)
_IP_PROTOCOL: Mapping[PortState, frozenset[Reason]] = {
    PortState.OPEN: frozenset({Reason.PROTO_RESPONSE}),
    PortState.CLOSED: frozenset({Reason.PROTO_UNREACH}),
    PortState.FILTERED: _REJECTED,
}
_REASONS: Mapping[Transport, Mapping[PortState, frozenset[Reason]]] = {
    Transport.TCP: {
        PortState.OPEN: frozenset({Reason.SYN_ACK}),
        PortState.CLOSED: frozenset({Reason.CONN_REFUSED, Reason.REFUSED_ORIGIN_UNKNOWN}),
        PortState.FILTERED: _REJECTED | _SILENT,
    },
    Transport.UDP: {
        PortState.OPEN: frozenset({Reason.UDP_RESPONSE}),
        PortState.CLOSED: frozenset({Reason.PORT_UNREACH, Reason.REFUSED_ORIGIN_UNKNOWN}),
        PortState.FILTERED: _REJECTED,
    },
    Transport.ICMP: {PortState.OPEN: frozenset({Reason.ECHO_REPLY}), PortState.FILTERED: _REJECTED | _SILENT},
    Transport.GRE: _IP_PROTOCOL,
    Transport.ESP: _IP_PROTOCOL,
    Transport.AH: _IP_PROTOCOL,
}
"""What the network answers over each transport, each state with its reasons: all that is kept.

Not `open|filtered`: that a server is silent holds for the requests that were sent, and with another document, a secret
or a privilege they are others now.
"""


def _words(words: type[Word]) -> frozenset[str]:
    return frozenset(str(word) for word in words)


_TEXT = (str, None)
_NUMBER = (float, int)
_PORT = range(1, 65536)
_BYTE = range(256)

RUN: Shape = {
    "run_id": re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}"),
    "finished": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}\+00:00"),
    "phase": _words(Phase),
    "seed": range(2**64),
    "selection": {
        "targets": [str],
        "documents": [str],
        "roles": [str],
        "expects": [str],
        "site": _TEXT,
        "source": _TEXT,
        "features": {...: bool},
        "transports": [_words(Transport)],
        "sweep": str,
        "strict": bool,
        "strict_sources": bool,
        "unexpected?": _words(Unexpected),
        "speed": _words(Speed),
        "max_rate": (*_NUMBER, None),
        "evidence": bool,
        "udp_budget_s?": _NUMBER,
        "verify?": bool,
        "stand_ins?": bool,
        "local?": bool,
    },
    "vantages": [{"host": str, "machine": str, "sources": {...: str}}],
    "checks": [{"target": {"address": _TEXT}, "transport": str, "port": (_PORT, None), "state": _words(PortState)}],
    "swept": [{"target": {"address": _TEXT}, "transport": str, "ports": PORT_SET, "state": _words(PortState)}],
}
"""The run as a whole, and what is needed of every answer to find out whether it is kept."""

_ANSWER: Shape = {
    "reason": _words(Reason),
    "detail": _TEXT,
    "responder": _TEXT,
    "icmp": ({"type": _BYTE, "code": _BYTE}, None),
    "inferred": bool,
}

_ATTEMPT: Shape = {
    "started_s": _NUMBER,
    "lasted_s": _NUMBER,
    "source_port": (_PORT, None),
    "syns": (range(2**16), None),
    "result": str,
    "source_address": _TEXT,
}
_SINGLE: Shape = {
    **_ANSWER,
    "errno": (range(4096), None),
    "rtt_ms": (*_NUMBER, None),
    "flaky": bool,
    "answer": _TEXT,
    "speaks?": _TEXT,
    "evidence": [_ATTEMPT],
}
"""An answer that is kept, of `swept` and of `checks`."""


def selection_of(run: Json) -> tuple[Selection, Phase]:
    """What a run of the shape RUN was asked, as the selection of one that goes on with it.

    A deadline ended that run, and does not end this one.

    Raises:
        PortcheckError: the maximum rate is none.
    """
    said = run["selection"]
    for name in ("max_rate", "udp_budget_s"):
        if said.get(name) is not None and not said[name] > 0:
            raise _damaged(f"selection.{name} is not what it should be")
    selection = Selection(
        targets=tuple(said["targets"]),
        documents=tuple(said["documents"]),
        roles=tuple(said["roles"]),
        expects=tuple(said["expects"]),
        site=said["site"],
        source=said["source"],
        features=said["features"],
        transports=tuple(said["transports"]),
        sweep=said["sweep"],
        stand_ins=said.get("stand_ins", False),
        local=said.get("local", False),
        strict=said["strict"],
        strict_sources=said["strict_sources"],
        unexpected=said.get("unexpected", str(Unexpected.FAIL)),
        speed=said["speed"],
        max_rate=said["max_rate"],
        evidence=said["evidence"],
        **{name: said[name] for name in ("udp_budget_s", "verify") if name in said},
        resumed=run["run_id"],
    )
    return selection, Phase(run["phase"])


def pause_s(run: Json, speed: Speed, now: datetime) -> float:
    """How long the last connections of a run of the shape RUN still count with those who watch the network.

    Raises:
        PortcheckError: it does not say when it ended.
    """
    limits = LIMITS[speed]
    window_s = max(limits.flows_window_s, limits.addresses_window_s)
    try:
        ended_s = (now - datetime.fromisoformat(run["finished"])).total_seconds()
    except ValueError:
        raise _damaged("finished is not what it should be") from None
    # A clock that was set back must not keep anybody waiting.
    return max(0.0, window_s + JITTER_S - ended_s) if window_s and ended_s >= 0 else 0.0


def refuse_other_vantage(run: Json, vantage: Vantage) -> None:
    """Answers hold for the machine and the addresses that asked, and for no other.

    Raises:
        PortcheckError: this is another vantage than that of the run.
    """
    if run["vantages"] != [vantage_json(vantage)]:
        before = " and ".join(map(_place, run["vantages"])) or "nowhere"
        raise PortcheckError(
            f"its answers hold for {before}, and this is {_place(vantage_json(vantage))}; "
            "go on with it there, or check anew"
        )


def _place(vantage: Json) -> str:
    """`a1 on bastion (10.0.0.11)`."""
    addresses = ", ".join(vantage["sources"].values())
    return f"{vantage['host']} on {vantage['machine']}" + (f" ({addresses})" if addresses else "")


# -------------------------------------------------------------------------------------------------- answers


Asked = tuple[str, str | None, Transport, Collection[int], Collection[int]]
"""Address, source address, transport, the ports asked singly (0 for a protocol without ports), those asked in bulk."""


class _Questions:
    """What a plan asks of one address over one transport and has no answer to yet."""

    def __init__(self, asked: Asked) -> None:
        self.address, self.source_address, self.transport, singly, in_bulk = asked
        self._singly = set(singly)
        # A set of all ports is 4 MB, and a large run has many addresses.
        self._in_bulk = bytearray(_PORT.stop if in_bulk else 0)
        for port in in_bulk:
            self._in_bulk[port] = True

    def probe(self, port: int) -> Probe:
        return Probe(self.address, self.transport, port, self.source_address)

    def take_single(self, port: int) -> bool:
        """Whether the port is asked singly; it has its answer now."""
        if port not in self._singly:
            return False
        self._singly.remove(port)
        return True

    def take_swept(self, port: int) -> bool:
        """Whether the port is one of many; it has its answer now."""
        if not self._in_bulk or not self._in_bulk[port]:
            return False
        self._in_bulk[port] = False
        return True


def kept_answers(run: Json, asked: Iterable[Asked]) -> Iterator[Answered]:
    """The answers of a run of the shape RUN to what a plan asks, each port once.

    They have no attempts but those that the run tells, so packets are counted for the run that sent them.

    Raises:
        PortcheckError: an answer is damaged; the message names the key.
    """
    questions = {(each[0], each[2]): _Questions(each) for each in asked}
    for key, read in (("checks", _of_check), ("swept", _of_sweep)):
        for number, entry in enumerate(run[key]):
            of_address = questions.get((entry["target"]["address"], entry["transport"]))
            if of_address is not None and PortState(entry["state"]) in _REASONS[of_address.transport]:
                yield from read(entry, of_address, f"{key}[{number}]")


def _of_check(check: Json, questions: _Questions, where: str) -> Iterator[Answered]:
    answer = _answer(check, _SINGLE, questions.transport, where)
    port = check["port"] or 0
    if questions.take_single(port) or questions.take_swept(port):
        yield Observation(
            questions.probe(port),
            **answer,
            attempts=tuple(Attempt(**{name: each[name] for name in _ATTEMPT}) for each in check["evidence"]),
            errno=check["errno"],
            rtt_ms=check["rtt_ms"],
            flaky=check["flaky"],
            answer=check["answer"],
            speaks=check.get("speaks"),
        )


def _of_sweep(entry: Json, questions: _Questions, where: str) -> Iterator[Answered]:
    answer = _answer(entry, _ANSWER, questions.transport, where)
    in_bulk = array("H")
    for port in _port_numbers(entry["ports"], where):
        if questions.take_swept(port):
            in_bulk.append(port)
        # It may be asked singly now: a document was changed, or evidence is wanted.
        elif questions.take_single(port):
            yield Observation(questions.probe(port), **answer)
    if in_bulk:
        where_to = questions.address, questions.source_address
        yield Tally(*where_to, **answer, ports=in_bulk, syns=0, transport=questions.transport)


def _port_numbers(text: str, where: str) -> Iterator[int]:
    try:
        return (number for ports in parse_ports(f"{text}/tcp") for number in ports.numbers())
    except PortsError as error:
        raise _damaged(f"{where}.ports: {error}") from None


def _answer(entry: Json, shape: Shape, transport: Transport, where: str) -> dict[str, Any]:
    """The fields that a lone answer and one of many ports have in common."""
    if (found := damage(entry, shape, where)) is not None:
        raise _damaged(found)
    state, reason, icmp = PortState(entry["state"]), Reason(entry["reason"]), entry["icmp"]
    if reason not in _REASONS[transport][state]:
        raise _damaged(f"{where}.reason is none of a port that is {state}")
    if entry["responder"] is not None and literal(entry["responder"]) is None:
        raise _damaged(f"{where}.responder is not an address")
    return {
        "state": state,
        "reason": reason,
        "responder": entry["responder"],
        "icmp": None if icmp is None else (icmp["type"], icmp["code"]),
        "inferred": entry["inferred"],
        "detail": entry["detail"],
    }


def _damaged(what: str) -> PortcheckError:
    return PortcheckError(f"the run is damaged: {what}")
