from __future__ import annotations

import pytest

from tests.probes.exchange import Replies, asked, meant, not_understood, octets

ACKNOWLEDGEMENT = octets("c802 000c 0103 0000 0000 0001")  # RFC 2661 3.1 and 5.8: to tunnel 0103, expects number 1
REPLIES: Replies = {
    "l2tp": {
        ACKNOWLEDGEMENT: "L2TP server",
        octets("c802 000c ffff 0000 0000 0001"): "L2TP server",  # xl2tpd 1.3.18
        octets("c802 0014 0103 0000 0000 0001", "8008 0000 0000 0004"): "L2TP: ends the tunnel",
        octets("c802 0014 0103 0000 0000 0001", "8008 0000 0000 0002"): "L2TP: offers a tunnel",
        octets("c802 0014 0103 0000 0000 0001", "8008 0000 0000 00ff"): "L2TP: message 255",
    }
}


def test_the_request_ends_a_tunnel_that_never_was() -> None:
    """RFC 2661 3.1, 4.1 and 6.4: to tunnel 0, StopCCN, our tunnel, result 1."""
    (request,) = asked("l2tp").payloads
    head = octets("c802 0024 0000 0000 0000 0000")
    assert request == head + octets("8008 0000 0000 0004", "8008 0000 0009 0103", "8008 0000 0001 0001")


def test_the_answer_may_come_from_another_port() -> None:
    assert asked("l2tp").private


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


@pytest.mark.parametrize(
    "reply",
    [
        ACKNOWLEDGEMENT[:11],
        octets("c803 000c 0103 0000 0000 0001"),  # version 3
        octets("0002 000c 0103 0000 0000 0001"),  # data
        octets("c802 0040 0103 0000 0000 0001"),  # longer than it is
        octets("c802 000c 0103 0000 0000 0000"),  # acknowledges nothing
        octets("c802 000c 0103 0007 0000 0001"),  # of a session
        octets("c802 0010 0103 0000 0000 0001", "8008 0000"),  # half an attribute
        octets("c802 0014 0103 0000 0000 0001", "8008 0000 0009 0004"),  # no message type
    ],
)
def test_what_is_no_reply_to_us(reply: bytes) -> None:
    assert not_understood("l2tp", reply)
