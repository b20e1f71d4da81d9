"""Documents from files: what a good one becomes, what is said about a bad one, and the published schema."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from portcheck import documents, yaml_input
from portcheck.documents import find, find_any, library, load, load_with_warnings, manual, references, schema, shipped
from portcheck.documents.port_cells import parse_cell
from portcheck.engine.probe import Transport
from portcheck.model import (
    Answers,
    Expectation,
    KnownPorts,
    KnownService,
    Level,
    Listen,
    NotCheckable,
    PortcheckError,
    PortRange,
    Ports,
    Provenance,
    ReferenceDocument,
    Remark,
    Role,
    Spread,
    UnitKind,
)
from portcheck.site import load_site
from portcheck.yaml_input import MAX_BYTES, MAX_PROBLEMS, InputError

ROOT = Path(__file__).parent.parent
BAD = Path(__file__).parent / "bad"

READERS: dict[str, Callable[[str], object]] = {"document": load, "reference": load_with_warnings, "site": load_site}
"""By the first word of a bad file's name. What is called odd-… can be used, and is warned of."""

SMALLEST = """\
id: smallest
title: Smallest Ports
vendor: Example
product: Example
version: "1"
roles:
  node: {title: Node}
expectations:
  - service: SSH
    ports: 22/tcp
    from: [any]
    to: [node]
    provenance: {section: TCP, row: "22"}
"""

FULL = """\
# yaml-language-server: $schema=document.schema.json
id: full-2.0
kind: product
title: Full Ports
vendor: Example
product: Example Store
version: "2.10"
url: https://example.org/ports
notices:
  - >-
    A paragraph
    in two lines.
silent_when_closed: true
units: windows
features:
  tls: {title: Transport security, rare: true}
roles:
  client: {title: Client, external: true}
  node: {title: Node, external: false, includes: [peer]}
  peer: {title: Peer, all_ports_between: true}
expectations:
  - service: Store
    unit: store.service
    ports: 80/tcp,443/udp
    from: [client, peer]
    to: [node]
    level: conditional
    when: tls
    listen: single
    provenance:
      - {document: other-1, section: TCP, row: "80, 443"}
      - {section: Summary, row: 80 and 443}
    note: a note
    doubt: a doubt
    answers: with-secret
    speaks: sip
    before_install: present
  - service: Passive
    ports: 1025-2180/tcp
    from: [any]
    to: [node]
    listen: some
    provenance: {section: TCP, row: 1025-2180}
  - service: Admin
    ports: 8080/udp
    from: [localhost]
    to: [node]
    level: recommended
    answers: never
    provenance: {section: TCP, row: "8080"}
not_checkable:
  - {provenance: {section: Notes, row: all}, reason: no port is named}
"""

NAMES = """\
# yaml-language-server: $schema=reference.schema.json
id: names-1
kind: reference
title: Port Names
vendor: Example
version: "2024"
url: https://example.org/names
notices: [A notice.]
ranges:
  - {title: Well Known Ports, ports: 0-1023, note: a note, provenance: {section: Ranges, row: 0-1023}}
  - {title: The others, ports: 1024-65535, provenance: {section: Ranges, row: "1024"}}
services:
  - service: Timbuktu
    tcp: 407, 1417-1420
    udp: 407
    provenance: {section: Names, row: Timbuktu}
    names: [timbuktu, tb2]
    by_name: 407/tcp
    remarks: [remote-control, not-registered]
    note: a note
    doubt: a doubt
  - {service: SSH, either: 22, names: [ssh], by_name: 22/tcp, provenance: {document: other-1, section: A, row: b}}
  - {service: HTTP, tcp: 80, names: [http], provenance: {section: A, row: c}}
  - {service: VNC, tcp: "5800+, 65530+", provenance: {section: A, row: d}}
  - {service: Show, tcp: 1755, udp: "1755, >=1024<=5000, >= 6000", provenance: {section: A, row: e}}
  - {service: Player, tcp_of: [HTTP, SSH], udp_of: [Show], provenance: {section: A, row: f}}
not_checkable:
  - {provenance: {section: Names, row: Chat}, reason: no port is named}
"""


