"""What stands in the cells of a table: ports, transports, roles, names. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from portcheck.documents.importing.page import Cell
from portcheck.documents.importing.sentences import (
    DASH,
    IP_PROTOCOLS,
    THOUSANDS,
    TRANSPORTS,
    TYPOS,
    Numbers,
    has_thousands,
    mentions,
)
from portcheck.engine.probe import Transport
from portcheck.model import ANY, INTERNET, LAST_PORT, LOCALHOST
from portcheck.printable import quoted

# -------------------------------------------------------------------------------------- notes and conditions

_NOTE = re.compile(
    r" ?\((?:see )?(?:foot)?notes? [0-9][0-9, &and]*\)| ?\[[0-9]{1,2}\]"
    r"|(?<=[\w)])[*\u2020\u2021\u00a7\u00b6]+(?![\w*])",
    re.IGNORECASE,
)
_CONDITION = re.compile(r"\b(?:if|when|only|optional|optionally|unless|depending on)\b", re.IGNORECASE)
_LONGEST_QUOTE = 80
"""Characters: enough to see a condition, too few to copy a text."""


def without_notes(cell: Cell) -> tuple[Cell, tuple[str, ...]]:
    """The cell without the marks of notes, `(note 3)`, `[3]`, `*`; and these marks."""
    marks = tuple(mark.strip() for line in cell for mark in _NOTE.findall(line))
    return (tuple(filter(None, (_NOTE.sub("", line).strip() for line in cell))), marks) if marks else (cell, ())


def said_more(what: str, rest: str) -> tuple[str, ...]:
    """What to tell of a text that no key of the draft has: its beginning, and whether it reads like a condition."""
    return (f"{what}: {quoted(rest, _LONGEST_QUOTE)}", *sign_of_condition(rest))


def sign_of_condition(text: str) -> tuple[str, ...]:
    """A hint where the text says that something is not always so; empty where it does not."""
    found = _CONDITION.search(text)
    return (f"{quoted(found[0].lower())} is a sign of level: conditional",) if found else ()


# -------------------------------------------------------------------------------------------------- ports


@dataclass(frozen=True, slots=True)
class Item:
    """Ports `first` to `last` of a cell; `transports` is empty where the cell itself does not say."""

    numbers: Numbers
    transports: tuple[Transport, ...] = ()


@dataclass(frozen=True, slots=True)
class PortCell:
    """What a cell of ports says.

    Attributes:
        lines: the ports of each line that has any.
        remarks: what was read with a guess, or is more than ports.
        unread: what has a number and is no port that we can read.
    """

    lines: tuple[tuple[Item, ...], ...]
    remarks: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


_ASIDE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_BETWEEN = re.compile(rf"\bbetween ([0-9]+) (?:and|to|through|{DASH}) ([0-9]+)", re.IGNORECASE)
_UP_TO = re.compile(rf"(?<=[0-9]) ?(?:{DASH}|\.\.|to|through|thru) ?(?=[0-9])", re.IGNORECASE)
_BOTH = re.compile(r"\b(tcp|udp) ?(?:and|or|&|,|\+) ?(tcp|udp)\b", re.IGNORECASE)
_SEPARATOR = re.compile(
    r"[,;&]|\band\b(?! (?:above|higher|up|onwards?)\b)|\bor\b(?! (?:above|higher|up)\b)"
    r"|(?<=[0-9]) ?/ ?(?=[0-9])|(?<=[0-9]) (?=[0-9])",
    re.IGNORECASE,
)
_AFTER_EACH = re.compile(r"(?<=[0-9])( ?/?(?:tcp|udp))[ /](?=[0-9])", re.IGNORECASE)
_BEFORE_EACH = re.compile(r"(?<=[0-9])[ /](?=(?:tcp|udp)[ :/]?[0-9])", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_ITEM = re.compile(r"(?P<before>[^0-9]*)(?P<first>[0-9]+)(?:-(?P<last>[0-9]+))?(?P<behind>.*)", re.DOTALL)
_CUT_OFF = re.compile(rf"{DASH}(?![A-Za-z])| ?(?:{DASH}|\.\.|\bto|\bthrough|\bthru) ?$", re.IGNORECASE)
"""Behind a number: a range without its end."""
_BEGINS_NOWHERE = re.compile(rf"(?<![A-Za-z]){DASH}$")
"""Before a number: a range without its beginning."""
_MAYBE_THOUSANDS = re.compile(r"(?<![0-9,])([0-9]{1,2})[, ]([0-9]{3})(?![0-9,])")
_NO_END = re.compile(r" ?\+|.*\b(above|higher|up|upwards?|onwards?)\b", re.IGNORECASE)
_PLAIN = frozenset(
    ("port", "ports", "number", "numbers", "random", "range", "dynamic", "default", "any", "the", "from", "high", "low")
)
"""Words in a cell of ports that change nothing."""

_LONGEST_LINE = 500
"""Characters; a longer line of a cell is no list of ports."""

_FEW_WORDS = 3
_MANY_WORDS = 12

_OF_ONE = "="
"""Stands before a transport that is for one number only: 1433, 1434 (UDP)."""

SAYS_MORE = "the port cell says more than ports"


def read_ports(cell: Cell) -> PortCell:
    """The ports of a cell. Asides in brackets are not read, sentences as far as they name TCP or UDP."""
    lines: list[tuple[Item, ...]] = []
    remarks: list[str] = []
    unread: list[str] = []
    for text in cell:
        if len(text) > _LONGEST_LINE:
            unread.append("a text, not ports")
            continue
        plain = " ".join(_ASIDE.sub(_transport_aside, text).split())
        if why := _why_not(plain):
            unread.append(f"{plain} ({why})")
            continue
        items, more, failed = _read_line(plain)
        if more or len(plain.split()) < len(text.split()):
            remarks += said_more(SAYS_MORE, text if more else " ".join(_ASIDE.findall(text)))
        remarks += [_as_two(found[0]) for found in _MAYBE_THOUSANDS.finditer(plain) if _is_one_port(found)]
        lines += [items] if items else []
        unread += failed
    return PortCell(tuple(lines), tuple(dict.fromkeys(remarks)) if lines else (), tuple(unread))


def _why_not(line: str) -> str:
    """Why a line has no port that can be read, however many numbers it has; empty if it may have some."""
    if has_thousands(line):
        return THOUSANDS
    other = next((word for word in re.findall(r"[^\W_]+", line) if word.lower() in OTHER_TRANSPORTS), None)
    return no_transport(other) if other and re.search("[0-9]", line) else ""


def _is_one_port(found: re.Match[str]) -> bool:
    return int(found[1] + found[2]) <= LAST_PORT


def _as_two(written: str) -> str:
    return f"{quoted(written)} was read as two ports, not as one number"


def _transport_aside(aside: re.Match[str]) -> str:
    """(TCP) stays, for the number before it alone; everything else goes."""
    words = _words(aside[0])
    return f" {_OF_ONE}{'/'.join(words)} " if words and set(words) <= {*TRANSPORTS, *OTHER_TRANSPORTS} else " "


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _read_line(line: str) -> tuple[tuple[Item, ...], bool, list[str]]:
    """The ports of a line without asides, whether it says more, and what was not read."""
    ranged = _BOTH.sub(r"\1/\2", _UP_TO.sub("-", _BETWEEN.sub(r"\1-\2", line)))
    ranged = _AFTER_EACH.sub(r"\1, ", ranged) if ranged[:1].isdigit() else _BEFORE_EACH.sub(", ", ranged)
    found: list[_Found] = []
    says_more = False
    unread: list[str] = []
    for piece in _SEPARATOR.split(ranged):
        read = _ITEM.fullmatch(piece)
        if read is None:
            words = _words(piece)
            found.append(_Found(None, _transports(words)))
            says_more |= not set(words) <= _PLAIN | set(TRANSPORTS)
            continue
        before, behind = _words(read["before"]), _words(read["behind"])
        if not set(before) <= _PLAIN | set(TRANSPORTS):
            return _read_sentence(line)
        first, last = int(read["first"][:6]), int((read["last"] or read["first"])[:6])
        transports = _transports((*before, *behind))
        more = not set(behind) <= _PLAIN | set(TRANSPORTS)
        second = not more and re.search("[0-9]", read["behind"])  # a number in prose is none, one beside TCP may be
        if not 1 <= first <= last <= LAST_PORT or second or _is_part_of_a_word(read) or _NO_END.match(read["behind"]):
            unread.append(piece.strip())
            continue
        says_more |= more
        found.append(_Found((first, last), transports, bool(_transports(before)), _OF_ONE in read["behind"]))
    return _carried(found), says_more, unread


def _read_sentence(line: str) -> tuple[tuple[Item, ...], bool, list[str]]:
    items = tuple(
        Item(numbers, mention.transports)
        for mention in mentions(line)
        if not mention.why_not
        for numbers in mention.numbers
    )
    return items, True, [] if items else [line]


def _is_part_of_a_word(read: re.Match[str]) -> bool:
    """2.0, 10.0.0.1, 3des, > 1023: a number that is no port by itself."""
    glued = read["behind"][:1].isalpha() and _words(read["behind"])[0] not in TRANSPORTS
    beside = re.match(r"[._][0-9]|_", read["behind"]) or re.search("[_.<>≥≤] ?$", read["before"])
    return glued or bool(beside or _CUT_OFF.match(read["behind"]) or _BEGINS_NOWHERE.search(read["before"]))


def label_of(cell: Cell) -> str:
    """A cell of ports as a place's name. A sentence stays with its author: only the words that name ports are taken."""
    return ", ".join(filter(None, map(_label, cell)))


