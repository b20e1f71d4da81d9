"""Where the documents contradict each other about a port: one finder for each kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from portcheck.engine.probe import Transport
from portcheck.knowledge.said import REMARK_WORDS, About, Disagreement, Kind, Naming, Need
from portcheck.model import Remark
from portcheck.wording import listed

_WARNINGS = (Remark.TROJANS, Remark.SECURITY_RISK, Remark.OBSOLETE, Remark.NOT_REGISTERED)
"""Remarks that do not go with a product that needs the port."""

_SMALL_WORDS = frozenset({"a", "an", "and", "by", "for", "in", "of", "on", "or", "over", "the", "to", "with"})
_FILLERS = _SMALL_WORDS | {"client", "common", "default", "port", "ports", "protocol", "server", "service", "services"}
"""Words that two names may share without being about the same service."""

_INITIALS = 3
"""Fewer letters are no name: "Doom Server" is not DS."""
_MAX_ROWS = 100
"""Rows at one port that are compared, each with each."""

Row = Need | Naming


def disagreements(about: About, both: About) -> tuple[Disagreement, ...]:
    """Every contradiction about the port.

    Args:
        about: what was asked for.
        both: the same port under TCP and UDP: a service may be there under the other one.
    """
    return tuple(Disagreement(kind, text) for kind, find in _FINDERS.items() for text in find(about, both))


def also_called(about: About) -> tuple[str, ...]:
    """Services of products that no list's name seems to be about, by product; none where no list has a name."""
    rows = _rows(about)
    families = _families(rows)
    listed_too = {family for row, family in zip(rows, families, strict=True) if isinstance(row, Naming)}
    names: dict[str, dict[str, None]] = {}
    for row, family in zip(rows, families, strict=True):
        if listed_too and family not in listed_too:
            names.setdefault(_source(row), {})[_name(row)] = None
    return tuple(f"{listed(list(of_source))} ({source})" for source, of_source in names.items())


def _different_names(about: About, both: About) -> Iterator[str]:
    """Lists that have short names for the port, and none in common. Other names may mean the same service."""
    rows = [naming for naming in about.namings if naming.service.names][:_MAX_ROWS]
    families: dict[str, set[int]] = {}
    names: dict[str, dict[str, None]] = {}
    for row, family in zip(rows, _families(rows), strict=True):
        families.setdefault(_source(row), set()).add(family)
        names.setdefault(_source(row), {})[_name(row)] = None
    if any(mine.isdisjoint(theirs) for mine, theirs in combinations(families.values(), 2)):
        each = [f"{listed(list(of_source))} ({source})" for source, of_source in names.items()]
        yield f"Different names: {'; '.join(each)}. They may be different services."


def _local_and_reachable(about: About, both: About) -> Iterator[str]:
    local = [need for need in about.needs if need.local_only]
    reachable = [need for need in about.needs if not need.local_only]
    if local and reachable:
        yield f"For the host itself only: {_needs(local)}. To be reached by others: {_needs(reachable)}."


def _other_transport(about: About, both: About) -> Iterator[str]:
    rows = _rows(both)
    families: dict[int, list[Row]] = {}
    for row, family in zip(rows, _families(rows), strict=True):
        families.setdefault(family, []).append(row)
    for members in families.values():
        said = {source: _transports(members, source, about.port) for source in dict.fromkeys(map(_source, members))}
        lists = {_source(row) for row in members if isinstance(row, Naming)}
        pairs = combinations([(source, carriers) for source, carriers in said.items() if carriers], 2)
        if any(_contradict(mine, theirs, lists) for mine, theirs in pairs):
            each = [f"{_upper(carriers)} in {source}" for source, carriers in said.items() if carriers]
            yield f"Not the same transport: {_name(members[0])} is on {', on '.join(each)}."


_Carried = tuple[str, frozenset[Transport]]
"""Who says it, and the transports."""


def _contradict(mine: _Carried, theirs: _Carried, lists: set[str]) -> bool:
    """A list says under what a number is registered, a product what it uses: less of it is no contradiction."""
    if mine[1].isdisjoint(theirs[1]):
        return True
    if (mine[0] in lists) is (theirs[0] in lists):
        return False
    registered, used = (mine, theirs) if mine[0] in lists else (theirs, mine)
    return not used[1] <= registered[1]


def _warned_of(about: About, both: About) -> Iterator[str]:
    needed = _needs(about.needs)
    for naming in about.namings[:_MAX_ROWS] if about.needs else ():
        words = [REMARK_WORDS[remark] for remark in naming.service.remarks if remark in _WARNINGS]
        if words:
            yield f"{_said_by(naming)}: {', '.join(words)}. Needed all the same: {needed}."


def _doubtful(about: About, both: About) -> Iterator[str]:
    for row in dict.fromkeys(_said_by(row) for row in _rows(about) if _doubt(row)):
        yield f"Doubtful: {row}; see the doubt above."


_FINDERS: Mapping[Kind, Callable[[About, About], Iterator[str]]] = {
    Kind.DIFFERENT_NAMES: _different_names,
    Kind.LOCAL_AND_REACHABLE: _local_and_reachable,
    Kind.OTHER_TRANSPORT: _other_transport,
    Kind.WARNED_OF: _warned_of,
    Kind.DOUBTFUL: _doubtful,
}


# ------------------------------------------------------------------------------------------ the same service?


def _families(rows: Sequence[Row]) -> list[int]:
    """For each row a number; rows with the same number are about one service, as far as names can tell."""
    families = list(range(len(rows)))
    handles = [_handles(row) for row in rows]
    for one, other in combinations(range(len(rows)), 2):
        if families[one] != families[other] and handles[one] & handles[other]:
            old = families[other]
            families = [families[one] if each == old else each for each in families]
    return families


def _handles(row: Row) -> set[str]:
    """Words by which others may call the service: those of its name, its initials, its short names."""
    words = re.findall("[a-z0-9]+", _name(row).lower())
    initials = "".join(word[0] for word in words if word not in _SMALL_WORDS)
    handles = {word for word in words if word not in _FILLERS}
    if len(initials) >= _INITIALS:
        handles.add(initials)
    if isinstance(row, Naming):
        handles.update(row.service.names)
    # LDAPs is LDAP, and HTTPS is HTTP, on a port that they share.
    return handles | {word.removesuffix("s") for word in handles if len(word) > _INITIALS}


# ------------------------------------------------------------------------------------------------------- rows


def _rows(about: About) -> tuple[Row, ...]:
    rows: tuple[Row, ...] = (*about.namings, *about.needs)
    return rows[:_MAX_ROWS]


def _name(row: Row) -> str:
    return row.expectation.service if isinstance(row, Need) else row.service.service


def _source(row: Row) -> str:
    return row.document.product if isinstance(row, Need) else row.reference.title


def _doubt(row: Row) -> str | None:
    return row.expectation.doubt if isinstance(row, Need) else row.service.doubt


def _said_by(row: Row) -> str:
    return f"{_name(row)} ({_source(row)})"


def _needs(needs: Iterable[Need]) -> str:
    return listed(list(dict.fromkeys(_said_by(need) for need in needs)))


def _transports(rows: Iterable[Row], source: str, port: int | None) -> frozenset[Transport]:
    """Those that this source states for the port; none where it leaves them open."""
    with_ports = (Transport.TCP, Transport.UDP)
    return frozenset(
        item.transport
        for row in rows
        if _source(row) == source and port is not None
        for item in row.at(with_ports, port)
        if item.transport is not None
    )


def _upper(transports: Iterable[Transport]) -> str:
    return " and ".join(sorted(transport.upper() for transport in transports))
