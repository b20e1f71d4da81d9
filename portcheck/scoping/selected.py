"""The selected documents, and every name of a site file looked up in them: all that is wrong at once, with its line."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from portcheck import documents as document_files
from portcheck.model import Document, Mention, NameOf, PortcheckError, Selection, Site, Without
from portcheck.scoping.names import (
    UnknownNameError,
    check_unused_at,
    check_unused_document,
    check_unused_service,
    check_waived_from,
    declaring_feature,
    offered_ports,
    role_keys,
)
from portcheck.yaml_input import InputError, Problems


def selected_documents(selection: Selection, site: Site | None) -> tuple[Document, ...]:
    """The documents that site file and command line name, each once.

    Raises:
        PortcheckError: a document cannot be used, or a name of the site file is not known. Everything that is wrong
            with the site file comes first, then what is wrong inside its documents, then the command line.
    """
    found: dict[str, Document] = {}
    in_site = _found(site.documents if site is not None else (), found)
    in_command = _found(selection.documents, found)
    documents = tuple(found.values())
    if site is not None:
        _check_site(site, documents, in_site, complete=not in_site and not in_command)
    for error in (*in_site.values(), *in_command.values()):
        raise error
    return documents


def _found(names: tuple[str, ...], found: dict[str, Document]) -> dict[str, PortcheckError]:
    """Add the named documents to `found`; what is wrong with the others, by name."""
    wrong: dict[str, PortcheckError] = {}
    for name in names:
        if name in found or name in wrong:
            continue
        try:
            document = document_files.find(name)
        except PortcheckError as error:
            wrong[name] = error
            continue
        if document.id in {other.id for other in found.values()}:
            text = f"two of the documents have the id {document.id}; give one of them another id"
            wrong[name] = PortcheckError(text)
            continue
        found[name] = document
    return wrong


def _check_site(
    site: Site, documents: tuple[Document, ...], wrong: Mapping[str, PortcheckError], complete: bool
) -> None:
    problems = Problems(site.path)
    inside: list[str] = []
    for mention in site.mentions:
        if error := wrong.get(mention.text) if mention.of is NameOf.DOCUMENT else None:
            text = str(error)
            if isinstance(error, InputError) and any(problem.line is not None for problem in error.problems):
                inside.append(text)
                text = "the document cannot be used for what is wrong in it, see below; correct it"
            problems.add(mention.line, mention.where, text)
        else:
            _check_mention(mention, site, documents, complete, problems)
    if inside:
        raise PortcheckError("\n".join([str(InputError(site.path, problems.sorted())), *inside]))
    problems.raise_if_any()


def _check_mention(
    mention: Mention, site: Site, documents: tuple[Document, ...], complete: bool, problems: Problems
) -> None:
    try:
        _LOOK_UP[mention.of](mention, site, documents)
    except UnknownNameError as error:
        # A document that cannot be used may well have the name; not so when it is nearly one that there is.
        if complete or error.has_guess:
            problems.add(mention.line, mention.where, str(error))
    except PortcheckError as error:
        problems.add(mention.line, mention.where, str(error))


def _entry(mention: Mention) -> Without:
    assert mention.without is not None, "a name of an entry of without: comes with the entry"
    return mention.without


_LOOK_UP: Mapping[NameOf, Callable[[Mention, Site, tuple[Document, ...]], object]] = {
    NameOf.DOCUMENT: lambda mention, site, documents: None,
    NameOf.FEATURE: lambda mention, site, documents: declaring_feature(documents, mention.text),
    NameOf.ROLE: lambda mention, site, documents: role_keys(documents, mention.text),
    NameOf.OFFER: lambda mention, site, documents: offered_ports(mention.text),
    NameOf.UNUSED_DOCUMENT: lambda mention, site, documents: check_unused_document(documents, _entry(mention)),
    NameOf.UNUSED_SERVICE: lambda mention, site, documents: check_unused_service(documents, _entry(mention)),
    NameOf.UNUSED_AT: lambda mention, site, documents: check_unused_at(documents, _entry(mention)),
    NameOf.WAIVED_FROM: lambda mention, site, documents: check_waived_from(documents, site, mention.text),
}
"""How each kind of name is looked up; what is raised says what is wrong with it."""
