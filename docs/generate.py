"""Fills the generated parts of the manual: python docs/generate.py; with --check it only tells which are stale.

A page marks what is generated:
    <!-- generated: NAME -->      everything up to <!-- end --> comes from TABLES[NAME], or from the shipped documents:
                                  `flows ID`, `names ID`, `counts`
    <!-- file: NAME -->           the block below (YAML, Markdown, text) is a file of the page's reader
    <!-- shown: NETWORK -->       the output below each `$` of the console block comes from running it;
                                  `; up to: TEXT` leaves out what follows the line that begins with TEXT,
                                  `; few: TEXT` all but two of successive lines that do
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from difflib import unified_diff
from functools import cache
from pathlib import Path

from generator.benchmarks import benchmarks
from generator.cli_reference import commands, sweeps
from generator.document_pages import tables as document_tables
from generator.listen_events import listen_events
from generator.schema_tables import port_json, run_json
from generator.shown import NETWORKS, Sandbox, sandbox
from generator.tcp_protocols import tcp_protocols
from generator.udp_protocols import udp_protocols
from generator.word_tables import findings, verdicts, words

from portcheck.documents.manual import format_tables

DOCS = Path(__file__).resolve().parent

TABLES: Mapping[str, Callable[[], str]] = {
    "benchmarks": lambda: benchmarks("tcp"),
    "benchmarks-udp": lambda: benchmarks("udp"),
    "commands": commands,
    "document-format": lambda: format_tables("document"),
    "findings": findings,
    "listen-events": listen_events,
    "port-json": port_json,
    "reference-format": lambda: format_tables("reference"),
    "run-json": run_json,
    "site-format": lambda: format_tables("site"),
    "sweeps": sweeps,
    "tcp-protocols": tcp_protocols,
    "udp-protocols": udp_protocols,
    "verdicts": verdicts,
    "words": words,
}
"""By the name that a page says in `<!-- generated: NAME -->`."""

_TABLE = re.compile(
    r"(?P<head><!-- generated: (?P<name>[a-z0-9. -]+?) -->\n)(?P<body>.*?)(?P<tail><!-- end -->)", re.DOTALL
)
_EXAMPLE = re.compile(
    r"<!-- file: (?P<file>[a-z0-9/.-]+) -->\n```(?:yaml|markdown|text)\n(?P<content>.*?)```\n"
    r"|(?P<head><!-- shown: (?P<network>[a-z, -]+?)(; up to: (?P<last>[^\n;]+?))?(; few: (?P<few>[^\n;]+?))? -->\n"
    r"```console\n)"
    r"(?P<body>.*?)(?=```\n)",
    re.DOTALL,
)
_LEFT_OUT = "[…]\n"


def pages() -> list[Path]:
    """Every page of the manual."""
    return sorted(DOCS.rglob("*.md"))


def generated(text: str) -> str:
    """The page with all its generated parts as they should be.

    Raises:
        KeyError: it asks for a table or a network that does not exist.
        ValueError: it shows a command that cannot be run.
    """
    text = _TABLE.sub(lambda match: f"{match['head']}\n{_table(match['name']).strip()}\n\n{match['tail']}", text)
    with sandbox() as shell:
        return _EXAMPLE.sub(lambda match: _example(match, shell), text)


def _table(name: str) -> str:
    return TABLES[name]() if name in TABLES else _document_tables()[name]


@cache
def _document_tables() -> Mapping[str, str]:
    return document_tables()


def _example(match: re.Match[str], shell: Sandbox) -> str:
    if match["file"] is not None:
        shell.put(match["file"], match["content"])
        return match[0]
    network = NETWORKS[match["network"]]
    shown = (
        f"$ {command}\n{_shortened(_thinned(shell.run(_joined(command), network), match['few']), match['last'])}"
        for command in typed(match["body"])
    )
    return f"{match['head']}{''.join(shown)}"


def typed(block: str) -> Iterator[str]:
    """The commands of a console block, as typed: with their continuation lines, without the `$`."""
    lines = iter(block.splitlines())
    for line in lines:
        if line.startswith("$ "):
            command = line[2:]
            while command.endswith("\\"):
                command += "\n" + next(lines)
            yield command


def _joined(command: str) -> str:
    return re.sub(r"\\\n(> )? *", "", command)


def _shortened(output: str, last: str | None) -> str:
    if last is None:
        return output
    before, found, _ = output.partition(f"\n{last}")
    return f"{before.rstrip()}\n{_LEFT_OUT}" if found else output


def _thinned(output: str, alike: str | None) -> str:
    if alike is None:
        return output
    line = rf"{re.escape(alike)}.*\n"
    return re.sub(rf"^({line}{line})({line})+", rf"\1{_LEFT_OUT}", output, flags=re.MULTILINE)


def main(arguments: list[str]) -> int:
    """Bring all pages up to date, or with --check tell which are not; the status is 1 when there are such."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python docs/generate.py [--check]\n")
        return 2
    stale = 0
    for page in pages():
        before = page.read_text(encoding="utf-8")
        after = generated(before)
        if before == after:
            continue
        stale += 1
        name = str(page.relative_to(DOCS.parent))
        if arguments:
            sys.stdout.writelines(unified_diff(before.splitlines(True), after.splitlines(True), name, "generated"))
        else:
            page.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{name}\n")
    if arguments and stale:
        sys.stderr.write("The manual is stale: run python docs/generate.py\n")
    return 1 if arguments and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
