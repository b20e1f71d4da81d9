"""From documents, hosts and a vantage to the list of checks. Pure: no clock, no socket, no file.

Every row of a document that concerns a target becomes a check, or a line that says why it is not one. Rows
that ask for the same port of the same address are merged, and the strictest expectation wins.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from portcheck import protocols
from portcheck.elsewhere import flows_that_start_elsewhere
from portcheck.engine.probe import Probe, Reason, Transport
from portcheck.model import (
    LAST_PORT,
    LOOPBACK,
    Address,
    Answers,
    Check,
    Expect,
    Family,
    Gap,
    Host,
    Level,
    Listen,
    NamedPorts,
    NotPlanned,
    Own,
    Phase,
    Plan,
    Ports,
    Provenance,
    Scope,
    SweepKind,
    SweptPorts,
    Unmeasured,
    Vantage,
    role_key,
    role_label,
    role_labels,
)
from portcheck.own_checks import own_checks
from portcheck.role_ports import sampled_ranges
from portcheck.rows import Row, all_rows, inactive_rows, including, strictest
from portcheck.wording import listed

_STRICTNESS = tuple(Expect)
_LOOPBACK = {family: Address(ip, family) for family, ip in LOOPBACK.items()}
_MANY = 64
"""Swept ports of an address that nothing tells apart are from this number on one SweptPorts: a check of each would
cost a gigabyte for a million ports. Fewer are checked singly, so that each keeps its own evidence."""

_SWEPT = (Transport.TCP, Transport.UDP)

_SWEPT_ON_OURSELVES = frozenset({SweepKind.ALL, SweepKind.PORTS, SweepKind.COMMON})
"""Said in so many words. What a document wants closed to others may well be open to its own machine."""

_ROLES_NAMED_SINGLY = 8
"""More roles of a document without a host are one line: a site has a few of the sixty that Windows can play."""

Key = tuple[Transport, int | None]
"""What a check is about on one address; the port is None for a protocol without ports."""


@dataclass(slots=True)
class _Want:
    """What is asked of one port of one host, by how many rows."""

    expect: Expect
    rows: list[Row] = field(default_factory=list)
    """The rows that ask for it as strictly as `expect` says."""
    others: list[Row] = field(default_factory=list)
    """Rows that ask for less, or for the same from elsewhere."""
    known_as: tuple[str, ...] = ()
    """What the documents have on an unexpected port, for whatever host."""
    by_hand: list[str] = field(default_factory=list)
    """Service names given on the command line; a nameless port adds an empty one."""
    range: Ports | None = None
    """What the port was drawn from, when it stands for a range of which some ports are used."""


@dataclass(frozen=True, slots=True)
class _Alike:
    """Swept ports of one host that nothing tells apart."""

    transport: Transport
    want: _Want
    ports: tuple[range, ...]


def plan(scope: Scope) -> Plan:
    """Every check from the scope's vantage, and everything that is not among them."""
    known = all_rows(scope)
    rows = tuple(row for row in known if row.active)
    swept, peers = _swept_pieces(scope, known), _peers(scope)
    planned = [each for host in scope.hosts for each in _checks_of(scope, rows, swept, peers, host)]
    return Plan(
        scope,
        checks=tuple(each for each in planned if isinstance(each, Check)),
        not_planned=tuple(_not_planned(scope, rows)),
        sweeps=tuple(each for each in planned if isinstance(each, SweptPorts)),
    )


def _is_itself(scope: Scope, host: Host) -> bool:
    return host.is_self or host.name == scope.vantage.host


def _checks_of(
    scope: Scope, rows: Sequence[Row], swept: Swept, peers: frozenset[str], host: Host
) -> Iterator[Check | SweptPorts]:
    if host.name == scope.vantage.host:
        yield from own_checks(scope, host)
    if scope.own is Own.ONLY:
        return
    if not _is_itself(scope, host):
        # What a user asks of her hosts is not asked of the DNS server that they use, unless she named it.
        extra = scope.extra if not host.external or host.name in scope.chosen else ()
        wants = _wants(scope, _asked(scope, rows, host), extra)
        looks = not host.external and peers.isdisjoint(host.roles)
        sweeps = _add_sweep(scope, wants, swept, rows, host) if looks else []
        for address in host.endpoints:
            yield from _checks(scope, host, address, wants, sweeps)
        return
    inside = _asked_inside(scope, rows, host)
    loopback = _loopback(host)
    own: tuple[Address, ...] = ()
    if not scope.whole_site:
        asked = [(row, expect) for row, expect in _asked(scope, rows, host) if not row.local_only]
        own = host.addresses
        for address in own:
            wants = _wants(scope, [*asked, *inside] if address.ip == loopback.ip else asked, scope.extra)
            looks = not host.external and scope.sweep.kind in _SWEPT_ON_OURSELVES
            sweeps = _add_sweep(scope, wants, swept, rows, host) if looks else []
            yield from _checks(scope, host, address, wants, sweeps)
    if loopback.ip not in {address.ip for address in own}:
        yield from _checks(scope, host, loopback, _wants(scope, inside, ()))


