"""Rationed ICMP errors, in virtual time: no port that is rejected may ever be called silent."""

from __future__ import annotations

import gc
from collections import Counter
from unittest import mock
from unittest.mock import Mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portcheck.engine.datagram import DatagramEngine, DatagramTiming
from portcheck.engine.datagram_target import Asking
from portcheck.engine.pace import Speed
from portcheck.engine.probe import DatagramSet, Observation, PortState, Reason, Tally
from tests.simulated import Bucket, Host, Network, Outcome, Router, ask, questions, unlimited

A, A6 = "10.0.1.1", "fd00::1"
OPEN, CLOSED, SILENT = PortState.OPEN, PortState.CLOSED, PortState.OPEN_FILTERED


def everything(network: Network, ports: range, **options: object) -> Outcome:
    """All these ports of every host."""
    return ask(network, [DatagramSet(address, questions(ports)) for address in network.hosts], **options)  # type: ignore[arg-type]


def counted(outcome: Outcome) -> Counter[tuple[PortState, Reason]]:
    return Counter((seen.state, seen.reason) for seen in outcome.by_port().values())


ALL_CLOSED = (CLOSED, Reason.PORT_UNREACH)


@pytest.mark.parametrize(
    ("address", "bucket", "ports", "most_s", "packets"),
    [
        (A, Bucket(), 20, 17.0, 200),
        (A, Bucket(), 100, 97.0, 1000),
        (A6, Bucket(6, 0.1), 100, 12.0, 500),
        (A, unlimited(), 1000, 0.1, 1000),
        (A, Bucket(10, 0.5), 20, 7.0, 150),
    ],
    ids=["20-ipv4", "100-ipv4", "100-ipv6", "1000-without-limit", "20-of-another-kind"],
)
def test_closed_ports_are_closed_as_fast_as_the_host_can_say_so(
    address: str, bucket: Bucket, ports: int, most_s: float, packets: int
) -> None:
    network = Network({address: Host(bucket=bucket)})
    outcome = everything(network, range(1, ports + 1), timing=DatagramTiming(budget_s=200))
    assert counted(outcome) == {ALL_CLOSED: ports}
    assert outcome.took_s < most_s
    assert len(network.sent) <= packets


@pytest.mark.parametrize(
    "bucket",
    [Bucket(), Bucket(10, 0.5), unlimited(), Bucket(tokens=0)],
    ids=["linux", "2-a-second", "none", "linux-empty"],
)
def test_dropped_ports_among_closed_ones(bucket: Bucket) -> None:
    outcome = everything(Network({A: Host(bucket=bucket, dropped=frozenset(range(11, 21)))}), range(1, 21))
    assert {port: seen.state for (_, port), seen in outcome.by_port().items()} == {
        port: CLOSED if port < 11 else SILENT for port in range(1, 21)
    }
    assert {seen.detail for seen in outcome.by_port().values() if seen.state is SILENT} == {"icmp-alive"}


def test_what_the_budget_does_not_resolve_is_unknown_and_says_who_limits() -> None:
    outcome = everything(Network({A: Host(bucket=Bucket(1, 5.0))}), range(1, 21))
    unknown = [seen for seen in outcome.by_port().values() if seen.state is PortState.UNKNOWN]
    assert counted(outcome).keys() == {ALL_CLOSED, (PortState.UNKNOWN, Reason.ICMP_RATE_LIMITED)}
    assert {seen.responder for seen in unknown} == {A}
    assert outcome.took_s == pytest.approx(20.0, abs=0.1)


def test_the_budget_is_the_callers() -> None:
    outcome = everything(Network({A: Host(bucket=Bucket())}), range(1, 21), timing=DatagramTiming(budget_s=5))
    assert counted(outcome)[ALL_CLOSED] in (10, 11)
    assert outcome.took_s == pytest.approx(5.0, abs=0.1)


def test_many_hosts_behind_one_rejecting_router() -> None:
    router = Router("10.0.0.254", bucket=Bucket())
    network = Network({f"10.0.1.{number}": Host(rejects_all=router) for number in range(1, 39)})
    outcome = everything(network, range(53, 54))
    assert counted(outcome).keys() == {
        (PortState.FILTERED, Reason.ADMIN_PROHIBITED),
        (PortState.UNKNOWN, Reason.ICMP_RATE_LIMITED),
    }
    assert counted(outcome)[PortState.FILTERED, Reason.ADMIN_PROHIBITED] >= 20
    assert {seen.responder for seen in outcome.by_port().values()} == {"10.0.0.254"}
    assert outcome.took_s == pytest.approx(20.0, abs=0.5)
    assert len(network.sent) < 1000


