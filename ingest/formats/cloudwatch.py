"""What CloudWatch Logs says around log events becomes items: EKS' audit and authenticator streams.

Separate from the other clouds' envelopes because only here the log group names the cluster and the
log stream the kind of record. Cheap, too, for the streams that nobody wants: klog of the scheduler
and the controllers is refused before it is looked at.

Forms, each with the place it was taken from:

* a subscription's ``{"messageType","owner","logGroup","logStream","logEvents":[...]}`` (AWS,
  "CloudWatch Logs subscription filters"; Powertools for AWS Lambda, ``CloudWatchLogsDecode``), and
  the same in Vector's spelling ``log_group`` (VRL,
  ``parse_aws_cloudwatch_log_subscription_message``);
* the answer of FilterLogEvents and GetLogEvents, ``{"events":[{"logStreamName","message"}]}``,
  which does not name the group (AWS API reference, ``FilteredLogEvent``);
* one event alone: ``FilteredLogEvent``, Vector's, and Filebeat's (``aws.cloudwatch.log_group``).

EKS' group is ``/aws/eks/CLUSTER/cluster``, its streams begin with ``kube-apiserver-audit-`` and
``authenticator-`` (Amazon EKS user guide, "Send control plane logs to CloudWatch Logs"). Container
Insights' groups are ``/aws/containerinsights/CLUSTER/...``. A message over the size of a log event
(256 KiB, 1 MiB since April 2025) ends in ``[Truncated...]`` (falcosecurity/plugins issue 297): it
is an item like any other, and ingest/salvage.py keeps what is left of it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from msgspec import Raw, Struct

from ingest.formats.envelope_parts import Elements, Top, elements, milliseconds, text_of, typed
from ingest.formats.item import Item
from ingest.formats.origin import Origin
from ingest.record import Reason

_CONTROL: Final = "CONTROL_MESSAGE"
_KINDS: Final = frozenset({_CONTROL, "DATA_MESSAGE"})
NO_GROUP: Final = Origin(provider="aws")
_WANTED: Final = ("kube-apiserver-audit-", "authenticator-")
_CONTROL_PLANE: Final = (
    "kube-apiserver-",
    "kube-controller-manager-",
    "kube-scheduler-",
    "cloud-controller-manager-",
)
_EKS: Final = ("", "aws", "eks")
_INSIGHTS: Final = ("", "aws", "containerinsights")
_AUTHENTICATOR: Final = "authenticator-"
_LONGEST: Final = 1_024
"""Characters of what is remembered; a log group's name has at most 512."""

_LOGFMT: Final = 'time="'


class LogEvent(Struct, gc=False):
    """One log event."""

    message: str | None = None
    timestamp: Any = None
    ingestionTime: Any = None  # noqa: N815 - spelled as in the record
    logStreamName: str | None = None  # noqa: N815 - spelled as in the record


class Place(Struct, gc=False):
    """``aws.cloudwatch`` of a Filebeat event."""

    log_group: str | None = None
    log_stream: str | None = None


class Filebeat(Struct, gc=False):
    """``aws`` of a Filebeat event."""

    cloudwatch: Place | None = None


def open_log_events(raw: bytes, top: Top) -> list[Item] | None:
    """Open what CloudWatch Logs, or a tool that reads it, wrote; None if ``raw`` is of neither.

    ``top`` holds the members of ``raw``.
    """
    kind = text_of(top.messageType or top.message_type)
    if (events := top.logEvents or top.log_events) or kind in _KINDS:
        return _subscription(raw, top, kind, events)
    group, owner = text_of(top.logGroup or top.log_group), text_of(top.owner)
    if top.message and (stream := top.logStreamName or top.logStream or top.log_stream):
        event = LogEvent(text_of(top.message), _value(top.ingestionTime or top.timestamp))
        return [_placed(raw, event, (group, text_of(stream), owner))]
    if top.message and top.aws:
        place = (typed(top.aws, Filebeat)[0] or Filebeat()).cloudwatch
        event = LogEvent(text_of(top.message))
        return [_placed(raw, event, (place.log_group, place.log_stream, None))] if place else None
    return _answer(raw, top) if top.events else None


