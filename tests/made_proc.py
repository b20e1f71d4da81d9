"""A made /proc: sockets and the processes that hold them, in the words of proc(5)."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from portcheck.engine.socket_table import SocketTable

HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LISTENING, CONNECTED, TIME_WAIT, UNCONNECTED = "0A", "01", "06", "07"


def digits(address: str) -> str:
    """An address as this machine's kernel prints it: 32 bits at a time, as numbers."""
    packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    words = [int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, len(packed), 4)]
    return "".join(f"{word:08X}" for word in words)


ANY, ANY6, LOOPBACK, TEN = map(digits, ("0.0.0.0", "::", "127.0.0.1", "10.0.0.1"))


def line(address: str, port: int, state: str = LISTENING, uid: int = 0, inode: int = 77) -> str:
    remote = f"{TEN}:C001" if state == CONNECTED else f"{ANY}:0000"
    return (
        f"   0: {address}:{port:04X} {remote} {state} 00000000:00000000 00:00000000 00000000 "
        f"{uid:5}        0 {inode} 1 00000000fd153a3b 100 0 0 10 0\n"
    )


class Proc:
    """A /proc, as far as it is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "net").mkdir()

    def net(self, **files: Sequence[str]) -> SocketTable:
        for name in ("tcp", "tcp6", "udp", "udp6"):
            (self.folder / "net" / name).write_text(HEADING + "".join(files.get(name, ())))
        return SocketTable(str(self.folder))

    def process(self, pid: int, inodes: Sequence[int], comm: str = "", cgroup: str = "", cmdline: str = "") -> None:
        fds = self.folder / str(pid) / "fd"
        fds.mkdir(parents=True)
        (fds / "0").symlink_to("/dev/null")
        (fds / "1").symlink_to("pipe:[77]")
        for number, inode in enumerate(inodes, 3):
            (fds / str(number)).symlink_to(f"socket:[{inode}]")
        (fds.parent / "comm").write_text(comm + "\n")
        (fds.parent / "cgroup").write_text(cgroup)
        (fds.parent / "cmdline").write_text(cmdline)
