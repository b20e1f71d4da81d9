"""Microsoft RPC ([MS-RPCE], C706 chapter 12): a bind to the endpoint mapper, and no call."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.verify.language import Server

_ENDPOINT_MAPPER = UUID("e1af8308-5d1f-11c9-91a4-08002b14a0fa")
_NDR = UUID("8a885d04-1ceb-11c9-9fe8-08002b104860")
_BIND, _BIND_ACK, _BIND_NAK, _FAULT = 11, 12, 13, 3
_LONGEST_READ = 512


def request(server: Server) -> bytes:
    with scapy_quietly():
        from scapy.layers.dcerpc import (
            DceRpc5,
            DceRpc5AbstractSyntax,
            DceRpc5Bind,
            DceRpc5Context,
            DceRpc5TransferSyntax,
        )
    endpoint_mapper = DceRpc5AbstractSyntax(if_uuid=_ENDPOINT_MAPPER, if_version=3)  # type: ignore[no-untyped-call]
    encoding = DceRpc5TransferSyntax(if_uuid=_NDR, if_version=2)  # type: ignore[no-untyped-call]
    context = DceRpc5Context(abstract_syntax=endpoint_mapper, transfer_syntaxes=[encoding])  # type: ignore[no-untyped-call]
    return bytes(DceRpc5(ptype=_BIND, call_id=1) / DceRpc5Bind(context_elem=[context]))


def whole(reply: bytes) -> bool:
    return len(reply) >= 16 and len(reply) >= int.from_bytes(reply[8:10], _order(reply))


def interpret(request: bytes, reply: bytes) -> str | None:
    if len(reply) < 16 or reply[0] != 5 or int.from_bytes(reply[12:16], _order(reply)) != 1:
        return None
    if reply[2] in (_BIND_NAK, _FAULT):
        return "Microsoft RPC, refuses a bind"
    if reply[2] != _BIND_ACK or len(reply) > _LONGEST_READ:
        return None
    with scapy_quietly():
        from scapy.layers.dcerpc import DceRpc5, DceRpc5BindAck
    results = DceRpc5(reply)[DceRpc5BindAck].results
    accepted = bool(results) and results[0].result == 0
    return "Microsoft RPC endpoint mapper" if accepted else "Microsoft RPC, no endpoint mapper"


def _order(reply: bytes) -> Literal["little", "big"]:
    """C706 section 14.1: the first half of the data representation."""
    return "little" if reply[4] & 0xF0 else "big"
