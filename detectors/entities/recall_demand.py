"""What a workload asks for, beside the most that any of its namespace asked for before.

Separate from pods and rights (recall_target.py, recall_change.py), because it is about sizes: what
is remembered of a namespace is each size that was seen there within 30 days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.asof import every
from detectors.entities.demand_facts import WHOLE_CLUSTER, asked_for
from detectors.entities.pod_facts import KIND_OF
from detectors.entities.questions import answered, asked
from detectors.entities.recalled import PREFIX
from detectors.entities.relation import KEEP_S, NUMBERS, Relation

if TYPE_CHECKING:
    from detectors.entities.asof import Held
    from detectors.entities.memory import EntityMemory

_WRITES: Final = ("create", "update", "patch", "scale")
_UNITS: Final = {"cpus": "CPU", "gpus": "GPU", "replicas": "replica"}
_SEEN: Final = {
    "cpus": Relation.NAMESPACE_CPUS,
    "gpus": Relation.NAMESPACE_GPUS,
    "replicas": Relation.NAMESPACE_REPLICAS,
}
_FIRST: Final = {"namespace": "first_us", "cluster": "cluster_first_us"}
_SUBJECTS: Final = ("namespace", "everywhere")
_DAY_US: Final = 86_400_000_000
_MOST_DAYS: Final = int(KEEP_S[NUMBERS[Relation.NAMESPACE_CPUS]]) // 86_400


def demand_columns(events: pl.DataFrame, memory: EntityMemory) -> pl.DataFrame:
    """Return what workloads among ``events`` (ASKED in enrich.py) ask for, and what is usual."""
    writes = events.filter(
        pl.col("type").is_in(["pods", *KIND_OF])
        & pl.col("action").is_in(_WRITES)
        & pl.col("namespace").is_not_null()
    ).with_columns(pl.lit(WHOLE_CLUSTER).alias("everywhere"), **asked_for())
    sized = writes.filter(pl.any_horizontal(pl.col("cpus", "replicas").is_not_null()))
    groups = asked(sized, (*_SUBJECTS, "cpus", "gpus", "replicas"))
    held = memory.about(pl.concat(groups.groups[name] for name in _SUBJECTS).unique())
    questions = groups.questions(held, _SUBJECTS)
    found = _with_usual(questions, held).select(
        "rows",
        *_FIRST.values(),
        *(column.alias(PREFIX + name) for name, column in _told().items()),
    )
    told = answered(found, [name for name in found.columns if name != "rows"], events.height)
    is_sized = pl.col(PREFIX + "workload.demand").is_not_null()
    sized_at = pl.when(is_sized).then(pl.lit(events["time"]))
    return told.with_columns(
        ((sized_at - pl.col(first)) // _DAY_US)
        .clip(0, _MOST_DAYS)
        .fill_null(pl.when(sized_at.is_not_null()).then(0))
        .alias(f"{PREFIX}{where}.usual_days")
        for where, first in _FIRST.items()
    ).drop(_FIRST.values())


def _with_usual(questions: pl.DataFrame, held: Held) -> pl.DataFrame:
    """Return questions with the most of each kind before, and since when anything was seen."""
    own = questions.select("at", "time", pl.col("namespace").alias("key"))
    for name, relation in _SEEN.items():
        questions = questions.join(
            _most(held, relation, own, f"usual_{name}"), on="at", how="left", maintain_order="left"
        )
    anywhere = questions.select("at", "time", pl.col("everywhere").alias("key"))
    for found in (
        _first(held, own, "first_us"),
        _most(held, Relation.NAMESPACE_GPUS, anywhere, "cluster_gpus"),
        _first(held, anywhere, "cluster_first_us"),
    ):
        questions = questions.join(found, on="at", how="left", maintain_order="left")
    return questions


def _first(held: Held, keys: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return since when sizes were seen: wherever there is a pod, one of its GPUs is, even of 0."""
    sizes = every(held, Relation.NAMESPACE_GPUS, keys)
    return sizes.group_by("at").agg(pl.col("since").min().alias(name))


def _most(held: Held, relation: Relation, keys: pl.DataFrame, name: str) -> pl.DataFrame:
    sizes = every(held, relation, keys)
    return sizes.group_by("at").agg(pl.col("object").cast(pl.Int64).max().alias(name))


def _told() -> dict[str, pl.Expr]:
    return {
        "workload.demand": _words(""),
        "workload.cpus": pl.col("cpus"),
        "workload.gpus": pl.col("gpus"),
        **{
            f"workload.{name}_times_usual": pl.col(name)
            // pl.col(f"usual_{name}").clip(lower_bound=1)
            for name in _UNITS
        },
        "namespace.usual_demand": _words("usual_"),
        "namespace.usual_gpus": pl.col("usual_gpus"),
        "cluster.usual_gpus": pl.col("cluster_gpus"),
    }


def _words(prefix: str) -> pl.Expr:
    """Return sizes as a sentence says them, those that are more than none."""
    said = [
        pl.when(pl.col(prefix + name) > 0).then(
            pl.format("{} {}", pl.col(prefix + name), pl.lit(unit))
            + pl.when(pl.col(prefix + name) == 1).then(pl.lit("")).otherwise(pl.lit("s"))
        )
        for name, unit in _UNITS.items()
    ]
    return pl.concat_str(said, separator=", ", ignore_nulls=True).replace("", "nothing")
