"""Whom a request is for, and what it may be made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from portcheck.model import Secrets


@dataclass(frozen=True, slots=True)
class Target:
    """One port that is asked.

    Attributes:
        address: IPv4 or IPv6 literal; link-local IPv6 carries its zone.
        port: 0 for a protocol without ports.
        source_address: our address as the target will see it; None only where no protocol of ours needs it.
        secrets: what makes services answer that are silent to strangers.
        draw: that many random bytes, for what a reply must repeat: ids, nonces, cookies.
    """

    address: str
    port: int
    source_address: str | None
    secrets: Secrets
    draw: Callable[[int], bytes]
