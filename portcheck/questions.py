"""What a plan asks without a connection: the datagrams to send, and afterwards what the replies say.

Replies are read when everything is measured: dissecting them takes longer than sending did.
"""

from __future__ import annotations

import secrets
import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import overload

from portcheck.engine.addresses import source_towards
from portcheck.engine.probe import (
    Answered,
    DatagramSet,
    Echo,
    Observation,
    Probe,
    Question,
    Reason,
    Reply,
    Tally,
    Transport,
)
from portcheck.engine.token import NONCE_BYTES, RUN_BYTES, read_echo, request
from portcheck.measured import Measured
from portcheck.model import Plan, Secrets
from portcheck.probe_sets import AskedPort, asked_without_connection
from portcheck.probes import Target, question, read

_UNSPECIFIED = {False: "0.0.0.0", True: "::"}
"""Where there is no route, nothing is sent either; a request has to be made all the same."""


_NO_SECRETS = Secrets()


@dataclass(frozen=True, slots=True, repr=False)
class Shared:
    """What this run shares with the stand-ins.

    Attributes:
        run: how they tell its questions from another's.
        began_s: when it began, by the monotonic clock: what arrived before was another's.
    """

    key: bytes
    run: bytes
    began_s: float

    def request(self, transport: Transport, port: int) -> bytes:
        """A question that only a stand-in of ours answers."""
        return request(self.key, self.run, secrets.token_bytes(NONCE_BYTES), transport, port)


def new_shared(key: bytes) -> Shared:
    """For one run, which begins now."""
    return Shared(key, secrets.token_bytes(RUN_BYTES), time.monotonic())


_Spoken = tuple[str | None, Question]
"""What is asked in one protocol, and that protocol."""


def _is_plain(port: AskedPort) -> bool:
    return port.in_bulk and not port.speaks and port.transport is Transport.UDP


def _plain(port: int) -> Question:
    """What is asked of a swept UDP port of which nobody knows a protocol."""
    return Question(Transport.UDP, port, in_bulk=True)


class _WithPlain(Sequence[Question]):
    """Questions, and behind them those to swept ports: numbers until one is asked, for there may be millions."""

    def __init__(self, questions: list[Question], plain: array[int]) -> None:
        self._questions = questions
        self._plain = plain

    def __len__(self) -> int:
        return len(self._questions) + len(self._plain)

    @overload
    def __getitem__(self, place: int) -> Question: ...

    @overload
    def __getitem__(self, place: slice) -> list[Question]: ...

    def __getitem__(self, place: int | slice) -> Question | list[Question]:
        found = range(len(self))[place]
        return self._at(found) if isinstance(found, int) else [self._at(each) for each in found]

    def __iter__(self) -> Iterator[Question]:
        yield from self._questions
        yield from map(_plain, self._plain)

    def _at(self, place: int) -> Question:
        spoken = len(self._questions)
        return self._questions[place] if place < spoken else _plain(self._plain[place - spoken])


class Questions:
    """The questions of one run.

    Args:
        kept: what is known already and not asked again.
        evidence: swept ports too are to be reported singly.
        stand_ins: what our stand-ins are asked with, None when there are none.
    """

    def __init__(
        self, plan: Plan, given: Secrets, kept: Measured, *, evidence: bool = False, stand_ins: Shared | None = None
    ) -> None:
        self._plan = plan
        self._given = given
        self._kept = kept
        self._evidence = evidence
        self._stand_ins = stand_ins
        self._tokens: dict[Probe, bytes] = {}
        self._open: dict[Probe, list[_Spoken]] = {}
        self._answered: list[tuple[Observation, list[_Spoken]]] = []

    def sets(self) -> Iterator[DatagramSet]:
        """What to ask of each address; made when the engine wants it."""
        asked = asked_without_connection(self._plan, evidence=self._evidence, kept=self._kept)
        for address, source_address, ports in asked:
            source = source_address or _source_towards(address) or _UNSPECIFIED[":" in address]
            plain = array("H", (port.port for port in ports if _is_plain(port)))
            questions = [self._question(address, source_address, source, port) for port in ports if not _is_plain(port)]
            ports.clear()
            yield DatagramSet(address, _WithPlain(questions, plain) if plain else questions, source_address)

    def _question(self, address: str, source_address: str | None, source: str, port: AskedPort) -> Question:
        # A secret is for the service that shares it, not for whatever is found on its port.
        given = self._given if port.expected else _NO_SECRETS
        target = Target(address, port.port, source, given, secrets.token_bytes)
        names: tuple[str | None, ...] = port.speaks or (None,)
        made = [(name, question(name, port.transport, target, in_bulk=port.in_bulk)) for name in names]
        probe = Probe(address, port.transport, port.port, source_address)
        self._open[probe] = made
        merged = _merged([each for _, each in made])
        if self._stand_ins is None or not port.stand_in or port.transport is not Transport.UDP:
            return merged
        self._tokens[probe] = token = self._stand_ins.request(port.transport, port.port)
        # The stand-in is asked first. Whoever else has the port may only answer in its own protocol.
        return replace(merged, payloads=(token, *merged.payloads, token))

    def take(self, answered: Answered) -> None:
        """Keep of an answer what is needed to read it."""
        if isinstance(answered, Tally):
            for port in answered.ports:
                probe = Probe(answered.address, answered.transport, port, answered.source_address)
                self._open.pop(probe, None)
            return
        asked = self._open.pop(answered.probe, None) or [(None, _plain(answered.probe.port))]
        if answered.reply is not None:
            self._answered.append((answered, asked))

    def read(self) -> Iterator[Observation]:
        """The observations that have a reply, with what it says in place of its bytes."""
        for observation, asked in self._answered:
            reply = observation.reply
            assert reply is not None, "only what has a reply was kept"
            if (echo := self._echo(observation.probe, reply)) is not None:
                yield replace(observation, reason=Reason.ECHO_TOKEN, reply=None, echo=echo)
                continue
            readings = [read(name, each, reply) for name, each in asked]
            said = next((reading for reading in readings if reading.protocol is not None), readings[0])
            yield replace(observation, reply=None, answer=said.text, speaks=said.protocol)
        self._answered.clear()

    def _echo(self, probe: Probe, reply: Reply) -> Echo | None:
        sent = self._tokens.get(probe)
        return None if sent is None or self._stand_ins is None else read_echo(self._stand_ins.key, sent, reply.data)


def _source_towards(address: str) -> str | None:
    """The address of ours that the target will see; None when it is not known."""
    try:
        return source_towards(address)
    except OSError:
        return None  # No descriptor left to ask the kernel with. The engine waits for one; a request does without.


def _merged(questions: list[Question]) -> Question:
    """One question in several protocols: the first request of each, then the second of each, and so on."""
    rounds = zip_longest(*(each.payloads for each in questions))
    return replace(
        questions[0],
        payloads=tuple(payload for each in rounds for payload in each if payload is not None),
        private=any(each.private for each in questions),
        source_port=next((each.source_port for each in questions if each.source_port is not None), None),
    )
