"""`portcheck explain PORT`: who needs it, what it is called, where the documents disagree."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from portcheck import documents
from portcheck.cli.output import columns
from portcheck.engine.probe import Transport
from portcheck.model import Answers, Level, Library, Listen, Provenance, Role
from portcheck.ports import parse_ports
from portcheck.reports import port_json
from portcheck.vantage import local
from tests.command import portcheck
from tests.made_library import part, reference, service
from tests.samples import document, row

ROLES = {
    "dc": Role("dc", "Domain controller", includes=("ad", "member")),
    "ad": Role("ad", "Active Directory"),
    "member": Role("member", "Domain member", includes=("client",)),
    "client": Role("client", "Client", external=True),
    "mail": Role("mail", "Mail server"),
}
PLACES = (Provenance("forest-1", "Active Directory", "3268"), Provenance("forest-1", "Summary", "3268 TCP"))

FOREST = document(
    replace(row("3268/tcp", "member", "ad", service="Global Catalog"), provenance=PLACES[:1]),
    row("389/tcp+udp", "any", "ad", service="LDAP", answers=Answers.WITH_SECRET, note="Every client.", doubt="Odd."),
    row("25/tcp", "localhost", "mail", service="SMTP", when="relay"),
    row("25/tcp", "client", "mail", service="SMTP relay", level=Level.RECOMMENDED, present_before_install=True),
    row("1025-5000/tcp", "member", "ad", service="RPC", listen=Listen.SOME),
    row("1025-5000/tcp", "client", "mail", service="RPC", listen=Listen.SOME, when="relay"),
    row("4000-4100/tcp", "client", "mail", service="Voice", listen=Listen.SOME),
    row("gre", "client", "mail", service="Tunnel"),
    id="forest-1",
    title="Forest Ports",
    product="Forest",
    roles=ROLES,
)
FOREST = replace(FOREST, expectations=(replace(FOREST.expectations[0], provenance=PLACES), *FOREST.expectations[1:]))
LIST = reference(
    service("LDAP", "389", "389", names="ldap", by_name="389/tcp"),
    service("Italk", "12345", "12345", remarks="trojans", note="Chat in Japan."),
    service("Secure Shell", either="22", names="ssh", by_name="22/tcp", doubt="Cut off."),
    service("Player", "", "", uses=((Transport.TCP, "LDAP"),)),
    service("Chat", ">=1024"),
    service("Phone", "4000-4001", ">=4000<=4500"),
    service("RTP", udp="5000", names="rtp", by_name="5000/udp"),
    service("RTP too", udp="6000", names="rtp", by_name="6000/udp"),
    service("VNC", "5800+"),
    ranges=(part("Well Known Ports", 0, 1023), part("Registered Ports", 1024, 49151)),
)


@pytest.fixture(autouse=True)
def small_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that fits on a screen, and a system that knows two names."""

    def library(also: tuple[object, ...] = ()) -> Library:
        return Library((*also, FOREST), (LIST,))  # type: ignore[arg-type]

    monkeypatch.setattr(documents, "library", library)
    system = {"ldap": parse_ports("389/tcp+udp"), "rsync": parse_ports("873/tcp")}
    monkeypatch.setattr(local, "service_ports", lambda name: system.get(name, ()))
    monkeypatch.setattr(local, "service_names", lambda: tuple(system))


