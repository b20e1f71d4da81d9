"""The protocols of TCP that a document may name under `speaks`, from the program's own table."""

from __future__ import annotations

from collections.abc import Iterator

from portcheck.engine.probe import Transport
from portcheck.protocols import PROTOCOLS, carries


def tcp_protocols() -> str:
    """Those that are spoken over TCP alone."""
    return "".join(_lines())


def _lines() -> Iterator[str]:
    yield "| `speaks` | over TCP | usual at |\n|---|---|---|\n"
    for name, protocol in PROTOCOLS.items():
        if not protocol.udp and carries(name, Transport.TCP):
            yield f"| `{name}` | {protocol.title} | {', '.join(map(str, protocol.tcp))} |\n"
