"""The event's own fields become columns, one list per column.

Separate from normalize because this is the hot loop: one comprehension per column over typed
values, and no object per event that outlives its chunk.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from ingest.canonical_time import canonical_times
from ingest.facets.exec import query_of
from ingest.facets.rows import object_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.formats.audit_event import AuditEvent

Columns = dict[str, list[Any]]

_A: Final = "kubernetes.audit."
_TW: Final = "trailwarden."
_DRY_VERBS: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_HEEDLESS: Final = frozenset({"exec", "attach", "portforward", "proxy", "log", "token"})
"""Subresources that take no dryRun: streams, and tokens, which are minted all the same
(kubernetes/kubernetes, registry of pods, nodes, services and serviceaccounts)."""

_AGENT_MAX: Final = 256
"""Characters of a user agent looked at for its name: what is remembered must be bounded."""


def event_columns(events: Sequence[AuditEvent]) -> Columns:
    """Return the columns of the event's own fields, as lists in the events' order."""
    refs = [e.objectRef for e in events]
    uris = [e.requestURI for e in events]
    return {
        _A + "auditID": [e.auditID for e in events],
        _A + "level": [e.level for e in events],
        _A + "stage": [e.stage for e in events],
        _A + "verb": [e.verb for e in events],
        _A + "requestURI": uris,
        _A + "objectRef.apiGroup": [r.apiGroup for r in refs],
        _A + "objectRef.name": [r.name for r in refs],
        _A + "objectRef.subresource": [r.subresource for r in refs],
        "orchestrator.namespace": [r.namespace for r in refs],
        "orchestrator.resource.type": [r.resource for r in refs],
        "orchestrator.resource.id": [r.uid for r in refs],
        "orchestrator.api_version": [
            f"{r.apiGroup}/{r.apiVersion}" if r.apiGroup else r.apiVersion for r in refs
        ],
        "orchestrator.resource.name": [
            r.name or object_name(e) for r, e in zip(refs, events, strict=True)
        ],
        "user_agent.original": [e.userAgent for e in events],
        "user_agent.name": [
            None if e.userAgent is None else _agent_name(e.userAgent[:_AGENT_MAX]) for e in events
        ],
        _TW + "dry_run": [
            (u is not None and "dryRun=" in u and _is_dry_run(e)) or None
            for u, e in zip(uris, events, strict=True)
        ],
        "@timestamp": canonical_times([e.stageTimestamp for e in events]),
        "event.start": canonical_times([e.requestReceivedTimestamp for e in events]),
    }


def _is_dry_run(event: AuditEvent) -> bool:
    """Whether nothing was stored: ``dryRun=All`` in the query of a write that heeds it.

    Everything else ignores the parameter, so that an exec with it is done all the same; so is one
    that only has the word somewhere in its URI.
    """
    return (
        event.verb in _DRY_VERBS
        and event.objectRef.subresource not in _HEEDLESS
        and "All" in query_of(event.requestURI or "").get("dryRun", ())
    )


@lru_cache(65_536)
def _agent_name(head: str) -> str | None:
    """``kubectl/v1.32 (linux/amd64)`` -> ``kubectl``."""
    return head.partition(" ")[0].partition("/")[0] or None
