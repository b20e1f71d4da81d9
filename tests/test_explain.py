"""`portcheck explain`: one check of a kept run, from the row of the document to the packets and back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from portcheck.engine.probe import Attempt, Observation, PortState, Probe, Reason
from portcheck.model import Run
from portcheck.reports import run_json
from portcheck.reports.explanation import find_swept, render_swept
from tests.command import Done, portcheck
from tests.made_runs import (
    DCOS,
    FIVE_FAULTS,
    SCENARIOS,
    Answer,
    five_faults,
    local_taken,
    made,
    over_udp,
    rejected_by,
    seen_from_a1,
    silent,
    stand_ins_broken,
    unknown,
    waived,
    without_a_role,
)
from tests.samples import claimed, host, site


def keep(run: Run, folder: Path) -> str:
    path = folder / "run.json"
    path.write_text(run_json.render(run), encoding="utf-8")
    return str(path)


def probably_rejected(probe: Probe) -> Observation:
    return replace(rejected_by("10.0.0.254", inferred=True)(probe), detail="seen on 1 of 3 ports")


def of_a_proxy(reason: Reason) -> Answer:
    def answer(probe: Probe) -> Observation:
        tries = (Attempt(0.0, 0.002, 40001, 1, str(reason)),)
        return Observation(probe, PortState.UNKNOWN, reason, tries, responder="10.0.0.254", errno=104)

    return answer


def somebody_between() -> Run:
    """A proxy that resets, a router that limits its errors, and a host that is lost before it was asked."""
    answers = {
        "m1/ipv4/tcp/443": of_a_proxy(Reason.RESET_AFTER_HANDSHAKE),
        "m1/ipv4/tcp/5050": of_a_proxy(Reason.ICMP_RATE_LIMITED),
        "m2/ipv4/tcp/443": unknown(Reason.LOST_CONTACT, "answered until 12.3 s"),
    }
    return made(seen_from_a1(), answers)


def two_addresses() -> Run:
    """A host with two IPv6 addresses, seen by a claimed role."""
    hosts = (host("m1", "10.0.0.1", "fd00::1", "fd00::2", roles=("dcos:master",)),)
    answers = {"m1/ipv6#fd00::2/tcp/443": silent, "m1/ipv4/tcp/443": probably_rejected}
    return made(site([DCOS], hosts, claimed("dcos:agent")), answers)


PAGES: dict[str, tuple[Run, str, str]] = {
    "a token behind translated addresses": (
        stand_ins_broken(),
        "a1>m2/ipv4/tcp/5050",
        """\
Asked    5050/tcp Mesos Master on m2 (10.0.0.2, master). It must be reachable
         from a1.
         New Product, "Ports", row 5050/tcp (required)
Sent     1 attempt, not kept singly: check with --evidence.
Seen     open (echo-token), after 1.2 ms
         Our stand-in m2 (as it was told, network stack 0000000000006d32) got
         the question at 172.16.0.2 port 5050, from 192.0.2.9 port 40001
Verdict  pass, ok (phase preinstall)
         Our stand-in on m2 answered in 1.2 ms; the question arrived at
         172.16.0.2 and came from 192.0.2.9 there: addresses are translated on
         the way.
""",
    ),
    "a port that somebody has, says the stand-in": (
        stand_ins_broken(),
        "a1>m2/ipv4/tcp/2181",
        """\
Asked    2181/tcp ZooKeeper on m2 (10.0.0.2, master). It must be reachable from
         a1.
         New Product, "Ports", row 2181/tcp (required)
Sent     From a1 on machine:
         attempt 1 from port 40001 at 0.000 s, 1 SYN: conn-refused after 1.0 ms
Seen     closed (conn-refused), after 1.2 ms
         Who has it: java (PID 812, unit dcos-mesos-master.service), bound to ::
Verdict  fail, occupied (phase preinstall)
         java (PID 812, unit dcos-mesos-master.service) has this port on m2
         already, says our stand-in there: the product cannot use it.
""",
    ),
    "a port of this machine": (
        local_taken(),
        "m1>m1/own/tcp/2181",
        """\
Asked    2181/tcp ZooKeeper on m1 (master). It must be free for the product, on
         this machine.
         New Product, "Ports", row 2181/tcp (required)
Sent     Nothing: this machine's kernel was asked.
Seen     open (port-in-connection)
         Who has it: curl (PID 5), the near end of a connection
Verdict  fail, occupied (phase preinstall)
         An outgoing connection of curl (PID 5) has 2181/tcp on m1 as its near
         end: the product cannot use it until that connection ends.
