"""What Azure Monitor says around log lines becomes items: AKS' audit categories.

Separate from the other clouds' envelopes because only here the resource's id names the cluster and
the category the kind of record. Categories that nobody wants (guard, cluster-autoscaler, the
scheduler's klog) are refused before the line is looked at.

A record is ``{"time","resourceId","category","operationName","location"?,"properties":{"log":
"<audit event>","stream","pod","containerID"}}``: alone (a storage account's blob has one a line)
or as ``{"records":[...]}`` (Event Hubs). Sources: Azure Monitor, "Common and service-specific
schemas for Azure resource logs"; AKS' documentation, "Log event schema"; real records in
dynatrace-oss/dynatrace-azure-log-forwarder (tests for kube-audit). ``kube-audit-admin`` repeats
what ``kube-audit`` has, without reads: with both on, an event comes twice and has one id.
``properties.log`` is cut after 16 KiB (Azure/AKS issue 4635): ingest/salvage.py keeps what is left.

Azure writes the id in upper case here and as it was typed elsewhere, and says that names must be
compared without case ("Naming rules and restrictions for Azure resources"): the cluster's name and
the subscription are in lower case, whatever they were.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from msgspec import Raw, Struct

from ingest.formats.envelope_parts import NOTHING, elements, milliseconds, text_of, typed
from ingest.formats.item import Item
from ingest.formats.origin import Origin
from ingest.record import Reason

WANTED: Final = frozenset({"kube-audit", "kube-audit-admin"})
_LONGEST: Final = 1_024
"""Characters of what is remembered; Azure's ids of clusters have some 200."""

_CLUSTERS: Final = frozenset({"managedclusters", "connectedclusters"})


class Properties(Struct, gc=False):
    """``properties`` of a record."""

    log: Raw = NOTHING


class Record(Struct, gc=False):
    """One record; the line stays unparsed until somebody wants it."""

    category: str | None = None
    resourceId: str | None = None  # noqa: N815 - spelled as in the record
    location: str | None = None
    time: Any = None
    properties: Properties | None = None


def open_record(raw: bytes) -> Item:
    """Open one record that stands alone."""
    record, issues = typed(raw, Record)
    return _item(record or Record(), issues)


def open_batch(records: Raw) -> list[Item] | None:
    """Open a batch, a list of nothing too; None if its first element is no record."""
    found = elements(records, Record)
    if found is None:
        return None
    first = found.values[0] if found.values else Record("", "")
    if first is None or (first.category is None and first.resourceId is None):
        return None
    return [
        _item(record or Record(), found.issues.get(number, ()))
        for number, record in enumerate(found.values)
    ]


def _item(record: Record, issues: tuple[str, ...]) -> Item:
    """Return the line of a record; where it is refused, as it stood, quoted."""
    origin = _origin(record.resourceId, record.location)
    log = record.properties.log if record.properties else NOTHING
    if record.category not in WANTED:
        text = f"category {record.category or '?':.60}: no audit events"
        return Item(bytes(log), origin, refusal=text)
    line = _line(log)
    if line is None:
        text = f"a record of {record.category} without properties.log"
        return Item(bytes(log), origin, refusal=text, reason=Reason.NOT_AN_EVENT)
    return Item(line, origin, issues, milliseconds(record.time))


def _line(log: Raw) -> bytes | None:
    """Return the line that a text holds, or the event itself where a tool has parsed it."""
    text = text_of(log)
    if text is not None:
        return text.encode()
    raw = bytes(log)
    return raw if raw.startswith(b"{") else None


def _origin(resource_id: str | None, location: str | None) -> Origin:
    is_long = len(resource_id or "") + len(location or "") > _LONGEST
    return (_named if is_long else _remembered)(resource_id, location)


def _named(resource_id: str | None, location: str | None) -> Origin:
    parts = (resource_id or "").lower().split("/")
    named = dict(pairwise(parts))
    cluster = next((named[kind] for kind in _CLUSTERS & named.keys()), None)
    account = named.get("subscriptions")
    return Origin(cluster or None, "azure", account or None, location or None)


_remembered = lru_cache(4_096)(_named)
