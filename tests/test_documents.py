"""Documents from files: what a good one becomes, what is said about a bad one, and the published schema."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from portcheck import documents, yaml_input
from portcheck.documents import find, load, load_with_warnings, reference, schema, shipped
from portcheck.engine.probe import Transport
from portcheck.model import (
    Answers,
    Expectation,
    Level,
    Listen,
    NotCheckable,
    PortcheckError,
    Ports,
    Provenance,
    Role,
)
from portcheck.site import load_site
from portcheck.yaml_input import MAX_BYTES, MAX_PROBLEMS, InputError

ROOT = Path(__file__).parent.parent
BAD = Path(__file__).parent / "bad"

READERS: dict[str, Callable[[str], object]] = {"document": load, "site": load_site}

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
features:
  tls: {title: Transport security}
roles:
  client: {title: Client, external: true}
  node: {title: Node, external: false}
expectations:
  - service: Store
    unit: store.service
    ports: 80,443/tcp
    from: [client, node]
    to: [node]
    level: conditional
    when: tls
    listen: single
    provenance: {document: other-1, section: TCP, row: "80, 443"}
    note: a note
    doubt: a doubt
    answers: with-secret
    before_install: present
  - service: Passive
    ports: 1025-2180/tcp
    from: [any]
    to: [node]
    listen: some
    provenance: {section: TCP, row: 1025-2180}
  - service: Admin
    ports: 8080/tcp
    from: [localhost]
    to: [node]
    level: recommended
    answers: never
    provenance: {section: TCP, row: "8080"}
not_checkable:
  - {provenance: {section: Notes, row: all}, reason: no port is named}
"""


def expected_messages() -> dict[str, str]:
    """tests/bad/messages.txt: file name to its exact message, with {path} for the file's path."""
    text = (BAD / "messages.txt").read_text(encoding="utf-8")
    parts = re.split(r"^== (.*)\n", text, flags=re.MULTILINE)[1:]
    return {name: message.rstrip("\n") for name, message in zip(parts[::2], parts[1::2], strict=True)}


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
    assert document.features == {"tls": "Transport security"}
    assert document.roles == {"client": Role("client", "Client", external=True), "node": Role("node", "Node")}
    assert document.not_checkable == (NotCheckable(Provenance("full-2.0", "Notes", "all"), "no port is named"),)
    assert document.expectations[0] == Expectation(
        service="Store",
        unit="store.service",
        ports=(Ports(Transport.TCP, 80, 80), Ports(Transport.TCP, 443, 443)),
        sources=("client", "node"),
        to=("node",),
        provenance=Provenance("other-1", "TCP", "80, 443"),
        level=Level.CONDITIONAL,
        when="tls",
        listen=Listen.SINGLE,
        answers=Answers.WITH_SECRET,
        present_before_install=True,
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
        provenance=Provenance("smallest", "TCP", "22"),
    )


def test_a_file_may_have_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    assert load(write(tmp_path, b"\xef\xbb\xbf" + SMALLEST.replace("\n", "\r\n").encode())).id == "smallest"


def test_odd_but_allowed_things_are_warnings_with_their_lines(tmp_path: Path) -> None:
    text = SMALLEST.replace("roles:", "features:\n  tls: {title: TLS}\nroles:\n  spare: {title: Spare}").replace(
        "22/tcp", "1025-2180/tcp"
    )
    path = write(tmp_path, text)
    assert load_with_warnings(path)[1] == (
        f"{path}:7: features.tls: no expectation names this feature; remove it, or use it",
        f"{path}:9: roles.spare: no expectation names this role; remove it, or use it",
        f"{path}:13: expectations[0].ports: each of the 1156 ports of 1025-2180/tcp must listen; "
        "write listen: some if only some are used",
    )


def test_a_document_without_oddities_has_no_warnings(tmp_path: Path) -> None:
    assert load_with_warnings(write(tmp_path, FULL))[1] == ()


# ----------------------------------------------------------------------------------------------- bad files


def test_every_bad_file_has_its_message_and_every_message_its_file() -> None:
    assert sorted(path.name for path in BAD.glob("*.yaml")) == sorted(expected_messages())


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml_input.Loader], ids=["python", "default"])
@pytest.mark.parametrize(("name", "message"), expected_messages().items())
def test_a_bad_file_is_refused_word_for_word(
    name: str, message: str, loader: type[yaml.SafeLoader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yaml_input, "Loader", loader)
    monkeypatch.chdir(BAD)
    with pytest.raises(InputError) as refused:
        READERS[name.partition("-")[0]](name)
    assert str(refused.value) == message.replace("{path}", name)


@pytest.mark.parametrize("name", expected_messages())
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
        f":14: {'k' * 39}…: unknown key; remove it (allowed: id, title, vendor, product, version, url, notices, "
        "silent_when_closed, features, roles, expectations, not_checkable)",
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


@given(content=damaged(FULL))
def test_any_damage_gives_a_document_or_a_message(tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.yaml"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    assert_read_or_refused(path, load)


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


def test_every_shipped_document_loads_without_a_warning() -> None:
    assert {path: load_with_warnings(path)[1] for path in shipped().values()} == dict.fromkeys(shipped().values(), ())


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
@pytest.mark.parametrize("tool", [schema, reference], ids=["schema", "reference"])
def test_a_wrong_command_line_is_explained(
    tool: ModuleType, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main(arguments) == 2
    assert capsys.readouterr().err == f"usage: python -m {tool.__name__} document|site\n"


@pytest.mark.parametrize("name", schema.FORMATS)
def test_the_manual_has_a_line_for_every_key_of_the_schema(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main([name]) == 0
    manual = capsys.readouterr().out
    assert "Syntax(" not in manual
    keys = re.findall(r"^\| `(\w+)` \|", manual, flags=re.MULTILINE)
    published = json.loads(schema.schema(name))
    records = [published, *published["$defs"].values()]
    assert sorted(keys) == sorted(key for record in records for key in record["properties"])


@pytest.mark.parametrize(
    "text",
    [SMALLEST, FULL, *(path.read_text(encoding="utf-8") for path in sorted((ROOT / "expectations").glob("*.yaml")))],
)
def test_the_schema_accepts_good_documents(text: str) -> None:
    validator("document").validate(as_json(text))


STRUCTURAL = (
    "document-empty-values",
    "document-list",
    "document-listed-twice",
    "document-many",
    "document-missing-keys",
    "document-names",
    "document-ports",
    "document-unknown-keys",
    "document-wrong-shapes",
    "document-wrong-values",
    "document-yaml-turns-values",
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