def expected_messages() -> dict[str, str]:
    """tests/bad/messages.txt: file name to its exact message, with {path} for the file's path."""
    text = (BAD / "messages.txt").read_text(encoding="utf-8")
    parts = re.split(r"^== (.*)\n", text, flags=re.MULTILINE)[1:]
    return {name: message.rstrip("\n") for name, message in zip(parts[::2], parts[1::2], strict=True)}


ODD = {name: message for name, message in expected_messages().items() if name.startswith("odd-")}
REFUSED = {name: message for name, message in expected_messages().items() if name not in ODD}


def write(folder: Path, text: str | bytes, name: str = "example.yaml") -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def refusal(path: str) -> str:
    """What `load` says about a file that it refuses, without the path in front of the first line."""
    with pytest.raises(InputError) as refused:
        load(path)
    message = str(refused.value)
    assert message.startswith(path)
    return message.removeprefix(path)


# ---------------------------------------------------------------------------------------------- good files


def test_every_key_of_a_document_arrives_in_the_model(tmp_path: Path) -> None:
    document = load(write(tmp_path, FULL))
    assert (document.id, document.title, document.vendor) == ("full-2.0", "Full Ports", "Example")
    assert (document.product, document.version) == ("Example Store", "2.10")
    assert document.url == "https://example.org/ports"
    assert document.notices == ("A paragraph in two lines.",)
    assert document.silent_when_closed
    assert document.units is UnitKind.WINDOWS
    assert document.features == {"tls": "Transport security"}
    assert document.rare_features == ("tls",)
    assert document.roles == {
        "client": Role("client", "Client", external=True),
        "node": Role("node", "Node", includes=("peer",)),
        "peer": Role("peer", "Peer", all_ports_between=True),
    }
    assert document.not_checkable == (NotCheckable(Provenance("full-2.0", "Notes", "all"), "no port is named"),)
    assert document.expectations[0] == Expectation(
        service="Store",
        unit="store.service",
        ports=(Ports(Transport.TCP, 80, 80), Ports(Transport.UDP, 443, 443)),
        sources=("client", "peer"),
        to=("node",),
        provenance=(Provenance("other-1", "TCP", "80, 443"), Provenance("full-2.0", "Summary", "80 and 443")),
        level=Level.CONDITIONAL,
        when="tls",
        listen=Listen.SINGLE,
        answers=Answers.WITH_SECRET,
        present_before_install=True,
        speaks="sip",
        note="a note",
        doubt="a doubt",
    )
    assert [row.listen for row in document.expectations] == [Listen.SINGLE, Listen.SOME, Listen.SINGLE]
    assert [row.level for row in document.expectations] == [Level.CONDITIONAL, Level.REQUIRED, Level.RECOMMENDED]


def test_keys_that_are_left_out_have_their_defaults(tmp_path: Path) -> None:
    document = load(write(tmp_path, SMALLEST))
    assert (document.url, document.notices, document.features, document.not_checkable) == (None, (), {}, ())
    assert not document.silent_when_closed
    (row,) = document.expectations
    assert row == Expectation(
        service="SSH",
        ports=(Ports(Transport.TCP, 22, 22),),
        sources=("any",),
        to=("node",),
        provenance=(Provenance("smallest", "TCP", "22"),),
    )


def test_a_file_may_have_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    assert load(write(tmp_path, b"\xef\xbb\xbf" + SMALLEST.replace("\n", "\r\n").encode())).id == "smallest"


@pytest.mark.parametrize("text", [SMALLEST, FULL, NAMES], ids=["smallest", "full", "names"])
def test_a_document_without_oddities_has_no_warnings(tmp_path: Path, text: str) -> None:
    assert load_with_warnings(write(tmp_path, text))[1] == ()


