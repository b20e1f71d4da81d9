"""A vendor's page becomes a draft of a document: `portcheck documents import`.

A page's markup is read by html_page, markdown_page or csv_page to the blocks of `page`; what these say is found out
by pure modules (columns, cells, sentences, sections, rows, drafting), and `writing` makes the file of it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from portcheck.documents.importing.drafting import NO_PORT_COLUMN, Draft, Kind, draft_of
from portcheck.documents.importing.page import MAX_ROWS, TOO_MANY_ROWS, Page
from portcheck.model import PortcheckError
from portcheck.printable import printable

__all__ = ["MAX_BYTES", "id_for", "import_page"]

MAX_BYTES = 2 * 1024 * 1024
_MAX_PATH = 300

_HTML_NAMES = frozenset({".html", ".htm", ".xhtml"})
_CSV_NAMES = frozenset({".csv", ".tsv"})
_MARKDOWN_NAMES = frozenset({".md", ".markdown"})
_HTML_ROW = re.compile("<tr[ >\n]", re.IGNORECASE)
_HTML_BEGINS = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.{0,2000}?-->\s*)?<(?:!doctype html|html)\b", re.I | re.S)


def import_page(path: str | os.PathLike[str]) -> Draft:
    """The draft that the page at `path` gives, with everything that could not be read of it.

    Raises:
        PortcheckError: the file cannot be read, or has no port that can be.
    """
    shown = printable(os.fspath(path), _MAX_PATH)
    text = _text_of(path, shown)
    suffix = Path(path).suffix.lower()
    try:
        _refuse_too_many_rows(text)
        draft = draft_of(_read(text, suffix), Path(path).name)
    except PortcheckError as error:
        raise PortcheckError(f"{shown}: {error}") from None
    if not draft.tables:
        raise PortcheckError(f"{shown}: {_no_table(draft, suffix)}")
    if not draft.entries:
        first = next(
            (f"line {each.line}: {each.why}" for each in draft.unread if each.kind is Kind.ROW), "they are empty"
        )
        raise PortcheckError(f"{shown}: no row with a port that can be read in its tables ({printable(first, 200)})")
    return draft


def _no_table(draft: Draft, suffix: str) -> str:
    problem = next((each for each in draft.unread if each.kind is Kind.TABLE and each.why != NO_PORT_COLUMN), None)
    if problem is not None:
        return f"no table whose headings can be understood (line {problem.line}: {printable(problem.why, 200)})"
    if suffix in _CSV_NAMES:
        return "no column of ports found; the first row must be the headings, for example Port,Protocol,Service"
    return (
        "no table with a port column found; name a page of Markdown (.md), HTML (.html) or CSV (.csv) that has a table "
        'with a heading such as "Port", or write the document by hand (docs/how-to/add-a-document.md)'
    )


def _refuse_too_many_rows(text: str) -> None:
    """Before anything is read. Lines with a bar may be rows of Markdown."""
    if sum(1 for line in text.split("\n") if "|" in line) + len(_HTML_ROW.findall(text)) > MAX_ROWS:
        raise PortcheckError(TOO_MANY_ROWS)


def id_for(path: str | os.PathLike[str]) -> str:
    """A document's id out of a file's name."""
    return re.sub("[^a-z0-9.]+", "-", Path(path).stem.lower()).strip("-.")[:64] or "draft"


def _read(text: str, suffix: str) -> Page:
    """The page by its name, then by its beginning. Each reader's library is imported when it is needed."""
    if suffix in _CSV_NAMES:
        from portcheck.documents.importing.csv_page import read_csv

        return read_csv(text)
    if suffix in _HTML_NAMES or _HTML_BEGINS.match(text):
        from portcheck.documents.importing.html_page import read_html

        return read_html(text)
    if suffix not in _MARKDOWN_NAMES:
        from portcheck.documents.importing.csv_page import is_csv, read_csv

        if is_csv(text):
            return read_csv(text)
    from portcheck.documents.importing.markdown_page import read_markdown

    return read_markdown(text)


def _text_of(path: str | os.PathLike[str], shown: str) -> str:
    try:
        if Path(path).is_dir():
            raise PortcheckError(f"{shown}: is a directory; name a page in it")
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise PortcheckError(f"{shown}: no such file; check the spelling and the working directory") from None
    except OSError as error:
        raise PortcheckError(f"{shown}: cannot be read ({error.strerror}); check its permissions") from None
    except ValueError:  # a NUL byte in the path
        raise PortcheckError(f"{shown}: is not a file name; give the path of a page") from None
    if len(data) > MAX_BYTES:
        raise PortcheckError(f"{shown}: is larger than {MAX_BYTES // 1024**2} MiB; save only the part with the tables")
    if not data.strip(b"\xef\xbb\xbf \t\r\n"):
        raise PortcheckError(f"{shown}: is empty; save the page again")
    if b"\0" in data:
        raise PortcheckError(f"{shown}: is a binary file; save the page as Markdown, HTML or CSV in UTF-8")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PortcheckError(f"{shown}:{line}: byte 0x{data[error.start]:02x} is not UTF-8; save it as UTF-8") from None
