"""A verdict in, the one event that it is out.

Separate from the other formats, and in no list of them, because the envelope alone says that a
record is one (ingest/verdict.py). The author is no ``user.name``: what people decide about a
cluster is no act in it, and no profile may learn it as one.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from ingest.formats.seen import NotThisFormatError, Seen
from ingest.verdict import ACTION, DATASET, InvalidVerdictError, read_verdict

if TYPE_CHECKING:
    from ingest.formats.seen import Around


def decode(raw: bytes, around: Around) -> list[Seen]:
    """Return the event of a verdict; the cluster is the envelope's, as of every record.

    Raises
        NotThisFormatError: it is none.
    """
    del around
    try:
        verdict = read_verdict(raw)
    except InvalidVerdictError as error:
        raise NotThisFormatError(f"no verdict: {error}") from error
    time = verdict.time.astimezone(UTC).replace(tzinfo=None)
    fields = {
        "event.dataset": DATASET,
        "event.action": ACTION,
        "event.outcome": "success",
        "event.provider": "trailwarden",
        "@timestamp": f"{time.isoformat(timespec='microseconds')}Z",
        "message": verdict.note or None,
        "trailwarden.verdict.value": verdict.verdict.value,
        "trailwarden.verdict.finding": verdict.finding,
        "trailwarden.verdict.rule": verdict.rule,
        "trailwarden.verdict.author": verdict.author,
        "trailwarden.verdict.events": list(verdict.events) or None,
    }
    return [Seen(fields, act=(verdict.finding,))]
