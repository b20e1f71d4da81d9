"""What `explain` needs of a run's JSON, and where a file that was cut or edited departs from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from portcheck.model import Expect

Shape = Any
"""A type; a tuple of alternatives (None: null); a set of words; a pattern of a whole string; a range of integers;
[item]; {key: value}, where the key `...` stands for whatever keys there are, and one with a ? may be missing."""
_MAY_BE_MISSING = "?"

_WORDS = frozenset(str(expect) for expect in Expect)
_TEXT = (str, None)
_NUMBER = (float, int)
_ICMP: Shape = ({"type": int, "code": int}, None)
_LARGEST = 2**63
"""A longer number is none of ours, and floating point has no room for the longest."""

PORT_SET: Shape = re.compile(r"[0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}(-[0-9]{1,5})?)*")

HEAD: Shape = {
    "documents": [{"id": str, "title": str}],
    "vantages": [{"host": str, "machine": str}],
    "phase": str,
    "checks": [{"id": str}],
    "swept": [
        {
            "source": str,
            "target": {"host": str, "address": _TEXT},
            "transport": str,
            "state": str,
            "reason": str,
            "detail": _TEXT,
            "responder": _TEXT,
            "icmp": _ICMP,
            "inferred": bool,
            "outcome": str,
            "certainty": str,
            "finding": str,
            "because": str,
            "waived": _TEXT,
            "ports": PORT_SET,
        }
    ],
}
"""The run as a whole, and what is needed of every check to find one."""

CHECK: Shape = {
    "source": {"host": str},
    "target": {"host": str, "address": _TEXT, "role": str},
    "transport": str,
    "port": (int, None),
    "services": [str],
    "notes": [str],
    "expect": _WORDS,
    "level": str,
    "state": str,
    "reason": str,
    "detail": _TEXT,
    "responder": _TEXT,
    "icmp": _ICMP,
    "errno": (int, None),
    "rtt_ms": (*_NUMBER, None),
    "attempts": int,
    "flaky": bool,
    "inferred": bool,
    "answer?": _TEXT,
    "speaks?": _TEXT,
    "range?": _TEXT,
    "echo?": (
        {"stack": str, "name": str, "is_stated": bool, "address": str, "port": int, "peer": str, "peer_port": int},
        None,
    ),
    "holders?": [
        {
            "address": str,
            "connected": bool,
            "pid": (int, None),
            "process": _TEXT,
            "unit": _TEXT,
            "uid": (int, None),
            "stand_in": bool,
        }
    ],
    "should_speak?": [str],
    "answers?": str,
    "evidence": [
        {
            "started_s": _NUMBER,
            "lasted_s": _NUMBER,
            "source_port": (int, None),
            "syns": (int, None),
            "result": str,
            "source_address": _TEXT,
        }
    ],
    "outcome": str,
    "certainty": str,
    "finding": str,
    "because": str,
    "doubt": _TEXT,
    "known_for?": _TEXT,
    "waived": _TEXT,
    "provenance": [{"document": str, "section": str, "row": str}],
}
"""The one check that is explained."""


def damage(value: object, shape: Shape, where: str = "") -> str | None:
    """Where `value` first departs from `shape`: `checks[3].target is missing`; None when it does not."""
    match shape:
        case tuple():
            found = [damage(value, each, where) for each in shape]
            return None if None in found else found[0]
        case Mapping():
            return _damage_in_mapping(value, shape, where)
        case list():
            if not isinstance(value, list):
                return f"{where} is not a list"
            return next(filter(None, (damage(v, shape[0], f"{where}[{n}]") for n, v in enumerate(value))), None)
        case _:
            return None if _fits(value, shape) else f"{where} is not what it should be"


def _damage_in_mapping(value: object, shape: Mapping[Any, Shape], where: str) -> str | None:
    if not isinstance(value, dict):
        return f"{where} is not an object"
    if ... in shape:
        expected = dict.fromkeys(value, shape[...])
    else:
        there = {name: name.removesuffix(_MAY_BE_MISSING) for name in shape}
        expected = {key: shape[name] for name, key in there.items() if key == name or key in value}
    for key, inner in expected.items():
        path = f"{where}.{key}" if where else key
        found = damage(value[key], inner, path) if key in value else f"{path} is missing"
        if found:
            return found
    return None


def _fits(value: object, shape: Shape) -> bool:
    match shape:
        case None:
            return value is None
        case frozenset():
            return isinstance(value, str) and value in shape
        case re.Pattern():
            return isinstance(value, str) and shape.fullmatch(value) is not None
        case range():
            return type(value) is int and value in shape
        case _:
            # A bool is an int to Python, but not to JSON.
            if isinstance(value, bool):
                return shape is bool
            return isinstance(value, shape) and not _is_endless(value)


def _is_endless(value: object) -> bool:
    """Infinity, NaN (which Python's reader lets through), and numbers too long for floating point."""
    return isinstance(value, int | float) and not abs(value) < _LARGEST
