"""What a host's roles open, and what is checked of the machine that we stand on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcheck.engine.probe import OWN_HOST, OWN_RULES, Transport
from portcheck.model import Check, Expect, Gap, Host, Level, Listen, NamedPorts, Own, Phase, Ports, Scope
from portcheck.own_checks import sources_of
from portcheck.plan import plan
from portcheck.ports import parse_ports
from portcheck.probe_sets import asked_without_connection, ports_by_address, probe_sets, transports
from portcheck.role_ports import RolePort, role_ports, samples
from tests.samples import PATIENT, cluster, document, features, gaps, host, row, site

DOC = document(
    row("5050/tcp", "agent master", "master", service="Mesos"),
    row("5051/tcp", "master", "agent"),
    row("53/tcp+udp", "any", "master", service="DNS"),
    row("7070/tcp", "localhost", "master"),
    row("7071/tcp", "localhost", "master"),
    row("7071/tcp", "agent", "master", service="Admin"),
    row("8000-9000/tcp", "agent", "master", listen=Listen.SOME, service="Tasks"),
    row("22/tcp", "any", "master", present_before_install=True),
    row("6000/tcp", "agent", "master", when="extra"),
    row("123/udp", "master", "ntp"),
    row("gre", "agent", "master"),
)
M1, A1 = cluster(DOC, masters=1, agents=1)
SITE = (M1, A1, host("t1", "10.0.0.53", roles=["ntp"], external=True))
RANGE = Ports(Transport.TCP, 8000, 9000)


def of(scope: Scope, host: Host = M1) -> dict[str, RolePort]:
    return {str(port): port for port in role_ports(scope, host)}


def before(vantage: str, **fields: object) -> Scope:
    return replace(site([DOC], SITE, vantage, phase=Phase.PREINSTALL, own=Own.ALSO), **fields)  # type: ignore[arg-type]


def own(scope: Scope) -> dict[str, Check]:
    return {check.id: check for check in plan(scope).checks if check.is_own}


def test_a_role_opens_what_has_yet_to_come_and_is_in_use() -> None:
    ports = of(before("a1"))
    assert {name for name, port in ports.items() if port.range is None} == {
        *("5050/tcp", "53/tcp", "53/udp", "7070/tcp", "7071/tcp")
    }
    assert [name for name, port in ports.items() if port.local_only] == ["7070/tcp"]
    assert ports["53/udp"].services == ("DNS",)
    assert "6000/tcp" in of(before("a1", features=features(DOC, extra=True)))


def test_a_range_is_a_few_ports_of_it() -> None:
    drawn = [port.port for port in role_ports(before("a1"), M1) if port.range == RANGE]
    assert len(drawn) == 5
    assert {8000, 9000} <= set(drawn)


def test_what_is_recommended_stays_recommended() -> None:
    rows = (row("7777/tcp", "any", "master", level=Level.RECOMMENDED), row("7778/tcp", "any", "master"))
    found = own(site([document(*rows)], SITE, "m1", phase=Phase.PREINSTALL, own=Own.ALSO))
    assert {check.port: check.level for check in found.values()} == {7777: Level.RECOMMENDED, 7778: Level.REQUIRED}


def test_ports_of_the_command_line_are_opened_as_well() -> None:
    extra = tuple(NamedPorts(ports, "web") for ports in parse_ports("7070,8443/tcp,icmp"))
    ports = of(before("a1", extra=extra))
    assert ports["8443/tcp"].services == ("web",)
    assert not ports["7070/tcp"].local_only
    assert not any(port.transport is Transport.ICMP for port in ports.values())


@PATIENT
@given(st.integers(1, 65535), st.integers(1, 65535))
def test_samples_are_the_same_everywhere_and_have_both_ends(one: int, other: int) -> None:
    ports = Ports(Transport.TCP, min(one, other), max(one, other))
    drawn = samples(ports)
    assert drawn == samples(ports) == tuple(sorted(set(drawn)))
    assert (drawn[0], drawn[-1]) == (ports.first, ports.last)
    assert len(drawn) == min(5, len(ports.numbers()))


def test_samples_do_not_move_from_release_to_release() -> None:
    assert samples(RANGE) == (8000, 8315, 8765, 8904, 9000)


# ------------------------------------------------------------------------------------------- our own machine


def test_before_the_install_each_port_of_our_roles_has_to_be_free_and_let_in() -> None:
    checks = own(before("m1"))
    assert checks["m1>m1/own/tcp/5050"].expect is Expect.FREE
    assert checks["m1>m1/own/udp/53"].services == ("DNS",)
    assert checks["m1>m1/rules/tcp/5050"].expect is Expect.LET_IN
    assert "m1>m1/rules/tcp/7070" not in checks
    assert "m1>m1/own/tcp/22" not in checks
    sample = checks["m1>m1/own/tcp/9000"]
    assert (sample.range, sample.level) == (RANGE, Level.REQUIRED)
    assert own(before("a1")).keys() == {"a1>a1/own/tcp/5051", "a1>a1/rules/tcp/5051"}


def test_the_kernel_is_asked_in_place_of_the_loopback_address() -> None:
    def inside(scope: Scope) -> set[int | None]:
        return {check.port for check in plan(scope).checks if check.address == "127.0.0.1"}

    assert inside(before("m1", own=Own.NOTHING)) == {7070, 7071}
    assert not inside(before("m1"))
    assert inside(before("m1", phase=Phase.INSTALLED)) == {7070, 7071}


def test_once_installed_what_is_for_localhost_has_to_listen_there_alone() -> None:
    checks = own(before("m1", phase=Phase.INSTALLED))
    assert {(check.id, check.expect) for check in checks.values()} == {("m1>m1/own/tcp/7070", Expect.LOOPBACK_ONLY)}


def test_once_installed_what_was_there_before_counts_as_well() -> None:
    rows = (
        row("7779/tcp", "localhost", "master", present_before_install=True),
        row("7900-7990/tcp", "localhost", "master", listen=Listen.SOME),
    )
    found = own(site([document(*rows)], SITE, "m1", own=Own.ALSO))
    assert {check.port for check in found.values()} == {7779}


def test_nothing_is_looked_at_of_a_machine_that_is_not_in_the_site() -> None:
    scope = before("m1")
    away = replace(scope, vantage=replace(scope.vantage, name="master", host=None))
    assert not own(away)
    assert not own(replace(scope, own=Own.NOTHING))


def test_local_looks_at_nothing_else() -> None:
    planned = plan(before("m1", own=Own.ONLY, hosts=(M1,), other_hosts=SITE[1:]))
    assert planned.checks
    assert all(check.is_own for check in planned.checks)
    assert not planned.sweeps
    assert not gaps(planned, Gap.STARTS_ELSEWHERE)


def test_no_packet_is_planned_for_our_own_machine() -> None:
    planned = plan(before("m1", own=Own.ONLY, hosts=(M1,)))
    assert not list(probe_sets(planned, seed=1))
    assert not list(asked_without_connection(planned))
    assert not transports(planned)
    assert not ports_by_address(planned)
    assert {check.probe.address for check in planned.checks if check.probe} == {OWN_HOST, OWN_RULES}


@pytest.mark.parametrize(
    ("port", "sources"),
    [
        # From agents and masters: the one agent; m1 is the only master.
        (5050, ("10.0.0.11",)),
        # From anybody, whoever that is.
        (53, ()),
    ],
)
def test_who_has_to_be_let_in_is_known_where_all_of_them_are_in_the_site(port: int, sources: tuple[str, ...]) -> None:
    scope = before("m1", hosts=(*SITE, host("m2", "10.0.0.2", roles=["doc:master"])))
    expected = ("10.0.0.11", "10.0.0.2") if sources else ()
    assert sources_of(scope, M1)[(Transport.TCP, port)] == expected


def test_a_role_that_only_this_machine_plays_is_in_the_site_as_well() -> None:
    assert sources_of(before("m1"), M1)[(Transport.TCP, 5050)] == ("10.0.0.11",)


# -------------------------------------------------------------------------------------- ranges that are paths


def paths(scope: Scope) -> set[int | None]:
    return {check.port for check in plan(scope).checks if check.range is not None and not check.is_own}


def test_a_range_is_a_path_only_where_stand_ins_listen() -> None:
    assert paths(before("a1", stand_ins=True)) == set(samples(RANGE))
    assert not gaps(plan(before("a1", stand_ins=True)), Gap.RANGE_OF_SOME)
    assert not paths(before("a1"))
    assert gaps(plan(before("a1")), Gap.RANGE_OF_SOME)
    assert not paths(before("a1", stand_ins=True, phase=Phase.INSTALLED))


def test_a_sampled_port_is_required_and_one_that_is_named_is_no_sample() -> None:
    named = document(*DOC.expectations, row("9000/tcp", "agent", "master", service="Own"))
    scope = site([named], SITE, "a1", phase=Phase.PREINSTALL, stand_ins=True)
    found = {check.port: check for check in plan(scope).checks if check.host == "m1"}
    assert found[9000].range is None
    assert found[9000].services == ("Own",)
    assert (found[8000].expect, found[8000].range, found[8000].services) == (Expect.REACHABLE, RANGE, ("Tasks",))


def test_both_sides_have_the_same_samples() -> None:
    opened = {port.port for port in role_ports(before("m1", stand_ins=True), M1) if port.range == RANGE}
    assert opened == paths(before("a1", stand_ins=True))
