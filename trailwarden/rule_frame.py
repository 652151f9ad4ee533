"""Rules become a frame: what each looks for, how severe it is and where it stands.

Separate so that a notebook can join findings with the rules that made them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.finding import SEVERITY
from ingest.column import NUMBER, TEXT, TEXTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.sigma.pack import Detection

RULE_SCHEMA: Final[dict[str, pl.DataType]] = {
    "rule.id": TEXT,
    "rule.name": TEXT,
    "rule.category": TEXT,
    "trailwarden.severity": TEXT,
    "event.severity": NUMBER,
    "threat.technique.id": TEXTS,
    "rule.description": TEXT,
    "trailwarden.false_positives": TEXTS,
    "trailwarden.blind_spots": TEXTS,
    "file": TEXT,
}
"""Column -> type; columns that findings have as well are called the same."""


def rule_frame(rules: Sequence[Detection]) -> pl.DataFrame:
    """Return one row for each rule, most severe first."""
    rows = [
        (
            rule.id,
            rule.title,
            rule.category.value,
            rule.level.value,
            SEVERITY[rule.level],
            list(rule.techniques),
            rule.description,
            list(rule.falsepositives),
            list(rule.blind_spots),
            str(rule.file),
        )
        for rule in rules
    ]
    frame = pl.DataFrame(rows, schema=RULE_SCHEMA, orient="row")
    return frame.sort("event.severity", "rule.name", descending=[True, False])
