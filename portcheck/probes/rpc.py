"""ONC RPC (RFC 5531): rpcbind, NFS and MOUNT are asked for procedure 0, which does nothing in every program."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.probes.target import Target

_REPLY = 1
_ACCEPTED, _DENIED = 0, 1
_SUCCESS, _PROGRAM_MISMATCH = 0, 2
_RPC_MISMATCH, _AUTHENTICATION = 0, 1
_LONGEST_VERIFIER = 400


@dataclass(frozen=True, slots=True)
class Program:
    """A program (RFC 5531 section 8.3).

    Attributes:
        name: as the answer calls it.
        number, versions: what is called; the first version first.
    """

    name: str
    number: int
    versions: tuple[int, ...]

    def payloads(self, target: Target) -> tuple[bytes, ...]:
        with scapy_quietly():
            from scapy.contrib.oncrpc import RPC, RPC_Call
        first = int.from_bytes(target.draw(4), "big")
        # Each call has an id of its own: a server may take two with the same id for one.
        return tuple(
            bytes(
                RPC(xid=(first + later) % 2**32)
                / RPC_Call(program=self.number, pversion=version, aflavor=0, alength=0, vflavor=0, vlength=0)
            )
            for later, version in enumerate(self.versions)
        )

    def interpret(self, payloads: tuple[bytes, ...], reply: bytes) -> str | None:
        calls = [each[:4] for each in payloads]
        if len(reply) < 12 or reply[:4] not in calls or struct.unpack_from(">I", reply, 4)[0] != _REPLY:
            return None
        read = {_ACCEPTED: self._accepted, _DENIED: self._denied}.get(struct.unpack_from(">I", reply, 8)[0])
        return read and read(reply, self.versions[calls.index(reply[:4])])

    def _accepted(self, reply: bytes, version: int) -> str | None:
        """Section 9: a verifier, then how it went. "Program unavailable" is an answer of RPC, not of the program."""
        verifier = struct.unpack_from(">I", reply, 16)[0] if len(reply) >= 24 else None
        if verifier is None or verifier > _LONGEST_VERIFIER or len(reply) < 24 + verifier:
            return None
        # Without its verifier the reply is what scapy knows.
        with scapy_quietly():
            from scapy.contrib.oncrpc import RPC, RPC_Reply
        answer = RPC(reply[:12] + bytes(8) + reply[20 + verifier :])[RPC_Reply]
        if answer.accept_stat == _SUCCESS:
            return f"{self.name} version {version}"
        if answer.accept_stat == _PROGRAM_MISMATCH and len(answer.payload) >= 8:
            return f"{self.name}, {_versions(*struct.unpack_from('>II', bytes(answer.payload)))}"
        return None

    def _denied(self, reply: bytes, version: int) -> str | None:
        """Section 9: the call was not looked at, so it may be of any program; but something speaks RPC here."""
        if len(reply) < 20:
            return None
        return {_RPC_MISMATCH: "RPC: another version", _AUTHENTICATION: "RPC: access denied"}.get(
            struct.unpack_from(">I", reply, 12)[0]
        )


def _versions(low: int, high: int) -> str:
    return f"version {low}" if low == high else f"versions {low} to {high}"


RPCBIND = Program("rpcbind", 100000, (2,))
NFS = Program("NFS", 100003, (3, 4))
MOUNT = Program("MOUNT", 100005, (3,))
