"""Each format's golden records give exactly the events that its golden file says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest.normalize import Normalized, NormalizeSettings, normalize
from ingest.record import Records
from ingest.redact.token import Redactor

GOLDEN = Path(__file__).parent / "golden"
SETTINGS = NormalizeSettings("default", Redactor(b"a key of this test only"), is_default=True)
NOT_COMPARED = {
    "event.id",
    "trailwarden.act.id",
    "event.kind",
    "log.offset",
    "log.file.path",
}
LEAST = 5


def goldens() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(GOLDEN.glob("*.json")):
        for entry in json.loads(file.read_bytes()):
            yield f"{file.stem}: {entry['name']}", entry


CASES = dict(goldens())


def raw_of(entry: dict[str, Any]) -> bytes:
    return bytes.fromhex(entry["raw_hex"]) if "raw_hex" in entry else entry["raw"].encode()


def received_of(entry: dict[str, Any]) -> list[datetime]:
    return [datetime.fromisoformat(entry["received"])] if "received" in entry else []


def normalized(entry: dict[str, Any]) -> Normalized:
    chunk = Records("golden", [raw_of(entry)], [0], received=received_of(entry))
    return normalize([chunk], SETTINGS)


def said(events: pl.DataFrame) -> list[dict[str, Any]]:
    """Return what is in events, as JSON has it."""
    return [
        {
            name: value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
            for name, value in row.items()
            if value is not None and name not in NOT_COMPARED
        }
        for row in events.iter_rows(named=True)
    ]


def as_said(event: dict[str, Any]) -> dict[str, Any]:
    """Return an expected event with its times as `said` writes them."""
    times = {"@timestamp", "event.start", "event.end", "file.mtime"} & event.keys()
    written = {
        name: datetime.fromisoformat(event[name]).isoformat().replace("+00:00", "Z")
        for name in times
    }
    defaults = {"orchestrator.cluster.name": "default"}
    return {**defaults, **event, **written}


@pytest.mark.parametrize("name", CASES)
def test_a_golden_record_gives_its_events(name: str) -> None:
    entry = CASES[name]
    found = normalized(entry)
    refused = [one.reason.value for one in found.refused]
    assert refused == ([entry["refused"]] if "refused" in entry else [])
    expected = [as_said(event) for event in entry.get("events", [])]
    got = said(found.events)
    for one, other in zip(got, expected, strict=True):
        assert one == other
    assert found.events["event.kind"].to_list() == ["event"] * len(expected)
    assert found.events["event.id"].is_unique().all()


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_a_format_has_golden_records_enough(file: Path) -> None:
    entries = json.loads(file.read_bytes())
    assert len(entries) >= LEAST
    assert any(entry["hostile"] for entry in entries)
    assert len({entry["name"] for entry in entries}) == len(entries)