PAGES = {
    "3268/tcp": """\
3268/tcp, in Registered Ports (1024-49151).

Products that need it
  3268/tcp Global Catalog, Forest (forest-1)
      from member (and so dc) to ad (and so dc)
      required
      "Active Directory", row 3268
      "Summary", row 3268 TCP

One of a range of which some ports are used
  1025-5000/tcp RPC, Forest (forest-1)
      to ad, mail
      required; only with Feature relay (--feature relay)
      2 rows: portcheck documents show forest-1

Any port of a range around it may be taken by
  Chat (Port List)
""",
    "389": """\
389/tcp+udp, in Well Known Ports (0-1023).

Products that need it
  389/tcp+udp LDAP, Forest (forest-1)
      from any to ad (and so dc)
      required
      answers only who knows a secret
      Note: Every client.
      Doubt: Odd.
      "Ports", row 389/tcp+udp

What port lists call it
  389/tcp+udp LDAP: Port List (list)
      for -e and offers: ldap
      "Ports", row LDAP
  Player needs LDAP as well

Where they disagree
  - Doubtful: LDAP (Forest); see the doubt above.
""",
    "25/tcp": """\
25/tcp, in Well Known Ports (0-1023).

Products that need it
  25/tcp SMTP, Forest (forest-1)
      on mail, for the host itself only
      only with Feature relay (--feature relay)
      "Ports", row 25/tcp
  25/tcp SMTP relay, Forest (forest-1)
      from client (and so dc, member) to mail
      recommended
      exists before the product is installed
      "Ports", row 25/tcp

Where they disagree
  - For the host itself only: SMTP (Forest). To be reached by others: SMTP relay
    (Forest).
""",
    "12345/tcp": """\
12345/tcp, in Registered Ports (1024-49151).

What port lists call it
  12345/tcp Italk: Port List (list)
      also used by Trojans
      Note: Chat in Japan.
      "Ports", row Italk

Any port of a range around it may be taken by
  Chat (Port List)
""",
    "22": """\
22/tcp+udp, in Well Known Ports (0-1023).

What port lists call it
  22 (TCP or UDP, not said which) Secure Shell: Port List (list)
      for -e and offers: ssh
      Doubt: Cut off.
      "Ports", row Secure Shell

Where they disagree
  - Doubtful: Secure Shell (Port List); see the doubt above.
""",
    "4050/tcp": """\
4050/tcp, in Registered Ports (1024-49151); nothing in the documents names the
port itself, only ranges around it.

One of a range of which some ports are used
  1025-5000/tcp RPC, Forest (forest-1)
      to ad, mail
      required; only with Feature relay (--feature relay)
      2 rows: portcheck documents show forest-1
  4000-4100/tcp Voice, Forest (forest-1)
      from client (and so dc, member) to mail
      required
      "Ports", row 4000-4100/tcp

Any port of a range around it may be taken by
  Chat (Port List)
""",
    "4/tcp": "Nothing in the documents names 4/tcp; it is in Well Known Ports (0-1023).\n",
    "50000/udp": "Nothing in the documents names 50000/udp.\n",
    "gre": """\
gre.

Products that need it
  gre Tunnel, Forest (forest-1)
      from client (and so dc, member) to mail
      required
      "Ports", row gre
""",
    "esp": "Nothing in the documents names esp.\n",
    "ldap": """\
ldap: 389/tcp (Port List); 389/tcp, 389/udp (this system)

389/tcp+udp, in""",
    "LDAP/udp": """\
LDAP/udp: 389/udp (Port List)

389/udp, in""",
    "rsync": """\
rsync: 873/tcp (this system)

Nothing in the documents names 873/tcp; it is in Well Known Ports (0-1023).
""",
    "rtp": """\
rtp: 5000/udp (Port List); 6000/udp (Port List)

5000/udp, in Registered Ports (1024-49151).

What port lists call it
  5000/udp RTP: Port List (list)
      for -e and offers: rtp
      "Ports", row RTP

6000/udp, in""",
    "4000-6000": """\
4000-6000/tcp+udp, in Registered Ports (1024-49151).

Ports with a name
  5000/udp  RTP (Port List)
  6000/udp  RTP too (Port List)

Ranges
  1025-5000/tcp  some of these: RPC (Forest)
  4000-4001/tcp  Phone (Port List)
  4000-4100/tcp  some of these: Voice (Forest)
  5800-5899/tcp  from here on: VNC (Port List)

Any port of a range around them may be taken by
  Chat, Phone (Port List)
""",
    "20-25/tcp": """\
20-25/tcp, in Well Known Ports (0-1023).

Ports with a name
  22      Secure Shell (Port List)
  25/tcp  SMTP; SMTP relay (Forest)
""",
    "1-10/udp": """\
1-10/udp, in Well Known Ports (0-1023).
Nothing in the documents names any of these ports.
""",
    "22,25/tcp": """\
22/tcp, in""",
}
"""A question to the page, or to how it begins."""


