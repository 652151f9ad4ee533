"""A file of labels and events in, the events' labels out; and what people's verdicts say of them.

Separate because a label names an event by what a client may choose and repeat: the audit ID, the
stage, and for ids that stand there twice the URI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from ingest.verdict import DATASET, Choice

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
VERDICT_COLUMNS: Final = (
    *("event.id", "event.dataset", "log.offset", "trailwarden.verdict.finding"),
    *("trailwarden.verdict.value", "trailwarden.verdict.events"),
)
JUDGED: Final[Mapping[str, pl.DataType]] = {"event.id": pl.String(), "is_true": pl.Boolean()}
"""What people decided: whether what happened should not have."""

_DECIDED: Final = {Choice.TRUE_POSITIVE: True, Choice.FALSE_POSITIVE: False, Choice.BENIGN: False}
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


def verdicts_of(events: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the events without verdicts, and what the verdicts say, under `JUDGED`.

    Of one finding the last verdict in its log counts; an event of several findings is true if one
    of them is.
    """
    is_verdict = pl.col("event.dataset").eq_missing(DATASET)
    decided = (
        events.filter(is_verdict)
        .select(VERDICT_COLUMNS)
        .sort("log.offset", "event.id")
        .unique("trailwarden.verdict.finding", keep="last", maintain_order=True)
        .select(
            pl.col("trailwarden.verdict.events").alias("event.id"),
            pl.col("trailwarden.verdict.value")
            .replace_strict(_DECIDED, default=None, return_dtype=pl.Boolean)
            .alias("is_true"),
        )
        .drop_nulls()
        .explode("event.id")
        .group_by("event.id")
        .agg(pl.col("is_true").any())
        .sort("event.id")
    )
    return events.filter(~is_verdict), decided.select(*JUDGED)
