"""What is said between a check and a stand-in: requests and responses under a key that both share. Pure: no socket.

A stand-in listens in place of a service that is not installed yet. Its *echo* proves that the very request arrived,
where, and at whom; its *report*, in pages, says what else it opened. Everything is authenticated by HMAC-SHA256 and
nothing is secret: what a listener on the way can read is which ports are checked.

A request has one of two fixed lengths and a response is never longer than its request, so a stand-in over UDP
makes nobody's traffic larger. The HMAC of a response covers that of the request: no response fits another request.

    every message   magic, kind (1 byte), its whole length (2)
    request         run (8), nonce (16), transport (1), port (2), page (2), age of the run in tenths of a second (4),
                    zeros
    echo            stack (8), is it stated (1), port (2), peer's port (2), address (17), peer (17), name
    page            number (2), of how many (2), a piece of the report
    every message   HMAC (32)
"""

import hashlib
import hmac
import json
import re
import secrets
import struct
import zlib
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import islice
from math import ceil
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, TypeVar, Union

from .probe import Echo, Holder, Standing, StandInPort, StandInReport, Transport, Word

KEY_BYTES = 32
LEAST_KEY_BYTES, MOST_KEY_BYTES = 16, 64
RUN_BYTES, NONCE_BYTES = 8, 16

REQUEST_BYTES = 256
"""An echo request. An echo is never longer."""

PAGE_BYTES = 1200
"""A request for a page of the report, and the most that a page has: fits into every IPv6 path (RFC 8200 section 5)."""

MAGIC = b"portcheck stand-in 1"
"""How every message begins."""

_HEAD = struct.Struct(f">{len(MAGIC)}scH")
_ASKED = struct.Struct(f">{RUN_BYTES}s{NONCE_BYTES}scHHI")
_OLDEST = (1 << 32) - 1
"""Tenths of a second, 13 years."""
_ECHO = struct.Struct(">8s?HH17s17s")
_PAGE = struct.Struct(">HH")
_DIGEST_BYTES = 32

HEAD_BYTES = _HEAD.size
"""The first bytes of a message, which tell how long it is."""

_PIECE_BYTES = PAGE_BYTES - _HEAD.size - _PAGE.size - _DIGEST_BYTES
_NAME_BYTES = REQUEST_BYTES - _HEAD.size - _ECHO.size - _DIGEST_BYTES

_REPORT_BYTES = 1 << 20
"""The most that a report has when it is unpacked; 4,096 ports of two addresses have a twentieth of it."""

MOST_PAGES = _REPORT_BYTES // _PIECE_BYTES + 2
"""What zlib cannot pack becomes a little longer than it was."""

_MOST_ENTRIES = 1 << 17
"""Of ports, and of arrivals, in a report: "1-65535" is short, and a thousand of them are more than fits in memory."""

_TEXT_LENGTH = 300
"""Of any text in a report; a unit's name has at most 255 characters (systemd.unit(5))."""


class Kind(Word):
    """What a request asks for."""

    ECHO = "echo"
    PAGE = "page"


_REQUEST_KINDS: Dict[bytes, Kind] = {b"E": Kind.ECHO, b"P": Kind.PAGE}
_REQUEST_LENGTHS: Dict[Kind, int] = {Kind.ECHO: REQUEST_BYTES, Kind.PAGE: PAGE_BYTES}
_ECHO_KIND, _PAGE_KIND = b"e", b"p"
_MOST_OF_A_RESPONSE: Dict[bytes, int] = {_ECHO_KIND: REQUEST_BYTES, _PAGE_KIND: PAGE_BYTES}
_TRANSPORTS: Dict[bytes, Optional[Transport]] = {b"t": Transport.TCP, b"u": Transport.UDP, b"-": None}
_TRANSPORT_CODES = {transport: code for code, transport in _TRANSPORTS.items()}


@dataclass(frozen=True)
class Request:
    """What a check asks of a stand-in.

    Attributes:
        run: the same for all requests of a run, so that a report can say what of it arrived.
        transport, port: what was probed, which a router on the way may have changed; None and 0 of a page.
        page: which page of the report, from 0; 0 of an echo.
        digest: its HMAC, to which the response is bound.
        age_s: how long ago the run began, rounded up: what was seen before is none of its doing. 0 of an echo.
    """

    kind: Kind
    run: bytes
    nonce: bytes
    transport: Optional[Transport]
    port: int
    page: int
    digest: bytes
    age_s: float = 0.0


def new_key() -> bytes:
    """A key for stand-ins and checks to share."""
    return secrets.token_bytes(KEY_BYTES)