def _label(line: str) -> str:
    plain = " ".join(_ASIDE.sub(lambda aside: aside[0] if len(aside[0].split()) <= _FEW_WORDS else " ", line).split())
    if not plain.endswith(".") and len(plain.split()) <= _MANY_WORDS:
        return plain
    return ", ".join(mention.words for mention in mentions(plain)) or "a text"


@dataclass(frozen=True, slots=True)
class _Found:
    """A piece of a line: ports, or a transport alone. `before`, `of_one`: where the transport stands, for whom."""

    numbers: Numbers | None
    transports: tuple[Transport, ...]
    before: bool = False
    of_one: bool = False


def _carried(found: Sequence[_Found]) -> tuple[Item, ...]:
    """The ports, with the transports that stand at others of them: `80, 443/tcp` and `TCP 80, 443`."""
    from_behind: list[tuple[Transport, ...]] = []
    carried: tuple[Transport, ...] = ()
    for piece in reversed(found):
        if piece.transports and not piece.of_one:
            carried = () if piece.before else piece.transports
        from_behind.append(carried)
    items: list[Item] = []
    carried = ()
    for piece, behind in zip(found, reversed(from_behind), strict=True):
        if piece.before:
            carried = piece.transports
        if piece.numbers is not None:
            items.append(Item(piece.numbers, piece.transports or behind or carried))
    return tuple(items)


