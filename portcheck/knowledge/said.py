"""What the documents say of a port, as values: needs of products, names out of port lists, where they disagree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from portcheck.engine.probe import Transport, Word
from portcheck.model import (
    LOCALHOST,
    Document,
    Expectation,
    KnownPorts,
    KnownService,
    Listen,
    PortRange,
    Ports,
    ReferenceDocument,
    Remark,
    Spread,
)

REMARK_WORDS: Mapping[Remark, str] = {
    Remark.TROJANS: "also used by Trojans",
    Remark.REMOTE_CONTROL: "remote control",
    Remark.PEER_TO_PEER: "peer-to-peer",
    Remark.SECURITY_RISK: "a security risk, says the list",
    Remark.OBSOLETE: "obsolete",
    Remark.NOT_REGISTERED: "not registered for it",
}
"""What a person reads for each remark, behind the name of the service."""


@dataclass(frozen=True, slots=True)
class Need:
    """A row of a product's document.

    Attributes:
        starters_too, listeners_too: roles that include one of the row's `sources`, or one of its `to`, and so start
            or answer this flow as well.
    """

    document: Document
    expectation: Expectation
    starters_too: tuple[str, ...] = ()
    listeners_too: tuple[str, ...] = ()

    @property
    def local_only(self) -> bool:
        """For processes of the host itself and nobody else."""
        return set(self.expectation.sources) == {LOCALHOST}

    @property
    def some_of_a_range(self) -> bool:
        """Out of its ports some are used: no single one of them is needed."""
        return self.expectation.listen is Listen.SOME

    def at(self, transports: tuple[Transport, ...], port: int | None) -> tuple[Ports, ...]:
        """Those of its port sets that have the port; all without ports when `port` is None."""
        return tuple(
            item
            for item in self.expectation.ports
            if item.transport in transports and (port in item if port is not None else item.first is None)
        )


@dataclass(frozen=True, slots=True)
class Naming:
    """A row of a port list."""

    reference: ReferenceDocument
    service: KnownService

    def at(self, transports: tuple[Transport, ...], port: int, dynamic: bool = False) -> tuple[KnownPorts, ...]:
        """Those of its entries that have the port: the fixed ones, or the ranges out of which it takes any."""
        return tuple(
            item
            for item in self.service.ports
            if port in item and carried(item, transports) and (item.spread is Spread.DYNAMIC) is dynamic
        )


@dataclass(frozen=True, slots=True)
class Use:
    """A service of a port list that needs the ports of another one of the same list."""

    naming: Naming
    of: KnownService


@dataclass(frozen=True, slots=True)
class InRange:
    """A part of all port numbers that a list gives a title to."""

    reference: ReferenceDocument
    part: PortRange


class Kind(Word):
    """In which way the documents contradict each other, or one of them contradicts itself."""

    DIFFERENT_NAMES = "different-names"
    LOCAL_AND_REACHABLE = "local-and-reachable"
    OTHER_TRANSPORT = "other-transport"
    WARNED_OF = "warned-of"
    DOUBTFUL = "doubtful"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One contradiction, as a sentence."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class About:
    """Everything that all documents say of one port, or of one protocol without ports.

    Attributes:
        port: None for a protocol without ports.
        needs: product rows that want this very port.
        some_of: product rows with a range around it of which some ports are used.
        namings: rows of port lists that give it a name, those that are about the port alone first.
        also_called: what products have there under a name that is none of these, as `Marathon, Mesos (DC/OS)`;
            another name for the same, or another service: names cannot tell.
        dynamic: rows of port lists that take any port of a range around it.
        uses: rows of port lists that need one of `namings`.
    """

    port: int | None
    transports: tuple[Transport, ...]
    needs: tuple[Need, ...] = ()
    some_of: tuple[Need, ...] = ()
    namings: tuple[Naming, ...] = ()
    also_called: tuple[str, ...] = ()
    dynamic: tuple[Naming, ...] = ()
    uses: tuple[Use, ...] = ()
    ranges: tuple[InRange, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()

    @property
    def is_named(self) -> bool:
        """Whether anything names the port itself, and not merely a range around it."""
        return bool(self.needs or self.namings)


class Taken(Word):
    """Which ports of a range are taken."""

    ALL = "all"
    SOME = "some"
    ONWARD = "onward"


@dataclass(frozen=True, slots=True)
class NamedNumber:
    """A port of a survey; `transports` are those that a document states, empty where none does."""

    number: int
    transports: tuple[Transport, ...]
    phrase: str


@dataclass(frozen=True, slots=True)
class Span:
    """A range that meets a survey; `transport` None: the list does not say which."""

    transport: Transport | None
    first: int
    last: int
    taken: Taken
    phrase: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of a range of ports: those that have a name, ascending, and the ranges that meet it.

    Attributes:
        dynamic: rows of port lists that take any port of a range that meets it.
    """

    first: int
    last: int
    transports: tuple[Transport, ...]
    named: tuple[NamedNumber, ...]
    spans: tuple[Span, ...]
    dynamic: tuple[Naming, ...]
    ranges: tuple[InRange, ...]


def carried(item: KnownPorts, transports: tuple[Transport, ...]) -> bool:
    """Whether the entry is about one of these transports, or may be."""
    return any(item.carries(transport) for transport in transports)
