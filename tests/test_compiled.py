"""Compiled copies of documents: the same as the YAML file that they were made from, or of no account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portcheck import documents
from portcheck.documents import compiled, reading
from portcheck.documents.codec import UselessCopyError, decode, encode
from portcheck.model import Document, PortcheckError, ReferenceDocument
from tests.test_documents import FULL, NAMES, SMALLEST

ROOT = Path(__file__).parent.parent
SOURCE = b"id: x\n"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the shipped documents, compiled."""
    folder = tmp_path.resolve() / "expectations"
    folder.mkdir()
    monkeypatch.setattr(documents, "_FOLDERS", (folder,))
    for name, text in (("smallest", SMALLEST), ("full-2.0", FULL), ("names-1", NAMES)):
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    compiled.compile_all(folder)
    return folder


@pytest.fixture
def without_yaml(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No YAML may be read from now on."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the YAML was read")

    monkeypatch.setattr(reading, "read_document", refuse)


def smallest(shelf: Path) -> Document:
    return documents.load(shelf / "smallest.yaml")


# ---------------------------------------------------------------------------------------- the shipped ones


def test_the_copies_in_the_checkout_are_those_of_its_documents() -> None:
    folder = ROOT / "expectations"
    fresh = {
        compiled.path_of(path): encode(reading.read_document(path)[0], path.read_bytes())
        for path in folder.glob("*.yaml")
    }
    committed = {path: path.read_bytes() for path in (folder / compiled.FOLDER).iterdir()}
    assert committed == fresh, "stale: python -m portcheck.documents.compiled"


@pytest.mark.parametrize("name", documents.shipped())
def test_a_shipped_document_is_found_without_a_yaml_parser(name: str) -> None:
    find = f"import sys; from portcheck.documents import find_any; find_any({name!r}); sys.exit('yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", find], cwd=ROOT, check=False).returncode == 0


def test_the_whole_library_is_loaded_without_a_yaml_parser() -> None:
    load = "import sys; from portcheck.documents import library; library(); sys.exit('yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", load], cwd=ROOT, check=False).returncode == 0


# ----------------------------------------------------------------------------------------- when they count


@pytest.mark.usefixtures("without_yaml")
@pytest.mark.parametrize("name", ["smallest", "full-2.0", "names-1"])
def test_a_copy_is_used_in_place_of_its_file(name: str) -> None:
    assert documents.find_any(name).id == name
    assert len(documents.library().documents) == 2


@pytest.mark.parametrize("name", ["smallest", "full-2.0", "names-1"])
def test_a_copy_has_all_that_its_file_has(shelf: Path, name: str) -> None:
    assert compiled.read(shelf / f"{name}.yaml") == documents.load_with_warnings(shelf / f"{name}.yaml")[0]


def test_copies_are_no_documents_of_their_own(shelf: Path) -> None:
    assert list(documents.shipped()) == ["full-2.0", "names-1", "smallest"]


def test_an_edited_file_is_what_counts(shelf: Path) -> None:
    (shelf / "smallest.yaml").write_text(SMALLEST.replace("22/tcp", "2222/tcp"), encoding="utf-8")
    assert str(documents.find("smallest").expectations[0].ports[0]) == "2222/tcp"


def test_an_edited_file_with_a_mistake_is_refused_although_its_copy_is_good(shelf: Path) -> None:
    (shelf / "smallest.yaml").write_text(SMALLEST.replace("22/tcp", "22/tpc"), encoding="utf-8")
    with pytest.raises(PortcheckError, match=r"smallest\.yaml:10: "):
        documents.find("smallest")


