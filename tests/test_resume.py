"""Going on with a stopped run: what was measured is kept, the rest is asked, and nothing else is believed."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portcheck.engine.pace import Speed
from portcheck.engine.probe import Answered, Observation, PortState, Probe, Reason, Tally, Transport
from portcheck.measured import Measured
from portcheck.model import NamedPorts, Plan, PortcheckError, Run, Scope, Sweep, SweepKind
from portcheck.plan import plan
from portcheck.ports import parse_ports
from portcheck.probe_sets import asked_ports, asked_without_connection, probe_sets
from portcheck.reports import run_json, terminal
from portcheck.reports.run_shape import damage
from portcheck.resume import RUN, kept_answers, pause_s, refuse_other_vantage, selection_of
from portcheck.run import conclude
from tests.command import portcheck
from tests.made_runs import (
    DCOS,
    FINISHED,
    HOSTS,
    SELECTION,
    STARTED,
    closed,
    nobody_there,
    open_port,
    rejected_by,
    seen_from_a1,
    silent,
    unknown,
)
from tests.samples import PATIENT, at, claimed, cluster

SEED = 7
STOPPED_ID = "20261120T080000Z-0123ab"

ANSWERS: Mapping[str, Callable[[Probe], Observation]] = {
    "open": open_port,
    "closed": closed,
    "silent": silent,
    "rejected": rejected_by("10.0.0.254"),
    "inferred": lambda probe: replace(rejected_by("10.0.0.254", inferred=True)(probe), detail="seen on 3 of 9 ports"),
    "flaky": lambda probe: replace(open_port(probe), flaky=True),
    "nobody": nobody_there,
    "no route": unknown(Reason.NO_ROUTE),
    "lost": unknown(Reason.LOST_CONTACT, "answered until 1.0 s"),
}

SWEPT = Sweep(SweepKind.PORTS, parse_ports("5000-5100/tcp,5000-5099/udp"))
"""So many that most are measured in bulk."""


def measure(planned: Plan, kept: Measured, answer: Callable[[Probe], Observation]) -> Iterator[Answered]:
    """What the engines report when the network gives these answers."""
    for probes in probe_sets(planned, seed=SEED, kept=kept):
        where = probes.address, Transport.TCP
        yield from map(answer, (Probe(*where, port, probes.source_address) for port in probes.singly))
        yield from tallied(answer(Probe(*where, port, probes.source_address)) for port in probes.in_bulk)
    for address, source, asked in asked_without_connection(planned, kept=kept):
        probes_of = {port: Probe(address, port.transport, port.port, source) for port in asked}
        seen = {port: answer(probe) for port, probe in probes_of.items()}
        yield from (each for port, each in seen.items() if not port.in_bulk)
        yield from tallied(each for port, each in seen.items() if port.in_bulk)


def tallied(answers: Iterable[Observation]) -> Iterator[Answered]:
    """Open ports singly, the others in bulk."""
    alike: dict[Tally, list[int]] = {}
    for seen in answers:
        if seen.state is PortState.OPEN:
            yield seen
        else:
            alike.setdefault(_tally(seen), []).append(seen.probe.port)
    for tally, ports in alike.items():
        yield replace(tally, ports=array("H", ports), syns=len(ports))


def _tally(seen: Observation) -> Tally:
    same = {name: getattr(seen, name) for name in ("state", "reason", "responder", "icmp", "inferred", "detail")}
    return Tally(
        seen.probe.address, seen.probe.source_address, ports=(), syns=0, transport=seen.probe.transport, **same
    )


def concluded(planned: Plan, measured: Measured, resumed: str | None = None) -> Run:
    selection = replace(SELECTION, resumed=resumed)
    return conclude(planned, selection, measured, seed=SEED, started=STARTED, finished=FINISHED, interrupted="deadline")


def measured_with(planned: Plan, answer: Callable[[Probe], Observation], kept: Iterable[Answered] = ()) -> Measured:
    measured = Measured(kept)
    for answered in measure(planned, measured, answer):
        measured.take(answered)
    return measured


def as_kept(run: Run) -> dict[str, Any]:
    """The run as the JSON that -o keeps."""
    kept: dict[str, Any] = json.loads(run_json.render(replace(run, run_id=STOPPED_ID)))
    return kept


def kept_of(run: dict[str, Any], planned: Plan) -> list[Answered]:
    assert damage(run, RUN) is None
    return list(kept_answers(run, asked_ports(planned)))


def singles(answers: Iterable[Answered]) -> dict[Probe, Observation]:
    return {answered.probe: answered for answered in answers if isinstance(answered, Observation)}


def verdicts(run: Run) -> dict[tuple[object, ...], tuple[object, ...]]:
    """State, outcome, finding and responder of every check."""
    return {
        (verdict.check.host, verdict.check.address, *key): (
            *(verdict.observation.state, verdict.observation.reason),
            *(verdict.outcome, verdict.finding, verdict.observation.responder),
        )
        for verdict in run.verdicts
        for key in verdict.keys
    }


# ---------------------------------------------------------------------------------------------- same result


@settings(PATIENT, max_examples=50)
@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
def test_a_run_that_was_stopped_anywhere_and_went_on_ends_like_one_in_one_go(seed: int, share: float) -> None:
    chance = Random(seed)
    by_hand = tuple(NamedPorts(ports) for ports in parse_ports("gre, icmp"))
    scope = replace(seen_from_a1(sweep=SWEPT), hosts=cluster(DCOS, masters=1, agents=2), extra=by_hand)
    planned = plan(scope)
    ports = [
        (address, transport, port)
        for address, _, transport, singly, in_bulk in asked_ports(planned)
        for port in (*singly, *in_bulk)
    ]
    network = {where: ANSWERS[chance.choice(list(ANSWERS))] for where in ports}
    in_time = {where for where in ports if chance.random() < share}

    def where(probe: Probe) -> tuple[str, Transport, int]:
        return probe.address, probe.transport, probe.port

    def whole(probe: Probe) -> Observation:
        return network[where(probe)](probe)

    def cut(probe: Probe) -> Observation:
        return whole(probe) if where(probe) in in_time else unknown(Reason.DEADLINE)(probe)

    asked_again: set[tuple[str, Transport, int]] = set()

    def rest(probe: Probe) -> Observation:
        asked_again.add(where(probe))
        return whole(probe)

    stopped = as_kept(concluded(planned, measured_with(planned, cut)))
    resumed = concluded(planned, measured_with(planned, rest, kept_of(stopped, planned)), STOPPED_ID)
    in_one_go = concluded(planned, measured_with(planned, whole))
    assert verdicts(resumed) == verdicts(in_one_go)
    assert resumed.summary.checks == in_one_go.summary.checks
    never = (ANSWERS["no route"], ANSWERS["lost"])
    # Whether a server is silent over UDP depends on what it is asked, which may be something else now.
    unsure = {w for w in ports if network[w](Probe(*w)).state is PortState.OPEN_FILTERED}
    unmeasured = {where for where in ports if network[where] in never} | unsure
    assert asked_again == (set(ports) - in_time) | unmeasured
    assert resumed.summary.kept == len(in_time - unmeasured)


def test_details_of_kept_answers_are_those_of_the_run_that_measured_them() -> None:
    planned = plan(seen_from_a1())
    answers = dict(zip((5050, 2181, 8181, 443), ANSWERS, strict=False))

    def answer(probe: Probe) -> Observation:
        return ANSWERS[answers.get(probe.port, "flaky")](probe)

    stopped = concluded(planned, measured_with(planned, answer))
    run = as_kept(stopped)
    kept = singles(kept_of({**run, "swept": []}, planned))
    listed = {check["id"] for check in run["checks"] if check["state"] != "unknown"}
    assert len(kept) == len(listed) > 20
    for seen in (verdict.observation for verdict in stopped.verdicts if verdict.check.id in listed):
        back = kept[seen.probe]
        assert back == replace(seen, attempts=back.attempts)
        # The attempts of what is well are not in the JSON, unless --evidence asked for them.
        assert back.attempts in ((), seen.attempts)


def test_a_plan_that_has_changed_keeps_what_it_still_asks_for() -> None:
    """A host was added, another one taken out, and a port that was swept is named now."""
    before, after = cluster(DCOS, masters=2, agents=1), cluster(DCOS, masters=1, agents=2)
    stopped_plan = plan(replace(seen_from_a1(sweep=SWEPT), hosts=before))
    stopped = as_kept(concluded(stopped_plan, measured_with(stopped_plan, closed)))
    documents = (replace(DCOS, expectations=(*DCOS.expectations[1:],)),)
    planned = plan(replace(seen_from_a1(sweep=SWEPT), hosts=after, documents=documents))
    asked_again: set[str] = set()

    def rest(probe: Probe) -> Observation:
        asked_again.add(probe.address)
        return closed(probe)

    resumed = concluded(planned, measured_with(planned, rest, kept_of(stopped, planned)), STOPPED_ID)
    assert asked_again == {"10.0.0.12"}
    in_one_go = concluded(planned, measured_with(planned, closed))
    assert verdicts(resumed) == verdicts(in_one_go)


def test_a_port_that_was_swept_and_is_asked_for_by_name_now_keeps_its_answer() -> None:
    swept = seen_from_a1(sweep=SWEPT)
    stopped = as_kept(concluded(plan(swept), measured_with(plan(swept), closed)))
    by_name = plan(replace(swept, documents=(), sweep=Sweep(SweepKind.PORTS, parse_ports("5003,5004/tcp"))))
    kept = singles(kept_of(stopped, by_name))
    assert {probe.port for probe in kept} == {5003, 5004}
    assert {answered.state for answered in kept.values()} == {PortState.CLOSED}


def test_every_port_is_kept_once_however_often_the_file_has_it() -> None:
    """Two names of one address, or a file that somebody glued together."""
    planned = plan(seen_from_a1(sweep=SWEPT))
    stopped = as_kept(concluded(planned, measured_with(planned, closed)))
    once = kept_of(stopped, planned)
    stopped["checks"] *= 2
    stopped["swept"] *= 2
    assert kept_of(stopped, planned) == once


@pytest.mark.parametrize(
    ("before", "canaries"),
    [
        ({443: open_port, 5050: open_port, 2181: closed}, {(443, PortState.OPEN), (5050, PortState.OPEN)}),
        ({443: silent, 2181: closed}, {(2181, PortState.CLOSED)}),
        ({443: silent, 2181: rejected_by("10.0.0.1")}, set()),
    ],
)
def test_a_host_that_answered_before_is_asked_whether_it_still_does(
    before: Mapping[int, Callable[[Probe], Observation]], canaries: set[tuple[int, PortState]]
) -> None:
    """Or a host that has banned us since would look like one that drops everything which is left to ask."""
    planned = plan(seen_from_a1())
    stopped = measured_with(planned, lambda probe: before.get(probe.port, unknown(Reason.LOST_CONTACT))(probe))
    kept = Measured(kept_of(as_kept(concluded(planned, stopped)), planned))
    of_m1 = next(probes for probes in probe_sets(planned, seed=SEED, kept=kept) if probes.address == "10.0.0.1")
    assert set(of_m1.canaries) == canaries
    assert not set(before) & {*of_m1.singly, *of_m1.in_bulk}


def test_only_packets_of_this_run_are_counted() -> None:
    planned = plan(seen_from_a1(sweep=SWEPT))
    stopped = concluded(planned, measured_with(planned, closed))
    resumed = concluded(planned, measured_with(planned, closed, kept_of(as_kept(stopped), planned)), STOPPED_ID)
    assert stopped.summary.packets > 0
    assert (resumed.summary.probes, resumed.summary.packets) == (0, 0)
    assert resumed.summary.kept == stopped.summary.probes


def test_the_first_lines_of_the_report_say_what_is_from_the_earlier_run() -> None:
    planned = plan(seen_from_a1())
    late = {443, 5050}
    stopped = measured_with(planned, lambda probe: (unknown(Reason.DEADLINE) if probe.port in late else closed)(probe))
    kept = kept_of(as_kept(concluded(planned, stopped)), planned)
    resumed = concluded(planned, measured_with(planned, open_port, kept), STOPPED_ID)
    lines = terminal.render(resumed, 110).splitlines()
    asked = resumed.summary.probes
    assert asked == sum(check.port in late for check in planned.checks)
    assert lines[2] == (
        f"This run goes on with the one of 2026-11-20 08:00 UTC: {len(kept)} answers are kept from it, "
        f"{asked} ports were asked now."
    )
    assert run_json.as_json(resumed)["resumed"] == STOPPED_ID


# --------------------------------------------------------------------------------------- what was asked for


def test_the_selection_is_that_of_the_stopped_run_without_its_deadline() -> None:
    planned = plan(seen_from_a1())
    asked = replace(
        SELECTION,
        targets=("m1", "web=10.0.0.1"),
        features={"tls": False},
        transports=("tcp",),
        strict=True,
        deadline_s=2.0,
        speed="polite",
        max_rate=2.5,
        evidence=True,
    )
    run = replace(concluded(planned, measured_with(planned, closed)), selection=asked)
    selection, phase = selection_of(as_kept(run))
    assert selection == replace(asked, deadline_s=None, resumed=STOPPED_ID)
    assert phase is planned.scope.phase


ELSEWHERE: Mapping[str, tuple[Scope, str]] = {
    "another host": (
        replace(seen_from_a1(), vantage=at("a2", HOSTS)),
        "its answers hold for a1 on machine (10.0.0.11), and this is a2 on machine (10.0.0.12)",
    ),
    "another role": (
        replace(seen_from_a1(), vantage=claimed("dcos:agent")),
        "its answers hold for a1 on machine (10.0.0.11), and this is agent on machine",
    ),
    "another machine": (
        replace(seen_from_a1(), vantage=replace(at("a1", HOSTS), machine="other")),
        "its answers hold for a1 on machine (10.0.0.11), and this is a1 on other (10.0.0.11)",
    ),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_answers_hold_for_the_place_that_asked(name: str) -> None:
    scope, message = ELSEWHERE[name]
    planned = plan(seen_from_a1())
    stopped = as_kept(concluded(planned, measured_with(planned, closed)))
    refuse_other_vantage(stopped, planned.scope.vantage)
    with pytest.raises(PortcheckError) as error:
        refuse_other_vantage(stopped, scope.vantage)
    assert str(error.value) == f"{message}; go on with it there, or check anew"


@pytest.mark.parametrize(
    ("speed", "ended_s", "expected_s"),
    [
        (Speed.NORMAL, 0, 10.1),
        (Speed.NORMAL, 4, 6.1),
        (Speed.NORMAL, 11, 0),
        (Speed.POLITE, 4, 6.1),
        (Speed.FAST, 0, 0),
        # The clock was set back.
        (Speed.NORMAL, -3600, 0),
    ],
)
def test_connections_of_the_stopped_run_count_until_they_are_forgotten(
    speed: Speed, ended_s: float, expected_s: float
) -> None:
    planned = plan(seen_from_a1())
    stopped = as_kept(concluded(planned, measured_with(planned, closed)))
    assert pause_s(stopped, speed, FINISHED + timedelta(seconds=ended_s)) == pytest.approx(expected_s)


# ------------------------------------------------------------------------------------------- hostile files

DAMAGE: Mapping[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a state that does not exist": (lambda run: run["checks"][0].update(state="ajar"), "checks[0].state is not what"),
    "a reason of another state": (
        lambda run: run["checks"][0].update(reason="no-response"),
        "checks[0].reason is none of a port that is closed",
    ),
    "port 0": (lambda run: run["checks"][0].update(port=0), "checks[0].port is not what it should be"),
    "port 65536": (lambda run: run["checks"][0].update(port=65536), "checks[0].port is not what it should be"),
    "a true port": (lambda run: run["checks"][0].update(port=True), "checks[0].port is not what it should be"),
    "a port of a thousand digits": (lambda run: run["checks"][0].update(port=10**1000), "checks[0].port is not what"),
    "an endless time": (lambda run: run["checks"][0].update(rtt_ms=float("inf")), "checks[0].rtt_ms is not what"),
    "no number": (lambda run: run["checks"][0].update(rtt_ms=float("nan")), "checks[0].rtt_ms is not what"),
    "a time of a thousand digits": (lambda run: run["checks"][0].update(rtt_ms=10**1000), "checks[0].rtt_ms is not"),
    "a responder that is no address": (
        lambda run: run["checks"][0].update(responder="\x1b[31m"),
        "checks[0].responder is not an address",
    ),
    "an ICMP code of 256": (
        lambda run: run["checks"][0].update(icmp={"type": 3, "code": 256}),
        "checks[0].icmp.code is not what it should be",
    ),
    "an attempt without a start": (
        lambda run: run["checks"][0].update(evidence=[{"lasted_s": 1}]),
        "checks[0].evidence[0].started_s is missing",
    ),
    "swept port 99999": (lambda run: run["swept"][0].update(ports="1-99999"), "swept[0].ports: port 99999 does not"),
    "a reversed sweep": (lambda run: run["swept"][0].update(ports="9-1"), "swept[0].ports: range 9-1 is reversed"),
    "a port swept twice": (
        lambda run: run["swept"][0].update(ports="1-9,3"),
        "swept[0].ports: 1-9/tcp and 3/tcp sh",
    ),
    "a sweep without detail": (lambda run: run["swept"][0].pop("detail"), "swept[0].detail is missing"),
    "an end without a zone": (lambda run: run.update(finished="2026-11-20T08:00:00"), "finished is not what"),
    "an end that is none": (lambda run: run.update(finished="\x1b[31m"), "finished is not what it should be"),
    "no seed": (lambda run: run.pop("seed"), "seed is missing"),
    "a negative seed": (lambda run: run.update(seed=-1), "seed is not what it should be"),
    "an id that is none": (lambda run: run.update(run_id="\x1b[31m"), "run_id is not what it should be"),
    "a phase that does not exist": (lambda run: run.update(phase="later"), "phase is not what it should be"),
    "a speed that does not exist": (lambda run: run["selection"].update(speed="warp"), "selection.speed is not what"),
    "a rate of 0": (lambda run: run["selection"].update(max_rate=0), "selection.max_rate is not what it should be"),
    "a feature that is text": (
        lambda run: run["selection"].update(features={"tls": "yes"}),
        "selection.features.tls is not what it should be",
    ),
    "a transport that does not exist": (
        lambda run: run["selection"].update(transports=["sctp"]),
        "selection.transports[0] is not what it should be",
    ),
    "vantages without an address": (lambda run: run["vantages"][0].pop("sources"), "vantages[0].sources is missing"),
}
"""What is done to a kept run, and what the message names."""


@pytest.fixture
def kept_run(tmp_path: Path) -> dict[str, Any]:
    """A run of two closed ports of this machine, one of them swept with others."""
    path = tmp_path / "kept.json"
    portcheck("check", "127.0.0.1", "-e", "1/tcp", "--sweep", "2-3", "-o", str(path))
    run: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
    assert (len(run["checks"]), len(run["swept"])) == (1, 1)
    return run


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_run_is_refused_with_the_key(name: str, kept_run: dict[str, Any], tmp_path: Path) -> None:
    damaged, message = DAMAGE[name]
    damaged(kept_run)
    path = tmp_path / "run.json"
    path.write_text(json.dumps(kept_run), encoding="ascii")
    done = portcheck("check", "--resume", str(path))
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"portcheck: {path}: the run is damaged: {message}")
    assert done.err.count("\n") == 1
    assert done.err.rstrip("\n").isprintable()


def test_text_of_a_kept_run_cannot_command_the_terminal(kept_run: dict[str, Any], tmp_path: Path) -> None:
    kept_run["checks"][0].update(detail="\x1b[2J[red]x" + "y" * 100_000)
    kept_run["vantages"][0]["machine"] = "\x1b[31m"
    path = tmp_path / "run.json"
    path.write_text(json.dumps(kept_run), encoding="ascii")
    done = portcheck("check", "--resume", str(path))
    assert done.status == 2
    assert "its answers hold for here on \\x1b[31m, and this is here on " in done.err
    assert len(done.err) < 1000


def without_address_or_port(run: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every key of a check and of a sweep entry once gone, and once something else."""
    for place in ("checks", "swept"):
        for key in run[place][0]:
            values: list[object] = [None, 7, "x", [[]], {}]
            for value in values:
                copy = json.loads(json.dumps(run))
                copy[place][0][key] = value
                yield copy
            copy = json.loads(json.dumps(run))
            del copy[place][0][key]
            yield copy