def _peers(scope: Scope) -> frozenset[str]:
    """Role keys whose hosts have, as we do, a role whose hosts may use every port between each other."""
    roles, ours = including(scope.documents), scope.vantage.roles or frozenset()
    having = (
        roles[role_key(document, role.name)]
        for document in scope.documents
        for role in document.roles.values()
        if role.all_ports_between
    )
    return frozenset(role for keys in having if not keys.isdisjoint(ours) for role in keys)


def _loopback(host: Host) -> Address:
    families = {address.family for address in host.addresses}
    return _LOOPBACK[Family.IPV4 if Family.IPV4 in families or not families else Family.IPV6]


# --------------------------------------------------------------------------------- what is asked of a host

Asked = tuple[Row, Expect]
"""A row and what it expects at one address."""


def _asked(scope: Scope, rows: Iterable[Row], host: Host) -> list[Asked]:
    """What the network should show of a host from the vantage."""
    return [(row, _expect(row)) for row in rows if row.concerns(host) and row.starts_at(scope.vantage)]


def _asked_inside(scope: Scope, rows: Iterable[Row], host: Host) -> list[Asked]:
    """A service for localhost alone is seen from inside its host, on the loopback address.

    Before the install all that there is to know of it is whether its port is free, and of that our kernel tells more.
    """
    if scope.own is not Own.NOTHING and scope.phase is Phase.PREINSTALL:
        return []
    return [
        (row, Expect.REACHABLE if row.in_use else Expect.ALLOWED)
        for row in rows
        if row.concerns(host) and row.local_only
    ]


def _wants(scope: Scope, asked: Iterable[Asked], extra: Iterable[NamedPorts]) -> dict[Key, _Want]:
    wants: dict[Key, _Want] = {}
    rows = list(asked)
    for row, expect in rows:
        _add_row(wants, scope, row, expect)
    for named in extra:
        for key in _keys(named.ports, scope):
            want = _join(wants, key, Expect.REACHABLE)
            want.by_hand.append(named.service or "")
    if _ranges_are_paths(scope):
        _add_samples(wants, scope, (row for row, expect in rows if expect is Expect.REACHABLE))
    return wants


def _ranges_are_paths(scope: Scope) -> bool:
    """Only a stand-in listens where nobody has to: without one nothing in a range can be expected to answer."""
    return scope.stand_ins and scope.phase is Phase.PREINSTALL


def _add_samples(wants: dict[Key, _Want], scope: Scope, rows: Iterable[Row]) -> None:
    """A few ports of each range; one that is asked for by itself is that, and no sample."""
    single = frozenset(wants)
    coming = (row for row in rows if not row.expectation.present_before_install)
    for row, ports, samples in sampled_ranges(scope, coming):
        for port in samples:
            if (key := (ports.transport, port)) not in single:
                want = wants.setdefault(key, _Want(Expect.REACHABLE, range=ports))
                want.rows.append(row)


def _expect(row: Row) -> Expect:
    if row.local_only:
        return Expect.LOCAL_ONLY
    return Expect.REACHABLE if row.in_use else Expect.ALLOWED


def _add_row(wants: dict[Key, _Want], scope: Scope, row: Row, expect: Expect) -> None:
    if row.expectation.listen is Listen.SOME:
        return
    for ports in row.expectation.ports:
        for key in _keys(ports, scope):
            want = _join(wants, key, expect)
            (want.rows if want.expect is expect else want.others).append(row)


def _join(wants: dict[Key, _Want], key: Key, expect: Expect) -> _Want:
    """The want for this port, made stricter when `expect` is stricter."""
    want = wants.setdefault(key, _Want(expect))
    if _STRICTNESS.index(expect) < _STRICTNESS.index(want.expect):
        want.others.extend(want.rows)
        want.rows = []
        want.expect = expect
    return want


