"""Events become the few columns that facts are made of, under short names, and facts their frame.

Separate because each area of facts (identities, pods, rights) selects from the same rows. A column
that a frame of events does not have is taken as null: what was archived before it was there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.relation import NUMBERS
from ingest.formats.seen import Dataset
from ingest.schema import DTYPES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from detectors.entities.relation import Relation

FACTS: Final = pl.Schema(
    {
        "cluster": pl.String(),
        "relation": pl.UInt8(),
        "subject": pl.String(),
        "object": pl.String(),
        "time": pl.Int64(),
        "seen": pl.Int64(),
        "event": pl.String(),
    }
)
"""One thing said about a subject: valid from ``time``, told to us at ``seen``, by ``event``; times
in microseconds of Unix time."""

_NAMES: Final = {
    "cluster": "orchestrator.cluster.name",
    "event": "event.id",
    "action": "event.action",
    "outcome": "event.outcome",
    "dataset": "event.dataset",
    "dry_run": "trailwarden.dry_run",
    "type": "orchestrator.resource.type",
    "namespace": "orchestrator.namespace",
    "name": "orchestrator.resource.name",
    "uid": "orchestrator.resource.id",
    "subresource": "kubernetes.audit.objectRef.subresource",
    "user": "user.name",
    "identity": "trailwarden.identity.type",
    "node_identity": "trailwarden.identity.node.name",
    "credential": "trailwarden.credential.id",
    "issued": "trailwarden.credential.issued_id",
    "address": "source.ip",
    "agent": "user_agent.name",
    "patch": "trailwarden.patch.type",
    "owner": "trailwarden.object.owner",
    "root_kind": "trailwarden.pod_spec.workload.kind",
    "root_name": "trailwarden.pod_spec.workload.name",
    "images": "trailwarden.pod_spec.images",
    "service_account": "trailwarden.pod_spec.service_account",
    "spec_node": "trailwarden.pod_spec.node_name",
    "privileged": "trailwarden.pod_spec.privileged",
    "host_pid": "trailwarden.pod_spec.host_pid",
    "host_ipc": "trailwarden.pod_spec.host_ipc",
    "host_network": "trailwarden.pod_spec.host_network",
    "host_paths": "trailwarden.pod_spec.host_paths",
    "capabilities": "trailwarden.pod_spec.capabilities",
    "cpu": "trailwarden.pod_spec.cpu_request",
    "gpu": "trailwarden.pod_spec.gpu_request",
    "replicas": "trailwarden.pod_spec.replicas",
    "pod_uid": "trailwarden.pod.uid",
    "addresses": "trailwarden.pod.addresses",
    "host_address": "trailwarden.pod.host_address",
    "node": "trailwarden.pod.node",
    "digests": "trailwarden.pod.image_digests",
    "role": "trailwarden.rbac.role_ref",
    "subjects": "trailwarden.rbac.subjects",
    "rules": "trailwarden.rbac.rules",
    "verbs": "trailwarden.rbac.verbs",
    "aggregates": "trailwarden.rbac.aggregates_to",
}
AUDITED_COLUMNS: Final = frozenset(_NAMES.values())
"""Columns of events that facts of the audit log are made of."""

AUDIT: Final = str(Dataset.AUDIT)

_SAID_OF: Final = ("cluster", "time", "seen", "event")
_CALL: Final = ("user", "identity", "credential", "address", "agent")
_SOURCE: Final = ("cluster", "subject", "time", "seen", "event")


def audited(events: pl.DataFrame) -> pl.DataFrame:
    """Return the audit events that have a time, with all columns of facts by short names."""
    held = set(events.columns)
    time = pl.col("@timestamp").to_physical()
    received = pl.col("event.created").to_physical() if "event.created" in held else time
    rows = events.select(
        time.alias("time"),
        pl.coalesce(received, time).alias("seen"),
        *named(held, _NAMES),
    )
    wanted = rows.select(
        ((pl.col("dataset") == AUDIT) & pl.col("time").is_not_null()).alias("wanted")
    ).to_series()
    # A mask over all columns costs more than all that follows: most often there is nothing to drop.
    return rows if wanted.all() else rows.filter(wanted.fill_null(value=False))


def named(held: Collection[str], names: Mapping[str, str]) -> Iterator[pl.Expr]:
    """Yield columns by their short names; null for those that a frame does not have.

    Parameters
        held: the columns of the frame.
        names: short name -> column.
    """
    for short, name in names.items():
        yield (pl.col(name) if name in held else pl.lit(None, DTYPES[name])).alias(short)


def calls_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Return of ``rows`` what every call says of who made it."""
    return rows.select(*_SAID_OF, *_CALL)


def rows_of(rows: pl.DataFrame, names: tuple[str, ...], numbers: pl.Series) -> pl.DataFrame:
    """Return some of ``rows``, those of columns ``names``."""
    return rows.select(*_SAID_OF, *names)[numbers]


def facts(rows: pl.DataFrame, subject: pl.Expr, said: Mapping[Relation, pl.Expr]) -> pl.DataFrame:
    """Return a fact for each row and relation whose subject and object are known, under FACTS.

    One pass for all relations of the same subject: each call of Polars costs more than a row.
    """
    told = rows.select(
        "cluster",
        subject.alias("subject"),
        "time",
        "seen",
        "event",
        *(what.alias(str(NUMBERS[relation])) for relation, what in said.items()),
    )
    made = told.unpivot(index=_SOURCE, variable_name="relation", value_name="object")
    known = made.filter(pl.col("object").is_not_null() & pl.col("subject").is_not_null())
    return known.select("cluster", pl.col("relation").cast(pl.UInt8), *FACTS.names()[2:])


def no_facts() -> pl.DataFrame:
    """Return a frame of no facts."""
    return pl.DataFrame(schema=FACTS)