""",
    ),
    "a rule of this machine": (
        local_taken(),
        "m1>m1/rules/tcp/443",
        """\
Asked    443/tcp Admin Router on m1 (master). The packet filter of this machine
         itself must let it in.
         New Product, "Ports", row 443/tcp (required)
Sent     Nothing: the rules of this machine's packet filter were read.
Seen     filtered (rules-drop), table inet filter, chain input, rule handle 7
Verdict  fail, blocked (phase preinstall)
         The packet filter of m1 itself drops what is sent to 443/tcp (table
         inet filter, chain input, rule handle 7).
""",
    ),
    "a reply": (
        over_udp(),
        "a1>m1/ipv4/udp/123",
        """\
Asked    123/udp NTP on m1 (10.0.0.1, master). It must be reachable from a1.
         Services, "Ports", row 123/udp (required)
Sent     1 packet, not kept singly: check with --evidence.
Seen     open (udp-response), after 1.2 ms, replied from 10.0.0.99
         What answered (NTP): NTP server, stratum 3
Verdict  pass, ok (phase installed)
         m1 (10.0.0.1) answered in 1.2 ms: NTP server, stratum 3; the answer
         came from 10.0.0.99, which was not asked.
""",
    ),
    "silence over UDP": (
        over_udp(),
        "a1>m1/ipv4/udp/53",
        """\
Asked    53/udp DNS on m1 (10.0.0.1, master). It must be reachable from a1.
         Services, "Ports", row 53/tcp+udp (required)
Sent     From a1 on machine, DNS requests:
         packet 1 from port 40001 at 0.000 s: no-response after 700.0 ms
         packet 2 from port 40001 at 0.700 s: no-response after 700.0 ms
         packet 3 from port 40001 at 1.400 s: no-response after 700.0 ms
Seen     open|filtered (no-response), icmp-alive
Verdict  inconclusive, undetermined (phase installed)
         No answer to 3 datagrams in 2.1 s, while m1 (10.0.0.1) reports closed
         ports: dropped, or open and silent to DNS requests.
""",
    ),
    "silence that proves nothing": (
        over_udp(),
        "a1>m1/ipv4/udp/1812",
        """\
Asked    1812/udp RADIUS on m1 (10.0.0.1, master). It must be reachable from a1.
         Services, "Ports", row 1812/udp (required)
Sent     From a1 on machine:
         packet 1 from port 40001 at 0.000 s: no-response after 700.0 ms
         packet 2 from port 40001 at 0.700 s: no-response after 700.0 ms
         packet 3 from port 40001 at 1.400 s: no-response after 700.0 ms
Seen     open|filtered (no-response), icmp-alive
Verdict  inconclusive, undetermined (phase installed)
         No answer to 3 datagrams in 2.1 s, while m1 (10.0.0.1) reports closed
         ports: dropped, or open; healthy or not, it answers only who knows its
         secret.
""",
    ),
    "somebody else answers": (
        over_udp(),
        "a1>m2/ipv4/tcp/8443",
        """\
Asked    8443/tcp Console on m2 (10.0.0.2, master). It must be reachable from
         a1.
         Services, "Ports", row 8443/tcp (required)
Sent     From a1 on machine:
         attempt 1 from port 40001 at 0.000 s, 1 SYN: syn-ack after 1.0 ms
Seen     open (syn-ack), after 1.2 ms
         What answered (SSH): SSH, OpenSSH_9.2
Verdict  warn, wrong-responder (phase installed)
         8443/tcp on m2 is open, but speaks SSH (SSH, OpenSSH_9.2); HTTPS was
         expected.
""",
    ),
    "nobody knows what to ask": (
        over_udp(),
        "a1>a2/ipv4/udp/9999",
        """\
Asked    9999/udp Debugger on a2 (10.0.0.12, agent). Only the host itself may
         reach it.
         Services, "Ports", row 9999/udp (required)
Sent     From a1 on machine, empty datagrams, since no protocol is known for
         this port:
         packet 1 from port 40001 at 0.000 s: udp-response after 1.0 ms
Seen     open (udp-response), after 1.2 ms
         What answered: 4 bytes
Verdict  fail, exposed (phase installed)
         a2 (10.0.0.12) answered from here (4 bytes), but the service is for
         localhost only.
""",
    ),
    "blocked": (
        five_faults(),
        "a1>m1/ipv4/tcp/5050",
        """\
Asked    5050/tcp Mesos Master on m1 (10.0.0.1, master). It must be reachable
         from a1.
         DC/OS Ports, "Ports", row 5050/tcp (required)
