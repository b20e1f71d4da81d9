"""What is said before an install: of stand-ins, of ports that are taken, and of the machine that we stand on. Pure."""

from __future__ import annotations

from portcheck import commands
from portcheck.diagnosis.group import Group
from portcheck.diagnosis.sentences import Sentence, allow, because, because_and_answers
from portcheck.engine.probe import IN_EPHEMERAL_RANGE, MAY_BE_STAND_IN, Transport
from portcheck.holding import holders, who_holds
from portcheck.model import Finding, Sight
from portcheck.observed import sentence
from portcheck.printable import printable
from portcheck.wording import are, listed, plural, these

_FIRST_FREE_TO_ALL = 1024
"""Below it a process needs a privilege to bind a port, ip_unprivileged_port_start(5)."""
_MOST_RESERVED = 0.5
"""More of the ports of outgoing connections than this are not for a server to have."""
_MAX_TEXT = 200


# ------------------------------------------------------------------------------------------------- stand-ins


def answered_by_another(group: Group) -> str:
    who = printable(group.first.seen.who or "a stand-in of another host", _MAX_TEXT)
    return f"{group.ports} on {group.where} {are(group.port_count)} answered by {who}"


def find_the_translation(group: Group) -> str | None:
    return (
        f"Look for an address translation, a load balancer or a second machine with the same address before "
        f"{listed(group.hosts)}."
    )


def find_who_accepts(group: Group) -> str | None:
    between = f"between {group.sender} and {listed(group.hosts)}"
    return f"Look for a proxy, an address translation, or a firewall that reads what is sent, {between}."


def let_questions_through(group: Group) -> str | None:
    between = f"between {group.sender} and {listed(group.hosts)}"
    return f"Look for a firewall that reads what is sent (an application filter) {between}, and let this through."


def gives_no_token(group: Group) -> str:
    return (
        f"{group.hosts_with_addresses} accepts connections without a token on {plural(group.port_count, 'port')}: "
        "a proxy, or another key"
    )


def compare_keys(group: Group) -> str | None:
    return (
        f"Does the stand-in there have the same key, and do its --peers let this machine in? Stop it (Ctrl-C) and "
        f"start it with this key; on {listed(group.hosts)}: {_command(group)}. If that does not help, look for a proxy "
        "on the way."
    )


def no_stand_in(group: Group) -> str:
    checks = plural(group.check_count, "check")
    if len(group.hosts) == 1:
        return f"{group.hosts[0]}: no stand-in was heard, {checks} not decided"
    return f"{listed(group.hosts)}: no stand-in of these was heard, {checks} not decided"


def ended_before_stand_ins(group: Group) -> str:
    checks = plural(group.check_count, "check")
    return f"{listed(group.hosts)}: the run ended before stand-ins could be asked, {checks} not decided"


def start_stand_in(group: Group) -> str | None:
    if len(group.hosts) == 1:
        return f"On {group.hosts[0]}: {_command(group)}"
    return f"On each, with its own name, as on {group.hosts[0]}: {_command(group)}"


def make_certain(group: Group) -> str | None:
    """Of what is free, or rejected in the host's name; a protocol without ports has no stand-in."""
    if group.first.check.port is None:
        return "Check again when the product runs; until then only the firewalls' rules tell which."
    is_one = len(group.hosts) == 1
    if group.context.selection.stand_ins:
        how = f"Start a stand-in there{'' if is_one else f', as on {group.hosts[0]}'}: {_command(group)}"
    else:
        what = "a stand-in there" if is_one else f"stand-ins there, the first on {group.hosts[0]}"
        use = f"{'' if is_one else 'start and '}check with --key-file {commands.KEY_FILE}"
        how = f"Start {what}: {_command(group)}. {commands.copy_key(len(group.hosts))}, and {use}"
    return f"{how}. Or check again when the product runs."


def not_opened(group: Group) -> str:
    return f"The stand-in on {listed(group.hosts)} was started without {group.ports}"


