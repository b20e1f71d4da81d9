"""SYNs that arrived and were never answered, read from the kernel's table of sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from portcheck.engine.half_open import HalfOpen
from tests.made_proc import HEADING, LISTENING, digits

OURS, PEER, OTHER = map(digits, ("10.250.0.2", "10.250.0.1", "10.250.0.3"))
HALF_OPEN, CONNECTED = "03", "01"
ONCE, LATER = "A4A4", "A4A5"
"""Ports of the peer's."""


def entry(far: str = PEER, state: str = HALF_OPEN, from_port: str = ONCE) -> str:
    return f"   1: {OURS}:13BA {far}:{from_port} {state} 00000000:00000000 01:00000030 00000000     0        0 0 0 0\n"


class Watched:
    """A table of sockets that is looked at, every half second by a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "net").mkdir()
        self.now_s = 100.0
        self.half_open = HalfOpen(str(folder), lambda: self.now_s)

    def look(self, *lines: str, times: int = 1) -> None:
        (self.folder / "net" / "tcp").write_text(HEADING + "".join(lines))
        for _ in range(times):
            self.half_open.look()
            self.now_s += 0.5


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_a_connection_that_stays_half_open_arrived_and_no_other_did(watched: Watched) -> None:
    listening = entry(digits("0.0.0.0"), LISTENING)
    watched.look(listening, entry(), entry(OTHER, CONNECTED), "nonsense\n", times=2)
    assert watched.half_open.by("10.250.0.1", 60) == [("10.250.0.2", 5050)]
    assert watched.half_open.by("10.250.0.3", 60) == []


def test_a_handshake_that_is_on_its_way_is_none(watched: Watched) -> None:
    """Every connection is half open for a moment."""
    watched.look(entry())
    watched.look(entry(state=CONNECTED), entry(from_port=LATER))
    watched.look(entry(state=CONNECTED), entry(from_port=LATER, state=CONNECTED))
    assert watched.half_open.by("10.250.0.1", 60) == []


def test_it_is_remembered_when_the_kernel_has_given_up(watched: Watched) -> None:
    watched.look(entry(), times=2)
    watched.look(times=1000)
    assert watched.half_open.by("10.250.0.1%eth0", 600) == [("10.250.0.2", 5050)]


def test_what_a_run_before_this_one_left_is_none_of_its_doing(watched: Watched) -> None:
    """The kernel keeps an entry for a minute, in which somebody has mended the way back and checks again."""
    watched.look(entry(), times=20)
    began_s = watched.now_s
    watched.look(entry(), times=4)
    assert watched.half_open.by("10.250.0.1", watched.now_s - began_s) == []
    watched.look(entry(), entry(from_port=LATER), times=2)
    assert watched.half_open.by("10.250.0.1", watched.now_s - began_s) == [("10.250.0.2", 5050)]


def test_several_connections_to_one_port_are_one_arrival(watched: Watched) -> None:
    watched.look(entry(), entry(from_port=LATER), times=2)
    assert watched.half_open.by("10.250.0.1", 60) == [("10.250.0.2", 5050)]


def test_a_flood_takes_no_more_memory_than_a_few_thousand(watched: Watched) -> None:
    peers = [f"10.{number // 65536}.{number // 256 % 256}.{number % 256}" for number in range(10_000)]
    watched.look(*(entry(digits(peer)) for peer in peers), times=2)
    watched.look(*(entry(digits(peer)) for peer in peers[-4000:]), times=2)
    assert sum(len(watched.half_open.by(peer, 60)) for peer in peers) <= 4096
    assert watched.half_open.by(peers[-1], 60) == [("10.250.0.2", 5050)]


def test_a_system_without_such_a_table_shows_nothing(tmp_path: Path) -> None:
    half_open = HalfOpen(str(tmp_path))
    half_open.look()
    assert half_open.by("10.250.0.1", 60) == []
