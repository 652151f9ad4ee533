"""Records of any format become typed audit events and what machines saw; one record at a time.

Separate from the formats because it alone knows all of them: a file or a topic may mix them, so
each record is told by itself. The API server's own log is the common case and is tried first, a
whole chunk at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import orjson

from ingest.formats import gke, verdict
from ingest.formats.decoded import NOWHERE, Decoded, Decoding, Part
from ingest.formats.envelopes import open_envelope, open_top, top_of
from ingest.formats.kubernetes_audit import (
    decode_event,
    plain_events,
    salvage_issues,
)
from ingest.formats.lenient import load
from ingest.formats.prefixed_line import without_prefix
from ingest.formats.registry import known_decoder, text_decoder
from ingest.formats.seen import Around, NotThisFormatError, NotWantedError
from ingest.formats.unpack import is_gzip
from ingest.formats.wrapped_line import unwrap
from ingest.json_scan import BLANK
from ingest.record import Reason
from ingest.redact.refused import redact_refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.formats.envelope_parts import Top
    from ingest.formats.reader import Document
    from ingest.formats.seen import Seen
    from ingest.record import Records
    from ingest.redact.token import Redactor

T = TypeVar("T")

_TELLING: Final = frozenset(
    {
        "auditID",
        "kind",
        "protoPayload",
        "proto_payload",
        "messageType",
        "message_type",
        "logEvents",
        "log_events",
        "events",
        "message",
        "awslogs",
        "subscription",
        "records",
        "Records",
        "receivedMessages",
        "category",
        "log",
    }
)
"""An audit event, an entry of GKE's, an envelope or a wrapper has at least one of these members."""

MAX_DEPTH: Final = 3
"""Envelopes around a record: a runtime's line around Pub/Sub's around a batch."""


def decode(records: Records, redactor: Redactor) -> Decoded:
    """Decode one chunk of records; a bad record costs itself alone.

    Parameters
        records: JSON documents, lines of text, or lines that belong together.
        redactor: makes the redacted copies of what is refused.

    Returns
        the events in order, with lists and envelopes opened, and the refused records. Never raises
        for what is in a record.
    """
    decoding = Decoding(redactor)
    found = decoding.found
    is_native = bool(records.raws) and not records.are_verdicts and _is_native(records.raws[0])
    events = plain_events(records.raws) if is_native else None
    if events:
        found.events, found.offsets = events, list(records.offsets)
    else:
        for row, (raw, offset) in enumerate(zip(records.raws, records.offsets, strict=True)):
            around = Around(records.received[row]) if records.received else NOWHERE
            part = Part(raw, offset, records.path, around)
            if records.are_verdicts:
                decoding.see(_seen(verdict.decode, raw, part, decoding), part)
            else:
                _decode_part(part, decoding)
    for row, offset in enumerate(found.offsets) if records.salvaged else ():
        if offset in records.salvaged:
            dropped = records.salvaged[offset].dropped
            found.issues.setdefault(row, []).extend(salvage_issues(dropped))
    if not found.sightings:
        found.order = []
    found.refused = redact_refused(found.refused, redactor)
    return found


def _is_native(raw: bytes) -> bool:
    top = top_of(raw)
    return top is not None and bool(top.auditID)


def _decode_part(part: Part, decoding: Decoding) -> None:
    """Tell what a part is, and decode it or what stands within."""
    head = part.raw.lstrip(BLANK)[:1]
    if head == b"{":
        _decode_object(part, decoding)
    elif is_gzip(part.raw):
        _open(part, None, decoding)
    elif head == b"[" or not _decode_text(part, decoding):
        decode_event(part, decoding, lambda item: _decode_part(item, decoding))


def _decode_object(part: Part, decoding: Decoding) -> None:
    if decoding.expects_documents and _decode_plainly(part, decoding):
        return
    top = top_of(part.raw)
    is_event = top is not None and (top.auditID or (top.kind and (top.apiVersion or top.stage)))
    if top is not None and not top.auditID and (top.protoPayload or top.proto_payload):
        _decode_gke(part, decoding)
    elif is_event or not (_open(part, top, decoding) or _decode_document(part, decoding)):
        decode_event(part, decoding, lambda item: _decode_part(item, decoding))


