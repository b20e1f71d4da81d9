"""Hostile replies: mutations of the golden ones, through the reading of every protocol. No exception, none over 50 ms.

    python -m tests.bench.mutated_replies [HOW MANY IN ALL, 1000000]

Prints a table, and ends with status 1 when a reply was slow or made a dissector raise.
"""

from __future__ import annotations

import importlib
import pkgutil
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import tests.probes
from portcheck.engine.probe import Question, Reply
from portcheck.probes import read
from portcheck.probes.registry import CODECS
from tests.probes.exchange import asked

IN_ALL = 1_000_000
LIMIT_MS = 50.0
LONGEST = 2048
"""What the engine hands on of a reply (portcheck.engine.probe.Reply)."""
SECRETS = {"snmp_community": "s3cret", "radius_secret": "testing123"}


@cache
def golden_replies() -> dict[str, tuple[bytes, ...]]:
    """By protocol, the valid replies of the tests in tests/probes."""
    found: dict[str, tuple[bytes, ...]] = {}
    for each in pkgutil.iter_modules(tests.probes.__path__):
        if each.name.startswith("test_") and each.name != "test_registry":
            module = importlib.import_module(f"tests.probes.{each.name}")
            for name, replies in getattr(module, "REPLIES", {}).items():
                found[name] = (*found.get(name, ()), *replies)
    return found


@cache
def seeds_of(name: str) -> tuple[bytes, ...]:
    """What is mutated: its golden replies, or our own requests while there are none."""
    return golden_replies().get(name, asked(name, **SECRETS).payloads)


# --------------------------------------------------------------------------------------------- mutations

Mutation = Callable[[random.Random, bytearray], None]


def flip_bits(chance: random.Random, data: bytearray) -> None:
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def set_extremes(chance: random.Random, data: bytearray) -> None:
    """Lengths, counts and pointers are wrong at their ends first."""
    for _ in range(chance.randint(1, 4)):
        data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7F, 0x80, 0x84, 0xC0, 0xFE, 0xFF))


def set_long_number(chance: random.Random, data: bytearray) -> None:
    at = chance.randrange(len(data))
    data[at : at + 4] = chance.choice((0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFF)).to_bytes(4, "big")


def cut(chance: random.Random, data: bytearray) -> None:
    del data[chance.randrange(len(data)) :]


def remove(chance: random.Random, data: bytearray) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.randint(1, 16)]


def insert(chance: random.Random, data: bytearray) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.randbytes(chance.randint(1, 64))


def repeat(chance: random.Random, data: bytearray) -> None:
    """A piece many times over: nesting, lists without end."""
    at = chance.randrange(len(data))
    piece = bytes(data[at : at + chance.randint(1, 40)])
    data[at:at] = piece * chance.randint(2, 200)


def fill(chance: random.Random, data: bytearray) -> None:
    """The tail is one byte: pointers at themselves, zeros, letters."""
    at = chance.randrange(len(data))
    data[at:] = bytes((chance.choice((0, 0xC0, 0xFF, 0x30, 0x41, chance.randrange(256))),)) * (LONGEST - at)


MUTATIONS: Sequence[Mutation] = (flip_bits, set_extremes, set_long_number, cut, remove, insert, repeat, fill)


def mutate(chance: random.Random, seed: bytes) -> bytes:
    """One to three mutations; a reply that is empty by then stays so."""
    data = bytearray(seed)
    for _ in range(chance.randint(1, 3)):
        if data:
            chance.choice(MUTATIONS)(chance, data)
    return bytes(data[:LONGEST])


# --------------------------------------------------------------------------------------------- measuring


@dataclass
class Row:
    """What happened to the replies of one protocol; `worst` is the reply that took longest."""

    name: str
    read: int = 0
    valid: int = 0
    raised: int = 0
    slow: int = 0
    worst_ms: float = 0.0
    worst: bytes = b""
    total_s: float = 0.0
    complaint: str = ""


def measured(name: str, how_many: int, chance: random.Random) -> Row:
    row, question, seeds = Row(name), asked(name, **SECRETS), seeds_of(name)
    for _ in range(how_many):
        one(row, question, mutate(chance, chance.choice(seeds)))
    return row


def one(row: Row, question: Question, data: bytes) -> None:
    started_s = time.perf_counter()
    spoken = read(row.name, question, Reply(data, "192.0.2.7", 0))
    took_ms = (time.perf_counter() - started_s) * 1000
    if took_ms > LIMIT_MS:
        # Once more: on a machine with other work, time may have gone elsewhere.
        again_s = time.perf_counter()
        read(row.name, question, Reply(data, "192.0.2.7", 0))
        took_ms = min(took_ms, (time.perf_counter() - again_s) * 1000)
    row.read += 1
    row.total_s += took_ms / 1000
    row.slow += took_ms > LIMIT_MS
    if took_ms > row.worst_ms:
        row.worst_ms, row.worst = took_ms, data
    if spoken.protocol == row.name:
        row.valid += 1
        return
    # read() hides what a dissector raised, so those that it did not understand are asked again.
    try:
        CODECS[row.name].interpret(question.payloads, data)
    except Exception as error:
        row.raised += 1
        row.complaint = f"{type(error).__name__}: {error} of {data[:64].hex()}"


def table(rows: Sequence[Row]) -> Iterator[str]:
    yield f"{'protocol':18} {'read':>9} {'valid':>8} {'raised':>7} {'slow':>5} {'mean us':>8} {'worst ms':>9}"
    for row in rows:
        mean_us = row.total_s / max(row.read, 1) * 1e6
        numbers = f"{row.read:9} {row.valid:8} {row.raised:7} {row.slow:5} {mean_us:8.1f} {row.worst_ms:9.2f}"
        yield f"{row.name:18} {numbers}  {row.complaint}".rstrip()


def main(in_all: int) -> int:
    each = -(-in_all // len(CODECS))
    rows = [measured(name, each, random.Random(name)) for name in CODECS]
    read_in_all, raised, slow = (sum(getattr(row, key) for row in rows) for key in ("read", "raised", "slow"))
    said = f"{read_in_all} replies of {len(rows)} protocols: {raised} made a dissector raise, {slow} took over 50 ms"
    sys.stdout.write("\n".join([*table(rows), said, ""]))
    return 1 if raised or slow else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else IN_ALL))
