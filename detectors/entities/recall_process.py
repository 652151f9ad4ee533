"""What runs in a container, and who let it in: the audit log's sessions joined to sensors' events.

Separate from the pod that a request is about (recall_target.py): here the event is a sensor's, and
two planes with clocks of their own meet. A session that begins by an exec starts one process, from
outside the container's own processes; all that comes of it is that person's. Where the way up to
that process is known, a session counts only if it began just before it; else those count that are
open, if the process shows that it is none of the workload's own. Of several that could be, all are
named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.asof import every, latest
from detectors.entities.process_facts import (
    AUDIT_LOG,
    KEY,
    OF_RUNTIME,
    PARENT_KEY,
    PARTS,
    PATIENCE_US,
    POD,
    RUNTIMES,
    SENSORS,
    compared,
)
from detectors.entities.recalled import PREFIX, RECALLED_DTYPES
from detectors.entities.relation import (
    AUDIT_SILENCE,
    GONE_PREFIX,
    JOINT,
    NOTHING,
    Relation,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detectors.entities.memory import EntityMemory

_STARTS_US: Final = 15_000_000
"""From the answer to an exec to its process: milliseconds, on a node that swaps some seconds."""
_EXPLAINS_US: Final = 60_000_000
"""The same, where nothing is to be said that would accuse somebody."""
_PULL_US: Final = 3_600_000_000
"""From the request for an ephemeral container to its process: an image is pulled meanwhile."""
_YOUNG_US: Final = 600_000_000
"""So old a pod at most may still be starting: its first process enters as an exec's does."""
_GRACE_US: Final = 2_000_000
"""After the end of a session its last processes may still be told of."""
_SILENCE_US: Final = int(AUDIT_SILENCE.total_seconds()) * 1_000_000
_SECOND_US: Final = 1_000_000
_MOST_ABOVE: Final = 16
"""Processes between one and the one that entered; deeper is a loop of forks."""

PROCESS_ASKED: Final = {
    "dataset": "event.dataset",
    "container": "container.name",
    "host": "host.name",
    "entity": "process.entity_id",
    "pid": "process.pid",
    "parent_entity": "process.parent.entity_id",
    "parent_pid": "process.parent.pid",
    "parent_name": "process.parent.name",
    "line": "process.command_line",
    "ancestors": "trailwarden.process.ancestors",
    "terminal": "trailwarden.process.terminal",
    "told": "trailwarden.tool.fields",
}
"""What of a sensor's event questions are made of, by short names."""

_HOST_PID: Final = "host-pid"
"""In words of POD_SPEC."""
_TOLD: Final = pl.col("told").fill_null("")
_OUT_OF_TREE: Final = _TOLD.str.contains('"in_init_tree":false', literal=True)
_PROBE: Final = _TOLD.str.contains(
    r'"(maybe_exec_probe|proc\.is_container_(healthcheck|liveness_probe|readiness_probe))"'
    r':(true|"true")'
)
_FIRST: Final = _TOLD.str.contains(r'"proc\.vpid":"?1"?[,}]')
_OF_NODE: Final = _TOLD.str.contains(r'"host_namespaces":\[[^\]]*"pid"')
"""It shares the node's processes, so none is the first and none of the first's."""

_STARTERS: Final = (
    *("sh", "bash", "ash", "dash", "zsh", "ksh", "fish", "busybox", "env", "su", "sudo", "gosu"),
    *("nsenter", "chroot", "setsid", "timeout", "nohup", "script", "tini", "dumb-init"),
)
"""Programs that run another one in their place."""
_MANY_IN_ONE: Final = ("busybox", "toybox", "coreutils")
"""Programs that some sensors name instead of the command that they are called by."""

_SHOWS: Final = ((pl.col("terminal").is_not_null() | (_OUT_OF_TREE & ~_OF_NODE)) & ~_PROBE).alias(
    "shows"
)
"""That it is none of the workload's own: these have no terminal, and come of the first process."""

