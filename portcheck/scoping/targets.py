"""TARGETs of the command line: addresses, names, networks, name=address."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, replace

from portcheck.addresses import is_machine_name, parse_address
from portcheck.model import (
    Address,
    Document,
    Gap,
    Host,
    NotPlanned,
    PortcheckError,
    Role,
    Selection,
    Vantage,
    role_key,
)
from portcheck.printable import quoted
from portcheck.scoping.addresses import addresses_of, distinct
from portcheck.scoping.names import chosen_role_keys, claimed_vantage
from portcheck.vantage import local

_HERE = "here"
_ROLES_SHOWN = 12


def hosts_of_targets(
    selection: Selection, documents: tuple[Document, ...], max_hosts: int, left_out: list[NotPlanned]
) -> tuple[tuple[Host, ...], Vantage]:
    """The hosts that the TARGETs name, and this machine as the vantage.

    Raises:
        PortcheckError: no target, one that has no address, too many of them, no role for them, or a vantage that
            is not this machine.
    """
    if not selection.targets:
        raise PortcheckError(
            "No TARGET: name what to check (portcheck check 10.0.0.1 …) or a site file with all hosts (-s site.yaml)."
        )
    vantage = _vantage(selection.source, documents)
    roles = target_roles(selection, documents)
    specs = [spec for target in selection.targets for spec in _target(target, max_hosts) if _is_of_one_host(spec)]
    if len(specs) > max_hosts:
        raise PortcheckError(_too_many("The targets", len(specs), max_hosts))
    found = local.look_up(spec.text for spec in specs if local.canonical(spec.text) is None)
    hosts: dict[str, Host] = {}
    for spec in specs:
        result = addresses_of(spec.name, spec.text, found, left_out)
        if isinstance(result, str):
            raise PortcheckError(
                f"TARGET {quoted(spec.text)} has no address: {result}. Check the spelling, or give an IP."
            )
        hosts[spec.name] = _joined(hosts.get(spec.name), Host(spec.name, result, roles, from_network=spec.from_network))
    return tuple(_self_noted(host, left_out) for host in hosts.values()), vantage


def _is_of_one_host(spec: _Target) -> bool:
    """Not so the broadcast address of a smaller network inside a network.

    Raises:
        PortcheckError: it is one that was named by itself.
    """
    ip = local.canonical(spec.text)
    if ip is None or not local.is_broadcast(ip):
        return True
    if spec.from_network:
        return False
    raise PortcheckError(
        f"TARGET {quoted(spec.text)}: {ip} is the broadcast address of a network, no address of one host"
    )


def _vantage(source: str | None, documents: tuple[Document, ...]) -> Vantage:
    """This machine: without a role, with the source address that the user chose, or in the role that she claims."""
    machine = local.machine_name()
    if source is None:
        return Vantage(_HERE, machine=machine)
    ip = local.canonical(source)
    if ip is None:
        return claimed_vantage(documents, source, machine, [])
    sources = local.own_sources([Address(ip, local.family(ip))])
    if not sources:
        raise PortcheckError(
            f"--from {quoted(source)}: this machine ({machine}) does not have this address; "
            "give one of its own, or leave --from out"
        )
    return Vantage(_HERE, sources=sources, machine=machine)


def _joined(before: Host | None, host: Host) -> Host:
    """A target that is named twice: all its addresses; and whoever names it means that there is a host."""
    if before is None:
        return host
    return replace(
        host,
        addresses=distinct((*before.addresses, *host.addresses)),
        from_network=before.from_network and host.from_network,
    )


def _self_noted(host: Host, left_out: list[NotPlanned]) -> Host:
    if not local.is_this_machine(host.addresses):
        return host
    line = f"{host.name} is this machine itself: no firewall on the network was crossed"
    left_out.append(NotPlanned(Gap.ITSELF, 0, line))
    return replace(host, is_self=True)


def target_roles(selection: Selection, documents: tuple[Document, ...]) -> tuple[str, ...]:
    """What -r says about each document; without -r, the one role that hosts can have in each.

    Raises:
        PortcheckError: an unknown role, or a document of which it is not clear which role the targets play.
    """
    chosen = chosen_role_keys(documents, selection)
    unsaid = [d for d in documents if not any(role_key(d, role) in chosen for role in d.roles)]
    own = {d.id: [role for role in d.roles.values() if not role.external] for d in unsaid}
    if not chosen and all(len(roles) == 1 for roles in own.values()):
        return tuple(role_key(d, own[d.id][0].name) for d in unsaid)
    if unsaid:
        whose = "this machine plays" if selection.local else "the targets play"
        raise PortcheckError(_which_role([(d, own[d.id] or list(d.roles.values())) for d in unsaid], whose))
    return chosen


def _roles_shown(document: Document, roles: list[Role]) -> str:
    """The roles that include others first: these are what people call a machine."""
    ordered = [role.name for role in sorted(roles, key=lambda role: not role.includes)]
    if len(ordered) <= _ROLES_SHOWN:
        return ", ".join(ordered)
    composed = sum(bool(role.includes) for role in roles)
    shown = ordered[: max(composed, _ROLES_SHOWN)]
    return f"{', '.join(shown)} and {len(ordered) - len(shown)} more, see portcheck documents show {document.id}"


def _which_role(unsaid: list[tuple[Document, list[Role]]], whose: str) -> str:
    names = {document.id: _roles_shown(document, roles) for document, roles in unsaid}
    say = f"Say which role of {' and of '.join(names)} {whose}: -r ROLE"
    if len(names) == 1:
        return f"{say} (one of {', '.join(names.values())})"
    return f"{say} for each ({'; '.join(f'{document}: {roles}' for document, roles in names.items())})"


@dataclass(frozen=True, slots=True)
class _Target:
    """One TARGET, or one address out of a network; `text` is an address or a name to look up."""

    name: str
    text: str
    from_network: bool = False


def _target(text: str, max_hosts: int) -> Iterator[_Target]:
    """Read `10.0.0.1`, `web1`, `10.0.0.0/24` or `web1=10.0.0.1`."""
    name, equals, address = text.partition("=")
    if "/" in text and "://" not in text and not equals:
        yield from _network(text, max_hosts)
        return
    address = address if equals else text
    try:
        parse_address(address)
    except PortcheckError as error:
        # The message names what it is about, unless that is only a part of the TARGET.
        about = "" if str(error).startswith(quoted(text)) else f"{quoted(text)}: "
        raise PortcheckError(f"TARGET {about}{error}") from None
    if local.canonical(name) is None and not is_machine_name(name):
        raise PortcheckError(
            f"TARGET {quoted(text)}: {quoted(name)} is neither an address nor a name; "
            "write 10.0.0.1, web1, 10.0.0.0/24 or web1=10.0.0.1"
        )
    yield _Target(local.canonical(name) or name, local.canonical(address) or address)


def _network(text: str, max_hosts: int) -> Iterator[_Target]:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise PortcheckError(f"TARGET {quoted(text)} is not a network: {error}; write 10.0.0.0/24") from None
    written = text.partition("/")[0]
    if network.num_addresses > 1 and local.canonical(written) != str(network.network_address):
        raise PortcheckError(
            f"TARGET {quoted(text)}: write {network} for the whole network, or {written} for the one host"
        )
    if network.is_multicast:
        raise PortcheckError(f"TARGET {quoted(text)} is a multicast network: its addresses belong to no host")
    if network.num_addresses > max_hosts:
        raise PortcheckError(_too_many(f"TARGET {quoted(text)}", network.num_addresses, max_hosts))
    for ip in network.hosts():
        yield _Target(str(ip), str(ip), from_network=network.num_addresses > 1)


def _too_many(what: str, number: int, max_hosts: int) -> str:
    return (
        f"{what}: {number:,} addresses, more than the {max_hosts:,} that a run takes. "
        f"Name a smaller network, or allow it with --max-hosts {number}."
    )
