"""Records become events: one Polars frame under EVENT_SCHEMA, redacted, and what was refused.

Separate from the formats because everything that is the same for all of them happens here. A pure
function of the records and the settings: the service, `scan`, replay and notebooks all call it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import polars as pl

from ingest.action import derived
from ingest.assemble import event_frame, series, sparse_series, with_rows
from ingest.column import TEXTS
from ingest.columns import Columns, event_columns
from ingest.facets.rows import facet_rows
from ingest.formats.decode import decode
from ingest.formats.kubernetes_audit import SALVAGED
from ingest.formats.parts import Parts
from ingest.formats.seen import Dataset
from ingest.ids import audit_ids
from ingest.part_columns import part_columns
from ingest.redact.facets import redact_facets
from ingest.redact.frame import URI, redact_frame
from ingest.redact.token import Redactor
from ingest.schema import empty_events
from ingest.seen_frame import SeenRows, seen_frame
from ingest.timestamps import event_times

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ingest.address import Network
    from ingest.formats.audit_event import AuditEvent
    from ingest.formats.decoded import Decoded
    from ingest.formats.origin import Origin
    from ingest.record import Records, Refused

CLUSTER: Final = "orchestrator.cluster.name"


@dataclass(frozen=True, slots=True)
class NormalizeSettings:
    """What normalize must be told: never read from a record.

    ``cluster`` names the cluster of records whose chunk names none; where ``is_default`` says that
    nobody chose it, a cloud's envelope may name another. ``trusted_proxies`` are the
    networks whose X-Forwarded-For is believed; ``redactor`` holds the key that equal secrets are
    compared by.
    """

    cluster: str
    redactor: Redactor = field(default_factory=Redactor)
    trusted_proxies: Sequence[Network] = ()
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Normalized:
    """Events (EVENT_SCHEMA, in the records' order) and refused records of one batch."""

    events: pl.DataFrame
    refused: list[Refused]


@dataclass(slots=True)
class _Batch:
    """Column values of a batch while its chunks are decoded."""

    columns: Columns = field(default_factory=dict)
    parts: Parts = field(default_factory=Parts)
    facet_rows: list[int] = field(default_factory=list)
    facets: list[dict[str, object]] = field(default_factory=list)
    issues: dict[int, list[str]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    height: int = 0
    seen: SeenRows = field(default_factory=SeenRows)
    order: list[bool] = field(default_factory=list)
    """Whether each event is one of ``seen``, as far as any is."""


def normalize(chunks: Iterable[Records], settings: NormalizeSettings) -> Normalized:
    """Turn chunks of records into one batch of events.

    Parameters
        chunks: records, 250 to 500 a chunk for the processor's cache (docs/decisions/0001); 5 to
            10 thousand in all make a good batch.

    Returns
        events, one row each in order, and the refused records of the chunks (those that framing
        refused included). Raises nothing for what is in a record.
    """
    batch = _Batch()
    for chunk in chunks:
        batch.refused += chunk.refused
        _decode_chunk(chunk, settings, batch)
    if not batch.seen.height:
        events = _audit_frame(batch, settings) if batch.height else empty_events()
        return Normalized(events, batch.refused)
    seen = seen_frame(batch.seen, settings.redactor)
    if not batch.height:
        return Normalized(seen, batch.refused)
    both = pl.concat([_audit_frame(batch, settings), seen])
    return Normalized(both[_places(batch.order, batch.height)], batch.refused)


def _places(order: list[bool], height: int) -> pl.Series:
    """Return where each event stands when all that machines saw follow the ``height`` others."""
    is_seen = pl.Series(order, dtype=pl.Boolean)
    seen = is_seen.cum_sum() - 1 + height
    audit = (~is_seen).cum_sum() - 1
    return seen.zip_with(is_seen, audit)


def _audit_frame(batch: _Batch, settings: NormalizeSettings) -> pl.DataFrame:
    """Return the API server's events of a batch, redacted."""
    columns = {name: series(name, values) for name, values in batch.columns.items()}
    columns.update(part_columns(batch.parts, settings.trusted_proxies, settings.redactor))
    secrets = redact_facets(batch.facets, settings.redactor)
    columns.update(sparse_series(batch.height, batch.facet_rows, batch.facets))
    _part_issues(batch)
    columns.update(_derived(columns))
    times = event_times(columns["@timestamp"], columns["event.start"], batch.issues)
    columns.update({name: times[name] for name in times.columns})
    events, kinds = redact_frame(event_frame(columns, batch.height), settings.redactor)
    for position, names in secrets.items():
        kinds.setdefault(batch.facet_rows[position], set()).update(names)
    return _finish(events, batch, kinds)


def _derived(columns: dict[str, pl.Series]) -> dict[str, pl.Series]:
    """Work out ids, action and outcome, from texts as they were received."""
    frame = pl.DataFrame(list(columns.values()))
    found = frame.select(*derived(frame)).hstack(audit_ids(frame))
    return {name: found[name] for name in found.columns}


def _decode_chunk(chunk: Records, settings: NormalizeSettings, batch: _Batch) -> None:
    decoded = decode(chunk, settings.redactor)
    batch.refused += decoded.refused
    cluster = chunk.cluster or (None if settings.is_default else settings.cluster)
    if decoded.sightings and not batch.order:
        batch.order = [False] * batch.height
    if decoded.sightings or batch.order:
        batch.order += decoded.order or [False] * len(decoded.events)
        batch.seen.extend(decoded.sightings, cluster, settings.cluster, settings.redactor)
    if decoded.events:
        _lay_events(decoded, chunk, cluster, settings, batch)


def _lay_events(
    decoded: Decoded,
    chunk: Records,
    cluster: str | None,
    settings: NormalizeSettings,
    batch: _Batch,
) -> None:
    events, start = decoded.events, batch.height
    _extend_parts(batch, events)
    columns = event_columns(events)
    columns["log.offset"] = decoded.offsets
    columns["log.file.path"] = [chunk.path] * len(events)
    columns[CLUSTER] = [cluster or settings.cluster] * len(events)
    if decoded.origins:
        _lay_origins(columns, decoded.origins, is_named=cluster is not None)
    for name, values in columns.items():
        batch.columns.setdefault(name, [None] * start).extend(values)
    names = [user.username for user in batch.parts.users.values]
    users = [names[code] for code in batch.parts.users.codes[start:]]
    for row, facet in facet_rows(events, users, settings.redactor, decoded.issues):
        batch.facet_rows.append(start + row)
        batch.facets.append(facet)
    for row, issues in decoded.issues.items():
        batch.issues[start + row] = issues
    batch.height += len(events)
    for values in batch.columns.values():
        values.extend([None] * (batch.height - len(values)))


def _lay_origins(columns: Columns, origins: dict[int, Origin], *, is_named: bool) -> None:
    """Lay what envelopes say of where events come from."""
    height = len(columns[CLUSTER])
    for name in ("cloud.provider", "cloud.account.id", "cloud.region"):
        columns[name] = [None] * height
    for row, origin in origins.items():
        columns["cloud.provider"][row] = origin.provider
        columns["cloud.account.id"][row] = origin.account
        columns["cloud.region"][row] = origin.region
        if origin.cluster and not is_named:
            columns[CLUSTER][row] = origin.cluster


def _extend_parts(batch: _Batch, events: list[AuditEvent]) -> None:
    parts = batch.parts
    parts.users.extend([event.user for event in events])
    parts.impersonated.extend([event.impersonatedUser for event in events])
    parts.authentication.extend([event.authenticationMetadata for event in events])
    parts.addresses.extend([event.sourceIPs for event in events])
    parts.statuses.extend([event.responseStatus for event in events])
    parts.annotations.extend([event.annotations for event in events])


def _part_issues(batch: _Batch) -> None:
    """Give the issues of a part to every row that has it."""
    for table in batch.parts.tables:
        if table.issues:
            for row, code in enumerate(table.codes):
                if code in table.issues:
                    batch.issues.setdefault(row, []).extend(table.issues[code])


def _finish(events: pl.DataFrame, batch: _Batch, kinds: dict[int, set[str]]) -> pl.DataFrame:
    """Fill the columns that need the whole, redacted frame."""
    path = events[URI].str.split("?").list.first()
    encoded = path.str.contains("%", literal=True).fill_null(value=False).arg_true()
    path = path.scatter(encoded, [unquote(text) for text in path.gather(encoded).to_list()])
    issues = events["trailwarden.parse.issues"]
    redacted = events["trailwarden.redacted"]
    cut = [row for row, names in batch.issues.items() if SALVAGED in names]
    truncated = events["trailwarden.truncated"]
    return events.with_columns(
        path.alias("url.path"),
        pl.lit("event").alias("event.kind"),
        pl.lit(Dataset.AUDIT.value).alias("event.dataset"),
        _laid(issues, {row: sorted(set(names)) for row, names in batch.issues.items()}),
        _laid(redacted, {row: sorted(names) for row, names in kinds.items()}),
        truncated.scatter(cut, values=True) if cut else truncated,
    )


def _laid(empty: pl.Series, values: dict[int, list[str]]) -> pl.Series:
    if not values:
        return empty
    return with_rows(empty, list(values), pl.Series(list(values.values()), dtype=TEXTS))
