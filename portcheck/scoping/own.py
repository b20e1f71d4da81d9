"""The machine that we stand on as the only host: whose ports are looked at, or stood in for."""

from __future__ import annotations

import re

from portcheck.model import Document, Host, NotPlanned, PortcheckError, Selection, Site, Vantage
from portcheck.printable import quoted
from portcheck.scoping.names import UnknownNameError
from portcheck.scoping.site_hosts import hosts_of_site
from portcheck.scoping.targets import target_roles
from portcheck.vantage import local

_HERE = "here"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def own_host(
    selection: Selection,
    site: Site | None,
    documents: tuple[Document, ...],
    left_out: list[NotPlanned],
    *,
    anywhere: bool = False,
) -> tuple[Host, Vantage, tuple[Host, ...]]:
    """This machine as a host, as a vantage, and the other hosts of the site.

    Args:
        anywhere: --from names a host of the site whose addresses this machine may not have.

    Raises:
        PortcheckError: a site without this machine in it, or without a site no role.
    """
    if selection.targets:
        raise PortcheckError("This is about the machine that it runs on: leave out TARGET")
    if site is None:
        name = selection.source or local.machine_name()
        if not _NAME.fullmatch(name):
            name = _HERE
        roles = target_roles(selection, documents)
        return Host(name, (), roles, is_self=True), Vantage(name, frozenset(roles), name, machine=name), ()
    if selection.roles:
        raise PortcheckError("The site file says which roles this machine has: leave out --role, or --site")
    names = [host.name for host in site.hosts]
    if selection.source is not None and selection.source not in names:  # a role is not enough
        what = f"{quoted(selection.source)} is not a host of {site.path}"
        raise UnknownNameError(what, "hosts", selection.source, names)
    everyone, vantage = hosts_of_site(site, documents, selection, left_out, anywhere=anywhere)
    host = next(host for host in everyone if host.name == vantage.host)
    return host, vantage, tuple(other for other in everyone if other is not host)
