"""The rows of documents about one port, in full: `portcheck explain --all`. One paragraph of lines for each row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from portcheck.engine.probe import Transport
from portcheck.knowledge.said import REMARK_WORDS, About, Naming, Need
from portcheck.model import Answers, KnownPorts, Level, Ports, Provenance, Spread
from portcheck.wording import listed

_ROLES_SHOWN = 6

_ANSWERS: Mapping[Answers, str] = {
    Answers.NORMALLY: "",
    Answers.NEVER: "need not answer a probe",
    Answers.WITH_SECRET: "answers only who knows a secret",
}

_NOT_SAID = "(TCP or UDP, not said which)"


def need_in_full(need: Need, about: About) -> str:
    """A row of a product's document."""
    expectation, document = need.expectation, need.document
    lines = [
        f"{numbers_of(need.at(about.transports, about.port))} {expectation.service}, {document.product} "
        f"({document.id})",
        _flow(need),
        conditions_of(need),
        "exists before the product is installed" if expectation.present_before_install else "",
        f"Note: {expectation.note}" if expectation.note else "",
        f"Doubt: {expectation.doubt}" if expectation.doubt else "",
        *map(place_text, expectation.provenance),
    ]
    return "\n".join(line for line in lines if line)


def names_in_full(about: About) -> Iterator[str]:
    """The rows of port lists, and who needs the same ports."""
    for naming in about.namings:
        service = naming.service
        lines = [
            f"{numbers_of(known_at(naming, about))} {service.service}: {naming.reference.title} "
            f"({naming.reference.id})",
            ", ".join(REMARK_WORDS[remark] for remark in service.remarks),
            f"for -e and offers: {listed(service.names)}" if service.names else "",
            f"Note: {service.note}" if service.note else "",
            f"Doubt: {service.doubt}" if service.doubt else "",
            place_text(service.provenance),
        ]
        yield "\n".join(line for line in lines if line)
    yield from uses_of(about)


def uses_of(about: About) -> Iterator[str]:
    """One line for each service that needs a named one as well."""
    yield from dict.fromkeys(f"{use.naming.service.service} needs {use.of.service} as well" for use in about.uses)


def known_at(naming: Naming, about: About) -> tuple[KnownPorts, ...]:
    """The entries of the row that are about the port in question."""
    return naming.at(about.transports, about.port) if about.port is not None else ()


def conditions_of(need: Need) -> str:
    """How much the document insists, and whether a probe is answered. Nothing in a range of some is required."""
    return "; ".join(filter(None, (_level(need), _ANSWERS[need.expectation.answers])))


def _level(need: Need) -> str:
    expectation = need.expectation
    if expectation.level is Level.CONDITIONAL and expectation.when is not None:
        title = need.document.features.get(expectation.when, expectation.when)
        return f"only with {title} (--feature {expectation.when})"
    return "" if need.some_of_a_range else str(expectation.level)


def _flow(need: Need) -> str:
    to = f"{roles_text(need.expectation.to)}{_so_also(need.listeners_too)}"
    if need.local_only:
        return f"on {to}, for the host itself only"
    return f"from {roles_text(need.expectation.sources)}{_so_also(need.starters_too)} to {to}"


def roles_text(names: Iterable[str]) -> str:
    """Roles, the first few by name."""
    return listed(tuple(names), _ROLES_SHOWN)


def _so_also(roles: tuple[str, ...]) -> str:
    return f" (and so {roles_text(roles)})" if roles else ""


def place_text(place: Provenance) -> str:
    """Where in its source a row stands."""
    return f'"{place.section}", row {place.row}'


# ------------------------------------------------------------------------------------------------------ ports


def port_text(transports: tuple[Transport, ...], port: int | str | None) -> str:
    """`445/tcp`, `445/tcp+udp`, `445` where no transport is said, `gre`."""
    carriers = "+".join(transports)
    return carriers if port is None else f"{port}/{carriers}" if carriers else f"{port}"


def numbers_of(ports: Iterable[Ports | KnownPorts], not_said: str = f" {_NOT_SAID}") -> str:
    """`80/tcp+udp`, `5800+/tcp, 5900/udp`, `22 (TCP or UDP, not said which)`, `gre`."""
    transports: dict[tuple[int | None, int | None, bool], list[Transport | None]] = {}
    for item in ports:
        onward = isinstance(item, KnownPorts) and item.spread is Spread.ONWARD
        transports.setdefault((item.first, item.last, onward), []).append(item.transport)
    parts = []
    for (first, last, onward), carriers in transports.items():
        said = tuple(carrier for carrier in carriers if carrier is not None)
        numbers = f"{first}+" if onward else f"{first}-{last}" if first != last else first
        parts.append(port_text(said, numbers) if said else f"{numbers}{not_said}")
    return ", ".join(parts)
