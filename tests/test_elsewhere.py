"""Flows that begin on other machines, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from portcheck.engine.probe import Transport
from portcheck.model import Gap, Host, Listen, Scope, Vantage
from portcheck.plan import plan
from tests.samples import HERE, claimed, cluster, document, features, gaps, host, row, site

DOC = document(
    row("5050/tcp", "agent master", "master"),
    row("5051/tcp", "agent master", "agent"),
    row("80/tcp", "any", "master"),
    row("9000-9001/tcp", "client", "master"),
    row("123/udp", "agent master", "ntp"),
    row("7070/tcp", "localhost", "master"),
    row("8443/tcp", "internet", "master"),
    row("30000-32000/tcp", "agent master", "agent", listen=Listen.SOME),
    row("6000/tcp", "master", "agent", when="extra"),
)
NTP = host("t1", "10.0.0.53", roles=["ntp"], external=True)
M1, M2, A1, A2 = cluster(DOC, masters=2, agents=2)
A2 = replace(A2, addresses=(*A2.addresses, *host("x", "fd00::12").addresses))
SITE = (M1, M2, A1, A2, NTP)


def elsewhere(scope: Scope) -> dict[str, int]:
    return {text: flows for flows, text in gaps(plan(scope), Gap.STARTS_ELSEWHERE)}


def test_flows_of_a_site_seen_from_one_agent() -> None:
    assert elsewhere(site([DOC], SITE, "a1")) == {
        # 5050 between the two masters, 5051 from two masters to three addresses, 123 from two masters
        "m1, m2 (master)": 2 + 6 + 2,
        # 5050 to two masters, 5051 to a1 and not to itself, 123
        "a2 (agent)": 2 + 1 + 1,
        # 9000 and 9001 of two masters
        "client, outside the site": 4,
        # 8443 of two masters; 80 is from anybody, and checked from here
        "the internet, outside the site": 2,
    }


def test_flows_of_a_site_seen_from_one_master() -> None:
    assert elsewhere(site([DOC], SITE, "m1")) == {
        "m2 (master)": 1 + 3 + 1,
        # 5050 to two masters from both; 5051 from a1 to two addresses and from a2 to one; 123 from both
        "a1, a2 (agent)": 4 + 3 + 2,
        "client, outside the site": 4,
        "the internet, outside the site": 2,
    }


def test_a_feature_in_use_adds_its_flows() -> None:
    seen = elsewhere(site([DOC], SITE, "a1", features=features(DOC, extra=True)))
    assert seen["m1, m2 (master)"] == 10 + 6


def test_a_claimed_role_is_not_one_of_the_hosts() -> None:
    seen = elsewhere(site([DOC], SITE, claimed("client")))
    assert seen == {
        "m1, m2 (master)": 10,
        "a1, a2 (agent)": 9,
        "the internet, outside the site": 2,
    }


def test_a_chosen_transport_counts_alone() -> None:
    scope = site([DOC], SITE, "a1", transports=frozenset({Transport.UDP}))
    assert elsewhere(scope) == {"m1, m2 (master)": 2, "a2 (agent)": 1}


def test_flows_to_a_chosen_target_begin_at_hosts_that_were_not_chosen() -> None:
    scope = replace(site([DOC], SITE, "a1"), hosts=(M1,), other_hosts=(M2, A1, A2, NTP))
    assert elsewhere(scope) == {
        "m2 (master)": 1,
        "a2 (agent)": 1,
        "client, outside the site": 2,
        "the internet, outside the site": 1,
    }


def test_a_role_of_the_product_without_a_host_is_named() -> None:
    assert elsewhere(site([DOC], [A1, A2, NTP], "a1")) == {
        "a2 (agent)": 1 + 1,
        # 5051 to three addresses, and 123
        "master, a role that no host of the site has": 3 + 1,
    }


def test_a_host_that_has_no_address_counts_as_one() -> None:
    lost = Host("m1", (), ("doc:master",), unresolved="gone")
    assert elsewhere(site([DOC], [lost, A1, NTP], "a1")) == {
        "m1 (master)": 1 + 1,
        "client, outside the site": 2,
        "the internet, outside the site": 1,
    }


def test_hosts_of_two_roles_count_each_port_once() -> None:
    both = replace(M2, name="b", roles=("doc:agent", "doc:master"))
    assert elsewhere(site([DOC], [M1, both], "m1")) == {
        "b (agent, master)": 1,
        "client, outside the site": 4,
        "the internet, outside the site": 2,
    }


def test_many_hosts_are_not_all_named() -> None:
    (text,) = [text for text in elsewhere(site([DOC], cluster(DOC, 1, 9), "m1")) if "(agent)" in text]
    assert text == "a1, a2, a3 and 6 more (agent)"


def target(*roles: str) -> Host:
    return host("x", "10.0.0.1", roles=roles)


WITHOUT_A_SITE = {
    # 5050, 5051 and 123 start at the target itself; everything that leads to it is seen from here
    "a machine without a role": (HERE, ["doc:master"], {"every master": 3}),
    "an agent looks at a master": (
        claimed("doc:agent"),
        ["doc:master"],
        {"every client": 2, "every master": 3, "the internet": 1},
    ),
    # a master's flows to agents count, its flows to other masters do not concern the target
    "an agent looks at an agent": (claimed("doc:agent"), ["doc:agent"], {"every master": 1}),
    "a client looks at a master": (
        claimed("client"),
        ["doc:master"],
        {"every agent": 1, "every master": 3, "the internet": 1},
    ),
    "the internet looks at a master": (
        claimed("internet"),
        ["doc:master"],
        {"every agent": 1, "every client": 2, "every master": 3},
    ),
    "a machine without a role looks at a time server": (HERE, ["ntp"], {}),
}


@pytest.mark.parametrize(("vantage", "roles", "expected"), WITHOUT_A_SITE.values(), ids=WITHOUT_A_SITE)
def test_without_a_site_requirements_are_counted(vantage: Vantage, roles: list[str], expected: dict[str, int]) -> None:
    assert elsewhere(Scope((DOC,), (target(*roles),), vantage)) == expected


def test_the_number_of_targets_does_not_change_the_requirements() -> None:
    one = Scope((DOC,), (target("doc:master"),), HERE)
    two = replace(one, hosts=(*one.hosts, host("y", "10.0.0.2", roles=["doc:master"])))
    assert elsewhere(one) == elsewhere(two)


def test_hosts_without_a_document_have_no_flows_elsewhere() -> None:
    assert elsewhere(site([], SITE, Vantage("here", frozenset()))) == {}