def _keys(ports: Ports, scope: Scope) -> Iterator[Key]:
    if scope.asks_for(ports.transport):
        yield from ports.each()


# -------------------------------------------------------------------------------------------------- sweep


@dataclass(frozen=True, slots=True)
class _Piece:
    """Swept ports that no row, host, waiver or option tells apart, and what the documents have on each of them."""

    transport: Transport
    ports: range
    known_as: tuple[str, ...]


Swept = Sequence[_Piece]
"""The ports to look at on every target beyond the required ones, by transport and ascending."""


def _swept_pieces(scope: Scope, known: Sequence[Row]) -> Swept:
    single = [row for row in known if row.expectation.listen is Listen.SINGLE]
    present = scope.roles_present
    some = (row for row in known if row.expectation.listen is Listen.SOME and row.active)
    # Where all hosts are known, a range of a role that none of them has says nothing of a port.
    ranges = [row for row in some if not scope.whole_site or not row.listeners.isdisjoint(present)]
    pieces: list[_Piece] = []
    for transport in _SWEPT:
        borders = _borders(scope, known, transport)
        for piece in (piece for run in _chosen_ports(scope, single, transport) for piece in _cut(run, borders)):
            naming = (row for row in (*single, *ranges) if row.names(transport, piece.start))
            pieces.append(_Piece(transport, piece, tuple(dict.fromkeys(map(_described, naming)))))
    return pieces


def _chosen_ports(scope: Scope, single: Iterable[Row], transport: Transport) -> list[range]:
    """Without ranges of which some ports are used: tens of thousands on every host, none of which says anything.

    UDP ports only where they were given by number: a closed one takes a second of the host's ICMP errors.
    """
    if not scope.asks_for(transport):
        return []
    documented = [ports for row in single for ports in row.expectation.ports if transport is Transport.TCP]
    chosen: Mapping[SweepKind, Iterable[Ports]] = {
        SweepKind.NONE: (),
        SweepKind.ALL: (Ports(Transport.TCP, 1, LAST_PORT),),
        SweepKind.PORTS: scope.sweep.ports,
        SweepKind.COMMON: (*scope.sweep.ports, *documented),
        SweepKind.DOCUMENTED: documented,
    }
    return _merged(ports.numbers() for ports in chosen[scope.sweep.kind] if ports.transport is transport)


def _borders(scope: Scope, known: Iterable[Row], transport: Transport) -> list[int]:
    """Every port number at which something may begin to be different, ascending."""
    named = {ports for row in known for ports in row.expectation.ports}
    named |= {named_ports.ports for named_ports in scope.extra} | {waiver.ports for waiver in scope.waivers}
    named |= {ports for host in scope.hosts for ports in host.offers}
    runs = [ports.numbers() for ports in named if ports.transport is transport]
    return sorted({border for run in runs for border in (run.start, run.stop)})


def _cut(run: range, borders: Sequence[int]) -> Iterator[range]:
    inner = borders[bisect_right(borders, run.start) : bisect_left(borders, run.stop)]
    return (range(first, end) for first, end in pairwise((run.start, *inner, run.stop)))


def _merged(runs: Iterable[range]) -> list[range]:
    """The same numbers as runs that neither touch nor overlap, ascending."""
    merged: list[range] = []
    for run in sorted(runs, key=lambda run: run.start):
        if merged and run.start <= merged[-1].stop:
            merged[-1] = range(merged[-1].start, max(merged[-1].stop, run.stop))
        else:
            merged.append(run)
    return merged


def _described(row: Row) -> str:
    """`Marathon on master`."""
    unused = "" if row.active else " (not in use here)"
    return f"{row.expectation.service} on {role_labels(sorted(row.to))}{unused}"