def test_every_key_of_a_port_list_arrives_in_the_model(tmp_path: Path) -> None:
    names = find_any(write(tmp_path, NAMES))
    assert isinstance(names, ReferenceDocument)
    assert (names.id, names.title, names.vendor, names.version) == ("names-1", "Port Names", "Example", "2024")
    assert (names.url, names.notices) == ("https://example.org/names", ("A notice.",))
    assert names.not_checkable == (NotCheckable(Provenance("names-1", "Names", "Chat"), "no port is named"),)
    assert names.ranges == (
        PortRange("Well Known Ports", 0, 1023, Provenance("names-1", "Ranges", "0-1023"), "a note"),
        PortRange("The others", 1024, 65535, Provenance("names-1", "Ranges", "1024")),
    )
    assert names.services[0] == KnownService(
        service="Timbuktu",
        ports=(
            KnownPorts(Transport.TCP, 407, 407),
            KnownPorts(Transport.TCP, 1417, 1420),
            KnownPorts(Transport.UDP, 407, 407),
        ),
        provenance=Provenance("names-1", "Names", "Timbuktu"),
        names=("timbuktu", "tb2"),
        by_name=(Ports(Transport.TCP, 407, 407),),
        remarks=(Remark.REMOTE_CONTROL, Remark.NOT_REGISTERED),
        note="a note",
        doubt="a doubt",
    )
    assert names.services[5] == KnownService(
        service="Player",
        ports=(),
        provenance=Provenance("names-1", "A", "f"),
        uses=((Transport.TCP, "HTTP"), (Transport.TCP, "SSH"), (Transport.UDP, "Show")),
    )


def test_cells_of_a_port_list_say_how_sure_a_port_is(tmp_path: Path) -> None:
    names = find_any(write(tmp_path, NAMES))
    assert isinstance(names, ReferenceDocument)
    ports = {service.service: service.ports for service in names.services}
    assert ports["SSH"] == (KnownPorts(None, 22, 22),)
    assert ports["VNC"] == (
        KnownPorts(Transport.TCP, 5800, 5809, Spread.ONWARD),
        KnownPorts(Transport.TCP, 65530, 65535, Spread.ONWARD),
    )
    assert ports["Show"] == (
        KnownPorts(Transport.TCP, 1755, 1755),
        KnownPorts(Transport.UDP, 1755, 1755),
        KnownPorts(Transport.UDP, 1024, 5000, Spread.DYNAMIC),
        KnownPorts(Transport.UDP, 6000, 65535, Spread.DYNAMIC),
    )


def test_a_name_stands_for_the_only_port_and_nothing_stands_for_no_name(tmp_path: Path) -> None:
    names = find_any(write(tmp_path, NAMES))
    assert isinstance(names, ReferenceDocument)
    by_name = {service.service: service.by_name for service in names.services}
    assert by_name["SSH"] == (Ports(Transport.TCP, 22, 22),)
    assert by_name["HTTP"] == (Ports(Transport.TCP, 80, 80),)
    assert by_name["VNC"] == by_name["Player"] == ()


