"""What each word of the program means, in one line: the hand-written half of the generated reference pages."""

from __future__ import annotations

from collections.abc import Mapping

from portcheck.engine.probe import (
    CLOSED_WITHOUT_TOKEN,
    ICMP_ALIVE,
    ICMP_MUTE,
    IN_EPHEMERAL_RANGE,
    NEEDS_SOURCE_PORT_68,
    OTHER_WITHOUT_TOKEN,
    OWN_ROUTE_LOST,
    REPLIED_FROM,
    RESERVED,
    SILENT_WITHOUT_TOKEN,
    UNASKED_TOKEN,
    WINDOW_STAYS_ZERO,
    PortState,
    Reason,
    Transport,
)
from portcheck.model import Answers, Certainty, Expect, Finding, Gap, Level, Listen, Outcome, Phase, Sight
from portcheck.verdict import Evidence

STATES: Mapping[PortState, str] = {
    PortState.OPEN: "TCP: the port accepted the connection. Otherwise: it answered.",
    PortState.CLOSED: "The host's address refused it. Nothing is there, or a firewall pretends so.",
    PortState.FILTERED: "Something kept the packet from the port: silence over TCP or of an echo request, or an ICMP "
    "error about it.",
    PortState.OPEN_FILTERED: "Silence over UDP, GRE, ESP or AH: dropped, or there and silent. `detail` says what else "
    "is known.",
    PortState.UNKNOWN: "We could not measure. This says nothing about the port.",
}

REASONS: Mapping[Reason, str] = {
    Reason.SYN_ACK: "The handshake was completed.",
    Reason.UDP_RESPONSE: "A datagram came back. What it says is in `answer`.",
    Reason.ECHO_REPLY: "The address answered an ICMP echo request.",
    Reason.PROTO_RESPONSE: "The address answered in the same IP protocol: GRE, ESP or AH.",
    Reason.CONN_REFUSED: "A TCP reset with the host's address as its sender, and no ICMP error beside it.",
    Reason.REFUSED_ORIGIN_UNKNOWN: "Refused, on a system that does not show whether by a reset or by an ICMP error.",
    Reason.NO_RESPONSE: "TCP: two attempts from two source ports got no answer, more where packets were lost. "
    "Otherwise: three silences or more, none of which a limit of ICMP errors explains.",
    Reason.PORT_UNREACH: "ICMP port unreachable (3/3; IPv6 1/4). Over UDP, from the address itself, the port is "
    "closed. From anybody else, and over TCP, that is a firewall: closed TCP ports send resets.",
    Reason.ADMIN_PROHIBITED: "ICMP administratively prohibited (3/9, 3/10, 3/13 to 3/15; IPv6 1/1, 1/5, 1/6).",
    Reason.HOST_UNREACH: "ICMP host unreachable (3/1, 3/7, 3/8, 3/12; IPv6 1/3) from a router or firewall.",
    Reason.NET_UNREACH: "ICMP network unreachable (3/0, 3/5, 3/6, 3/11, 11; IPv6 1/0, 1/2, 3) or another code.",
    Reason.PROTO_UNREACH: "ICMP protocol unreachable (3/2; IPv6 4/1). From the address itself, asked in GRE, ESP or "
    "AH: it does not speak that.",
    Reason.ARP_FAILURE: "Our own kernel asked the network segment for the address, and nobody has it.",
    Reason.ECHO_TOKEN: "Our stand-in at the target answered, and proved it with the key. `echo` has what it said.",
    Reason.PORT_FREE: "Of this machine: the port can be bound, on every address.",
    Reason.PORT_UNUSED: "Of this machine: nobody is seen to have the port, and we may not try to bind it.",
    Reason.PORT_HELD: "Of this machine: somebody listens on the port, or has bound it. `holders` has who.",
    Reason.PORT_IN_CONNECTION: "Of this machine: the port is the near end of a connection, and nobody listens.",
    Reason.RULES_ACCEPT: "The packet filter of this machine lets in what is sent to the port. `no-rules` in `detail`: "
    "there are none.",
    Reason.RULES_DROP: "The packet filter of this machine drops it; `detail` has the rule.",
    Reason.RULES_REJECT: "The packet filter of this machine rejects it; `detail` has the rule.",
    Reason.NO_ROUTE: "This machine has no route to the address; no packet left.",
    Reason.NAME_UNRESOLVED: "A name in the site file has no address.",
    Reason.ICMP_RATE_LIMITED: "Silent, and `responder`, a router or the host itself, limits its ICMP errors: it may "
    "have refused the packet and had no error left to say so. Over UDP `--udp-budget` was over before that was known.",
    Reason.ANSWERS_EVERYTHING: "Accepted, and so are two random ports that nobody expects: accepting proves nothing. "
    f"Also, with `{WINDOW_STAYS_ZERO}` in `detail`, a connection over which nothing may ever be sent.",
    Reason.RESET_AFTER_HANDSHAKE: "Accepted and reset within 50 ms or one round trip: a SYN proxy, or a service that "
    "turns us away.",
    Reason.LOST_CONTACT: "The address answered, and then not even a port that had answered did so as before: a ban, "
    "a restart, or a network that went away.",
    Reason.DEADLINE: "The run reached its `--deadline` before this port was decided.",
    Reason.INTERRUPTED: "Ctrl-C or SIGTERM ended the run before this port was decided.",
    Reason.NEEDS_PRIVILEGE: "This process may not send such packets; `detail` has the capability or the setting. "
    "See [ICMP, GRE, ESP and AH](../how-to/check-icmp-and-tunnels.md).",
    Reason.LOCAL_FIREWALL: "A firewall or a routing rule of this machine (a `prohibit` route) refused to "
    "send, or rejected the packet with an address of its own.",
    Reason.LOCAL_FD_LIMIT: "No free file descriptor for 5 s.",
    Reason.LOCAL_NO_PORTS: "No free local port towards this address for 5 s.",
    Reason.LOCAL_ERROR: "Another error of this machine; `detail` has its name.",
    Reason.RULES_UNCLEAR: "The packet filter of this machine has rules that portcheck does not understand, or that do "
    "not depend on the port alone.",
}