def _add_sweep(scope: Scope, wants: dict[Key, _Want], swept: Swept, rows: Sequence[Row], host: Host) -> list[_Alike]:
    """Add the swept ports of a host to its wants, but for those that are many and alike: these are returned."""
    concerned = [row for row in rows if row.concerns(host)]
    single = _naming(row for row in concerned if row.expectation.listen is Listen.SINGLE)
    ranges = [row for row in concerned if row.expectation.listen is Listen.SOME and not row.local_only]
    alike: dict[object, tuple[Transport, _Want, list[range]]] = {}
    for piece in swept:
        key = piece.transport, piece.ports.start
        if key in wants or any(_names(ports, key) for ports in host.offers):
            continue
        # An explicit port wins over a range that contains it: it is for others, not for us.
        naming = single.get(key, [])
        if any(row.local_only for row in naming):
            continue  # We are this host: it may use the port, and is asked on the loopback address.
        if not naming:
            naming = [row for row in ranges if row.names(*key)]
            if any(row.starts_at(scope.vantage) for row in naming):
                continue
        waived = tuple(w for w in scope.waivers if w.to == host.name and _names(w.ports, key))
        want = _Want(Expect.NOT_OPEN, others=naming, known_as=piece.known_as)
        nothing_apart = piece.transport, tuple(map(id, naming)), piece.known_as, waived
        alike.setdefault(nothing_apart, (piece.transport, want, []))[2].append(piece.ports)
    groups = [_Alike(transport, want, tuple(_merged(runs))) for transport, want, runs in alike.values()]
    for group in groups:
        if not _is_large(group):
            wants.update(((group.transport, number), group.want) for run in group.ports for number in run)
    return [group for group in groups if _is_large(group)]


def _is_large(group: _Alike) -> bool:
    return sum(map(len, group.ports)) >= _MANY


def _names(ports: Ports, key: tuple[Transport, int]) -> bool:
    return ports.transport is key[0] and key[1] in ports


def _naming(rows: Iterable[Row]) -> dict[Key, list[Row]]:
    """A port to the rows that name it."""
    naming: dict[Key, list[Row]] = {}
    for row in rows:
        for ports in row.expectation.ports:
            for key in ports.each():
                naming.setdefault(key, []).append(row)
    return naming


# ------------------------------------------------------------------------------------------------- checks


def _checks(
    scope: Scope, host: Host, address: Address | None, wants: dict[Key, _Want], sweeps: Iterable[_Alike] = ()
) -> Iterator[Check | SweptPorts]:
    keys = sorted(wants, key=lambda key: (_STRICTNESS.index(wants[key].expect), key[0], key[1] or 0))
    if address is None:
        # That the name has no address is said for what is asked of the host, not for each port of a sweep;
        # but a host that is only swept must not vanish.
        asked = [key for key in keys if wants[key].expect is not Expect.NOT_OPEN]
        keys, sweeps = (asked, ()) if asked else (keys, sweeps)
    silent = _is_silent(scope, host)
    for key in keys:
        yield _check(scope, host, address, key, wants[key], silent)
    for group in sweeps:
        first = _check(scope, host, address, (group.transport, group.ports[0].start), group.want, silent)
        yield SweptPorts(first, group.ports)


def _check(scope: Scope, host: Host, address: Address | None, key: Key, want: _Want, silent: bool) -> Check:
    transport, port = key
    probe, unmeasured = _probe(scope.vantage, host, address, key)
    # What may be there on a swept port is not known, and of many of them nothing may differ but the number.
    asked = want.expect is not Expect.NOT_OPEN
    rows = want.rows if asked else []
    listed = want.rows + want.others
    services = [row.expectation.service for row in listed] + [name for name in want.by_hand if name]
    return Check(
        id=_check_id(scope.vantage, host, address, key),
        source=scope.vantage.name,
        source_role=role_labels(sorted(scope.vantage.roles or ())) or None,
        host=host.name,
        address=address.ip if address else None,
        family=address.family if address else None,
        role=role_labels(host.roles),
        transport=transport,
        port=port,
        expect=want.expect,
        level=Level.REQUIRED if want.by_hand else strictest(row.expectation.level for row in rows),
        services=tuple(dict.fromkeys(services)),
        units=tuple(dict.fromkeys((row.document.units, row.expectation.unit) for row in rows if row.expectation.unit)),
        documents=tuple(dict.fromkeys(row.document.id for row in listed)),
        provenance=_provenance(listed),
        notes=tuple(dict.fromkeys(row.expectation.note for row in rows if row.expectation.note)),
        answers=_answers(rows, bool(want.by_hand), key, scope.secrets) if asked else Answers.NORMALLY,
        speaks=_speaks(rows, key) if asked else (),
        present=host.external or _is_present(rows or listed),
        doubt=None if want.by_hand else _doubt(rows),
        silent_when_closed=silent or any(row.document.silent_when_closed for row in listed),
        from_network=host.from_network,
        named_for=_named_for(want),
        needed_by_others=want.expect is Expect.NOT_OPEN and any(_needs_the_port(row) for row in want.others),
        known_as=want.known_as,
        probe=probe,
        unmeasured=unmeasured,
        range=want.range,
    )


