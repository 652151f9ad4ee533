"""No value in any field makes the real Elasticsearch refuse a document, or its mapping grow."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson
import polars as pl
import pytest

from detectors.case_events import normalized
from detectors.cases import load_cases
from detectors.correlation.released import Released
from detectors.finding import Finding
from detectors.known_columns import KNOWN_DTYPES
from detectors.ruleset import look, ruleset
from detectors.sigma.compiler import load_pack
from detectors.sigma.rule import Level
from ingest.column import FLAG, NUMBER, NUMBERS, TEXTS, TIME
from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Records
from ingest.schema import DTYPES
from sinks.elasticsearch.bulk import BulkWriter
from sinks.elasticsearch.connection import Client
from sinks.elasticsearch.documents import (
    Document,
    closing_document,
    event_documents,
    finding_document,
)
from sinks.elasticsearch.fields import dotted, finding_fields
from sinks.elasticsearch.flattened import OBJECTS
from sinks.elasticsearch.setup import apply, changes
from sinks.elasticsearch.setup_check import checker
from sinks.elasticsearch.templates import SetupOptions
from sinks.elasticsearch.transport import require
from tests.fuzz_events import Tally, batches
from worker.settings import shipped_rules

pytestmark = pytest.mark.integration

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BULK_BYTES = 5 << 20
MEGABYTE = 1_000_000
REASON = "first `exec pods` in 41 days for this service account; 0 of 17 peers do it "

STRINGS = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ufffd\uffff\U0010ffff",
    "\u2028\u202e\ufeff",
    "'\"\\\n\r\t\x1b",
    "null",
    "{",
    "-",
    "..",
    "999.999.999.999",
    "::1%eth0",
    "1.2.3.4/99",
    "0001-01-01T00:00:00Z",
    "+292277026596-12-04T15:30:08Z",
    "9" * 400,
    "x" * 1_025,
    "\U0001f600" * 8_191,
    "\u20ac" * 32_766,
    "x" * 33_000,
    "x" * MEGABYTE,
    "a b " * (MEGABYTE // 4),
]
NUMBERS_ = [0, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)]
MICROSECONDS = [
    int(NOW.timestamp()) * 1_000_000 + 1,
    0,
    -62_135_596_800_000_000,  # year 1
    -62_135_596_800_000_001,
    253_402_300_799_999_999,  # end of year 9999
    253_402_300_800_000_000,
    2**62,
    -(2**62),
]


def _nested(depth: int, key: str) -> str:
    return f'{{"{key}":' * depth + "1" + "}" * depth


BODIES = [
    *("", "null", "1", '"x"', "[]", "{}", "[1]", "[[]]", "[{}]", '[{"a":1},2]', "{", "nan"),
    *(json.dumps({key: key}) for key in STRINGS),
    *(json.dumps([{"op": key}, {key: [key]}]) for key in STRINGS),
    *(_nested(depth, "k") for depth in (19, 20, 21, 22, 300, 1_000, 20_000)),
    *(_nested(20, "k" * size) for size in (383, 384, 385, 2_000)),
    _nested(19, "\u20ac" * 400),
    "[" * 600 + "]" * 600,
    "[" * 600 + '{"a":1}' + "]" * 600,
    '{"k":' + "[" * 400 + "]" * 400 + "}",
    json.dumps({f"k{number}": number for number in range(10_000)}),
    json.dumps({f"k{number}": {"k": [number]} for number in range(10_000)}),
    '{"a":1,"a":{"b":2},"a.b":3,"a":[{"a":1},2]}',
    '{"__proto__":{"constructor":1},"_id":1,"_source":{},"_index":"x","@timestamp":"no"}',
    '{"":{"":{"":1}},".":1,"..":{"...":2},"a..b":1,".a":1,"a.":1," ":1}',
    '{"a":"\\ud800","\\udfff":1}',
    '{"\\u0000":{"\\u0000":"\\u0000"},"a\\u0000b":[{"\\u0000":1}]}',
    '{"n":[1e400,-1e400,1e-400,123456789012345678901234567890,-0.0,0.1e1]}',
    '{"n":' + "9" * 5_000 + "}",
    '{"n":0.' + "9" * 5_000 + "}",
    json.dumps({"k": [None, True, 1, 1.5, "x", [], {}, [[1]], {"a": []}]}),
    json.dumps({"v": ["\u20ac" * 32_766] * 20}),
]


def hostile(count: int, random: Random) -> pl.DataFrame:
    """Return events of which each field may hold anything its type can hold."""
    columns = {name: _hostile(name, dtype, count, random) for name, dtype in KNOWN_DTYPES.items()}
    columns["event.id"] = pl.Series([f"hostile-{number}" for number in range(count)])
    return pl.DataFrame(columns)


def _hostile(name: str, dtype: pl.DataType, count: int, random: Random) -> pl.Series:
    def one() -> Any:
        if name in OBJECTS:
            return random.choice(BODIES)
        if dtype == TIME:
            return random.choice(MICROSECONDS)
        if dtype == FLAG:
            return random.random() < 0.5
        if dtype == NUMBER:
            return random.choice(NUMBERS_)
        if dtype == NUMBERS:
            return random.choices(NUMBERS_, k=random.randrange(4))
        return random.choices(STRINGS, k=random.randrange(4)) if dtype == TEXTS else _string(random)

    present = 0.2 if dtype != TIME else 0.9
    values = [one() if random.random() < present else None for _ in range(count)]
    if dtype == TIME:
        return pl.Series(values, dtype=pl.Int64).cast(TIME)
    return pl.Series(values, dtype=dtype)


def _string(random: Random) -> str:
    """Draw a long text rarely: one event holds a hundred of them."""
    return random.choice(STRINGS if random.random() < 0.1 else STRINGS[:-3])


@pytest.fixture
def ready(client: Client, prefix: str) -> SetupOptions:
    options = SetupOptions(prefix, replicas=0)
    apply(client, options)
    return options


def write(client: Client, prefix: str, documents: Iterable[Document]) -> BulkWriter:
    writer = BulkWriter(client, BULK_BYTES, check=checker(client, prefix))
    for document in documents:
        writer.add(document)
    assert writer.flush() is None
    refused = [(one.reason, one.document.source[:300]) for one in writer.poisoned()]
    assert not refused
    return writer


def count_of(client: Client, prefix: str) -> int:
    require(client, "POST", f"/{prefix}-*/_refresh")
    return int(require(client, "GET", f"/{prefix}-*/_count")["count"])


def over_time_findings() -> Released:
    """What a detection over time reports of its first case, up to the end of its episode."""
    file = shipped_rules() / "abnormal-login" / "first-seen-address-of-person.yml"
    cases = load_cases(file, shipped_rules() / "bases").cases
    events = normalized((next(case for case in cases if case.expected),))
    rules = ruleset(load_pack([file]))
    over_time = rules.remembered()
    over_time.add(events, look(events, rules).hits)
    return over_time.release(None)


def test_hostile_values_in_every_field_are_taken(client: Client, ready: SetupOptions) -> None:
    random = Random(20260301)
    prefix, total = ready.prefix, 0
    for _ in range(3):
        events = hostile(100, random).with_columns(
            pl.col("event.id") + f"-{total}", pl.col("event.created").fill_null(NOW)
        )
        documents = event_documents(events, prefix, 30)
        assert write(client, prefix, documents).counts.created == 100
        total += 100
    assert count_of(client, prefix) == total
    assert changes(client, ready) == []  # no mapping has grown


def test_each_hostile_body_is_taken_in_each_field(client: Client, ready: SetupOptions) -> None:
    rows = [(name, body) for name in sorted(OBJECTS) for body in BODIES]
    events = pl.DataFrame(
        [
            {**dict.fromkeys(DTYPES), name: body, "event.id": f"e{number}"}
            for number, (name, body) in enumerate(rows)
        ],
        schema=DTYPES,
        orient="row",
    )
    documents = event_documents(events, ready.prefix, 30, NOW)
    assert write(client, ready.prefix, documents).counts.created == len(rows)
    assert changes(client, ready) == []


def test_hostile_findings_are_taken(client: Client, ready: SetupOptions) -> None:
    random = Random(7)
    documents = []
    texts = [name for name, field in finding_fields([]).items() if field["type"] != "date"]
    for number in range(200):
        document: dict[str, Any] = {name: _string(random) for name in texts}
        document |= {name: random.choices(STRINGS[:-2], k=3) for name in random.choices(texts, k=9)}
        document["@timestamp"] = random.choice([None, "2026-03-01T11:00:00.000001Z"])
        finding = Finding(f"f{number}", (0, ""), Level.LOW, document)
        documents.append(finding_document(finding, NOW, ready.prefix, 30))
    assert write(client, ready.prefix, documents).counts.created == 200
    assert changes(client, ready) == []


def test_mutated_records_are_taken(client: Client, ready: SetupOptions) -> None:
    rules = ruleset(load_pack([shipped_rules()]))
    over_time, told = rules.remembered(), 0
    mapped_events = set(KNOWN_DTYPES)
    mapped_findings = set(finding_fields([]))
    for number, (lines, _) in enumerate(batches(6_000, 20260301, Tally())):
        chunk = Records(f"batch-{number}", lines, list(range(len(lines))))
        events = normalize([chunk], NormalizeSettings("fuzz")).events
        looked = look(events, rules)
        over_time.add(events, looked.hits)
        released = over_time.release(None)
        told += len(released.findings)
        found = [*looked.reported.findings, *released.findings]
        assert all(set(finding.document) <= mapped_findings for finding in found)
        documents = [
            *event_documents(events, ready.prefix, 30, NOW),
            *(
                doc
                for one in released.evidence
                for doc in event_documents(one, ready.prefix, 30, NOW)
            ),
            *(finding_document(finding, NOW, ready.prefix, 30) for finding in found),
        ]
        assert {name for one in documents[:1000] for name in orjson.loads(one.source)} <= (
            mapped_events | mapped_findings
        )
        counts = write(client, ready.prefix, documents).counts
        assert counts.created + counts.repeated == len(documents)
        ended = [closing_document(closed, ready.prefix, 30) for closed in released.closed]
        write(client, ready.prefix, ended)
    assert told
    assert changes(client, ready) == []


def test_an_episode_and_its_end_are_taken(client: Client, ready: SetupOptions) -> None:
    found = over_time_findings()
    documents = [
        finding_document(one, found.received[one.id], ready.prefix, 30) for one in found.findings
    ]
    ended = [closing_document(one, ready.prefix, 30) for one in found.closed]
    told = {name for one in (*documents, *ended) for name in orjson.loads(one.source)}
    over_time = ("trailwarden.correlation.", "trailwarden.episode.")
    assert {name for name in finding_fields([]) if name.startswith(over_time)} <= told
    assert write(client, ready.prefix, documents).counts.created == len(documents)
    write(client, ready.prefix, ended)
    require(client, "POST", f"/{ready.prefix}-*/_refresh")
    query = {"query": {"term": {"trailwarden.episode.closed": True}}}
    held = require(client, "POST", f"/{ready.prefix}-findings*/_count", query)
    assert held["count"] == len(ended)
    assert changes(client, ready) == []


def test_what_is_recalled_and_learned_is_taken_and_found(
    client: Client, ready: SetupOptions
) -> None:
    texts = [REASON * 300, "\ud800 \x00", *STRINGS[:-3]]
    said: list[dict[str, Any]] = [
        {"trailwarden.recalled.token_pod.node": "node-1", "trailwarden.recalled.dormant_days": 41},
        {"trailwarden.anomaly.score": 98.888, "trailwarden.anomaly.tail_probability": 5e-324},
        {"trailwarden.anomaly.score": 1.7e308, "trailwarden.anomaly.threshold": -0.0},
        {"trailwarden.anomaly.score": "NaN", "trailwarden.recalled.token_pod.addresses": ["x"]},
        {"trailwarden.anomaly.reasons": [one.encode(errors="replace").decode() for one in texts]},
    ]
    findings = [Finding(f"f{n}", (0, ""), Level.LOW, one) for n, one in enumerate(said)]
    documents = [
        finding_document(
            Finding(one.id, one.order, one.level, {"@timestamp": None, **one.document}),
            NOW,
            ready.prefix,
            30,
        )
        for one in findings
    ]
    assert write(client, ready.prefix, documents).counts.created == len(said)
    require(client, "POST", f"/{ready.prefix}-*/_refresh")
    for query, number in (
        ({"term": {"trailwarden.recalled.token_pod.node": "node-1"}}, 1),
        ({"range": {"trailwarden.recalled.dormant_days": {"gte": 30}}}, 1),
        ({"range": {"trailwarden.anomaly.score": {"gte": 90}}}, 2),
        ({"exists": {"field": "trailwarden.anomaly.reasons"}}, 1),
    ):
        path = f"/{ready.prefix}-findings*/_count"
        assert require(client, "POST", path, {"query": query})["count"] == number, query
    assert changes(client, ready) == []


def test_every_field_of_a_finding_is_mapped_on_the_node(
    client: Client, ready: SetupOptions
) -> None:
    index = f"{ready.prefix}-findings-outofrange"
    held = require(client, "GET", f"/{index}/_mapping")[index]["mappings"]
    assert set(dotted(held["properties"])) == set(finding_fields([]))
