"""What must not be called unexpected: ranges of the product, outgoing connections, ports of a host's other role."""

from __future__ import annotations

import json
import socket

from portcheck.model import Expect, Listen, Sweep, SweepKind
from portcheck.plan import plan
from portcheck.ports import parse_ports
from tests.command import portcheck
from tests.samples import by_port, document, host, row, site

OUTGOING = "127.0.0.77"


def everything(text: str) -> Sweep:
    return Sweep(SweepKind.PORTS, parse_ports(text))


def test_the_local_end_of_an_outgoing_connection_is_not_an_open_port() -> None:
    """Ephemeral ports are busy on every host; they answer whoever they are connected to, and nobody else."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.bind((OUTGOING, 0))
        client.connect(server.getsockname())
        port = client.getsockname()[1]
        done = portcheck("check", OUTGOING, "--sweep", str(port), "--format", "json")
    assert done.status == 0, done.out
    assert json.loads(done.out)["summary"]["fail"] == 0


def test_a_range_of_the_product_is_not_swept_for_those_who_may_use_it() -> None:
    doc = document(
        row("5050/tcp"), row("20000-29999/tcp", "agent master", "agent", listen=Listen.SOME), row("22/tcp", "client")
    )
    m1, a1, c1 = (
        host("m1", "10.0.0.1", roles=["doc:master"]),
        host("a1", "10.0.0.11", roles=["doc:agent"]),
        host("c1", "10.0.0.99", roles=["client"], external=True),
    )
    from_master = plan(site([doc], [m1, a1, c1], "m1", sweep=everything("19999-30001/tcp")))
    assert by_port(from_master, "a1", Expect.NOT_OPEN) == {19999, 30000, 30001}
    from_client = plan(site([doc], [m1, a1, c1], "c1", sweep=everything("19999-30001/tcp")))
    assert len(by_port(from_client, "a1", Expect.NOT_OPEN)) == 10003


def test_a_host_of_two_roles_may_have_the_ports_of_both() -> None:
    doc = document(row("5050/tcp", "any", "master"), row("5051/tcp", "any", "agent"), row("6000/tcp", "any", "client"))
    both = host("both", "10.0.0.1", roles=["doc:master", "doc:agent"])
    other = host("other", "10.0.0.2", roles=["doc:agent"])
    planned = plan(site([doc], [both, other], "other"))
    assert by_port(planned, "both", Expect.REACHABLE) == {5050, 5051}
    assert by_port(planned, "both", Expect.NOT_OPEN) == {6000}


def test_what_one_document_forbids_by_silence_another_one_may_need() -> None:
    one, two = document(row("80/tcp", "any"), id="one"), document(row("443/tcp", "any"), id="two")
    web = host("web", "10.0.0.1", roles=["one:master", "two:master"])
    half = host("half", "10.0.0.2", roles=["one:master"])
    planned = plan(site([one, two], [web, half, host("me", "10.0.0.3", roles=["one:agent"])], "me"))
    assert by_port(planned, "web", Expect.NOT_OPEN) == set()
    assert by_port(planned, "half", Expect.NOT_OPEN) == {443}
