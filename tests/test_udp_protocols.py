"""What the manual says of real servers: kept by the lab's script, and still what the lab demands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from portcheck.probes.registry import CODECS
from portcheck.protocols import PROTOCOLS
from tests.lab.known_servers import Row, rows
from tests.lab.real_servers import ALL, RESULTS, key

KEPT: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text(encoding="utf-8"))
ROWS = tuple(rows(ALL))


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_server_was_asked_and_answered_as_it_must(row: Row) -> None:
    kept = KEPT[key(row)][row.family]
    assert row.agrees(kept["answer"]), kept
    assert kept["state"] == ("open|filtered" if row.said is None else "open")


def test_nothing_is_kept_of_servers_that_are_gone() -> None:
    assert set(KEPT) == {key(row) for row in ROWS}


def test_every_request_was_understood_by_somebody() -> None:
    understood = {seen["speaks"] for kept in KEPT.values() for seen in (kept.get("ipv4"), kept.get("ipv6")) if seen}
    asked = {name for name in CODECS if name in PROTOCOLS}
    # What Windows clusters say is not public.
    assert asked - understood == {"ms-cluster"}
