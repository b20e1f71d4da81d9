"""HTTP/1.1 (RFC 9112). A HEAD changes nothing and is answered without a body; any status is an answer."""

from __future__ import annotations

import io
import re
from http.client import HTTPException, HTTPResponse
from socket import socket
from typing import cast

from portcheck.verify.language import Server

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,253}")
"""What may stand in a request. The host's name comes from a file that anybody may have written."""


def request(server: Server) -> bytes:
    lines = (
        "HEAD / HTTP/1.1",
        f"Host: {_host(server)}",
        "User-Agent: portcheck",
        "Accept: */*",
        "Connection: close",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")


def _host(server: Server) -> str:
    address = server.address.partition("%")[0]
    name = dns_name(server.host) or (f"[{address}]" if ":" in address else address)
    return f"{name}:{server.port}"


def dns_name(host: str) -> str | None:
    """The host's name where it can be one of DNS: with a dot, and no address."""
    looks_like_one = _NAME.fullmatch(host) and "." in host.strip(".") and not host.rpartition(".")[2].isdigit()
    return host if looks_like_one else None


def interpret(request: bytes, reply: bytes) -> str | None:
    response = HTTPResponse(cast(socket, _Received(reply)), method="HEAD")
    try:
        response.begin()
    except (HTTPException, OSError, ValueError):
        return None
    server = response.headers.get("Server", "").strip()
    return f"HTTP {response.status}, Server: {server}" if server else f"HTTP {response.status}"


def whole(reply: bytes) -> bool:
    return b"\r\n\r\n" in reply or b"\n\n" in reply


class _Received:
    """What HTTPResponse takes for a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)