def _transports(words: Iterable[str]) -> tuple[Transport, ...]:
    return tuple(dict.fromkeys(TRANSPORTS[word] for word in words if word in TRANSPORTS))


# --------------------------------------------------------------------------------------------- transports


@dataclass(frozen=True, slots=True)
class TransportCell:
    """The transports and IP protocols of each line of a cell that has any.

    Attributes:
        remarks: what was read with a guess, or beside others not at all.
        unknown: the first word of a cell that names no transport.
    """

    lines: tuple[tuple[Transport, ...], ...]
    remarks: tuple[str, ...] = ()
    unknown: str = ""

    @property
    def all(self) -> tuple[Transport, ...]:
        """Those of all lines."""
        return tuple(dict.fromkeys(transport for line in self.lines for transport in line))


_PROTOCOL_WORDS: dict[str, tuple[Transport, ...]] = {
    **{word: (transport,) for word, transport in TRANSPORTS.items()},
    "both": (Transport.TCP, Transport.UDP),
    **dict.fromkeys(("icmp", "icmp4", "icmp6", "icmpv4", "icmpv6"), (Transport.ICMP,)),
    "gre": (Transport.GRE,),
    "esp": (Transport.ESP,),
    "ah": (Transport.AH,),
    **dict.fromkeys(("and", "or", "ip", "ipv4", "ipv6", "protocol"), ()),
}
_NUMBERED = {
    str(number): protocol for number, protocol in {**IP_PROTOCOLS, 6: Transport.TCP, 17: Transport.UDP}.items()
}
"""IANA's protocol numbers, where a cell names nothing else."""