DETAILS: Mapping[str, str] = {
    ICMP_ALIVE: "With `open|filtered`: the address reports what is closed. So this is not: dropped, or there and "
    "silent.",
    ICMP_MUTE: "With `open|filtered`: no ICMP error came from the address in this run. It may be closed as well.",
    NEEDS_SOURCE_PORT_68: "With `open|filtered`: DHCP servers answer source port 68, which this process may not use.",
    "source port 68 is in use on this machine": "The same, because a DHCP client runs here.",
    f"{REPLIED_FROM}ADDRESS": "With `open`: the answer came from another address than the one that was asked.",
    OWN_ROUTE_LOST: "With `lost-contact`: it is our own network that went away.",
    WINDOW_STAYS_ZERO: "With `answers-everything`: see there.",
    CLOSED_WITHOUT_TOKEN: "With `open`, before an install: asked for a token, the port closed the connection.",
    SILENT_WITHOUT_TOKEN: "The same, and it stayed silent.",
    OTHER_WITHOUT_TOKEN: "The same, and it said something else.",
    UNASKED_TOKEN: "With `open`, before an install: nobody came to ask the port for a token.",
    f"{IN_EPHEMERAL_RANGE}FIRST-LAST": "With `port-free`: an outgoing connection may take the port at any moment.",
    RESERVED: "With `port-free`: no outgoing connection is given the port.",
}
"""What refines a reason; of other reasons `detail` is free text."""

ATTEMPT_RESULTS: Mapping[str, str] = {
    "not-needed": "Another attempt at the same port was answered first, or the run had learnt enough.",
    "self-connected": "The kernel joined the attempt to itself, as can happen on an own address. Not open.",
}
"""What may end one attempt beside the reasons."""

TRANSPORTS: Mapping[Transport, str] = {
    Transport.TCP: "A connection.",
    Transport.UDP: "A request in the protocol of the port, or an empty datagram where none is known.",
    Transport.ICMP: "No ports. An echo request. May need a privilege.",
    Transport.GRE: "No ports. A GRE packet. Needs a privilege.",
    Transport.ESP: "No ports. An ESP packet. Needs a privilege.",
    Transport.AH: "No ports. An AH packet. Needs a privilege.",
}

