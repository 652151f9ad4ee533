"""Findings as they stand in Elasticsearch, newest first; and what people decide, written into one.

Separate from the bulk writer because people's fields are the only ones that ever change, one
document at a time, and only if nobody changed it meanwhile (design: Findings). A search may be
behind by a refresh, so after a conflict the document itself is read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sinks.elasticsearch.answers import Answer, request_answer
from sinks.elasticsearch.transport import (
    NotAllowedError,
    SetupMissingError,
    UnavailableError,
    ask,
    require,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sinks.elasticsearch.connection import Client

PREFIX: Final = "trailwarden.triage."
ATTEMPTS: Final = 5
MOST_FINDINGS: Final = 10_000
"""``index.max_result_window``: what one search may return."""

_ID: Final = "trailwarden.finding.id"


class TriageConflictError(Exception):
    """Others changed the document each time; the message says how often it was tried."""


@dataclass(frozen=True, slots=True)
class HeldFinding:
    """A finding's document, where it stands, and which state of it was read."""

    index: str
    id: str
    seq_no: int
    primary_term: int
    document: Mapping[str, Any]


def search_findings(
    client: Client, prefix: str, filters: Sequence[Mapping[str, Any]], limit: int
) -> list[HeldFinding]:
    """Return the newest findings that all filters let through.

    Parameters
        prefix: index names begin so.
        filters: clauses of a bool query's ``filter``.
        limit: most findings, at most `MOST_FINDINGS`.

    Raises
        NotAllowedError, SetupMissingError, UnavailableError: Elasticsearch refuses, or is not
            there.
    """
    body = {
        "query": {"bool": {"filter": list(filters)}},
        "sort": [{"@timestamp": {"order": "desc", "missing": "_last"}}],
        "size": min(limit, MOST_FINDINGS),
        "seq_no_primary_term": True,
        "track_total_hits": False,
    }
    answer = require(client, "POST", f"/{prefix}-findings-*/_search", body)
    return [_held(hit) for hit in answer["hits"]["hits"]]


def find_finding(client: Client, prefix: str, name: str, limit: int = 2) -> list[HeldFinding]:
    """Return the findings whose id begins with ``name``; raises as `search_findings`."""
    return search_findings(client, prefix, [{"prefix": {_ID: {"value": name}}}], limit)


def set_triage(client: Client, held: HeldFinding, fields: Mapping[str, Any]) -> None:
    """Set people's fields of a finding; all others stay.

    Parameters
        fields: names below ``trailwarden.triage.``.

    Raises
        TriageConflictError: `ATTEMPTS` times somebody else was faster.
        NotAllowedError, SetupMissingError, UnavailableError: as `search_findings`; SetupMissing
            also where the document is gone.
    """
    document = {f"{PREFIX}{name}": value for name, value in fields.items()}
    current = held
    for _ in range(ATTEMPTS):
        if _is_set(client, current, document):
            return
        current = _read_again(client, held)
    raise TriageConflictError(f"finding {held.id} was changed by others {ATTEMPTS} times meanwhile")


def _is_set(client: Client, held: HeldFinding, document: Mapping[str, Any]) -> bool:
    """Update what was read; False where it is not what is there now."""
    params = {"if_seq_no": str(held.seq_no), "if_primary_term": str(held.primary_term)}
    path = f"/{held.index}/_update/{quote(held.id, safe='')}"
    reply = ask(client, "POST", path, {"doc": document}, params=params)
    if reply.status == HTTPStatus.CONFLICT:
        return False
    answer = request_answer(reply.status, reply.error_type)
    if answer is Answer.DONE:
        return True
    text = f"POST {path}: {reply.reason}"
    if answer is Answer.NOT_ALLOWED:
        raise NotAllowedError(text)
    raise UnavailableError(text) if answer is Answer.NOT_NOW else SetupMissingError(text)


def _read_again(client: Client, held: HeldFinding) -> HeldFinding:
    """Return the document as it is now: a get sees what no search shows yet."""
    found = require(client, "GET", f"/{held.index}/_doc/{quote(held.id, safe='')}")
    if found is None:
        raise SetupMissingError(f"finding {held.id} is gone from {held.index}")
    return _held(found)


def _held(hit: Mapping[str, Any]) -> HeldFinding:
    return HeldFinding(
        hit["_index"], hit["_id"], hit["_seq_no"], hit["_primary_term"], hit["_source"]
    )
