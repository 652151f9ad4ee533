"""Writes of workloads become facts about namespaces: how much each asked for, in CPUs and replicas.

Separate from what is said of pods (pod_facts.py), because nothing is kept of the single workload:
what is usual in a namespace is the sizes that were seen there, each from when to when.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.fact_rows import FACTS
from detectors.entities.relation import NUMBERS, Relation

if TYPE_CHECKING:
    from collections.abc import Iterator

DEMAND: Final = ("namespace", "images", "cpu", "gpu", "replicas")
WHOLE_CLUSTER: Final = "*"
"""The subject of what was seen in any namespace; no name in Kubernetes is that."""

_MILLI: Final = 1_000
_MOST: Final = 10_000_000
"""Of replicas: what is more is a mistake, and a product of it would not fit."""
_SAID: Final = {
    NUMBERS[Relation.NAMESPACE_CPUS]: "cpus",
    NUMBERS[Relation.NAMESPACE_GPUS]: "gpus",
    NUMBERS[Relation.NAMESPACE_REPLICAS]: "replicas",
    -NUMBERS[Relation.NAMESPACE_GPUS]: "gpus",
}
"""Relation by its number -> what it says; below zero, what it says of the whole cluster."""
_SOURCE: Final = ("cluster", "namespace", "time", "seen", "event")


def asked_for() -> dict[str, pl.Expr]:
    """Return what a request asks for in all, by ``cpus``, ``gpus`` and ``replicas``.

    CPUs are rounded up. Of pods there are as many as replicas, one where none are said; what asks
    for nothing asks for 0 where it says which containers, else it is not known.
    """
    replicas = pl.col("replicas").clip(0, _MOST)
    many = replicas.fill_null(1)
    told = pl.when(pl.col("images").is_not_null() | pl.col("cpu").is_not_null())
    cpus = (pl.col("cpu").fill_null(0).cast(pl.Float64) * many / _MILLI).ceil()
    gpus = pl.col("gpu").fill_null(0).cast(pl.Float64) * many
    return {
        "cpus": told.then(cpus.clip(0, 2.0**53)).cast(pl.Int64),
        "gpus": told.then(gpus.clip(0, 2.0**53)).cast(pl.Int64),
        "replicas": replicas,
    }


def demand_facts(writes: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield which sizes of workloads were seen in which namespace; of GPUs, in the cluster too.

    All in one pass: each call of Polars costs more than a row.
    """
    sizes = asked_for()
    said = writes.select(
        *_SOURCE, *(sizes[name].cast(pl.String).alias(str(n)) for n, name in _SAID.items())
    ).unpivot(index=_SOURCE, variable_name="relation", value_name="object")
    known = said.filter(pl.col("object").is_not_null() & pl.col("namespace").is_not_null())
    number = pl.col("relation").cast(pl.Int16)
    yield known.select(
        "cluster",
        number.abs().cast(pl.UInt8).alias("relation"),
        pl.when(number < 0).then(pl.lit(WHOLE_CLUSTER)).otherwise("namespace").alias("subject"),
        *FACTS.names()[3:],
    )