PHASES: Mapping[Phase, str] = {
    Phase.PREINSTALL: "Nothing of the product listens yet. Paths must be open and ports must be free.",
    Phase.INSTALLED: "The product runs (default). What is required must answer.",
}

EXPECTS: Mapping[Expect, str] = {
    Expect.REACHABLE: "Required from here: a single port of a document's row, or a port of `-e`.",
    Expect.LOCAL_ONLY: "The row's only source is `localhost`, and we look from outside.",
    Expect.ALLOWED: "May be open and need not be: a row whose feature was neither stated nor denied.",
    Expect.NOT_OPEN: "Looked at by the sweep: nothing in use names this port of this host for us.",
    Expect.FREE: "Before the install: nobody has this port of the machine that we stand on.",
    Expect.LOOPBACK_ONLY: "With the product running: this port of the machine that we stand on is on loopback only.",
    Expect.LET_IN: "Before the install: the packet filter of the machine that we stand on lets others in.",
}

SIGHTS: Mapping[Sight, str] = {
    Sight.NONE: "There are no stand-ins in this run, or the check has nothing to do with them.",
    Sight.ECHO: "The token came back, from this host.",
    Sight.OTHER_HOST: "A token came back, and it is another machine's: a translation, a balancer, a double address.",
    Sight.OTHER_PORT: "The port is changed on the way: a redirection, a port mapping.",
    Sight.CLOSES: "A proxy, or a stand-in with another key.",
    Sight.LISTENING: "It says so in its report, under the key.",
    Sight.HELD: "The report names who has it, where that could be seen.",
    Sight.UNABLE: "Mostly a port below 1024, and the stand-in does not run as root.",
    Sight.UNOPENED: "It was started for another role or for other ports.",
    Sight.UNREPORTED: "Its report did not come.",
    Sight.CUT_SHORT: "A deadline or an interruption: nothing is known of what was not asked.",
    Sight.ABSENT: "It is not running, it has another key, or nothing reaches it.",
}

LEVELS: Mapping[Level, str] = {
    Level.REQUIRED: "The default.",
    Level.RECOMMENDED: "A fail becomes a warning.",
    Level.CONDITIONAL: "Counts when the feature in `when` is in use; then it is as good as required.",
}

LISTENS: Mapping[Listen, str] = {
    Listen.SINGLE: "Every port of the row listens (default).",
    Listen.SOME: "Some ports of the range are used, never all. Nothing has to listen, so nothing is probed.",
}

ANSWERS: Mapping[Answers, str] = {
    Answers.NORMALLY: "A healthy service answers (default; never written).",
    Answers.NEVER: "A healthy service need not answer a stranger, such as a tunnel in the kernel.",
    Answers.WITH_SECRET: "A healthy service answers only who knows a secret. In a run: one that was not given.",
}

OUTCOMES: Mapping[Outcome, str] = {
    Outcome.PASS: "As it should be.",
    Outcome.FAIL: "Not as it should be. Exit status 1.",
    Outcome.WARN: "Not as it should be, but only recommended. Exit status 0.",
    Outcome.INCONCLUSIVE: "Not known. Exit status 3, unless something failed; for the exceptions see there.",
    Outcome.INFO: "Neither right nor wrong.",
}

CERTAINTIES: Mapping[Certainty, str] = {
    Certainty.CERTAIN: "Nothing else that we know of would look the same.",
    Certainty.WEAK: "The observation fits, and so would something else; the sentence names it.",
}

GAPS: Mapping[Gap, str] = {
    Gap.STARTS_ELSEWHERE: "The flow begins on another machine. Run portcheck there.",
    Gap.NO_HOST_FOR_ROLE: "The document sends the flow to a role that no host of the site has.",
    Gap.RANGE_OF_SOME: "A range out of which only some ports are used.",
    Gap.WITHOUT: "The site file says under `without:` that the service is not used.",
    Gap.FEATURE_OFF: "The feature was said not to be in use.",
    Gap.FEATURE_UNSTATED: "Nobody said whether the feature is in use. Its ports may be open or not.",
    Gap.ITSELF: "The target is this machine, and its packets would never cross the network.",
    Gap.FAMILY_WITHOUT_ROUTE: "A name has an address in a family for which this machine has no route.",
}

