"""Where on a page something stands: the headings above it, and a short name for that. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from portcheck.documents.importing.cells import transports_in
from portcheck.documents.importing.page import Block, Heading, Page, Paragraph, Table

Path = tuple[str, ...]
"""Headings from the outermost to the nearest; the page's own title is none of them."""

_LONGEST_CAPTION = 60


def by_path(page: Page) -> Iterator[tuple[Path, Table | Paragraph]]:
    """Tables and paragraphs, each with the headings above it.

    Where several tables share a heading, a short line right above one of them is its caption, and part of the heading.
    """
    blocks = list(_below_headings(page.blocks, _title_level(page.blocks)))
    tables = Counter(path for path, block in blocks if isinstance(block, Table))
    before: Path | None = None
    caption = ""
    for path, block in blocks:
        if isinstance(block, Table):
            has_caption = caption and before == path and tables[path] > 1
            yield (*path[:-1], " / ".join((*path[-1:], caption))) if has_caption else path, block
            caption = ""
        else:
            yield path, block
            caption = _caption(block.text)
        before = path


def names_of(paths: Iterable[Path], without_heading: str) -> Mapping[Path, str]:
    """A name for each path that has ports: its last heading, the headings above it that have ports of their own, and
    as many more as it takes to tell it from the others. What has no heading is `without_heading`."""
    different = dict.fromkeys(paths)
    tails = Counter(path[start:] for path in different for start in range(len(path)))
    return {path: _name(path, tails, different) or without_heading for path in different}


def own_name(page: Page) -> str:
    """The page's great heading or the title in its head; empty where it has neither."""
    great = [block.text for block in page.blocks if isinstance(block, Heading) and block.level == 1 and block.text]
    return great[0] if len(great) == 1 else page.title or ""


def title_of(page: Page) -> str | None:
    """What the page calls itself: its one great heading, its head, or whatever heading comes first."""
    headings = [block for block in page.blocks if isinstance(block, Heading) and block.text]
    if headings and headings[0].level == 1:
        return headings[0].text
    return page.title or (headings[0].text if headings else None)


def _title_level(blocks: Iterable[Block]) -> int:
    """1 where a single heading of level 1 is the page's title, otherwise 0."""
    return int(sum(isinstance(block, Heading) and block.level == 1 for block in blocks) == 1)


def _below_headings(blocks: Iterable[Block], title_level: int) -> Iterator[tuple[Path, Table | Paragraph]]:
    above: list[Heading] = []
    for block in blocks:
        if not isinstance(block, Heading):
            yield tuple(heading.text for heading in above), block
        elif block.text:
            above = [heading for heading in above if heading.level < block.level]
            above += [block] if block.level > title_level else []


def _caption(text: str) -> str:
    line = text.strip().rstrip(":")
    is_short = len(line) <= _LONGEST_CAPTION and "\n" not in line
    return line if is_short and line[-1:].isalnum() and ": " not in line else ""


def _name(path: Path, tails: Mapping[Path, int], with_ports: Collection[Path]) -> str:
    """A heading that only says TCP or UDP is never a name by itself."""
    outermost = next((end for end in range(1, len(path)) if path[:end] in with_ports), len(path))
    for start in reversed(range(outermost)):
        tail = path[start:]
        if tails[tail] == 1 and not (start and _says_transport_only(tail[0])):
            return " / ".join(tail)
    return " / ".join(path)


def _says_transport_only(heading: str) -> bool:
    return bool(transports_in(heading)) and len(heading.split()) <= 2