Sent     From a1 on machine:
         attempt 1 from port 40001 at 0.000 s, 4 SYNs: no-response after 3300.0
         ms
         attempt 2 from port 40002 at 1.000 s, 4 SYNs: no-response after 3300.0
         ms
Seen     filtered (no-response)
Verdict  fail, blocked (phase installed)
         No answer to 8 SYNs from 2 source ports in 4.3 s, while 8 other ports
         of the same host answered.
""",
    ),
    "rejected": (
        five_faults(),
        "a1>m2/ipv4/tcp/2181",
        """\
Asked    2181/tcp ZooKeeper on m2 (10.0.0.2, master). It must be reachable from
         a1.
         DC/OS Ports, "Ports", row 2181/tcp (required)
Sent     From a1 on machine:
         attempt 1 from port 40001 at 0.000 s, 1 SYN: admin-prohibited after 1.0
         ms
Seen     filtered (admin-prohibited), ICMP type 3 code 13, sent by 10.0.0.254
Verdict  fail, rejected (phase installed)
         10.0.0.254 answered with ICMP administratively prohibited (3/13); that
         is not 10.0.0.2.
""",
    ),
    "passed": (
        five_faults(),
        "a1>m1/ipv4/tcp/443",
        """\
Asked    443/tcp Admin Router on m1 (10.0.0.1, master). It must be reachable
         from a1.
         DC/OS Ports, "Ports", row 443/tcp (required)
Sent     1 attempt, not kept singly: check with --evidence.
Seen     open (syn-ack), after 1.2 ms
Verdict  pass, ok (phase installed)
         m1 (10.0.0.1) accepted the connection in 1.2 ms.
""",
    ),
    "swept": (
        five_faults(),
        "a1>m3/ipv4/tcp/8080",
        """\
Asked    Nobody asked for it to be open to a1.
Sent     Not kept for each port of a sweep: check with --evidence.
Seen     closed (conn-refused)
Verdict  pass: it is not open
""",
    ),
    "local only": (
        without_a_role(),
        "here>m1/ipv4/tcp/8888",
        """\
Asked    8888/tcp Certificate Authority on m1 (10.0.0.1, master). Only the host
         itself may reach it.
         DC/OS Ports, "Ports", row 8888/tcp (required)
Sent     From here on machine:
         attempt 1 from port 40001 at 0.000 s, 1 SYN: syn-ack after 1.0 ms
Seen     open (syn-ack), after 1.2 ms
Verdict  fail, exposed (phase installed)
         m1 (10.0.0.1) accepted the connection from here, but the service is for
         localhost only.
""",
    ),
    "waived": (
        waived(),
        "a1>a2/ipv4/tcp/5050",
        """\
Asked    5050/tcp on a2 (10.0.0.12, agent). Nobody asked for it to be open to
         a1.
Sent     From a1 on machine:
         attempt 1 from port 40001 at 0.000 s, 1 SYN: syn-ack after 1.0 ms
Seen     open (syn-ack), after 1.2 ms
Verdict  fail, unexpected-open (phase installed)
         a2 (10.0.0.12) accepted the connection in 1.2 ms, and nothing that is
         in use here expects it; the documents have it for Mesos Master on
         master.
         Accepted by a waiver: old proxy, goes in March
""",
    ),
    "one of several IPv6 addresses": (
        two_addresses(),
        "agent>m1/ipv6#fd00::2/tcp/443",
        """\
Asked    443/tcp Admin Router on m1 (fd00::2, master). It must be reachable from
         agent.
         DC/OS Ports, "Ports", row 443/tcp (required)
Sent     From agent on machine:
         attempt 1 from port 40001 at 0.000 s, 4 SYNs: no-response after 3300.0
         ms
         attempt 2 from port 40002 at 1.000 s, 4 SYNs: no-response after 3300.0
         ms
Seen     filtered (no-response)
Verdict  fail, blocked (phase installed)
         No answer to 8 SYNs from 2 source ports in 4.3 s, while 8 other ports
         of the same host answered.
""",
    ),
    "a swept port of one of several IPv6 addresses": (
        two_addresses(),
        "agent>m1/ipv6#fd00::1/tcp/61091",
        """\
Asked    Nobody asked for it to be open to agent.
Sent     Not kept for each port of a sweep: check with --evidence.
Seen     closed (conn-refused)
Verdict  pass: it is not open
""",
    ),
    "inferred": (
        two_addresses(),
        "agent>m1/ipv4/tcp/443",
        """\
Asked    443/tcp Admin Router on m1 (10.0.0.1, master). It must be reachable
         from agent.
         DC/OS Ports, "Ports", row 443/tcp (required)
