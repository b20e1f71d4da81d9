"""Linux: a socket under a flood lets the kernel drop what is no request of ours, by its length and first bytes.

Without it garbage fills the receive buffer, and a request to that very port is lost with whatever finds no room. Any
user may give a socket of his such a program (socket(7), SO_ATTACH_FILTER; Linux's networking/filter.rst).
"""

import array
import socket
import struct

from . import token
from .connection import LINUX

_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27  # asm-generic/socket.h
_INSTRUCTION = struct.Struct("=HBBI")  # linux/filter.h: struct sock_filter
_PROGRAM = struct.Struct("@HP")  # struct sock_fprog
_LENGTH, _WORD, _EQUAL, _RETURN = 0x80, 0x20, 0x15, 0x06  # linux/bpf_common.h
_UDP_HEADER_BYTES = 8
_WORD_BYTES = 4


def drop_garbage(sock: socket.socket) -> bool:
    """From now on nothing but requests arrives; False where the platform cannot do that."""
    if not LINUX:
        return False
    instructions = array.array("B", _instructions())
    address, size = instructions.buffer_info()
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, _PROGRAM.pack(size // _INSTRUCTION.size, address))
    except OSError:
        return False
    return True


def let_everything_in(sock: socket.socket) -> None:
    """Take the program away again."""
    sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


def _instructions() -> bytes:
    """Of one of the two lengths, and every word of the magic is there; else the last instruction drops it."""
    magic = range(0, len(token.MAGIC) // _WORD_BYTES * _WORD_BYTES, _WORD_BYTES)
    to_the_end = 2 * len(magic) + 1
    program = [
        (_LENGTH, 0, 0, 0),
        (_EQUAL, 1, 0, _UDP_HEADER_BYTES + token.REQUEST_BYTES),
        (_EQUAL, 0, to_the_end, _UDP_HEADER_BYTES + token.PAGE_BYTES),
    ]
    for at in magic:
        to_the_end -= 2
        word = int.from_bytes(token.MAGIC[at : at + _WORD_BYTES], "big")
        program += [(_WORD, 0, 0, _UDP_HEADER_BYTES + at), (_EQUAL, 0, to_the_end, word)]
    program += [(_RETURN, 0, 0, 0xFFFFFFFF), (_RETURN, 0, 0, 0)]
    return b"".join(_INSTRUCTION.pack(*each) for each in program)
