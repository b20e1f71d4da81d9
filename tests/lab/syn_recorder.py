"""The program that writes down every SYN that comes in by an interface, with the kernel's time of its arrival.

Run as a file by an isolated interpreter, as root, hence standard library only. It says "ready"; every line on its
standard input asks for what has come so far, which is one line of JSON: {"missed": packets that the kernel could not
keep for us, "syns": [[seconds, source, source port, target, port, sequence number]…]}. The end of its standard input
ends it.
"""

import json
import select
import socket
import struct
import sys

ETH_P_ALL = 3
PACKET_OUTGOING = 4
# linux/if_packet.h, asm-generic/socket.h; Python has no names for them.
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
BUFFER_BYTES = 64 * 1024 * 1024
SYN, ACK = 0x02, 0x10

Row = tuple[float, str, int, str, int, int]


def _syn(packet: bytes) -> tuple[str, int, str, int, int] | None:
    """Source, its port, target, port, sequence number of a SYN; None for any other packet."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and packet[9] == socket.IPPROTO_TCP:
        family, ends, tcp = socket.AF_INET, packet[12:20], packet[4 * (packet[0] & 15) :]
    elif version == 6 and packet[6] == socket.IPPROTO_TCP:
        family, ends, tcp = socket.AF_INET6, packet[8:40], packet[40:]
    else:
        return None
    if len(tcp) < 20 or tcp[13] & (SYN | ACK) != SYN:
        return None
    half = len(ends) // 2
    source_port, port, number = struct.unpack_from("!HHI", tcp)
    return socket.inet_ntop(family, ends[:half]), source_port, socket.inet_ntop(family, ends[half:]), port, number


def _drain(sock: socket.socket, rows: list[Row]) -> None:
    while True:
        try:
            packet, ancillary, _, sender = sock.recvmsg(128, 64)
        except BlockingIOError:
            return
        syn = _syn(packet) if sender[2] != PACKET_OUTGOING else None
        if syn is not None:
            seconds, nanoseconds = struct.unpack("=qq", ancillary[0][2])
            rows.append((seconds + nanoseconds / 1e9, *syn))


def _missed(sock: socket.socket) -> int:
    """Packets dropped since the last question."""
    _, dropped = struct.unpack("=II", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    return int(dropped)


def main(interface: str) -> None:
    rows: list[Row] = []
    missed = 0
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.bind((interface, ETH_P_ALL))
        sock.setblocking(False)
        print("ready", flush=True)  # noqa: T201
        while True:
            ready, _, _ = select.select([sock, sys.stdin], [], [])
            _drain(sock, rows)
            if sys.stdin in ready:
                if not sys.stdin.readline():
                    return
                missed += _missed(sock)
                print(json.dumps({"missed": missed, "syns": rows}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
