"""The words of the program: documents, hosts, checks, verdicts, runs. Values only; nothing here decides.

A Document says what a product needs. Hosts say who plays which role. A Check is one thing to find out from
one vantage; an Observation (portcheck.engine.probe) is what the network answered; a Verdict joins the two.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date
from itertools import chain

from portcheck.engine.probe import (
    Echo,
    Holder,
    Observation,
    PortState,
    Probe,
    Reason,
    StandInReport,
    Transport,
    Word,
)

ANY = "any"
LOCALHOST = "localhost"
INTERNET = "internet"
BUILTIN_SOURCES = (ANY, LOCALHOST, INTERNET)
"""Sources that every document may name without declaring them as roles."""


class PortcheckError(Exception):
    """Unusable input. The message says where, what is wrong and what to do; the command ends with status 2."""


class Phase(Word):
    """When in the product's life the check runs."""

    PREINSTALL = "preinstall"
    INSTALLED = "installed"


class Level(Word):
    """How much a document insists. CONDITIONAL rows count when their feature is in use."""

    REQUIRED = "required"
    RECOMMENDED = "recommended"
    CONDITIONAL = "conditional"


class Listen(Word):
    """SINGLE: every port listens. SOME: a range out of which ports are used, never all listening."""

    SINGLE = "single"
    SOME = "some"


class UnitKind(Word):
    """What a document's units are: units of systemd, or services of Windows."""

    SYSTEMD = "systemd"
    WINDOWS = "windows"


class Answers(Word):
    """Whether a healthy service answers a stranger's probe: NORMALLY, unless a document says otherwise."""

    NORMALLY = "normally"
    NEVER = "never"
    WITH_SECRET = "with-secret"


class Expect(Word):
    """What a check expects to see; of the network, from strictest to least strict.

    FREE: before the install, nobody has this port of ours. LOOPBACK_ONLY: nothing but the loopback address listens.
    LET_IN: our own packet filter accepts what is sent to the port.
    """

    REACHABLE = "reachable"
    LOCAL_ONLY = "local-only"
    ALLOWED = "allowed"
    NOT_OPEN = "not-open"
    # Of the machine that we stand on:
    FREE = "free"
    LOOPBACK_ONLY = "loopback-only"
    LET_IN = "let-in"


_OF_OURSELVES = frozenset({Expect.FREE, Expect.LOOPBACK_ONLY, Expect.LET_IN})


class Outcome(Word):
    """What a check came to."""

    PASS = "pass"
    FAIL = "fail"
    WARN = "warn"
    INCONCLUSIVE = "inconclusive"
    INFO = "info"


class Certainty(Word):
    """WEAK: the observation fits, but something else would look the same."""

    CERTAIN = "certain"
    WEAK = "weak"


class Finding(Word):
    """What an administrator would call it."""

    OK = "ok"
    BLOCKED = "blocked"
    REJECTED = "rejected"
    HOST_UNREACHABLE = "host-unreachable"
    NO_ANSWER = "no-answer"
    NOT_LISTENING = "not-listening"
    REFUSED = "refused"
    OCCUPIED = "occupied"
    UNEXPECTED_OPEN = "unexpected-open"
    OPEN_TO_OTHERS = "open-to-others"
    EPHEMERAL = "ephemeral"
    EXPOSED = "exposed"
    NO_HOST = "no-host"
    WRONG_RESPONDER = "wrong-responder"
    UNDETERMINED = "undetermined"
    NOT_TESTED = "not-tested"


DOUBTED = frozenset({Finding.NOT_LISTENING, Finding.REFUSED, Finding.NO_ANSWER})
"""Findings that a doubt about the document explains as well; a blocked path stays a failure."""


class Family(Word):
    """An address family. IPv4 and IPv6 are separate flows, never interchangeable."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"


LOOPBACK = {Family.IPV4: "127.0.0.1", Family.IPV6: "::1"}
"""Where a host reaches itself and nobody else does."""

WILDCARD = {Family.IPV4: "0.0.0.0", Family.IPV6: "::"}
"""What is bound to listen on all addresses of a machine."""


# ---------------------------------------------------------------------------------------------- documents


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where in a source document a fact stands."""

    document: str
    section: str
    row: str


LAST_PORT = 65535


