"""What all documents together say of a port: names, needs, ranges, contradictions, the ports of a common sweep."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcheck import documents
from portcheck.engine.probe import Transport
from portcheck.knowledge import Knowledge, common_tcp_ports
from portcheck.knowledge.phrases import LIMIT
from portcheck.knowledge.port_index import PortIndex, PortSet
from portcheck.knowledge.said import Kind, Taken
from portcheck.model import Answers, Document, Library, Listen, PortcheckError, Ports, ReferenceDocument, Role
from portcheck.ports import parse_ports
from portcheck.service_names import ServiceName, candidates, parse_service, settled
from tests.made_library import part, reference, service
from tests.samples import PATIENT, document, row

TCP, UDP = Transport.TCP, Transport.UDP
BOTH = (TCP, UDP)

TROJAN = service("Italk", "12345", "12345", remarks="trojans", note="Chat. Others use it too.")


def knowledge(*what: Document | ReferenceDocument) -> Knowledge:
    documents = tuple(each for each in what if isinstance(each, Document))
    return Knowledge(Library(documents, tuple(each for each in what if isinstance(each, ReferenceDocument))))


def shop(*rows: Any, **fields: Any) -> Document:
    return document(*rows, **{"id": "shop-1", "product": "Shop", **fields})


# ----------------------------------------------------------------------------------------------- known for

KNOWN_FOR: dict[str, tuple[tuple[Document | ReferenceDocument, ...], str, str | None]] = {
    "nothing": ((reference(service("SSH", "22")),), "23/tcp", None),
    "one name": ((reference(service("SSH", "22")),), "22/tcp", "SSH (Port List)"),
    "another transport": ((reference(service("PGPfone", udp="4747")),), "4747/tcp", None),
    "no transport said": ((reference(service("Finger", either="79")),), "79/udp", "Finger (Port List)"),
    "a remark": ((reference(TROJAN),), "12345/tcp", "Italk, also used by Trojans (Port List)"),
    "several remarks": (
        (reference(service("WASTE", "1337", remarks="peer-to-peer obsolete")),),
        "1337/tcp",
        "WASTE, peer-to-peer, obsolete (Port List)",
    ),
    "another's number": (
        (reference(service("WASTE", "1337", remarks="not-registered", note="Men and Mice DNS has it; since 2001.")),),
        "1337/tcp",
        "WASTE, not registered for it: Men and Mice DNS has it (Port List)",
    ),
    "a product": ((shop(row("3268/tcp", service="Global Catalog")),), "3268/tcp", "Global Catalog (Shop)"),
    "lists before products, each source once": (
        (
            shop(row("80/tcp", service="Web"), row("80/tcp", "client", "agent", service="Proxy")),
            reference(service("HTTP", "80"), service("Web", "80")),
        ),
        "80/tcp",
        "HTTP; Web (Port List); Web; Proxy (Shop)",
    ),
    "the same name twice": (
        (shop(row("80/tcp", service="Web"), row("80/tcp", service="Web")),),
        "80/tcp",
        "Web (Shop)",
    ),
    "what a list warns of comes first": (
        (
            reference(service("Infoseek", "5555"), id="one", title="First"),
            reference(service("Data Protector", "5555"), service("Napster", "5555", remarks="peer-to-peer")),
        ),
        "5555/tcp",
        "Napster, peer-to-peer; Data Protector (Port List); Infoseek (First)",
    ),
    "a range of a list": ((reference(service("BitTorrent", "6881-6889")),), "6885/tcp", "BitTorrent (Port List)"),
    "a port and some after it": ((reference(service("VNC", "5800+")),), "5809/tcp", "VNC (Port List)"),
    "not endlessly after it": ((reference(service("VNC", "5800+")),), "5810/tcp", None),
    "the port itself before a port that others count on from": (
        (reference(service("VNC", "5800+"), service("Voice", "5000-6000"), service("Web", "5805")),),
        "5805/tcp",
        "Web; Voice; VNC (Port List)",
    ),
    "the port from which others count on": (
        (reference(service("Voice", "5000-6000"), service("VNC", "5800+")),),
        "5800/tcp",
        "VNC; Voice (Port List)",
    ),
    "chosen at run time": ((reference(service("Citrix", "1494 >=1023")),), "2000/tcp", None),
    "a fixed port in between": ((reference(service("Citrix", "1494 >=1023")),), "1494/tcp", "Citrix (Port List)"),
    "some of a range": ((shop(row("1024-2000/tcp", listen=Listen.SOME)),), "1500/tcp", None),
    "all of a range": ((shop(row("1024-2000/tcp", service="Web")),), "1500/tcp", "Web (Shop)"),
    "what another service needs": (
        (reference(service("RTSP", "554"), service("QuickTime", "", uses=((TCP, "RTSP"),))),),
        "554/tcp",
        "RTSP (Port List)",
    ),
    "control characters": ((reference(service("a\x1b[31m", "1")),), "1/tcp", r"a\x1b[31m (Port List)"),
}


@pytest.mark.parametrize(("library", "port", "phrase"), KNOWN_FOR.values(), ids=KNOWN_FOR)
def test_what_a_port_is_known_for(
    library: tuple[Document | ReferenceDocument, ...], port: str, phrase: str | None
) -> None:
    number, _, transport = port.partition("/")
    assert knowledge(*library).known_for(Transport(transport), int(number)) == phrase


def test_what_does_not_fit_into_the_phrase_is_counted() -> None:
    names = [f"Service number {n}" for n in range(1, 31)]
    found = knowledge(reference(*(service(name, "80") for name in names))).known_for(TCP, 80)
    assert found is not None
    shown = found.count("Service number")
    assert found == f"{'; '.join(names[:shown])} (Port List) and {30 - shown} more"
    assert LIMIT - 20 < len(found) <= LIMIT


def test_one_long_name_alone_is_cut_and_not_left_out() -> None:
    found = knowledge(reference(service("x" * 500, "80"), service("y", "80"))).known_for(TCP, 80)
    assert found is not None
    assert found.startswith("xxx")
    assert len(found) < LIMIT


def test_thousands_of_names_at_one_port_cost_no_more_than_a_line() -> None:
    found = knowledge(reference(*(service(f"s{n}", "80") for n in range(5000)))).known_for(TCP, 80)
    assert found is not None
    assert len(found) <= LIMIT
    assert "more" in found


# --------------------------------------------------------------------------------------------------- index

NUMBERS = st.integers(1, 12)
PORT_SETS = st.lists(
    st.tuples(st.sampled_from(BOTH), NUMBERS, NUMBERS).map(lambda s: (s[0], min(s[1:]), max(s[1:])))
    | st.just((Transport.GRE, None, None)),
    max_size=4,
)


@PATIENT
@given(st.lists(PORT_SETS, max_size=8), st.sets(st.sampled_from((*BOTH, Transport.GRE))), NUMBERS | st.none())
def test_the_index_finds_what_a_scan_finds_in_the_same_order(
    rows: list[list[PortSet]], transports: set[Transport], port: int | None
) -> None:
    index: PortIndex[int] = PortIndex()
    for number, port_sets in enumerate(rows):
        index.add(number, port_sets)

    def has(port_set: PortSet) -> bool:
        transport, first, last = port_set
        if transport not in transports:
            return False
        return first is port is None if first is None or last is None or port is None else first <= port <= last

    assert index.at(transports, port) == tuple(n for n, port_sets in enumerate(rows) if any(map(has, port_sets)))
    assert list(index) == list(range(len(rows)))


CELLS = st.lists(
    st.one_of(
        NUMBERS.map(str),
        st.tuples(NUMBERS, NUMBERS).map(lambda n: f"{min(n)}-{max(n)}"),
        NUMBERS.map("{}+".format),
        NUMBERS.map(">={}".format),
    ),
    max_size=3,
).map(" ".join)


@PATIENT
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=5), st.sampled_from(BOTH), NUMBERS)
def test_what_is_known_of_a_port_agrees_with_a_scan_of_the_lists(
    cells: list[tuple[str, str, str]], transport: Transport, port: int
) -> None:
    listed = reference(*(service(f"s{n}", *each) for n, each in enumerate(cells)))
    about = knowledge(listed).about((transport,), port)
    here = {
        (row.service, item.spread == "dynamic")
        for row in listed.services
        for item in row.ports
        if port in item and item.carries(transport)
    }
    assert {(n.service.service, False) for n in about.namings} | {
        (n.service.service, True) for n in about.dynamic
    } == here


# --------------------------------------------------------------------------------------------- about a port


def test_everything_about_a_port() -> None:
    roles = {
        "dc": Role("dc", "Controller"),
        "ad": Role("ad", "Directory"),
        "member": Role("member", "Member"),
        "client": Role("client", "Client", external=True),
    }
    roles["dc"] = replace(roles["dc"], includes=("ad", "member"))
    roles["member"] = replace(roles["member"], includes=("client",))
    wanted = row("3268/tcp", "client", "ad", service="Global Catalog", answers=Answers.NEVER)
    some = row("1024-5000/tcp", "client", "ad", listen=Listen.SOME)
    elsewhere = row("3269/tcp", "client", "ad")
    product = shop(wanted, some, elsewhere, roles=roles)
    named = service("GC", "3268")
    listed = reference(
        named,
        service("Player", "", "", uses=((TCP, "GC"), (UDP, "GC"))),
        service("Chat", ">=1024"),
        service("Other", udp="3268"),
        ranges=(part("Well Known", 0, 1023), part("Registered", 1024, 49151)),
    )
    about = knowledge(product, listed).about((TCP,), 3268)
    assert [(n.expectation.service, n.starters_too, n.listeners_too) for n in about.needs] == [
        ("Global Catalog", ("dc", "member"), ("dc",))
    ]
    assert [n.expectation.service for n in about.some_of] == ["1024-5000/tcp"]
    assert [n.service for n in about.namings] == [named]
    assert [n.service.service for n in about.dynamic] == ["Chat"]
    assert [(u.naming.service.service, u.of) for u in about.uses] == [("Player", named)]
    assert [r.part.title for r in about.ranges] == ["Registered"]
    assert [n.service.service for n in knowledge(product, listed).about(BOTH, 3268).namings] == ["GC", "Other"]


def test_names_for_the_port_itself_come_first() -> None:
    listed = reference(service("VNC", "5800+"), service("Voice", "5000-6000"), service("Web", either="5805"))
    about = knowledge(listed).about(BOTH, 5805)
    assert [naming.service.service for naming in about.namings] == ["Web", "Voice", "VNC"]


def test_roles_of_other_documents_that_include_one_are_named_in_full() -> None:
    roles = {"member": Role("member", "Member", includes=("client",)), "client": Role("client", "C", external=True)}
    other = document(id="other", roles=roles)
    own = shop(row("80/tcp", "client"), roles={**roles, "master": Role("master", "M")})
    (need,) = knowledge(own, other).about((TCP,), 80).needs
    assert need.starters_too == ("member", "other:member")


def test_a_protocol_without_ports() -> None:
    about = knowledge(shop(row("gre"), row("22/tcp"))).about((Transport.GRE,), None)
    assert [need.expectation.service for need in about.needs] == ["gre"]
    assert knowledge(shop(row("gre"))).about((Transport.ESP,), None).needs == ()


# ----------------------------------------------------------------------------------------- where they disagree

HERE = row("80/tcp", "localhost", "agent", service="Web")

DISAGREEMENTS: dict[str, tuple[tuple[Document | ReferenceDocument, ...], list[tuple[Kind, str]]]] = {
    "nothing to disagree about": ((reference(service("HTTP", "80")),), []),
    "one service under several names": (
        (
            reference(service("Lightweight Directory Access Protocol", "80")),
            shop(row("80/tcp", service="LDAP Server"), row("80/tcp", service="LDAPs")),
        ),
        [],
    ),
    "the same short names": (
        (
            reference(service("Secure Shell", either="80", names="ssh", by_name="80/tcp")),
            reference(service("Remote login", "80", names="ssh", by_name="80/tcp"), id="other", title="Other"),
        ),
        [],
    ),
    "several services, one of them in common": (
        (reference(service("Doom", "80"), service("Web", "80")), shop(row("80/tcp", service="Web Server"))),
        [],
    ),
    "another name in a product": (
        (reference(service("Remote Desktop", "80")), shop(row("80/tcp", service="Terminal Services"))),
        [],
    ),
    "another title in a list": (
        (reference(service("Windows NetShow", "80")), reference(service("MMS", "80"), id="other", title="Other")),
        [],
    ),
    "other short names": (
        (
            reference(service("Doom server", "80", names="doom", by_name="80/tcp")),
            reference(
                service("Print server", "80", names="printer", by_name="80/tcp"),
                service("Untold", "80"),
                id="other",
                title="Other",
            ),
        ),
        [
            (
                Kind.DIFFERENT_NAMES,
                "Different names: Doom server (Port List); Print server (Other). They may be different services.",
            )
        ],
    ),
    "two of one document": ((reference(service("Doom", "80"), service("Web", "80")),), []),
    "local in one row, open in another": (
        (shop(HERE, row("80/tcp", "client", "master", service="Web Proxy")),),
        [
            (
                Kind.LOCAL_AND_REACHABLE,
                "For the host itself only: Web (Shop). To be reached by others: Web Proxy (Shop).",
            )
        ],
    ),
    "local everywhere": ((shop(HERE, HERE),), []),
    "a product beyond the list": (
        (reference(service("Web", "80")), shop(row("80/tcp+udp", service="Web"))),
        [(Kind.OTHER_TRANSPORT, "Not the same transport: Web is on TCP in Port List, on TCP and UDP in Shop.")],
    ),
    "a product with less than the list": (
        (reference(service("Web", "80", "80")), shop(row("80/tcp", service="Web"))),
        [],
    ),
    "only under the other transport": (
        (reference(service("Web", udp="80")), shop(row("80/tcp", service="Web"))),
        [(Kind.OTHER_TRANSPORT, "Not the same transport: Web is on UDP in Port List, on TCP in Shop.")],
    ),
    "a list that does not say": ((reference(service("Web", either="80")), shop(row("80/udp", service="Web"))), []),
    "two products alike": (
        (shop(row("80/tcp", service="Web")), shop(row("80/tcp+udp", service="Web"), id="b", product="B")),
        [],
    ),
    "needed although the list warns": (
        (reference(service("Web", "80", remarks="trojans remote-control")), shop(row("80/tcp", service="Web"))),
        [(Kind.WARNED_OF, "Web (Port List): also used by Trojans. Needed all the same: Web (Shop).")],
    ),
    "a remark that is no warning": (
        (reference(service("Web", "80", remarks="remote-control")), shop(row("80/tcp", service="Web"))),
        [],
    ),
    "warned of, and needed out of a range at most": (
        (reference(service("Web", "80", remarks="obsolete")), shop(row("70-90/tcp", listen=Listen.SOME))),
        [],
    ),
    "doubts": (
        (
            reference(service("Web", "80", doubt="Cut off.")),
            shop(row("80/tcp", service="Web", doubt="Odd."), row("80/tcp", "client", service="Web", doubt="Odd.")),
        ),
        [
            (Kind.DOUBTFUL, "Doubtful: Web (Port List); see the doubt above."),
            (Kind.DOUBTFUL, "Doubtful: Web (Shop); see the doubt above."),
        ],
    ),
}


@pytest.mark.parametrize(("library", "expected"), DISAGREEMENTS.values(), ids=DISAGREEMENTS)
def test_where_the_documents_disagree(
    library: tuple[Document | ReferenceDocument, ...], expected: list[tuple[Kind, str]]
) -> None:
    found = knowledge(*library).about((TCP,), 80).disagreements
    assert [(each.kind, each.text) for each in found] == expected


ALSO_CALLED: dict[str, tuple[tuple[Document | ReferenceDocument, ...], tuple[str, ...]]] = {
    "no list has a name": ((shop(row("80/tcp", service="Web")),), ()),
    "a list has the same name": ((reference(service("Web", "80")), shop(row("80/tcp", service="Web server"))), ()),
    "other names, by product": (
        (
            reference(service("Remote Desktop", "80")),
            shop(row("80/tcp", service="Terminal Services"), row("80/tcp", service="Sharing")),
            shop(row("80/tcp", service="Doom"), row("80/tcp", service="Desktop"), id="b", product="B"),
        ),
        ("Terminal Services, Sharing (Shop)", "Doom (B)"),
    ),
}


@pytest.mark.parametrize(("library", "names"), ALSO_CALLED.values(), ids=ALSO_CALLED)
def test_what_products_call_a_port_besides(
    library: tuple[Document | ReferenceDocument, ...], names: tuple[str, ...]
) -> None:
    assert knowledge(*library).about((TCP,), 80).also_called == names


# ------------------------------------------------------------------------------------------------- a range


def test_a_survey_names_single_ports_and_tells_ranges_apart() -> None:
    listed = reference(
        service("Web", "8000 8080"),
        service("Alternative", either="8001"),
        service("Voice", "8000-9000"),
        service("VNC", udp="8050+"),
        service("Chat", ">=1024"),
        service("Later", "9001"),
        service("UDP only", udp="8002"),
        ranges=(part("Registered", 1024, 49151),),
    )
    product = shop(
        row("8080/tcp", service="Proxy"),
        row("8090-8200/tcp", service="Tasks", listen=Listen.SOME),
        row("7000-8000/tcp", service="All of them"),
    )
    survey = knowledge(listed, product).survey((TCP,), 8000, 8100)
    assert [(each.number, each.transports, each.phrase) for each in survey.named] == [
        (8000, (TCP,), "Web (Port List)"),
        (8001, (), "Alternative (Port List)"),
        (8080, (TCP,), "Web (Port List); Proxy (Shop)"),
    ]
    assert [(each.first, each.last, each.taken, each.phrase) for each in survey.spans] == [
        (7000, 8000, Taken.ALL, "All of them (Shop)"),
        (8000, 9000, Taken.ALL, "Voice (Port List)"),
        (8090, 8200, Taken.SOME, "Tasks (Shop)"),
    ]
    assert [naming.service.service for naming in survey.dynamic] == ["Chat"]
    assert [each.part.title for each in survey.ranges] == ["Registered"]
    under_udp = knowledge(listed, product).survey((UDP,), 8000, 8100)
    assert [each.number for each in under_udp.named] == [8001, 8002]
    assert [(each.first, each.taken) for each in under_udp.spans] == [(8050, Taken.ONWARD)]


# -------------------------------------------------------------------------------------------- common ports


def test_the_ports_of_a_common_sweep() -> None:
    lists = (
        reference(
            service("SSH", "22"),
            service("Finger", either="23"),
            service("PGPfone", udp="4747"),
            service("Timbuktu", "407 1417-1420", "407"),
            service("Sixteen", "2000-2015"),
            service("Seventeen", "3000-3016"),
            service("VNC", "5800+"),
            service("Chat", "1494 >=1023"),
        ),
        reference(service("Last", "65535 24"), id="other"),
    )
    products = (
        shop(
            row("1433/tcp", service="Database"),
            row("1434/udp", service="Browser"),
            row("5985/tcp", service="Management", when="remote"),
            row("7070/tcp", "localhost", service="Inner"),
            row("9000-9003/tcp", service="Group"),
            row("10000-10100/tcp", service="Tasks", listen=Listen.SOME),
            row("gre", service="Tunnel"),
        ),
    )
    assert [str(ports) for ports in common_tcp_ports(Library(products, lists))] == [
        "22-24/tcp",
        "407/tcp",
        "1417-1420/tcp",
        "1433/tcp",
        "1494/tcp",
        "2000-2015/tcp",
        "5800/tcp",
        "5985/tcp",
        "7070/tcp",
        "65535/tcp",
    ]
    assert common_tcp_ports(Library((), ())) == ()


@PATIENT
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=5))
def test_common_ports_are_merged_and_ascending(cells: list[tuple[str, str, str]]) -> None:
    found = common_tcp_ports(Library((), (reference(*(service(f"s{n}", *each) for n, each in enumerate(cells))),)))
    bounds = [(ports.first or 0, ports.last or 0) for ports in found]
    assert all(last + 1 < first for (_, last), (first, _) in pairwise(bounds))


# ------------------------------------------------------------------------------------------- service names

ANSWERS = st.sampled_from(["1/tcp", "2/tcp", "1/udp", "1/tcp+udp"])
SYSTEMS = st.sampled_from(["", "1/tcp", "1/udp", "1/tcp+udp", "2/tcp+udp"]).map(
    lambda text: parse_ports(text) if text else ()
)


def settled_or_refused(*asked: Any) -> tuple[Ports, ...] | PortcheckError:
    try:
        return settled(*asked)
    except PortcheckError as error:
        return error


@PATIENT
@given(
    st.lists(st.lists(ANSWERS, max_size=2), max_size=3),
    SYSTEMS,
    st.sampled_from([(), (TCP,), (UDP,), (TCP, UDP)]),
)
def test_what_a_name_stands_for_is_what_everybody_says_who_has_it(
    lists: list[list[str]], system: tuple[Ports, ...], transports: tuple[Transport, ...]
) -> None:
    references = [
        reference(
            *(service(f"s{n}", "9", names="x", by_name=text) for n, text in enumerate(rows)), title=f"List {number}"
        )
        for number, rows in enumerate(lists)
    ]
    asked = ServiceName("X", transports)
    said = candidates(references, asked, system)
    listed_as = [answer for answer in said if answer.sources != ("this system",)]
    ports = settled_or_refused(references, asked, system)
    if isinstance(ports, PortcheckError):
        assert len({each for answer in said for each in answer.ports}) > 1
        assert all(str(each) in str(ports) for answer in listed_as for each in answer.ports)
        return
    assert all(port.transport in transports for port in ports if transports)
    assert bool(ports) is bool(said)
    assert {answer.ports for answer in listed_as} <= {ports}
    assert {port.first for port in asked.among(system)} <= {port.first for port in ports}


NO_NAMES = [
    "",
    "22",
    "22/tcp",
    "tcp",
    "udp/ssh",
    "gre",
    "gre/tcp",
    "ssh/sctp",
    "ssh/",
    "/tcp",
    "a\x1b",
    "é",
    "-x",
    "tcp+udp",
]


@pytest.mark.parametrize("text", NO_NAMES)
def test_what_is_no_service_name(text: str) -> None:
    assert parse_service(text) is None


# ---------------------------------------------------------------------------------- the documents that ship


def test_the_shipped_documents_know_what_the_design_promises() -> None:
    known = Knowledge(documents.library())
    assert "Italk, also used by Trojans (Ports for Internet Services)" in str(known.known_for(TCP, 12345))
    assert known.known_for(TCP, 3268) == "Global Catalog (Windows Server)"
    assert known.known_for(TCP, 4) is None
    found = [known.known_for(transport, port) for transport in BOTH for port in range(1, 65536)]
    phrases = [phrase for phrase in found if phrase is not None]
    assert len(phrases) > 500
    assert all(phrase.isprintable() and len(phrase) <= LIMIT for phrase in phrases)


def test_a_common_sweep_has_the_everyday_ports_and_no_dynamic_ones() -> None:
    numbers = {number for ports in common_tcp_ports(documents.library()) for number in ports.numbers()}
    assert numbers >= {21, 22, 23, 25, 80, 110, 143, 389, 443, 445, 587, 993, 995, 3389, 5900, 8080, 12345}
    assert numbers >= {1433, 3268, 5985, 61003}, "the products' own"
    assert not numbers & {1558, 49152, 65535}
    assert len(numbers) < 1000


def test_a_row_for_the_port_itself_comes_before_a_range_that_contains_it() -> None:
    """8080 is HTTP first, and voice chat on 8000-9000 after that."""
    known = Knowledge(documents.library()).known_for(Transport.TCP, 8080)
    assert known is not None
    assert known.startswith("common HTTP; Virtual Places Voice Chat")
