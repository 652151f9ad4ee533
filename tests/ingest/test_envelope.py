"""What a collector says of a record reaches the worker whole; what is wrong never raises."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.envelope import (
    CLUSTER,
    COLLECTOR,
    FORMAT,
    RECEIVED,
    SALVAGE,
    SOURCE,
    UNKNOWN_CLUSTER,
    Envelope,
    Format,
    headers_of,
    read_envelope,
)
from ingest.record import Salvage

NOON = datetime(2026, 11, 21, 12, 0, 0, 123_456, UTC)
NOON_MS = 1_795_262_400_123
SALVAGED = Salvage(("requestObject", "responseObject"), 9_000_000, "f" * 64)

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
envelopes = st.builds(
    Envelope,
    texts,
    texts,
    st.sampled_from(Format),
    st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds are naive
    texts | st.just(""),
    st.none() | st.builds(Salvage, st.lists(texts).map(tuple), st.integers(0, 2**40), texts),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(envelopes)
def test_an_envelope_is_read_as_it_was_written(envelope: Envelope) -> None:
    assert read_envelope(headers_of(envelope), None, 0) == envelope


def test_headers_are_these_names_and_bytes() -> None:
    envelope = Envelope("blue", "c1", Format.CANARY, NOON, "audit.log")
    assert headers_of(envelope) == [
        ("tw-cluster", b"blue"),
        ("tw-collector", b"c1"),
        ("tw-format", b"canary"),
        ("tw-received", b"2026-11-21T12:00:00.123456+00:00"),
        ("tw-source", b"audit.log"),
    ]
    salvaged = Envelope("b", "c", Format.RECORD, NOON, salvage=SALVAGED)
    assert [name for name, _ in headers_of(salvaged)][5:] == ["tw-salvage"]


def test_a_received_time_of_another_zone_is_kept_as_utc() -> None:
    zone = timezone(timedelta(hours=2))
    envelope = Envelope("b", "c", Format.CANARY, NOON.astimezone(zone))
    headers = dict(headers_of(envelope))
    assert headers[RECEIVED] == b"2026-11-21T12:00:00.123456+00:00"
    read = read_envelope([(RECEIVED, b"2026-11-21T14:00:00+02:00")], None, 0).received
    assert read == NOON.replace(microsecond=0)
    assert read.tzinfo is UTC


def test_a_source_with_bytes_that_are_no_text_can_be_sent() -> None:
    envelope = Envelope("b", "c", Format.CANARY, NOON, "a\udcff.log")
    assert read_envelope(headers_of(envelope), None, 0).source == "a?.log"


@pytest.mark.parametrize(
    ("headers", "key", "cluster"),
    [
        ([(CLUSTER, b"blue")], b"red", "blue"),
        ([], b"red", "red"),
        ([(CLUSTER, b"")], b"red", "red"),
        ([(CLUSTER, None)], b"red", "red"),
        (None, None, UNKNOWN_CLUSTER),
        ([], b"", UNKNOWN_CLUSTER),
        ([(CLUSTER, b"a\xff")], None, "a\ufffd"),
        ([(CLUSTER, b"blue"), (CLUSTER, b"green")], b"red", "green"),
    ],
)
def test_the_cluster_is_the_headers_else_the_keys(
    headers: list[tuple[str, bytes | None]] | None, key: bytes | None, cluster: str
) -> None:
    assert read_envelope(headers, key, 0).cluster == cluster


def test_a_foreign_message_has_defaults_and_kafkas_time() -> None:
    assert read_envelope([("x", b"y")], b"blue", NOON_MS) == Envelope(
        "blue", "", Format.RECORD, NOON.replace(microsecond=123_000)
    )


@pytest.mark.parametrize(
    "text",
    [None, b"", b"soon", b"\xff", b"0001-01-01T00:00:00+23:59", b"9999-12-31T23:59:59-23:59"],
)
def test_a_received_time_that_cannot_be_read_gives_way_to_kafkas(text: bytes | None) -> None:
    read = read_envelope([(RECEIVED, text)], b"blue", NOON_MS).received
    assert read == NOON.replace(microsecond=123_000)
    assert read.tzinfo is UTC


def test_kafka_without_a_time_counts_as_the_beginning_of_time() -> None:
    assert read_envelope([], b"blue", -1).received == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b"canary", Format.CANARY),
        (b"silence", Format.SILENCE),
        (b"CANARY", Format.RECORD),
        (b"\xff", Format.RECORD),
        (None, Format.RECORD),
    ],
)
def test_an_unknown_format_counts_as_audit_so_that_nothing_hides_behind_it(
    text: bytes | None, kind: Format
) -> None:
    assert read_envelope([(FORMAT, text)], b"blue", 0).format is kind


@pytest.mark.parametrize(
    ("text", "salvage"),
    [
        (None, None),
        (b"", None),
        (b"{", Salvage((), 0, "")),
        (b"\xff", Salvage((), 0, "")),
        (b"{}", Salvage((), 0, "")),
    ],
)
def test_a_salvage_that_cannot_be_read_still_says_truncated(
    text: bytes | None, salvage: Salvage | None
) -> None:
    assert read_envelope([(SALVAGE, text)], b"blue", 0).salvage == salvage


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([CLUSTER, COLLECTOR, FORMAT, RECEIVED, SOURCE, SALVAGE, "x"]),
            st.none() | st.binary(max_size=60),
        )
    ),
    st.none() | st.binary(max_size=20),
    st.integers(-(2**40), 2**42),
)
def test_no_message_makes_reading_raise(
    headers: list[tuple[str, bytes | None]], key: bytes | None, timestamp_ms: int
) -> None:
    envelope = read_envelope(headers, key, timestamp_ms)
    assert envelope.cluster
    assert envelope.received.tzinfo is UTC


ZONED = """
import os, time
os.environ["TZ"] = "Asia/Tokyo"
time.tzset()
from ingest.collectors.canary import read_canary
from ingest.envelope import RECEIVED, read_envelope
print(read_envelope([(RECEIVED, b"2026-11-21T12:00:00")], b"blue", 0).received.isoformat())
print(read_canary(b'{"time": "2026-11-21T12:00:00", "caught_up": true}').time)
"""


def test_a_time_without_a_zone_does_not_depend_on_where_the_worker_stands(root: Path) -> None:
    """No setting of the machine may enter the fold."""
    done = subprocess.run(
        [sys.executable, "-c", ZONED], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == [
        "2026-11-21T12:00:00+00:00",
        "2026-11-21 12:00:00+00:00",
    ]