def known_as(name: str) -> str:
    """What a stand-in of this name calls itself: printable, and short enough for an echo.

    Long names that begin alike stay different, for the hash at the end.
    """
    shown = _printable(name)
    if len(shown.encode()) <= _NAME_BYTES:
        return shown
    mark = "~" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return shown.encode()[: _NAME_BYTES - len(mark)].decode("utf-8", "ignore") + mark


# ------------------------------------------------------------------------------------------------------ requests


def request(key: bytes, run: bytes, nonce: bytes, transport: Transport, port: int) -> bytes:
    """Asks whoever listens at this port for an echo."""
    return _request(key, b"E", run, nonce, transport, port, 0, 0)


def page_request(key: bytes, run: bytes, nonce: bytes, page: int, age_s: float) -> bytes:
    """Asks a stand-in, at any of its ports, for a page of its report. The run began so long ago."""
    # Upwards: the first packets of a run leave in its first tenth of a second.
    tenths = ceil(min(max(age_s, 0.0) * 10, _OLDEST))
    return _request(key, b"P", run, nonce, None, 0, page, tenths)


def _request(
    key: bytes, kind: bytes, run: bytes, nonce: bytes, transport: Optional[Transport], port: int, page: int, tenths: int
) -> bytes:
    if len(run) != RUN_BYTES or len(nonce) != NONCE_BYTES:
        raise ValueError(f"a run has {RUN_BYTES} bytes and a nonce {NONCE_BYTES}")
    length = _REQUEST_LENGTHS[_REQUEST_KINDS[kind]]
    asked = _HEAD.pack(MAGIC, kind, length) + _ASKED.pack(run, nonce, _TRANSPORT_CODES[transport], port, page, tenths)
    return _signed(key, asked.ljust(length - _DIGEST_BYTES, b"\0"))


def length_of(head: bytes) -> Optional[int]:
    """How long a request will be that begins with these bytes, HEAD_BYTES of them; None: no request of ours."""
    found = _head(head)
    kind = _REQUEST_KINDS.get(found[0]) if found is not None else None
    if found is None or kind is None or found[1] != _REQUEST_LENGTHS[kind]:
        return None
    return found[1]


def read_request(key: bytes, data: bytes) -> Optional[Request]:
    """The request; None for whatever was not made with this key. What is not ours is told by its first bytes."""
    if length_of(data) != len(data):
        return None
    digest = data[-_DIGEST_BYTES:]
    if not hmac.compare_digest(digest, _digest(key, data[:-_DIGEST_BYTES])):
        return None
    kind = _REQUEST_KINDS[_HEAD.unpack_from(data)[1]]
    run, nonce, transport, port, page, tenths = _ASKED.unpack_from(data, _HEAD.size)
    if transport not in _TRANSPORTS or (_TRANSPORTS[transport] is None) is not (kind is Kind.PAGE):
        return None
    return Request(kind, run, nonce, _TRANSPORTS[transport], port, page, digest, tenths / 10)


# ----------------------------------------------------------------------------------------------------- responses


def echo(
    key: bytes,
    request: Request,
    stack: str,
    name: str,
    is_stated: bool,
    address: str,
    port: int,
    peer: str,
    peer_port: int,
) -> bytes:
    """What a stand-in answers; the words are those of Echo. Zones of addresses are of this machine, and left out."""
    said = _ECHO.pack(bytes.fromhex(stack), is_stated, port, peer_port, _packed(address), _packed(peer))
    return _response(key, request.digest, _ECHO_KIND, said + known_as(name).encode())


def read_echo(key: bytes, sent: bytes, data: bytes) -> Optional[Echo]:
    """What a stand-in said to the request that was sent; None for anything else."""
    said = _said(key, sent, _ECHO_KIND, data)
    if said is None or len(said) < _ECHO.size:
        return None
    stack, is_stated, port, peer_port, address, peer = _ECHO.unpack_from(said)
    try:
        name = said[_ECHO.size :].decode()
        return Echo(stack.hex(), _text(name), is_stated, _unpacked(address), port, _unpacked(peer), peer_port)
    except ValueError:
        return None


def page(key: bytes, request: Request, number: int, of: int, piece: bytes) -> bytes:
    """What a stand-in answers when it is asked for a page of its report."""
    return _response(key, request.digest, _PAGE_KIND, _PAGE.pack(number, of) + piece)


def read_page(key: bytes, sent: bytes, data: bytes) -> Optional[Tuple[int, int, bytes]]:
    """Number of the page, how many there are, and what it has of the report; None for anything else."""
    said = _said(key, sent, _PAGE_KIND, data)
    if said is None or len(said) < _PAGE.size:
        return None
    number, of = _PAGE.unpack_from(said)
    return (number, of, said[_PAGE.size :]) if number < of <= MOST_PAGES else None


