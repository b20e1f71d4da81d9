"""Names that a user writes, looked up in the selected documents: features, roles, services."""

from __future__ import annotations

from collections.abc import Sequence

from portcheck.model import (
    BUILTIN_SOURCES,
    INTERNET,
    Document,
    PortcheckError,
    Ports,
    Selection,
    Site,
    Vantage,
    Without,
    role_key,
    role_label,
)
from portcheck.printable import printable, quoted
from portcheck.rows import played
from portcheck.scoping.services import ports_of_service
from portcheck.service_names import parse_service
from portcheck.wording import did_you_mean, listed

_SHOWN = 20
"""Known names in one message: a site may have hundreds of hosts, a document of services."""


class UnknownNameError(PortcheckError):
    """A name that does not exist. The message has those that do, and the nearest of them.

    Attributes:
        has_guess: whether one is so near that it was probably meant.
    """

    def __init__(self, what: str, kinds: str, name: str, known: Sequence[str]) -> None:
        guess = did_you_mean(name, known)
        self.has_guess = bool(guess)
        there_is = f"; known {kinds}: {printable(listed(known, _SHOWN))}"
        super().__init__(f"{what}{there_is if known else f': the selected documents have no {kinds}'}{guess}")


def stated_features(
    selection: Selection, site: Site | None, documents: tuple[Document, ...]
) -> dict[str, dict[str, bool]]:
    """Document id to its features that the site file or --feature states; the command line wins.

    Raises:
        PortcheckError: no selected document has such a feature.
    """
    stated: dict[str, dict[str, bool]] = {}
    in_site = site.features if site is not None else {}
    for name, in_use in (*in_site.items(), *selection.features.items()):
        try:
            declaring = declaring_feature(documents, name)
        except PortcheckError as error:
            # Those of the site file were looked up with the file.
            raise PortcheckError(f"--feature: {error}") from None
        for document in declaring:
            stated.setdefault(document.id, {})[name.rpartition(":")[2]] = in_use
    return stated


def declaring_feature(documents: tuple[Document, ...], name: str) -> tuple[Document, ...]:
    """The documents that have a feature; the name may say of which document it is (dcos-1.11:enterprise).

    Raises:
        UnknownNameError: there is none.
    """
    of, _, feature = name.rpartition(":")
    declaring = tuple(d for d in documents if feature in d.features and of in ("", d.id))
    if not declaring:
        known = {f for d in documents for f in d.features}
        raise UnknownNameError(f"unknown feature {quoted(name)}", "features", name, sorted(known))
    return declaring


def role_keys(documents: tuple[Document, ...], name: str) -> tuple[str, ...]:
    """The key of a role as a user writes it: `master`, or `dcos-1.11:master`.

    Raises:
        UnknownNameError: no selected document has it.
        PortcheckError: several have it that do not share it.
    """
    of, _, role = name.rpartition(":")
    declaring = [d for d in documents if role in d.roles and of in ("", d.id)]
    keys = tuple(dict.fromkeys(role_key(d, role) for d in declaring))
    if not keys:
        known = {f"{d.id}:{r}" if of else r for d in documents for r in d.roles}
        raise UnknownNameError(f"unknown role {quoted(name)}", "roles", name, sorted(known))
    if len(keys) > 1:
        full = " or ".join(sorted(f"{d.id}:{role}" for d in declaring))
        raise PortcheckError(f"role {quoted(name)} is in several documents: write {full}")
    return keys


def chosen_role_keys(documents: tuple[Document, ...], selection: Selection) -> tuple[str, ...]:
    """The keys of the roles that -r names, in its order.

    Raises:
        PortcheckError: as `role_keys`.
    """
    try:
        return tuple(dict.fromkeys(key for role in selection.roles for key in role_keys(documents, role)))
    except PortcheckError as error:
        raise PortcheckError(f"--role: {error}") from None


def offered_ports(name: str) -> tuple[Ports, ...]:
    """The ports that a service name under `offers:` stands for: `ssh`, `domain/udp`.

    Raises:
        PortcheckError: nobody knows it, or it stands for several things.
    """
    asked = parse_service(name)
    if asked is None:
        raise PortcheckError(f"{quoted(name)} is neither ports nor a service name; write one like 22/tcp or ssh")
    return ports_of_service(asked)


