"""The front door: what is asked by name, and what a run pays and risks for it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portcheck.engine.probe import Question, Reply, Transport
from portcheck.probes import question, read
from portcheck.probes.registry import CODECS
from portcheck.protocols import PROTOCOLS, Spoken
from tests.bench.mutated_replies import SECRETS, golden_replies, mutate, seeds_of
from tests.probes.conftest import made_target
from tests.probes.exchange import asked, octets

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_PORTS = {"icmp", "gre", "esp", "ah"}
LARGEST = 512
LARGER: Mapping[str, int] = {"quic": 1200, "ws-discovery": 600}
"""RFC 9000 section 14.1: a server must ignore a first packet that is smaller. SOAP: names are written in full."""


def test_the_names_are_those_of_the_protocols() -> None:
    assert CODECS.keys() - WITHOUT_PORTS <= PROTOCOLS.keys()


def test_every_protocol_that_is_usual_at_a_udp_port_is_asked_or_cannot_be() -> None:
    """Whoever answers a stranger is asked something, not sent an empty datagram."""
    usual = {name for name, protocol in PROTOCOLS.items() if protocol.udp}
    assert {name for name in usual - CODECS.keys() if PROTOCOLS[name].answers != "never"} == set()


def test_requests_are_small() -> None:
    sizes = {name: [len(payload) for payload in asked(name, **SECRETS).payloads] for name in CODECS}
    table = "\n".join(f"{name:20}{', '.join(map(str, sizes[name]))}" for name in sizes)
    assert all(max(sizes[name]) <= LARGER.get(name, LARGEST) for name in sizes), table


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7", "fe80::7%eth0"])
@pytest.mark.parametrize("name", CODECS)
def test_everything_can_be_asked_of_every_address(name: str, address: str) -> None:
    assert asked(name, address).payloads
    assert asked(name, address, **SECRETS).payloads


def test_a_protocol_that_nobody_knows_is_sent_an_empty_datagram() -> None:
    for name in (None, "syslog", "no-such-name"):
        assert question(name, Transport.UDP, made_target(port=514), in_bulk=True) == Question(
            Transport.UDP, 514, (b"",), in_bulk=True
        )


def test_a_transport_without_ports_is_asked_in_its_own_way() -> None:
    assert question(None, Transport.ICMP, made_target()).payloads == CODECS["icmp"].payloads(made_target())


@pytest.mark.parametrize(
    ("name", "data", "spoken"),
    [
        ("dns", octets("0102 8000 0000 0000 0000 0000"), Spoken("DNS server", "dns")),
        ("dns", b"hello", Spoken("5 bytes that are no DNS")),
        ("nfs", b"x", Spoken("1 byte that is no NFS")),
        ("snmp", b"", Spoken("an empty datagram that is no SNMP")),
        ("syslog", b"", Spoken("an empty datagram")),
        (None, b"hello", Spoken("5 bytes")),
        ("no-such-name", b"hello", Spoken("5 bytes")),
        ("dns", asked("dns").payloads[1], Spoken("our own request, sent back", "echo")),
    ],
)
def test_what_is_read(name: str | None, data: bytes, spoken: Spoken) -> None:
    where = question(name, Transport.UDP, made_target())
    assert read(name, where, Reply(data, "192.0.2.7", 53)) == spoken


def test_every_protocol_has_golden_replies() -> None:
    assert golden_replies().keys() == CODECS.keys()


@pytest.mark.parametrize("name", CODECS)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(strange=st.binary(max_size=300), number=st.integers(0, 2**32))
def test_no_reply_is_too_strange(name: str, strange: bytes, number: int) -> None:
    """read() hides what interpret() raises; here it shows."""
    where, chance = asked_once(name), random.Random(number)
    for data in (strange, mutate(chance, chance.choice(seeds_of(name)))):
        CODECS[name].interpret(where.payloads, data)
        text = read(name, where, Reply(data, "192.0.2.7", 53)).text
        assert text.isprintable()
        assert 0 < len(text) <= 120


@cache
def asked_once(name: str) -> Question:
    return asked(name, **SECRETS)


# ---------------------------------------------------------------------------------------------------- scapy

ASK_ALL = """
import logging, sys
from portcheck.engine.probe import Transport
from portcheck.probes.registry import CODECS
from tests.probes.exchange import asked
before = list(logging.getLogger().handlers), logging.getLogger().level, logging.raiseExceptions
for name in CODECS:
    asked(name, snmp_community="public", radius_secret="testing123")
assert "scapy.layers.dns" in sys.modules
assert before == (list(logging.getLogger().handlers), logging.getLogger().level, logging.raiseExceptions)
logging.getLogger("scapy.runtime").warning("scapy warns of something")
"""


def run(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    home_only = {"HOME": str(home), "PATH": os.defpath, "PYTHONPATH": str(ROOT), "SHELL": "/bin/bash"}
    command = [sys.executable, "-W", "always", "-c", code]
    return subprocess.run(command, cwd=ROOT, env=home_only, capture_output=True, text=True, timeout=60, check=False)


def test_scapy_prints_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    done = run(ASK_ALL, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_scapy_works_where_nothing_can_be_written(tmp_path: Path) -> None:
    done = run(ASK_ALL, tmp_path / "no" / "such" / "home")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_scapy_reads_no_interfaces_and_no_routes(tmp_path: Path) -> None:
    done = run(
        f"import socket\n{ASK_ALL}\n"
        "from scapy.config import conf\n"
        "print(len(conf.ifaces.data), len(conf.route.routes), len(conf.route6.routes))",
        tmp_path,
    )
    assert done.stdout.split() == ["0", "0", "0"], done.stderr


def test_scapy_that_is_loaded_already_is_left_as_it_is(tmp_path: Path) -> None:
    done = run(
        "import logging, scapy.all\n"
        "from scapy.config import conf\n"
        "of = lambda: (len(conf.ifaces.data), conf.route.routes, logging.getLogger('scapy').level)\n"
        "before = of()\n"
        "from tests.probes.exchange import asked\n"
        "asked('dns')\n"
        "print(before[0] > 0, before == of())",
        tmp_path,
    )
    assert done.stdout.split() == ["True", "True"], done.stderr


def test_scapy_can_be_used_in_full_afterwards(tmp_path: Path) -> None:
    """What was stood in for at import is there when somebody asks for it."""
    done = run(
        "from tests.probes.exchange import asked\nasked('dns')\nimport scapy.main; print(scapy.main.interact)", tmp_path
    )
    assert "function interact" in done.stdout, done.stderr


def test_a_later_scapy_that_asks_for_more_is_loaded_in_full(tmp_path: Path) -> None:
    done = run(
        "from portcheck.probes import scapy_quietly\n"
        "scapy_quietly._NOT_READ['scapy.main'].clear()\n"
        "from tests.probes.exchange import asked\n"
        "print(len(asked('dns').payloads))",
        tmp_path,
    )
    assert done.stdout.strip() == "3", done.stderr


def test_the_front_door_opens_without_scapy(tmp_path: Path) -> None:
    done = run("import portcheck.probes, sys; print('scapy' in sys.modules)", tmp_path)
    assert done.stdout.strip() == "False", done.stderr
