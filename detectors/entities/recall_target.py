"""The pod that a request is about: what it may, where it runs, who is behind it.

Separate from the caller (recall_caller.py): few events are about a pod, and those ask more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.asof import latest, states
from detectors.entities.questions import answered, asked
from detectors.entities.recalled import PREFIX, RECALLED_DTYPES
from detectors.entities.relation import JOINT, NOTHING, Relation
from ingest.facets.workload import BUILT_IN_CONTROLLERS

if TYPE_CHECKING:
    from collections.abc import Collection

    from detectors.entities.asof import Held
    from detectors.entities.memory import EntityMemory

_KEYS: Final = ("pod", "namespace", "node_identity")
_STATES: Final = (
    Relation.POD_SPEC,
    Relation.POD_NODE,
    Relation.POD_AUTHOR,
    Relation.POD_SERVICE_ACCOUNT,
    Relation.POD_DEBUGGER,
)
_ASKED: Final = (*_STATES, Relation.POD_OWNER)
_PRIVILEGED: Final = "privileged"
_MOST_OWNERS: Final = 4
"""CronJob, Job and what an operator puts above them; more is no workload but a puzzle."""


def target_columns(
    events: pl.DataFrame, memory: EntityMemory, wanted: Collection[str] = tuple(RECALLED_DTYPES)
) -> pl.DataFrame:
    """Return what is recalled of the pods that ``events`` (ASKED in enrich.py) are about.

    Parameters
        wanted: the columns that are needed; the others may be left out.
    """
    pod = pl.concat_str("namespace", pl.lit("/"), "name", ignore_nulls=False)
    about_pods = events.filter((pl.col("type") == "pods") & pl.col("name").is_not_null())
    if about_pods.is_empty():
        return events.select()
    groups = asked(about_pods.with_columns(pod.alias("pod")), _KEYS)
    held = memory.about(groups.groups["pod"].drop_nulls().unique()).only(_ASKED)
    questions = groups.questions(held, ("pod",))
    found = _of_pods(questions, held)
    if PREFIX + "pod_author" in wanted:
        found = found.with_columns(_authors(questions, held, memory))
    columns = [name for name in found.columns if name.startswith(PREFIX)]
    return answered(found, columns, events.height)


def _of_pods(questions: pl.DataFrame, held: Held) -> pl.DataFrame:
    keys = questions.select("at", pl.col("pod").alias("key"), "time")
    told = questions.select("rows", "node_identity").hstack(states(held, _STATES, keys))
    both = (Relation.POD_SPEC, Relation.POD_DEBUGGER)
    said = pl.concat_str(*both, separator=JOINT, ignore_nulls=True)
    words = pl.when(said != "").then(said).str.split(JOINT).list.unique(maintain_order=True)
    node = pl.col(Relation.POD_NODE)
    return told.select(
        "rows",
        words.list.contains(_PRIVILEGED).alias(PREFIX + "target_pod.privileged"),
        words.list.set_difference([_PRIVILEGED, NOTHING]).alias(PREFIX + "target_pod.host_access"),
        node.alias(PREFIX + "target_pod.node"),
        pl.col(Relation.POD_AUTHOR).alias(PREFIX + "target_pod.author"),
        pl.col(Relation.POD_SERVICE_ACCOUNT).alias(PREFIX + "target_pod.service_account"),
        (node != pl.col("node_identity")).alias(PREFIX + "node_off"),
    )


def _authors(questions: pl.DataFrame, held: Held, memory: EntityMemory) -> pl.Series:
    """Return who is behind each pod, as it was when the pod was made."""
    keys = questions.select(pl.col("pod").alias("key"), "time")
    made = latest(held, Relation.POD_AUTHOR, keys)
    owner = latest(held, Relation.POD_OWNER, keys)["object"]
    climbing = pl.DataFrame(
        {
            "namespace": questions["namespace"],
            "author": made["object"],
            "owner": owner,
            "time": made["since"].fill_null(0),
        }
    )
    by_controller = pl.col("author").is_in(list(BUILT_IN_CONTROLLERS))
    climbing = climbing.with_columns(
        pl.when(~by_controller).then("author").alias("author"),
        pl.when(by_controller & (pl.col("owner") != NOTHING)).then("owner").alias("owner"),
    )
    for _ in range(_MOST_OWNERS):
        if climbing["owner"].null_count() == climbing.height:
            break
        climbing = _climbed(climbing, memory)
    return climbing["author"].alias(PREFIX + "pod_author")


def _climbed(climbing: pl.DataFrame, memory: EntityMemory) -> pl.DataFrame:
    """Ask who wrote the owner; where only a controller did, go on to the owner's owner."""
    keys = climbing.select(
        pl.concat_str("namespace", pl.lit("/"), "owner", ignore_nulls=False).alias("key"), "time"
    )
    held = memory.about(keys["key"].drop_nulls().unique())
    author = latest(held, Relation.OWNER_AUTHOR, keys, inclusive=True)["object"]
    above = latest(held, Relation.OWNER_OWNER, keys, inclusive=True)["object"]
    return climbing.with_columns(
        pl.coalesce("author", author).alias("author"),
        pl.when(author.is_null()).then(above).alias("owner"),
    )
