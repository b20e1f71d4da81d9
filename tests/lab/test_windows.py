"""A domain controller as a member of its domain sees it: healthy, with one port dropped, with a guest on 12345."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial

import pytest

from portcheck.model import Finding, Outcome
from tests.lab import runs
from tests.lab.build import Lab, build
from tests.lab.runs import Result
from tests.lab.windows import CONTROLLER_TCP, DROPPED, DYNAMIC_RPC, GUEST, WITH_WINDOWS, windows_site, windows_yaml

pytestmark = pytest.mark.lab

TCP = ("--transport", "tcp")


def check(lab: Lab, *args: str) -> Result:
    path = lab.home / "site.yaml"
    path.write_text(windows_yaml(lab))
    return runs.check(lab, "pc", "-s", str(path), *TCP, *args)


@pytest.fixture(scope="module")
def results() -> Iterator[Mapping[str, Result]]:
    with ExitStack() as stack:
        healthy = stack.enter_context(build(windows_site()))
        dropped = stack.enter_context(build(windows_site(dropped=DROPPED)))
        guest = stack.enter_context(build(windows_site(opened=[GUEST])))
        yield runs.named(
            {
                "healthy": partial(check, healthy),
                "dropped": partial(check, dropped),
                "guest": partial(check, guest, "--sweep", "common", "--speed", "fast"),
                "guest, warn": partial(check, guest, "--sweep", str(GUEST), "--unexpected", "warn"),
                "guest, ignore": partial(check, guest, "--sweep", str(GUEST), "--unexpected", "ignore"),
                "dynamic": partial(check, healthy, "--sweep", "49000-65535", "--speed", "fast"),
            }
        )


def bad(result: Result) -> list[tuple[int, str, str]]:
    """Port, outcome and finding of every check that did not pass and is not just information."""
    well = (Outcome.PASS, Outcome.INFO)
    return [(c["port"], c["outcome"], c["finding"]) for c in result.checks if c["outcome"] not in well]


def test_a_healthy_controller_is_all_right(results: Mapping[str, Result]) -> None:
    healthy = results["healthy"]
    assert (healthy.status, bad(healthy)) == (0, [])
    required = {c["port"] for c in healthy.checks if c["expect"] == "reachable" and c["state"] == "open"}
    assert required == set(CONTROLLER_TCP)


def test_what_windows_itself_has_open_is_not_unexpected(results: Mapping[str, Result]) -> None:
    found = {c["port"]: c["outcome"] for c in results["healthy"].checks if c["port"] in WITH_WINDOWS}
    assert found == dict.fromkeys(WITH_WINDOWS, Outcome.INFO)


def test_one_dropped_port_is_reported_and_nothing_else(results: Mapping[str, Result]) -> None:
    dropped = results["dropped"]
    # Windows drops also where nothing listens, so which of the two it is cannot be seen from outside.
    assert bad(dropped) == [(DROPPED, Outcome.FAIL, Finding.NO_ANSWER)]
    assert dropped.status == 1
    [diagnosis] = dropped.run["diagnosis"]
    assert diagnosis["cause"] == "no-answer"
    assert f"{DROPPED}/tcp" in diagnosis["text"]
    assert "dc" in diagnosis["text"]


def test_ports_of_the_dynamic_range_are_not_unexpected(results: Mapping[str, Result]) -> None:
    dynamic = results["dynamic"]
    assert (dynamic.status, bad(dynamic)) == (0, [])
    assert not set(DYNAMIC_RPC) & {c["port"] for c in dynamic.checks if c["finding"] == Finding.UNEXPECTED_OPEN}


def test_a_port_that_nobody_asked_for_is_found_among_the_common_ones_and_told_what_it_is_known_for(
    results: Mapping[str, Result],
) -> None:
    guest = results["guest"]
    assert bad(guest) == [(GUEST, Outcome.FAIL, Finding.UNEXPECTED_OPEN)]
    [check] = [c for c in guest.checks if c["port"] == GUEST]
    assert "Italk" in check["known_for"]
    assert "Trojans" in check["known_for"]
    [diagnosis] = guest.run["diagnosis"]
    assert any("Italk" in line for line in diagnosis["lines"])
    assert guest.status == 1


@pytest.mark.parametrize(("word", "outcome"), [("warn", Outcome.WARN), ("ignore", Outcome.INFO)])
def test_what_an_unexpected_port_counts_as_is_the_users_choice(
    results: Mapping[str, Result], word: str, outcome: Outcome
) -> None:
    run = results[f"guest, {word}"]
    [check] = [c for c in run.checks if c["port"] == GUEST]
    assert (check["outcome"], check["finding"]) == (outcome, Finding.UNEXPECTED_OPEN)
    assert run.status == 0