def not_reported(group: Group) -> str:
    checks = plural(group.check_count, "check")
    return f"The stand-in on {listed(group.hosts)} did not say what it opened, {checks} not decided"


def could_not_open(group: Group) -> str:
    """Where all of them need a privilege that says what they have in common."""
    if _needs_privilege(group):
        return f"The stand-in on {listed(group.hosts)} may not take ports below {_FIRST_FREE_TO_ALL}: {group.ports}"
    return f"The stand-in on {listed(group.hosts)} could not open {group.ports}"


def give_it_the_privilege(group: Group) -> str | None:
    if _needs_privilege(group):
        return f"On {listed(group.hosts)}, as root: {_command(group)}"
    return f"What it says on {listed(group.hosts)} when it is started shows why: {_command(group)}"


def _needs_privilege(group: Group) -> bool:
    return all(v.check.port is not None and v.check.port < _FIRST_FREE_TO_ALL for v in group.verdicts)


def _command(group: Group) -> str:
    return commands.listen(group.context.selection, group.hosts[0])


def let_answers_back(group: Group) -> str | None:
    addresses = list(dict.fromkeys(v.check.address for v in group.verdicts if v.check.address))
    return f"Allow the answers: from {listed(addresses)}, ports {group.ports_to_allow}, to {group.sender}."


def allow_and_look(group: Group) -> str | None:
    """Where our stand-in listens it may be the host itself that drops."""
    return allow_or_look_there(group) if group.first.seen.sight is Sight.LISTENING else allow(group)


def allow_or_look_there(group: Group) -> str | None:
    """Who sends a reset in the host's name cannot be told."""
    local = commands.check_local(group.context.selection)
    return f"{allow(group)} On {listed(group.hosts)}, this shows what its own firewall does: {local}"


# --------------------------------------------------------------------------------------------- ports in use


def taken(text: str) -> Sentence:
    """A headline of ports in use, with {ports}, {where}, {be}, and {by} or {of} whom, where that is known."""

    def headline(group: Group) -> str:
        who = _who(group) if _is_named(group) else ""
        by, of = (f" {word} {who}" if who else "" for word in ("by", "of"))
        return text.format(ports=group.ports, where=group.where, be=are(group.port_count), by=by, of=of)

    return headline


def who_has_it(group: Group) -> tuple[str, ...]:
    """The sentence; of several ports with one holder what the headline does not say."""
    if group.port_count == 1 or not _is_named(group):
        return because_and_answers(group)
    return ("The product cannot use them.",)


def free_the_port(group: Group) -> str | None:
    units = sorted({holder.unit for v in group.verdicts for holder in holders(v.observation, v.seen) if holder.unit})
    hosts = listed(group.hosts)
    if units:
        names = listed([printable(unit, _MAX_TEXT) for unit in units])
        return f"Stop it before the install, or move it to other ports; on {hosts}: systemctl status {names}"
    if _is_named(group):
        return f"Stop it on {hosts} before the install, or move it to other ports."
    look = commands.who_listens(v.check.transport for v in group.verdicts)
    stop = f"Stop or move what listens there before the install; on {hosts}: {look}"
    if _may_be_stand_ins(group):
        return f"{stop}. If these are stand-ins (portcheck listen), give their key: --key-file."
    return stop


def _may_be_stand_ins(group: Group) -> bool:
    """Several ports of one host have come up before the install, and the run has no key to ask who they are."""
    if group.context.selection.stand_ins or any(v.check.is_own for v in group.verdicts):
        return False
    ports: dict[str, set[tuple[Transport, int | None]]] = {}
    for verdict in group.verdicts:
        ports.setdefault(verdict.check.host, set()).update(verdict.keys)
    return any(len(of_host) > 1 for of_host in ports.values())


def take_another(group: Group) -> str | None:
    return "The product uses other ports of the range meanwhile; whether these are enough, its document says."