Sent     From agent on machine:
         attempt 1 from port 40001 at 0.000 s, 1 SYN: admin-prohibited after 1.0
         ms
Seen     filtered (admin-prohibited), ICMP type 3 code 13, sent by 10.0.0.254,
         inferred from other ports of this address, seen on 1 of 3 ports
Verdict  fail, rejected (phase installed)
         Probably rejected by 10.0.0.254, which limits how many such answers it
         sends: ICMP administratively prohibited (3/13), seen on 1 of 3 ports of
         this host.
""",
    ),
    "accepted by a proxy": (
        somebody_between(),
        "a1>m1/ipv4/tcp/443",
        """\
Asked    443/tcp Admin Router on m1 (10.0.0.1, master). It must be reachable
         from a1.
         DC/OS Ports, "Ports", row 443/tcp (required)
Sent     From a1 on machine:
         attempt 1 from port 40001 at 0.000 s, 1 SYN: reset-after-handshake
         after 2.0 ms
Seen     unknown (reset-after-handshake), probably accepted by 10.0.0.254 or
         something right behind it, errno 104
Verdict  inconclusive, undetermined (phase installed)
         The connection was accepted and reset at once: a SYN proxy, probably
         10.0.0.254 or something right behind it, answered for m1 (10.0.0.1) and
         nothing seems to listen behind it, or the service turns this machine
         away.
""",
    ),
    "behind a router that limits its errors": (
        somebody_between(),
        "a1>m1/ipv4/tcp/5050",
        """\
Asked    5050/tcp Mesos Master on m1 (10.0.0.1, master). It must be reachable
         from a1.
         DC/OS Ports, "Ports", row 5050/tcp (required)
Sent     From a1 on machine:
         attempt 1 from port 40001 at 0.000 s, 1 SYN: icmp-rate-limited after
         2.0 ms
Seen     unknown (icmp-rate-limited), behind 10.0.0.254, errno 104
Verdict  inconclusive, undetermined (phase installed)
         No answer, and 10.0.0.254 limits how many ICMP errors it sends: whether
         this port is rejected or dropped could not be told.
""",
    ),
    "lost before it was asked": (
        somebody_between(),
        "a1>m2/ipv4/tcp/443",
        """\
Asked    443/tcp Admin Router on m2 (10.0.0.2, master). It must be reachable
         from a1.
         DC/OS Ports, "Ports", row 443/tcp (required)
Sent     Nothing.
Seen     unknown (lost-contact), answered until 12.3 s
Verdict  inconclusive, undetermined (phase installed)
         m2 (10.0.0.2) stopped answering as before in the middle of the run
         (answered until 12.3 s), even on a port that had answered: it banned
         this machine, restarted, or the network between went away. What was not
         decided by then is not known.
""",
    ),
    "passed, with its evidence": (
        made(seen_from_a1(), evidence=True),
        "a1>m1/ipv4/tcp/443",
        """\
Asked    443/tcp Admin Router on m1 (10.0.0.1, master). It must be reachable
         from a1.
         DC/OS Ports, "Ports", row 443/tcp (required)
Sent     From a1 on machine:
         attempt 1 from port 40001 at 0.000 s, 1 SYN: syn-ack after 1.0 ms
Seen     open (syn-ack), after 1.2 ms
Verdict  pass, ok (phase installed)
         m1 (10.0.0.1) accepted the connection in 1.2 ms.
""",
    ),
    "weak": (
        SCENARIOS["before-the-install"](),
        "a1>m1/ipv4/tcp/443",
        """\
Asked    443/tcp Admin Router on m1 (10.0.0.1, master). It must be reachable
         from a1.
         DC/OS Ports, "Ports", row 443/tcp (required)
Sent     1 attempt, not kept singly: check with --evidence.
Seen     closed (conn-refused), after 1.2 ms
Verdict  pass, ok, weak evidence (phase preinstall)
         m1 (10.0.0.1) refused the connection: the path is open and the port is
         free, unless a firewall resets connections, which looks the same.
""",
    ),
    "doubtful, without an address": (
        SCENARIOS["not-sure"](),
        "a1>a3/unresolved/tcp/62080",
        """\
Asked    62080/tcp Navstar on a3 (agent). It must be reachable from a1.
         DC/OS Ports, "Ports", row 62080/tcp (required)
         Doubt: dcos-net binds it to 127.0.0.1
Sent     Nothing.
Seen     unknown (name-unresolved), a3.example: Name or service not known
Verdict  inconclusive, undetermined (phase installed)
         The name has no address: a3.example: Name or service not known.
