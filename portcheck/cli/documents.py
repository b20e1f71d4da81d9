"""`documents list | show | lint`: what the shipped documents and a user's own ask for."""

from __future__ import annotations

from portcheck import documents as document_files
from portcheck.cli.output import columns, say, tell
from portcheck.model import PortcheckError
from portcheck.printable import printable
from portcheck.reports import document_text


def list_documents() -> int:
    """Print one row for each shipped document."""
    found = [document_files.find_any(name) for name in document_files.shipped()]
    say(document_text.render_list(found, columns()))
    return 0


def show_document(id_or_path: str) -> int:
    """Print every row of one document."""
    say(document_text.render(document_files.find_any(id_or_path), columns()))
    return 0


def lint_documents(paths: list[str]) -> int:
    """Check each file and print every error; 0 when all can be used."""
    failed = False
    for path in paths:
        try:
            document, warnings = document_files.load_with_warnings(path)
        except PortcheckError as error:
            tell(str(error))
            failed = True
            continue
        for warning in warnings:
            tell(f"{warning} (warning)")
        say(f"{printable(path, 300)}: {document.id}, {document_text.counts(document)}: no errors\n")
    return 2 if failed else 0
