"""The run as JSON: the contract for scripts, history and every other format. Schema: run.schema.json beside this."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from portcheck.engine.probe import Attempt
from portcheck.model import Diagnosis, Expect, NotPlanned, Outcome, Provenance, Run, Verdict
from portcheck.ports import format_ports

SCHEMA = "portcheck/run/1"

Json = dict[str, Any]


def render(run: Run) -> str:
    """The run as one JSON document, two spaces deep, ending in a newline. Non-ASCII characters are escaped."""
    return json.dumps(as_json(run), indent=2, allow_nan=False) + "\n"


def as_json(run: Run) -> Json:
    """The run as plain lists and dicts. Every check is in `checks`, or as a port in `swept`."""
    scope = run.plan.scope
    singly = [verdict for verdict in run.verdicts if not _swept_and_well(verdict)]
    return {
        "schema": SCHEMA,
        "version": run.version,
        "run_id": run.run_id,
        "started": run.started,
        "finished": run.finished,
        "duration_s": run.duration_s,
        "phase": scope.phase,
        "interrupted": run.interrupted,
        "seed": run.seed,
        "selection": asdict(run.selection),
        "vantages": [
            {
                "host": scope.vantage.name,
                "roles": None if scope.vantage.roles is None else sorted(scope.vantage.roles),
                "machine": scope.vantage.machine,
                "sources": dict(scope.vantage.sources),
            }
        ],
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
        "diagnosis": [_diagnosis(diagnosis) for diagnosis in run.diagnosis],
        "checks": [_check(verdict) for verdict in singly],
        "swept": _swept(verdict for verdict in run.verdicts if _swept_and_well(verdict)),
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
        "checks": list(diagnosis.checks),
        "remedy": diagnosis.remedy,
    }


def _provenance(place: Provenance) -> Json:
    return {"document": place.document, "section": place.section, "row": place.row}


def _check(verdict: Verdict) -> Json:
    check, observation = verdict.check, verdict.observation
    icmp = None if observation.icmp is None else {"type": observation.icmp[0], "code": observation.icmp[1]}
    return {
        "id": check.id,
        "source": {"host": check.source, "role": check.source_role},
        "target": {"host": check.host, "address": check.address, "family": check.family, "role": check.role},
        "transport": check.transport,
        "port": check.port,
        "range": None,
        "services": list(check.services),
        "notes": list(check.notes),
        "document": check.documents[0] if check.documents else None,
        "expect": check.expect,
        "level": check.level,
        "state": observation.state,
        "reason": observation.reason,
        "detail": observation.detail,
        "responder": observation.responder,
        "icmp": icmp,
        "errno": observation.errno,
        "rtt_ms": observation.rtt_ms,
        "attempts": len(observation.attempts),
        "flaky": observation.flaky,
        "inferred": observation.inferred,
        "answer": None,
        "evidence": [_attempt(attempt) for attempt in observation.attempts],
        "outcome": verdict.outcome,
        "certainty": verdict.certainty,
        "finding": verdict.finding,
        "because": verdict.because,
        "doubt": check.doubt,
        "waived": verdict.waived,
        "provenance": [_provenance(place) for place in check.provenance],
    }


def _attempt(attempt: Attempt) -> Json:
    return asdict(attempt)


def _swept_and_well(verdict: Verdict) -> bool:
    return verdict.check.expect is Expect.NOT_OPEN and verdict.outcome is Outcome.PASS


def _swept(verdicts: Iterable[Verdict]) -> list[Json]:
    """Passing sweep results, one entry for each target and way of passing, with its ports as a set."""
    groups: dict[tuple[str, str, str | None, str, str, str], list[int]] = {}
    for verdict in verdicts:
        check, seen = verdict.check, verdict.observation
        key = (check.source, check.host, check.address, str(check.transport), str(seen.state), str(seen.reason))
        groups.setdefault(key, []).append(check.port or 0)
    return [
        {
            "source": source,
            "target": {"host": host, "address": address},
            "transport": transport,
            "state": state,
            "reason": reason,
            "outcome": "pass",
            "ports": format_ports(sorted(ports)),
        }
        for (source, host, address, transport, state, reason), ports in groups.items()
    ]