def reserve_when_free(group: Group) -> str | None:
    """A connection goes away by itself, and the next one may take the port again."""
    reserved = _reserve(group, _single(group))
    return f"It is free when that connection ends. So that none takes {these(group.port_count)} again: {reserved}"


def _who(group: Group) -> str:
    return who_holds(holder for v in group.verdicts for holder in holders(v.observation, v.seen))


def _is_named(group: Group) -> bool:
    return all(any(holder.process for holder in holders(v.observation, v.seen)) for v in group.verdicts)


# ------------------------------------------------------------------------------------- this machine itself


def in_ephemeral_range(group: Group) -> str:
    lie = "lies" if group.port_count == 1 else "lie"
    span = (group.first.observation.detail or "").removeprefix(IN_EPHEMERAL_RANGE)
    return f"{group.ports} on {group.where} {lie} in its ephemeral range ({span})"


def connections_may_take_them(group: Group) -> tuple[str, ...]:
    return (
        f"{'It is' if group.port_count == 1 else 'They are'} free now, but an outgoing connection may take "
        f"{'it' if group.port_count == 1 else 'one'} at any moment, and then the product cannot start.",
    )


def reserve_ports(group: Group) -> str | None:
    """Single ports by their numbers; ranges whole, unless too little is left for connections."""
    kept_for_connections = _ephemeral(group)
    of_ranges = {
        port
        for v in group.verdicts
        if v.check.range is not None
        for port in v.check.range.numbers()
        if port in kept_for_connections
    }
    single = _single(group)
    if len(single | of_ranges) <= _MOST_RESERVED * len(kept_for_connections):
        return f"Reserve {these(group.port_count)}: {_reserve(group, single | of_ranges)}"
    instead = (
        "The range of the product leaves too little for outgoing connections to be reserved: move their range "
        "(net.ipv4.ip_local_port_range), or give the product other ports."
    )
    return f"Reserve the single ones: {_reserve(group, single)}. {instead}" if single else instead


def _single(group: Group) -> set[int]:
    return {v.check.port for v in group.verdicts if v.check.port is not None and v.check.range is None}


def _ephemeral(group: Group) -> range:
    first, _, last = (group.first.observation.detail or "").removeprefix(IN_EPHEMERAL_RANGE).partition("-")
    return range(int(first), int(last) + 1) if first.isdecimal() and last.isdecimal() else range(0)


def _reserve(group: Group, ports: set[int]) -> str:
    numbers = ports or {v.check.port for v in group.verdicts if v.check.port is not None}
    return f"{commands.reserve(numbers)} and, to keep it, {commands.keep_reserved()}"


def stopped_by_own_filter(group: Group) -> str:
    does = "rejects" if group.first.finding is Finding.REJECTED else "drops"
    return f"The packet filter of {group.where} itself {does} what is sent to {group.ports}"


def which_rule(group: Group) -> tuple[str, ...]:
    detail = group.first.observation.detail
    return (f"It is this rule: {sentence(printable(detail, _MAX_TEXT))}",) if detail else because(group)


def change_the_rule(group: Group) -> str | None:
    return f"Allow {group.ports_to_allow} there; nft list ruleset, as root, shows the rule."


def bound_wider(group: Group) -> str:
    if group.port_count == 1:
        return f"{group.ports} on {group.where} listens for others too, but is for localhost only"
    return f"{group.ports} on {group.where} listen for others too, but are for localhost only"


def bind_to_loopback(group: Group) -> str | None:
    loopback = "127.0.0.1 or ::1"
    return f"Bind {these(group.port_count)} to {loopback}; until then only a firewall keeps others out."


def tell_whose_it_is(group: Group) -> str | None:
    """Root's stand-in cannot be told from another program of root's, but for its key."""
    if not (group.first.observation.detail or "").startswith(MAY_BE_STAND_IN):
        return None
    return "Look as root; or give the key of that stand-in: --key-file."


def could_not_look(group: Group) -> str:
    is_free = "it is" if group.port_count == 1 else "they are"
    return f"{group.ports} on {group.where}: whether {is_free} free is not known"
