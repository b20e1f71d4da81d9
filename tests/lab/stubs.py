"""Stand-ins for the servers that Debian does not have, each a few lines after its specification. They are no proof.

Run as a file by an isolated interpreter, hence standard library only, and none of portcheck's own reading of the
specifications: a stub answers only what it finds well formed. Ends with its standard input.
"""

import selectors
import socket
import struct
import sys
from collections.abc import Callable


def sql_browser(request: bytes) -> bytes:
    """[MC-SQLR] 2.2.2: CLNT_UCAST_EX is one byte; 2.2.5: SVR_RESP."""
    if request != b"\x03":
        return b""
    instance = b"ServerName;BOX;InstanceName;MSSQLSERVER;IsClustered;No;Version;15.0.2000.5;tcp;1433;;"
    return b"\x05" + struct.pack("<H", len(instance)) + instance


def msmq_ping(request: bytes) -> bytes:
    """[MS-MQQB] 2.2.7: flags, signature, cookie, GUID; the answer has the same cookie and our GUID."""
    if len(request) != 24 or request[:4] != bytes.fromhex("00004855"):
        return b""
    return request[:8] + bytes(range(16))


def madcap(request: bytes) -> bytes:
    """RFC 2730 2.2: version, type, family, transaction, options; GETINFO must have a lease identifier (2.2.2)."""
    if len(request) < 8 or request[:2] != b"\x00\x08":
        return b""
    options, rest = {}, request[8:]
    while len(rest) >= 4:
        code, length = struct.unpack_from(">HH", rest)
        options[code], rest = rest[4 : 4 + length], rest[4 + length :]
    if rest or options.get(0) != b"" or 3 not in options:
        return b""
    lease = struct.pack(">HH", 3, len(options[3])) + options[3]
    server = struct.pack(">HHH4s", 7, 6, 1, bytes((10, 86, 1, 20)))
    return b"\x00\x05" + request[2:8] + lease + server + bytes(4)


def slp(request: bytes) -> bytes:
    """RFC 2608 8.1 and 8.2: SrvRqst with five strings; an SrvRply without any service."""
    if len(request) < 16 or request[:2] != b"\x02\x01" or int.from_bytes(request[2:5], "big") != len(request):
        return b""
    language = request[14 : 14 + struct.unpack_from(">H", request, 12)[0]]
    rest = request[14 + len(language) :]
    for _ in range(5):
        if len(rest) < 2:
            return b""
        rest = rest[2 + struct.unpack_from(">H", rest)[0] :]
    body = struct.pack(">H", len(language)) + language + bytes(4)
    header = b"\x02\x02" + (12 + len(body)).to_bytes(3, "big") + bytes(5) + request[10:12]
    return b"" if rest else header + body


def quake(request: bytes) -> bytes:
    """net_dgrm.c: CCREQ_SERVER_INFO, then CCREP_SERVER_INFO with address, name, level, players, at most, protocol."""
    if request != b"\x80\x00" + struct.pack(">H", len(request)) + b"\x02QUAKE\0\x03":
        return b""
    body = b"\x83box:26000\0a stub\0start\0" + bytes((0, 8, 3))
    return b"\x80\x00" + struct.pack(">H", 4 + len(body)) + body


def source_query(request: bytes) -> bytes:
    """A2S_INFO, answered with a challenge that must be repeated (S2C_CHALLENGE), as servers do since 2020."""
    return b"\xff\xff\xff\xffA\x01\x02\x03\x04" if request == b"\xff\xff\xff\xffTSource Engine Query\0" else b""


STUBS: dict[int, Callable[[bytes], bytes]] = {
    # RFC 866 and RFC 865: whatever comes is answered.
    11: lambda request: b"alice    tty1\r\n",
    17: lambda request: b"Silence is not an answer.\r\n",
    427: slp,
    1434: sql_browser,
    1801: msmq_ping,
    2535: madcap,
    26000: quake,
    27015: source_query,
}


def main() -> None:
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin.buffer.fileno(), selectors.EVENT_READ)
    for port, answer in STUBS.items():
        for family in (socket.AF_INET, socket.AF_INET6):
            sock = socket.socket(family, socket.SOCK_DGRAM)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(("", port))
            selector.register(sock, selectors.EVENT_READ, answer)
    while True:
        for ready, _ in selector.select():
            if not isinstance(ready.fileobj, socket.socket):
                return
            request, sender = ready.fileobj.recvfrom(65535)
            reply = ready.data(request)
            if reply:
                ready.fileobj.sendto(reply, sender)


if __name__ == "__main__":
    main()
