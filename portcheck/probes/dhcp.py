"""DHCP (RFC 2131) and the PXE boot server beside it (BINL on 4011; PXE 2.1). Nothing here makes a lease.

DISCOVER would: the server reserves the address that it offers. INFORM asks for settings only, of a client that has its
address already. REQUEST to port 4011 goes to a boot server, which has no addresses.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from portcheck.printable import printable
from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.probes.target import Target

CLIENT_PORT = 68
"""ISC dhcpd and Kea send their answer there, whatever port asked (RFC 2131 section 4.1)."""

SHORTEST = 300
"""RFC 1542 section 2.1; some relays drop what is shorter."""

_BOOT_REPLY, _COOKIE = 2, bytes.fromhex("63825363")
_NAK = 6
_SETTINGS = (1, 3, 6, 15)
_PXE = b"PXEClient"


def payloads(target: Target) -> tuple[bytes, ...]:
    return (_request(target, ("message-type", "inform"), ("param_req_list", list(_SETTINGS))),)


def pxe_payloads(target: Target) -> tuple[bytes, ...]:
    """With the four options without which a boot server ignores a client (PXE 2.1 table 2-1, RFC 4578)."""
    return (
        _request(
            target,
            ("message-type", "request"),
            ("vendor_class_id", b"PXEClient:Arch:00000:UNDI:002001"),
            ("pxe_client_architecture", b"\0\0"),
            ("pxe_client_network_interface", b"\1\2\1"),
            ("pxe_client_machine_identifier", b"\0" + target.draw(16)),
        ),
    )


def _request(target: Target, *options: tuple[str, Any]) -> bytes:
    with scapy_quietly():
        from scapy.layers.dhcp import BOOTP, DHCP
    ours = target.source_address or ""
    bootp = BOOTP(
        xid=int.from_bytes(target.draw(4), "big"),
        # A locally administered address is nobody's; to look up our own, scapy would read all interfaces.
        chaddr=b"\x02" + target.draw(5),
        ciaddr=ours if ours and ip_address(ours).version == 4 else "0.0.0.0",
    )
    return bytes(bootp / DHCP(options=[*options, "end"])).ljust(SHORTEST, b"\0")


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    options = _options(payloads, reply)
    if options is None:
        return None
    if options.get("message-type") == _NAK:
        return "DHCP: refused"
    server = options.get("server_id")
    return f"DHCP server {printable(server, 15)}" if isinstance(server, str) else "DHCP server"


def pxe_interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    options = _options(payloads, reply)
    if options is None:
        return None
    vendor = options.get("vendor_class_id")
    is_pxe = isinstance(vendor, bytes) and vendor.startswith(_PXE)
    return "PXE boot server" if is_pxe else "DHCP server without PXE"


def _options(payloads: tuple[bytes, ...], reply: bytes) -> dict[str, Any] | None:
    """By scapy's names, from a BOOTP reply to our transaction; None for any other bytes (RFC 2131 section 2)."""
    if len(reply) < 240 or reply[0] != _BOOT_REPLY or reply[4:8] != payloads[0][4:8] or reply[236:240] != _COOKIE:
        return None
    with scapy_quietly():
        from scapy.layers.dhcp import BOOTP, DHCP
    dhcp = BOOTP(reply).getlayer(DHCP)
    return {each[0]: each[1] for each in dhcp.options if isinstance(each, tuple) and len(each) > 1} if dhcp else {}
