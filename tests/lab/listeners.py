"""The program that runs on every node with listeners: opens them all, says "ready", answers, counts.

Run as a file by an isolated interpreter, hence standard library only. Standard input comes from the owner: the
first line is a JSON list of {"port", "transport", "bind", "answer", "answer_from"}; every further line asks for the
counts, which come back as one line of JSON, [[transport, port, count]…]; its end, also that of a killed owner, ends
the program.
"""

import contextlib
import json
import os
import resource
import selectors
import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

BACKLOG = 4096
NTP_SINCE_1900_S = 2_208_988_800
CONTROL = "control"
PEER = "peer"


def _dns_refusal(query: bytes) -> bytes:
    """The query's header as a response with rcode NOTIMP (RFC 1035 4.1.1): QR set, no records."""
    if len(query) < 12:
        return b""
    return query[:2] + bytes((query[2] | 0x80, 4)) + bytes(8)


def _ntp_reply(request: bytes) -> bytes:
    """A server's reply of stratum 10 (RFC 5905 7.3): mode 4, our transmit time, the client's as originate."""
    if len(request) < 48:
        return b""
    now = struct.pack("!II", NTP_SINCE_1900_S, 0)
    header = bytes((0x24, 10, request[2], 0xEC)) + bytes(8) + b"LOCL" + now
    return header + request[40:48] + now + now


def _tftp_error(request: bytes) -> bytes:
    """ "File not found" (RFC 1350 section 5, opcode 5, code 1), whatever was asked."""
    return b"\x00\x05\x00\x01File not found\x00"


UDP_ANSWERS: dict[str, Callable[[bytes], bytes]] = {
    "hello": lambda request: b"hello",
    "echo": lambda request: request,
    "dns": _dns_refusal,
    "ntp": _ntp_reply,
    "tftp": _tftp_error,
    "silent": lambda request: b"",
}

FROM_ANOTHER_PORT = ("tftp",)

PROTOCOLS = {"gre": 47, "esp": 50, "ah": 51}
"""IANA's numbers of what has no ports."""


class Ear(NamedTuple):
    """A listening socket. `voice` is the socket that a datagram's answer leaves by."""

    transport: str
    port: int
    answer: str
    voice: socket.socket

    @property
    def counted_as(self) -> tuple[str, int]:
        return self.transport, self.port


Counts = Counter[tuple[str, int]]


def _open(listener: dict[str, Any]) -> Iterator[tuple[socket.socket, Ear]]:
    """Every socket of one listener: without `bind`, one for each family."""
    transport, port, answer = listener["transport"], listener["port"], listener["answer"]
    for address in [listener["bind"]] if listener["bind"] else ["0.0.0.0", "::"]:
        sock = voice = _bound(transport, address, port)
        if listener["answer_from"]:
            voice = _bound(transport, listener["answer_from"], port)
        elif answer in FROM_ANOTHER_PORT:
            voice = _bound(transport, address, 0)
        yield sock, Ear(transport, port, answer, voice)


def _bound(transport: str, address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if transport in PROTOCOLS:
        sock = socket.socket(family, socket.SOCK_RAW, PROTOCOLS[transport])
    else:
        sock = socket.socket(family, socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM)
    if transport == "tcp":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6 and transport not in PROTOCOLS:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((address, port))
    if transport == "tcp":
        sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock


def _accept(sock: socket.socket, ear: Ear, selector: selectors.BaseSelector, counts: Counts) -> None:
    while True:
        try:
            peer, _ = sock.accept()
        except BlockingIOError:
            return
        except OSError:  # the peer reset the connection before we took it off the queue: it was open all the same
            counts[ear.counted_as] += 1
            continue
        counts[ear.counted_as] += 1
        if ear.answer == "keep":
            peer.setblocking(False)
            selector.register(peer, selectors.EVENT_READ, PEER)
            continue
        if ear.answer == "reset":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()


def _answer(sock: socket.socket, ear: Ear, counts: Counts) -> None:
    while True:
        try:
            request, sender = sock.recvfrom(65535)
        except BlockingIOError:
            return
        counts[ear.counted_as] += 1
        # Full buffers and vanished senders lose a datagram, as on any network.
        with contextlib.suppress(OSError):
            if ear.transport in PROTOCOLS:
                _answer_packet(sock, ear, request, sender)
            elif reply := UDP_ANSWERS[ear.answer](request):
                ear.voice.sendto(reply, sender)


def _answer_packet(sock: socket.socket, ear: Ear, packet: bytes, sender: Any) -> None:
    """What a packet of a protocol without ports meets. Over IPv4 it comes with its IP header."""
    header = (packet[0] & 15) * 4 if sock.family == socket.AF_INET else 0
    if ear.answer == "echo":
        sock.sendto(packet[header:], sender)
    elif ear.answer == "unreachable":
        error = _protocol_error_4(packet) if header else _protocol_error_6(sock, ear, packet, sender)
        protocol = socket.IPPROTO_ICMP if header else socket.IPPROTO_ICMPV6
        with socket.socket(sock.family, socket.SOCK_RAW, protocol) as voice:
            voice.bind(sock.getsockname())
            voice.sendto(error, sender)


def _protocol_error_4(packet: bytes) -> bytes:
    """Type 3, code 2, with the packet that it is about (RFC 792); the checksum is RFC 1071's."""
    error = struct.pack("!BBHI", 3, 2, 0, 0) + packet[:64]
    error += bytes(len(error) % 2)
    total = sum(struct.unpack(f"!{len(error) // 2}H", error))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return error[:2] + struct.pack("!H", ~total & 0xFFFF) + error[4:]


def _protocol_error_6(sock: socket.socket, ear: Ear, payload: bytes, sender: Any) -> bytes:
    """Type 4, code 1 at the next-header field (RFC 4443 section 3.4); the kernel fills in the checksum."""
    ends = (socket.inet_pton(socket.AF_INET6, end[0]) for end in (sender, sock.getsockname()))
    header = struct.pack("!IHBB", 6 << 28, len(payload), PROTOCOLS[ear.transport], 64) + b"".join(ends)
    return struct.pack("!BBHI", 4, 1, 0, 6) + header + payload[:64]


def _drain(peer: socket.socket, selector: selectors.BaseSelector) -> None:
    """Reads and forgets what a kept connection says; lets go of it when the peer does."""
    try:
        if peer.recv(65536):
            return
    except BlockingIOError:
        return
    except OSError:
        pass
    selector.unregister(peer)
    peer.close()


def _serve(ready: selectors.SelectorKey, selector: selectors.BaseSelector, counts: Counts) -> None:
    assert isinstance(ready.fileobj, socket.socket)
    if ready.data is PEER:
        _drain(ready.fileobj, selector)
    elif ready.data.transport == "tcp":
        _accept(ready.fileobj, ready.data, selector, counts)
    else:
        _answer(ready.fileobj, ready.data, counts)


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))
    selector = selectors.DefaultSelector()
    counts: Counts = Counter()
    for listener in json.loads(sys.stdin.buffer.readline()):
        for sock, ear in _open(listener):
            selector.register(sock, selectors.EVENT_READ, ear)
    selector.register(sys.stdin.buffer.fileno(), selectors.EVENT_READ, CONTROL)
    _tell("ready")
    while True:
        for ready, _ in selector.select():
            if ready.data is CONTROL:
                asked = os.read(ready.fd, 4096)
                if not asked:
                    return
                for _line in range(asked.count(b"\n")):
                    _tell(json.dumps([[transport, port, n] for (transport, port), n in counts.items()]))
                continue
            _serve(ready, selector, counts)


if __name__ == "__main__":
    main()
