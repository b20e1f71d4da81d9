"""How long an address is asked without a connection, and how much is sent to it at a time."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DatagramTiming:
    """When silence counts, and what goes out together.

    Attributes:
        budget_s: an address whose errors are limited, by itself or by a router, is asked so long from its first
            packet, without the time in which our own pace held its questions back; what is undecided then is unknown.
        least_wait_s, most_wait_s: a wave is listened to for four round trips, within these bounds; for the longer
            one while nothing was ever heard of the address.
        settle_s: no question is given up before so long; a RADIUS server holds a reject back for 1.0 s.
        lifeless_s: an address that never gave a sign of life is not given up before so long: our kernel reports a
            dead neighbour after 3.07 s, and a router tells of one on its side.
        own_limit_s: how long to wait for descriptors, local ports or buffers before giving up.
        wave: questions of one address that leave together, at first.
        largest_wave: the same, of an address that shows no limit.
        limited_wave: questions of one address that may take a token, while its errors, or a router's, are limited.
        quick_s: how long a wave is listened to after its canaries were answered.
        max_neighbours: as in TcpTiming; both engines together stay below what Linux holds.
    """

    budget_s: float = 20.0
    least_wait_s: float = 0.25
    most_wait_s: float = 1.0
    settle_s: float = 1.15
    lifeless_s: float = 3.2
    own_limit_s: float = 5.0
    wave: int = 32
    largest_wave: int = 256
    limited_wave: int = 8
    quick_s: float = 0.05
    max_neighbours: int = 128