def response_length(head: bytes) -> Optional[int]:
    """How long a response will be that begins with these bytes, HEAD_BYTES of them; None: no response of ours."""
    found = _head(head)
    if found is None or not _HEAD.size + _DIGEST_BYTES < found[1] <= _MOST_OF_A_RESPONSE.get(found[0], 0):
        return None
    return found[1]


def may_be_response(data: bytes) -> bool:
    """Whether a response of ours may begin with these bytes, however few they are, or is all of them."""
    if len(data) >= _HEAD.size:
        return response_length(data) is not None
    return (MAGIC + data[len(MAGIC) :]).startswith(data)


def _response(key: bytes, asked: bytes, kind: bytes, said: bytes) -> bytes:
    length = _HEAD.size + len(said) + _DIGEST_BYTES
    if length > _MOST_OF_A_RESPONSE[kind]:
        raise ValueError("a response is never longer than its request")
    return _signed(key, _HEAD.pack(MAGIC, kind, length) + said, asked)


def _said(key: bytes, sent: bytes, kind: bytes, data: bytes) -> Optional[bytes]:
    """What a response has between its head and its HMAC."""
    if response_length(data) != len(data) or _HEAD.unpack_from(data)[1] != kind:
        return None
    if not hmac.compare_digest(data[-_DIGEST_BYTES:], _digest(key, data[:-_DIGEST_BYTES], sent[-_DIGEST_BYTES:])):
        return None
    return data[_HEAD.size : -_DIGEST_BYTES]


def _head(data: bytes) -> Optional[Tuple[bytes, int]]:
    """Kind and length of what begins like this."""
    if len(data) < _HEAD.size or not data.startswith(MAGIC):
        return None
    _, kind, length = _HEAD.unpack_from(data)
    return kind, length


def _signed(key: bytes, said: bytes, asked: bytes = b"") -> bytes:
    return said + _digest(key, said, asked)


def _digest(key: bytes, said: bytes, asked: bytes = b"") -> bytes:
    if not LEAST_KEY_BYTES <= len(key) <= MOST_KEY_BYTES:
        raise ValueError(f"a key has {LEAST_KEY_BYTES} to {MOST_KEY_BYTES} bytes")
    return hmac.digest(key, said + asked, "sha256")


def _packed(address: str) -> bytes:
    """Family and bytes, 17 for both families."""
    ip: Union[IPv4Address, IPv6Address, None] = ip_address(address.partition("%")[0])
    # A socket for both families calls 10.0.0.1 ::ffff:10.0.0.1 (RFC 4291 section 2.5.5.2).
    ip = getattr(ip, "ipv4_mapped", None) or ip
    assert ip is not None
    return bytes([ip.version]) + ip.packed.rjust(16, b"\0")


def _unpacked(packed: bytes) -> str:
    if packed[0] == 4:
        return str(IPv4Address(packed[-4:]))
    if packed[0] == 6:
        return str(IPv6Address(packed[1:]))
    raise ValueError("no family")


# ------------------------------------------------------------------------------------------------------ the report

_T = TypeVar("_T")
_Place = Tuple[Transport, int, str]


def pages(report: StandInReport) -> List[bytes]:
    """A report in pieces. All of one reading must be of one report: keep them while a run reads them.

    Ports come back in the order of their numbers. A report that would be too long comes without what arrived, and
    then without who holds its ports.
    """
    bare = tuple(replace(port, holder=None, detail=None) for port in report.ports)
    whole = b""
    silent = replace(report, heard=(), reached=())
    for shorter in (report, silent, replace(silent, ports=bare)):
        whole = json.dumps(_as_json(shorter), ensure_ascii=False, separators=(",", ":")).encode()
        if len(whole) <= _REPORT_BYTES:
            break
    packed = zlib.compress(whole)
    return [packed[start : start + _PIECE_BYTES] for start in range(0, len(packed), _PIECE_BYTES)]


def joined(pieces: Sequence[bytes]) -> Optional[StandInReport]:
    """The report that was sent in these pieces; None when they are none, or of several."""
    unpacking = zlib.decompressobj()
    try:
        whole = unpacking.decompress(b"".join(pieces), _REPORT_BYTES)
        if not unpacking.eof or unpacking.unused_data:
            return None
        return _from_json(json.loads(whole.decode(), parse_int=_number_of, parse_float=_refused))
    except (zlib.error, ValueError, TypeError, KeyError, RecursionError):
        return None


