"""One check of a kept run, explained: asked, sent, seen, and what follows."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any, TypeVar

from portcheck.engine.probe import Echo, Holder, Transport
from portcheck.holding import who_holds
from portcheck.model import Answers
from portcheck.printable import printable
from portcheck.protocols import titles
from portcheck.wording import plural

Json = dict[str, Any]

_MAX_TEXT = 2000
"""Longer texts are cut: no run of ours has them."""
_PORT_DIGITS = 5

_NOT_KEPT: Json = {"errno": None, "rtt_ms": None, "flaky": False}
"""What an entry of the sweep lacks: it differs from port to port."""

_RESPONDERS = {
    "answers-everything": "probably accepted by {} or something right behind it",
    "reset-after-handshake": "probably accepted by {} or something right behind it",
    "icmp-rate-limited": "behind {}",
}
"""What the responder did, by reason; of all others it sent the ICMP error."""

_EXPECT_SENTENCES = {
    "reachable": "It must be reachable from {source}.",
    "local-only": "Only the host itself may reach it.",
    "allowed": "It may be open and need not be.",
    "not-open": "Nobody asked for it to be open to {source}.",
    "free": "It must be free for the product, on this machine.",
    "loopback-only": "Only this machine itself may reach it, so it should be bound to loopback and nothing else.",
    "let-in": "The packet filter of this machine itself must let it in.",
}


_NOTHING_SENT = {
    "free": "this machine's kernel was asked",
    "loopback-only": "this machine's kernel was asked",
    "let-in": "the rules of this machine's packet filter were read",
}
"""What is about the machine that we stand on, and where the answer comes from."""


def render(check: Json, run: Json, titles: dict[str, str], width: int = 80) -> str:
    """The explanation of a check of `checks`; check and run have the shapes of `run_shape`."""
    blocks = (
        ("Asked", _asked(check, titles)),
        ("Sent", _sent(check, run)),
        ("Seen", _seen(check)),
        ("Verdict", _verdict(check, run)),
    )
    return _page(check["id"], blocks, width)


def render_swept(check_id: str, entry: Json, run: Json, width: int = 80) -> str:
    """The explanation of a port that is counted with others of the sweep; the entry has the shape of `run_shape`."""
    blocks = (
        ("Asked", [_EXPECT_SENTENCES["not-open"].format(source=entry["source"])]),
        ("Sent", ["Not kept for each port of a sweep: check with --evidence."]),
        ("Seen", _seen(_NOT_KEPT | entry)),
        ("Verdict", ["pass: it is not open"] if _is_shut(entry) else _verdict(entry, run)),
    )
    return _page(check_id, blocks, width)


def _is_shut(entry: Json) -> bool:
    """A port of our own stand-in passes, and is open."""
    return bool(entry["outcome"] == "pass" and entry["state"] != "open")


def _page(check_id: str, blocks: Iterable[tuple[str, Iterable[str]]], width: int) -> str:
    lines = [printable(check_id, _MAX_TEXT), ""]
    for heading, content in blocks:
        lines += _block(heading, content, width)
    return "".join(f"{line}\n" for line in lines)


def find_swept(check_id: str, swept: Iterable[Json]) -> Json | None:
    """The sweep entry that a check id belongs to."""
    source, _, rest = check_id.partition(">")
    parts = rest.rsplit("/", 3)
    if len(parts) != 4 or not (parts[3].isdecimal() and len(parts[3]) <= _PORT_DIGITS):
        return None
    host, where, transport, port = parts
    address = where.partition("#")[2]
    for entry in swept:
        target = entry["target"]
        same = entry["source"] == source and target["host"] == host and entry["transport"] == transport
        family = "ipv6" if ":" in str(target["address"]) else "ipv4"
        if same and (target["address"] == address or where == family) and _contains(entry["ports"], int(port)):
            return entry
    return None


def _contains(ports: str, number: int) -> bool:
    for part in ports.split(","):
        first, _, last = part.partition("-")
        if int(first) <= number <= int(last or first):
            return True
    return False


def _block(heading: str, content: Iterable[str], width: int) -> list[str]:
    indent = " " * 9
    lines: list[str] = []
    for number, text in enumerate(content):
        first = f"{heading:<9}" if number == 0 else indent
        safe = printable(" ".join(text.split()), _MAX_TEXT)
        lines += textwrap.wrap(safe, width, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)
    return lines


def _asked(check: Json, titles: dict[str, str]) -> Iterator[str]:
    services = ", ".join(check["services"])
    expected = _EXPECT_SENTENCES[check["expect"]].format(source=check["source"]["host"])
    port = check["transport"] if check["port"] is None else f"{check['port']}/{check['transport']}"
    yield f"{port}{f' {services}' if services else ''} on {_target(check)}. {expected}"
    for place in check["provenance"]:
        title = titles.get(place["document"], place["document"])
        level = f" ({check['level']})" if check["expect"] != "not-open" else ""
        yield f'{title}, "{place["section"]}", row {place["row"]}{level}'
    if check.get("range"):
        yield f"It stands for the range {check['range']}, of which some ports are used."
    for note in check["notes"]:
        yield f"Note: {note}"
    if check["doubt"]:
        yield f"Doubt: {check['doubt']}"


def _target(check: Json) -> str:
    target = check["target"]
    details = [part for part in (target["address"], target["role"]) if part and part != target["host"]]
    return f"{target['host']} ({', '.join(details)})" if details else str(target["host"])


def _sent(check: Json, run: Json) -> Iterator[str]:
    if check["expect"] in _NOTHING_SENT:
        yield f"Nothing: {_NOTHING_SENT[check['expect']]}."
        return
    vantage = next((v for v in run["vantages"] if v["host"] == check["source"]["host"]), None)
    machine = f" on {vantage['machine']}" if vantage and vantage["machine"] != check["source"]["host"] else ""
    if not check["evidence"]:
        tried = check["attempts"]
        kind = "attempt" if check["transport"] == Transport.TCP else "packet"
        yield f"{plural(tried, kind)}, not kept singly: check with --evidence." if tried else "Nothing."
        return
    asked = _asked_in(check)
    yield f"From {check['source']['host']}{machine}{asked}:"
    of_tcp = check["transport"] == Transport.TCP
    for number, attempt in enumerate(check["evidence"], start=1):
        syns = f", {plural(attempt['syns'], 'SYN')}" if of_tcp and attempt["syns"] is not None else ""
        sender = "" if attempt["source_port"] is None else f" from {_endpoint(attempt)}"
        yield (
            f"{'attempt' if of_tcp else 'packet'} {number}{sender} at {attempt['started_s']:.3f} s{syns}: "
            f"{attempt['result']} after {attempt['lasted_s'] * 1000:.1f} ms"
        )


def _asked_in(check: Json) -> str:
    """Over UDP the request makes the answer: in which protocol it was."""
    spoken = check.get("should_speak", [])
    if check["transport"] != Transport.UDP or check.get("answers") != Answers.NORMALLY:
        return ""
    return (
        f", {titles(spoken[:1])} requests" if spoken else ", empty datagrams, since no protocol is known for this port"
    )


def _endpoint(attempt: Json) -> str:
    """`10.0.0.11 port 40001`: a colon would be one too many with IPv6."""
    return " ".join(filter(None, (attempt["source_address"], f"port {attempt['source_port']}")))


def _seen(check: Json) -> Iterator[str]:
    parts = [f"{check['state']} ({check['reason']})"]
    if check["icmp"]:
        parts.append(f"ICMP type {check['icmp']['type']} code {check['icmp']['code']}")
    if check["responder"]:
        parts.append(_RESPONDERS.get(check["reason"], "sent by {}").format(check["responder"]))
    if check["errno"] is not None:
        parts.append(f"errno {check['errno']}")
    if check["rtt_ms"] is not None:
        parts.append(f"after {check['rtt_ms']:.1f} ms")
    if check["flaky"]:
        parts.append("only after a packet had gone unanswered")
    if check["inferred"]:
        parts.append("inferred from other ports of this address")
    if check["detail"]:
        parts.append(check["detail"])
    yield ", ".join(parts)
    if check.get("answer"):
        spoken = f" ({titles([check['speaks']])})" if check.get("speaks") else ""
        yield f"What answered{spoken}: {check['answer']}"
    if check.get("echo"):
        yield _echo(_of(Echo, check["echo"]))
    for each in check.get("holders", []):
        yield _held(_of(Holder, each))


_Part = TypeVar("_Part", Echo, Holder)


def _of(kind: type[_Part], value: Json) -> _Part:
    return kind(**{each.name: value[each.name] for each in fields(kind)})


def _echo(echo: Echo) -> str:
    """What our stand-in said."""
    said = "as it was told" if echo.is_stated else "its machine's name"
    return (
        f"Our stand-in {echo.name} ({said}, network stack {echo.stack}) got the question at {echo.address} port "
        f"{echo.port}, from {echo.peer} port {echo.peer_port}"
    )


def _held(holder: Holder) -> str:
    how = "the near end of a connection" if holder.connected else f"bound to {holder.address}"
    return f"Who has it: {who_holds([holder])}, {how}"


def _verdict(check: Json, run: Json) -> Iterator[str]:
    weak = ", weak evidence" if check["certainty"] == "weak" else ""
    yield f"{check['outcome']}, {check['finding']}{weak} (phase {run['phase']})"
    yield check["because"]
    if check.get("known_for"):  # of a check by itself
        yield f"Known for: {check['known_for']}."
    if check["waived"]:
        yield f"Accepted by a waiver: {check['waived']}"