_HUMAN: Final = tuple(name for name in RECALLED_DTYPES if name.startswith(PREFIX + "human."))
_UNAUDITED: Final = PREFIX + "process.unaudited"


def asks_of_processes(wanted: Iterable[str]) -> bool:
    """Return whether any of these columns of RECALLED is about a process."""
    return any(name in _HUMAN or name == _UNAUDITED for name in wanted)


def process_columns(events: pl.DataFrame, memory: EntityMemory) -> pl.DataFrame:
    """Return what is recalled of the processes that ``events`` (ASKED in enrich.py) are about.

    None of the columns where no event is about a process. Facts up to PATIENCE_US after each event
    are in the memory.
    """
    seen = events.filter(
        pl.col("dataset").is_in(list(SENSORS)) & (pl.col("type") == "pods") & POD.is_not_null()
    ).select(
        "row",
        "time",
        "action",
        POD.alias("pod"),
        _container().alias("container"),
        KEY.alias("key"),
        PARENT_KEY.alias("parent"),
        OF_RUNTIME.fill_null(value=False).alias("entered"),
        compared(pl.col("line").fill_null("")).alias("line"),
        _root().alias("root"),
        _SHOWS,
        _FIRST.alias("first"),
        pl.col("terminal").is_not_null().alias("at_terminal"),
    )
    if seen.is_empty():
        return events.select()
    placed = _placed(seen, memory)
    sessions = _sessions(placed, memory)
    told = _humans(placed, sessions).join(_unaudited(placed, sessions, memory), on="row")
    joined = events.select("row").join(told, on="row", how="left", maintain_order="left")
    return joined.select(*_HUMAN, _UNAUDITED)


def _container() -> pl.Expr:
    """Return the container's name in the pod: Docker puts it into a longer one."""
    return pl.coalesce(pl.col("container").str.extract(r"^k8s_([^_]+)_"), "container")


def _root() -> pl.Expr:
    """Return the program right below the runtime among the names of the ancestors."""
    names = pl.col("ancestors")
    at = names.list.eval(pl.element().is_in(list(RUNTIMES))).list.arg_max()
    known = names.list.eval(pl.element().is_in(list(RUNTIMES))).list.any()
    return pl.when(known & (at > 0)).then(names.list.get(at.cast(pl.Int64) - 1, null_on_oob=True))


def _placed(seen: pl.DataFrame, memory: EntityMemory) -> pl.DataFrame:
    """Return ``seen`` with when its session's first process began and what that was, if known."""
    starts = pl.col("entered") & (pl.col("action") == "process-start")
    begun = seen.with_columns(
        pl.when(starts).then("time").alias("began"), pl.when(starts).then("line").alias("begun_as")
    )
    entries = _entries(begun.filter(pl.col("began").is_null()), memory)
    joined = begun.join(entries, on="row", how="left")
    return joined.with_columns(
        pl.coalesce("began", "since").alias("began"),
        pl.coalesce("begun_as", "was").alias("begun_as"),
    )


def _entries(seen: pl.DataFrame, memory: EntityMemory) -> pl.DataFrame:
    """Return ``row``, ``since`` and ``was`` of the processes that entered, up from each event.

    Of a process that is not known itself the parent is asked, which the event names as well.
    """
    # What is known of a process was learned so much later.
    climbing = seen.select("row", pl.col("time") + PATIENCE_US, "key", "parent")
    found = [pl.DataFrame(schema=_ENTRY)]
    for _ in range(_MOST_ABOVE):
        climbing = climbing.filter(pl.col("key").is_not_null() | pl.col("parent").is_not_null())
        if climbing.is_empty():
            break
        held = memory.about(climbing["key"].drop_nulls().unique())
        above = latest(held, Relation.PROCESS_PARENT, climbing, inclusive=True)
        part = pl.col("object").str.splitn(JOINT, 3)
        told = above.with_columns(
            part.struct.field("field_1").alias("above"), part.struct.field("field_2").alias("was")
        )
        entered = pl.col("above") == NOTHING
        found.append(told.filter(entered).select("row", pl.col("since") - PATIENCE_US, "was"))
        climbing = told.filter(entered.ne_missing(pl.lit(value=True))).select(
            "row",
            "time",
            pl.coalesce("above", "parent").alias("key"),
            pl.lit(None, pl.String).alias("parent"),
        )
    return pl.concat(found)


