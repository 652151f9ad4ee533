"""Mutate real audit events and run them through the whole path: `make fuzz EVENTS=1000000`.

Two mutators: by field (the result is still JSON: another type, a huge number, a missing or foreign
member, hostile text) and by byte (cut, flipped, inserted). Between the mutated records stand good
ones; no batch may fail, every good record must come out unchanged, and every record must be an
event or refused.
"""

from __future__ import annotations

import copy
import gzip
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from detectors.ruleset import look
from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Records
from ingest.redact.token import Redactor
from worker.repeats import Repeats
from worker.rulesets import load_ruleset

ROOT: Final = Path(__file__).resolve().parent.parent
SAMPLE: Final = ROOT / "examples" / "sample-audit.log.gz"
CHUNK: Final = 500
BATCH: Final = 5_000
GOOD_EVERY: Final = 10
BY_FIELD: Final = 0.6

ODD: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    1e308,
    "",
    "0",
    "\x00",
    "\u202e",
    "<script>",
    "x" * 5_000,
    "[redacted:0123456789abcdef]",
    "2026-13-45T99:99:99Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "password=hunter2hunter2",
    [],
    {},
    [None],
    [[]],
    [{}],
    {"": ""},
    ["a", 1, None],
    {"a": {"b": {"c": []}}},
)
BYTES: Final = b'{}[]",:\\\x00\xff\n\xc3 e0'


@dataclass(slots=True)
class Tally:
    """What a run did."""

    mutated: int = 0
    valid_json: int = 0
    good: int = 0
    events: int = 0
    refused: int = 0
    found: int = 0
    lost: list[str] = field(default_factory=list)


def lines() -> list[bytes]:
    return gzip.decompress(SAMPLE.read_bytes()).splitlines()


def mutate_field(line: bytes, rng: random.Random) -> bytes:
    """Change one to three places of the parsed record."""
    document = orjson.loads(line)
    for _ in range(rng.randint(1, 3)):
        node: Any = document
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = rng.choice(keys)
            if isinstance(node[key], dict | list) and node[key] and rng.random() < 0.75:
                node = node[key]
                continue
            choice = rng.random()
            if choice < 0.6:
                node[key] = copy.deepcopy(rng.choice(ODD))
            elif choice < 0.8:
                del node[key]
            elif isinstance(node, dict):
                node[str(rng.choice(ODD))[:50]] = copy.deepcopy(node[key])
            else:
                node.append(copy.deepcopy(node[key]))
            break
    return orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS)


def mutate_bytes(line: bytes, rng: random.Random) -> bytes:
    """Cut, flip or insert bytes."""
    data = bytearray(line)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) or 1)
        choice = rng.random()
        if choice < 0.4 and data:
            data[at] = rng.choice(BYTES)
        elif choice < 0.7:
            data[at:at] = bytes([rng.choice(BYTES)])
        elif choice < 0.9:
            del data[at : at + rng.randint(1, 40)]
        else:
            del data[at:]
    return bytes(data).replace(b"\n", b" ") or b"{"


def is_json(raw: bytes) -> bool:
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    return True


def batches(count: int, seed: int, tally: Tally) -> Iterator[tuple[list[bytes], dict[int, bytes]]]:
    """Yield batches of records, and which of them are untouched."""
    rng = random.Random(seed)
    originals = lines()
    while tally.mutated < count:
        raws: list[bytes] = []
        good: dict[int, bytes] = {}
        for position in range(min(BATCH, count - tally.mutated + 1)):
            line = rng.choice(originals)
            if position % GOOD_EVERY == 0:
                good[position] = line
                raws.append(line)
                continue
            mutate = mutate_field if rng.random() < BY_FIELD else mutate_bytes
            raws.append(mutate(line, rng))
            tally.mutated += 1
            tally.valid_json += is_json(raws[-1])
        yield raws, good


def run(count: int, seed: int) -> Tally:
    """Run mutated events through normalize, rules, memory, learned detectors, and serialize.

    Raises
        AssertionError: a record has vanished or a good record was changed.
    """
    tally = Tally()
    rules = load_ruleset([], learning_time=False)
    settings = NormalizeSettings("fuzz", Redactor(b"fixed"))
    for raws, good in batches(count, seed, tally):
        chunks = [
            Records("fuzz", raws[i : i + CHUNK], list(range(i, i + len(raws[i : i + CHUNK]))))
            for i in range(0, len(raws), CHUNK)
        ]
        batch = normalize(chunks, settings)
        places = set(batch.events["log.offset"]) | {record.offset for record in batch.refused}
        assert places == set(range(len(raws))), "a record is neither event nor refused"
        _check_good(batch.events, good, settings, tally)
        state = rules.remembered()
        events = Repeats().drop(batch.events, None)
        looked = look(events, rules)
        state.add(events, looked.hits, None, looked.flagged)
        for finding in (*looked.reported.findings, *state.release(None).findings):
            orjson.dumps(finding.document)
            tally.found += 1
        tally.events += batch.events.height
        tally.refused += len(batch.refused)
    return tally


def _check_good(
    events: Any, good: dict[int, bytes], settings: NormalizeSettings, tally: Tally
) -> None:
    alone = normalize([Records("fuzz", list(good.values()), list(good))], settings).events
    beside = events.filter(events["log.offset"].is_in(list(good)))
    assert beside.equals(alone), "a good record was changed by its neighbours"
    tally.good += len(good)


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    start = int(sys.argv[2]) if len(sys.argv) > 2 else 20261121
    done = run(wanted, start)
    share = done.valid_json / done.mutated
    print(
        f"seed {start}: {done.mutated:,} mutated ({share:.0%} valid JSON) and {done.good:,} good"
        f" records: {done.events:,} events, {done.refused:,} refused, {done.found:,} findings;"
        " no batch failed, no good record changed"
    )
