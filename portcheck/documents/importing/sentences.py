"""Ports that stand in sentences: "UDP port 123", "port 445/TCP", "ports between 1025 and 5000". Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from portcheck.engine.probe import Transport
from portcheck.model import LAST_PORT

TRANSPORTS = {"tcp": Transport.TCP, "tp": Transport.TCP, "udp": Transport.UDP, "upd": Transport.UDP}
"""How vendors write them, with the slips of the pen that were seen."""

TYPOS = frozenset({"tp", "upd"})

IP_PROTOCOLS = {1: Transport.ICMP, 47: Transport.GRE, 50: Transport.ESP, 51: Transport.AH}
"""By IANA's number; the ones that a document can ask for."""

Numbers = tuple[int, int]
"""First and last port."""


@dataclass(frozen=True, slots=True)
class Mention:
    """Ports that a sentence names.

    Attributes:
        words: the few words that name them, as the page has them.
        at: where in the text they begin.
        numbers: the ports; empty for an IP protocol without ports.
        transports: empty when the sentence does not say, or says both of one number.
        why_not: why the number is no port ("higher than port 1024"); empty for a port.
    """

    words: str
    at: int
    numbers: tuple[Numbers, ...]
    transports: tuple[Transport, ...]
    why_not: str = ""


LIMIT = "a limit, not a port"
THOUSANDS = "a number with a thousands comma"

DASH = "[-\u2010-\u2015\u2212]"
"""A hyphen, and what printers put in its place."""

_NUMBER = r"(?<![\w.])[0-9]{1,5}(?![\w]|\.[0-9])"
_UP_TO = rf" ?(?:{DASH}|to|through) ?"
_ITEM = rf"{_NUMBER}(?:{_UP_TO}{_NUMBER})?"
_ITEMS = rf"{_ITEM}(?:(?:,? (?:and|or) |, ?| ?/ ?){_ITEM})*"
_ONE_TRANSPORT = r"\b(?:TCP|UDP)\b(?!/IP)"
_TRANSPORT = rf"{_ONE_TRANSPORT}(?:(?: ?/ ?| and | or ){_ONE_TRANSPORT})?"

_ICMP = r"\bICMP(?:v?[46])?\b"

_PATTERNS = (
    rf"(?P<icmp>{_ICMP}(?:(?:,? (?:and|or) |, ?| ?/ ?){_ICMP})*)",
    r"\bIP protocol (?:number )?(?P<protocol>[0-9]{1,3})\b",
    rf"(?P<limit>(?:than|above|below) )?(?:(?P<before>{_TRANSPORT}) (?:on )?)?\bports?\b:? (?:numbers? )?"
    rf"(?P<between>(?:in the )?range (?:of |from )?|between |from )?(?:ports )?(?P<items>{_ITEMS})"
    rf"(?: ?[/(]? ?(?P<behind>{_TRANSPORT}))?",
    rf"(?P<directly>{_TRANSPORT})[ /:](?P<items_directly>{_ITEMS})",
    rf"(?P<items_slash>{_ITEM}) ?/ ?(?P<slash>{_ONE_TRANSPORT})",
)
_MENTION = re.compile("|".join(_PATTERNS), re.IGNORECASE)
_THOUSANDS = re.compile(
    rf"(?<![0-9,])[0-9]{{1,2}}[, ]0[0-9]{{2}}(?![0-9,])"
    rf"|(?<![0-9,])[0-9]{{1,2}},[0-9]{{3}}{_UP_TO}[0-9]{{1,2}},[0-9]{{3}}(?![0-9,])",
    re.IGNORECASE,
)
"""5,000 and 1,100-1,200: no port begins with a zero, and no range goes down. 22,443 is a list of two."""

_SENTENCE = re.compile(r"(?:[^.!?]|[.!?](?![ \n]))+")


def mentions(text: str) -> Iterator[Mention]:
    """The ports and IP protocols that a text names with the word port, or beside TCP or UDP."""
    spaced = text.replace("\n", " ")  # same length: a place in the one is a place in the other
    for sentence in _SENTENCE.finditer(spaced):
        around = _transports(sentence[0])
        for found in _MENTION.finditer(sentence[0]):
            mention = _mention(found, around if len(around) == 1 else ())
            if mention is not None:
                yield Mention(
                    mention.words,
                    sentence.start() + found.start(),
                    mention.numbers,
                    mention.transports,
                    mention.why_not,
                )


def has_thousands(text: str) -> bool:
    """Whether a number of the text has a comma or a space before its last three digits."""
    return bool(_THOUSANDS.search(text))


def read_numbers(text: str, between: bool = False) -> tuple[Numbers, ...]:
    """`80, 443 and 8000-8100` as ports; `between`: two numbers are the ends of a range. Empty for what is no port."""
    ranges = [tuple(map(int, re.findall("[0-9]+", item))) for item in re.findall(_ITEM, text, re.IGNORECASE)]
    if between and len(ranges) == 2 and all(len(each) == 1 for each in ranges):
        ranges = [ranges[0] + ranges[1]]
    numbers = tuple((each[0], each[-1]) for each in ranges)
    return numbers if all(1 <= first <= last <= LAST_PORT for first, last in numbers) else ()


def _mention(found: re.Match[str], around: tuple[Transport, ...]) -> Mention | None:
    """What the words say; `around` is the transport of the sentence, for words that name none themselves."""
    words = found[0].replace("(", "").strip(" /")
    if found["icmp"]:
        return Mention(words, 0, (), (Transport.ICMP,))
    if found["protocol"]:
        protocol = IP_PROTOCOLS.get(int(found["protocol"]))
        return None if protocol is None else Mention(words, 0, (), (protocol,))
    items = found["items"] or found["items_directly"] or found["items_slash"]
    if has_thousands(items):
        return Mention(words, 0, (), (), THOUSANDS)
    numbers = read_numbers(items, between=bool(found["between"]))
    if not numbers:
        return None
    named = found["before"] or found["behind"] or found["directly"] or found["slash"]
    return Mention(words, 0, numbers, _transports(named) if named else around, LIMIT if found["limit"] else "")


def _transports(text: str) -> tuple[Transport, ...]:
    found = re.findall(_ONE_TRANSPORT, text, re.IGNORECASE)
    return tuple(dict.fromkeys(TRANSPORTS[word.lower()] for word in found))


_UNIT = re.compile(r"\b(?:system )?service name: ?([\w$-]{2,40})\.?(?=\n|$)", re.IGNORECASE)


def unit_in(text: str) -> str:
    """The unit or process of a section, where a line of it ends with "service name: NAME"."""
    found = _UNIT.search(text)
    return found[1] if found else ""