_ENTRY: Final = {"row": pl.UInt32(), "since": pl.Int64(), "was": pl.String()}


def _sessions(placed: pl.DataFrame, memory: EntityMemory) -> pl.DataFrame:
    """Return the sessions that could be each event's: of its pod, its container, not over before.

    A row for each, with ``row`` and PARTS, ``since`` and ``ended``.
    """
    keys = placed.select(
        pl.col("row").alias("at"), pl.col("pod").alias("key"), pl.col("time") + PATIENCE_US
    )
    held = memory.about(keys["key"].unique())
    said = every(held, Relation.POD_SESSION, keys, inclusive=True)
    told = sessions_of(said).rename({"at": "row"})
    own = placed.select("row", "time", "began", "begun_as", "root", "shows", "pod", "container")
    joined = told.rename({"container": "of"}).join(own, on="row")
    here = (
        (pl.col("of") == "") | (pl.col("of") == pl.col("container")) | pl.col("container").is_null()
    )
    return _of_this_pod(joined.filter(here), memory)


def sessions_of(said: pl.DataFrame) -> pl.DataFrame:
    """Return the sessions of rows of POD_SESSION by ``at``: PARTS, ``since`` and ``ended``."""
    leaves = pl.col("object").str.starts_with(GONE_PREFIX)
    ends = said.filter(leaves).select(
        "at", pl.col("object").str.strip_prefix(GONE_PREFIX), pl.col("since").alias("ended")
    )
    latest_end = ends.group_by("at", "object").agg(pl.col("ended").max())
    began = said.filter(~leaves).join(latest_end, on=["at", "object"], how="left")
    parts = pl.col("object").str.split(JOINT)
    return began.select(
        "at",
        "since",
        pl.when(pl.col("ended") >= pl.col("since")).then("ended").alias("ended"),
        *(parts.list.get(at, null_on_oob=True).alias(name) for at, name in enumerate(PARTS)),
    )


def _of_this_pod(sessions: pl.DataFrame, memory: EntityMemory) -> pl.DataFrame:
    """Drop sessions in a pod that another one has replaced since, under the same name."""
    if sessions.is_empty():
        return sessions
    held = memory.about(sessions["pod"].unique())
    then = sessions.select(pl.col("pod").alias("key"), pl.col("since").alias("time"))
    now = sessions.select(pl.col("pod").alias("key"), "time")
    before, after = (latest(held, Relation.POD_UID, keys)["object"] for keys in (then, now))
    other = (before != after) & (before != "")
    return sessions.filter(~other.fill_null(value=False))


_PROGRAM: Final = pl.col("command").str.split(" ").list.first()
_ROOT: Final = pl.coalesce(pl.col("begun_as").str.split(" ").list.first(), "root")
_NAMED: Final = (
    (_PROGRAM != "")
    & (_ROOT != "")
    & (_ROOT.str.starts_with(_PROGRAM) | _PROGRAM.str.starts_with(_ROOT))
).fill_null(value=False)
"""What entered is called as what was asked for, a version after it aside (``python3.11``)."""
_EXPLAINS: Final = (
    (pl.col("manner") != "exec")
    | (_PROGRAM == "")
    | _ROOT.is_null()
    | _NAMED
    | _PROGRAM.is_in(list(_STARTERS))
    | _ROOT.is_in(list(_MANY_IN_ONE))
)
"""What entered may have come of what was asked for."""


