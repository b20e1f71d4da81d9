"""`documents import`: a vendor's page becomes a draft of a document."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from portcheck.cli.output import report_files, say, tell
from portcheck.documents import importing
from portcheck.documents.fields import ID
from portcheck.documents.importing import summary, writing
from portcheck.model import PortcheckError
from portcheck.printable import printable, quoted


def import_document(path: str, document_id: str | None, output: str | None) -> int:
    """Print the draft of the page at `path`, or keep it in `output`; tell on stderr what was read and what was not."""
    if document_id is not None:
        ID.parse(document_id)
    with ExitStack() as stack:
        file = None
        if output is not None:
            _refuse_to_overwrite(output)
            (file,) = stack.enter_context(report_files([output]))
        draft = importing.import_page(path)
        text = writing.as_yaml(draft, document_id or importing.id_for(output or path), Path(path).name)
        if file is None:
            say(text)
        else:
            file.write(text)
    tell(summary.render(draft, path))
    tell(f"Settle the doubts and TODOs beside the page, then: portcheck documents lint {_shown(output) or 'FILE'}")
    return 0


def _refuse_to_overwrite(output: str) -> None:
    """A draft is worked on by hand: making it again must not cost that work."""
    if output == "-":
        raise PortcheckError("-o -: the draft is on stdout anyway; leave out -o.")
    if os.path.isfile(output) and os.path.getsize(output):
        raise PortcheckError(
            f"-o {quoted(output, 300)} exists: name another file, or remove it if nobody worked on it."
        )


def _shown(output: str | None) -> str:
    return printable(output or "", 300)
