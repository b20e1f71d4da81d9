"""SSDP: the search of UPnP (UPnP Device Architecture 2.0, section 1.3.2), sent to one machine."""

from __future__ import annotations

from portcheck.printable import printable
from portcheck.probes.headers import in_uri, read_answer
from portcheck.probes.target import Target


def payloads(target: Target) -> tuple[bytes, ...]:
    """Only root devices are asked for: `ssdp:all` brings several datagrams."""
    lines = (
        "M-SEARCH * HTTP/1.1",
        f"HOST: {in_uri(target.address, target.port)}",
        'MAN: "ssdp:discover"',
        # Version 1.0 is silent without; a server that is asked by unicast does not wait.
        "MX: 1",
        "ST: upnp:rootdevice",
        "",
        "",
    )
    return ("\r\n".join(lines).encode(),)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    answer = read_answer(b"HTTP/1.1", reply)
    if answer is None or answer.code != 200 or not {"st", "usn", "location"} & answer.fields.keys():
        return None
    server = answer.fields.get("server")
    return f"UPnP device, {printable(server, 80)}" if server else "UPnP device"