def _subscription(raw: bytes, top: Top, kind: str | None, events: Raw) -> list[Item]:
    if kind == _CONTROL:
        return [Item(raw, NO_GROUP, refusal="a control message of CloudWatch Logs")]
    group = text_of(top.logGroup or top.log_group)
    stream = text_of(top.logStream or top.log_stream)
    origin = _origin(group, text_of(top.owner))
    if refusal := _unwanted(group, stream):
        return [Item(raw, origin, refusal=refusal)]
    found = elements(events, LogEvent)
    if found is None:
        text = "log events that are no list, or too many"
        return [Item(raw, origin, refusal=text, reason=Reason.NOT_AN_EVENT)]
    return _items(raw, found, origin, stream)


def _answer(raw: bytes, top: Top) -> list[Item] | None:
    """Open the answer of FilterLogEvents or GetLogEvents; None if the list is of something else."""
    found = elements(top.events, LogEvent)
    if found is None:
        return None
    if not found.values and (top.searchedLogStreams or top.nextForwardToken):
        return []
    first = found.values[0] if found.values else None
    if first is None or first.message is None:
        return None
    is_ours = first.logStreamName is not None or first.ingestionTime is not None
    return _items(raw, found, NO_GROUP, None) if is_ours else None


def _value(raw: Raw) -> object:
    """Return a time as it is written, a number or a text."""
    text = text_of(raw)
    return bytes(raw).decode(errors="replace") if text is None else text


def _placed(raw: bytes, event: LogEvent, place: tuple[str | None, str | None, str | None]) -> Item:
    """Return an event that stands alone; ``place`` is its group, its stream and its owner."""
    group, stream, owner = place
    origin = _origin(group, owner)
    if refusal := _unwanted(group, stream):
        return Item(raw, origin, refusal=refusal)
    return _item(raw, event, origin, stream)


def _items(raw: bytes, found: Elements[LogEvent], origin: Origin, stream: str | None) -> list[Item]:
    return [
        Item(raw, origin, refusal="no log event", reason=Reason.NOT_AN_EVENT)
        if event is None
        else _item(raw, event, origin, stream, found.issues.get(number, ()))
        for number, event in enumerate(found.values)
    ]


def _item(
    raw: bytes,
    event: LogEvent,
    origin: Origin,
    stream: str | None,
    issues: tuple[str, ...] = (),
) -> Item:
    stream = event.logStreamName or stream
    if event.message is None:
        text = "a log event without a message"
        return Item(raw, origin, refusal=text, reason=Reason.NOT_AN_EVENT)
    inner = event.message.encode()
    received = milliseconds(event.ingestionTime)
    if received is None:
        received = milliseconds(event.timestamp)
    refusal = None
    if stream is not None and stream.startswith(_AUTHENTICATOR) and _LOGFMT not in event.message:
        refusal = "a line of the authenticator that is no logfmt"
    elif event.logStreamName is not None:
        refusal = _unwanted(None, stream)
    return Item(inner, origin, issues, received, refusal)


def _unwanted(group: str | None, stream: str | None) -> str | None:
    """Say why nobody wants a log stream.

    In EKS' own groups only two streams are wanted. Elsewhere, or where the group is unknown, any
    record may stand in a stream: a sensor's, of pods that an agent collects.
    """
    if stream is None or stream.startswith(_WANTED):
        return None
    if _group(group)[:3] == _EKS or stream.startswith(_CONTROL_PLANE):
        return f"log stream {stream:.60}: no audit events"
    return None


def _origin(group: str | None, owner: str | None) -> Origin:
    is_long = len(group or "") + len(owner or "") > _LONGEST
    return (_named if is_long else _remembered)(group, owner)


def _named(group: str | None, owner: str | None) -> Origin:
    parts = _group(group)
    cluster = parts[3] if parts[:3] in {_EKS, _INSIGHTS} and len(parts) > len(_EKS) else None
    return Origin(cluster=cluster or None, provider="aws", account=owner or None)


_remembered = lru_cache(4_096)(_named)


def _group(name: str | None) -> tuple[str, ...]:
    return tuple((name or "").split("/"))
