"""The text of a document is the JSON that a plain encoder writes of the same values."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson
import polars as pl
import pytest

from ingest.column import FLAG, NUMBER, NUMBERS, TEXT, TEXTS, TIME
from ingest.schema import DTYPES
from sinks.elasticsearch.flattened import OBJECTS, parsed_object
from sinks.elasticsearch.source_text import sources

STRINGS = ["", "a", '"', "\\", "\x00", "\x1f", "\x7f", "\n", "\u2028", "\ud7ff", "\U0001f600", ","]
OBJECT_TEXTS = ['{"a":"\\"b"}', "[]", "{", '{"a":1,"a":2}', '"x"']
START = datetime(2026, 3, 1, tzinfo=UTC)


def value_of(name: str, dtype: pl.DataType, random: Random) -> Any:
    if random.random() < 0.5:
        return None
    text = "".join(random.choices(STRINGS, k=random.randrange(4)))
    if name in OBJECTS:
        return random.choice(OBJECT_TEXTS)
    if dtype == TEXTS:
        return random.choices([None, *STRINGS], k=random.randrange(4))
    if dtype == NUMBERS:
        return random.choices([None, 0, -(2**63), 2**63 - 1], k=random.randrange(4))
    plain = {TEXT: text, NUMBER: random.randrange(-9, 9), FLAG: random.random() < 0.5}
    return START.replace(microsecond=random.randrange(1_000_000)) if dtype == TIME else plain[dtype]


def rows_of(count: int, seed: int) -> list[dict[str, Any]]:
    random = Random(seed)
    rows = [{n: value_of(n, t, random) for n, t in DTYPES.items()} for _ in range(count)]
    return [{**row, "event.id": f"e{number}"} for number, row in enumerate(rows)]


def plainly(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a plain encoder would write."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if name in OBJECTS and value is not None:
            found[name] = parsed_object(value)
        elif isinstance(value, datetime):
            found[name] = f"{value:%Y-%m-%dT%H:%M:%S.%f}Z"
        elif value is not None:
            found[name] = value
    return found


@pytest.mark.parametrize(("count", "seed"), [(1, 1), (2, 2), (40, 3), (40, 4), (300, 5)])
def test_any_values_are_written_as_a_plain_encoder_writes_them(count: int, seed: int) -> None:
    rows = rows_of(count, seed)
    events = pl.DataFrame(rows, schema=DTYPES, orient="row")
    written = sources(events)
    assert [orjson.loads(text) for text in written] == [plainly(row) for row in rows]
    assert not [text for text in written if b"\n" in text]
    assert events.equals(pl.DataFrame(rows, schema=DTYPES, orient="row"))  # nothing was altered


def test_columns_without_anything_to_escape_are_written_too() -> None:
    lists = [["a", "b"], [], None, ["c"]]
    numbers = [[1, -2], [], None, [3]]
    events = pl.DataFrame(
        {
            **{name: pl.Series([None] * 4, dtype=dtype) for name, dtype in DTYPES.items()},
            "event.id": ["1", "2", "3", "4"],
            "source.address_chain": lists,
            "trailwarden.pod_spec.host_ports": numbers,
            "user.name": ["u", None, "", "v"],
        }
    )
    found = [orjson.loads(text) for text in sources(events)]
    assert [one.get("source.address_chain") for one in found] == lists
    assert [one.get("trailwarden.pod_spec.host_ports") for one in found] == numbers
    assert [one.get("user.name") for one in found] == ["u", None, "", "v"]
    assert set(found[2]) == {"event.id", "user.name"}
