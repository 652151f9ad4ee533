"""What machines saw becomes a frame under EVENT_SCHEMA, completed and redacted.

Separate from normalize because these events have few of many columns: they are laid from one
mapping each, where the API server's are laid column by column.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from ingest.assemble import event_frame, series
from ingest.column import TEXTS, TIME
from ingest.facets.seen import complete
from ingest.formats.decoded import NO_ORIGIN
from ingest.ids import seen_act_id, seen_id
from ingest.redact.columns import redact_columns
from ingest.schema import DTYPES
from ingest.timestamps import event_times, other_times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.columns import Columns
    from ingest.formats.decoded import Sighting
    from ingest.formats.origin import Origin
    from ingest.formats.seen import Fields
    from ingest.redact.token import Redactor

_ISSUES: Final = "trailwarden.parse.issues"
_REDACTED: Final = "trailwarden.redacted"
_DATASET: Final = "event.dataset"
_OWN_TIMES: Final = ("@timestamp", "event.start")


@dataclass(slots=True)
class SeenRows:
    """Events of a batch, in order: column values as far as any event has one, and what was wrong.

    Laid out chunk by chunk: the mappings of some hundred events are still in the processor's cache
    (5.4 us an event for ten thousand at once, 2.2 so; 2026-11-21).
    """

    columns: Columns = field(default_factory=dict)
    issues: dict[int, list[str]] = field(default_factory=dict)
    height: int = 0

    def extend(
        self, sightings: Sequence[Sighting], cluster: str | None, default: str, redactor: Redactor
    ) -> None:
        """Append the events of a chunk.

        Parameters
            cluster: whose they are, None where an envelope may say so.
            default: whose they are if it does not.
        """
        rows = [_fields(sighting, cluster, default, redactor) for sighting in sightings]
        for row, sighting in enumerate(sightings, self.height):
            if sighting.seen.issues:
                self.issues[row] = sighting.seen.issues
        nothing = [None] * len(rows)
        held = {column for fields in rows for column in fields}
        for name in held - self.columns.keys():
            self.columns[name] = [None] * self.height
        for name, column in self.columns.items():
            column.extend([fields.get(name) for fields in rows] if name in held else nothing)
        self.height += len(rows)


def _fields(sighting: Sighting, cluster: str | None, default: str, redactor: Redactor) -> Fields:
    """Return one event's fields with its ids and its place."""
    seen, part = sighting.seen, sighting.part
    origin = part.origin
    name = cluster or origin.cluster or default
    fields = complete(seen.fields, redactor)
    dataset = fields[_DATASET]
    identity = part.raw if seen.identity is None else seen.identity
    event_id = seen_id(name, dataset, identity, sighting.number)
    fields["event.id"] = event_id
    fields["trailwarden.act.id"] = (
        event_id if seen.act is None else seen_act_id(name, dataset, seen.act)
    )
    fields["orchestrator.cluster.name"] = name
    fields["log.file.path"] = part.path
    fields["log.offset"] = part.offset
    if origin is not NO_ORIGIN:
        _lay_origin(fields, origin)
    return fields


def _lay_origin(fields: Fields, origin: Origin) -> None:
    fields["cloud.provider"] = origin.provider
    fields["cloud.account.id"] = origin.account
    fields["cloud.region"] = origin.region


def seen_frame(rows: SeenRows, redactor: Redactor) -> pl.DataFrame:
    """Return the rows as events (EVENT_SCHEMA), in their order."""
    height = rows.height
    columns = {name: series(name, values) for name, values in rows.columns.items()}
    kinds = redact_columns(columns, redactor)
    for name in _OWN_TIMES:
        columns.setdefault(name, pl.Series(name, [None] * height, dtype=pl.String))
    times = event_times(columns["@timestamp"], columns["event.start"], rows.issues)
    columns.update({name: times[name] for name in times.columns})
    for name, column in columns.items():
        if DTYPES[name] == TIME and name not in _OWN_TIMES:
            columns[name] = other_times(column)
    columns["event.kind"] = pl.Series("event.kind", ["event"]).new_from_index(0, height)
    columns[_ISSUES] = _laid(_ISSUES, {r: sorted(set(i)) for r, i in rows.issues.items()}, height)
    columns[_REDACTED] = _laid(_REDACTED, {r: sorted(k) for r, k in kinds.items()}, height)
    return event_frame(columns, height)


def _laid(name: str, values: dict[int, list[str]], height: int) -> pl.Series:
    if not values:
        return pl.Series(name, [None], dtype=TEXTS).new_from_index(0, height)
    return pl.Series(name, [values.get(row) for row in range(height)], dtype=TEXTS)
