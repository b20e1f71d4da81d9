"""What a whole run shows about each address, beside the answer of the port in question. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from portcheck.engine.probe import ICMP_ALIVE, Answered, Observation, PortState
from portcheck.measured import first_probe, observation_of, size


@dataclass(frozen=True, slots=True)
class Facts:
    """What all observations of one run say about one address.

    Attributes:
        answered: ports that answered from the address itself, open or closed.
        alive: anything at all came from the address itself.
    """

    answered: int = 0
    alive: bool = False


def facts_by_address(answers: Iterable[Answered]) -> dict[str, Facts]:
    """What the whole run shows about each address."""
    facts: dict[str, Facts] = {}
    for answered in answers:
        seen = answered if isinstance(answered, Observation) else observation_of(answered, first_probe(answered))
        known = facts.setdefault(seen.probe.address, Facts())
        shown = seen.state in (PortState.OPEN, PortState.CLOSED)
        if shown or seen.rejected_by_target or seen.detail == ICMP_ALIVE:
            # An echo reply, or a word about GRE, is no port.
            ports = size(answered) if shown and seen.probe.port else 0
            facts[seen.probe.address] = Facts(known.answered + ports, alive=True)
    return facts