def test_any_damage_is_refused_or_harmless(kept_run: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    statuses = []
    for damaged in without_address_or_port(kept_run):
        path.write_text(json.dumps(damaged), encoding="ascii")
        done = portcheck("check", "--resume", str(path))
        assert done.status in (0, 1, 2), done
        assert "Traceback" not in done.err
        statuses.append(done.status)
    assert statuses.count(2) > 50


# ------------------------------------------------------------------------------------------ the command line


def test_a_run_goes_on_in_its_own_file(tmp_path: Path) -> None:
    """Nothing of it is left to ask, so no packet is sent: the port that answered may even be gone."""
    path = tmp_path / "run.json"
    first = portcheck("check", "127.0.0.1", "-e", "1/tcp", "--strict", "--max-rate", "20", "-o", str(path))
    before = json.loads(path.read_text(encoding="ascii"))
    done = portcheck("check", "--resume", str(path), "-o", str(path))
    after = json.loads(path.read_text(encoding="ascii"))
    assert done.status == first.status == 1
    assert done.err == f"{path}: nothing is left to ask: this is its report again, and no packet is sent\n"
    assert "1 answer is kept from it, 0 ports were asked now." in " ".join(done.out.split())
    assert after["resumed"] == before["run_id"] != after["run_id"]
    assert after["selection"] == {**before["selection"], "resumed": before["run_id"]}
    assert (after["summary"]["packets"], after["summary"]["kept"]) == (0, 1)
    same = ("id", "state", "outcome", "finding", "evidence", "because")
    assert [{key: check[key] for key in same} for check in after["checks"]] == [
        {key: check[key] for key in same} for check in before["checks"]
    ]
    assert [each.name for each in tmp_path.iterdir()] == ["run.json"]


def test_what_was_not_decided_is_asked(tmp_path: Path, kept_run: dict[str, Any]) -> None:
    kept_run["checks"][0].update(state="unknown", reason="interrupted")
    path = tmp_path / "run.json"
    path.write_text(json.dumps(kept_run), encoding="ascii")
    done = portcheck("check", "--resume", str(path), "--format", "json", "--speed", "fast", "--deadline", "30")
    run = json.loads(done.out)
    assert (done.status, done.err) == (1, "")
    assert (run["summary"]["kept"], run["summary"]["probes"]) == (2, 1)
    assert run["checks"][0]["state"] == "closed"
    assert (run["selection"]["speed"], run["selection"]["deadline_s"]) == ("fast", 30)


def test_what_to_check_is_not_said_twice(tmp_path: Path) -> None:
    selecting = {
        "TARGET": ["10.0.0.1"],
        "--document": ["-d", "dcos-1.11"],
        "--role": ["-r", "master"],
        "--expect": ["-e", "22/tcp"],
        "--site": ["-s", "site.yaml"],
        "--from": ["--from", "agent"],
        "--phase": ["--phase", "installed"],
        "--transport": ["--transport", "tcp"],
        "--sweep": ["--sweep", "all"],
        "--feature": ["--feature", "tls"],
        "--strict": ["--strict"],
        "--strict-sources": ["--strict-sources"],
    }
    for name, arguments in selecting.items():
        done = portcheck("check", "--resume", "run.json", *arguments)
        assert (done.status, done.out) == (2, "")
        assert done.err == (
            "portcheck: --resume takes what to check from the run in run.json: "
            f"leave out {name}, or check anew without --resume\n"
        )
