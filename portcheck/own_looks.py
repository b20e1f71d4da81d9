"""The machine that we stand on: what its kernel and its packet filter say of its own ports. Nothing is sent."""

from __future__ import annotations

from portcheck.engine.own_ports import look_at_own_ports, remark_on_unnamed
from portcheck.engine.own_rules import look_at_own_rules
from portcheck.engine.probe import OWN_HOST, OWN_RULES, Observation
from portcheck.measured import Measured
from portcheck.model import Phase, Plan
from portcheck.own_checks import sources_of


def look_at_ourselves(plan: Plan, measured: Measured) -> tuple[str, ...]:
    """What this machine's kernel and packet filter say for the checks of its own ports; nothing is sent.

    Returns:
        What they do not show, one sentence each.
    """
    probes = [check.probe for check in plan.checks if check.is_own and check.probe is not None]
    if not probes:
        return ()
    scope = plan.scope
    host = next(host for host in scope.hosts if host.name == scope.vantage.host)
    addresses = tuple(address.ip for address in host.addresses)
    remarks: list[str] = []
    if asked := [probe for probe in probes if probe.address == OWN_HOST]:
        # What a running product has is looked up: a trial would be in the way of a service that starts just now.
        ports = look_at_own_ports(asked, addresses, trial=scope.phase is Phase.PREINSTALL)
        remarks.extend(ports.remarks)
        for observation in ports.observations:
            measured.take(observation)
    if asked := [probe for probe in probes if probe.address == OWN_RULES]:
        rules = look_at_own_rules(asked, sources_of(scope, host), addresses)
        remarks.extend(rules.remarks)
        measured.facts.extend(rules.facts)
        for observation in rules.observations:
            measured.take(observation)
    return tuple(remarks)


def own_ports_seen(measured: Measured) -> list[Observation]:
    """What our kernel said of ports of this machine."""
    return [seen for seen in measured if isinstance(seen, Observation) and seen.probe.address == OWN_HOST]


def of_whom_nothing_is_seen(measured: Measured) -> tuple[str, ...]:
    """The holders of our own ports that stayed unknown, in a sentence."""
    remark = remark_on_unnamed(own_ports_seen(measured))
    return () if remark is None else (remark,)