OTHER_TRANSPORTS = frozenset({"sctp", "dccp", "igmp", "ospf", "vrrp", "eigrp", "ipip", "pim"})
"""Beside IP, as TCP is: what uses them uses no TCP."""


def no_transport(word: str) -> str:
    """What to say of a word that should be a transport."""
    return f"{quoted(word)} is no transport that portcheck knows"


def read_transports(cell: Cell) -> TransportCell:
    """What a cell of protocols names; a cell without a name that we know gives no line."""
    lines: list[tuple[Transport, ...]] = []
    remarks: list[str] = []
    unknown: list[str] = []
    for text in cell:
        plain = _ASIDE.sub(" ", text)
        words = re.findall(r"[^\W_]+", plain)
        if words and words[-1] in _NUMBERED and {word.lower() for word in words[:-1]} <= {"ip", "protocol", "number"}:
            lines.append((_NUMBERED[words[-1]],))
            continue
        known = [each for word in words for each in _PROTOCOL_WORDS.get(word.lower(), ())]
        if known:
            lines.append(tuple(dict.fromkeys(known)))
        unknown += [word for word in words if word.lower() not in _PROTOCOL_WORDS and not _says_nothing(plain)]
        remarks += [_typo(word) for word in words if word.lower() in TYPOS]
        remarks += [f"{quoted(word)} was not read" for word in words if known and word.lower() not in _PROTOCOL_WORDS]
    other = next((word for word in unknown if word.lower() in OTHER_TRANSPORTS), "".join(unknown[:1]))
    return TransportCell(tuple(lines), tuple(dict.fromkeys(remarks)), "" if lines else other)


def _says_nothing(text: str) -> bool:
    return text.strip().lower() in ("n/a", "na", "none", "any", "all", "unknown", "varies")


def _typo(word: str) -> str:
    return f"{quoted(word)} was read as {str(TRANSPORTS[word.lower()]).upper()}"


def transports_in(heading: str) -> tuple[Transport, ...]:
    """TCP, UDP or both, where a heading names them; TCP/IP is neither."""
    return _transports(_words(re.sub(r"\bTCP/IP\b", "", heading, flags=re.IGNORECASE)))


def ip_protocol_in(text: str) -> tuple[Transport, ...]:
    """ICMP, GRE, ESP or AH, where a service is called so."""
    words = (word.lower() for word in re.findall(r"[^\W_]+", text))
    return tuple(dict.fromkeys(each for word in words for each in _PROTOCOL_WORDS.get(word, ()) if is_portless(each)))


def is_portless(transport: Transport) -> bool:
    """Whether it is an IP protocol of its own."""
    return transport not in (Transport.TCP, Transport.UDP)


# -------------------------------------------------------------------------------------------------- roles

_ANYBODY = frozenset(("any", "all", "*", "public ip", "public", "anywhere", "everywhere", "everyone", "0.0.0.0/0"))
_BUILTIN: dict[str, str] = {
    **dict.fromkeys(_ANYBODY, ANY),
    **dict.fromkeys(("localhost", "local", "loopback", "127.0.0.1", "::1", "local host"), LOCALHOST),
    **dict.fromkeys(("internet", "the internet"), INTERNET),
}
_LOCAL_TO = re.compile(r"(?:localhost|loopback) ?\((?P<role>[^()]*)\)", re.IGNORECASE)
_BETWEEN_ROLES = re.compile(r" ?[/,;&+] ?(?:(?:and|or) )?| and | or ", re.IGNORECASE)
_AND_BACK = re.compile(
    r"(?:^|,? )(?:and |or )?(?:back(?: again)?|vice[ -]versa|(?:in )?both (?:ways|directions)|the reverse|reverse)$",
    re.IGNORECASE,
)
_ROLE = re.compile(r"[A-Za-z][A-Za-z0-9 ._-]{1,39}")
_MOST_WORDS = 3
_MOST_ROLES = 10
"""Of one cell: more are no roles."""
_NOBODY = frozenset(("none", "na", "unknown", "varies", "see", "other", "others", "itself", "back", "each other"))