def _decode_plainly(part: Part, decoding: Decoding) -> bool:
    """Decode what can be nothing but a machine's document, without looking at it twice.

    What it takes, `_decode_object` would decode in the same way: what came before decides only how
    long it takes. False for everything else.
    """
    document, mended = _document(part)
    if document is None or mended is not None or not _TELLING.isdisjoint(document):
        return False
    decode_one = known_decoder(document)
    if decode_one is None:
        return False
    decoding.see(_seen(decode_one, document, part, decoding), part)
    return True


def _decode_gke(part: Part, decoding: Decoding) -> None:
    try:
        translated = gke.translate(part.raw)
    except NotThisFormatError as error:
        _refuse(error, part, decoding)
        return
    except Exception as error:  # noqa: BLE001 - as in `_seen`
        _refuse_fault(error, part, decoding)
        return
    inner = part.inner(part.raw, origin=translated.origin)
    decoding.add(translated.event, inner, list(translated.issues))


def _open(part: Part, top: Top | None, decoding: Decoding) -> bool:
    """Decode what is in a cloud's envelope; False if the part is none."""
    try:
        items = open_envelope(part.raw) if top is None else open_top(part.raw, top)
    except Exception as error:  # noqa: BLE001 - as in `_seen`
        _refuse_fault(error, part, decoding)
        return True
    if items is None:
        return False
    if part.depth >= MAX_DEPTH:
        decoding.refuse(Reason.TOO_DEEP, "an envelope within too many others", part)
        return True
    if not items:
        decoding.refuse(Reason.NOT_WANTED, "an envelope of nothing", part)
        return True
    plain = [item.raw for item in items if item.refusal is None]
    events = plain_events(plain) if plain and _is_native(plain[0]) else None
    held = iter(events or ())
    for item in items:
        inner = part.inner(item.raw, origin=item.origin)
        if item.refusal is not None:
            decoding.refuse(item.reason, item.refusal, inner)
            continue
        first = decoding.height
        if events is None:
            _decode_part(inner, decoding)
        else:
            decoding.add(next(held), inner, [])
        if item.issues:
            decoding.mark(first, list(item.issues))
    return True


def _decode_document(part: Part, decoding: Decoding) -> bool:
    """Decode what a machine's tool wrote as JSON; False if no format knows it."""
    document, mended = _document(part)
    if document is None:
        return False
    line = unwrap(document)
    if line is not None and part.depth < MAX_DEPTH:
        _decode_part(part.inner(line), decoding)
        return True
    decode_one = known_decoder(document)
    if decode_one is None:
        return False
    decoding.expects_documents = True
    seen = _seen(decode_one, document, part, decoding)
    if mended is not None:
        for one in seen:
            one.issues.append(mended)
    decoding.see(seen, part)
    return True


def _document(part: Part) -> tuple[Document | None, str | None]:
    """Return a part as a parsed object, None if it is none, and what had to be mended for it."""
    try:
        document, mended = load(part.raw)
    except (orjson.JSONDecodeError, RecursionError):
        return None, None
    return document if isinstance(document, dict) else None, mended


def _seen(
    decode_one: Callable[[T, Around], list[Seen]], record: T, part: Part, decoding: Decoding
) -> list[Seen]:
    """Decode one record; what its decoder does not take, or fails at, is refused."""
    try:
        return decode_one(record, part.around)
    except NotThisFormatError as error:
        _refuse(error, part, decoding)
    except Exception as error:  # noqa: BLE001 - one record must not stop a worker, whatever is wrong
        _refuse_fault(error, part, decoding)
    return []


def _decode_text(part: Part, decoding: Decoding) -> bool:
    """Decode lines of text; False if no format knows them."""
    text = part.raw.decode(errors="replace")
    decode_one = text_decoder(text)
    if decode_one is None:
        event = without_prefix(part.raw)
        if event is not None and part.depth < MAX_DEPTH:
            _decode_object(part.inner(event), decoding)
        return event is not None
    decoding.see(_seen(decode_one, text, part, decoding), part)
    return True


def _refuse(error: NotThisFormatError, part: Part, decoding: Decoding) -> None:
    is_unwanted = isinstance(error, NotWantedError)
    reason = Reason.NOT_WANTED if is_unwanted else Reason.NOT_AN_EVENT
    decoding.refuse(reason, str(error), part)


def _refuse_fault(error: Exception, part: Part, decoding: Decoding) -> None:
    decoding.refuse(Reason.DECODER_FAILED, f"{type(error).__name__} in a decoder", part)