@dataclass(frozen=True, slots=True, order=True)
class Ports:
    """Ports `first` to `last` of one transport; both None for a protocol without ports."""

    transport: Transport
    first: int | None
    last: int | None

    @property
    def is_range(self) -> bool:
        return self.first != self.last

    def __contains__(self, port: int) -> bool:
        return self.first is not None and self.last is not None and self.first <= port <= self.last

    def numbers(self) -> range:
        """Every port number; empty for a protocol without ports."""
        if self.first is None or self.last is None:
            return range(0)
        return range(self.first, self.last + 1)

    def each(self) -> Iterator[tuple[Transport, int | None]]:
        """Transport and number of every port; once without a number for a protocol without ports."""
        if self.first is None:
            yield self.transport, None
        for number in self.numbers():
            yield self.transport, number

    def __str__(self) -> str:
        if self.first is None:
            return str(self.transport)
        numbers = f"{self.first}-{self.last}" if self.is_range else f"{self.first}"
        return f"{numbers}/{self.transport}"


@dataclass(frozen=True, slots=True)
class Role:
    """A part that a host plays.

    Attributes:
        external: not part of the product (DNS, LDAP, clients …).
        all_ports_between: its hosts may use every port between each other, so none is unexpected there.
        includes: role names of the same document: whoever has this role has these as well, and what they include.
    """

    name: str
    title: str
    external: bool = False
    all_ports_between: bool = False
    includes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Expectation:
    """One requirement of a document: `service` on `ports` of every `to` host, reachable from every `source`.

    Attributes:
        sources: role names of the same document, or "any", "localhost", "internet".
        to: role names of the same document.
        provenance: every place of the source that says so; at least one.
        when: the feature that must be in use for the row to count; always set for CONDITIONAL.
        doubt: why the source document may be wrong here.
        present_before_install: the service exists before the product is installed.
        speaks: the protocol at these ports, a name of portcheck.protocols; None: the one that is usual there, if any.
    """

    service: str
    ports: tuple[Ports, ...]
    sources: tuple[str, ...]
    to: tuple[str, ...]
    provenance: tuple[Provenance, ...]
    unit: str | None = None
    level: Level = Level.REQUIRED
    when: str | None = None
    listen: Listen = Listen.SINGLE
    answers: Answers = Answers.NORMALLY
    present_before_install: bool = False
    speaks: str | None = None
    note: str | None = None
    doubt: str | None = None


@dataclass(frozen=True, slots=True)
class NotCheckable:
    """A row or sentence of a source document that no port probe can express, and why."""

    provenance: Provenance
    reason: str


@dataclass(frozen=True, slots=True)
class Document:
    """A vendor's document as data. See docs/reference/document-format.md."""

    id: str
    title: str
    vendor: str
    product: str
    version: str
    url: str | None
    roles: Mapping[str, Role]
    expectations: tuple[Expectation, ...]
    features: Mapping[str, str] = field(default_factory=dict)
    """Feature name to title."""
    rare_features: tuple[str, ...] = ()
    """Those that are taken as not in use where nobody says so."""
    units: UnitKind = UnitKind.SYSTEMD
    path: str | None = None
    """Of a user's own file, as she wrote it; None for a shipped one."""
    not_checkable: tuple[NotCheckable, ...] = ()
    notices: tuple[str, ...] = ()
    silent_when_closed: bool = False


class Remark(Word):
    """What a port list says of a service that matters when its port is open and nobody asked for it."""

    TROJANS = "trojans"
    REMOTE_CONTROL = "remote-control"
    PEER_TO_PEER = "peer-to-peer"
    SECURITY_RISK = "security-risk"
    OBSOLETE = "obsolete"
    NOT_REGISTERED = "not-registered"


class Spread(Word):
    """EXACT: these ports. ONWARD: the port and some after it ("5800+"). DYNAMIC: one of them, chosen at run time."""

    EXACT = "exact"
    ONWARD = "onward"
    DYNAMIC = "dynamic"


@dataclass(frozen=True, slots=True)
class KnownPorts:
    """Ports `first` to `last` that a port list gives to a service; `transport` None: the list does not say which.

    Of an ONWARD entry `last` is the last port that we still take for the service.
    """

    transport: Transport | None
    first: int
    last: int
    spread: Spread = Spread.EXACT

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last

    def carries(self, transport: Transport) -> bool:
        """Whether the entry is about this transport, or may be."""
        return self.transport in (None, transport)


