"""What asyncio's `sock_connect` says of ports: arguments are an address and a range of ports, 1000-1999.

The peer in the job about ICMP errors that another CPU handles: it asks for the error queue, as who wants to know the
sender must, and takes SO_ERROR's word for a connection, as asyncio does. Prints {address: {port: "connected", "silence"
or the name of the error}}.
"""

import asyncio
import errno
import json
import socket
import sys

LONGEST_S = 3.3
IP_RECVERR, IPV6_RECVERR = 11, 25
"""Of linux/in.h and linux/in6.h; Python has no names for them."""


async def connect(address: str, port: int) -> str:
    six = ":" in address
    with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        if six:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(sock, (address, port)), LONGEST_S)
        except TimeoutError:
            return "silence"
        except OSError as error:
            return errno.errorcode.get(error.errno or 0, "unnamed")
        return "connected"


async def main() -> None:
    address, first, last = sys.argv[1], *map(int, sys.argv[2].split("-"))
    # One at a time: with more, the loop is busy with another one while the kernel catches up, and the race is hidden.
    outcomes = {port: await connect(address, port) for port in range(first, last + 1)}
    sys.stdout.write(json.dumps({address: outcomes}))


if __name__ == "__main__":
    asyncio.run(main())
