"""No intrusion system of the common kinds bans us: every SYN on the wire is counted, in exact sliding windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from portcheck.engine.probe import PortState
from portcheck.model import Family, Finding
from tests.lab import metered, runs
from tests.lab.build import build
from tests.lab.flows import Flow, most_flows, most_targets, recorded
from tests.lab.metered import (
    CLOSED_PORTS,
    DROPPED_PORTS,
    HARDENED,
    METERED,
    OPEN_PORTS,
    VENDOR,
    WIDE_DROPPED_PORT,
    WIDE_NETWORK,
    WIDE_OPEN_PORT,
    WIDE_PART,
    client_address,
    live_addresses,
)
from tests.lab.runs import OPEN, SILENT, Result

pytestmark = pytest.mark.lab

SERVER = METERED.address("server", Family.IPV4)
FEW = (*OPEN_PORTS[:36], *CLOSED_PORTS[:8], *DROPPED_PORTS[:4])
MANY = (*OPEN_PORTS, *CLOSED_PORTS, *DROPPED_PORTS)
WIDE_PORTS = runs.tcp((WIDE_OPEN_PORT, WIDE_DROPPED_PORT))
WIDE_ADDRESSES = 510

NORMAL_FLOWS, NORMAL_HOSTS = 90, 90
POLITE_FLOWS, POLITE_HOSTS = 18, 25
"""What `normal` and `polite` promise, within the windows of VENDOR and HARDENED."""

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "normal": (SERVER, "-e", runs.tcp(MANY)),
    "normal-w": (WIDE_NETWORK, "-e", WIDE_PORTS),
    "polite": (SERVER, "-e", runs.tcp(FEW), "--speed", "polite"),
    "polite-w": (WIDE_PART, "-e", WIDE_PORTS, "--speed", "polite"),
    "fast": (SERVER, "-e", runs.tcp(MANY), "--speed", "fast", "--deadline", "5"),
    "fast-w": (WIDE_NETWORK, "-e", WIDE_PORTS, "--speed", "fast", "--deadline", "5"),
    "fast-h": (SERVER, "-e", runs.tcp(FEW), "--speed", "fast", "--deadline", "5"),
    "fast-h-w": (WIDE_PART, "-e", WIDE_PORTS, "--speed", "fast", "--deadline", "5"),
}
"""By client; -w looks at the wide network, -h meets the hardened meter."""


@dataclass(frozen=True, slots=True)
class Paced:
    """What the runs came to, what was on the wire, and who was banned in the end."""

    results: dict[str, Result]
    flows: tuple[Flow, ...]
    banned: set[str]

    def of(self, client: str) -> list[Flow]:
        found = [flow for flow in self.flows if flow.source == client_address(client)]
        assert found, f"{client} sent nothing"
        return found


@pytest.fixture(scope="module")
def paced() -> Iterator[Paced]:
    with build(METERED) as lab, recorded(lab, "r1", "left") as flows:
        results = runs.named(
            {
                client: partial(runs.check, lab, client, *arguments, timeout_s=300.0)
                for client, arguments in ARGUMENTS.items()
            }
        )
        yield Paced(results, flows(), metered.banned(lab))


def test_the_meters_work(paced: Paced) -> None:
    """Otherwise it would be no merit not to trip them."""
    assert {client for client in ARGUMENTS if client.startswith("fast")} <= paced.banned


def test_neither_normal_nor_polite_is_banned(paced: Paced) -> None:
    assert [client for client in ARGUMENTS if not client.startswith("fast") and client in paced.banned] == []


@pytest.mark.parametrize(
    ("client", "meter", "flows", "hosts"),
    [
        ("normal", VENDOR, NORMAL_FLOWS, NORMAL_HOSTS),
        ("normal-w", VENDOR, NORMAL_FLOWS, NORMAL_HOSTS),
        ("polite", HARDENED, POLITE_FLOWS, POLITE_HOSTS),
        ("polite-w", HARDENED, POLITE_FLOWS, POLITE_HOSTS),
    ],
)
def test_no_window_has_more_flows_or_hosts_than_promised(
    paced: Paced, client: str, meter: metered.Meter, flows: int, hosts: int
) -> None:
    """Retries, canaries and decoys are flows like any other; a SYN that the kernel repeats is none."""
    assert most_flows(paced.of(client), meter.flows_s) <= flows
    assert most_targets(paced.of(client), meter.hosts_s) <= hosts


@pytest.mark.parametrize(("client", "flows"), [("normal", NORMAL_FLOWS), ("polite", POLITE_FLOWS)])
def test_what_is_allowed_is_used(paced: Paced, client: str, flows: int) -> None:
    meter = VENDOR if client == "normal" else HARDENED
    assert most_flows(paced.of(client), meter.flows_s) > 0.9 * flows


@pytest.mark.parametrize(("client", "hosts"), [("normal-w", NORMAL_HOSTS), ("polite-w", POLITE_HOSTS)])
def test_as_many_hosts_as_allowed_are_asked(paced: Paced, client: str, hosts: int) -> None:
    assert most_targets(paced.of(client), VENDOR.hosts_s) > 0.9 * hosts


@pytest.mark.parametrize(("client", "ports"), [("normal", MANY), ("polite", FEW)])
def test_pacing_changes_no_verdict(paced: Paced, client: str, ports: tuple[int, ...]) -> None:
    truth = runs.truth(open=OPEN_PORTS, closed=CLOSED_PORTS, silent=DROPPED_PORTS)
    assert paced.results[client].seen(SERVER) == {port: truth[port] for port in ports}


@pytest.mark.parametrize("client", ["normal-w", "polite-w"])
def test_the_hosts_of_a_wide_network_are_found_and_no_others(paced: Paced, client: str) -> None:
    result = paced.results[client]
    hosts = {check["target"]["address"] for check in result.checks}
    alive = {check["target"]["address"] for check in result.checks if check["state"] == PortState.OPEN}
    assert alive == live_addresses() & hosts
    assert len(alive) == (len(live_addresses()) if client == "normal-w" else 2)
    for address in alive:
        assert result.seen(address) == {WIDE_OPEN_PORT: OPEN, WIDE_DROPPED_PORT: SILENT}
    assert {c["finding"] for c in result.checks if c["target"]["address"] not in alive} == {Finding.NO_HOST}
    assert len(hosts) == (WIDE_ADDRESSES if client == "normal-w" else 62)
