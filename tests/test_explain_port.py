"""`portcheck explain PORT`: who needs it, what it is called, where the documents disagree."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from portcheck import documents
from portcheck.cli.output import columns
from portcheck.engine.probe import Transport
from portcheck.knowledge import Knowledge, common_tcp_ports
from portcheck.model import Answers, Level, Library, Listen, Provenance, ReferenceDocument, Role
from portcheck.ports import parse_ports
from portcheck.reports import port_json, port_text
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
SHIPPED = documents.library()
BOTH = (Transport.TCP, Transport.UDP)


@pytest.fixture(autouse=True)
def small_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that fits on a screen, and a system that knows two names."""

    files = {Path(each.id): each for each in (FOREST, LIST)}
    monkeypatch.setattr(documents, "shipped", lambda: {path.name: path for path in files})
    monkeypatch.setattr(documents, "_shipped", files.__getitem__)
    system = {"ldap": parse_ports("389/tcp+udp"), "rsync": parse_ports("873/tcp")}
    monkeypatch.setattr(local, "service_ports", lambda name: system.get(name, ()))
    monkeypatch.setattr(local, "service_names", lambda: tuple(system))


PAGES = {
    "3268/tcp": """\
3268/tcp, in Registered Ports (1024-49151).

Products that need it
  Forest (forest-1)
      3268/tcp Global Catalog: from member to ad; required
      roles that include one of these: dc
      "Active Directory", row 3268
      "Summary", row 3268 TCP

One of a range of which some ports are used
  Forest (forest-1)
      1025-5000/tcp RPC: from member to ad
      roles that include one of these: dc
      "Ports", row 1025-5000/tcp

--all has more: 2 rows about wide ranges.
""",
    "389": """\
389/tcp+udp, in Well Known Ports (0-1023).

What it is called
  389/tcp+udp LDAP (Port List)
  Player needs LDAP as well
  For -e and offers: ldap

Products that need it
  Forest (forest-1)
      389/tcp+udp LDAP: from any to ad; required; answers only who knows a
        secret
      Note: Every client.
      Doubt: Odd.
      roles that include one of these: dc
      "Ports", row 389/tcp+udp

--all has more: 1 place in the documents.
""",
    "25/tcp": """\
25/tcp, in Well Known Ports (0-1023).

Products that need it
  Forest (forest-1)
      25/tcp SMTP relay: from client to mail; recommended
      25/tcp SMTP: on mail, for the host itself only; only with Feature relay
        (--feature relay)
      exists before the product is installed: SMTP relay
      roles that include one of these: dc, member
      "Ports", row 25/tcp

Where they disagree
  - For the host itself only: SMTP (Forest). To be reached by others: SMTP relay
    (Forest).
""",
    "12345/tcp": """\
12345/tcp, in Registered Ports (1024-49151).

What it is called
  12345/tcp Italk, also used by Trojans (Port List)

--all has more: 1 note, 1 place in the documents, 1 row about a wide range.
""",
    "22": """\
22/tcp+udp, in Well Known Ports (0-1023).

What it is called
  22 Secure Shell (Port List)
      Doubt: Cut off.
  For -e and offers: ssh

--all has more: 1 place in the documents.
""",
    "4050/tcp": """\
4050/tcp, in Registered Ports (1024-49151); nothing in the documents names the
port itself, only ranges around it.

One of a range of which some ports are used
  Forest (forest-1)
      1025-5000/tcp RPC: from member to ad
      4000-4100/tcp Voice: from client to mail
      1025-5000/tcp RPC: from client to mail; only with Feature relay (--feature
        relay)
      roles that include one of these: dc, member
      "Ports", row 1025-5000/tcp
      "Ports", row 4000-4100/tcp

--all has more: 1 row about a wide range.
""",
    "4/tcp": "Nothing in the documents names 4/tcp; it is in Well Known Ports (0-1023).\n",
    "50000/udp": "Nothing in the documents names 50000/udp.\n",
    "gre": """\
gre.

Products that need it
  Forest (forest-1)
      gre Tunnel: from client to mail; required
      roles that include one of these: dc, member
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

What it is called
  5000/udp RTP (Port List)
  For -e and offers: rtp

--all has more: 1 place in the documents.

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
  5800-5809/tcp  from here on: VNC (Port List)

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

FULL_PAGES = {
    "389": """\
389/tcp+udp, in Well Known Ports (0-1023).

What port lists call it
  389/tcp+udp LDAP: Port List (list)
      for -e and offers: ldap
      "Ports", row LDAP
  Player needs LDAP as well

Products that need it
  389/tcp+udp LDAP, Forest (forest-1)
      from any to ad (and so dc)
      required; answers only who knows a secret
      Note: Every client.
      Doubt: Odd.
      "Ports", row 389/tcp+udp

Where they disagree
  - Doubtful: LDAP (Forest); see the doubt above.
""",
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
      from member (and so dc) to ad (and so dc)
      "Ports", row 1025-5000/tcp
  1025-5000/tcp RPC, Forest (forest-1)
      from client (and so dc, member) to mail
      only with Feature relay (--feature relay)
      "Ports", row 1025-5000/tcp

Any port of a range around it may be taken by
  Chat (Port List)
""",
    "4050/tcp": """\
4050/tcp, in Registered Ports (1024-49151); nothing in the documents names the
port itself, only ranges around it.

One of a range of which some ports are used
  1025-5000/tcp RPC, Forest (forest-1)
      from member (and so dc) to ad (and so dc)
      "Ports", row 1025-5000/tcp
  1025-5000/tcp RPC, Forest (forest-1)
      from client (and so dc, member) to mail
      only with Feature relay (--feature relay)
      "Ports", row 1025-5000/tcp
  4000-4100/tcp Voice, Forest (forest-1)
      from client (and so dc, member) to mail
      "Ports", row 4000-4100/tcp

Any port of a range around it may be taken by
  Chat (Port List)
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
}
"""The same with --all."""


@pytest.mark.parametrize("question", PAGES)
def test_the_page_of_a_port(question: str) -> None:
    done = portcheck("explain", question)
    assert (done.status, done.err) == (0, "")
    expected = PAGES[question]
    assert (done.out if expected.endswith("\n") else done.out[: len(expected)]) == expected


@pytest.mark.parametrize("question", FULL_PAGES)
def test_everything_about_a_port(question: str) -> None:
    done = portcheck("explain", question, "--all")
    assert (done.status, done.out) == (0, FULL_PAGES[question])


def made(monkeypatch: pytest.MonkeyPatch, *rows: Any, listed: ReferenceDocument = LIST) -> None:
    library = Library((document(*rows, id="forest-1", title="Forest Ports", product="Forest", roles=ROLES),), (listed,))
    monkeypatch.setattr(documents, "library", lambda also=(): library)


def test_rows_that_say_the_same_are_one_line_and_their_roles_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    made(
        monkeypatch,
        row("7/tcp", "client", "mail", service="RPC", present_before_install=True),
        row("7/tcp", "client", "ad", service="RPC", doubt="Odd.", present_before_install=True),
        row("7/tcp", "member", "ad", service="RPC", doubt="Odd.", present_before_install=True),
        row("7/tcp", "client", "ad", service="Echo", note="Old.", present_before_install=True),
        row("7/tcp", "client", "mail", service="Echo", note="Old.", when="relay", present_before_install=True),
    )
    assert (
        portcheck("explain", "7/tcp").out
        == """\
7/tcp, in Well Known Ports (0-1023).

Products that need it
  Forest (forest-1)
      7/tcp RPC: from client to mail, ad; required
      Doubt (ad): Odd.
      7/tcp RPC: from member to ad; required
      Doubt: Odd.
      7/tcp Echo: from client to ad; required
      7/tcp Echo: from client to mail; only with Feature relay (--feature relay)
      exists before the product is installed
      roles that include one of these: dc, member
      "Ports", row 7/tcp

--all has more: 1 note.
"""
    )


def test_what_a_product_must_have_is_kept_of_many_rows_and_the_others_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made(
        monkeypatch,
        *(row("7/tcp", "client", "mail", service=f"Extra {n}", when="relay") for n in range(5)),
        *(row("7/tcp", "client", "mail", service=f"Service {n}") for n in range(20)),
    )
    page = portcheck("explain", "7/tcp").out
    assert [line for line in page.splitlines() if line.startswith("      7/tcp")] == [
        f"      7/tcp Service {n}: from client to mail; required" for n in range(12)
    ]
    assert "      and 13 more rows\n" in page
    assert "--all has more: 13 rows." in page
    assert portcheck("explain", "7/tcp", "--all").out.count("Extra") == 5


def test_what_lists_call_a_port_is_one_line_each_and_never_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    made(
        monkeypatch,
        listed=reference(
            service("Waste", "1337", remarks="not-registered", note="Men and Mice DNS has it."),
            *(service(f"Game {n}", "1337") for n in range(20)),
        ),
    )
    page = portcheck("explain", "1337/tcp").out
    assert page.count("  1337/tcp Game") == 11
    assert "  1337/tcp Waste, not registered for it (Port List)\n      Note: Men and Mice DNS has it.\n" in page
    assert "9 names" in page
    assert portcheck("explain", "1337/tcp", "--all").out.count("  1337/tcp Game") == 20


def test_a_range_out_of_which_programs_choose_is_left_out_where_something_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wide = service("Chat", ">=1024"), service("Call", ">=2000<=2500"), service("Named", "1500")
    made(
        monkeypatch,
        row("1025-1500/tcp", "client", "mail", service="Tasks", listen=Listen.SOME),
        row("1400-4000/tcp", "client", "mail", service="Old RPC", listen=Listen.SOME, when="relay"),
        listed=reference(*wide),
    )
    assert "Chat" not in portcheck("explain", "1100/tcp").out, "one of the Tasks"
    assert "Call (Port List)" in portcheck("explain", "2222/tcp").out, "narrow"
    assert "Chat" not in portcheck("explain", "2222/tcp").out
    assert "Chat (Port List)" in portcheck("explain", "9999/tcp").out, "nothing else"
    named = portcheck("explain", "1500/tcp").out
    assert "Tasks" in named
    assert "Old RPC" not in named
    assert "--all has more: 1 place in the documents, 2 rows about wide ranges." in named
    assert "Old RPC" in portcheck("explain", "3000/tcp").out, "nothing names the port itself"
    assert {"Old RPC", "Chat"} <= set(re.findall("Old RPC|Chat", portcheck("explain", "1500/tcp", "--all").out))


def test_a_wide_range_is_cut_short_unless_everything_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made(
        monkeypatch,
        listed=reference(
            *(service(f"Service {n}", str(n)) for n in range(1, 101)),
            *(service(f"Group {n}", f"{n}-{n + 1}") for n in range(1, 51)),
        ),
    )
    short, everything = (portcheck("explain", "1-200/tcp", *options).out for options in ([], ["--all"]))
    assert short.count("\n") <= 60
    assert "  36/tcp   Service 36 (Port List)\n  and 64 more: --all\n" in short
    assert "  12-13/tcp  Group 12 (Port List)\n  and 38 more: --all\n" in short
    assert (everything.count("Service"), everything.count("Group")) == (100, 50)
    assert "more" not in everything


def test_several_ports_have_a_page_each() -> None:
    assert portcheck("explain", "22,25/tcp").out == "\n".join(
        portcheck("explain", question).out for question in ("22/tcp", "25/tcp")
    )


@pytest.mark.parametrize("question", PAGES)
@pytest.mark.parametrize("options", [[], ["--all"]], ids=["short", "all"])
def test_no_line_is_wider_than_the_terminal(question: str, options: list[str]) -> None:
    assert all(len(line) <= columns() for line in portcheck("explain", question, *options).out.splitlines())


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
    assert "  Own (own)\n      4/tcp Mine: from any to node; required\n" in done.out
    assert "  4/tcp Ours (Own List)\n  also called Mine (Own)\n  For -e and offers: ours\n" in done.out
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
    for question in (["4/tcp"], ["4/tcp", "--all"], ["1-9"]):
        done = portcheck("explain", *question)
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


# ---------------------------------------------------------------------------------- the documents that ship


def test_the_pages_of_the_documents_that_ship_are_short() -> None:
    known = Knowledge(SHIPPED)
    ports = {number for each in common_tcp_ports(SHIPPED) for number in each.numbers()} | {53, 123, 137, 161}
    pages = {number: port_text.render(str(number), [], [known.about(BOTH, number)]) for number in ports}
    assert {number: page for number, page in pages.items() if page.count("\n") > 60} == {}
    for first, last in ((1, 65535), (1, 1023), (1024, 49151)):
        assert port_text.render("", [], [known.survey(BOTH, first, last)]).count("\n") <= 62