def test_a_silent_port_waits_for_proof_from_the_router_too() -> None:
    """It answers for nobody else at first: what it rejects of the second host is silent until it has a token."""
    router = Router("10.0.0.254", bucket=Bucket())
    rejecting = Host(rejected=dict.fromkeys(range(1, 21), router))
    network = Network({A: rejecting, "10.0.1.2": Host(rejected={7: router}, silent=frozenset({8}))})
    sets = [DatagramSet(A, questions(range(1, 21))), DatagramSet("10.0.1.2", questions(range(1, 10)))]
    seen = ask(network, sets, timing=DatagramTiming(budget_s=60)).by_port()
    assert seen["10.0.1.2", 7].state is PortState.FILTERED
    assert seen["10.0.1.2", 8].state is SILENT
    assert {one.responder for (address, _), one in seen.items() if address == A} == {"10.0.0.254"}


def test_addresses_of_one_machine_share_its_budget() -> None:
    bucket = Bucket()
    network = Network({f"10.0.1.{number}": Host(bucket=bucket) for number in range(1, 39)})
    assert counted(everything(network, range(53, 54))).keys() <= {
        ALL_CLOSED,
        (PortState.UNKNOWN, Reason.ICMP_RATE_LIMITED),
    }


def test_a_mute_host_beside_one_that_limits_is_mute() -> None:
    network = Network({A: Host(bucket=Bucket()), "10.0.1.2": Host(mute=True)})
    sets = [DatagramSet(A, questions(range(1, 13))), DatagramSet("10.0.1.2", questions([53]))]
    seen = ask(network, sets).by_port()["10.0.1.2", 53]
    assert (seen.state, seen.detail) == (SILENT, "icmp-mute")


def test_hosts_do_not_wait_for_each_other() -> None:
    network = Network({f"10.0.{number}.1": Host(bucket=Bucket()) for number in range(200)})
    outcome = everything(network, range(1, 31), timing=DatagramTiming(budget_s=60))
    assert counted(outcome) == {ALL_CLOSED: 6000}
    assert outcome.took_s < 30


def test_a_bucket_that_an_earlier_scan_emptied() -> None:
    outcome = everything(Network({A: Host(bucket=Bucket(tokens=0))}), range(1, 9))
    assert counted(outcome) == {ALL_CLOSED: 8}


def mix(loss: float, seed: int) -> Network:
    """12 open, 2 open and silent, 1 dropped, 1 prohibited by the host, 4 closed; all errors from one budget."""
    bucket = Bucket()
    host = Host(
        open=dict.fromkeys(range(1, 13), 0.0),
        silent=frozenset({13, 14}),
        dropped=frozenset({15}),
        rejected={16: Router(A, bucket=bucket)},
        bucket=bucket,
    )
    return Network({A: host}, loss=loss, seed=seed)


def expected_of_mix(port: int) -> PortState:
    return OPEN if port < 13 else SILENT if port < 16 else PortState.FILTERED if port == 16 else CLOSED


def test_the_mix_without_loss_takes_no_longer_than_a_slow_server() -> None:
    for seed in range(20):
        outcome = everything(mix(0.0, seed), range(1, 21))
        assert {port: seen.state for (_, port), seen in outcome.by_port().items()} == {
            port: expected_of_mix(port) for port in range(1, 21)
        }
        assert outcome.took_s < 1.3


@pytest.mark.parametrize("loss", [0.05, 0.1])
def test_lost_packets_change_no_verdict(loss: float) -> None:
    wrong: Counter[tuple[int, PortState, PortState]] = Counter()
    took_s = []
    for seed in range(30):
        outcome = everything(mix(loss, seed), range(1, 21))
        took_s.append(outcome.took_s)
        for (_, port), seen in outcome.by_port().items():
            if seen.state not in (expected_of_mix(port), PortState.UNKNOWN):
                wrong[seed, seen.state, expected_of_mix(port)] += 1
    assert not wrong
    assert sorted(took_s)[15] < 5


# -------------------------------------------------------------------------------------------- any limit at all