""",
    ),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_check_is_explained(name: str, tmp_path: Path) -> None:
    run, check_id, page = PAGES[name]
    assert portcheck("explain", check_id, keep(run, tmp_path)) == Done(0, f"{check_id}\n\n{page}", "")


def test_a_swept_port_that_is_not_well_is_explained_by_what_all_of_its_kind_came_to() -> None:
    entry = {
        "source": "a1",
        "target": {"host": "m1", "address": "10.0.0.1"},
        "transport": "tcp",
        "state": "unknown",
        "reason": "reset-after-handshake",
        "detail": None,
        "responder": "10.0.0.254",
        "icmp": None,
        "inferred": False,
        "outcome": "inconclusive",
        "certainty": "certain",
        "finding": "undetermined",
        "because": "The connection was accepted and reset at once.",
        "waived": None,
        "ports": "1-1024",
    }
    assert render_swept("a1>m1/ipv4/tcp/7", entry, {"phase": "installed"}) == (
        "a1>m1/ipv4/tcp/7\n\n"
        "Asked    Nobody asked for it to be open to a1.\n"
        "Sent     Not kept for each port of a sweep: check with --evidence.\n"
        "Seen     unknown (reset-after-handshake), probably accepted by 10.0.0.254 or\n"
        "         something right behind it\n"
        "Verdict  inconclusive, undetermined (phase installed)\n"
        "         The connection was accepted and reset at once.\n"
    )


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_check_of_every_run_can_be_explained(name: str, tmp_path: Path) -> None:
    run = SCENARIOS[name]()
    path = keep(run, tmp_path)
    sample = run.verdicts[:: max(1, len(run.verdicts) // 12)]
    for verdict in sample:
        done = portcheck("explain", verdict.check.id, path)
        assert (done.status, done.err) == (0, ""), verdict.check.id
        assert done.out.startswith(f"{verdict.check.id}\n\n")
        assert max(map(len, done.out.splitlines())) <= 80


@pytest.mark.parametrize(
    "check_id",
    [
        "a1",
        "a1>m3",
        "a1>m3/ipv4/tcp",
        "a1>m3/ipv4/tcp/",
        "a1>m3/ipv4/udp/8080",
        "a1>m3/ipv6/tcp/8080",
        "a2>m3/ipv4/tcp/8080",
        "a1>m4/ipv4/tcp/8080",
        "a1>m3/ipv4/tcp/8081",
        "a1>m3/ipv4/tcp/٨٠٨٠٨٠",
    ],
)
def test_a_port_is_only_found_in_the_sweep_that_it_belongs_to(check_id: str) -> None:
    assert find_swept(check_id, run_json.as_json(five_faults())["swept"]) is None


HOSTILE_CHECK: dict[str, Any] = {
    "services": ["\x1b[2J[red]x", "\u202e" + "y" * 5000],
    "because": "\x1b]0;title\x07 \n\n second line " + "z" * 100_000,
    "detail": "\x9b31m",
    "waived": "[/]",
    "doubt": "\u2066",
    "finding": "\x1b[8mhidden",
    "responder": "10.0.0.1\r",
}


def test_a_tampered_run_cannot_command_the_terminal(tmp_path: Path) -> None:
    run = json.loads(run_json.render(made(seen_from_a1(), FIVE_FAULTS)))
    check = next(c for c in run["checks"] if c["id"] == "a1>m1/ipv4/tcp/5050")
    check.update(HOSTILE_CHECK)
    check["target"]["host"] = "\x1b[31mm1"
    run["documents"][0]["title"] = "\x1b[31mDC/OS"
    run["vantages"][0]["machine"] = "\x07"
    run["phase"] = "\x08"
    path = tmp_path / "run.json"
    path.write_text(json.dumps(run), encoding="utf-8")
    done = portcheck("explain", "a1>m1/ipv4/tcp/5050", str(path))
    assert done.status == 0
    assert all(line.isprintable() for line in done.out.splitlines())
    assert "[red]x" in done.out
    assert len(done.out) < 10_000
    assert max(map(len, done.out.splitlines())) <= 80


def test_ids_that_are_suggested_are_harmless(tmp_path: Path) -> None:
    run = json.loads(run_json.render(five_faults()))
    run["checks"][0]["id"] = "zzzz\x1b[2Jzzzz"
    path = tmp_path / "run.json"
    path.write_text(json.dumps(run), encoding="utf-8")
    done = portcheck("explain", "zzzzzzzz", str(path))
    assert done == Done(2, "", f'portcheck: {path}: no check "zzzzzzzz" in this run; did you mean zzzz\\x1b[2Jzzzz?\n')
