"""A port list (`kind: reference`) from its file: what the services are called, and what a name stands for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from itertools import pairwise

from portcheck.documents.places import not_checkable, place, place_key, refuse_same_rows
from portcheck.documents.port_cells import CellPorts
from portcheck.engine.probe import Transport
from portcheck.model import KnownPorts, KnownService, PortRange, Ports, ReferenceDocument, Remark, Spread
from portcheck.printable import printable
from portcheck.records import Entry
from portcheck.wording import did_you_mean
from portcheck.yaml_input import Problem, Problems

_CELLS: Mapping[str, Transport | None] = {"tcp": Transport.TCP, "udp": Transport.UDP, "either": None}
_USES: Mapping[str, Transport] = {"tcp_of": Transport.TCP, "udp_of": Transport.UDP}


def read(entry: Entry, problems: Problems) -> tuple[ReferenceDocument, Iterable[Problem]]:
    """The list, and what is odd in it without being wrong.

    Raises:
        InputError: with every problem of the file.
    """
    _check_services(entry, problems)
    problems.raise_if_any()
    reference = _reference(entry)
    return reference, _oddities(reference, entry)


# ---------------------------------------------------------------------------------------------- agreement


def _check_services(entry: Entry, problems: Problems) -> None:
    services = entry.items("services", Entry)
    carried = _carried(item.value for item in services)
    for item in services:
        _check_ports(item.value, problems)
        _check_uses(item.value, carried, problems)
        _check_by_name(item.value, problems)
    refuse_same_rows(services, _fact, problems)


def _carried(services: Iterable[Entry]) -> dict[str, set[Transport]]:
    """By name, the transports for which a service has ports, or may have, or needs those of others."""
    carried: dict[str, set[Transport]] = {}
    for service in services:
        if (name := service.get("service", str)) is not None:
            transports = carried.setdefault(name, set())
            transports.update(
                transport for key, transport in (*_CELLS.items(), *_USES.items()) if key in service.found and transport
            )
            if "either" in service.found:
                transports.update((Transport.TCP, Transport.UDP))
    return carried


def _check_ports(service: Entry, problems: Problems) -> None:
    if not service.found.keys() & {*_CELLS, *_USES}:
        text = f"no ports; add {', '.join(_CELLS)}, tcp_of or udp_of, or move a row without any number to not_checkable"
        problems.add(service.line, service.where, text)
    for key in ("tcp", "udp"):
        # Each cell by itself has no port twice, so what two cells share is at two neighbours.
        items = sorted(
            (item.first, item.last)
            for cell in (key, "either")
            for item in service.values_of(cell, CellPorts)
            if item.spread is Spread.EXACT
        )
        for before, after in pairwise(items):
            if after[0] <= before[1]:
                text = f"port {after[0]} is under {key} as well; take it out of one of them"
                problems.add(service.line_of("either"), service.path_of("either"), text)


def _check_uses(service: Entry, carried: Mapping[str, Set[Transport]], problems: Problems) -> None:
    for key, transport in _USES.items():
        for used in service.items(key, str):
            name = printable(used.value, 60)
            if used.value not in carried:
                guess = did_you_mean(used.value, carried) or "; write it as under service"
                problems.add(used.line, used.where, f"no service of this list is called {name}{guess}")
            elif used.value == service.get("service", str):
                problems.add(used.line, used.where, f"{name} is this service itself; remove it")
            elif transport not in carried[used.value]:
                text = f"{name} has no {transport.upper()} ports in this list; correct the name or the key"
                problems.add(used.line, used.where, text)


def _check_by_name(service: Entry, problems: Problems) -> None:
    if "by_name" in service.found and "names" not in service.found:
        text = "stands for no name; add names, or remove it"
        problems.add(service.line_of("by_name"), service.path_of("by_name"), text)
    if any(service.is_unreadable(key) for key in ("names", "by_name", *_CELLS)):
        return
    if "names" in service.found and not _by_name(service):
        text = f"what they stand for is not clear: {_why_not_by_name(service)}; add by_name, for example 22/tcp"
        problems.add(service.line_of("names"), service.path_of("names"), text)
    if service.found.keys().isdisjoint(_USES):
        for ports in service.values_of("by_name", Ports):
            if not _has(service, ports, tuple(_CELLS)):
                text = f"{ports} is none of its ports; correct it, or add the port where the list has it"
                problems.add(service.line_of("by_name"), service.path_of("by_name"), text)


def _why_not_by_name(service: Entry) -> str:
    items = [item for key in _CELLS for item in service.values_of(key, CellPorts)]
    if not items:
        return "it has no port of its own"
    if len(items) == 1 and items[0].first == items[0].last:
        return f"the list does not say which transport {items[0]} has"
    return "it has more than one port"


def _has(service: Entry, ports: Ports, keys: Iterable[str]) -> bool:
    if ports.first is None or ports.last is None:
        return False
    items = [item for key in keys for item in service.values_of(key, CellPorts)]
    return any(item.first <= ports.first and ports.last <= item.last for item in items)


def _fact(service: Entry) -> object:
    """What makes two rows the same; None for a row that could not be read."""
    name, where = service.get("service", str), service.get("provenance", Entry)
    if name is None or where is None:
        return None
    return (name, *(service.values_of(key, CellPorts) for key in _CELLS), place_key(where))


# ------------------------------------------------------------------------------------------- what is odd


def _oddities(reference: ReferenceDocument, entry: Entry) -> Iterator[Problem]:
    for service, written in zip(reference.services, entry.values("services", Entry), strict=True):
        if Remark.NOT_REGISTERED in service.remarks and not service.note:
            text = "not-registered: the reader will ask whose number it is; add a note that says so"
            yield Problem(written.line_of("remarks"), written.path_of("remarks"), text)
        if "by_name" not in written.found or service.note or service.doubt or service.uses:
            continue
        for ports in service.by_name:
            if not _has(written, ports, (str(ports.transport), "either")):
                text = f"the list has {ports.first}, but not for {ports.transport}; correct it, or say why in a note"
                yield Problem(written.line_of("by_name"), written.path_of("by_name"), text)


# ----------------------------------------------------------------------------------------------- building


def _reference(entry: Entry) -> ReferenceDocument:
    document_id = entry.need("id", str)
    return ReferenceDocument(
        id=document_id,
        title=entry.need("title", str),
        vendor=entry.need("vendor", str),
        version=entry.need("version", str),
        url=entry.get("url", str),
        services=tuple(_service(each, document_id) for each in entry.values("services", Entry)),
        ranges=tuple(_range(each, document_id) for each in entry.values("ranges", Entry)),
        not_checkable=not_checkable(entry, document_id),
        notices=entry.values("notices", str),
    )


def _service(entry: Entry, document_id: str) -> KnownService:
    return KnownService(
        service=entry.need("service", str),
        ports=_known_ports(entry),
        provenance=place(entry.need("provenance", Entry), document_id),
        uses=tuple((transport, name) for key, transport in _USES.items() for name in entry.values(key, str)),
        names=entry.values("names", str),
        by_name=_by_name(entry) if "names" in entry.found else (),
        remarks=tuple(map(Remark, entry.values("remarks", str))),
        note=entry.get("note", str),
        doubt=entry.get("doubt", str),
    )


def _known_ports(service: Entry) -> tuple[KnownPorts, ...]:
    return tuple(
        KnownPorts(transport, item.first, item.last, item.spread)
        for key, transport in _CELLS.items()
        for item in service.values_of(key, CellPorts)
    )


def _by_name(service: Entry) -> tuple[Ports, ...]:
    """What the names stand for: as written, or the only port if that is one of a stated transport."""
    if written := service.values_of("by_name", Ports):
        return written
    match _known_ports(service):
        case (KnownPorts(transport=Transport() as transport, first=first, last=last, spread=Spread.EXACT),) if (
            first == last
        ):
            return (Ports(transport, first, last),)
    return ()


def _range(entry: Entry, document_id: str) -> PortRange:
    ports = entry.need("ports", CellPorts)
    return PortRange(
        title=entry.need("title", str),
        first=ports.first,
        last=ports.last,
        provenance=place(entry.need("provenance", Entry), document_id),
        note=entry.get("note", str),
    )
