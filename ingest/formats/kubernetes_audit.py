"""Kubernetes audit records (audit.k8s.io/v1, log and webhook) become typed audit events.

Three tiers per record, each isolated from its neighbours (docs/decisions/0001): the typed decoder;
behind it a tolerant one that coerces field by field; behind that quarantine. One message is one
decode: a batch is never built by joining messages, a value with a newline would forge an event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from ingest.formats.audit_event import AuditEvent
from ingest.formats.lenient import well_formed
from ingest.formats.tolerant import coerce
from ingest.record import Reason, Records, Refused, Stage, sha256_hex
from ingest.redact.refused import redact_refused, structural_copy
from ingest.redact.text import redact_text
from ingest.salvage import salvage

if TYPE_CHECKING:
    from ingest.redact.token import Redactor

DATASET: Final = "kubernetes.audit"
SALVAGED: Final = "salvaged"
_KINDS: Final = frozenset({None, "Event"})
_VERSIONS: Final = frozenset({None, "audit.k8s.io/v1", "audit.k8s.io/v1beta1"})
_LISTS: Final = ("EventList", "List")
_QUOTED: Final = 256

_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_decode = msgspec.json.Decoder(AuditEvent).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class _Record:
    """One record and its place; ``listed`` if it is an item of a list."""

    raw: bytes
    offset: int
    path: str
    listed: bool = False


@dataclass(slots=True)
class Decoded:
    """Events of one chunk in the order of their records, and what was refused.

    ``offsets[i]`` is the place of the record that ``events[i]`` came from; ``issues`` names the
    rows that are not as they should be.
    """

    events: list[AuditEvent] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    issues: dict[int, list[str]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)

    def add(self, event: AuditEvent, offset: int, issues: list[str]) -> None:
        """Append one event with what was wrong with it."""
        if issues:
            self.issues[len(self.events)] = issues
        self.events.append(event)
        self.offsets.append(offset)


def decode(records: Records, redactor: Redactor) -> Decoded:
    """Decode one chunk of records; a bad record costs itself alone.

    Parameters
        records: one JSON document each: an event, an EventList or an array of events.
        redactor: makes the redacted copies of what is refused.

    Returns
        the events in order, with lists exploded, and the refused records. Never raises for
        what is in a record.
    """
    out = Decoded()
    try:
        events = [_decode(raw) for raw in records.raws]
    except _UNREADABLE:
        events = []
    if events and _all_plain(events):
        out.events, out.offsets = events, list(records.offsets)
    else:
        for raw, offset in zip(records.raws, records.offsets, strict=True):
            _decode_one(_Record(raw, offset, records.path), redactor, out)
    for row, offset in enumerate(out.offsets) if records.salvaged else ():
        if offset in records.salvaged:
            dropped = records.salvaged[offset].dropped
            out.issues.setdefault(row, []).extend(_salvage_issues(dropped))
    out.refused = redact_refused(out.refused, redactor)
    return out


def _salvage_issues(dropped: tuple[str, ...]) -> list[str]:
    return [SALVAGED, *(f"dropped:{name}" for name in dropped)]


def _all_plain(events: list[AuditEvent]) -> bool:
    """Whether a whole chunk needs no second look: nearly every chunk of a real log."""
    kinds = {event.kind for event in events}
    versions = {event.apiVersion for event in events}
    return kinds <= _KINDS and versions <= _VERSIONS and all(event.auditID for event in events)


def _decode_one(record: _Record, redactor: Redactor, out: Decoded) -> None:
    try:
        event = _decode(record.raw)
    except _UNREADABLE:
        _decode_tolerantly(record, redactor, out)
        return
    if event.kind in _KINDS and event.apiVersion in _VERSIONS and event.auditID:
        out.add(event, record.offset, [])
    else:
        _sort_out(event, [], record, redactor, out)


def _sort_out(
    event: AuditEvent, issues: list[str], record: _Record, redactor: Redactor, out: Decoded
) -> None:
    """Handle what decoded well but is not plainly one event: a list, another version or kind."""
    if _is_list(event):
        items = bytes(event.items)
        _explode(b"[]" if items in {b"", b"null"} else items, issues, record, redactor, out)
    elif event.looks_like_an_event:
        if event.kind not in _KINDS:
            issues.append(_quoted(f"unknown-kind:{event.kind:.40}", redactor))
        if event.apiVersion not in _VERSIONS:
            issues.append(_quoted(f"unknown-version:{event.apiVersion:.40}", redactor))
        out.add(event, record.offset, issues)
    else:
        detail = f"kind {event.kind!r:.40}, apiVersion {event.apiVersion!r:.40}: not an audit event"
        _refuse(Reason.NOT_AN_EVENT, detail, record, redactor, out)


@lru_cache(_QUOTED)
def _quoted(text: str, redactor: Redactor) -> str:
    """Redact an issue that repeats words of a record; a log has one such version, or two."""
    return redact_text(text, redactor)


def _is_list(event: AuditEvent) -> bool:
    items = bytes(event.items)
    if event.kind in _LISTS:
        return items.startswith(b"[") or not event.looks_like_an_event
    return event.kind is None and items != b"" and not event.looks_like_an_event


def _explode(
    items: bytes, issues: list[str], record: _Record, redactor: Redactor, out: Decoded
) -> None:
    """Decode each item of a list; the whole list is refused only if it is no list.

    ``issues`` of the list are those of each of its events. A list within a list is refused: no
    API server writes one, and a million brackets must not become a million calls.
    """
    if record.listed:
        _refuse(Reason.NOT_AN_EVENT, "a list within a list", record, redactor, out)
        return
    try:
        parts = _decode_items(items)
    except _UNREADABLE as error:
        _refuse(Reason.NOT_AN_EVENT, f"items of a list: {error}", record, redactor, out)
        return
    first = len(out.events)
    for part in parts:
        _decode_one(_Record(bytes(part), record.offset, record.path, listed=True), redactor, out)
    for row in range(first, len(out.events)) if issues else ():
        out.issues.setdefault(row, []).extend(issues)


def _decode_tolerantly(record: _Record, redactor: Redactor, out: Decoded) -> None:
    """Second tier: split without types, coerce; then salvage what is cut or too deep."""
    issues: list[str] = []
    try:
        raw = well_formed(record.raw, issues).strip()
        if raw.startswith(b"["):
            _explode(raw, issues, record, redactor, out)
        elif raw.startswith(b"{"):
            event, wrong = coerce(_decode_members(raw))
            _sort_out(event, issues + wrong, record, redactor, out)
        else:
            _refuse(Reason.NOT_AN_EVENT, "JSON, but not an object", record, redactor, out)
    except (msgspec.DecodeError, RecursionError) as error:
        _salvage(record, error, redactor, out)


def _salvage(record: _Record, error: Exception, redactor: Redactor, out: Decoded) -> None:
    """Third tier: what is left of a cut, oversized or too deeply nested event, else quarantine."""
    saved = salvage(record.raw)
    if saved is not None:
        event, wrong = coerce(_decode_members(saved.raw))
        out.add(event, record.offset, [*_salvage_issues(saved.dropped), *wrong])
        return
    reason = Reason.TOO_DEEP if isinstance(error, RecursionError) else Reason.NOT_JSON
    text = record.raw.strip()
    if text.startswith(b"{") and not text.endswith(b"}"):
        reason = Reason.TRUNCATED
    _refuse(reason, str(error), record, redactor, out)


def _refuse(reason: Reason, detail: str, record: _Record, redactor: Redactor, out: Decoded) -> None:
    out.refused.append(
        Refused(
            stage=Stage.DECODE,
            reason=reason,
            path=record.path,
            offset=record.offset,
            size_bytes=len(record.raw),
            sha256=sha256_hex(record.raw),
            detail=detail,
            copy=structural_copy(record.raw, redactor),
        )
    )
