"""SYNs that arrived and were never answered, read from the kernel's table of sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from portcheck.engine.half_open import HalfOpen

HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LISTENING = "   0: 00000000:13BA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 51570968 2\n"
ARRIVED = "   1: 0200FA0A:13BA 0100FA0A:A4A4 03 00000000:00000000 01:00000030 00000000     0        0 0 0 0\n"
CONNECTED = "   2: 0200FA0A:13BA 0300FA0A:A4A5 01 00000000:00000000 01:00000030 00000000     0        0 7 0 0\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    return tmp_path


@pytest.fixture(autouse=True)
def little_endian(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines above are from x86."""
    monkeypatch.setattr("portcheck.engine.half_open.address_of", lambda words: _address_of(words))


def _address_of(words: str) -> str:
    from portcheck.engine.socket_table import address_of

    return address_of(words, "little")


def test_a_connection_that_is_half_open_arrived_and_no_other_did(proc: Path) -> None:
    (proc / "net" / "tcp").write_text(HEADING + LISTENING + ARRIVED + CONNECTED + "nonsense\n")
    half_open = HalfOpen(str(proc))
    half_open.look()
    assert half_open.by("10.250.0.1") == [("10.250.0.2", 5050)]
    assert half_open.by("10.250.0.3") == []


def test_it_is_remembered_when_the_kernel_has_given_up(proc: Path) -> None:
    table = proc / "net" / "tcp"
    table.write_text(HEADING + ARRIVED)
    half_open = HalfOpen(str(proc))
    half_open.look()
    table.write_text(HEADING)
    half_open.look()
    assert half_open.by("10.250.0.1%eth0") == [("10.250.0.2", 5050)]


def test_a_flood_takes_no_more_memory_than_a_few_thousand(proc: Path) -> None:
    lines = (ARRIVED.replace("0100FA0A", f"{number:08X}") for number in range(10_000))
    (proc / "net" / "tcp").write_text(HEADING + "".join(lines))
    half_open = HalfOpen(str(proc))
    half_open.look()
    known = sum(len(half_open.by(_address_of(f"{number:08X}"))) for number in range(10_000))
    assert known == 4096


def test_a_system_without_such_a_table_shows_nothing(tmp_path: Path) -> None:
    half_open = HalfOpen(str(tmp_path))
    half_open.look()
    assert half_open.by("10.250.0.1") == []