def check_unused_document(documents: tuple[Document, ...], without: Without) -> None:
    """Nothing can be left out of a document that nobody asked for.

    Raises:
        UnknownNameError: the document of the entry is not selected.
    """
    known = {document.id for document in documents}
    if without.document is not None and without.document not in known:
        what = f"document {quoted(without.document)} is not selected"
        raise UnknownNameError(what, "documents", without.document, sorted(known))


def check_unused_service(documents: tuple[Document, ...], without: Without) -> None:
    """Leaving out a service that does not exist would hide a slip of the pen.

    Raises:
        UnknownNameError: none of the documents that the entry is about has the service.
    """
    about = [document for document in documents if without.document in (None, document.id)]
    known = {e.service for document in about for e in document.expectations}
    if about and without.service not in known:  # without its document, that is what is wrong
        raise UnknownNameError(f"unknown service {quoted(without.service)}", "services", without.service, sorted(known))


def check_unused_at(documents: tuple[Document, ...], without: Without) -> None:
    """A service is only left out at hosts at which the document has it.

    Raises:
        UnknownNameError: there is no such role, or no row of the service leads to it.
    """
    about = [document for document in documents if without.document in (None, document.id)]
    rows = [(d, e) for d in about for e in d.expectations if e.service == without.service]
    to = without.to or ""
    known = {f"{d.id}:{role}" if ":" in to else role for d, e in rows for role in e.to}
    if to in known or not rows:  # without a row, its service is what is wrong
        return
    through = sorted(_having(documents, to) & {role_key(d, role) for d, e in rows for role in e.to})
    if through:
        labels = " and ".join(role_label(key) for key in through)
        service = quoted(without.service)
        what = f"{quoted(to)} has {service} through {labels}: name that role, for all hosts that have it"
    elif any(to in (role, f"{d.id}:{role}") for d in documents for role in d.roles):
        what = f"{quoted(without.service)} is nowhere at role {quoted(to)}"
    else:
        what = f"unknown role {quoted(to)}"
    raise UnknownNameError(what, f"roles of {quoted(without.service)}", to, sorted(known))


def _having(documents: tuple[Document, ...], name: str) -> frozenset[str]:
    """The role and what it includes; empty where there is no such role."""
    named = {role_key(d, role) for d in documents for role in d.roles if name in (role, f"{d.id}:{role}")}
    return played(documents, named) if named else frozenset()


def check_waived_from(documents: tuple[Document, ...], site: Site, source: str) -> None:
    """A waiver from nobody would never count, and never say so.

    Raises:
        PortcheckError: the source is neither a host, nor a role, nor a builtin source.
    """
    hosts = [host.name for host in site.hosts]
    if source in hosts or source in BUILTIN_SOURCES:
        return
    try:
        role_keys(documents, source)
    except UnknownNameError:
        known = [*hosts, *sorted({role for document in documents for role in document.roles})]
        raise UnknownNameError(f"unknown host or role {quoted(source)}", "names", source, known) from None


def claimed_vantage(documents: tuple[Document, ...], source: str, machine: str, hosts: list[str]) -> Vantage:
    """This machine in a role that the user claims for it.

    Raises:
        PortcheckError: `source` is no role; the message also names the `hosts` that it could have been.
    """
    if source == INTERNET:
        return Vantage(INTERNET, frozenset({INTERNET}), machine=machine)
    roles = {role for document in documents for role in document.roles}
    if not roles and not hosts:
        raise PortcheckError(
            f"--from {quoted(source)}: roles come from a document (-d), hosts from a site file (-s); without these, "
            "give an address of this machine or internet"
        )
    try:
        keys = role_keys(documents, source)
    except UnknownNameError:
        kind = "neither a host of the site nor a role" if hosts else "not a role"
        what = f"--from {quoted(source)} is {kind} of the documents"
        raise UnknownNameError(what, "names", source, [*hosts, *sorted(roles)]) from None
    except PortcheckError as error:
        raise PortcheckError(f"--from: {error}") from None
    return Vantage(role_label(source), frozenset(keys), machine=machine)