def _humans(placed: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Return who is behind each event: all whose session it could be of."""
    early = pl.when(pl.col("manner") == "debug").then(_PULL_US).otherwise(_STARTS_US)
    just_before = pl.col("since").is_between(pl.col("began") - early, pl.col("began") + PATIENCE_US)
    open_then = pl.col("ended").is_null() | (pl.col("ended") + _GRACE_US >= pl.col("time"))
    is_known = pl.col("began").is_not_null() & (pl.col("manner") != "attach")
    fits = (
        pl.when(is_known)
        .then(just_before)
        .otherwise(open_then & (pl.col("since") <= pl.col("time") + PATIENCE_US))
    )
    exact = (pl.col("command") == pl.col("begun_as")) & (pl.col("command") != "")
    own_container = (pl.col("manner") == "debug") & (pl.col("of") != "")
    shows = (pl.col("shows") & _EXPLAINS) | own_container
    sure = pl.when(exact).then(3).when(_NAMED).then(2).when(shows).then(1)
    could = (
        sessions.filter(fits.fill_null(value=False))
        .with_columns(sure.fill_null(0).alias("sure"))
        .filter(pl.col("sure") > 0)
        .with_columns(pl.col("sure").max().over("row").alias("best"))
        # An attached terminal runs no process of its own, so that a command tells nothing of it.
        .filter((pl.col("sure") == pl.col("best")) | (pl.col("manner") == "attach"))
        .sort("row", "since", "id")
    )
    behind = could.group_by("row").agg(
        pl.col("user").unique(maintain_order=True),
        pl.col("type").unique(maintain_order=True),
        pl.col("address").unique(maintain_order=True),
        pl.col("id").unique(maintain_order=True),
        pl.col("since").min(),
    )
    names = pl.col("user")
    told = behind.select(
        "row",
        names.alias(PREFIX + "human.name"),
        names.list.join(" or ").alias(PREFIX + "human.names"),
        pl.col("type").alias(PREFIX + "human.type"),
        pl.col("address").alias(PREFIX + "human.address"),
        pl.col("id").alias(PREFIX + "human.session"),
        pl.col("since").cast(pl.Datetime("us", "UTC")).alias(PREFIX + "human.since"),
    )
    return placed.select("row").join(told, on="row", how="left")


def _unaudited(placed: pl.DataFrame, sessions: pl.DataFrame, memory: EntityMemory) -> pl.DataFrame:
    """Return whether a process entered a container, and the audit log that should tell does not."""
    early = pl.when(pl.col("manner") == "debug").then(_PULL_US).otherwise(_EXPLAINS_US)
    told = sessions.filter(
        pl.col("since").is_between(pl.col("time") - early, pl.col("time") + PATIENCE_US) & _EXPLAINS
    )["row"].unique()
    log = placed.select("row", "time", pl.lit(AUDIT_LOG).alias("key"))
    held = memory.about(pl.concat([pl.Series([AUDIT_LOG]), placed["pod"].unique()]).unique())
    seen_s = latest(held, Relation.AUDIT_SEEN, log)["last"].cast(pl.Int64)
    execs = latest(held, Relation.AUDIT_EXEC, log)["object"]
    made = latest(held, Relation.POD_AUTHOR, placed.select(pl.col("pod").alias("key"), "time"))
    spec = latest(held, Relation.POD_SPEC, placed.select(pl.col("pod").alias("key"), "time"))
    of_node = spec["object"].str.split(JOINT).list.contains(_HOST_PID)
    entry = (
        (pl.col("action") == "process-start")
        & pl.col("entered")
        & pl.col("shows")
        & ~pl.col("first")
        & (pl.col("at_terminal") | ~pl.lit(of_node).fill_null(value=False))
    )
    alive = pl.lit(seen_s) * _SECOND_US >= pl.col("time") - _SILENCE_US
    young = pl.lit(made["since"]) >= pl.col("time") - _YOUNG_US
    is_asked = entry & pl.lit(execs.is_not_null()) & alive & ~young.fill_null(value=False)
    return placed.select(
        "row",
        pl.when(is_asked).then(~pl.col("row").is_in(told.implode())).alias(_UNAUDITED),
    )
