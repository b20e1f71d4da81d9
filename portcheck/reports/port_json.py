"""What all documents say of a port, for programs. The schema is portcheck/reports/port.schema.json."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from portcheck.knowledge.said import About, InRange, Naming, Need, Survey, Use
from portcheck.model import KnownPorts, Ports, Provenance

SCHEMA = "portcheck/port/1"

Json = dict[str, Any]


def render(question: str, said: Iterable[About | Survey]) -> str:
    """The answer to one `explain PORT`: an entry of `ports` or `surveys` for each port or range in question."""
    answers = list(said)
    page: Json = {
        "schema": SCHEMA,
        "question": question,
        "ports": [_about(each) for each in answers if isinstance(each, About)],
        "surveys": [_survey(each) for each in answers if isinstance(each, Survey)],
    }
    return json.dumps(page, indent=2) + "\n"


def _about(about: About) -> Json:
    return {
        "port": about.port,
        "transports": list(about.transports),
        "ranges": [_in_range(each) for each in about.ranges],
        "needs": [_need(each, about) for each in (*about.needs, *about.some_of)],
        "names": [_naming(each, about, dynamic=False) for each in about.namings],
        "dynamic": [_naming(each, about, dynamic=True) for each in about.dynamic],
        "uses": [_use(each) for each in about.uses],
        "disagreements": [{"kind": each.kind, "text": each.text} for each in about.disagreements],
    }


def _need(need: Need, about: About) -> Json:
    expectation = need.expectation
    return {
        "document": need.document.id,
        "product": need.document.product,
        "service": expectation.service,
        "unit": expectation.unit,
        "ports": [_ports(item) for item in need.at(about.transports, about.port)],
        "from": list(expectation.sources),
        "from_including": list(need.starters_too),
        "to": list(expectation.to),
        "to_including": list(need.listeners_too),
        "local_only": need.local_only,
        "level": expectation.level,
        "when": expectation.when,
        "listen": expectation.listen,
        "answers": expectation.answers,
        "present_before_install": expectation.present_before_install,
        "note": expectation.note,
        "doubt": expectation.doubt,
        "provenance": [_place(place) for place in expectation.provenance],
    }


def _naming(naming: Naming, about: About, dynamic: bool) -> Json:
    service = naming.service
    known = naming.at(about.transports, about.port, dynamic) if about.port is not None else ()
    return {
        "document": naming.reference.id,
        "title": naming.reference.title,
        "service": service.service,
        "ports": [_ports(item) for item in known],
        "names": list(service.names),
        "remarks": list(service.remarks),
        "note": service.note,
        "doubt": service.doubt,
        "provenance": [_place(service.provenance)],
    }


def _use(use: Use) -> Json:
    return {"document": use.naming.reference.id, "service": use.naming.service.service, "of": use.of.service}


def _survey(survey: Survey) -> Json:
    return {
        "first": survey.first,
        "last": survey.last,
        "transports": list(survey.transports),
        "ranges": [_in_range(each) for each in survey.ranges],
        "named": [
            {"port": each.number, "transports": list(each.transports), "known_for": each.phrase}
            for each in survey.named
        ],
        "spans": [
            {
                "first": each.first,
                "last": each.last,
                "transport": each.transport,
                "taken": each.taken,
                "known_for": each.phrase,
            }
            for each in survey.spans
        ],
        "dynamic": [{"document": each.reference.id, "service": each.service.service} for each in survey.dynamic],
    }


def _in_range(each: InRange) -> Json:
    part = each.part
    return {
        "document": each.reference.id,
        "title": part.title,
        "first": part.first,
        "last": part.last,
        "note": part.note,
    }


def _ports(item: Ports | KnownPorts) -> Json:
    return {"transport": item.transport, "first": item.first, "last": item.last}


def _place(place: Provenance) -> Json:
    return {"document": place.document, "section": place.section, "row": place.row}