@pytest.mark.parametrize("question", PAGES)
def test_the_page_of_a_port(question: str) -> None:
    done = portcheck("explain", question)
    assert (done.status, done.err) == (0, "")
    expected = PAGES[question]
    assert (done.out if expected.endswith("\n") else done.out[: len(expected)]) == expected


def test_several_ports_have_a_page_each() -> None:
    assert portcheck("explain", "22,25/tcp").out == "\n".join(
        portcheck("explain", question).out for question in ("22/tcp", "25/tcp")
    )


@pytest.mark.parametrize("question", PAGES)
def test_no_line_is_wider_than_the_terminal(question: str) -> None:
    assert all(len(line) <= columns() for line in portcheck("explain", question).out.splitlines())


OWN = """\
id: {id}
title: Own Ports
vendor: V
product: Own
version: "1"
roles: {{node: {{title: Node}}}}
expectations:
  - {{service: Mine, ports: 4/tcp, from: [any], to: [node], provenance: {{section: S, row: "4"}}}}
"""
OWN_LIST = """\
id: own-list
kind: reference
title: Own List
vendor: V
version: "1"
services:
  - {service: Ours, tcp: 4, names: [ours], provenance: {section: S, row: "4"}}
"""


def test_documents_of_ones_own_are_read_as_well(tmp_path: Path) -> None:
    product, listed = tmp_path / "own.yaml", tmp_path / "own-list.yaml"
    product.write_text(OWN.format(id="own"), encoding="utf-8")
    listed.write_text(OWN_LIST, encoding="utf-8")
    done = portcheck("explain", "4/tcp", "-d", str(product), "-d", str(listed))
    assert done.status == 0
    assert "4/tcp Mine, Own (own)" in done.out
    assert "4/tcp Ours: Own List (own-list)" in done.out
    assert portcheck("explain", "ours", "-d", str(listed)).out.startswith("ours: 4/tcp (Own List)\n")
    assert portcheck("explain", "ours").status == 2


def test_nothing_of_a_document_reaches_the_terminal_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = "\x1b[31m\u202e"
    nasty = replace(
        document(row("4/tcp", service=f"a{bad}", note=f"b{bad}", doubt=f"c{bad}"), id="nasty"),
        product=f"d{bad}",
        title=f"e{bad}",
    )
    listed = reference(service(f"f{bad}", "4 4-5", note=f"g{bad}"), title=f"h{bad}", ranges=(part(f"i{bad}", 0, 9),))
    monkeypatch.setattr(documents, "library", lambda also=(): Library((nasty,), (listed,)))
    for question in ("4/tcp", "1-9"):
        done = portcheck("explain", question)
        assert done.status == 0
        assert all(line.isprintable() for line in done.out.splitlines())
        assert r"a\x1b[31m\u202e" in done.out


# --------------------------------------------------------------------------------------------------- as JSON


@pytest.mark.parametrize("question", PAGES)
def test_the_answer_for_programs_has_the_shape_that_is_promised(question: str) -> None:
    schema = json.loads(Path(port_json.__file__).with_name("port.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    done = portcheck("explain", question, "--format", "json")
    assert done.status == 0
    Draft202012Validator(schema).validate(json.loads(done.out))


def test_the_answer_for_programs_has_what_the_page_has() -> None:
    answer = json.loads(portcheck("explain", "3268/tcp", "--format", "json").out)
    (port,) = answer["ports"]
    assert (answer["question"], answer["surveys"], port["port"], port["transports"]) == ("3268/tcp", [], 3268, ["tcp"])
    assert [(need["service"], need["listen"]) for need in port["needs"]] == [
        ("Global Catalog", "single"),
        ("RPC", "some"),
        ("RPC", "some"),
    ]
    assert (port["needs"][0]["from"], port["needs"][0]["to_including"]) == (["member"], ["dc"])
    assert [name["service"] for name in port["dynamic"]] == ["Chat"]
    (survey,) = json.loads(portcheck("explain", "20-25/tcp", "--format", "json").out)["surveys"]
    assert [each["port"] for each in survey["named"]] == [22, 25]