def _as_json(report: StandInReport) -> Dict[str, Any]:
    """As JSON has it: one entry for all ports that are alike in everything but their number."""
    ports: Dict[Tuple[Any, ...], List[int]] = {}
    for each in report.ports:
        alike = (each.transport, each.address, each.standing, each.holder, each.detail)
        ports.setdefault(alike, []).append(each.port)
    return {
        "stack": report.stack,
        "name": known_as(report.name),
        "is_stated": report.is_stated,
        "ports": [
            [_runs(numbers), transport, _cut(address), standing, _holder_as_json(holder), _cut(detail)]
            for (transport, address, standing, holder, detail), numbers in ports.items()
        ],
        "heard": _places_as_json(report.heard),
        "reached": _places_as_json(report.reached),
    }


def _places_as_json(places: Iterable[_Place]) -> List[Any]:
    ports: Dict[Tuple[Transport, str], List[int]] = {}
    for transport, port, address in places:
        ports.setdefault((transport, address), []).append(port)
    return [[_runs(numbers), transport, _cut(address)] for (transport, address), numbers in ports.items()]


def _holder_as_json(holder: Optional[Holder]) -> Optional[List[Any]]:
    if holder is None:
        return None
    process, unit = _cut(holder.process), _cut(holder.unit)
    return [_cut(holder.address), holder.connected, holder.pid, process, unit, holder.uid, holder.stand_in]


def _from_json(value: Any) -> StandInReport:
    """Raises ValueError, TypeError or KeyError for what is no report."""
    ports = (
        StandInPort(
            Transport(transport), port, _text(address), Standing(standing), _holder(holder), _text_or_none(detail)
        )
        for runs, transport, address, standing, holder, detail in _list(value["ports"])
        for port in _numbers(runs)
    )
    stack = _text(value["stack"])
    if not re.fullmatch("[0-9a-f]{16}", stack):
        raise ValueError("no stack")
    in_order = sorted(_not_too_many(ports), key=lambda each: (each.transport, each.port, each.address))
    return StandInReport(
        stack,
        _text(value["name"]),
        _flag(value["is_stated"]),
        tuple(in_order),
        _places(value["heard"]),
        _places(value["reached"]),
    )


def _places(value: Any) -> Tuple[_Place, ...]:
    places = (
        (Transport(transport), port, _text(address))
        for runs, transport, address in _list(value)
        for port in _numbers(runs)
    )
    return tuple(sorted(_not_too_many(places)))


def _holder(value: Any) -> Optional[Holder]:
    if value is None:
        return None
    address, connected, pid, process, unit, uid, stand_in = _list(value)
    return Holder(
        _text(address),
        _flag(connected),
        _number_or_none(pid),
        _text_or_none(process),
        _text_or_none(unit),
        _number_or_none(uid),
        _flag(stand_in),
    )


def _runs(ports: Iterable[int]) -> str:
    """ "80,443,8000-8010" for the ports, ascending, each once."""
    runs: List[List[int]] = []
    for port in sorted(set(ports)):
        if runs and port == runs[-1][1] + 1:
            runs[-1][1] = port
        else:
            runs.append([port, port])
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in runs)


def _numbers(runs: Any) -> Iterator[int]:
    for run in _text(runs, _REPORT_BYTES).split(","):
        if not re.fullmatch("[0-9]{1,5}(-[0-9]{1,5})?", run):
            raise ValueError("no ports")
        first, _, last = run.partition("-")
        if not 1 <= int(first) <= int(last or first) <= 65535:
            raise ValueError("no ports")
        yield from range(int(first), int(last or first) + 1)


def _not_too_many(entries: Iterator[_T]) -> List[_T]:
    taken = list(islice(entries, _MOST_ENTRIES + 1))
    if len(taken) > _MOST_ENTRIES:
        raise ValueError("too many ports")
    return taken


def _number_of(digits: str) -> int:
    """A process or user id. Reading a number takes the square of its length."""
    if len(digits) > 10:
        raise ValueError("a number that is too long")
    return int(digits)


def _refused(number: str) -> None:
    raise ValueError("a number that is not whole")


def _list(value: Any) -> List[Any]:
    if type(value) is not list:
        raise ValueError("no list")
    return value


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("neither true nor false")
    return value


def _number_or_none(value: Any) -> Optional[int]:
    if value is not None and type(value) is not int:
        raise ValueError("no number")
    return value


def _text(value: Any, most: int = _TEXT_LENGTH) -> str:
    """Texts end in reports and on terminals: nothing that one would obey, and nothing endless."""
    if type(value) is not str or len(value) > most or not value.isprintable():
        raise ValueError("no text")
    return value


def _text_or_none(value: Any) -> Optional[str]:
    return None if value is None else _text(value)


def _cut(text: Optional[str]) -> Optional[str]:
    """Safe and short enough for the reader, who would refuse the whole report: any user can name a process."""
    return None if text is None else _printable(text)[:_TEXT_LENGTH]


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
