"""The named networks of the lab, for tests and for `python -m tests.lab`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tests.lab.build import Lab
from tests.lab.dcos import FAULTS, dcos_site, site_yaml
from tests.lab.matrix import ANSWERS, CASES, CLOSED_PORT, MATRIX, OPEN_PORT, PLACES, Case, matrix
from tests.lab.topology import Topology

__all__ = ["CASES", "FAULTS", "MATRIX", "SCENARIOS", "Case", "Scenario", "dcos_site", "matrix", "site_yaml"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A network with a name.

    Attributes:
        vantage: the node to look from.
        topology: makes the description from the names of faults.
        faults: those names, with their titles.
        arguments: portcheck's arguments when the user gives none; may put files into `lab.home`.
        legend: what to know beside the map, from the names of the faults put in.
    """

    title: str
    vantage: str
    topology: Callable[[Iterable[str]], Topology]
    arguments: Callable[[Lab], list[str]]
    faults: Mapping[str, str]
    legend: Callable[[Iterable[str]], Iterable[str]]


def _matrix_arguments(lab: Lab) -> list[str]:
    targets = dict.fromkeys(case.address for case in CASES)
    ports = sorted({case.port for case in CASES})
    return ["check", *targets, "-e", f"{','.join(map(str, ports))}/tcp"]


def _dcos_arguments(lab: Lab) -> list[str]:
    site = lab.home / "site.yaml"
    site.write_text(site_yaml(lab))
    return ["check", "-s", str(site), "--from", "a1"]


def _matrix_legend(faults: Iterable[str]) -> Iterable[str]:
    yield f"Ports of the server: {OPEN_PORT} is open, {CLOSED_PORT} is closed. All others listen behind a firewall:"
    yield "  " + ", ".join(f"{place.first_port} + n at {place.node}" for place in PLACES)
    yield "  n: " + ", ".join(f"{answer.offset} {answer.name}" for answer in ANSWERS)


def _dcos_legend(faults: Iterable[str]) -> Iterable[str]:
    yield "Faults: " + ("; ".join(FAULTS[name].title for name in faults) or "none")


_DCOS_FAULTS = {name: fault.title for name, fault in FAULTS.items()}

SCENARIOS: Mapping[str, Scenario] = {
    "matrix": Scenario(
        "every way in which a TCP port can answer or not, IPv4 and IPv6",
        "client",
        lambda faults: matrix(),
        _matrix_arguments,
        {},
        _matrix_legend,
    ),
    "dcos": Scenario(
        "a DC/OS site, IPv4", "a1", lambda faults: dcos_site(faults), _dcos_arguments, _DCOS_FAULTS, _dcos_legend
    ),
    "dcos6": Scenario(
        "the same with IPv6 beside IPv4",
        "a1",
        lambda faults: dcos_site(faults, ipv6=True),
        _dcos_arguments,
        _DCOS_FAULTS,
        _dcos_legend,
    ),
}