EVIDENCE: Mapping[Evidence, str] = {
    Evidence.OPEN: "`open`",
    Evidence.RESET: "`closed` by `conn-refused`",
    Evidence.REFUSED: "`closed` by `refused-origin-unknown`, over TCP",
    Evidence.SAID_CLOSED: "`closed` by `port-unreach` (UDP) or `proto-unreach` (GRE, ESP, AH)",
    Evidence.SOMEBODY_SAID_CLOSED: "`closed` by `refused-origin-unknown`, over UDP",
    Evidence.REJECTED: "`filtered` by `port-unreach`, `admin-prohibited` or `proto-unreach`, and something else came "
    "from this address; "
    "also by `host-unreach` or `net-unreach` while the host answers on other ports",
    Evidence.REJECTED_MUTE: "`filtered` by one of these, and nothing came from this address during the run",
    Evidence.HOST_DOWN: "`filtered` by `host-unreach`, `net-unreach` or `arp-failure`",
    Evidence.SILENCE: "`filtered` by `no-response`, and something else came from this address during the run",
    Evidence.MUTE_HOST: "`filtered` by `no-response`, and nothing came from this address during the run",
    Evidence.SILENT_BY_DESIGN: "`filtered` by `no-response`, where document or host say `silent_when_closed: true`. "
    "For local-only and unasked ports the host must have answered elsewhere",
    Evidence.MAY_BE_OPEN: "`open|filtered`; UDP, GRE, ESP, AH",
    Evidence.UNKNOWN: "`unknown`, for whatever reason",
    Evidence.ECHO: "`open` by `echo-token`, from this host",
    Evidence.ECHO_OF_ANOTHER: "`open` by `echo-token`, from another machine than this host",
    Evidence.ECHO_AT_ANOTHER_PORT: "`open` by `echo-token`, from this host, and it arrived at another port there",
    Evidence.ECHO_FROM_ELSEWHERE: "`open` by `echo-token`, from this host, sent from an address that was not asked",
    Evidence.ANSWERED_IN_ITS_PLACE: "`open` without a token, and the host's stand-in says that it listens there; also "
    "where the host seems to accept everything",
    Evidence.QUESTION_STOPPED: "`open` without a token, and the host's stand-in, which listens there, got connections "
    "of ours and no question",
    Evidence.NO_TOKEN: "`open` without a token and without a word, like all that is open there; no stand-in of the "
    "host was heard",
    Evidence.UNASKED: "`open` over TCP, and the connection to ask for the token in did not come about",
    Evidence.HELD: "the host's stand-in could not open the port, since somebody has it; `open`, `closed` or silent, "
    "but not `filtered`",
    Evidence.REFUSED_IN_FRONT: "`closed`, and the host's stand-in says that it listens there",
    Evidence.SILENT_IN_FRONT: "silence that an open port may have, and the host's stand-in says that it listens there",
    Evidence.ANSWER_LOST: "silence of whatever kind, and the host's stand-in has heard our question",
    Evidence.CLOSED_UNATTENDED: "`closed`, and no stand-in of the host is known to listen there: none was heard, it "
    "was not started for this port, or its report did not come",
    Evidence.OWN_FREE: "`port-free`",
    Evidence.OWN_EPHEMERAL: "`port-free`, or `port-held` by our own stand-in alone, with the ephemeral range in "
    "`detail`",
    Evidence.OWN_UNUSED: "`port-unused`",
    Evidence.OWN_STAND_IN: "`port-held` by our own stand-in alone",
    Evidence.OWN_LOOPBACK: "`port-held` on 127.0.0.0/8 or ::1 alone",
    Evidence.OWN_HELD: "`port-held`, also on another address",
    Evidence.OWN_HELD_UNSEEN: "`port-held`, and the kernel does not show by whom",
    Evidence.OWN_HELD_PERHAPS: "`port-held` by a process that we may not see, while a stand-in runs on this machine",
    Evidence.OWN_CONNECTED: "`port-in-connection`",
    Evidence.LET_IN: "`rules-accept`",
    Evidence.DROPPED_HERE: "`rules-drop`",
    Evidence.REJECTED_HERE: "`rules-reject`",
    Evidence.RULES_UNCLEAR: "`rules-unclear`",
    Evidence.RULES_UNREADABLE: "`needs-privilege`",
}

