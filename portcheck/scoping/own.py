"""The machine that we stand on as the only host: whose ports are looked at, or stood in for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from portcheck.addresses import is_machine_name
from portcheck.engine.probe import Transport
from portcheck.model import (
    Document,
    Gap,
    Host,
    NamedPorts,
    NotPlanned,
    Phase,
    PortcheckError,
    Selection,
    Site,
    Vantage,
)
from portcheck.printable import quoted
from portcheck.scoping.names import UnknownNameError
from portcheck.scoping.site_hosts import hosts_of_site
from portcheck.scoping.targets import target_roles
from portcheck.vantage import local

_HERE = "here"
_WITH_PORTS = (str(Transport.TCP), str(Transport.UDP))
_ONLY_PORTS = "only TCP and UDP ports can be looked at on this machine"


def own_host(
    selection: Selection,
    site: Site | None,
    documents: tuple[Document, ...],
    left_out: list[NotPlanned],
    *,
    standing_in: bool = False,
) -> tuple[Host, Vantage, tuple[Host, ...]]:
    """This machine as a host, as a vantage, and the other hosts of the site.

    Args:
        standing_in: for `listen`, which calls --from --as.

    Raises:
        PortcheckError: a site without this machine in it, or without a site no role.
    """
    if selection.targets:
        raise PortcheckError("This is about the machine that it runs on: leave out TARGET")
    option = "--as" if standing_in else "--from"
    if site is None:
        return *_by_itself(selection, documents, option), ()
    if selection.roles:
        raise PortcheckError("The site file says which roles this machine has: leave out --role, or --site")
    if selection.source is not None:
        _refuse_other_than_hosts(site, documents, selection.source, option)
    everyone, vantage = hosts_of_site(site, documents, selection, left_out, anywhere=True, option=option)
    host = next(host for host in everyone if host.name == vantage.host)
    others = tuple(other for other in everyone if other is not host)
    if not standing_in and not local.is_this_machine(host.addresses):
        host, vantage = _behind_a_translation(host, vantage, left_out)
    return host, vantage, others


def _by_itself(selection: Selection, documents: tuple[Document, ...], option: str) -> tuple[Host, Vantage]:
    machine, stated = local.machine_name(), selection.source
    if stated is not None and not is_machine_name(stated):
        raise PortcheckError(f"{option} {quoted(stated)}: write a name of letters, digits, dots, - and _")
    name = stated or (machine if is_machine_name(machine) else _HERE)
    roles = target_roles(selection, documents)
    return Host(name, (), roles, is_self=True), Vantage(name, frozenset(roles), name, machine=machine)


def _refuse_other_than_hosts(site: Site, documents: tuple[Document, ...], name: str, option: str) -> None:
    """A role is not enough, and what exists already has no ports to keep free."""
    if name in [host.name for host in site.hosts if host.external]:
        raise PortcheckError(
            f"{option} {name}: {site.path} has it under external:, so it exists already, and none of its ports has to "
            "be free"
        )
    names = [host.name for host in site.hosts if not host.external]
    if name in names:
        return
    what = f"{option} {quoted(name)} is not a host of {site.path}"
    if name.rpartition(":")[2] in {role for document in documents for role in document.roles}:
        what = f"{option} {quoted(name)} is a role, and no host of {site.path}: say which host this machine is"
    raise UnknownNameError(what, "hosts", name, names)


def _behind_a_translation(host: Host, vantage: Vantage, left_out: list[NotPlanned]) -> tuple[Host, Vantage]:
    """Its user says who it is; the address that others have for it is none that its own packet filter sees."""
    machine = local.machine_name()
    addresses = ", ".join(address.ip for address in host.addresses) or host.unresolved
    remark = f"This machine ({machine}) has none of the addresses of {host.name} ({addresses}), and is looked at as"
    left_out.append(NotPlanned(Gap.ITSELF, 0, f"{remark} {host.name} all the same"))
    return replace(host, addresses=()), replace(vantage, sources={}, machine=machine)


def refuse_what_cannot_be_looked_at(
    selection: Selection,
    phase: Phase,
    documents: tuple[Document, ...],
    extra: Sequence[NamedPorts],
    left_out: list[NotPlanned],
) -> None:
    """What has no ports is neither free nor taken: it is left out, beside others that have.

    Raises:
        PortcheckError: nothing else was asked for, or what others reach is asked for with the product running.
    """
    if phase is Phase.INSTALLED and extra:
        raise PortcheckError(
            "-e names what others reach, and with the product running --local looks at what is for localhost alone: "
            "leave out one of them, or add --phase preinstall"
        )
    if selection.transports and not set(selection.transports) & set(_WITH_PORTS):
        asked = " ".join(f"--transport {name}" for name in selection.transports)
        raise PortcheckError(f"{asked}: {_ONLY_PORTS}")
    without = [named for named in extra if named.ports.first is None]
    if not without:
        return
    asked = " ".join(dict.fromkeys(f"-e {named.ports}" for named in without))
    if len(without) == len(extra) and not documents:
        raise PortcheckError(f"{asked}: {_ONLY_PORTS}")
    left_out.append(NotPlanned(Gap.ITSELF, 0, f"{asked} is left out: {_ONLY_PORTS}"))
