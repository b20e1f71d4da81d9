"""Other cores for the largest sweeps: a process of its own that finds the ports which plainly refuse.

A refusal is the one answer that is final at once, so it is the one that can be found elsewhere: whatever a scout
does not hear refused is asked by the engine, with all that belongs to it. One core of CPython makes some 60,000
connects a second, of which the kernel's part is half; nmap, in C, is held back by the kernel alone.
"""

import os
import select
import subprocess
import sys
import time
from array import array
from contextlib import suppress
from typing import Dict, List, Optional, Sequence

from .addresses import family_of, socket_address
from .connection import REFUSED, Connector, Socket, with_port

_BATCH = 256
_MOST_OPEN = 2000
_LISTENED_S = 0.25
"""How long after its last refusal a scout goes on listening."""
_START = "import sys; sys.path.insert(0, {!r}); from {} import main; main({!r}, {!r})"


def cores() -> int:
    """How many processes can run at the same time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


class Scout:
    """The engine's end: a scout under way to some ports of one address.

    Attributes:
        ports: what it was sent to.
    """

    def __init__(self, address: str, source_address: Optional[str], ports: "array[int]") -> None:
        """
        Raises:
            OSError: no process, no descriptor.
        """
        self.ports = ports
        package = __name__.split(".")
        top = os.path.dirname(os.path.abspath(__file__))
        for _ in package[:-1]:
            top = os.path.dirname(top)
        # Isolated, and in a session of its own: Ctrl-C is for the engine, which ends its scouts.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START.format(top, __name__, address, source_address)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._out = self._process.stdout
        self._heard = bytearray()
        try:
            self._process.stdin.write(ports.tobytes())  # At most 128 KiB, which it reads before it does anything.
            self._process.stdin.close()
        except OSError:
            self.end()
            raise

    def fileno(self) -> int:
        return self._out.fileno()

    def refused(self) -> "Optional[array[int]]":
        """Call when there is something to read: the refused ports when it has come back, None before that."""
        data = os.read(self._out.fileno(), 1 << 17)
        if data:
            self._heard += data
            return None
        found = array("H")
        if len(self._heard) % found.itemsize == 0:
            found.frombytes(bytes(self._heard))
        return array("H", set(found) & set(self.ports))

    def end(self) -> None:
        """End it, if it has not ended by itself."""
        self._process.kill()
        self._out.close()
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        self._process.wait()


def main(address: str, source_address: Optional[str]) -> None:
    """The scout's end: ports on stdin, refused ports on stdout."""
    ports = array("H")
    ports.frombytes(sys.stdin.buffer.read())
    sys.stdout.buffer.write(find_refused(address, source_address, ports).tobytes())


def find_refused(address: str, source_address: Optional[str], ports: Sequence[int]) -> "array[int]":
    """Those of the ports that answer the first SYN with an RST.

    A shortage of our own ends the search: what was not found is not lost, the engine asks it.
    """
    connector, family = Connector(portable=False), family_of(address)
    destination = socket_address(address, 0)
    found = array("H")
    waiting: Dict[int, int] = {}
    sockets: List[Socket] = []
    epoll = select.epoll()
    by_fd: Dict[int, Socket] = {}
    heard_at = time.monotonic()
    following = iter(ports)
    exhausted = False
    while not exhausted or (by_fd and time.monotonic() - heard_at < _LISTENED_S):
        for _ in range(0 if exhausted else min(_BATCH, _MOST_OPEN - len(by_fd))):
            port = next(following, None)
            if port is None:
                exhausted = True
                break
            try:
                sock = connector.socket_for(family, source_address)
            except OSError:
                exhausted = True
                break
            sock.connect_ex(with_port(destination, port))
            if connector.hear(sock) is REFUSED:
                found.append(port)
                sock.close()
                heard_at = time.monotonic()
            else:
                by_fd[sock.fileno()] = sock
                waiting[sock.fileno()] = port
                epoll.register(sock.fileno(), select.EPOLLOUT)
        if len(by_fd) >= _MOST_OPEN and time.monotonic() - heard_at >= _LISTENED_S:
            break
        for fd, _ in epoll.poll(0.01 if by_fd and (exhausted or len(by_fd) >= _MOST_OPEN) else 0):
            refused = connector.hear(by_fd[fd]) is REFUSED
            if refused:
                found.append(waiting[fd])
                heard_at = time.monotonic()
            del waiting[fd]
            sockets.append(by_fd.pop(fd))
            epoll.unregister(fd)
    return found
