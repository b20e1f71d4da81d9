"""The causes in the order in which they are tried, each with its recognition and its sentences. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from portcheck.diagnosis import before_install as before
from portcheck.diagnosis import recognition as take
from portcheck.diagnosis import sentences as say
from portcheck.diagnosis.more_time import give_more_time
from portcheck.engine.probe import Reason
from portcheck.model import Finding, Sight
from portcheck.wording import listed, plural

_UNFINISHED = {
    Reason.DEADLINE: "The deadline ended the run first.",
    Reason.INTERRUPTED: "The run was interrupted first.",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """How to recognise a cause, how to split it, and what to say about it."""

    name: str
    takes: take.Takes
    groups: take.Groups
    headline: say.Sentence
    evidence: say.Evidence = say.because
    remedy: say.Remedy = say.nothing


_OF_THIS_MACHINE = (
    Cause(
        "own-firewall",
        take.stopped_by_own_filter,
        take.by_name_and_detail,
        before.stopped_by_own_filter,
        before.which_rule,
        before.change_the_rule,
    ),
    Cause(
        "ephemeral",
        take.of_ourselves(Finding.EPHEMERAL),
        take.by_name,
        before.in_ephemeral_range,
        before.connections_may_take_them,
        before.reserve_ports,
    ),
    Cause(
        "taken-by-connection",
        take.held_by_connections,
        take.by_holder,
        before.taken("{ports} on {where} {be} the near end of an outgoing connection{of}"),
        remedy=before.reserve_when_free,
    ),
    Cause(
        "bound-wider",
        take.of_ourselves(Finding.EXPOSED),
        take.by_holder,
        before.bound_wider,
        remedy=before.bind_to_loopback,
    ),
    Cause(
        "own-port-unknown",
        take.of_ourselves(Finding.UNDETERMINED),
        take.by_name_and_detail,
        before.could_not_look,
        remedy=before.tell_whose_it_is,
    ),
)

_OF_STAND_INS = (
    Cause(
        "answered-by-another",
        take.answered_in_its_place(Sight.OTHER_HOST),
        take.by_who_answers,
        before.answered_by_another,
        say.because_and_pattern,
        before.find_the_translation,
    ),
    Cause(
        "answered-at-another-port",
        take.answered_in_its_place(Sight.OTHER_PORT),
        take.by_same_hosts,
        say.of_ports("{ports} on {where} {be} redirected to another port"),
        say.because_and_pattern,
        before.find_the_translation,
    ),
    Cause(
        "question-stopped",
        take.question_stopped,
        take.by_same_hosts,
        say.of_ports("{ports} on {where} can be connected to, but what is said there is stopped on the way"),
        say.because_and_pattern,
        before.let_questions_through,
    ),
    Cause(
        "answered-on-the-way",
        take.answered_in_its_place(Sight.LISTENING),
        take.by_same_hosts,
        say.of_ports("{ports} on {where} {be} answered on the way, not by our stand-in there"),
        say.because_and_pattern,
        before.find_who_accepts,
    ),
    Cause(
        "no-token",
        take.answered_in_its_place(Sight.CLOSES),
        take.by_name,
        before.gives_no_token,
        remedy=before.compare_keys,
    ),
    Cause(
        "stand-in-not-asked",
        take.unasked,
        take.by_same_hosts,
        say.of_ports("{ports} on {where} {be} open, but whether by our stand-in could not be asked"),
        remedy=say.advise("Run again, with more time or fewer targets."),
    ),
    Cause(
        "no-stand-in",
        take.undecided_without(Sight.ABSENT),
        take.all_together,
        before.no_stand_in,
        remedy=before.start_stand_in,
    ),
    Cause(
        "stand-in-cut-short",
        take.undecided_without(Sight.CUT_SHORT),
        take.all_together,
        before.ended_before_stand_ins,
        remedy=say.advise("Run again, with more time (--deadline) or fewer targets."),
    ),
    Cause(
        "stand-in-without-ports",
        take.undecided_without(Sight.UNOPENED),
        take.by_name,
        before.not_opened,
        remedy=before.start_stand_in,
    ),
    Cause(
        "stand-in-not-reported",
        take.undecided_without(Sight.UNREPORTED),
        take.by_name,
        before.not_reported,
        remedy=say.advise("Run again; if it happens again, start that stand-in anew."),
    ),
    Cause(
        "stand-in-unable",
        take.undecided_without(Sight.UNABLE),
        take.by_name,
        before.could_not_open,
        remedy=before.give_it_the_privilege,
    ),
    Cause(
        "answers-lost",
        take.answer_lost,
        take.by_transport_and_hosts,
        say.of_ports("The answers of {ports} on {where} are lost on the way back"),
        say.because_and_pattern,
        before.let_answers_back,
    ),
    Cause(
        "refused-in-front",
        take.refused_in_front,
        take.by_transport_and_hosts,
        say.of_ports("{ports} on {where} {be} refused by a firewall in the host's name"),
        say.because_and_pattern,
        before.allow_or_look_there,
    ),
)

CAUSES: tuple[Cause, ...] = (
    *_OF_THIS_MACHINE,
    Cause(
        "all-hosts-silent",
        take.of_nothing_but_mute_hosts,
        take.all_together,
        lambda group: f"No host answers at all: {group.hosts_with_addresses}",
        lambda group: (f"{plural(group.port_count, 'port')} asked, {plural(group.check_count, 'check')}, all silent.",),
        say.ask_for_the_way_out,
    ),
    Cause(
        "host-silent",
        take.of_mute_hosts,
        take.by_host,
        say.mute_headline,
        remedy=say.advise("Is the host up and the address right? If so, everything from here to it is dropped."),
    ),
    Cause(
        "router-silent",
        take.behind_dead_routers,
        take.by_reason,
        lambda group: f"The router on the way to {group.hosts_with_addresses} does not answer",
        remedy=say.advise("Look at that router and at this machine's route; everything behind it is out of reach."),
    ),
    Cause(
        "host-unreachable",
        take.unreachable,
        take.by_host,
        say.unreachable_headline,
        remedy=say.advise("Is the host up, and is its address right?"),
    ),
    Cause(
        "lost-contact",
        take.with_reason(Reason.LOST_CONTACT),
        take.by_lost_host,
        say.lost_headline,
        remedy=say.find_what_was_lost,
    ),
    Cause(
        "answers-everything",
        take.with_reason(Reason.ANSWERS_EVERYTHING),
        take.by_host_and_detail,
        say.accepting_headline,
        remedy=say.ask_who_accepts,
    ),
    Cause(
        "reset-after-handshake",
        take.with_reason(Reason.RESET_AFTER_HANDSHAKE),
        take.by_host,
        say.of_ports("{ports} on {where} {be} accepted and reset at once"),
        remedy=say.advise(
            "Look on the host whether anything listens there. If so, look whom the service lets in, "
            "or check from a machine behind the proxy."
        ),
    ),
    Cause(
        "udp-budget",
        take.without_connection(Reason.ICMP_RATE_LIMITED),
        take.by_limiters,
        say.undecided_headline,
        say.because_and_what_the_limiter_rejects,
        give_more_time,
    ),
    Cause(
        "icmp-rate-limited",
        take.with_reason(Reason.ICMP_RATE_LIMITED),
        take.by_host,
        say.of_ports("{ports} on {where} {be} rejected or dropped, which of the two is not known"),
        remedy=say.advise("To learn which, check one of these ports alone with -e."),
    ),
    Cause(
        "name-unresolved",
        take.with_reason(Reason.NAME_UNRESOLVED),
        take.by_host,
        lambda group: f"{listed(group.hosts)} cannot be checked ({plural(group.port_count, 'port')})",
    ),
    Cause(
        "no-route",
        take.with_reason(Reason.NO_ROUTE),
        take.all_together,
        lambda group: f"This machine has no route to {group.hosts_with_addresses}",
        lambda group: (f"{plural(group.check_count, 'check')} not made: no packet left this machine.",),
        say.look_at_the_route("Give this machine a route, or leave addresses of that kind out"),
    ),
    Cause(
        "local-firewall",
        take.with_reason(Reason.LOCAL_FIREWALL),
        take.by_same_hosts,
        say.of_ports("{ports} to {where} did not leave this machine"),
        remedy=say.look_at_the_route(
            "Look at this machine's outgoing rules and routes, nothing was learnt about the network"
        ),
    ),
    Cause(
        "needs-privilege",
        take.with_reason(Reason.NEEDS_PRIVILEGE),
        take.by_reason,
        lambda group: f"{group.ports_on_hosts}: not tested",
        remedy=say.get_privilege,
    ),
    Cause(
        "unfinished",
        take.with_reason(Reason.DEADLINE, Reason.INTERRUPTED),
        take.by_reason,
        lambda group: f"{plural(group.check_count, 'check')} of {listed(group.hosts)} not finished",
        lambda group: (_UNFINISHED[group.first.observation.reason],),
    ),
    Cause(
        "own-limits",
        take.with_reason(Reason.LOCAL_FD_LIMIT, Reason.LOCAL_NO_PORTS, Reason.LOCAL_ERROR),
        take.by_reason,
        lambda group: f"{group.ports_on_hosts} could not be asked from this machine",
    ),
    *_OF_STAND_INS,
    Cause(
        "blocked",
        take.with_finding(Finding.BLOCKED),
        take.by_transport_and_hosts,
        say.of_ports("{ports} {be} {probably}dropped on the way to {where}"),
        say.because_and_pattern,
        before.allow_and_look,
    ),
    Cause(
        "rejected",
        take.with_finding(Finding.REJECTED),
        take.by_same_hosts,
        say.of_ports("{ports} on {where} {be} {probably}rejected by {responder}"),
        say.rejection_and_pattern,
        say.ask_responder,
    ),
    Cause(
        "product-not-running",
        take.whole_hosts_refuse,
        take.by_name,
        say.idle_headline,
        say.idle_evidence,
        say.start_service,
    ),
    Cause("doubtful", take.doubtful, take.by_port, say.doubtful_headline),
    Cause(
        "not-listening",
        take.with_finding(Finding.NOT_LISTENING),
        take.by_transport_and_hosts,
        say.of_ports("{ports} on {where} {be} refused: nothing seems to {listen}"),
        say.because,
        say.start_service,
    ),
    Cause(
        "refused",
        take.with_finding(Finding.REFUSED),
        take.by_same_hosts,
        say.of_ports("{ports} on {where} {be} refused"),
    ),
    Cause(
        "no-answer",
        take.with_finding(Finding.NO_ANSWER),
        take.by_transport_and_hosts,
        say.of_ports("{ports} on {where}: no answer, blocked or {silent}"),
        say.because_and_pattern,
        say.allow_and_look,
    ),
    Cause(
        "taken-in-range",
        take.taken_in_a_range,
        take.by_holder,
        before.taken("{ports} on {where} {be} in use already{by}"),
        before.who_has_it,
        before.take_another,
    ),
    Cause(
        "occupied",
        take.with_finding(Finding.OCCUPIED),
        take.by_holder,
        before.taken("{ports} on {where} {be} in use already{by}"),
        before.who_has_it,
        before.free_the_port,
    ),
    Cause(
        "exposed",
        take.with_finding(Finding.EXPOSED),
        take.by_same_hosts,
        say.of_ports("{ports} on {where} {be} reachable from here, but for localhost only"),
        say.because_and_answers,
        remedy=say.advise("Bind it to 127.0.0.1 on the host, or close it in the host's firewall."),
    ),
    Cause(
        "unexpected-open",
        take.with_finding(Finding.UNEXPECTED_OPEN),
        take.by_same_hosts,
        say.of_ports("{ports} on {where} {be} open and nobody asked for {these}"),
        say.because_and_known_for,
        remedy=say.close_or_accept,
    ),
    Cause(
        "open-to-others",
        take.with_finding(Finding.OPEN_TO_OTHERS),
        take.by_same_hosts,
        say.of_ports("{ports} on {where} {be} open to this machine, but meant for others"),
        remedy=say.advise("Narrow the firewall rule to those that the document names, if you mean it that strictly."),
    ),
    Cause(
        "wrong-responder",
        take.with_finding(Finding.WRONG_RESPONDER),
        take.by_spoken,
        say.of_ports("{ports} on {where} {be} open, but speaks {spoken}"),
        remedy=say.look_who_listens,
    ),
    Cause(
        "needs-source-port",
        take.without_source_port,
        take.by_same_hosts,
        say.of_ports("{ports} on {where} {be} silent"),
        remedy=say.give_to_this_run("CAP_NET_BIND_SERVICE"),
    ),
    Cause(
        "unprovable",
        take.unprovable,
        take.by_way_to_certainty,
        say.unprovable_headline,
        say.unprovable_evidence,
        say.ways_to_certainty,
    ),
    Cause(
        "free-or-rejected",
        take.free_or_rejected,
        take.by_transport,
        say.free_or_rejected_headline,
        remedy=before.make_certain,
    ),
    Cause(
        "no-reply",
        take.maybe_open,
        take.by_expectation_and_hosts,
        say.of_ports("{ports} on {where} {be} silent"),
        say.silence_and_pattern,
        say.look_and_allow,
    ),
    Cause("undetermined", take.the_rest, take.by_same_hosts, say.of_ports("{ports} on {where}: not determined")),
)