def _needs_the_port(row: Row) -> bool:
    """Whether this very port has to be the service's."""
    return row.in_use and row.expectation.listen is Listen.SINGLE


def _is_present(rows: Sequence[Row]) -> bool:
    """Whether the port may be taken before the install: unless one of those that need it has yet to come."""
    needing = [row for row in rows if _needs_the_port(row)] or rows
    return bool(needing) and all(row.expectation.present_before_install for row in needing)


def _is_silent(scope: Scope, host: Host) -> bool:
    """Whether it drops what nothing listens for, as a machine of the product does for every port, whoever asks for it.

    One that the product needs from others may be such a machine: that is said by each row that leads to it.
    """
    products = (f"{document.id}:" for document in scope.documents if document.silent_when_closed)
    return host.silent_when_closed or any(role.startswith(id) for id in products for role in host.roles)


def _probe(vantage: Vantage, host: Host, address: Address | None, key: Key) -> tuple[Probe | None, Unmeasured | None]:
    transport, port = key
    if address is None:
        return None, Unmeasured(Reason.NAME_UNRESOLVED, host.unresolved or "")
    loopback = address in _LOOPBACK.values()
    source = None if loopback else vantage.sources.get(address.family)
    return Probe(address.ip, transport, port or 0, source), None


def _check_id(vantage: Vantage, host: Host, address: Address | None, key: Key) -> str:
    transport, port = key
    if address is None:
        where = "unresolved"
    else:
        siblings = [other for other in host.addresses if other.family is address.family]
        # Only where the family alone does not say which address is meant; a literal host name is its address.
        ambiguous = len(siblings) > 1 or address.ip not in {other.ip for other in siblings}
        where = f"{address.family}#{address.ip}" if ambiguous else f"{address.family}"
    what = f"{transport}/{port}" if port is not None else f"{transport}"
    return f"{vantage.name}>{host.name}/{where}/{what}"


def _speaks(rows: Iterable[Row], key: Key) -> tuple[str, ...]:
    """The protocols that should be spoken there: what the rows say, or what is usual at the port."""
    said = [row.expectation.speaks or protocols.usual(*key) for row in rows] or [protocols.usual(*key)]
    return tuple(dict.fromkeys(name for name in said if name is not None))


def _answers(rows: list[Row], by_hand: bool, key: Key, secrets: frozenset[str]) -> Answers:
    """What asks for most wins: a service that answers everybody, then one that wants a secret that we do not have."""
    kinds = {_row_answers(row, key, secrets) for row in rows}
    if by_hand or not kinds:
        kinds.add(_usually_answers(protocols.usual(*key), key, secrets))
    strictest = (Answers.NORMALLY, Answers.WITH_SECRET, Answers.NEVER)
    return min(kinds, key=strictest.index)


def _row_answers(row: Row, key: Key, secrets: frozenset[str]) -> Answers:
    """What the document says, and where it says nothing what the protocol is known for."""
    said, speaks = row.expectation.answers, row.expectation.speaks or protocols.usual(*key)
    if said is Answers.WITH_SECRET and protocols.has_secret(speaks, secrets):
        return Answers.NORMALLY
    return _usually_answers(speaks, key, secrets) if said is Answers.NORMALLY else said


def _usually_answers(speaks: str | None, key: Key, secrets: frozenset[str]) -> Answers:
    return protocols.answers(speaks, secrets) if key[0] is Transport.UDP else Answers.NORMALLY


def _doubt(rows: list[Row]) -> str | None:
    """A doubt counts only when no other row asks for the same without one."""
    doubts = [row.expectation.doubt for row in rows]
    if not doubts or None in doubts:
        return None
    return " ".join(dict.fromkeys(doubt for doubt in doubts if doubt))


def _named_for(want: _Want) -> tuple[str, ...]:
    if want.expect is not Expect.NOT_OPEN:
        return ()
    return tuple(dict.fromkeys(role_label(key) for row in want.others for key in sorted(row.sources)))


def _provenance(rows: list[Row]) -> tuple[Provenance, ...]:
    return tuple(dict.fromkeys(place for row in rows for place in row.expectation.provenance))


# -------------------------------------------------------------------------------------------- not planned


