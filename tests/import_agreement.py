"""How well `documents import` reads the pages behind the shipped documents: python -m tests.import_agreement FOLDER

FOLDER has the source pages, whose names begin with the numbers of SOURCES; they are not part of the project.
Compared are the ports that a draft and the finished document ask for, with the section that says so. With --write the
figures go to docs/reference/import-agreement.md.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from portcheck import documents
from portcheck.documents import importing
from portcheck.documents.importing import writing
from portcheck.model import Document, Ports

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "import-agreement.md"
BEGIN, END = "<!-- figures of tests/import_agreement.py -->", "<!-- end of the figures -->"

SOURCES: Mapping[str, str] = {"000": "dcos-1.11", "001": "qumulo-core", "003": "windows-server"}
"""The beginning of a page's file name to the finished document."""

Fact = tuple[Ports, str]
"""Ports and the section of the page that asks for them."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What one page's draft and its finished document ask for."""

    document: str
    draft: frozenset[Fact]
    finished: frozenset[Fact]

    @property
    def both(self) -> frozenset[Fact]:
        return self.draft & self.finished

    @property
    def only_draft(self) -> tuple[Fact, ...]:
        return in_order(self.draft - self.finished)

    @property
    def only_finished(self) -> tuple[Fact, ...]:
        return in_order(self.finished - self.draft)

    @property
    def low_ranges(self) -> frozenset[Fact]:
        """Differences that are one reading: a dynamic range from 1024 on, and what the finished document has for it."""
        low = frozenset(fact for fact in self.only_draft if fact[0].is_range and fact[0].first == 1024)
        cells = {(section, ports.transport) for ports, section in low}
        instead = (fact for fact in self.only_finished if (fact[1], fact[0].transport) in cells)
        return low | frozenset(fact for fact in instead if (fact[0].first, fact[0].last) == (1025, 5000))

    @property
    def share(self) -> float:
        """Of all facts, those that both have."""
        return len(self.both) / len(self.draft | self.finished)

    @property
    def share_of_ports(self) -> float:
        """The same without the section: whether a port is asked for at all."""
        draft, finished = ({ports for ports, _ in facts} for facts in (self.draft, self.finished))
        return len(draft & finished) / len(draft | finished)


def in_order(facts: frozenset[Fact]) -> tuple[Fact, ...]:
    return tuple(
        sorted(facts, key=lambda fact: (fact[1], str(fact[0].transport), fact[0].first or 0, fact[0].last or 0))
    )


def facts_of(document: Document) -> frozenset[Fact]:
    """Single ports of a list are facts of their own; a range is one."""
    return frozenset(
        (ports, place.section)
        for expectation in document.expectations
        for ports in expectation.ports
        for place in expectation.provenance
    )


def draft_of(page: Path) -> Document:
    """The draft as its user gets it: written, and read again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "draft.yaml")
        path.write_text(writing.as_yaml(importing.import_page(page), "draft", page.name), encoding="utf-8")
        return documents.load(path)


def compare(folder: Path) -> Iterator[Agreement]:
    for number, name in SOURCES.items():
        page = next(folder.glob(f"{number}*"), None)
        if page is not None:
            yield Agreement(name, facts_of(draft_of(page)), facts_of(documents.find(name)))


def table(agreements: list[Agreement]) -> str:
    lines = [
        "| document | draft | finished | in both | agreement | low range | other differences | ports alone |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in agreements:
        counts = f"{len(each.draft)} | {len(each.finished)} | {len(each.both)}"
        low = len(each.low_ranges)
        others = len(each.draft ^ each.finished) - low
        lines.append(
            f"| `{each.document}` | {counts} | {each.share:.1%} | {low} | {others} | {each.share_of_ports:.1%} |"
        )
    return "\n".join(lines)


def differences(agreement: Agreement) -> str:
    """One line for each section and side."""
    lines: list[str] = []
    for side, facts in (("draft", agreement.only_draft), ("finished", agreement.only_finished)):
        for section in dict.fromkeys(section for _, section in facts):
            ports = ", ".join(str(ports) for ports, each in facts if each == section)
            lines.append(f"| {side} | {section} | {ports} |")
    return "\n".join(["| only in | section | ports |", "|---|---|---|", *lines]) if lines else "No difference."


def as_markdown(agreements: list[Agreement]) -> str:
    parts = [table(agreements)]
    parts += [f"### {each.document}\n\n{differences(each)}" for each in agreements]
    return "\n\n".join(parts)


def main(arguments: list[str]) -> int:
    write = "--write" in arguments
    folders = [each for each in arguments if each != "--write"]
    if len(folders) != 1:
        sys.stderr.write("usage: python -m tests.import_agreement FOLDER [--write]\n")
        return 2
    agreements = list(compare(Path(folders[0])))
    text = as_markdown(agreements)
    if not write:
        sys.stdout.write(f"{text}\n")
        return 0
    if len(agreements) < len(SOURCES):
        sys.stderr.write(f"{folders[0]} lacks a page: nothing was written\n")
        return 1
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
