"""Measure normalize and the rules for each format: CPU per event, events per CPU second.

    python benchmarks/formats.py [FORMAT...]

The golden records of a format with which nothing is wrong, over and over with other numbers in them
(ids, times, ports), so that no cache of whole records can help. Best of three, user and system CPU.
Figures compare within one run only: other work on the machine slows all of them.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cpu_time import best

from detectors.engine import detect
from detectors.possible import possible
from detectors.sigma.compiler import load_rules
from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Records
from worker.garbage import collect_rarely
from worker.settings import shipped_rules

if TYPE_CHECKING:
    from detectors.sigma.rule import Rule

GOLDEN: Final = Path(__file__).resolve().parent.parent / "tests" / "ingest" / "formats" / "golden"
RECORDS: Final = 10_000
CHUNK: Final = 500
GOAL: Final = 30_000
GOALS: Final = {"auditd": 15_000}
_RUN: Final = 5
"""Digits of a number that is varied: years, ports and short ids stay as they are."""


def varied(raw: bytes, number: int) -> bytes:
    """Return a record with other last digits in each of its long numbers."""
    out, digits = bytearray(raw), 0
    for at, byte in enumerate(raw):
        if 0x30 <= byte <= 0x39:
            digits += 1
            continue
        if digits >= _RUN:
            out[at - 3 : at] = b"%03d" % (number % 1_000)
        digits = 0
    return bytes(out)


def chunks_of(entries: list[dict[str, Any]]) -> list[Records]:
    raws = [entry["raw"].encode() for entry in entries if "raw" in entry]
    many = [varied(raw, n) for n, raw in enumerate(islice(cycle(raws), RECORDS))]
    received = datetime(2026, 11, 21, 12, tzinfo=UTC)
    return [
        Records(
            "bench",
            many[at : at + CHUNK],
            list(range(at, at + len(many[at : at + CHUNK]))),
            received=[received] * len(many[at : at + CHUNK]),
        )
        for at in range(0, RECORDS, CHUNK)
    ]


def is_ordinary(entry: dict[str, Any]) -> bool:
    """Whether nothing is wrong with a record: what is cut off or mistyped is rare, and slow."""
    events = entry.get("events", [])
    return bool(events) and not any("trailwarden.parse.issues" in event for event in events)


def measure(name: str, entries: list[dict[str, Any]], rules: tuple[Rule, ...]) -> None:
    settings = NormalizeSettings("bench")
    chunks = chunks_of(entries)
    found = normalize(chunks, settings)
    events, refused = found.events.height, len(found.refused)
    if not events:
        print(f"{name:20} no events, {refused} of {RECORDS} refused")
        return
    seconds = best(lambda: normalize(chunks, settings))
    ruled = best(lambda: detect(found.events, rules))
    rate, goal = events / seconds, GOALS.get(name, GOAL)
    size = sum(len(raw) for chunk in chunks for raw in chunk.raws) / events
    print(
        f"{name:20} {size:7,.0f} bytes {seconds / events * 1e6:7.1f} us an event, rules"
        f" {ruled / events * 1e6:5.1f} us {rate:10,.0f} a CPU second"
        f" {'' if rate >= goal else f'  BELOW {goal:,}'}"
        f"{f'  ({refused} refused)' if refused else ''}"
    )


def main() -> None:
    rules = tuple(possible(rule) for rule in load_rules([shipped_rules()]))
    collect_rarely()
    for file in sorted(GOLDEN.glob("*.json")):
        if not sys.argv[1:] or file.stem in sys.argv[1:]:
            entries = [e for e in json.loads(file.read_bytes()) if not e["hostile"]]
            measure(file.stem, [e for e in entries if is_ordinary(e)], rules)


if __name__ == "__main__":
    main()
