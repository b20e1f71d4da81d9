"""SIP: OPTIONS outside a call (RFC 3261 section 11). A server tells what it can do; any status is an answer."""

from __future__ import annotations

from portcheck.printable import printable
from portcheck.probes.headers import in_uri, read_answer
from portcheck.probes.target import Target


def payloads(target: Target) -> tuple[bytes, ...]:
    """`rport` (RFC 3581): the answer comes to the port that we send from, which is not known here."""
    ours, theirs = in_uri(target.source_address or "0.0.0.0"), in_uri(target.address, target.port)
    call = target.draw(8).hex()
    lines = (
        f"OPTIONS sip:{theirs} SIP/2.0",
        f"Via: SIP/2.0/UDP {ours};rport;branch=z9hG4bK{call}",
        "Max-Forwards: 70",
        f"From: <sip:portcheck@{ours}>;tag={call[:8]}",
        f"To: <sip:{theirs}>",
        f"Call-ID: {call}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:portcheck@{ours}>",
        "Accept: application/sdp",
        "Content-Length: 0",
        "",
        "",
    )
    return ("\r\n".join(lines).encode(),)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    answer = read_answer(b"SIP/2.0", reply)
    if answer is None:
        return None
    # Section 7.3.3: "i" is the short form. The reply repeats the Call-ID (section 8.2.6.2).
    call = answer.fields.get("call-id", answer.fields.get("i"))
    if not call or f"\r\nCall-ID: {call}\r\n".encode() not in payloads[0]:
        return None
    said = printable(f"SIP: {answer.code} {answer.words}", 60)
    server = answer.fields.get("server") or answer.fields.get("user-agent")
    return f"{said}, {printable(server, 50)}" if server else said
