"""A file of labels and events in, the events' labels out.

Separate because a label names an event by what a client may choose and repeat: the audit ID, the
stage, and for ids that stand there twice the URI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ATTACK: Final = "attack"
NEUTRAL: Final = ("derived", "bootstrap", "harness", "allowed_by_rogue_binding")
"""What neither proves nor disproves a finding: what the cluster did because of an attack, its
set-up, and the experiment itself."""

LABEL_FILE: Final[Mapping[str, pl.DataType]] = {
    "auditID": pl.String(),
    "stage": pl.String(),
    "uri": pl.String(),
    "role": pl.String(),
    "scenario": pl.String(),
    "round": pl.Int64(),
    "cluster": pl.String(),
}
"""``cluster`` may be left out: then the label is of that audit ID in any cluster."""

LABELS: Final[Mapping[str, pl.DataType]] = {
    "event.id": pl.String(),
    "time": pl.Int64(),
    "role": pl.String(),
    "kind": pl.String(),
    "run": pl.String(),
}
"""``kind`` is the kind of attack, ``run`` one execution of it."""

LABEL_COLUMNS: Final = (
    *("@timestamp", "event.id", "orchestrator.cluster.name", "kubernetes.audit.auditID"),
    *("kubernetes.audit.stage", "kubernetes.audit.requestURI"),
)
_REDACTED: Final = "[redacted"


class LabelFileError(Exception):
    """A file of labels that cannot be read; the message names it."""


def read_labels(path: Path) -> pl.DataFrame:
    """Return the rows of a file of labels under `LABEL_FILE`.

    Raises
        LabelFileError: it is not there, or a line is no label.
    """
    try:
        held = pl.read_ndjson(path, schema=dict(LABEL_FILE))
    except (OSError, pl.exceptions.PolarsError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise LabelFileError(f"{path}: {said[:200]}") from error
    unkeyed = held.filter(pl.any_horizontal(pl.col("auditID", "stage", "role").is_null()))
    if unkeyed.height:
        raise LabelFileError(f"{path}: {unkeyed.height} labels without auditID, stage or role")
    return held


def labels_of(events: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Return the label of each event that has one, under `LABELS`.

    Of several with an event's audit ID and stage, the one with its URI counts; where the event's
    own URI was redacted, the first.
    """
    keyed = events.filter(pl.col("@timestamp").is_not_null()).select(
        "event.id",
        pl.col("@timestamp").dt.timestamp("us").alias("time"),
        pl.col("orchestrator.cluster.name").alias("in"),
        pl.col("kubernetes.audit.auditID").alias("auditID"),
        pl.col("kubernetes.audit.stage").alias("stage"),
        pl.col("kubernetes.audit.requestURI").fill_null("").alias("held_uri"),
    )
    is_exact = pl.col("uri").fill_null("") == pl.col("held_uri")
    is_redacted = pl.col("held_uri").str.contains(_REDACTED, literal=True)
    return (
        keyed.join(labels.with_row_index("line"), on=["auditID", "stage"], how="inner")
        .filter(is_exact | is_redacted)
        .filter(pl.col("cluster").is_null() | pl.col("cluster").eq_missing(pl.col("in")))
        .sort(is_exact.cast(pl.Int8), "line", descending=[True, False])
        .unique("event.id", keep="first", maintain_order=True)
        .select(
            "event.id",
            "time",
            "role",
            pl.col("scenario").alias("kind"),
            pl.concat_str("cluster", "scenario", "round", separator=" ", ignore_nulls=True).alias(
                "run"
            ),
        )
        .select(*LABELS)
        .sort("time", "event.id")
    )
