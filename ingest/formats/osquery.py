"""Results of osquery's scheduled queries: one row, a batch of rows, or a snapshot.

In goes one result as the loggers filesystem, tls and kafka_producer write it, out one event for
each row. Separate from the tables because the three forms differ only in where the rows stand.

Facts: osquery/osquery ``docs/wiki/deployment/logging.md`` and ``osquery/core/query.cpp``: event
format (``columns`` and ``action`` added, removed or, with --logger_snapshot_event_type, snapshot),
batch format (``diffResults``; an empty list is written as ``""`` by older versions), snapshot
format (``snapshot``, ``action: snapshot``); ``unixTime``, ``epoch``, ``counter`` and all values are
texts or, with --logger_numerics, numbers; decorations stand in ``decorations`` or, with
--decorations_top_level, beside it; ``counter`` 0 marks the first run of a query, whose rows are
what there was before and no acts.

What is no act is ``other``: rows of a first run and of a snapshot, the going of an event's row, and
rows of tables that nothing is known of. A snapshot of anything but events is one event that says
how many rows there were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ingest.formats.leftovers import leftovers
from ingest.formats.osquery_tables import Table, instant, table_of
from ingest.formats.reader import Reader
from ingest.formats.seen import Action, Dataset, NotThisFormatError, Seen

if TYPE_CHECKING:
    from ingest.formats.reader import Document
    from ingest.formats.seen import Around, Fields

_ROWS: Final = ("columns", "diffResults", "snapshot")
_ADDED, _REMOVED, _SNAPSHOT = "added", "removed", "snapshot"
_PACKAGES: Final = {_ADDED: "install", _REMOVED: "remove"}
_SECRET: Final = frozenset(
    {"env", "environment", "value", "data", "contents", "result", "password"}
)
"""Columns whose text may be anybody's secret; of tables nothing is known of they are not kept."""


class _Result(NamedTuple):
    """What all rows of a result share."""

    shared: Fields
    query: str
    time: str | None
    is_first: bool
    issues: list[str]


def recognizes(document: Document) -> bool:
    """Whether this is a result: a query's name, its time, and rows in one of three places."""
    return (
        "unixTime" in document
        and "name" in document
        and any(key in document for key in _ROWS)
        and ("hostIdentifier" in document or "hostname" in document or "decorations" in document)
    )


def decode(document: Document, around: Around) -> list[Seen]:  # noqa: ARG001 - times are whole
    """Return what each row says.

    Raises
        NotThisFormatError: there is no row; caught where formats are told apart.
    """
    read = Reader()
    rows = _rows(read, document)
    if not rows:
        raise NotThisFormatError("an osquery result without rows")
    query = read.text(document, "name") or ""
    shared: Fields = {
        "event.dataset": Dataset.OSQUERY,
        "event.provider": "osquery",
        "host.name": _host(read, document),
        "trailwarden.tool.rule": query or None,
    }
    is_first = read.number(document, "counter") == 0
    result = _Result(shared, query, read.text(document, "unixTime"), is_first, read.issues)
    change, row = rows[0]
    if change == _SNAPSHOT:
        table = table_of(row, query)
        if table is None or not table.events:
            return [_summary(result, len(rows), table)]
    return [_seen(result, change, row) for change, row in rows]


def _rows(read: Reader, document: Document) -> list[tuple[str, Document]]:
    """Return each row and what became of it."""
    if "columns" in document:
        row = read.mapping(document, "columns")
        return [(read.text(document, "action") or _ADDED, row)] if row else []
    if "diffResults" in document:
        batch = read.mapping(document, "diffResults")
        return [
            (change, row)
            for change in (_REMOVED, _ADDED)
            if batch.get(change) != ""
            for row in read.mappings(batch, change)
        ]
    return [(_SNAPSHOT, row) for row in read.mappings(document, "snapshot")]


def _host(read: Reader, document: Document) -> str | None:
    """Return the machine's name; ``hostIdentifier`` may be a number, a decoration is chosen."""
    if "decorations" in document:
        found = read.text(read.mapping(document, "decorations"), "hostname")
        if found is not None:
            return found
    return read.text(document, "hostname") or read.text(document, "hostIdentifier")


def _summary(result: _Result, count: int, table: Table | None) -> Seen:
    fields = {
        **result.shared,
        "@timestamp": instant(result.time),
        "event.action": Action.OTHER,
        "event.outcome": "unknown",
        "event.code": table.name if table else None,
        "trailwarden.tool.fields": leftovers({"change": _SNAPSHOT, "rows": count}),
    }
    return Seen(fields, result.issues)


def _seen(result: _Result, change: str, row: Document) -> Seen:
    read = Reader()
    table = table_of(row, result.query)
    fields = {**result.shared}
    kept: dict[str, Any] = {}
    if table is None:
        kept = {"change": change, **{key: row[key] for key in row if key not in _SECRET}}
        action = Action.OTHER
    else:
        fields["event.code"] = table.name
        came = table.fill(read, row, fields, kept)
        if table.events:
            action = came
            if change == _REMOVED:
                action, fields["event.outcome"] = Action.OTHER, "unknown"
            if "time" in row:
                fields["@timestamp"] = instant(read.text(row, "time"))
        else:
            kept["change"] = change = "first" if result.is_first else change
            action = {_ADDED: came, _REMOVED: table.removed}.get(change, Action.OTHER)
    fields["event.action"] = action
    if fields.get("@timestamp") is None:  # the query's time: of a row's own there is none
        fields["@timestamp"] = instant(result.time)
    if "package.name" in fields and change in _PACKAGES:
        fields["trailwarden.package.action"] = _PACKAGES[change]
        fields["event.outcome"] = "success"
    fields.setdefault("event.outcome", "unknown" if action is Action.OTHER else "success")
    if kept:
        fields["trailwarden.tool.fields"] = leftovers(
            {key: value for key, value in kept.items() if value is not None}
        )
    return Seen(fields, [*result.issues, *read.issues])
