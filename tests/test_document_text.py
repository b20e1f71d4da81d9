"""`documents show` and `documents list`: both kinds of document as a person reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portcheck.documents import find_any
from portcheck.model import ReferenceDocument
from portcheck.reports.document_text import counts, render, render_list
from tests.test_documents import FULL, NAMES, SMALLEST, write

SHOWN_FULL = """\
full-2.0: Full Ports
Example Store 2.10, by Example
https://example.org/ports

A paragraph in two lines.

Roles
  client: Client (not part of the product)
  node: Node (has also peer)
  peer: Peer

Features
  tls: Transport security (not in use unless somebody says so)

TCP
  80/tcp,443/udp   Store: client, peer -> node [conditional, when tls, answers
      only who knows a secret, speaks SIP, exists before the install]
      also in: Summary, 80 and 443
      note: a note
      doubt: a doubt
  1025-2180/tcp    Passive: any -> node [nothing has to listen]
  8080/udp         Admin: localhost -> node [recommended, need not answer a
      probe]

Not checkable by a port probe
  Notes, all: no port is named
"""

SHOWN_NAMES = """\
names-1: Port Names
A list of port names (2024), by Example
https://example.org/names

A notice.

Ranges
  0-1023           Well Known Ports
      note: a note
  1024-65535       The others

Names
  407/tcp, 1417-1420/tcp, 407/udp Timbuktu [remote-control, not-registered]
      by name: timbuktu, tb2 (407/tcp)
      note: a note
      doubt: a doubt

A
  22               SSH
      by name: ssh (22/tcp)
  80/tcp           HTTP
      by name: http (80/tcp)
  5800+/tcp, 65530+/tcp VNC
  1755/tcp, 1755/udp, one of 1024-5000/udp, one of 6000-65535/udp Show
                   Player
      needs the TCP ports of HTTP, SSH
      needs the UDP ports of Show

Not checkable by a port probe
  Names, Chat: no port is named
"""


@pytest.mark.parametrize(("text", "shown"), [(FULL, SHOWN_FULL), (NAMES, SHOWN_NAMES)], ids=["product", "reference"])
def test_a_document_is_shown_with_all_that_it_says(tmp_path: Path, text: str, shown: str) -> None:
    assert render(find_any(write(tmp_path, text))) == shown


def test_documents_of_both_kinds_are_listed_and_long_titles_wrapped(tmp_path: Path) -> None:
    texts = (SMALLEST, NAMES.replace("Port Names", "Names of ports, of all kinds and for all purposes"))
    found = [find_any(write(tmp_path, text, f"{number}.yaml")) for number, text in enumerate(texts)]
    assert render_list(found, 60) == (
        "ID        KIND       ENTRIES  TITLE\n"
        "smallest  product    1        Smallest Ports\n"
        "names-1   reference  6        Names of ports, of all kinds\n"
        "                              and for all purposes\n"
    )


def test_entries_are_counted_in_the_words_of_their_kind(tmp_path: Path) -> None:
    assert counts(find_any(write(tmp_path, FULL))) == "3 expectations, 1 not checkable"
    assert counts(find_any(write(tmp_path, NAMES))) == "6 services, 1 not checkable"


@settings(deadline=None, max_examples=30)
@given(document=st.from_type(ReferenceDocument), width=st.integers(20, 120))
def test_nothing_of_a_list_that_a_terminal_would_obey_is_shown(document: ReferenceDocument, width: int) -> None:
    for text in (render(document, width), render_list([document], width)):
        assert all(line.isprintable() for line in text.split("\n"))
