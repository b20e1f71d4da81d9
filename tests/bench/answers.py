"""What a program says of each port, beside what is true: pure counting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from xml.etree import ElementTree

from portcheck.engine.probe import PortState, Reason
from portcheck.ports import parse_ports


class Said(StrEnum):
    """The least that somebody who has to act must be told of a port."""

    OPEN = "open"
    CLOSED = "closed"
    DROPPED = "dropped"
    REJECTED = "rejected"
    PROBABLY_REJECTED = "probably rejected"
    SILENT = "silent"
    """Over UDP: open and silent, or dropped; nobody can tell these apart from outside."""
    NOT_KNOWN = "not known"
    ABSENT_HOST = "no such host"
    """Only ever true: nobody says it of a port. Silence and every kind of rejection are right words for it."""
    NOTHING = "not reported"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of a port, or is true of it.

    Attributes:
        responder: who rejected it, or answered for it; None when nobody is named, or nobody need be.
        reason: the reason word; None where it does not matter, or is another program's.
    """

    said: Said
    responder: str | None = None
    reason: str | None = None


Answers = dict[str, dict[int, Answer]]
"""By address and port."""

DROPPED, OPEN, CLOSED, SILENT = Answer(Said.DROPPED), Answer(Said.OPEN), Answer(Said.CLOSED), Answer(Said.SILENT)
NOTHING = Answer(Said.NOTHING)

_RIGHT: Mapping[Said, frozenset[Said]] = {
    Said.OPEN: frozenset({Said.OPEN}),
    Said.CLOSED: frozenset({Said.CLOSED}),
    Said.DROPPED: frozenset({Said.DROPPED}),
    Said.REJECTED: frozenset({Said.REJECTED, Said.PROBABLY_REJECTED}),
    Said.SILENT: frozenset({Said.SILENT}),
    Said.ABSENT_HOST: frozenset({Said.DROPPED, Said.REJECTED, Said.PROBABLY_REJECTED}),
}
_UNDECIDED: Mapping[Said, frozenset[Said]] = {
    Said.OPEN: frozenset({Said.NOT_KNOWN}),
    Said.CLOSED: frozenset({Said.NOT_KNOWN}),
    Said.DROPPED: frozenset({Said.NOT_KNOWN, Said.PROBABLY_REJECTED}),
    Said.REJECTED: frozenset({Said.NOT_KNOWN}),
    Said.SILENT: frozenset({Said.NOT_KNOWN}),
    Said.ABSENT_HOST: frozenset({Said.NOT_KNOWN}),
}
"""By what is true: what is neither right nor wrong. Everything else is wrong, a port left out included."""


@dataclass(slots=True)
class Count:
    """How right a program was.

    Attributes:
        undecided: said with doubt, where doubt is no error.
        unnamed: answers without the responder that could be named.
        mistakes: "open called dropped" and how often.
    """

    ports: int = 0
    wrong: int = 0
    undecided: int = 0
    unnamed: int = 0
    mistakes: Counter[str] = field(default_factory=Counter)

    def add(self, other: Count) -> None:
        self.ports += other.ports
        self.wrong += other.wrong
        self.undecided += other.undecided
        self.unnamed += other.unnamed
        self.mistakes.update(other.mistakes)


def compare(truth: Answers, seen: Answers) -> Count:
    """Counts the answers to the ports of `truth`; what is said of others does not count."""
    count = Count()
    for address, ports in truth.items():
        there = seen.get(address, {})
        for port, true in ports.items():
            _take(count, true, there.get(port, NOTHING))
    return count


def _take(count: Count, true: Answer, answer: Answer) -> None:
    count.ports += 1
    count.unnamed += true.responder is not None and answer.responder != true.responder
    if answer.said in _UNDECIDED[true.said]:
        count.undecided += 1
    elif answer.said not in _RIGHT[true.said]:
        count.wrong += 1
        count.mistakes[f"{true.said} called {answer.said}"] += 1
    elif None not in (true.reason, answer.reason) and answer.reason != true.reason:
        count.wrong += 1
        count.mistakes[f"{true.reason} called {answer.reason}"] += 1


