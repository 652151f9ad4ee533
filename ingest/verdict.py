"""What a person decided about a finding: a record of `raw`, written by us and read strictly.

Separate from the formats because nothing tells such a record by its content: only the envelope says
that one is a verdict (ingest/envelope.py), which none but our collectors may write. A line of a log
that looks like one is a line of a log: whoever can have something logged must not be able to call
their own acts benign.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from ingest.envelope import Envelope, Format

DATASET: Final = "trailwarden.verdict"
ACTION: Final = "verdict"
"""``event.dataset`` and ``event.action``. Of no log source: no rule is about what people decide."""

MOST_BYTES: Final = 32 << 10
NOTE_LENGTH: Final = 4_000

MOST_EVENTS: Final = 100
"""Of a finding's evidence: as many as a finding itself names."""

COLLECTOR: Final = "findings"
"""Collector's name in the envelope: it comes from `trailwarden findings verdict`."""


class Choice(StrEnum):
    """What a finding turned out to be. A closed list."""

    TRUE_POSITIVE = "true_positive"
    FALSE_POSITIVE = "false_positive"
    BENIGN = "benign"
    """What was found did happen, and was meant to."""

    UNSURE = "unsure"


Id: TypeAlias = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
"""Of findings and events: 32 hex digits (ingest/ids.py)."""


class InvalidVerdictError(Exception):
    """Bytes that are no verdict; the message says what is wrong and holds nothing of a note."""


class Verdict(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag_field="kind",
    tag="TrailwardenVerdict",
):
    """One decision; a later one about the same finding takes its place.

    ``cluster`` is the finding's, and the key of the record: a verdict stands in the log of the
    cluster that it is about. ``time`` is when it was made, by the clock of whoever made it.
    ``events`` are those that the finding rests on, as far as it names them: whoever folds the log
    has the events, not the finding.
    """

    finding: Id
    rule: Annotated[str, Meta(min_length=1, max_length=200)]
    cluster: Annotated[str, Meta(min_length=1, max_length=253)]
    verdict: Choice
    author: Annotated[str, Meta(min_length=1, max_length=200)]
    time: Annotated[datetime, Meta(tz=True)]
    note: Annotated[str, Meta(max_length=NOTE_LENGTH)] = ""
    events: Annotated[tuple[Id, ...], Meta(max_length=MOST_EVENTS)] = ()


def verdict_record(verdict: Verdict) -> tuple[Envelope, bytes]:
    """Return a verdict, ready to be sent.

    Raises
        InvalidVerdictError: it is too long, or a member is not as it must be.
    """
    value = msgspec.json.encode(verdict)
    read_verdict(value)
    time = verdict.time.astimezone(UTC)
    return Envelope(verdict.cluster, COLLECTOR, Format.VERDICT, time), value


def read_verdict(value: bytes) -> Verdict:
    """Read a verdict.

    Raises
        InvalidVerdictError: it is too long, no JSON, or says less, more or other than a verdict.
    """
    if len(value) > MOST_BYTES:
        raise InvalidVerdictError(f"{len(value)} bytes, at most {MOST_BYTES} may be")
    try:
        return msgspec.json.decode(value, type=Verdict)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidVerdictError(str(error)) from error
