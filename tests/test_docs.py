"""The manual is true: nothing generated is stale, links lead somewhere, commands and files in it work."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from unittest.mock import patch

import pytest

from portcheck import cli, documents
from portcheck.cli.options import Asked
from portcheck.engine.probe import PortState, Reason, Transport
from portcheck.model import (
    Answers,
    Certainty,
    Expect,
    Finding,
    Gap,
    Level,
    Listen,
    Outcome,
    Phase,
    PortcheckError,
    Secrets,
    Selection,
    Sight,
)
from portcheck.plan import plan
from portcheck.scoping import scope_of
from portcheck.scoping.by_hand import parse_expect, parse_sweep
from portcheck.verdict import Evidence, evidence_of
from tests import test_port_lists, test_shipped_documents, test_windows_document

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))

sys.path.insert(0, str(DOCS))
meanings = importlib.import_module("generator.meanings")
word_tables = importlib.import_module("generator.word_tables")
sys.path.remove(str(DOCS))


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: where it starts, its language, the file that it is for the reader (see docs/generate.py)."""

    page: Path
    line: int
    language: str
    content: str
    file: str | None

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


FENCED = re.compile(r"(?:<!-- file: (?P<file>\S+) -->\n)?^```(?P<language>[a-z]*)\n(?P<content>.*?)^```$", re.M | re.S)


def blocks(*languages: str) -> list[Block]:
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match["language"], match["content"], match["file"])
        for page in PAGES
        for text in (page.read_text(encoding="utf-8"),)
        for match in FENCED.finditer(text)
        if match["language"] in languages
    ]


def by_place(found: Iterable[Block]) -> list[object]:
    return [pytest.param(block, id=block.where) for block in found]


# -------------------------------------------------------------------------------------------- generated pages


