"""A record that is an envelope becomes the records within, with what the cloud says of them.

Separate from the clouds' modules because it alone knows all of them, and from the decoders because
collectors open envelopes, too: a record within is a record like any other. An envelope is told by
the members at its top, unparsed; what none of them fits is no envelope, and nothing here raises.

A transport is opened with what it carries: Lambda's event of a subscription,
``{"awslogs":{"data"}}`` (Powertools for AWS Lambda, ``CloudWatchLogsEvent``), Kinesis' and
Firehose's ``{"Records":[{"kinesis":{"data"}}]}`` and ``{"records":[{"data"}]}``, Pub/Sub's
``{"message":{"data"},"subscription"}`` and ``{"receivedMessages":[{"message":{"data"}}]}``
(PubsubMessage, Pub/Sub REST reference), and bare gzip. One transport may carry envelopes of
another kind, no further transport: two levels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw, Struct

from ingest.formats.aks import open_batch, open_record
from ingest.formats.cloudwatch import open_log_events
from ingest.formats.envelope_parts import (
    MAX_ITEMS,
    UNREADABLE,
    Top,
    milliseconds,
    parts_of,
    typed,
)
from ingest.formats.item import Item
from ingest.formats.lenient import well_formed
from ingest.formats.origin import Origin
from ingest.formats.unpack import (
    MAX_UNPACKED_BYTES,
    UnpackError,
    documents,
    gunzipped,
    is_gzip,
    unpacked,
)
from ingest.json_scan import BLANK
from ingest.record import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Item", "looks_like_envelope", "open_envelope", "open_top", "top_of"]

NO_ORIGIN: Final = Origin()
_MARKS: Final = (b'"logEvents"', b'"log_events"', b'"logStreamName"', b'"resourceId"', b'"data"')
"""One of these is in nearly every envelope: what else is malformed is not parsed for it."""
_NATIVE: Final = (b'{"kind":"Event', b'{"apiVersion":"audit.k8s.io')


class _Packed(Struct, gc=False):
    """What carries base64: Lambda's ``awslogs``, a record of Kinesis, a message of Pub/Sub."""

    data: str | None = None
    messageId: str | None = None  # noqa: N815 - spelled as in the record
    publishTime: str | None = None  # noqa: N815 - spelled as in the record


class _Carrier(Struct, gc=False):
    """An element of a transport's list: Firehose's, Kinesis' or Pub/Sub's."""

    data: str | None = None
    kinesis: _Packed | None = None
    message: _Packed | None = None


_top = msgspec.json.Decoder(Top).decode


def looks_like_envelope(raw: bytes) -> bool:
    """Whether it is worth a look: a JSON object that is not plainly an audit event, or gzip."""
    head = raw.lstrip(BLANK)[:1]
    return is_gzip(raw) or (head == b"{" and not raw.startswith(_NATIVE))


def open_envelope(raw: bytes) -> list[Item] | None:
    """Return the records that an envelope holds, in its order; None if the record is none.

    What cannot be opened is one item with a refusal, whose ``raw`` is the envelope. Never raises.
    Linear; at most ``MAX_UNPACKED_BYTES`` and ``MAX_ITEMS`` come out of one envelope.
    """
    return _open(raw, is_carried=False)


def top_of(raw: bytes) -> Top | None:
    """Return the members that tell what an object is; None if it cannot be read at all."""
    try:
        return _top(raw)
    except UNREADABLE:
        return None


def open_top(raw: bytes, top: Top) -> list[Item] | None:
    """Do the same as `open_envelope` for an object that was looked at already."""
    return _opened_top(raw, top, is_carried=False)


def _open(raw: bytes, *, is_carried: bool) -> list[Item] | None:
    if not looks_like_envelope(raw):
        return None
    if is_gzip(raw):
        return _carried(raw, [raw], is_carried=is_carried)
    top = top_of(raw)
    if top is None:
        return _mended(raw, is_carried=is_carried)
    return _opened_top(raw, top, is_carried=is_carried)


def _opened_top(raw: bytes, top: Top, *, is_carried: bool) -> list[Item] | None:
    found = _bare(raw, top)
    packed = _transport(top) if found is None and not top.auditID else None
    return found if packed is None else _carried(raw, packed, is_carried=is_carried)


def _bare(raw: bytes, top: Top) -> list[Item] | None:
    """Open an envelope that is not packed; None for others."""
    if top.auditID:
        return None
    if top.category and top.resourceId:
        return [open_record(raw)]
    found = open_batch(top.records) if top.records else None
    return open_log_events(raw, top) if found is None else found


def _mended(raw: bytes, *, is_carried: bool) -> list[Item] | None:
    """Open what only lenient parsers take: all its items are marked."""
    if not any(mark in raw for mark in _MARKS):
        return None
    issues: list[str] = []
    try:
        mended = well_formed(raw, issues)
    except UNREADABLE:
        return None
    found = _open(mended, is_carried=is_carried) if issues else None
    return found and [replace(item, issues=(*item.issues, *issues)) for item in found]


def _transport(top: Top) -> list[_Packed | bytes] | None:
    """Return what a transport's envelope carries, still packed; None if the record is none."""
    if top.awslogs or top.subscription:
        found, _ = typed(top.awslogs or top.message, _Packed)
        if found is None or (found.data is None and found.messageId is None):
            return None
        return [found]
    listed = top.records or top.Records or top.receivedMessages
    parts = parts_of(listed) if listed else None
    if not parts or _of_carrier(parts[0]) is None:
        return None
    return [_of_carrier(part) or _Packed() for part in parts]


def _of_carrier(part: Raw) -> _Packed | None:
    found, _ = typed(part, _Carrier)
    if found is None:
        return None
    return found.kinesis or found.message or (_Packed(found.data) if found.data else None)


def _carried(raw: bytes, packed: Sequence[_Packed | bytes], *, is_carried: bool) -> list[Item]:
    """Open all that a transport's envelope carries."""
    if is_carried:
        text = "a transport's envelope within another"
        return [Item(raw, NO_ORIGIN, refusal=text, reason=Reason.TOO_DEEP)]
    items: list[Item] = []
    room = MAX_UNPACKED_BYTES
    for one in packed:
        try:
            within = _within(one)
            room -= len(within)
            items += _opened(within, one, is_full=room < 0 or len(items) > MAX_ITEMS)
        except UnpackError as error:
            items.append(Item(raw, NO_ORIGIN, refusal=str(error), reason=error.reason))
            if error.reason is Reason.TOO_LARGE:
                break
    return items


def _opened(within: bytes, packed: _Packed | bytes, *, is_full: bool) -> list[Item]:
    if is_full:
        raise UnpackError(Reason.TOO_LARGE, "an envelope of too many or too large records")
    items: list[Item] = []
    for document in documents(within):
        found = _open(document, is_carried=True)
        items += [_plain(document, packed)] if found is None else found
    return items


def _within(packed: _Packed | bytes) -> bytes:
    if isinstance(packed, bytes):
        return gunzipped(packed)
    if packed.data is None:
        raise UnpackError(Reason.NOT_AN_EVENT, "a transport's record without data")
    return unpacked(packed.data)


def _plain(document: bytes, packed: _Packed | bytes) -> Item:
    """Return what a transport carries that is no envelope itself."""
    time = None if isinstance(packed, bytes) else packed.publishTime
    return Item(document, NO_ORIGIN, received_ms=milliseconds(time))
