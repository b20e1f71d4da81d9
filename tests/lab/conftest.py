"""Fixtures that build the named networks once per session, and what happens where none can be built."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.lab.build import Lab, build, unavailable
from tests.lab.scenarios import MATRIX, dcos_site
from tests.lab.topology import Topology

_building_times: list[str] = []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    reason = unavailable()
    if reason is not None and item.get_closest_marker("lab"):
        not_run(reason, in_ci=bool(os.environ.get("CI")))


def not_run(reason: str, *, in_ci: bool) -> None:
    """A test without its lab is skipped on a developer's machine, and fails in CI, which is made for running it."""
    if in_ci:
        pytest.fail(f"CI must run the lab, but {reason}", pytrace=False)
    pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _building_times:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def matrix() -> Iterator[Lab]:
    """client - r1 - r2 - server, which matrix.CASES is about."""
    yield from _built(MATRIX)


@pytest.fixture(scope="session")
def dcos() -> Iterator[Lab]:
    """A healthy DC/OS site with IPv4 and IPv6."""
    yield from _built(dcos_site(ipv6=True))


def _built(topology: Topology) -> Iterator[Lab]:
    with build(topology) as lab:
        _building_times.append(f"lab {topology.name}: {len(topology.present)} nodes built in {lab.built_in_s:.2f} s")
        yield lab
