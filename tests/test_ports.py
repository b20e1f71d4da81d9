"""The written form of ports: what is read, what is refused and with which words, and the way back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcheck.engine.probe import Transport
from portcheck.model import Ports
from portcheck.ports import PORTS_PATTERN, PortsError, format_ports, parse_ports

EXAMPLES = "write for example 22/tcp, 1025-2180/tcp, 53/tcp+udp or gre"

GOOD = [
    ("5050/tcp", "5050/tcp"),
    ("1/udp", "1/udp"),
    ("65535/tcp", "65535/tcp"),
    ("445,139/tcp", "445/tcp 139/tcp"),
    ("445, 139/tcp", "445/tcp 139/tcp"),
    ("49152-65535/tcp", "49152-65535/tcp"),
    ("22-22/tcp", "22/tcp"),
    ("53/tcp+udp", "53/tcp 53/udp"),
    ("53/udp+tcp", "53/udp 53/tcp"),
    ("53,88/tcp+udp", "53/tcp 53/udp 88/tcp 88/udp"),
    ("22/tcp,443/tcp", "22/tcp 443/tcp"),
    ("22,80/tcp,53,123/udp", "22/tcp 80/tcp 53/udp 123/udp"),
    ("53/tcp,53/udp", "53/tcp 53/udp"),
    ("1-21,23-79/tcp", "1-21/tcp 23-79/tcp"),
    ("gre", "gre"),
    ("icmp,esp,ah", "icmp esp ah"),
    ("gre,22/tcp", "gre 22/tcp"),
]

BAD = [
    ("", f"no ports given: {EXAMPLES}"),
    (" \t", f"no ports given: {EXAMPLES}"),
    ("0/tcp", "port 0 does not exist: ports are 1 to 65535"),
    ("65536/tcp", "port 65536 does not exist: ports are 1 to 65535"),
    ("1-65536/tcp", "port 65536 does not exist: ports are 1 to 65535"),
    ("9" * 5000 + "/tcp", f"port {'9' * 19}… does not exist: ports are 1 to 65535"),
    ("0022/tcp", "port 0022 begins with a zero: write 22"),
    ("2180-1025/tcp", "range 2180-1025 is reversed: write 1025-2180"),
    ("5050", "5050 has no transport: write 5050/tcp or 5050/udp"),
    ("5050/", "5050/ has no transport: write 5050/tcp or 5050/udp"),
    ("22/tcp,80,443", "80,443 has no transport: write 80,443/tcp or 80,443/udp"),
    ("22,gre", "22 has no transport: write 22/tcp or 22/udp"),
    (
        "22/sctp",
        '"sctp" is not a transport: write 22/tcp, 22/udp or 22/tcp+udp, or one of icmp, gre, esp, ah alone',
    ),
    ("22/TCP", '"TCP" is not in small letters: write 22/tcp'),
    ("tcp/22", '"tcp/22" has the transport first: write 22/tcp'),
    ("tcp", "tcp needs a port: write for example 22/tcp"),
    ("22/gre", "gre has no ports: write gre"),
    ("gre/22", "gre has no ports: write gre"),
    ("ssh", f'"ssh" is not a port: {EXAMPLES}'),
    ("22:53", f'"22:53" is not a port: {EXAMPLES}'),
    ("22-/tcp", f'"22-/tcp" is not a port: {EXAMPLES}'),
    ("1-2-3/tcp", f'"1-2-3/tcp" is not a port: {EXAMPLES}'),
    ("-1/tcp", f'"-1/tcp" is not a port: {EXAMPLES}'),
    ("٢٢/tcp", f'"٢٢/tcp" is not a port: {EXAMPLES}'),
    ("\x1b[31m/tcp", f'"\\x1b[31m/tcp" is not a port: {EXAMPLES}'),
    ("1\u201399/tcp", '"1\u201399" has a printer\'s dash: write 1-99 with a plain hyphen'),
    ("22,,23/tcp", '"22,,23/tcp" has nothing between two commas, or a comma at an end: remove one comma'),
    ("22/tcp,", '"22/tcp," has nothing between two commas, or a comma at an end: remove one comma'),
    ("22/tcp,22/tcp", "22/tcp is listed twice: remove one"),
    ("22,22/tcp+udp", "22/tcp is listed twice: remove one"),
    ("gre,gre", "gre is listed twice: remove one"),
    ("50/tcp,1-100/tcp", "1-100/tcp and 50/tcp share port 50: take it out of one of them"),
]


@pytest.mark.parametrize(("text", "items"), GOOD)
def test_ports_are_read_in_the_order_written(text: str, items: str) -> None:
    assert " ".join(map(str, parse_ports(text))) == items


@pytest.mark.parametrize(("text", "items"), GOOD)
def test_the_schema_accepts_what_is_read(text: str, items: str) -> None:
    assert re.search(PORTS_PATTERN, text)


@pytest.mark.parametrize(("text", "message"), BAD)
def test_other_text_is_refused_with_what_to_write_instead(text: str, message: str) -> None:
    with pytest.raises(PortsError) as refused:
        parse_ports(text)
    assert str(refused.value) == message


def test_a_protocol_without_ports_has_no_numbers() -> None:
    assert parse_ports("gre") == (Ports(Transport.GRE, None, None),)


@st.composite
def separate_ports(draw: st.DrawFn) -> tuple[Ports, ...]:
    """Ports that do not overlap, in any order, as parse_ports gives them."""
    found = [Ports(Transport(word), None, None) for word in draw(st.sets(st.sampled_from(["gre", "icmp", "esp"])))]
    for transport in (Transport.TCP, Transport.UDP):
        ends = sorted(draw(st.sets(st.integers(1, 65535), max_size=8)))
        are_ranges = draw(st.lists(st.booleans(), min_size=8, max_size=8))
        for is_range in are_ranges[: len(ends)]:
            if not ends:
                break
            first = ends.pop(0)
            last = ends.pop(0) if ends and is_range else first
            found.append(Ports(transport, first, last))
    return tuple(draw(st.permutations(found)))


@given(separate_ports().filter(bool))
def test_printed_ports_read_as_the_same_ports(ports: tuple[Ports, ...]) -> None:
    text = ",".join(map(str, ports))
    assert parse_ports(text) == ports
    assert re.search(PORTS_PATTERN, text)


@given(st.one_of(st.text(), st.text(alphabet="0123456789-,/+ tcpudgre", max_size=30)))
def test_any_text_is_ports_of_the_schema_or_one_printable_line(text: str) -> None:
    try:
        ports = parse_ports(text)
    except PortsError as error:
        message = str(error)
    else:
        message = "none"
        assert ports
        assert re.search(PORTS_PATTERN, text)
    assert message.isprintable()
    assert len(message) < 300


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], ""),
        ([22], "22"),
        ([*range(1, 22), *range(23, 80)], "1-21,23-79"),
        ([443, 22, 80, 22], "22,80,443"),
        ([1, 2], "1-2"),
        (range(1, 65536), "1-65535"),
    ],
)
def test_port_numbers_are_printed_as_runs(numbers: list[int], text: str) -> None:
    assert format_ports(numbers) == text


@given(st.sets(st.integers(1, 65535), min_size=1))
def test_printed_runs_name_exactly_the_numbers(numbers: set[int]) -> None:
    assert {port for run in parse_ports(format_ports(numbers) + "/tcp") for port in run.numbers()} == numbers