def test_a_file_of_ones_own_is_never_taken_from_a_copy(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:
        raise AssertionError("a copy was read")

    monkeypatch.setattr(compiled, "read", refuse)
    assert documents.find(str(shelf / "smallest.yaml")).id == "smallest"
    assert documents.load_with_warnings(shelf / "names-1.yaml")[0].id == "names-1"


def remove(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def without_content(path: Path) -> None:
    path.write_bytes(path.read_bytes().partition(b"\n")[0])


def no_json(path: Path) -> None:
    path.write_bytes(b"\0\xff" * 500)


def other_port(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"first":22', b'"first":23'))


def of_another_document(path: Path) -> None:
    path.write_bytes(compiled.path_of(path.parent.parent / "full-2.0.yaml").read_bytes())


def another_format(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 2'))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_circle_of_links(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


DAMAGE: tuple[Callable[[Path], None], ...] = (
    *(remove, cut, empty, without_content, no_json, other_port, of_another_document, another_format),
    *(a_folder, a_pipe, a_circle_of_links),
)


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_a_copy_that_is_no_good_is_passed_over(shelf: Path, damage: Callable[[Path], None]) -> None:
    expected = smallest(shelf)
    damage(compiled.path_of(shelf / "smallest.yaml"))
    assert compiled.read(shelf / "smallest.yaml") is None
    assert documents.find("smallest") == expected


def test_no_folder_of_copies_is_no_problem(shelf: Path) -> None:
    for path in (shelf / compiled.FOLDER).iterdir():
        path.unlink()
    (shelf / compiled.FOLDER).rmdir()
    assert documents.find("smallest").id == "smallest"


# ------------------------------------------------------------------------------------------------ the codec


def signed(kind: str, content: bytes) -> bytes:
    """A copy whose first line is right, whatever the rest is."""
    says = {"format": 1, "kind": kind, "source": sha256(SOURCE).hexdigest(), "content": sha256(content).hexdigest()}
    return json.dumps(says).encode() + b"\n" + content


GOOD = (
    '{"id":"x","title":"x","vendor":"x","version":"1","url":null,"services":[{"service":"SSH",'
    '"ports":[{"transport":"tcp","first":22,"last":22}],"provenance":{"document":"x","section":"s","row":"r"},'
    '"remarks":["obsolete"],"uses":[["udp","DNS"]]}]}'
)

WRONG = {
    "not a mapping": ("{", "["),
    "a key missing": ('"version":"1",', ""),
    "an unknown key": ('"version"', '"versions"'),
    "a number for a text": ('"title":"x"', '"title":1'),
    "nothing for a text": ('"title":"x"', '"title":null'),
    "true for a number": ('"first":22', '"first":true'),
    "a text for a number": ('"first":22', '"first":"22"'),
    "a broken number": ('"first":22', '"first":22.5'),
    "an unknown word": ('"obsolete"', '"trojan"'),
    "a list for a word": ('"obsolete"', "[]"),
    "a text for a list": ('["obsolete"]', '"obsolete"'),
    "a text for a record": ('{"document":"x","section":"s","row":"r"}', '"x"'),
    "a pair of one": ('["udp","DNS"]', '["udp"]'),
    "a pair of three": ('["udp","DNS"]', '["udp","DNS","x"]'),
    "very deep": ('[{"service"', "[" * 100_000 + '[{"service"'),
}


def test_a_rightly_signed_copy_is_read() -> None:
    read = decode(signed("reference", GOOD.encode()), SOURCE)
    assert isinstance(read, ReferenceDocument)
    assert read.services[0].ports[0].first == 22


@pytest.mark.parametrize(("old", "new"), WRONG.values(), ids=WRONG)
def test_what_is_not_of_the_model_is_refused(old: str, new: str) -> None:
    content = GOOD.replace(old, new, 1)
    assert content != GOOD
    with pytest.raises(UselessCopyError):
        decode(signed("reference", content.encode()), SOURCE)


def test_a_port_list_is_not_read_as_a_product() -> None:
    with pytest.raises(UselessCopyError):
        decode(signed("product", GOOD.encode()), SOURCE)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=40)
@given(document=st.one_of(st.from_type(Document), st.from_type(ReferenceDocument)), source=st.binary(max_size=8))
def test_every_document_comes_back_as_it_was(document: Document | ReferenceDocument, source: bytes) -> None:
    copy = encode(document, source)
    assert decode(copy, source) == document
    with pytest.raises(UselessCopyError):
        decode(copy, source + b"\n")


@given(st.data())
def test_any_damage_is_noticed(data: st.DataObject) -> None:
    copy = signed("reference", GOOD.encode())
    start = data.draw(st.integers(0, len(copy) - 1))
    end = data.draw(st.integers(start, len(copy)))
    damaged = copy[:start] + data.draw(st.binary(max_size=8)) + copy[end:]
    if damaged != copy:
        with pytest.raises(UselessCopyError):
            decode(damaged, SOURCE)


# ---------------------------------------------------------------------------------------------- the program


def test_compiling_anew_removes_what_is_gone_and_leaves_nothing_else(shelf: Path) -> None:
    (shelf / "full-2.0.yaml").unlink()
    (shelf / compiled.FOLDER / "smallest.tmp").write_bytes(b"{")
    copies = compiled.compile_all(shelf)
    assert sorted((shelf / compiled.FOLDER).iterdir()) == sorted(copies)
    assert sorted(path.name for path in copies) == ["names-1.json", "smallest.json"]


def test_the_program_names_what_it_wrote(
    shelf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compiled, "CHECKOUT", shelf)
    assert compiled.main() == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_the_program_stops_at_a_bad_document(
    shelf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compiled, "CHECKOUT", shelf)
    (shelf / "smallest.yaml").write_text("colour: red\n", encoding="utf-8")
    assert compiled.main() == 2
    assert "smallest.yaml:1: colour: unknown key" in capsys.readouterr().err
