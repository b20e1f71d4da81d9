"""What all documents together say about ports: a phrase for a report, everything for `portcheck explain`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from portcheck.engine.probe import Transport
from portcheck.knowledge.common import common_tcp_ports
from portcheck.knowledge.disagreements import also_called, disagreements
from portcheck.knowledge.phrases import phrase
from portcheck.knowledge.port_index import PortIndex, PortSet
from portcheck.knowledge.said import About, InRange, Naming, Need, Survey, Use
from portcheck.knowledge.survey import survey
from portcheck.model import Document, KnownPorts, KnownService, Library, Spread, role_key
from portcheck.rows import Including, including, with_including

__all__ = ["Knowledge", "common_tcp_ports"]

_WITH_PORTS = (Transport.TCP, Transport.UDP)


class Knowledge:
    """A library, ready to be asked about any port, thousands of times in a run."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._needs: PortIndex[Need] = PortIndex()
        self._some_of: PortIndex[Need] = PortIndex()
        self._namings: PortIndex[Naming] = PortIndex()
        self._dynamic: PortIndex[Naming] = PortIndex()
        self._users: dict[tuple[str, Transport, str], list[KnownService]] = {}
        """List, transport and service to the rows that need its ports as well."""
        roles = including(library.documents)
        for need in (need for document in library.documents for need in _needs_of(document, roles)):
            index = self._some_of if need.some_of_a_range else self._needs
            index.add(need, ((ports.transport, ports.first, ports.last) for ports in need.expectation.ports))
        for naming in (Naming(reference, row) for reference in library.references for row in reference.services):
            self._namings.add(naming, _port_sets(naming.service.ports, dynamic=False))
            self._dynamic.add(naming, _port_sets(naming.service.ports, dynamic=True))
            for transport, used in naming.service.uses:
                self._users.setdefault((naming.reference.id, transport, used), []).append(naming.service)

    def known_for(self, transport: Transport, port: int) -> str | None:
        """What is known to use this very port, as one phrase; ranges out of which any port is taken name nothing."""
        return phrase(self._namings_at((transport,), port), self._needs.at((transport,), port))

    def about(self, transports: tuple[Transport, ...], port: int | None) -> About:
        """Everything that is known of a port, or of a protocol without ports."""
        asked = self._said_of(transports, port)
        return replace(
            asked,
            also_called=also_called(asked),
            disagreements=disagreements(asked, self._said_of(_WITH_PORTS, port)),
        )

    def survey(self, transports: tuple[Transport, ...], first: int, last: int) -> Survey:
        """What has a name from `first` to `last`, and which ranges meet these ports."""
        rows = (*self._namings, *self._needs, *self._some_of)
        return survey(transports, first, last, rows, tuple(self._parts(first, last)))

    def _said_of(self, transports: tuple[Transport, ...], port: int | None) -> About:
        namings = self._namings_at(transports, port)
        return About(
            port=port,
            transports=transports,
            needs=self._needs.at(transports, port),
            some_of=self._some_of.at(transports, port),
            namings=namings,
            dynamic=self._dynamic.at(transports, port),
            uses=tuple(self._uses(namings, transports, port)) if port is not None else (),
            ranges=tuple(self._parts(port, port)) if port is not None else (),
        )

    def _namings_at(self, transports: tuple[Transport, ...], port: int | None) -> tuple[Naming, ...]:
        """The nearest first: a row for this port says more of it than a range of a thousand ports does."""
        found = self._namings.at(transports, port)
        if port is None:
            return found
        return tuple(
            sorted(found, key=lambda naming: min(_distance(item, port) for item in naming.at(transports, port)))
        )

    def _uses(self, namings: Iterable[Naming], transports: tuple[Transport, ...], port: int) -> Iterator[Use]:
        """The rows of the same lists that need these services' ports as well."""
        for naming in namings:
            carriers = {carrier for item in naming.at(transports, port) for carrier in _carriers(item)}
            keys = ((naming.reference.id, transport, naming.service.service) for transport in _WITH_PORTS)
            users = (user for key in keys if key[1] in carriers for user in self._users.get(key, ()))
            yield from (Use(Naming(naming.reference, user), naming.service) for user in dict.fromkeys(users))

    def _parts(self, first: int, last: int) -> Iterator[InRange]:
        for reference in self._library.references:
            yield from (InRange(reference, p) for p in reference.ranges if p.first <= last and first <= p.last)


def _needs_of(document: Document, roles: Including) -> Iterator[Need]:
    for expectation in document.expectations:
        starters, listeners = (
            _including_roles(document, named, roles) for named in (expectation.sources, expectation.to)
        )
        yield Need(document, expectation, starters, listeners)


def _including_roles(document: Document, names: Iterable[str], roles: Including) -> tuple[str, ...]:
    """Roles that have one of these along with their own; those of other documents are named in full."""
    named = {role_key(document, name) for name in names}
    more = with_including(named, roles) - named
    return tuple(sorted(key.removeprefix(f"{document.id}:") for key in more))


def _distance(item: KnownPorts, port: int) -> tuple[bool, int]:
    """Small where the entry is about this very port; "5900+" says least of all ports but its first."""
    if item.spread is Spread.ONWARD:
        return item.first != port, 0
    return False, item.last - item.first


def _port_sets(ports: Iterable[KnownPorts], dynamic: bool) -> Iterator[PortSet]:
    for item in ports:
        if (item.spread is Spread.DYNAMIC) is dynamic:
            yield from ((transport, item.first, item.last) for transport in _carriers(item))


def _carriers(item: KnownPorts) -> tuple[Transport, ...]:
    return _WITH_PORTS if item.transport is None else (item.transport,)
