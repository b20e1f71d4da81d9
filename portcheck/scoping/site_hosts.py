"""The hosts of a site: their names resolved, the targets among them, and which of them this machine is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from portcheck.model import (
    Address,
    Document,
    Host,
    NotPlanned,
    PortcheckError,
    Selection,
    Site,
    SiteHost,
    Vantage,
    role_label,
)
from portcheck.printable import quoted
from portcheck.rows import including
from portcheck.scoping.addresses import addresses_of, distinct
from portcheck.scoping.names import UnknownNameError, chosen_role_keys, claimed_vantage, offered_ports, role_keys
from portcheck.vantage import local
from portcheck.wording import listed


def hosts_of_site(
    site: Site,
    documents: tuple[Document, ...],
    selection: Selection,
    left_out: list[NotPlanned],
    *,
    anywhere: bool = False,
    option: str = "--from",
) -> tuple[tuple[Host, ...], Vantage]:
    """All hosts of the site with their addresses, and where in it we stand, or with `anywhere` would stand.

    Args:
        option: says where we stand.

    Raises:
        PortcheckError: a vantage that is not this machine.
    """
    names = [text for host in site.hosts for text in host.addresses if local.canonical(text) is None]
    found = local.look_up(names)
    hosts = tuple(_site_host(host, documents, found, left_out) for host in site.hosts)
    vantage = _site_vantage(site, hosts, documents, selection, anywhere, option)
    if vantage.host is None:
        hosts = tuple(replace(host, is_self=local.is_this_machine(host.addresses)) for host in hosts)
    return hosts, vantage


def _site_host(
    host: SiteHost,
    documents: tuple[Document, ...],
    found: Mapping[str, local.Lookup],
    left_out: list[NotPlanned],
) -> Host:
    addresses: list[Address] = []
    unresolved: list[str] = []
    for text in host.addresses:
        result = addresses_of(host.name, text, found, left_out)
        if (literal := local.canonical(text)) is not None and local.is_broadcast(literal):
            result = "the broadcast address of a network, no address of one host"
        if isinstance(result, str):
            unresolved.append(f"{text}: {result}")
        else:
            addresses.extend(result)
    return Host(
        name=host.name,
        addresses=distinct(addresses),
        roles=tuple(key for role in host.roles for key in role_keys(documents, role)),
        offers=(*host.offers, *(ports for name in host.offers_named for ports in offered_ports(name))),
        external=host.external,
        silent_when_closed=host.silent_when_closed,
        unresolved="; ".join(unresolved) or None,
    )


def chosen_hosts(
    site: Site, hosts: tuple[Host, ...], documents: tuple[Document, ...], selection: Selection
) -> tuple[Host, ...]:
    """The hosts that TARGET and -r leave."""
    wanted: set[str] = set()
    for target in selection.targets:
        matching = [h.name for h in hosts if target == h.name or local.canonical(target) in {a.ip for a in h.addresses}]
        if not matching:
            what = f"TARGET {quoted(target)} is not a host of {site.path}"
            raise UnknownNameError(what, "hosts", target, [host.name for host in hosts])
        wanted.update(matching)
    named = chosen_role_keys(documents, selection)
    having = including(documents)
    roles = {key for name in named for key in having[name]}
    if named and not any(roles & set(host.roles) for host in hosts):
        labels = ", ".join(role_label(key) for key in named)
        raise PortcheckError(f"--role: no host of {site.path} has the role {labels}")
    chosen = tuple(
        host
        for host in hosts
        if (not selection.targets or host.name in wanted) and (not roles or roles & set(host.roles))
    )
    if wanted and named and not chosen:
        labels = ", ".join(role_label(key) for key in named)
        raise PortcheckError(f"--role: {listed(sorted(wanted))} has not the role {labels}; leave out one of the two")
    return chosen


def _site_vantage(
    site: Site,
    hosts: tuple[Host, ...],
    documents: tuple[Document, ...],
    selection: Selection,
    anywhere: bool,
    option: str,
) -> Vantage:
    machine, source = local.machine_name(), selection.source
    if source is None:
        return _vantage_by_address(site, hosts, machine, option, role_will_do=not selection.local)
    for host in hosts:
        if host.name == source:
            sources = local.own_sources(host.addresses)
            if not sources and anywhere:
                theirs = {address.family: address.ip for address in reversed(host.addresses)}
                return Vantage(host.name, frozenset(host.roles), host.name, theirs)
            if not sources:
                addresses = ", ".join(address.ip for address in host.addresses) or host.unresolved
                raise PortcheckError(
                    f"--from {source}: this machine ({machine}) has none of its addresses ({addresses}). "
                    f"Run portcheck on {source}, or say which role this machine plays: --from ROLE"
                )
            return Vantage(host.name, frozenset(host.roles), host.name, sources, machine)
    return claimed_vantage(documents, source, machine, [host.name for host in hosts])


def _vantage_by_address(
    site: Site, hosts: tuple[Host, ...], machine: str, option: str, *, role_will_do: bool
) -> Vantage:
    ours = [host for host in hosts if not host.external and local.is_this_machine(host.addresses)]
    if len(ours) == 1:
        host = ours[0]
        return Vantage(host.name, frozenset(host.roles), host.name, local.own_sources(host.addresses), machine)
    if ours:
        names = ", ".join(host.name for host in ours)
        raise PortcheckError(
            f"This machine ({machine}) is several hosts of {site.path} ({names}): say which with {option}."
        )
    roles = sorted({role_label(role) for host in hosts if not host.external for role in host.roles})
    names = listed([host.name for host in hosts if not host.external])
    role = f"role this machine plays: --from {' or --from '.join(roles) if roles else 'ROLE'}"
    raise PortcheckError(
        f"This machine ({machine}) has no address of {site.path}. Run portcheck on one of its hosts ({names}), "
        f"or say which {role if role_will_do else f'of them it is: {option} HOST'}"
    )
