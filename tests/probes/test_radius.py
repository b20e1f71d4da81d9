from __future__ import annotations

import hashlib
import hmac

import pytest

from portcheck.engine.probe import Reply
from portcheck.probes import read
from tests.probes.exchange import Replies, asked, meant, not_understood, octets

SECRET = {"radius_secret": "testing123"}
OURS = "0102030405060708090a0b0c0d0e0f10"


def reply(code: str, number: str = "01", length: int = 20) -> bytes:
    """RFC 2865 3."""
    return octets(code, number, f"{length:04x}", "ff" * 16)


REPLIES: Replies = {
    "radius": {reply("02"): "RADIUS server", reply("02") + b"padding": "RADIUS server"},
    "radius-accounting": {reply("05"): "RADIUS accounting server"},
}


def test_with_the_secret_it_is_asked_for_its_status() -> None:
    """RFC 5997 3: code 12, NAS-Identifier, and the Message-Authenticator of RFC 3579 3.2: HMAC-MD5 with zeros in it."""
    unsigned = octets("0c 01 0031", OURS, "20 0b 706f7274636865636b", "50 12")
    signature = hmac.new(b"testing123", unsigned + bytes(16), hashlib.md5).digest()
    assert asked("radius", **SECRET).payloads == (unsigned + signature,)
    assert asked("radius-accounting", **SECRET).payloads == (unsigned + signature,)


def test_without_the_secret_nothing_is_asked() -> None:
    assert asked("radius").payloads == (b"",)
    assert asked("radius-accounting").payloads == (b"",)
    assert not_understood("radius", reply("02"))


def test_replies() -> None:
    assert meant(REPLIES, **SECRET) == REPLIES


@pytest.mark.parametrize(
    "wrong",
    [b"", reply("02")[:19], reply("02", number="02"), reply("02", length=19), reply("02", length=21), reply("0c")],
)
def test_what_is_no_reply_to_us(wrong: bytes) -> None:
    assert not_understood("radius", wrong, **SECRET)
    assert not_understood("radius-accounting", wrong, **SECRET)


def test_a_login_that_was_answered_is_no_accounting() -> None:
    assert not_understood("radius", reply("05"), **SECRET)
    assert not_understood("radius-accounting", reply("02"), **SECRET)


def test_what_was_read_never_has_the_secret() -> None:
    question = asked("radius", **SECRET)
    for data in (reply("02"), b"testing123", question.payloads[0]):
        assert "testing123" not in read("radius", question, Reply(data, "192.0.2.7", 1812)).text
