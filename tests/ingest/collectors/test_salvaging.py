"""A record over the limit leaves a flagged remainder and a whole original."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from ingest.collectors.salvaging import HEAD_BYTES, Fitted, fit, head_of, spool
from ingest.record import Salvage, sha256_hex
from ingest.salvage import MAX_RECORD_BYTES


def large_event(size_bytes: int) -> bytes:
    event = {
        "auditID": "a",
        "stage": "ResponseComplete",
        "verb": "create",
        "requestURI": "/api",
        "requestObject": {"data": "x" * size_bytes},
        "stageTimestamp": "2026-11-21T12:00:00Z",
    }
    return json.dumps(event).encode()


def test_what_fits_is_untouched() -> None:
    raw = bytes(MAX_RECORD_BYTES)
    assert fit(raw) == Fitted(raw)
    assert fit(raw + b"x") is None


def test_a_larger_event_is_salvaged_and_flagged() -> None:
    raw = large_event(MAX_RECORD_BYTES)
    fitted = fit(raw)
    assert fitted is not None
    assert fitted.salvage == Salvage(("requestObject",), len(raw), sha256_hex(raw))
    assert fitted.original == raw
    assert json.loads(fitted.value) == {
        key: value for key, value in json.loads(raw).items() if key != "requestObject"
    }


def test_the_head_of_anything_else_is_flagged_and_small() -> None:
    raw = bytes(MAX_RECORD_BYTES + 1)
    fitted = head_of(raw)
    assert len(fitted.value) == HEAD_BYTES
    assert fitted.salvage == Salvage((), len(raw), sha256_hex(raw))
    assert fitted.original == raw


def test_the_spool_holds_the_original_for_its_owner_only(tmp_path: Path) -> None:
    raw = large_event(10_000)
    path = spool(tmp_path / "deep" / "spool", raw)
    assert path is not None
    assert path.name == f"{sha256_hex(raw)}.gz"
    assert gzip.decompress(path.read_bytes()) == raw
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    assert list(path.parent.iterdir()) == [path]


def test_the_same_original_is_kept_once(tmp_path: Path) -> None:
    first = spool(tmp_path, b"abc")
    assert first is not None
    before = first.stat()
    assert spool(tmp_path, b"abc") == first
    assert first.stat().st_mtime_ns == before.st_mtime_ns


def test_the_spool_is_bounded(tmp_path: Path) -> None:
    assert spool(tmp_path, b"abc", limit_bytes=40) is not None
    assert spool(tmp_path, b"abcd", limit_bytes=40) is None
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_spool_that_cannot_be_written_stops_nothing(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert spool(tmp_path / place, b"abc") is None
