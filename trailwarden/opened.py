"""What `tw.open` and `tw.scan` return: lazy frames, and how they show themselves.

Separate from where the frames come from: a notebook sees the same whatever the source.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import polars as pl

    from trailwarden.source_kind import SourceKind


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """A source, opened: nothing of it is read before a frame is collected.

    Attributes
    ----------
    events
        One row for each event, under `ingest.schema.EVENT_SCHEMA` (docs/schema.md).
    findings
        One row for each finding, under `trailwarden.finding_frame.FINDING_SCHEMA`.
    rules
        One row for each rule that findings are made with, under
        `trailwarden.rule_frame.RULE_SCHEMA`.
    kind, source
        What was opened. An address holds no credentials: one that does is refused.
    findings_from
        Where the findings come from, in words.
    """

    events: pl.LazyFrame
    findings: pl.LazyFrame
    rules: pl.LazyFrame
    kind: SourceKind
    source: str
    findings_from: str

    def __repr__(self) -> str:
        """Say in one line what was opened."""
        return f"Opened({self.kind}: {self.source}; findings {self.findings_from})"

    def _repr_html_(self) -> str:
        rows = {
            "source": f"{self.kind}: {self.source}",
            "events": "lazy; .events.collect() reads them",
            "findings": f"lazy; {self.findings_from}",
            "rules": "lazy",
        }
        return _table("Trailwarden source", rows)


@dataclass(frozen=True, slots=True, repr=False)
class ScanOutcome:
    """A finished scan: its frames, what it counted and where its files are.

    Attributes
    ----------
    counts
        files, records, events, repeats, late, quarantined and findings.
    severities
        Findings of each severity, most severe first; severities without any are left out.
    folder
        findings.ndjson, events.parquet and quarantine.ndjson. A temporary folder lives as long
        as this value or one of its frames.
    """

    events: pl.LazyFrame
    findings: pl.LazyFrame
    rules: pl.LazyFrame
    counts: Mapping[str, int]
    severities: Mapping[str, int]
    folder: Path

    def __repr__(self) -> str:
        """Say in one line what was found."""
        counts = ", ".join(f"{name}: {count:,}" for name, count in self.counts.items())
        return f"ScanOutcome({counts}; {self.folder})"

    def _repr_html_(self) -> str:
        rows = {name: f"{count:,}" for name, count in self.counts.items()}
        rows |= {f"findings, {name}": f"{count:,}" for name, count in self.severities.items()}
        return _table("Trailwarden scan", rows | {"folder": str(self.folder)})


def _table(title: str, rows: Mapping[str, str]) -> str:
    """Return a table without scripts or styles from elsewhere: names may come from attackers."""
    cells = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in rows.items()
    )
    return f"<table><caption>{escape(title)}</caption><tbody>{cells}</tbody></table>"