def _not_planned(scope: Scope, rows: tuple[Row, ...]) -> Iterator[NotPlanned]:
    if scope.own is Own.ONLY:
        yield from inactive_rows(scope)
        yield from scope.left_out
        return
    yield from flows_that_start_elsewhere(scope, rows)
    if scope.whole_site:
        yield from _roles_without_host(scope, rows)
        yield from _itself(scope, rows)
        yield from _own_ports_left_out(scope)
    yield from _ranges(scope, rows)
    yield from inactive_rows(scope)
    yield from scope.left_out


def _roles_without_host(scope: Scope, rows: tuple[Row, ...]) -> Iterator[NotPlanned]:
    present, having = scope.roles_present, including(scope.documents)
    flows: dict[str, dict[str, set[object]]] = {}
    for row in rows:
        # A range of which some ports are used is one flow, as elsewhere.
        whole = row.expectation.listen is Listen.SOME
        for role in (role for role in row.to if present.isdisjoint(having[role])):
            for ports in row.expectation.ports:
                keys: Iterable[object] = _keys(ports, scope)
                if whole:
                    keys = (ports,) if scope.asks_for(ports.transport) else ()
                flows.setdefault(row.document.title, {}).setdefault(role, set()).update(keys)
    several = len(scope.documents) > 1
    for title, by_role in flows.items():
        numbers = {role_label(role): len(keys) for role, keys in sorted(by_role.items()) if keys}
        if len(numbers) > _ROLES_NAMED_SINGLY:
            text = f"no host for {len(numbers)} roles of {title}: {listed(list(numbers), _ROLES_NAMED_SINGLY)}"
            yield NotPlanned(Gap.NO_HOST_FOR_ROLE, sum(numbers.values()), text)
        else:
            yield from (
                NotPlanned(Gap.NO_HOST_FOR_ROLE, number, f"no host for role {role}{f' of {title}' if several else ''}")
                for role, number in numbers.items()
            )


def _itself(scope: Scope, rows: tuple[Row, ...]) -> Iterator[NotPlanned]:
    """A host of a site is not probed from itself: the packets would never leave it."""
    for host in scope.hosts:
        if _is_itself(scope, host):
            asked = [(row, expect) for row, expect in _asked(scope, rows, host) if expect is Expect.REACHABLE]
            flows = len(_wants(scope, asked, scope.extra)) * len(host.endpoints)
            if flows:
                line = f"{host.name} is this machine, and a host is not probed from itself: check it from another"
                if host.name == scope.vantage.host and any(own_checks(scope, host)):
                    line = f"{host.name}, whose own ports were looked at: the paths to it are for another host to check"
                yield NotPlanned(Gap.ITSELF, flows, line)


def _own_ports_left_out(scope: Scope) -> Iterator[NotPlanned]:
    """Whoever says that she plays a role has not said that she is the host whose address this machine has."""
    for host in scope.hosts:
        left = sum(1 for _ in own_checks(scope, host)) if host.is_self and host.name != scope.vantage.host else 0
        if left:
            line = f"the own ports of {host.name} were not looked at: say that this machine is it (--from {host.name})"
            yield NotPlanned(Gap.ITSELF, left, line)


def _ranges(scope: Scope, rows: tuple[Row, ...]) -> Iterator[NotPlanned]:
    """Ranges of which some ports are used: nothing has to listen, so there is nothing to check.

    Each is there once, and as a flow when it begins here.
    """
    services: dict[Ports, dict[str, None]] = {}
    from_here: set[Ports] = set()
    for row in rows:
        if row.expectation.listen is Listen.SOME and any(row.concerns(host) for host in scope.hosts):
            asked = [ports for ports in row.expectation.ports if scope.asks_for(ports.transport)]
            if _ranges_are_paths(scope) and row.starts_at(scope.vantage) and not row.local_only and row.in_use:
                continue  # Checked, by samples.
            for ports in asked:
                services.setdefault(ports, {})[row.expectation.service] = None
            if row.starts_at(scope.vantage) and not row.local_only:
                from_here.update(asked)
    ranges: dict[tuple[str, ...], list[Ports]] = {}
    for ports, named in services.items():
        ranges.setdefault(tuple(named), []).append(ports)
    for names, of_them in ranges.items():
        flows = sum(ports in from_here for ports in of_them)
        yield NotPlanned(Gap.RANGE_OF_SOME, flows, f"{', '.join(names)}: {', '.join(map(str, of_them))}")
