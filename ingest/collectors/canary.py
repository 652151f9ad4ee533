"""A sign of life of one source, as a record: who, when, and whether everything before it was sent.

Separate because every collector writes them and the worker reads them: they move the watermark of a
quiet cluster, and their absence is the silence alarm (P5).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from ingest.envelope import Envelope, Format, as_utc


@dataclass(frozen=True, slots=True)
class Canary:
    """What a canary record says; ``time`` is None where it could not be read.

    ``caught_up``: everything that the source held at ``time`` was sent before this record. Only
    then may the canary move a watermark.
    """

    time: datetime | None
    caught_up: bool
    source: str


def canary_record(
    cluster: str, collector: str, source: str, now: datetime, caught_up: bool
) -> tuple[Envelope, bytes]:
    """Return a canary, ready to be sent: JSON {"time", "caught_up", "source"}."""
    envelope = Envelope(cluster, collector, Format.CANARY, now, source)
    time = now.astimezone(UTC).isoformat(timespec="microseconds")
    return envelope, msgspec.json.encode(
        {"time": time, "caught_up": caught_up, "source": source.encode(errors="replace").decode()}
    )


def read_canary(value: bytes) -> Canary:
    """Read a canary; what is missing or wrong counts as unknown. Never raises."""
    try:
        found = msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return Canary(None, caught_up=False, source="")
    source = found.get("source")
    return Canary(
        _time(found.get("time")),
        caught_up=found.get("caught_up") is True,
        source=source if isinstance(source, str) else "",
    )


def _time(text: object) -> datetime | None:
    try:
        return as_utc(datetime.fromisoformat(text)) if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None