@st.composite
def networks(draw: st.DrawFn) -> tuple[Network, dict[int, PortState]]:
    """One host with any bucket, full at first, and any mix of ports."""
    address = draw(st.sampled_from([A, A6]))
    bucket = Bucket(draw(st.integers(1, 10)), draw(st.floats(0.1, 10.0)))
    kinds = draw(st.lists(st.sampled_from([OPEN, CLOSED, CLOSED, SILENT, SILENT]), min_size=1, max_size=30))
    truth = dict(enumerate(kinds, 1))
    host = Host(
        open={port: 0.0 for port, kind in truth.items() if kind is OPEN},
        dropped=frozenset(port for port, kind in truth.items() if kind is SILENT),
        bucket=bucket,
    )
    network = Network(
        {address: host},
        rtt_s=draw(st.sampled_from([0.0003, 0.01, 0.15])),
        spread_s=draw(st.sampled_from([0.000005, 0.00002, 0.0001])),
        seed=draw(st.integers(0, 1000)),
    )
    return network, truth


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks())
def test_no_limit_makes_a_closed_port_silent(made: tuple[Network, dict[int, PortState]]) -> None:
    network, truth = made
    outcome = everything(network, range(1, len(truth) + 1))
    for (_, port), seen in outcome.by_port().items():
        assert seen.state in (truth[port], PortState.UNKNOWN), port
        if seen.state is PortState.UNKNOWN:
            assert seen.reason in (Reason.ICMP_RATE_LIMITED, Reason.LOST_CONTACT)
    assert outcome.took_s < 21.5


def test_the_pace_holds_for_every_new_flow() -> None:
    network = Network({A: Host()})
    everything(network, range(1, 301), speed=Speed.NORMAL)
    first_seen: dict[int, float] = {}
    for at, _, port, _ in network.sent:
        first_seen.setdefault(port, at)
    moments = sorted(first_seen.values())
    assert all(later - moments[at] > 2.0 for at, later in enumerate(moments[90:]))


# ------------------------------------------------------------------------------------------------ very many ports


def test_a_sweep_of_all_ports_takes_time_in_proportion() -> None:
    """Each wave once walked through everything that was silent before: four times the ports, sixteen times the work."""
    network = Network({A: Host(dropped=frozenset(range(1, 65536)))})
    looked_at = Mock(side_effect=DatagramEngine._lacking)
    with mock.patch.object(DatagramEngine, "_lacking", looked_at):
        outcome = ask(network, [DatagramSet(A, questions(range(1, 8001), in_bulk=True))])
    [tally] = outcome.answers
    assert isinstance(tally, Tally)
    assert (tally.state, tally.detail, sorted(tally.ports)) == (SILENT, "icmp-mute", [*range(1, 8001)])
    assert looked_at.call_count < 100 * 8000


def test_a_sweep_of_all_ports_keeps_little_in_memory() -> None:
    """What is decided long ago is a number in a tally; what is not asked yet is one in a list."""
    network = Network({A: Host(dropped=frozenset(range(10, 65536)), open={7: 0.0}, mute=True)})
    most = turns = 0

    def count(decided: int) -> None:
        nonlocal most, turns
        turns += 1
        if turns % 16 == 1:
            most = max(most, sum(isinstance(each, Asking) for each in gc.get_objects()))

    asked = [DatagramSet(A, questions(range(1, 8001), in_bulk=True))]
    outcome = ask(network, asked, progress=count)
    assert {seen.probe.port for seen in outcome.answers if isinstance(seen, Observation)} == {7}
    assert sum(len(seen.ports) for seen in outcome.answers if isinstance(seen, Tally)) == 7999
    assert 0 < most < 5000


def test_an_early_end_leaves_out_no_port_of_a_sweep() -> None:
    network = Network({A: Host(dropped=frozenset(range(1, 65536)))})
    outcome = ask(network, [DatagramSet(A, questions(range(1, 20001), in_bulk=True))], stop_after_s=20.0)
    tallies = [seen for seen in outcome.answers if isinstance(seen, Tally)]
    assert {tally.reason for tally in tallies} == {Reason.NO_RESPONSE, Reason.DEADLINE}
    assert sorted(port for tally in tallies for port in tally.ports) == [*range(1, 20001)]


def test_late_errors_of_a_swept_host_are_heard_when_others_are_decided() -> None:
    """Closed ports are its canaries for as long as they are needed, however many are decided in between."""
    host = Host(dropped=frozenset(range(4000, 65536)))
    outcome = ask(Network({A: host}), [DatagramSet(A, questions(range(1, 8001), in_bulk=True))])
    by_state = {(seen.state, seen.detail): len(seen.ports) for seen in outcome.answers if isinstance(seen, Tally)}
    assert by_state == {(CLOSED, None): 3999, (SILENT, "icmp-alive"): 4001}


def test_a_host_that_still_replies_is_not_lost() -> None:
    """Somebody else takes all its errors."""
    host = Host(open={5: 12.0}, silent=frozenset({2, 3}), bucket=Bucket(2, 1000.0))
    seen = everything(Network({A: host}), range(1, 9)).by_port()
    assert seen[A, 5].state is OPEN
    assert {one.reason for one in seen.values() if one.state is PortState.UNKNOWN} == {Reason.ICMP_RATE_LIMITED}