def test_what_is_generated_is_up_to_date() -> None:
    command = [sys.executable, "docs/generate.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


@pytest.mark.parametrize(
    ("explained", "words"),
    [
        ("STATES", PortState),
        ("REASONS", Reason),
        ("TRANSPORTS", Transport),
        ("PHASES", Phase),
        ("EXPECTS", Expect),
        ("LEVELS", Level),
        ("LISTENS", Listen),
        ("ANSWERS", Answers),
        ("OUTCOMES", Outcome),
        ("CERTAINTIES", Certainty),
        ("GAPS", Gap),
        ("FINDINGS", Finding),
        ("EVIDENCE", Evidence),
        ("SIGHTS", Sight),
    ],
)
def test_every_word_has_its_line_in_the_manual(explained: str, words: type[Enum]) -> None:
    assert list(getattr(meanings, explained)) == list(words)


@pytest.mark.parametrize(("expect", "evidence"), word_tables.cells())
def test_every_sentence_of_the_verdict_table_is_made_from_what_it_stands_for(
    expect: Expect, evidence: Evidence
) -> None:
    check, observation, facts, seen = word_tables.sample(expect, evidence)
    assert evidence_of(check, observation, facts, seen) is evidence


# ------------------------------------------------------------------------------------------------------ links

LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ +(?P<title>.+)$", re.MULTILINE)


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """File and anchor of every relative link."""
    for match in LINK.finditer(without_code(page.read_text(encoding="utf-8"))):
        if not re.match("[a-z]+:", match["target"]):
            path, _, anchor = match["target"].partition("#")
            yield (page.parent / path).resolve() if path else page, anchor


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = (re.sub(r"[^\w\- ]", "", match["title"].lower()) for match in HEADING.finditer(text))
    return {title.replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = [
        f"{target.relative_to(ROOT) if target.is_relative_to(ROOT) else target}#{anchor}"
        for target, anchor in links(page)
        if not target.exists() or (anchor and anchor not in anchors(target))
    ]
    assert not broken, broken


def test_the_index_leads_to_every_page() -> None:
    linked = {target for target, _ in links(DOCS / "README.md")}
    assert set(PAGES) - linked - {DOCS / "README.md"} == set()


# --------------------------------------------------------------------------------------------------- commands

OTHER_PROGRAMS = frozenset({"python3", ".venv/bin/pip", ".", "jq", "echo", "ip", "python"})
"""What the manual lets its reader type beside portcheck: a misspelt portcheck is none of them."""


def typed(block: Block) -> Iterator[list[str]]:
    """Each command of a block as its words, without what a shell keeps for itself."""
    lines = block.content.replace("\\\n", " ").splitlines()
    if block.language == "console":
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    else:
        lines = [found[0] for line in lines if (found := re.search(r"(?<![\w/-])portcheck .*", line))]
    for line in lines:
        yield from shell_words(line)


def shell_words(line: str) -> Iterator[list[str]]:
    words: list[str] = []
    tokens = shlex.shlex(line, posix=True, punctuation_chars=True)
    tokens.whitespace_split = True
    for token in tokens:
        if set(token) <= set("<>&") and token != "&&":
            next(tokens, None)
        elif set(token) <= set("|&;()"):
            yield words
            words = []
        else:
            words.append(token)
    if words:
        yield words


def looks_right(asked: Asked, *rest: object) -> int:
    """Stands in for a check: what the command line names must exist."""
    selection = asked.selection
    parse_sweep(selection.sweep)
    for text in selection.expects:
        if text[0].isdigit():
            parse_expect(text)
    for name in selection.documents:
        if not documents.is_path(name):
            documents.find(name)
    return 0


WORKERS = {
    "portcheck.cli.check.run_check": looks_right,
    "portcheck.cli.check.show_plan": looks_right,
    "portcheck.cli.options.secrets": lambda path: Secrets(),
    "portcheck.cli.options.key": lambda path: None,
    "portcheck.cli.resume.go_on": lambda path, asked, given: (None, asked),
    "portcheck.cli.explain.explain_check": lambda check_id, run: 0 if re.fullmatch(r".+>.+/.+/.+", check_id) else 2,
    "portcheck.cli.explain_port.explain_port": lambda question, own, report_format, everything: (
        0 if re.fullmatch(r"\d+(-\d+)?(/(tcp|udp))?|[a-z]{3,}(/udp)?", question) else 2
    ),
    "portcheck.cli.documents.list_documents": lambda: 0,
    "portcheck.cli.documents.show_document": lambda document: 0,
    "portcheck.cli.documents.lint_documents": lambda files: 0,
    "portcheck.cli.documents_import.import_document": lambda page, document_id, output: 0,
    "portcheck.cli.demo.run_demo": lambda keep: 0,
    "portcheck.cli.listen.stand_in": lambda asked: 0,
}
"""What does the work of each command, and what does none."""


def exit_status(words: list[str]) -> object:
    """What the real command line comes to when no command does any work: 2 for what it does not understand."""
    with ExitStack() as stack:
        for name, worker in WORKERS.items():
            stack.enter_context(patch(name, worker))
        stack.enter_context(patch.object(sys, "argv", words))
        with pytest.raises(SystemExit) as end:
            cli.main()
    return end.value.code or 0


@pytest.mark.parametrize("block", by_place(blocks("console", "sh", "cron")))
def test_every_command_exists_with_its_options(block: Block, capsys: pytest.CaptureFixture[str]) -> None:
    commands = list(typed(block))
    assert commands or block.language != "console"
    for words in commands:
        if words[0] == "portcheck":
            assert exit_status(words) == 0, f"{shlex.join(words)}\n{capsys.readouterr().err}"
        elif block.language == "console":
            assert words[0] in OTHER_PROGRAMS


@pytest.mark.parametrize(
    "line", ["portcheck chekc", "portcheck check --sped fast", "portcheck plan --sweep comon", "portcheck explain x"]
)
def test_a_command_that_does_not_exist_would_be_found(line: str) -> None:
    assert exit_status(shlex.split(line)) == 2


OPTIONS_OF_OTHERS = frozenset({"--check"})
"""Of docs/generate.py."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_option_and_command_named_in_the_text_exists(page: Path) -> None:
    reference = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    options = set(re.findall(r"--[a-z-]+", reference)) | {"--help"} | OPTIONS_OF_OTHERS
    names = set(re.findall(r"^## portcheck (\w+)", reference, re.MULTILINE))
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", text)
    named = {option for span in spans for option in re.findall(r"(?<![\w<!-])--[a-z-]+", span)}
    called = {name for span in spans for name in re.findall(r"^portcheck ([a-z]+)", span)}
    assert (named - options, called - names) == (set(), set())


def test_nobody_is_told_to_install_somebody_elses_package() -> None:
    told = re.compile(r"(pipx?|uvx?|uv tool|uv pip)\s+(install|run)\s+(-\S+\s+)*portcheck(?!-cluster)")
    assert [page for page in PAGES if told.search(page.read_text(encoding="utf-8"))] == []


# ------------------------------------------------------------------------------------------------------ files

SITE_BASE = {
    "documents": "documents: [dcos-1.11, qumulo-core]\n",
    "hosts": "hosts:\n  m1: {address: 10.0.1.11, roles: [master]}\n  a1: {address: 10.0.2.11, roles: [agent]}\n",
}
"""What a part of a site file needs to be a whole one."""


def whole_site(content: str) -> str:
    missing = [text for key, text in SITE_BASE.items() if not re.search(f"^{key}:", content, re.MULTILINE)]
    return "".join([*missing, content])


@pytest.mark.parametrize("block", by_place(blocks("yaml")))
def test_every_file_can_be_used(block: Block, tmp_path: Path) -> None:
    path = tmp_path / (block.file or "file.yaml")
    if re.search("^(expectations|services):", block.content, re.MULTILINE):
        path.write_text(block.content, encoding="utf-8")
        if path.stem == "wrong":
            with pytest.raises(PortcheckError):
                documents.load(path)
        else:
            assert documents.load_with_warnings(path)[1] == ()
        return
    path.write_text(whole_site(block.content), encoding="utf-8")
    checks = plan(scope_of(site_selection(path), Phase.INSTALLED)).checks
    assert checks


def site_selection(path: Path) -> Selection:
    return Selection(
        targets=(),
        documents=(),
        roles=(),
        expects=(),
        site=str(path),
        source="domain-member" if "windows-server" in path.read_text(encoding="utf-8") else "agent",
        features={},
        transports=(),
        sweep="documented",
        strict=False,
        strict_sources=False,
        deadline_s=None,
    )


@pytest.mark.parametrize("block", by_place(blocks("json", "python")))
def test_every_piece_of_code_can_be_read(block: Block) -> None:
    if block.language == "json":
        json.loads(block.content)
    else:
        compile(block.content, block.where, "exec")


def test_the_manual_counts_the_rows_of_the_sources_as_the_documents_tests_do() -> None:
    sys.path.insert(0, str(DOCS))
    source_rows = importlib.import_module("generator.source_rows").SOURCE_ROWS
    sys.path.remove(str(DOCS))
    counted: dict[str, dict[str, int]] = {
        "dcos-1.11": dict(test_shipped_documents.DCOS_ROWS_OF_THE_VENDOR),
        "qumulo-core": dict(test_shipped_documents.QUMULO_ROWS_OF_THE_VENDOR),
        "windows-server": {section: rows[0] for section, rows in test_windows_document.COUNTS.items() if rows[0]},
    }
    for (document, section), rows in test_port_lists.COUNTS.items():
        if rows[0]:
            counted.setdefault(document, {})[section] = rows[0]
    assert source_rows == counted
