"""Finding documents become a frame: one row a finding, typed columns under the documents' names.

Separate because findings come from a file, from Elasticsearch or from detection just now, and look
the same wherever they come from.
"""

from __future__ import annotations

from glob import escape
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from detectors.anomaly.fields import ANOMALY_DTYPES
from detectors.entities.recalled import RECALLED_DTYPES
from detectors.finding import COPIED
from ingest.column import FLAG, NUMBER, TEXT, TEXTS, TIME
from ingest.schema import DTYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FINDING_SCHEMA: Final[dict[str, pl.DataType]] = {
    "@timestamp": TIME,
    "trailwarden.severity": TEXT,
    "event.severity": NUMBER,
    "trailwarden.rule_level": TEXT,
    "trailwarden.severity_reasons": TEXTS,
    "rule.name": TEXT,
    "rule.category": TEXT,
    "message": TEXT,
    **{name: DTYPES[name] for name in COPIED},
    **{name: TEXT if dtype == TIME else dtype for name, dtype in RECALLED_DTYPES.items()},
    **ANOMALY_DTYPES,
    "related.user": TEXTS,
    "related.ip": TEXTS,
    "related.hosts": TEXTS,
    "related.hash": TEXTS,
    "threat.framework": TEXT,
    "threat.technique.id": TEXTS,
    "threat.technique.name": TEXTS,
    "threat.tactic.name": TEXTS,
    "rule.id": TEXT,
    "rule.description": TEXT,
    "rule.ruleset": TEXT,
    "rule.author": TEXTS,
    "rule.license": TEXT,
    "rule.reference": TEXTS,
    "trailwarden.next_steps": TEXTS,
    "trailwarden.false_positives": TEXTS,
    "trailwarden.finding.id": TEXT,
    "trailwarden.act.id": TEXT,
    "trailwarden.evidence.event_ids": TEXTS,
    "trailwarden.evidence.audit_ids": TEXTS,
    "trailwarden.evidence.values": TEXTS,
    "trailwarden.correlation.type": TEXT,
    "trailwarden.correlation.group": TEXTS,
    "trailwarden.correlation.count": NUMBER,
    "trailwarden.correlation.timespan_s": NUMBER,
    "trailwarden.correlation.values": TEXTS,
    "trailwarden.correlation.history": TEXT,
    "trailwarden.episode.start": TEXT,
    "trailwarden.episode.end": TEXT,
    "trailwarden.episode.count": NUMBER,
    "trailwarden.episode.closed": FLAG,
    "event.kind": TEXT,
}
"""Column -> type, in the order of the frame: what people read first comes first."""

_AS_WRITTEN: Final = pl.Schema({**FINDING_SCHEMA, "@timestamp": TEXT})


def finding_frame(documents: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Return documents, as `detectors.finding` makes them, as a frame under FINDING_SCHEMA."""
    rows = [{name: document.get(name) for name in FINDING_SCHEMA} for document in documents]
    return pl.DataFrame(rows, schema=_AS_WRITTEN, orient="row").with_columns(_time())


def scan_findings(path: Path) -> pl.LazyFrame:
    """Return the findings of an NDJSON file, lazily."""
    if not path.stat().st_size:
        return pl.LazyFrame(schema=FINDING_SCHEMA)
    return pl.scan_ndjson(escape(str(path)), schema=_AS_WRITTEN).with_columns(_time())


def _time() -> pl.Expr:
    """Return the time column: written with a Z and six digits, always (detectors.finding)."""
    return pl.col("@timestamp").str.to_datetime(time_unit="us", time_zone="UTC", strict=True)