# ------------------------------------------------------------------------------------------------- portcheck


def of_portcheck(run: Mapping[str, Any]) -> Answers:
    """From its JSON: `checks` one by one, `swept` as sets."""
    answers: Answers = {}
    for check in run["checks"]:
        answers.setdefault(check["target"]["address"], {})[check["port"]] = of_state(
            check["state"], check["reason"], check["responder"], check["inferred"]
        )
    for swept in run["swept"]:
        # Older runs say neither who nor whether it was concluded.
        answer = of_state(swept["state"], swept["reason"], swept.get("responder"), swept.get("inferred", False))
        answers.setdefault(swept["target"]["address"], {}).update(dict.fromkeys(numbers(swept["ports"]), answer))
    return answers


def of_state(state: str, reason: str, responder: str | None, inferred: bool) -> Answer:
    """The words of portcheck (docs/reference/states-and-reasons.md) as one of ours."""
    if state == PortState.FILTERED and reason == Reason.NO_RESPONSE:
        said = Said.DROPPED
    elif state == PortState.FILTERED:
        said = Said.PROBABLY_REJECTED if inferred else Said.REJECTED
    else:
        said = _SAID.get(state, Said.NOT_KNOWN)
    return Answer(said, responder, reason)


_SAID: Mapping[str, Said] = {
    PortState.OPEN: Said.OPEN,
    PortState.CLOSED: Said.CLOSED,
    PortState.OPEN_FILTERED: Said.SILENT,
}
"""nmap has the same words."""


def numbers(ports: str) -> Iterator[int]:
    """`22,80-82` as numbers."""
    for each in parse_ports(f"{ports}/tcp"):
        yield from each.numbers()


# ------------------------------------------------------------------------------------------------------ nmap

_NMAP_SILENCE = "no-response"
_NMAP_FROM_HOST = frozenset({"syn-ack", "conn-refused", "reset", _NMAP_SILENCE})


def of_nmap(xml: str) -> Answers:
    """From its XML: ports one by one, and those of the same state and reason as sets (`extraports`)."""
    root = ElementTree.fromstring(xml)
    sees_senders = next(root.iter("scaninfo")).attrib["type"] != "connect"
    answers: Answers = {}
    for host in root.iter("host"):
        address = next(entry.attrib["addr"] for entry in host.iter("address") if entry.attrib["addrtype"] != "mac")
        there = answers.setdefault(address, {})
        for extra in host.iter("extraports"):
            for reasons in extra.iter("extrareasons"):
                answer = _of_nmap_state(extra.attrib["state"], reasons.attrib["reason"], None)
                there.update(dict.fromkeys(numbers(reasons.attrib["ports"]), answer))
        for port in host.iter("port"):
            state = next(port.iter("state")).attrib
            signed = sees_senders and state["reason"] not in _NMAP_FROM_HOST
            # It leaves out `reason_ip` when the sender is the target.
            responder = state.get("reason_ip", address) if signed else None
            there[int(port.attrib["portid"])] = _of_nmap_state(state["state"], state["reason"], responder)
    return answers


def _of_nmap_state(state: str, reason: str, responder: str | None) -> Answer:
    if state == "filtered":
        return Answer(Said.DROPPED if reason == _NMAP_SILENCE else Said.REJECTED, responder)
    return Answer(_SAID.get(state, Said.NOT_KNOWN), responder)


# --------------------------------------------------------------------------------------------------- asyncio


def of_connections(outcomes: Mapping[str, Mapping[str, str]]) -> Answers:
    """From what asyncio_connect.py prints: by address, each port's "connected" or the error's name."""
    words = {"connected": OPEN, "ECONNREFUSED": CLOSED, "silence": DROPPED}
    rejected = Answer(Said.REJECTED)
    return {
        address: {int(port): words.get(outcome, rejected) for port, outcome in ports.items()}
        for address, ports in outcomes.items()
    }


# ----------------------------------------------------------------------------------------------------- truth


def all_of(ports: Iterable[int], answer: Answer) -> dict[int, Answer]:
    """The same for every port."""
    return dict.fromkeys(ports, answer)
