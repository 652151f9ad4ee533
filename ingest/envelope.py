"""What a collector says of a record, in the headers of its Kafka message.

Separate because collectors write it and workers read it, and because nothing in it comes from the
record's own bytes: cluster, collector, format and received time are known from configuration, TLS
identity or the collector's clock. Headers count because only collectors may write to ``raw`` (topic
ACL). No frames here: collectors import this.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from ingest.record import Salvage

if TYPE_CHECKING:
    from collections.abc import Iterable

CLUSTER: Final = "tw-cluster"
COLLECTOR: Final = "tw-collector"
FORMAT: Final = "tw-format"
RECEIVED: Final = "tw-received"
SOURCE: Final = "tw-source"
SALVAGE: Final = "tw-salvage"

UNKNOWN_CLUSTER: Final = "unknown"
"""Cluster of a message that has neither the header nor a key: it is still evaluated."""

Headers = list[tuple[str, bytes]]


class Format(StrEnum):
    """What a message's value is."""

    RECORD = "record"
    """Of whatever format: what it is, the worker tells by its content."""

    CANARY = "canary"
    SILENCE = "silence"
    VERDICT = "verdict"
    """What a person decided about a finding (ingest/verdict.py): an event, and no act."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is known of a record apart from its bytes.

    ``received`` is when the collector took it (aware, UTC, microseconds). ``source`` says where
    from: a file's path, an ``inbox.*`` topic, the webhook. ``salvage`` stands where the value is
    not the record's own bytes but what was left of one over the size limit.
    """

    cluster: str
    collector: str
    format: Format
    received: datetime
    source: str = ""
    salvage: Salvage | None = None


def headers_of(envelope: Envelope) -> Headers:
    """Return the Kafka headers of an envelope; the message's key is the cluster, UTF-8."""
    headers = [
        (CLUSTER, envelope.cluster.encode()),
        (COLLECTOR, envelope.collector.encode()),
        (FORMAT, envelope.format.value.encode()),
        (RECEIVED, _time_text(envelope.received)),
        (SOURCE, envelope.source.encode(errors="replace")),
    ]
    if envelope.salvage:
        headers.append((SALVAGE, msgspec.json.encode(envelope.salvage)))
    return headers


def read_envelope(
    headers: Iterable[tuple[str, bytes | None]] | None, key: bytes | None, timestamp_ms: int
) -> Envelope:
    """Return the envelope of a message; never raises.

    Parameters
        timestamp_ms: Kafka's own timestamp, the received time where the header is missing or bad.
    """
    found = dict(headers or ())
    cluster, collector, form, source = _constants(
        found.get(CLUSTER) or key, found.get(COLLECTOR), found.get(FORMAT), found.get(SOURCE)
    )
    received = _time(found.get(RECEIVED), timestamp_ms)
    return Envelope(cluster, collector, form, received, source, _salvage(found.get(SALVAGE)))


@lru_cache(maxsize=4096)
def _constants(
    cluster: bytes | None, collector: bytes | None, form: bytes | None, source: bytes | None
) -> tuple[str, str, Format, str]:
    """Decode what is the same for all records of a source."""
    return (
        (cluster or b"").decode(errors="replace") or UNKNOWN_CLUSTER,
        (collector or b"").decode(errors="replace"),
        _format(form),
        (source or b"").decode(errors="replace"),
    )


def as_utc(time: datetime) -> datetime:
    """Return a time in UTC; one without a zone counts as UTC, wherever this machine stands."""
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _time_text(time: datetime) -> bytes:
    return time.astimezone(UTC).isoformat(timespec="microseconds").encode()


def _time(text: bytes | None, timestamp_ms: int) -> datetime:
    try:
        return as_utc(datetime.fromisoformat((text or b"").decode()))
    except (ValueError, OverflowError):
        return datetime.fromtimestamp(max(timestamp_ms, 0) / 1000, UTC)


def _format(text: bytes | None) -> Format:
    try:
        return Format((text or b"").decode())
    except ValueError:
        return Format.RECORD


def _salvage(text: bytes | None) -> Salvage | None:
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=Salvage)
    except msgspec.MsgspecError:
        return Salvage((), 0, "")
