"""Ports by the name of a service, as a user writes it: `smtp`, `domain/udp`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from portcheck.engine.probe import Transport
from portcheck.model import KnownService, PortcheckError, Ports, ReferenceDocument, Spread
from portcheck.ports import WITH_PORTS, WITHOUT_PORTS
from portcheck.printable import printable, quoted
from portcheck.wording import listed

SYSTEM = "this system"
"""Where a name is from that the services database of the operating system has, /etc/services on most."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9 ._+-]{0,252}")
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class ServiceName:
    """A name, and the transports that the user wants of it; without any, those that it stands for."""

    name: str
    transports: tuple[Transport, ...] = ()

    def among(self, ports: tuple[Ports, ...]) -> tuple[Ports, ...]:
        """Those of the ports that have a transport which is wanted."""
        return tuple(each for each in ports if not self.transports or each.transport in self.transports)

    def __str__(self) -> str:
        return f"{self.name}/{'+'.join(self.transports)}" if self.transports else self.name


@dataclass(frozen=True, slots=True)
class Candidate:
    """Ports that a name may stand for, and everybody who says so."""

    ports: tuple[Ports, ...]
    sources: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(map(str, self.ports))} ({', '.join(printable(source, 60) for source in self.sources)})"


def parse_service(text: str) -> ServiceName | None:
    """The service that the text names; None when it is no name: a port, a protocol, or something broken."""
    name, slash, transport = text.partition("/")
    if not _NAME.fullmatch(name) or name in WITH_PORTS or name in WITHOUT_PORTS:
        return None
    if slash and transport not in WITH_PORTS:
        return None
    return ServiceName(name, WITH_PORTS[transport] if slash else ())


def candidates(
    references: Iterable[ReferenceDocument], asked: ServiceName, system: tuple[Ports, ...] = ()
) -> tuple[Candidate, ...]:
    """Every answer of the port lists to the name, and this system's, each once.

    Args:
        system: what the services database has for the name under every transport.
    """
    name = asked.name.lower()
    sources: dict[tuple[Ports, ...], dict[str, None]] = {}
    for reference in references:
        for service in reference.services:
            if name in service.names and (ports := tuple(sorted(_ports(service, asked.transports)))):
                sources.setdefault(ports, {})[reference.title] = None
    if wanted := asked.among(system):
        sources.setdefault(wanted, {})[SYSTEM] = None
    return tuple(Candidate(ports, tuple(of)) for ports, of in sources.items())


def settled(
    references: Iterable[ReferenceDocument], asked: ServiceName, system: tuple[Ports, ...]
) -> tuple[Ports, ...]:
    """The ports that the name stands for; empty when nobody has it.

    The lists say what it means in practice. The system registers most names under both transports, which is no
    contradiction; another number is.

    Raises:
        PortcheckError: it stands for several things; the message has each with its source.
    """
    answers = candidates(references, asked)
    wanted = asked.among(system)
    if not answers:
        _refuse_two_transports(asked, wanted)
        return wanted
    numbers = {number for answer in answers for ports in answer.ports for number in ports.numbers()}
    elsewhere = tuple(ports for ports in wanted if ports.first not in numbers)
    if elsewhere:
        answers = (*answers, Candidate(elsewhere, (SYSTEM,)))
    if len(answers) > 1:
        ports = " or ".join(dict.fromkeys(",".join(map(str, answer.ports)) for answer in answers))
        raise PortcheckError(
            f"{quoted(str(asked))} is ambiguous: {listed([str(answer) for answer in answers], _SHOWN)}; "
            f"write the port that you mean: {printable(ports, 100)}"
        )
    return answers[0].ports


def _refuse_two_transports(asked: ServiceName, system: tuple[Ports, ...]) -> None:
    if len(system) > 1 and not asked.transports:
        forms = " or ".join(f"{asked.name}/{ports.transport}" for ports in system)
        raise PortcheckError(
            f"{quoted(asked.name)} is ambiguous: on this system it is {' and '.join(map(str, system))}; write {forms}"
        )


def names(references: Iterable[ReferenceDocument]) -> Iterator[str]:
    """Every name that the port lists know."""
    for reference in references:
        for service in reference.services:
            yield from service.names


def _ports(service: KnownService, transports: tuple[Transport, ...]) -> Iterator[Ports]:
    """What its names stand for; under a transport that they do not stand for, what the row states there."""
    if not transports:
        yield from service.by_name
    for transport in transports:
        named = [ports for ports in service.by_name if ports.transport is transport]
        yield from named or _of_row(service, transport)


def _of_row(service: KnownService, transport: Transport) -> Iterator[Ports]:
    for item in service.ports:
        if item.spread is Spread.EXACT and item.transport is transport:
            yield Ports(transport, item.first, item.last)
