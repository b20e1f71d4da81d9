"""SQL Server Browser ([MC-SQLR]). scapy has no layer for it."""

from __future__ import annotations

import struct
from itertools import pairwise

from portcheck.printable import quoted
from portcheck.probes.target import Target

_LIST_INSTANCES, _ANSWER = b"\x03", 0x05
_CUT = 2048
"""What is left of a longer reply (portcheck.engine.probe.Reply)."""


def payloads(target: Target) -> tuple[bytes, ...]:
    """CLNT_UCAST_EX (section 2.2.2): one byte, and the answer names every instance."""
    return (_LIST_INSTANCES,)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """SVR_RESP (section 2.2.5): the length, then `ServerName;X;InstanceName;Y;..;;` for each instance."""
    if len(reply) < 3 or reply[0] != _ANSWER:
        return None
    length = struct.unpack_from("<H", reply, 1)[0]
    if length != len(reply) - 3 and not (len(reply) == _CUT < length + 3):
        return None
    fields = reply[3:].decode("utf-8", "replace").split(";")
    named = [value for key, value in pairwise(fields) if key == "InstanceName"]
    if not named:
        return "SQL Server Browser, no instance"
    more = f" and {len(named) - 1} more" if len(named) > 1 else ""
    return f"SQL Server Browser, instance {quoted(named[0], 30)}{more}"
