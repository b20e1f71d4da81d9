"""The program that runs on every node with listeners: opens them all, says "ready", answers, counts.

Run as a file by an isolated interpreter, hence standard library only. Standard input comes from the owner: the
first line is a JSON list of {"port", "transport", "bind", "answer"}; every further line asks for the counts,
which come back as one line of JSON, [[transport, port, count]…]; its end, also that of a killed owner, ends the
program.
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
from typing import Any

BACKLOG = 4096
NTP_SINCE_1900_S = 2_208_988_800
CONTROL = "control"
PEER = "peer"

TCP_ANSWERS = ("keep", "close", "reset")


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


UDP_ANSWERS: dict[str, Callable[[bytes], bytes]] = {
    "echo": lambda request: request,
    "dns": _dns_refusal,
    "ntp": _ntp_reply,
    "silent": lambda request: b"",
}

Key = tuple[str, int, str]
"""What a listening socket is: transport, port, answer."""


def _open(listener: dict[str, Any]) -> Iterator[tuple[socket.socket, Key]]:
    """Every socket of one listener: without `bind`, one for each family."""
    stream = listener["transport"] == "tcp"
    kind = socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
    for address in [listener["bind"]] if listener["bind"] else ["0.0.0.0", "::"]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, kind)
        if stream:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, listener["port"]))
        if stream:
            sock.listen(BACKLOG)
        sock.setblocking(False)
        yield sock, (listener["transport"], listener["port"], listener["answer"])


def _accept(sock: socket.socket, key: Key, selector: selectors.BaseSelector, counts: Counter[Key]) -> None:
    while True:
        try:
            peer, _ = sock.accept()
        except BlockingIOError:
            return
        except OSError:  # the peer reset the connection before we took it off the queue: it was open all the same
            counts[key] += 1
            continue
        counts[key] += 1
        if key[2] == "keep":
            peer.setblocking(False)
            selector.register(peer, selectors.EVENT_READ, PEER)
            continue
        if key[2] == "reset":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()


def _answer(sock: socket.socket, key: Key, counts: Counter[Key]) -> None:
    while True:
        try:
            request, sender = sock.recvfrom(65535)
        except BlockingIOError:
            return
        counts[key] += 1
        reply = UDP_ANSWERS[key[2]](request)
        if reply:
            # Full buffers and vanished senders lose a datagram, as on any network.
            with contextlib.suppress(OSError):
                sock.sendto(reply, sender)


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


def _serve(ready: selectors.SelectorKey, selector: selectors.BaseSelector, counts: Counter[Key]) -> None:
    assert isinstance(ready.fileobj, socket.socket)
    if ready.data is PEER:
        _drain(ready.fileobj, selector)
    elif ready.data[0] == "tcp":
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
    counts: Counter[Key] = Counter()
    for listener in json.loads(sys.stdin.buffer.readline()):
        for sock, key in _open(listener):
            selector.register(sock, selectors.EVENT_READ, key)
    selector.register(sys.stdin.buffer.fileno(), selectors.EVENT_READ, CONTROL)
    _tell("ready")
    while True:
        for ready, _ in selector.select():
            if ready.data is CONTROL:
                asked = os.read(ready.fd, 4096)
                if not asked:
                    return
                for _line in range(asked.count(b"\n")):
                    _tell(json.dumps([[transport, port, n] for (transport, port, _), n in counts.items()]))
                continue
            _serve(ready, selector, counts)


if __name__ == "__main__":
    main()
