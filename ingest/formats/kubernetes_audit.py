"""Kubernetes audit records (audit.k8s.io/v1, log and webhook) become typed audit events.

Three tiers per record, each isolated from its neighbours (docs/decisions/0001): the typed decoder;
behind it a tolerant one that coerces field by field; behind that quarantine. One message is one
decode: a batch is never built by joining messages, a value with a newline would forge an event.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from ingest.formats.audit_event import AuditEvent
from ingest.formats.decoded import Decoding, Part
from ingest.formats.lenient import well_formed
from ingest.formats.tolerant import coerce
from ingest.record import Reason
from ingest.redact.text import redact_text
from ingest.salvage import salvage

if TYPE_CHECKING:
    from ingest.redact.token import Redactor

SALVAGED: Final = "salvaged"
_KINDS: Final = frozenset({None, "Event"})
_VERSIONS: Final = frozenset({None, "audit.k8s.io/v1", "audit.k8s.io/v1beta1"})
_LISTS: Final = ("EventList", "List")
_QUOTED: Final = 256

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_decode = msgspec.json.Decoder(AuditEvent).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

Each = Callable[[Part], None]
"""Decodes an item of a list, whatever its format."""


def plain_events(raws: list[bytes]) -> list[AuditEvent] | None:
    """Return the events of records that need no second look, None if any does.

    Nearly every chunk of an API server's log is such a one.
    """
    try:
        events = [_decode(raw) for raw in raws]
    except UNREADABLE:
        return None
    kinds = {event.kind for event in events}
    versions = {event.apiVersion for event in events}
    is_plain = kinds <= _KINDS and versions <= _VERSIONS and all(e.auditID for e in events)
    return events if is_plain else None


def salvage_issues(dropped: tuple[str, ...]) -> list[str]:
    """Return how an event is marked that could be kept only in part."""
    return [SALVAGED, *(f"dropped:{name}" for name in dropped)]


def decode_event(part: Part, decoding: Decoding, each: Each) -> None:
    """Decode one event or list; what it is not, and what cannot be read, is refused."""
    try:
        event = _decode(part.raw)
    except UNREADABLE:
        _decode_tolerantly(part, decoding, each)
        return
    if event.kind in _KINDS and event.apiVersion in _VERSIONS and event.auditID:
        decoding.add(event, part, [])
    else:
        _sort_out(event, [], part, decoding, each)


def _sort_out(
    event: AuditEvent, issues: list[str], part: Part, decoding: Decoding, each: Each
) -> None:
    """Handle what decoded well but is not plainly one event: a list, another version or kind."""
    if _is_list(event):
        items = bytes(event.items)
        _explode(b"[]" if items in {b"", b"null"} else items, issues, part, decoding, each)
    elif event.looks_like_an_event:
        if event.kind not in _KINDS:
            issues.append(_quoted(f"unknown-kind:{event.kind:.40}", decoding.redactor))
        if event.apiVersion not in _VERSIONS:
            text = f"unknown-version:{event.apiVersion:.40}"
            issues.append(_quoted(text, decoding.redactor))
        decoding.add(event, part, issues)
    else:
        detail = f"kind {event.kind!r:.40}, apiVersion {event.apiVersion!r:.40}: not an audit event"
        decoding.refuse(Reason.NOT_AN_EVENT, detail, part)


@lru_cache(_QUOTED)
def _quoted(text: str, redactor: Redactor) -> str:
    """Redact an issue that repeats words of a record; a log has one such version, or two."""
    return redact_text(text, redactor)


def _is_list(event: AuditEvent) -> bool:
    items = bytes(event.items)
    if event.kind in _LISTS:
        return items.startswith(b"[") or not event.looks_like_an_event
    return event.kind is None and items != b"" and not event.looks_like_an_event


def _explode(items: bytes, issues: list[str], part: Part, decoding: Decoding, each: Each) -> None:
    """Decode each item of a list; the whole list is refused only if it is no list.

    ``issues`` of the list are those of each of its events. A list within a list is refused: no
    API server writes one, and a million brackets must not become a million calls.
    """
    if part.listed:
        decoding.refuse(Reason.NOT_AN_EVENT, "a list within a list", part)
        return
    try:
        found = _decode_items(items)
    except UNREADABLE as error:
        decoding.refuse(Reason.NOT_AN_EVENT, f"items of a list: {error}", part)
        return
    first = decoding.height
    for item in found:
        each(part.inner(bytes(item), listed=True))
    if issues:
        decoding.mark(first, issues)


def _decode_tolerantly(part: Part, decoding: Decoding, each: Each) -> None:
    """Second tier: split without types, coerce; then salvage what is cut or too deep."""
    issues: list[str] = []
    try:
        raw = well_formed(part.raw, issues).strip()
        if raw.startswith(b"["):
            _explode(raw, issues, part, decoding, each)
        elif raw.startswith(b"{"):
            event, wrong = coerce(_decode_members(raw))
            _sort_out(event, issues + wrong, part, decoding, each)
        else:
            decoding.refuse(Reason.NOT_AN_EVENT, "JSON, but not an object", part)
    except (msgspec.DecodeError, RecursionError) as error:
        _salvage(part, error, decoding)


def _salvage(part: Part, error: Exception, decoding: Decoding) -> None:
    """Third tier: what is left of a cut, oversized or too deeply nested event, else quarantine."""
    saved = salvage(part.raw)
    if saved is not None:
        event, wrong = coerce(_decode_members(saved.raw))
        decoding.add(event, part, [*salvage_issues(saved.dropped), *wrong])
        return
    reason = Reason.TOO_DEEP if isinstance(error, RecursionError) else Reason.NOT_JSON
    text = part.raw.strip()
    if text.startswith(b"{") and not text.endswith(b"}"):
        reason = Reason.TRUNCATED
    decoding.refuse(reason, str(error), part)
