"""Targets whose random bytes are known: 01 02 03 ..."""

from __future__ import annotations

import pytest

from portcheck.model import Secrets
from portcheck.probes import Target


def draw(count: int) -> bytes:
    """01 02 03 ...: every id of two bytes is 0102, every id of four is 01020304."""
    return bytes(range(1, count + 1))


def made_target(
    address: str = "192.0.2.7", port: int = 0, source_address: str | None = None, secrets: Secrets | None = None
) -> Target:
    ours = source_address or ("2001:db8::1" if ":" in address else "192.0.2.1")
    return Target(address, port, ours, secrets or Secrets(), draw)


@pytest.fixture
def target() -> Target:
    return made_target()
