"""A site file: which machine plays which role, what else they need, what is accepted. Read into a Site."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import date

from portcheck.addresses import literal, parse_address
from portcheck.documents import is_path
from portcheck.documents.fields import NAME
from portcheck.model import (
    BUILTIN_SOURCES,
    Finding,
    Mention,
    NameOf,
    PortcheckError,
    Ports,
    Site,
    SiteHost,
    Waiver,
    Without,
)
from portcheck.ports import PORTS_PATTERN, WITHOUT_PORTS, parse_ports
from portcheck.printable import printable, quoted
from portcheck.records import (
    Choice,
    Entry,
    Field,
    Flag,
    Item,
    ListOf,
    MapOf,
    Record,
    Syntax,
    Text,
    read_record,
)
from portcheck.wording import did_you_mean
from portcheck.yaml_input import Problems

# ----------------------------------------------------------------------------------------------- syntaxes

_HOST = "[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?"
_ROLE = "([a-z0-9][a-z0-9.-]{0,63}:)?[a-z][a-z0-9-]{0,63}"
_NAMED_OFFER = "[A-Za-z][A-Za-z0-9 ._+-]*(/(tcp|udp|tcp\\+udp))?"


def _parse_host_name(text: str) -> str:
    if text in BUILTIN_SOURCES:
        raise PortcheckError(f"{text} is a word of portcheck's own and no host; choose another name")
    if not re.fullmatch(_HOST, text):
        raise PortcheckError(
            f"{quoted(text)} is not a host name; write letters, digits, . _ and - (m1, node-1.example)"
        )
    return text


def _parse_role(text: str) -> str:
    if not re.fullmatch(_ROLE, text):
        raise PortcheckError(
            f"{quoted(text)} is not a role; write its name (master) or document:name (dcos-1.11:master)"
        )
    return text


def _parse_source(text: str) -> str:
    if not (text in BUILTIN_SOURCES or re.fullmatch(_HOST, text) or re.fullmatch(_ROLE, text)):
        raise PortcheckError(f"{quoted(text)} is not a source; write a host, a role, any, localhost or internet")
    return text


def _parse_offer(written: str) -> tuple[Ports, ...] | str:
    text = written.strip(" ")
    if text[:1].isdigit() or text in WITHOUT_PORTS:
        return parse_ports(text)
    if not re.fullmatch(_NAMED_OFFER, text):
        raise PortcheckError(f"{quoted(text)} is neither ports nor a service name; write one like 22/tcp or ssh")
    return text


def _parse_waived(text: str) -> tuple[Ports, ...]:
    ports = parse_ports(text)
    if len(ports) > 1:
        raise PortcheckError(f"{quoted(text)} is more than one port or range; write a waiver for each")
    return ports


def _parse_date(text: str) -> date:
    if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise PortcheckError(f"{quoted(text)} is not in the calendar; write a day that exists") from None
    raise PortcheckError(f"{quoted(text)} is not a date; write year-month-day, such as 2027-01-31")


HOST_NAME = Syntax("a host name", _parse_host_name, {"pattern": f"^{_HOST}$"})
ROLE_NAME = Syntax("a role", _parse_role, {"pattern": f"^{_ROLE}$"})
SOURCE = Syntax("a source", _parse_source, {"pattern": f"^({_HOST}|{_ROLE})$"})
ADDRESS = Syntax("an address", parse_address, {"pattern": "^[0-9A-Za-z_.:%-]+$"})
OFFER = Syntax(
    "ports such as 22/tcp, or a service name",
    _parse_offer,
    {"anyOf": [{"pattern": PORTS_PATTERN}, {"pattern": f"^ *{_NAMED_OFFER}$"}]},
)
WAIVED_PORTS = Syntax("a port such as 8080/tcp", _parse_waived, {"pattern": PORTS_PATTERN})
DATE = Syntax("a date such as 2027-01-31", _parse_date, {"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"})


# ------------------------------------------------------------------------------------- what may stand where

HOST = Record(
    "host",
    (
        Field(
            "address",
            ListOf(ADDRESS, at_least=1, lone=True),
            "an IP address or a DNS name, or a list of them",
            required=True,
        ),
        Field("roles", ListOf(ROLE_NAME), "the roles it plays; document:role where two documents share a name"),
        Field("offers", ListOf(OFFER), "what may be open besides, as ports (22/tcp) or service names (ssh)"),
        Field("silent_when_closed", Flag(), "true: it drops packets to ports without a listener (default: false)"),
    ),
)

WITHOUT = Record(
    "without",
    (
        Field("document", Text(), "the document's id; without it, the service of every document"),
        Field("service", Text(), "the service as the document names it", required=True),
        Field("to", ROLE_NAME, "the role at whose hosts it is not used (default: every role that the document names)"),
        Field("reason", Text(), "why the site does not use it", required=True),
    ),
)

WAIVER = Record(
    "waiver",
    (
        Field("to", HOST_NAME, "the host where the finding is accepted", required=True),
        Field("from", SOURCE, "the host or role it is seen from; also any, localhost, internet", required=True),
        Field("port", WAIVED_PORTS, "one port or range with its transport: 8080/tcp", required=True),
        Field(
            "finding",
            Choice(tuple(str(finding) for finding in Finding if finding is not Finding.OK)),
            "the finding that is accepted; without it, whichever there is",
        ),
        Field("reason", Text(), "why it is accepted", required=True),
        Field("until", DATE, "the last day on which it is accepted: 2027-01-31", required=True),
    ),
)

SITE = Record(
    "site",
    (
        Field("documents", ListOf(Text()), "ids of shipped documents, or paths of your own, relative to this file"),
        Field(
            "features",
            MapOf(NAME, Flag()),
            "true: in use. false: not in use, its open ports are unexpected. Not named: allowed, not required",
        ),
        Field("hosts", MapOf(HOST_NAME, HOST, at_least=1), "the machines of the cluster, by name", required=True),
        Field("external", MapOf(HOST_NAME, HOST), "what the cluster needs from others (DNS, NTP, LDAP …), by name"),
        Field("without", ListOf(WITHOUT), "services that this site does not use"),
        Field("waivers", ListOf(WAIVER), "findings that are accepted for a time"),
    ),
)


# ------------------------------------------------------------------------------------------------- reading


def load_site(path: str) -> Site:
    """The site file at `path`. Names are not resolved, documents not read, roles not looked up.

    Raises:
        InputError: the file cannot be used; the message has every problem of it.
    """
    problems = Problems(path)
    entry = read_record(path, SITE, problems)
    _check_names(entry, problems)
    _check_addresses(entry, problems)
    _check_waivers(entry, problems)
    problems.raise_if_any()
    return Site(
        path=path,
        documents=tuple(_as_seen_from_here(text, path) for text in entry.values("documents", str)),
        features={name: flag.value for name, flag in entry.mapping("features", bool).items()},
        hosts=tuple(_host(name, item.value, external) for name, item, external in _hosts(entry)),
        without=tuple(_without(each) for each in entry.values("without", Entry)),
        waivers=tuple(_waiver(each) for each in entry.values("waivers", Entry)),
        mentions=tuple(sorted(_mentions(entry, path), key=lambda mention: mention.line)),
    )


def _mentions(entry: Entry, path: str) -> Iterator[Mention]:
    """Every name of the file that something outside of it must know."""
    for item in entry.items("documents", str):
        yield Mention(NameOf.DOCUMENT, _as_seen_from_here(item.value, path), item.line, item.where)
    for name, flag in entry.mapping("features", bool).items():
        yield Mention(NameOf.FEATURE, name, flag.line, flag.where)
    for _, host, _ in _hosts(entry):
        yield from (_mention(NameOf.ROLE, item) for item in host.value.items("roles", str))
        yield from (_mention(NameOf.OFFER, item) for item in host.value.items("offers", str))
    for each in entry.values("without", Entry):
        without = _without(each)
        for key, of in _NAMES_OF_WITHOUT.items():
            if named := each.item(key, str):
                yield _mention(of, named, without)
    for each in entry.values("waivers", Entry):
        if source := each.item("from", str):
            yield _mention(NameOf.WAIVED_FROM, source)


_NAMES_OF_WITHOUT = {
    "document": NameOf.UNUSED_DOCUMENT,
    "service": NameOf.UNUSED_SERVICE,
    "to": NameOf.UNUSED_AT,
}


def _mention(of: NameOf, item: Item[str], without: Without | None = None) -> Mention:
    return Mention(of, item.value, item.line, item.where, without)


def _hosts(entry: Entry) -> list[tuple[str, Item[Entry], bool]]:
    """Name, entry and whether external, in the order of the file."""
    named = [
        (name, item, key == "external")
        for key in ("hosts", "external")
        for name, item in entry.mapping(key, Entry).items()
    ]
    return sorted(named, key=lambda host: host[1].line)


def _check_names(entry: Entry, problems: Problems) -> None:
    hosts = entry.names("hosts")
    for name, line in entry.names("external").items():
        if name in hosts:
            text = f"the same name as in line {hosts[name]}; rename one"
            problems.add(line, f"external.{printable(name, 40)}", text)


def _check_addresses(entry: Entry, problems: Problems) -> None:
    owners: dict[object, tuple[str, int]] = {}
    for name, item, _ in _hosts(entry):
        for address in item.value.items("address", str):
            key: object = literal(address.value) or address.value.lower().removesuffix(".")
            owner, line = owners.setdefault(key, (name, address.line))
            if owner != name:
                text = f"{printable(address.value, 60)} is the address of {owner} in line {line}; one host has it"
                problems.add(address.line, address.where, text)


def _check_waivers(entry: Entry, problems: Problems) -> None:
    names = {**entry.names("hosts"), **entry.names("external")}
    for item in entry.items("waivers", Entry):
        to = item.value.get("to", str)
        if names and to is not None and to not in names:
            guess = did_you_mean(to, names) or "; name a host of this file"
            problems.add(
                item.value.line_of("to"), item.value.path_of("to"), f"there is no host {printable(to, 60)}{guess}"
            )


def _as_seen_from_here(document: str, site_path: str) -> str:
    """A path in a site file is relative to that file: cron runs with another working directory."""
    return os.path.join(os.path.dirname(site_path), document) if is_path(document) else document


def _host(name: str, entry: Entry, external: bool) -> SiteHost:
    return SiteHost(
        name=name,
        addresses=entry.values("address", str),
        roles=entry.values("roles", str),
        external=external,
        offers=tuple(part for each in entry.values("offers", tuple) for part in each if isinstance(part, Ports)),
        offers_named=entry.values("offers", str),
        silent_when_closed=entry.get("silent_when_closed", bool) or False,
    )


def _without(entry: Entry) -> Without:
    return Without(
        entry.get("document", str), entry.need("service", str), entry.need("reason", str), entry.get("to", str)
    )


def _waiver(entry: Entry) -> Waiver:
    finding = entry.get("finding", str)
    return Waiver(
        to=entry.need("to", str),
        source=entry.need("from", str),
        ports=entry.values_of("port", Ports)[0],
        finding=None if finding is None else Finding(finding),
        reason=entry.need("reason", str),
        until=entry.need("until", date),
    )
