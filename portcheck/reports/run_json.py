"""The run as JSON: the contract for scripts, history and every other format. Schema: run.schema.json beside this."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from portcheck.engine.probe import Observation, Standing, StandInReport
from portcheck.holding import holders
from portcheck.model import (
    Diagnosis,
    Expect,
    HeardStandIn,
    NotPlanned,
    Outcome,
    Ports,
    Provenance,
    Run,
    Vantage,
    Verdict,
)
from portcheck.ports import format_ports

SCHEMA = "portcheck/run/1"

_NOT_WELL = frozenset({Outcome.FAIL, Outcome.WARN, Outcome.INCONCLUSIVE})
"""What somebody will ask about: its attempts are always in the JSON."""

Json = dict[str, Any]


def render(run: Run) -> str:
    """The run as one JSON document, two spaces deep, ending in a newline. Non-ASCII characters are escaped."""
    return json.dumps(as_json(run), indent=2, allow_nan=False) + "\n"


def as_json(run: Run) -> Json:
    """The run as plain lists and dicts. Every check is in `checks`, or as a port in `swept`."""
    scope, evidence = run.plan.scope, run.selection.evidence
    swept = [verdict for verdict in run.verdicts if verdict.alike or (_swept_and_well(verdict) and not evidence)]
    listed = {id(verdict) for verdict in swept}
    singly = [verdict for verdict in run.verdicts if id(verdict) not in listed]
    return {
        "schema": SCHEMA,
        "version": run.version,
        "run_id": run.run_id,
        "resumed": run.selection.resumed,
        "started": run.started,
        "finished": run.finished,
        "duration_s": run.duration_s,
        "phase": scope.phase,
        "interrupted": run.interrupted,
        "seed": run.seed,
        "selection": asdict(run.selection),
        "vantages": [vantage_json(scope.vantage)],
        "documents": [{"id": d.id, "title": d.title, "version": d.version} for d in scope.documents],
        "notices": [{"document": d.id, "text": notice} for d in scope.documents for notice in d.notices],
        "not_planned": [_not_planned(entry) for entry in run.plan.not_planned],
        "not_checkable": [
            {**_provenance(entry.provenance), "reason": entry.reason}
            for d in scope.documents
            for entry in d.not_checkable
        ],
        "answer": asdict(run.answer),
        "summary": _summary(run),
        "warnings": list(run.warnings),
        "facts": list(run.facts),
        "diagnosis": [_diagnosis(diagnosis) for diagnosis in run.diagnosis],
        "stand_ins": [_stand_in(heard) for heard in run.stand_ins],
        "checks": [_check(verdict, evidence) for verdict in singly],
        "swept": _swept(swept),
    }


def vantage_json(vantage: Vantage) -> Json:
    """Where the probes of a run started; a run that goes on with another one must start at the same."""
    return {
        "host": vantage.name,
        "roles": None if vantage.roles is None else sorted(vantage.roles),
        "machine": vantage.machine,
        "sources": dict(vantage.sources),
    }


def _summary(run: Run) -> Json:
    counts = asdict(run.summary)
    words = {"passed": "pass", "failed": "fail", "warned": "warn", "informed": "info"}
    return {words.get(name, name): number for name, number in counts.items()}


def _not_planned(entry: NotPlanned) -> Json:
    return {"gap": entry.gap, "flows": entry.flows, "text": entry.text}


def _diagnosis(diagnosis: Diagnosis) -> Json:
    return {
        "cause": diagnosis.cause,
        "outcome": diagnosis.outcome,
        "text": diagnosis.headline,
        "lines": list(diagnosis.lines),
        "count": diagnosis.count,
        "checks": list(diagnosis.checks),
        "remedy": diagnosis.remedy,
    }


def _provenance(place: Provenance) -> Json:
    return {"document": place.document, "section": place.section, "row": place.row}


def _check(verdict: Verdict, evidence: bool) -> Json:
    check, observation = verdict.check, verdict.observation
    shown = observation.attempts if evidence or verdict.outcome in _NOT_WELL else ()
    return {
        "id": check.id,
        "source": {"host": check.source, "role": check.source_role},
        "target": {"host": check.host, "address": check.address, "family": check.family, "role": check.role},
        "transport": check.transport,
        "port": check.port,
        "range": _range(check.range),
        "services": list(check.services),
        "notes": list(check.notes),
        "document": check.documents[0] if check.documents else None,
        "expect": check.expect,
        "level": check.level,
        "state": observation.state,
        "reason": observation.reason,
        "detail": observation.detail,
        "responder": observation.responder,
        "icmp": _icmp(observation),
        "errno": observation.errno,
        "rtt_ms": observation.rtt_ms,
        "attempts": len(observation.attempts),
        "flaky": observation.flaky,
        "inferred": observation.inferred,
        "answer": observation.answer,
        "speaks": observation.speaks,
        "echo": None if observation.echo is None else asdict(observation.echo),
        "holders": [asdict(holder) for holder in holders(observation, verdict.seen)],
        "should_speak": list(check.speaks),
        "answers": check.answers,
        "evidence": [asdict(attempt) for attempt in shown],
        "outcome": verdict.outcome,
        "certainty": verdict.certainty,
        "finding": verdict.finding,
        "because": verdict.because,
        "doubt": check.doubt,
        "known_for": verdict.known_for,
        "waived": verdict.waived,
        "provenance": [_provenance(place) for place in check.provenance],
    }


def _range(ports: Ports | None) -> str | None:
    return None if ports is None else f"{ports.first}-{ports.last}"


def _stand_in(heard: HeardStandIn) -> Json:
    report = heard.report
    return {
        "host": heard.host,
        "address": heard.address,
        "stack": report.stack,
        "name": report.name,
        "listening": len(_ports(report, Standing.LISTENING)),
        "in_use": _ports(report, Standing.IN_USE),
        "not_opened": _ports(report, Standing.NEEDS_PRIVILEGE, Standing.FAILED),
    }


def _ports(report: StandInReport, *standings: Standing) -> list[str]:
    """Each once, however many addresses it was to be opened on."""
    found = sorted({(port.transport, port.port) for port in report.ports if port.standing in standings})
    return [f"{port}/{transport}" for transport, port in found]


def _icmp(observation: Observation) -> Json | None:
    return None if observation.icmp is None else {"type": observation.icmp[0], "code": observation.icmp[1]}


def _swept_and_well(verdict: Verdict) -> bool:
    return verdict.check.expect is Expect.NOT_OPEN and verdict.outcome is Outcome.PASS


def _swept(verdicts: Iterable[Verdict]) -> list[Json]:
    """Results of the sweep: one entry for each target and result, with its ports as a set."""
    groups: dict[object, tuple[Json, array[int]]] = {}
    for verdict in verdicts:
        entry = _swept_entry(verdict)
        key = tuple(str(value) for name, value in entry.items() if name != "because")
        groups.setdefault(key, (entry, array("H")))[1].extend(verdict.alike or [verdict.check.port or 0])
    return [{**entry, "ports": format_ports(ports)} for entry, ports in groups.values()]


def _swept_entry(verdict: Verdict) -> Json:
    check, seen = verdict.check, verdict.observation
    return {
        "source": check.source,
        "target": {"host": check.host, "address": check.address},
        "transport": check.transport,
        "state": seen.state,
        "reason": seen.reason,
        "detail": seen.detail,
        "responder": seen.responder,
        "icmp": _icmp(seen),
        "inferred": seen.inferred,
        "outcome": verdict.outcome,
        "certainty": verdict.certainty,
        "finding": verdict.finding,
        "because": verdict.because,
        "waived": verdict.waived,
    }