FINDINGS: Mapping[Finding, tuple[str, str]] = {
    Finding.OK: ("As expected.", "Nothing."),
    Finding.BLOCKED: (
        "A required TCP port, or an echo request, is silent: something drops the packets, on the way or on the host.",
        "Give the line behind the arrow to whoever runs the firewalls. The same port on all hosts points to a rule on "
        "the way; one host alone points to its own firewall.",
    ),
    Finding.REJECTED: (
        "Somebody answers the packet to a required port with an ICMP error, and is named. "
        "Where it is only probable, other ports of the same host were seen to be rejected, see `inferred`.",
        "Ask whoever runs that address. When it is the host's own, look at the firewall on the host.",
    ),
    Finding.HOST_UNREACHABLE: (
        "A router reports that it cannot reach the host, or nobody on the segment has the address.",
        "Is the host up, is the address right, is there a route?",
    ),
    Finding.NO_ANSWER: (
        "A required port is silent on a system that is known to drop what is closed: blocked, or nothing listens.",
        "Look on the host whether the service runs. If it does, treat the finding as `blocked`.",
    ),
    Finding.NOT_LISTENING: (
        "The host's address refuses a required port, or says that it does not speak a protocol.",
        "Start the service; the report names its unit where the document has one. If it does run, look where it is "
        "bound, then for a firewall that resets connections.",
    ),
    Finding.REFUSED: (
        "A required port is refused, and this platform does not show by whom.",
        "Look on the host whether the service runs, or repeat the check from Linux, which shows more.",
    ),
    Finding.OCCUPIED: (
        "Before the install something has a port that the product needs. Who it is, is known of the machine that we "
        "stand on, and of hosts with a stand-in.",
        "Stop it, or move it to another port. Where nobody is named, `ss -ltunp` as root on the host shows what it is. "
        "Is it the product already? Then check with `--phase installed`.",
    ),
    Finding.UNEXPECTED_OPEN: (
        "A port is open that nothing in use names on this host.",
        "Close it, put it under `offers:` of the host, or accept it with a waiver.",
    ),
    Finding.OPEN_TO_OTHERS: (
        "A port is open to us that the document names for other sources.",
        "Nothing, unless the site means to keep us out. Then close it, and check with `--strict-sources`.",
    ),
    Finding.EPHEMERAL: (
        "A port of this machine that the product needs is free, and lies in the range out of which the kernel gives "
        "ports to outgoing connections. One of these may have it when the product starts.",
        "Reserve it: the line behind the arrow has the command (`net.ipv4.ip_local_reserved_ports`).",
    ),
    Finding.EXPOSED: (
        "A port that is for the host itself answers from outside; or, a warning, listens there on another address than "
        "loopback, so that only a firewall keeps others out.",
        "Bind the service to 127.0.0.1, or close the port in the host's firewall.",
    ),
    Finding.NO_HOST: (
        "An address out of a network that was given as TARGET shows no sign of life.",
        "Nothing. If a host should be there, name it as a TARGET of its own.",
    ),
    Finding.WRONG_RESPONDER: (
        "A port is open as it should be, but what answers speaks another protocol than the one that was expected. "
        "Over TCP that is only known with `--verify`. Before an install: not the stand-in of this host answered, but "
        "that of another one, or somebody on the way.",
        "Look on the host what listens there: `ss -ltunp` as root. If it is right, correct `speaks` in the document. "
        "Before an install look for an address translation, a proxy, or a second machine with the same address; and "
        "whether the stand-ins have the same key.",
    ),
    Finding.UNDETERMINED: (
        "Tried, or not possible to try, and not known. Silence over UDP is among these.",
        "The sentence says what was in the way. Of UDP, see "
        "[become certain](../how-to/check-udp-services.md#become-certain).",
    ),
    Finding.NOT_TESTED: (
        "No packet was sent for it: this process may not send such packets, or the run ended first.",
        "Give it the [privilege](../how-to/check-icmp-and-tunnels.md), or let the run end.",
    ),
}