@dataclass(frozen=True, slots=True)
class KnownService:
    """A row of a port list: a name for ports, never a requirement.

    Attributes:
        service: as the list calls it.
        uses: services of the same list whose TCP or UDP ports it needs as well.
        names: what a user may write in place of `by_name`: small letters, as in "imaps".
        by_name: the ports that the names stand for; empty without names.
        note: what the reader of a finding should know, in our words; for NOT_REGISTERED whose number it is.
    """

    service: str
    ports: tuple[KnownPorts, ...]
    provenance: Provenance
    uses: tuple[tuple[Transport, str], ...] = ()
    names: tuple[str, ...] = ()
    by_name: tuple[Ports, ...] = ()
    remarks: tuple[Remark, ...] = ()
    note: str | None = None
    doubt: str | None = None


@dataclass(frozen=True, slots=True)
class PortRange:
    """A part of all port numbers with a title, `first` may be 0."""

    title: str
    first: int
    last: int
    provenance: Provenance
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ReferenceDocument:
    """A list of port names as data (`kind: reference`): it names ports and requires none."""

    id: str
    title: str
    vendor: str
    version: str
    url: str | None
    services: tuple[KnownService, ...]
    ranges: tuple[PortRange, ...] = ()
    not_checkable: tuple[NotCheckable, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Library:
    """All that is known about ports: what products need, and what port lists call them."""

    documents: tuple[Document, ...]
    references: tuple[ReferenceDocument, ...]


# ------------------------------------------------------------------------------------------------- hosts


@dataclass(frozen=True, slots=True)
class Address:
    """One IP address of a host; `resolved_from` is the name it was found under."""

    ip: str
    family: Family
    resolved_from: str | None = None


@dataclass(frozen=True, slots=True)
class Host:
    """A machine to check, or that others are checked from.

    Attributes:
        name: unique in a run; part of the check ids.
        roles: role keys, see `role_key`.
        offers: ports that may be open although no document names them.
        external: what the product needs from others; exists before the install, and is not swept.
        from_network: one address out of a network: no sign of life means that there is no host.
        is_self: its addresses are this machine's.
        unresolved: why a name of it has no address; the addresses of its other names are checked.
    """

    name: str
    addresses: tuple[Address, ...]
    roles: tuple[str, ...] = ()
    offers: tuple[Ports, ...] = ()
    external: bool = False
    silent_when_closed: bool = False
    from_network: bool = False
    is_self: bool = False
    unresolved: str | None = None

    @property
    def endpoints(self) -> tuple[Address | None, ...]:
        """What is checked of it: its addresses; None stands for a name that has none."""
        lacking = self.unresolved is not None or not self.addresses
        return (*self.addresses, None) if lacking else self.addresses


@dataclass(frozen=True, slots=True)
class Vantage:
    """Where the probes start.

    Attributes:
        name: what check ids call it: a host of the site, a claimed role, or "here".
        roles: role keys that it has; None for a machine without a role, which sees every inbound
            expectation as it looks from there.
        host: the site's host that this machine is, None when it is none of them.
        sources: the address to send from, by family; a family that is missing is the kernel's choice.
        machine: this machine's own name, for the reader.
    """

    name: str
    roles: frozenset[str] | None = None
    host: str | None = None
    sources: Mapping[Family, str] = field(default_factory=dict)
    machine: str = ""


def role_key(document: Document, role: str) -> str:
    """The name of a role across documents: external roles are shared, others belong to their document."""
    if role in BUILTIN_SOURCES or document.roles[role].external:
        return role
    return f"{document.id}:{role}"


def role_label(key: str) -> str:
    """A role key as a person would say it."""
    return key.rpartition(":")[2]


def role_labels(keys: Iterable[str]) -> str:
    """Several role keys as a person would say them; empty for none."""
    return ", ".join(dict.fromkeys(role_label(key) for key in keys))


# ----------------------------------------------------------------------------------------------- planning


@dataclass(frozen=True, slots=True)
class NamedPorts:
    """Ports asked for by hand, with the service name when one was given."""

    ports: Ports
    service: str | None = None


class SweepKind(Word):
    """Which TCP ports are looked at beyond the required ones, to find what nobody asked for."""

    NONE = "none"
    DOCUMENTED = "documented"
    COMMON = "common"
    ALL = "all"
    PORTS = "ports"


class Unexpected(Word):
    """What an open port that nobody asked for counts as."""

    FAIL = "fail"
    WARN = "warn"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Sweep:
    """The ports to look at beyond the required ones; `ports` only with SweepKind.PORTS and COMMON."""

    kind: SweepKind
    ports: tuple[Ports, ...] = ()

    def __str__(self) -> str:
        if self.kind is SweepKind.PORTS:
            return ",".join(str(ports) for ports in self.ports)
        return str(self.kind)


class Own(Word):
    """What is looked at of the machine that we stand on: nothing, its ports as well, or its ports and nothing else."""

    NOTHING = "nothing"
    ALSO = "also"
    ONLY = "only"


@dataclass(frozen=True, slots=True)
class Scope:
    """Everything that planning needs, complete: names resolved, roles and features checked.

    Attributes:
        features: document id to the features that the user stated, in use or not.
        transports: what may be probed; None for all.
        extra: ports required of every target, from the command line.
        whole_site: the hosts are a site, so roles without a host are worth a line.
        chosen: names of the hosts of the site that TARGET and -r leave; empty without these.
        other_hosts: hosts of the site that were not chosen as targets; flows begin at them all the same.
        left_out: what resolving the hosts already had to leave out.
        secrets: which of the Secrets were given, by field name.
        stand_ins: stand-ins are said to be up at the targets, and we have their key.
        own: what is looked at of the machine that we stand on.
    """

    documents: tuple[Document, ...]
    hosts: tuple[Host, ...]
    vantage: Vantage
    phase: Phase = Phase.INSTALLED
    features: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    transports: frozenset[Transport] | None = None
    sweep: Sweep = Sweep(SweepKind.DOCUMENTED)
    extra: tuple[NamedPorts, ...] = ()
    without: tuple[Without, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    whole_site: bool = False
    chosen: frozenset[str] = frozenset()
    other_hosts: tuple[Host, ...] = ()
    left_out: tuple[NotPlanned, ...] = ()
    secrets: frozenset[str] = frozenset()
    stand_ins: bool = False
    own: Own = Own.NOTHING

    @property
    def all_hosts(self) -> tuple[Host, ...]:
        """Those that are looked at, and the others of the site."""
        return (*self.hosts, *self.other_hosts)

    @property
    def roles_present(self) -> frozenset[str]:
        """The role keys that any of them was given."""
        return frozenset(role for host in self.all_hosts for role in host.roles)

    def asks_for(self, transport: Transport) -> bool:
        """Whether the user left this transport in."""
        return self.transports is None or transport in self.transports


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to find out: how is this port of this address, seen from this vantage?

    Attributes:
        id: src>dst/family[#address]/transport/port, stable from run to run.
        source: the vantage's name; `source_role` its roles as a person would say them, None without any.
        host: the target host's name; `address` and `family` are None when its name has no address.
        role: the target's roles as a person would say them.
        port: None for a protocol without ports.
        range: the range that the port was drawn from, when it stands for a range of which some ports are used.
        services: what should be there, of all rows merged into this check; `units` what runs them.
        documents: ids of those rows' documents; empty for ports asked for by hand.
        answers: whether a healthy service answers our probe, with the secrets that we were given.
        speaks: the protocols that should be spoken there, names of portcheck.protocols; empty when not known.
        present: exists before the install, so the rows of the installed phase apply.
        named_for: roles that may reach this port although we may not.
        needed_by_others: a service that is in use needs this very port for them, so nothing else may have it.
        known_as: what the documents have on this port, there or elsewhere ("Marathon on master").
        probe: what to send; None when nothing can be, and then `unmeasured` says why.
    """

    id: str
    source: str
    source_role: str | None
    host: str
    address: str | None
    family: Family | None
    role: str
    transport: Transport
    port: int | None
    expect: Expect
    level: Level = Level.REQUIRED
    services: tuple[str, ...] = ()
    units: tuple[tuple[UnitKind, str], ...] = ()
    documents: tuple[str, ...] = ()
    provenance: tuple[Provenance, ...] = ()
    notes: tuple[str, ...] = ()
    answers: Answers = Answers.NORMALLY
    speaks: tuple[str, ...] = ()
    present: bool = False
    doubt: str | None = None
    silent_when_closed: bool = False
    from_network: bool = False
    named_for: tuple[str, ...] = ()
    needed_by_others: bool = False
    known_as: tuple[str, ...] = ()
    probe: Probe | None = None
    unmeasured: Unmeasured | None = None
    range: Ports | None = None

    @property
    def is_own(self) -> bool:
        """It is about the machine that we stand on, and nothing is sent for it."""
        return self.expect in _OF_OURSELVES

    @property
    def port_text(self) -> str:
        """`5050/tcp`, or the protocol alone where it has no ports."""
        return f"{self.transport}" if self.port is None else f"{self.port}/{self.transport}"


@dataclass(frozen=True, slots=True)
class SweptPorts:
    """Many swept TCP ports of one address that nothing tells apart: nobody asked for any of them to be open.

    Attributes:
        first: the check of the lowest port; the others' differ from it in the port alone.
        ports: runs of port numbers, ascending.
    """

    first: Check
    ports: tuple[range, ...]

    def __len__(self) -> int:
        return sum(map(len, self.ports))

    def __contains__(self, port: int) -> bool:
        return any(port in run for run in self.ports)

    def numbers(self) -> Iterator[int]:
        """Every port number, ascending."""
        return chain.from_iterable(self.ports)

    def check(self, port: int) -> Check:
        """The check of one of the ports."""
        first = self.first
        probe = None if first.probe is None else replace(first.probe, port=port)
        return replace(first, id=f"{first.id.rpartition('/')[0]}/{port}", port=port, probe=probe)


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """Why no probe can be sent for a check."""

    reason: Reason
    detail: str


class Gap(Word):
    """Why something that a document or a user asks for is not among the checks."""

    STARTS_ELSEWHERE = "starts-elsewhere"
    NO_HOST_FOR_ROLE = "no-host-for-role"
    RANGE_OF_SOME = "range-of-some"
    WITHOUT = "without"
    FEATURE_OFF = "feature-off"
    FEATURE_UNSTATED = "feature-unstated"
    ITSELF = "itself"
    FAMILY_WITHOUT_ROUTE = "family-without-route"


@dataclass(frozen=True, slots=True)
class NotPlanned:
    """Flows that are not checked here: how many, and in one sentence why and what to do.

    Attributes:
        name: of a feature; enough where many are listed.
    """

    gap: Gap
    flows: int
    text: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The checks of one vantage and what they leave out, all in the order of the hosts and ports.

    What is asked of the network for it: portcheck.probe_sets.

    Attributes:
        sweeps: the swept ports that are not among `checks`, see SweptPorts.
    """

    scope: Scope
    checks: tuple[Check, ...]
    not_planned: tuple[NotPlanned, ...]
    sweeps: tuple[SweptPorts, ...] = ()

    @property
    def size(self) -> int:
        """The number of checks, each swept port counted."""
        return len(self.checks) + sum(map(len, self.sweeps))


# ------------------------------------------------------------------------------------------------- results


class Sight(Word):
    """How the port of a check looks in the light of what the stand-ins say."""

    NONE = "no stand-in is asked about it"
    ECHO = "our stand-in at this host answered"
    OTHER_HOST = "a stand-in answered that is not this host's"
    OTHER_PORT = "our stand-in at this host answered, at another port"
    CLOSES = "accepted without a token, like every open port of this host, and no stand-in of it was heard"
    LISTENING = "our stand-in listens there, and did not answer"
    HELD = "in use by somebody else, says our stand-in"
    UNABLE = "our stand-in could not open it"
    UNOPENED = "our stand-in there was not started for it"
    UNREPORTED = "our stand-in answered at other ports, and did not say whether it opened this one"
    CUT_SHORT = "the run ended before its stand-in could be asked"
    ABSENT = "no stand-in of this host was heard"

    @property
    def is_heard(self) -> bool:
        """A stand-in of the right host said something."""
        return self in _HEARD


_HEARD = frozenset(
    {Sight.ECHO, Sight.OTHER_PORT, Sight.LISTENING, Sight.HELD, Sight.UNABLE, Sight.UNOPENED, Sight.UNREPORTED}
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the stand-ins say of one check, made in portcheck.stand_ins.

    Attributes:
        echo: the token that came back.
        who: who answered in the host's place, in words.
        holder: who has the port, as this host's stand-in sees it.
        detail: why the stand-in could not open it.
        arrived: the question arrived at the stand-in, and its answer did not arrive here.
        reached: connections of ours arrived at the stand-in.
        translated: the address at which it arrived, when that is another one than was asked, and the host is right.
    """

    sight: Sight = Sight.NONE
    echo: Echo | None = None
    who: str | None = None
    holder: Holder | None = None
    detail: str | None = None
    arrived: bool = False
    reached: bool = False
    translated: str | None = None


NOT_SEEN = Seen()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A check, what was observed, and what that means; of a sweep, often of many ports at once.

    Attributes:
        because: one sentence for the person who must act.
        waived: the reason of the accepted finding's waiver, None when it counts.
        alike: ports of one sweep that all got this answer and mean the same, ascending; check and observation
            are then those of the first. Empty for a check by itself.
        known_for: of an open port that nobody asked for: what is known to use it, None when nothing is.
        phase: whose rules it was judged by: those of the installed one for what exists before the install.
        seen: what the stand-ins say of it.
    """

    check: Check
    observation: Observation
    outcome: Outcome
    finding: Finding
    because: str
    certainty: Certainty = Certainty.CERTAIN
    waived: str | None = None
    alike: Sequence[int] = ()
    known_for: str | None = None
    phase: Phase = Phase.INSTALLED
    seen: Seen = NOT_SEEN

    @property
    def count(self) -> int:
        """How many checks it stands for."""
        return len(self.alike) or 1

    @property
    def keys(self) -> Iterator[tuple[Transport, int | None]]:
        """Transport and port of every check that it stands for."""
        transport = self.check.transport
        return ((transport, port) for port in self.alike or (self.check.port,))

    @property
    def port_set(self) -> tuple[object, ...]:
        """Equal where the ports are; thousands of ports are compared at once."""
        return self.check.transport, self.check.port, array("H", self.alike).tobytes()

    @property
    def asked(self) -> bool:
        """Whether anything was sent for it."""
        return self.check.probe is not None and not self.check.is_own and self.finding is not Finding.NOT_TESTED

    @property
    def unprovable(self) -> bool:
        """Inconclusive because the service answers no stranger, healthy or not; before the install there is none."""
        return (
            self.outcome is Outcome.INCONCLUSIVE
            and self.phase is Phase.INSTALLED
            and self.check.answers is not Answers.NORMALLY
            and self.observation.state is PortState.OPEN_FILTERED
        )

    @property
    def doubtful(self) -> bool:
        """Inconclusive because the document may be wrong here, not because the network was unclear."""
        return self.outcome is Outcome.INCONCLUSIVE and self.finding in DOUBTED and self.check.doubt is not None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Verdicts with one cause, as one thing to act on.

    Attributes:
        cause: a word that stays the same from run to run.
        outcome: the gravest among the checks.
        headline: what is wrong, where; understood without the rest.
        lines: the evidence and the place in the document, one sentence each.
        remedy: what to do, None when the headline says it.
        checks: ids; of the swept ports that got the same answer only the first few.
        count: how many checks it is about.
    """

    cause: str
    outcome: Outcome
    headline: str
    lines: tuple[str, ...]
    checks: tuple[str, ...]
    remedy: str | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole run in one word (OK, FAIL, NOT SURE) and one sentence."""

    word: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of a run. Waived checks are counted under their outcome and in `waived`.

    Attributes:
        probes: ports that this run sent packets to.
        packets: what it sent to them.
        kept: ports whose answer is from the run that this one went on with.
    """

    checks: int
    passed: int
    failed: int
    warned: int
    inconclusive: int
    informed: int
    weak: int
    unprovable: int
    doubtful: int
    waived: int
    hosts: int
    probes: int
    packets: int
    kept: int
    exit_status: int


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """What makes a service answer that is silent to strangers. Never printed, never part of a run.

    Attributes:
        snmp_community: for SNMP v1 and v2c.
        radius_secret: shared with the RADIUS server for this machine.
    """

    snmp_community: str | None = None
    radius_secret: str | None = None

    def given(self) -> frozenset[str]:
        """The field names of those that there are."""
        return frozenset(each.name for each in fields(self) if getattr(self, each.name))


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user asked for, as she said it; part of the run so that it can be repeated and compared.

    Attributes:
        speed: a word of portcheck.engine.pace.Speed.
        max_rate: new connections a second over all addresses, None for no limit of its own.
        evidence: every result singly, with all attempts.
        resumed: the run_id of the run that this one went on with.
        udp_budget_s: how long one address is asked over UDP while it, or a router, limits its ICMP errors.
        verify: open TCP ports were asked what they speak.
        secrets: which of the Secrets were given, by field name; never their values.
        stand_ins: a key of stand-ins was given.
        local: this machine's own ports are looked at, and nothing else.
    """

    targets: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    expects: tuple[str, ...] = ()
    site: str | None = None
    source: str | None = None
    features: Mapping[str, bool] = field(default_factory=dict)
    transports: tuple[str, ...] = ()
    sweep: str = str(SweepKind.DOCUMENTED)
    strict: bool = False
    strict_sources: bool = False
    unexpected: str = str(Unexpected.FAIL)
    deadline_s: float | None = None
    speed: str = "normal"
    max_rate: float | None = None
    evidence: bool = False
    resumed: str | None = None
    udp_budget_s: float = 20.0
    verify: bool = False
    secrets: tuple[str, ...] = ()
    stand_ins: bool = False
    local: bool = False


@dataclass(frozen=True, slots=True)
class HeardStandIn:
    """A stand-in that told what it opened, and where it was asked."""

    host: str
    address: str
    report: StandInReport


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run: everything that reports, history and the exit status are made from.

    Attributes:
        started, finished: ISO 8601, UTC.
        verdicts: one for each check, or for all swept ports of an address that answered alike.
        interrupted: the signal or "deadline" that ended it early, None when it ran to its end.
        warnings: about waivers and the like; one sentence each.
        facts: what was learnt of this machine beside the checks, and is nothing to warn of; one sentence each.
        stand_ins: those that told what they opened.
    """

    version: str
    run_id: str
    started: str
    finished: str
    duration_s: float
    interrupted: str | None
    seed: int
    selection: Selection
    plan: Plan
    verdicts: tuple[Verdict, ...]
    diagnosis: tuple[Diagnosis, ...]
    summary: Summary
    answer: Answer
    warnings: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    stand_ins: tuple[HeardStandIn, ...] = ()


# --------------------------------------------------------------------------------------------------- site


@dataclass(frozen=True, slots=True)
class SiteHost:
    """A machine as the site file has it: nothing resolved, no role looked up.

    Attributes:
        addresses: IP literals or DNS names, as written.
        roles: as written: "master", or "dcos-1.11:master" where documents share a name.
        external: what the product needs from others.
        offers: ports that may be open although no document names them.
        offers_named: the same by service name ("ssh").
    """

    name: str
    addresses: tuple[str, ...]
    roles: tuple[str, ...] = ()
    external: bool = False
    offers: tuple[Ports, ...] = ()
    offers_named: tuple[str, ...] = ()
    silent_when_closed: bool = False


@dataclass(frozen=True, slots=True)
class Without:
    """A service that the site does not use.

    Attributes:
        document: None for every document.
        to: the role, as written, at whose hosts it is not used; None for all hosts.
    """

    document: str | None
    service: str
    reason: str
    to: str | None = None


@dataclass(frozen=True, slots=True)
class Waiver:
    """An accepted finding at host `to`, until and including the day `until`; `finding` None: whichever it is.

    Attributes:
        source: a host, a role, or "any", "localhost", "internet".
        ports: one port, one range, or one protocol without ports.
    """

    to: str
    source: str
    ports: Ports
    finding: Finding | None
    reason: str
    until: date


class NameOf(Word):
    """What a name in a site file is looked up as, outside of the file."""

    DOCUMENT = "document"
    FEATURE = "feature"
    ROLE = "role"
    OFFER = "offer"
    UNUSED_DOCUMENT = "unused-document"
    UNUSED_SERVICE = "unused-service"
    UNUSED_AT = "unused-at"
    WAIVED_FROM = "waived-from"


@dataclass(frozen=True, slots=True)
class Mention:
    """A place of a site file whose name must exist outside of it; `where` is the dotted path of its key.

    Attributes:
        text: the name as written, a document's path as seen from the working directory.
        without: the entry that it is a part of, for the names of a service that is not used.
    """

    of: NameOf
    text: str
    line: int
    where: str
    without: Without | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """A site file. `hosts` are in the order of the file, those under `external:` among them.

    Attributes:
        path: as the user typed it.
        documents: ids of shipped documents, or paths as seen from the working directory.
        features: in use or not; a feature that is not here is unstated.
        mentions: every name that is still to be looked up, with its place.
    """

    path: str
    documents: tuple[str, ...]
    features: Mapping[str, bool]
    hosts: tuple[SiteHost, ...]
    without: tuple[Without, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    mentions: tuple[Mention, ...] = ()
