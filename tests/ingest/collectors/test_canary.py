"""A canary survives its way, and whatever else stands in its place is read as unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ingest.collectors.canary import Canary, canary_record, read_canary
from ingest.envelope import Envelope, Format

NOW = datetime(2026, 11, 21, 12, 0, 0, 5, tzinfo=UTC)
UNKNOWN = Canary(None, caught_up=False, source="")


@pytest.mark.parametrize("caught_up", [True, False])
def test_a_canary_is_read_as_it_was_written(caught_up: bool) -> None:
    envelope, value = canary_record("prod", "node-1", "tail", NOW, caught_up)
    assert envelope == Envelope("prod", "node-1", Format.CANARY, NOW, "tail")
    assert read_canary(value) == Canary(NOW, caught_up, "tail")


def test_the_value_is_plain_json() -> None:
    local = NOW.astimezone(timezone(timedelta(hours=2)))
    _, value = canary_record("prod", "node-1", "tail", local, caught_up=True)
    assert value == (
        b'{"time":"2026-11-21T12:00:00.000005+00:00","caught_up":true,"source":"tail"}'
    )


def test_a_source_that_is_no_text_can_still_be_sent() -> None:
    _, value = canary_record("prod", "node-1", "/log/\udcff", NOW, caught_up=True)
    assert read_canary(value).source == "/log/?"


@pytest.mark.parametrize(
    "value",
    [b"", b"null", b"[]", b"{", b"\xff", b'"x"', b"[" * 100_000, b'{"time": 5, "source": 1}'],
)
def test_what_is_no_canary_is_unknown(value: bytes) -> None:
    assert read_canary(value) == UNKNOWN


@pytest.mark.parametrize("time", ['"soon"', '"0001-01-01T00:00:00+23:00"', "null", "1e400", "7"])
def test_a_bad_time_costs_only_the_time(time: str) -> None:
    value = f'{{"time": {time}, "caught_up": true, "source": "s"}}'.encode()
    found = read_canary(value)
    assert found.time is None
    assert found in {Canary(None, caught_up=True, source="s"), UNKNOWN}


@pytest.mark.parametrize("word", ["1", '"true"', "null", "[true]"])
def test_only_true_is_caught_up(word: str) -> None:
    assert not read_canary(f'{{"caught_up": {word}}}'.encode()).caught_up