@given(
    st.lists(
        st.one_of(
            st.integers(1, 65535).map(str),
            st.integers(1, 65535).map("{}+".format),
            st.tuples(st.integers(1, 65535), st.integers(1, 65535)).map(lambda ends: f"{min(ends)}-{max(ends)}"),
            st.tuples(st.integers(1, 65535), st.integers(1, 65535)).map(lambda ends: f">={min(ends)}<={max(ends)}"),
            st.integers(1, 65535).map(">={}".format),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_cell_reads_as_what_it_prints(items: list[str]) -> None:
    with suppress(PortcheckError):  # two items of a cell may share a port
        read = parse_cell(", ".join(items))
        assert len(read) == len(items)
        assert parse_cell(",".join(map(str, read))) == read


# ----------------------------------------------------------------------------------------------- bad files


def test_every_bad_file_has_its_message_and_every_message_its_file() -> None:
    assert sorted(path.name for path in BAD.glob("*.yaml")) == sorted(expected_messages())


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml_input.Loader], ids=["python", "default"])
@pytest.mark.parametrize(("name", "message"), REFUSED.items())
def test_a_bad_file_is_refused_word_for_word(
    name: str, message: str, loader: type[yaml.SafeLoader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yaml_input, "Loader", loader)
    monkeypatch.chdir(BAD)
    with pytest.raises(InputError) as refused:
        READERS[name.partition("-")[0]](name)
    assert str(refused.value) == message.replace("{path}", name)


@pytest.mark.parametrize("name", ODD)
def test_what_is_allowed_but_odd_is_warned_of_word_for_word(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    assert "\n".join(load_with_warnings(name)[1]) == ODD[name].replace("{path}", name)


@pytest.mark.parametrize("name", REFUSED)
def test_all_problems_of_a_file_come_in_the_order_of_its_lines(name: str) -> None:
    with pytest.raises(InputError) as refused:
        READERS[name.partition("-")[0]](str(BAD / name))
    lines = [problem.line or 0 for problem in refused.value.problems]
    assert lines == sorted(lines)


UNREADABLE = {
    "binary": (b"\x7fELF\x00\x01", ": is a binary file; name a YAML file in UTF-8"),
    "latin-1": (b"id: x\ntitle: Z\xfcrich\n", ":2: byte 0xfc is not UTF-8; save the file as UTF-8"),
    "utf-16": ("id: x".encode("utf-16"), ": is a binary file; name a YAML file in UTF-8"),
    "zero bytes": (b"", ": the file is empty; write at least the required keys"),
    "null": (b"---\nnull\n", ": the file is empty; write at least the required keys"),
    "endless value": (
        SMALLEST.replace("service: SSH", f"service: {'S' * 2001}").encode(),
        ":9: expectations[0].service: has 2001 characters; write at most 2000",
    ),
    "endless key": (
        (SMALLEST + "k" * 500 + ": 1\n").encode(),
        f":14: {'k' * 39}…: unknown key; remove it (allowed: id, kind, title, vendor, product, version, url, notices, "
        "silent_when_closed, units, features, roles, expectations, not_checkable)",
    ),
    "too many values": (b"[" + b"a," * 200_000 + b"a]", ":1: more than 200000 values; split the file"),
    "too large": (
        b"#" * (MAX_BYTES + 1),
        ": is larger than 4 MiB; a portcheck file has a few kilobytes",
    ),
}


@pytest.mark.parametrize(("content", "message"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_hostile_content_gets_one_short_line(tmp_path: Path, content: bytes, message: str) -> None:
    assert refusal(write(tmp_path, content)) == message


def test_a_missing_file_is_named_as_it_was_typed() -> None:
    assert refusal("./no/such.yaml") == ": no such file; check the spelling and the working directory"


def test_a_directory_is_no_document(tmp_path: Path) -> None:
    assert refusal(str(tmp_path)) == ": is a directory; name a .yaml file in it"


def test_a_path_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    inside_a_file = write(tmp_path, SMALLEST) + "/x.yaml"
    assert refusal(inside_a_file) == ": cannot be read (Not a directory); check its permissions"


def test_control_characters_of_a_path_do_not_reach_the_terminal() -> None:
    with pytest.raises(InputError, match=r"^\\x1b\[2J\.yaml: no such file; "):
        load("\x1b[2J.yaml")
    with pytest.raises(InputError, match=r"^\\x00: is not a file name; "):
        load("\0")


def test_more_roles_than_anybody_has_are_refused(tmp_path: Path) -> None:
    """Each role would know all that include it."""
    chain = "".join(f"  r{number}: {{title: R, includes: [r{number + 1}]}}\n" for number in range(2000))
    text = SMALLEST.replace("  node:", f"{chain}  r2000: {{title: R}}\n  node:")
    assert refusal(write(tmp_path, text)) == ":6: roles: has 2002 roles; write at most 1000"


def test_a_flood_of_warnings_is_cut(tmp_path: Path) -> None:
    spare = "".join(f"  spare{number}: {{title: Spare}}\n" for number in range(900))
    path = write(tmp_path, SMALLEST.replace("roles:\n", f"roles:\n{spare}"))
    assert len(load_with_warnings(path)[1]) == MAX_PROBLEMS


def test_a_flood_of_problems_is_cut(tmp_path: Path) -> None:
    text = SMALLEST + "".join(f"key{number}: 1\n" for number in range(5000))
    with pytest.raises(InputError) as refused:
        load(write(tmp_path, text))
    assert len(refused.value.problems) == MAX_PROBLEMS
    assert refused.value.problems[-1].text == "more than 199 problems; the rest of the file was not judged"


# ------------------------------------------------------------------------------- never a traceback

SCRAPS = st.sampled_from(
    ["\n", ":", " ", "- ", "[", "]", "{", "}", '"', "'", "&a ", "*a", "!!str ", "|", "#", "\t", "---\n", "? ", "~"]
)


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """A good file with a part cut out and something else put there."""
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 40)))
    patch = draw(st.one_of(st.text(max_size=10), SCRAPS, st.sampled_from(["null", "22", "[any]", "{node: 1}"])))
    return text[:start] + patch + text[end:]


def assert_read_or_refused(path: Path, read: Callable[[str], object]) -> None:
    message = ""
    try:
        read(str(path))
    except InputError as error:
        message = str(error)
    assert all(line.isprintable() for line in message.split("\n"))


@given(content=st.binary(max_size=200))
def test_any_bytes_give_a_document_or_a_message(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    for read in READERS.values():
        assert_read_or_refused(path, read)


@given(content=st.one_of(damaged(FULL), damaged(NAMES)))
def test_any_damage_gives_a_document_or_a_message(tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.yaml"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    assert_read_or_refused(path, load_with_warnings)


# ------------------------------------------------------------------------------------- shipped and by name


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the shipped documents."""
    folder = tmp_path.resolve() / "expectations"
    folder.mkdir()
    monkeypatch.setattr(documents, "_FOLDERS", (tmp_path / "not-there", folder))
    write(folder, SMALLEST, "smallest.yaml")
    return folder


def test_shipped_documents_are_found_by_id(shelf: Path) -> None:
    assert shipped() == {"smallest": shelf / "smallest.yaml"}
    assert find("smallest").title == "Smallest Ports"


def test_a_port_list_is_no_product(shelf: Path) -> None:
    write(shelf, NAMES, "names-1.yaml")
    message = (
        "names-1 is a list of port names and requires none: ask for a service by name (-e ssh), or see "
        "`portcheck explain 22/tcp`"
    )
    for name in ("names-1", str(shelf / "names-1.yaml")):
        with pytest.raises(PortcheckError, match=f"^{re.escape(message)}$"):
            find(name)
        assert find_any(name).title == "Port Names"


def test_the_library_has_everything_once_and_a_document_of_ones_own_first(shelf: Path, tmp_path: Path) -> None:
    write(shelf, NAMES, "names-1.yaml")
    other = load(write(tmp_path, FULL))
    own = load(write(tmp_path, SMALLEST.replace("Smallest Ports", "My Ports"), "mine.yaml"))
    assert [each.id for each in references()] == ["names-1"]
    assert [each.id for each in library().documents] == ["smallest"]
    everything = library([other, own])
    assert [each.title for each in everything.documents] == ["Full Ports", "My Ports"]
    assert [each.id for each in everything.references] == ["names-1"]


def test_an_unknown_id_names_the_nearest_and_all(shelf: Path) -> None:
    with pytest.raises(PortcheckError) as refused:
        find("smalest")
    assert str(refused.value) == (
        'unknown document "smalest"; did you mean smallest? (known: smallest; '
        "a file of your own needs a / in its path, or .yaml at the end)"
    )


def test_a_shipped_file_is_called_like_its_id(shelf: Path) -> None:
    path = write(shelf, SMALLEST, "other.yaml")
    assert refusal(path) == ":1: id: is smallest, but the file is called other.yaml; make them the same"


@pytest.mark.parametrize("name", ["mine.yaml", "mine.yml"])
def test_a_file_of_ones_own_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, SMALLEST, name)
    write(tmp_path, SMALLEST, "plain")
    assert find(name).id == find(f"./{name}").id == find("./plain").id == "smallest"


def test_every_shipped_document_has_only_the_warnings_that_its_source_gives_rise_to() -> None:
    """Wide ranges around ports that the same page requires: so it is written there, and the single ports win."""
    warnings = {name: load_with_warnings(path)[1] for name, path in shipped().items()}
    covering = {
        name: {re.sub(r".*ports: (\S+) (?:\(here and in \d+ more rows?\) )?covers .*", r"\1", line) for line in found}
        for name, found in warnings.items()
    }
    assert covering == {
        "dcos-1.11": {"8182-32000/tcp"},
        "internet-services": set(),
        "qumulo-core": set(),
        "well-known-ports": set(),
        "windows-server": {"1025-5000/tcp", "1025-5000/udp", "1025-65535/tcp"},
    }


# -------------------------------------------------------------------------------------------- JSON Schema


class YamlOfEditors(yaml.SafeLoader):
    """YAML 1.2 has no dates: an editor shows `2027-01-31` to the schema as a text."""


YamlOfEditors.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: str(node.value))


def as_json(text: str) -> object:
    """The file as the schema of an editor sees it."""
    return yaml.load(text, YamlOfEditors)


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema.schema(name)))


@pytest.mark.parametrize("name", schema.FORMATS)
def test_the_published_schema_is_the_one_of_the_table(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert schema.main([name]) == 0
    published = (ROOT / "expectations" / f"{name}.schema.json").read_text(encoding="utf-8")
    assert capsys.readouterr().out == published, (
        f"stale: python -m portcheck.documents.schema {name} > expectations/{name}.schema.json"
    )


@pytest.mark.parametrize("name", schema.FORMATS)
def test_the_schema_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(json.loads(schema.schema(name)))


@pytest.mark.parametrize("arguments", [[], ["document", "site"], ["documents"]])
@pytest.mark.parametrize("tool", [schema, manual], ids=["schema", "manual"])
def test_a_wrong_command_line_is_explained(
    tool: ModuleType, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main(arguments) == 2
    assert capsys.readouterr().err == f"usage: python -m {tool.__name__} document|reference|site\n"


def test_the_manual_explains_every_remark() -> None:
    page = (ROOT / "docs" / "reference" / "document-format.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z-]+)` \|", page.partition("### Remarks")[2], flags=re.MULTILINE) == [
        *map(str, Remark)
    ]


@pytest.mark.parametrize("name", schema.FORMATS)
def test_the_manual_has_a_line_for_every_key_of_the_schema(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert manual.main([name]) == 0
    tables = capsys.readouterr().out
    assert "Syntax(" not in tables
    keys = re.findall(r"^\| `(\w+)` \|", tables, flags=re.MULTILINE)
    published = json.loads(schema.schema(name))
    records = [published, *published["$defs"].values()]
    assert sorted(keys) == sorted(key for record in records for key in record["properties"])


SHIPPED_TEXTS = {name: path.read_text(encoding="utf-8") for name, path in shipped().items()}


@pytest.mark.parametrize(
    "text", [SMALLEST, FULL, NAMES, *SHIPPED_TEXTS.values()], ids=["smallest", "full", "names", *SHIPPED_TEXTS]
)
def test_the_schema_accepts_good_documents(text: str) -> None:
    kind = "reference" if "\nkind: reference\n" in text else "document"
    validator(kind).validate(as_json(text))


STRUCTURAL = (
    "document-empty-values",
    "document-includes",
    "document-list",
    "document-listed-twice",
    "document-many",
    "document-missing-keys",
    "document-names",
    "document-places",
    "document-ports",
    "document-unknown-keys",
    "document-unknown-kind",
    "document-wrong-kind",
    "document-wrong-shapes",
    "document-wrong-values",
    "document-yaml-turns-values",
    "reference-cells",
    "reference-missing-keys",
    "reference-names",
    "reference-shapes",
    "reference-without-kind",
    "site-addresses",
    "site-empty-hosts",
    "site-features",
    "site-no-hosts",
    "site-offers",
    "site-roles",
    "site-unknown-keys",
    "site-waivers",
    "site-without",
    "site-wrong-shapes",
)


@pytest.mark.parametrize("name", STRUCTURAL)
def test_the_schema_refuses_what_has_the_wrong_shape(name: str) -> None:
    content = as_json((BAD / f"{name}.yaml").read_text(encoding="utf-8"))
    assert not validator(name.partition("-")[0]).is_valid(content)