@dataclass(frozen=True, slots=True)
class RoleCell:
    """The roles of a cell: name in our syntax to the name on the page.

    Attributes:
        says_more: something in brackets was not read.
        and_back: the cell says that connections go the other way as well.
        is_readable: what the cell says looks like names of roles; an empty cell does not.
    """

    roles: dict[str, str]
    says_more: bool = False
    and_back: bool = False
    is_readable: bool = True


def read_roles(cell: Cell) -> RoleCell:
    """The roles that a cell of sources or destinations names: agent/master, localhost(master), public IP."""
    roles: dict[str, str] = {}
    says_more = and_back = False
    for written in cell:
        text = _AND_BACK.sub("", written)
        and_back |= text != written
        local = _LOCAL_TO.fullmatch(text)
        plain = " ".join(_ASIDE.sub(" ", local["role"] if local else text).split())
        says_more |= local is None and plain != text
        for part in [plain] if plain.lower() in _BUILTIN else _BETWEEN_ROLES.split(plain):
            name = _BUILTIN.get(part.lower()) or role_name(part)
            if name is None or plain.lower() == "n/a" or len(roles) == _MOST_ROLES:
                return RoleCell({}, and_back=and_back, is_readable=False)
            roles.setdefault(name, part)
    return RoleCell(roles, says_more, and_back, bool(roles))


def role_name(text: str) -> str | None:
    """A short name of a kind of machine in the syntax of roles; None for anything else."""
    words = " ".join(text.lower().replace(".", " ").split())
    if not _ROLE.fullmatch(text) or len(words.split()) > _MOST_WORDS or words in _NOBODY:
        return None
    return re.sub("[^a-z0-9]+", "-", words).strip("-") or None


# -------------------------------------------------------------------------------------------------- names

_LONGEST_NAME = 60
_NAME_ENDS = re.compile(r"[,;:(]|\. |\.$| if | by | when | because | which | that ")
_SHORTCODE = re.compile(r"\[[^\[\]]*/\]")
_UNIT = re.compile(r"[\w@$./-]{2,80}")
_CUT = "was cut from the service"


@dataclass(frozen=True, slots=True)
class NameCell:
    """A name out of a cell; `remarks` say what was left out."""

    text: str
    remarks: tuple[str, ...] = ()


def read_service(cell: Cell) -> NameCell:
    """What listens. A name is a fact, a sentence is the vendor's: what is long is cut where its name may end."""
    first = _SHORTCODE.sub("", cell[0]).strip() if cell else ""
    if len(first) <= _LONGEST_NAME and not first.endswith(".") and " if " not in first:
        rest = " ".join(cell[1:])
        return NameCell(first, said_more(_CUT, rest) if rest else sign_of_condition(first))
    ends = _NAME_ENDS.search(first, 1)
    short = first[: ends.start()] if ends else first
    if len(short) > _LONGEST_NAME:
        short = short[:_LONGEST_NAME].rpartition(" ")[0] or short[:_LONGEST_NAME]
    rest = " ".join((first[len(short) :].lstrip(" ,;:"), *cell[1:]))
    return NameCell(short.strip(), said_more(_CUT, rest.strip()))


def read_unit(cell: Cell) -> NameCell:
    """The unit or process; only one word is one."""
    text = " ".join(cell)
    plain = " ".join(_SHORTCODE.sub("", text).split())
    remark = f"a mark was not read: {', '.join(quoted(mark) for mark in _SHORTCODE.findall(text))}"
    if not _UNIT.fullmatch(plain):
        return NameCell("", ("the unit cell names no unit",) if plain else ())
    return NameCell(plain, (remark,) if plain != text else ())
