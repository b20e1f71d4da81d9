"""From what the user asked for to a complete Scope: documents found, roles and features checked, names resolved."""

from __future__ import annotations

from collections.abc import Iterable

from portcheck.engine.probe import Transport
from portcheck.model import (
    Document,
    Host,
    NotPlanned,
    Own,
    Phase,
    PortcheckError,
    Scope,
    Selection,
    Site,
    SweepKind,
)
from portcheck.scoping.by_hand import check_transports, parse_expect, parse_sweep
from portcheck.scoping.names import stated_features
from portcheck.scoping.site_hosts import chosen_hosts, hosts_of_site
from portcheck.scoping.targets import hosts_of_targets

DEFAULT_MAX_HOSTS = 65_536


def scope_of(
    selection: Selection,
    phase: Phase,
    max_hosts: int = DEFAULT_MAX_HOSTS,
    *,
    anywhere: bool = False,
    standing_in: bool = False,
) -> Scope:
    """Everything that planning needs.

    Args:
        anywhere: --from may be a host of the site that this machine is not. Nothing can be sent from there.
        standing_in: the ports are not checked: this machine opens them itself (`listen`).

    Raises:
        PortcheckError: something that the user named does not exist or does not fit; nothing was sent.
    """
    site, documents = _files(selection)
    sweep = parse_sweep(selection.sweep)
    if not documents and not selection.expects and sweep.kind in (SweepKind.NONE, SweepKind.DOCUMENTED):
        raise _nothing_to_do(standing_in)
    extra = tuple(named for text in selection.expects for named in parse_expect(text))
    if not documents:
        check_transports(selection, sweep, extra)
    left_out: list[NotPlanned] = []
    hosts: tuple[Host, ...]
    others: tuple[Host, ...] = ()
    chosen: frozenset[str] = frozenset()
    if selection.local:
        from portcheck.scoping.own import own_host, refuse_what_cannot_be_looked_at

        if not standing_in:
            refuse_what_cannot_be_looked_at(selection, phase, documents, extra, left_out)
        own, vantage, others = own_host(selection, site, documents, left_out, standing_in=standing_in)
        hosts = (own,)
    elif site is not None:
        everyone, vantage = hosts_of_site(site, documents, selection, left_out, anywhere=anywhere)
        hosts = chosen_hosts(site, everyone, documents, selection)
        chosen = frozenset(host.name for host in hosts)
        others = tuple(host for host in everyone if host.name not in chosen)
    else:
        hosts, vantage = hosts_of_targets(selection, documents, max_hosts, left_out)
    return Scope(
        documents=documents,
        hosts=hosts,
        vantage=vantage,
        phase=phase,
        features=stated_features(selection, site, documents),
        transports=_transports(selection.transports),
        sweep=sweep,
        extra=extra,
        without=site.without if site is not None else (),
        waivers=site.waivers if site is not None else (),
        whole_site=site is not None,
        chosen=chosen if selection.targets or selection.roles else frozenset(),
        other_hosts=others,
        left_out=tuple(left_out),
        secrets=frozenset(selection.secrets),
        stand_ins=selection.stand_ins,
        own=Own.ONLY if selection.local else Own.ALSO if site is not None else Own.NOTHING,
    )


def _nothing_to_do(standing_in: bool) -> PortcheckError:
    to_do = "stand in for" if standing_in else "check"
    return PortcheckError(
        f"Nothing to {to_do}: name a document (-d dcos-1.11; see `portcheck documents list`) or ports (-e 22/tcp)."
    )


def _files(selection: Selection) -> tuple[Site | None, tuple[Document, ...]]:
    """The site file and the documents, where there are any: a check of a few ports need not load what reads YAML."""
    if selection.site is None and not selection.documents:
        return None, ()
    from portcheck.scoping.selected import selected_documents
    from portcheck.site import load_site

    site = load_site(selection.site) if selection.site is not None else None
    return site, selected_documents(selection, site)


def _transports(names: Iterable[str]) -> frozenset[Transport] | None:
    chosen = frozenset(Transport(name) for name in names)
    return chosen or None
