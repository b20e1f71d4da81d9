"""Real servers, asked by nobody with the command line: what answers is named, what serves only others is silent."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from portcheck.engine.probe import PortState, Reason, Transport
from portcheck.model import Family
from portcheck.protocols import usual
from tests.lab import runs, servers
from tests.lab.build import Lab, build
from tests.lab.conftest import not_run
from tests.lab.known_servers import (
    BOX,
    CLIENT,
    COMMUNITY,
    ENVIRONMENT,
    IN_CI,
    MESOS_DNS,
    PORT_68,
    RADIUS_SECRET,
    REAL,
    SECRETS,
    TELNET,
    Row,
    rows,
)
from tests.lab.runs import Check, Result

pytestmark = pytest.mark.lab

SERVERS = {**IN_CI, BOX: (*IN_CI[BOX], MESOS_DNS)}
UDP, TCP = tuple(rows(IN_CI)), tuple(rows(IN_CI, Transport.TCP))
ANSWERING = tuple(row for row in UDP if row.said is not None and row.server.only_with is None)
SILENT = tuple(row for row in UDP if row not in ANSWERING)
WITH_SECRETS = tuple(row for row in UDP if row.server.only_with == SECRETS)
WITH_PORT_68 = tuple(row for row in UDP if row.server.only_with == PORT_68)
BY_DOCUMENT = tuple(rows({BOX: (MESOS_DNS,)}))

AS_A_MASTER = ("-d", "dcos-1.11", "-r", "master", "--transport", "udp")

OPEN = (PortState.OPEN, Reason.UDP_RESPONSE)
NO_RESPONSE = (PortState.OPEN_FILTERED, Reason.NO_RESPONSE)
CLOSED = (PortState.CLOSED, Reason.PORT_UNREACH)


@dataclass(frozen=True, slots=True)
class Asked:
    """The servers while they run, and what was said of them.

    Attributes:
        anybody: all UDP ports of every address, asked without secret and privilege.
        with_secrets: those that a secret opens.
        with_port_68: DHCP, with CAP_NET_BIND_SERVICE.
        by_document: MESOS_DNS, which the document of DC/OS says is DNS.
        verified: all TCP ports.
    """

    lab: Lab
    running: Mapping[str, servers.Running]
    anybody: Result
    with_secrets: Result
    with_port_68: Result
    by_document: Result
    verified: Result


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    """All servers at once; then what they are over UDP, in four runs at once; then what they are over TCP."""
    missing = servers.missing_packages(server for several in IN_CI.values() for server in several)
    if missing:
        not_run(f"Debian's packages are missing: {', '.join(missing)}", in_ci=bool(os.environ.get("CI")))
    with build(REAL) as lab, servers.running(lab, SERVERS, client=CLIENT) as running:

        def look(rows: tuple[Row, ...], *more: str, **options: Any) -> Callable[[], Result]:
            return partial(runs.check, lab, CLIENT, *addresses(rows), "-e", ports(rows), *more, **options)

        looks: dict[str, Callable[[], Result]] = {
            "anybody": look(UDP),
            "with_secrets": look(WITH_SECRETS, env=ENVIRONMENT),
            "with_port_68": look(WITH_PORT_68, capability="net_bind_service"),
            "by_document": partial(runs.check, lab, CLIENT, *addresses(BY_DOCUMENT), *AS_A_MASTER),
        }
        over_udp = runs.named(looks)
        # A conversation may take two seconds: not while four others load scapy.
        yield Asked(lab, running, **over_udp, verified=look(TCP, "--verify")())


def ports(asked: tuple[Row, ...]) -> str:
    """What -e takes."""
    return f"{','.join(map(str, sorted({row.port for row in asked})))}/{asked[0].transport}"


def addresses(asked: tuple[Row, ...]) -> list[str]:
    return list(dict.fromkeys(row.address for row in asked))


def check_of(run: Result, row: Row) -> Check:
    return run.check(row.address, row.port, row.transport)


def seen(check: Check) -> tuple[str, str]:
    return check["state"], check["reason"]


def assert_named(check: Check, row: Row, protocol: str | None = None) -> None:
    assert seen(check) == OPEN, check
    assert row.agrees(check["answer"]), check["answer"]
    assert check["speaks"] == (protocol or usual(row.transport, row.port))
    assert (check["outcome"], check["finding"]) == ("pass", "ok")


@pytest.mark.parametrize("row", ANSWERING, ids=str)
def test_a_server_that_answers_anybody_is_named(asked: Asked, row: Row) -> None:
    assert_named(check_of(asked.anybody, row), row)


@pytest.mark.parametrize("row", SILENT, ids=str)
def test_silence_is_neither_open_nor_closed(asked: Asked, row: Row) -> None:
    check = check_of(asked.anybody, row)
    assert seen(check) == NO_RESPONSE, check
    assert check["outcome"] == "inconclusive"
    assert (check["answer"], check["speaks"]) == (None, None)


def test_where_nothing_listens_it_is_closed(asked: Asked) -> None:
    bound = {node: servers.bound(asked.lab, node) for node in IN_CI}
    node_of = {REAL.address(node, family): node for node in IN_CI for family in Family}
    checks = [
        check
        for check in asked.anybody.checks
        if ("udp", check["port"]) not in bound[node_of[check["target"]["address"]]]
    ]
    assert len(checks) > len(UDP)
    assert {seen(check) for check in checks} == {CLOSED}


@pytest.mark.parametrize("row", WITH_SECRETS, ids=str)
def test_a_secret_opens_the_mouth_of_a_server(asked: Asked, row: Row) -> None:
    assert_named(check_of(asked.with_secrets, row), row)


def test_no_secret_is_told(asked: Asked) -> None:
    told = json.dumps(asked.with_secrets.run) + asked.with_secrets.stderr
    assert COMMUNITY not in told
    assert RADIUS_SECRET not in told


@pytest.mark.parametrize("row", WITH_PORT_68, ids=str)
def test_dhcp_answers_source_port_68(asked: Asked, row: Row) -> None:
    assert check_of(asked.anybody, row)["detail"] == "needs-source-port-68"
    assert_named(check_of(asked.with_port_68, row), row)


@pytest.mark.parametrize("row", BY_DOCUMENT, ids=str)
def test_a_document_says_what_is_spoken(asked: Asked, row: Row) -> None:
    assert_named(check_of(asked.by_document, row), row, "dns")


def test_nothing_was_leased(asked: Asked) -> None:
    running = asked.running[f"{BOX}/dhcpd"]
    assert "DHCPACK" in running.log()
    assert "lease 10." not in (running.folder / "leases").read_text(encoding="utf-8")


def test_no_tunnel_was_begun(asked: Asked) -> None:
    assert "Call established" not in asked.running[f"{BOX}/xl2tpd"].log()


@pytest.mark.parametrize("row", [row for row in TCP if row.port != TELNET], ids=str)
def test_verify_names_what_answers_over_tcp(asked: Asked, row: Row) -> None:
    check = check_of(asked.verified, row)
    assert row.agrees(check["answer"]), check["answer"]
    assert check["speaks"] == usual(row.transport, row.port)
    assert (check["outcome"], check["finding"]) == ("pass", "ok")


@pytest.mark.parametrize("row", [row for row in TCP if row.port == TELNET], ids=str)
def test_ssh_where_telnet_should_be_is_a_warning(asked: Asked, row: Row) -> None:
    check = check_of(asked.verified, row)
    assert (check["state"], check["speaks"]) == ("open", "ssh")
    assert (check["outcome"], check["finding"]) == ("warn", "wrong-responder")
