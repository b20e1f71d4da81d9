"""What a run has measured so far: one answer for every port asked, of swept ports in bulk. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator
from itertools import compress

from portcheck.engine.probe import Answered, Observation, Probe, StandInReport, Tally, Transport

Endpoint = tuple[str, str | None, Transport]
"""An address, the address of ours that its probes are sent from, and what carries them."""


class Measured:
    """The answers of the network, looked up by probe or by endpoint.

    Args:
        kept: answers of an earlier run that this one goes on with; its ports are not asked again.
    """

    def __init__(self, kept: Iterable[Answered] = ()) -> None:
        self._observations: dict[Endpoint, dict[Probe, Observation]] = {}
        self._tallies: dict[Endpoint, list[Tally]] = {}
        self._taken: list[Answered] = []
        self.reports: dict[str, list[StandInReport]] = {}
        """By address, what the stand-ins there say of themselves; one machine may run several."""
        self.heard_out = True
        """Every stand-in was asked; False when the run ended first."""
        self.facts: list[str] = []
        """What was learnt of this machine beside the answers, and is nothing to warn of; one sentence each."""
        for answered in kept:
            self._file(answered)
        self.kept = sum(map(size, self))

    def take(self, answered: Answered) -> None:
        """Add what the engine reports."""
        self._file(answered)
        self._taken.append(answered)

    def _file(self, answered: Answered) -> None:
        if isinstance(answered, Observation):
            self._observations.setdefault(endpoint(answered.probe), {})[answered.probe] = answered
        else:
            self._tallies.setdefault(endpoint(first_probe(answered)), []).append(answered)

    def refine(self, observation: Observation) -> None:
        """Put in what was found out about an answer later: what it said, never what it is."""
        self._observations[endpoint(observation.probe)][observation.probe] = observation

    @property
    def taken(self) -> Collection[Answered]:
        """What this run measured itself."""
        return self._taken

    def __iter__(self) -> Iterator[Answered]:
        for by_probe in self._observations.values():
            yield from by_probe.values()
        for tallies in self._tallies.values():
            yield from tallies

    def of(self, probe: Probe) -> Observation:
        """The answer to one probe.

        Raises:
            KeyError: it was not asked.
        """
        where = endpoint(probe)
        if (found := self._observations.get(where, {}).get(probe)) is not None:
            return found
        for tally in self._tallies.get(where, ()):
            if probe.port in tally.ports:
                return observation_of(tally, probe)
        raise KeyError(probe)

    def singly(self, where: Endpoint) -> Collection[Observation]:
        """What was reported port by port."""
        return self._observations.get(where, {}).values()

    def in_bulk(self, where: Endpoint) -> Collection[Tally]:
        """What was reported of many ports at once."""
        return self._tallies.get(where, ())

    def ports(self, where: Endpoint) -> set[int]:
        """The ports that have an answer."""
        known = {seen.probe.port for seen in self.singly(where)}
        return known.union(*(tally.ports for tally in self.in_bulk(where)))


def endpoint(probe: Probe) -> Endpoint:
    """Where the probe goes, its port aside."""
    return probe.address, probe.source_address, probe.transport


def size(answered: Answered) -> int:
    """How many ports the answer is about."""
    return 1 if isinstance(answered, Observation) else len(answered.ports)


def first_probe(answered: Answered) -> Probe:
    """The probe that it answers, of a tally the first."""
    if isinstance(answered, Observation):
        return answered.probe
    return Probe(answered.address, answered.transport, answered.ports[0], answered.source_address)


def observation_of(tally: Tally, probe: Probe) -> Observation:
    """A tally's answer as that of one of its ports; the attempts are not known one by one."""
    return Observation(
        probe,
        tally.state,
        tally.reason,
        responder=tally.responder,
        icmp=tally.icmp,
        inferred=tally.inferred,
        detail=tally.detail,
    )


def narrowed(ports: Iterable[int], to: Iterable[range]) -> array[int]:
    """The ports that lie in one of the ranges, ascending; quick for all 65,535."""
    mask = bytearray(65536)
    for run in to:
        mask[run.start : run.stop] = b"\1" * len(run)
    listed = sorted(ports)
    return array("H", compress(listed, map(mask.__getitem__, listed)))
