"""Service names looked up: the port lists first, then this system's services database."""

from __future__ import annotations

from functools import cache

from portcheck.model import PortcheckError, Ports, ReferenceDocument
from portcheck.printable import printable, quoted
from portcheck.service_names import Candidate, ServiceName, candidates, names, settled
from portcheck.vantage import local

_GUESSES = 3
_LIKENESS = 0.7
"""Of 1: "smpt" is 0.75 of "smtp", as most slips of the pen are."""


@cache
def port_lists() -> tuple[ReferenceDocument, ...]:
    """The port lists that portcheck brings along; read when the first name is looked up, and once."""
    from portcheck import documents

    return documents.references()


def ports_of_service(asked: ServiceName) -> tuple[Ports, ...]:
    """The ports that a service name stands for.

    Raises:
        PortcheckError: nobody knows the name, it stands for several things, or for nothing under its transport.
    """
    lists = port_lists()
    ports = settled(lists, asked, local.service_ports(asked.name))
    if not ports or not set(asked.transports) <= {each.transport for each in ports}:
        raise _no_answer(asked, lists)
    return ports


def every_answer(asked: ServiceName, lists: tuple[ReferenceDocument, ...]) -> tuple[Candidate, ...]:
    """All that a name may stand for, each with its source.

    Raises:
        PortcheckError: nobody knows the name, or nobody under its transport.
    """
    found = candidates(lists, asked, local.service_ports(asked.name))
    if not found:
        raise _no_answer(asked, lists)
    return found


def _no_answer(asked: ServiceName, lists: tuple[ReferenceDocument, ...]) -> PortcheckError:
    if others := candidates(lists, ServiceName(asked.name), local.service_ports(asked.name)):
        known = " or ".join(dict.fromkeys(str(ports) for other in others for ports in other.ports))
        has = {ports.transport for other in others for ports in other.ports}
        wanted = " and no ".join(transport for transport in asked.transports if transport not in has)
        return PortcheckError(f"{quoted(asked.name)} has no {wanted} port: write {printable(known, 100)}")
    import difflib  # only who misspells a name pays for it

    known_names = dict.fromkeys((*names(lists), *local.service_names()))
    near = difflib.get_close_matches(asked.name.lower()[:60], known_names, _GUESSES, _LIKENESS)
    guess = f"did you mean {printable(' or '.join(near), 100)}? Or give" if near else "give"
    return PortcheckError(
        f"neither the port lists nor this system know a service {quoted(asked.name)}; {guess} a port: 22/tcp"
    )
