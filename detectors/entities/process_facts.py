"""Who enters containers, what runs there, and whether the API server's log can tell: as facts.

Separate from pods because two planes are read here: the audit log says who asked for a command in a
container, sensors say which processes came of it; recall_process.py joins them. What was asked for
is in the record that begins a stream (stage ResponseStarted); one that ends it (ResponseComplete)
ends the session. Sources: Kubernetes documentation, "Auditing" (stages); kubernetes/kubernetes,
pkg/kubelet/server (``/exec/NAMESPACE/POD/CONTAINER``, also behind a node's proxy).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.fact_rows import AUDIT, facts, named
from detectors.entities.relation import GONE_PREFIX, JOINT, NOTHING, Relation
from ingest.formats.seen import Action, Dataset

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTS: Final = ("id", "user", "type", "manner", "container", "address", "command")
"""What a session is, in the order in which its object joins them."""

MANNERS: Final = ("exec", "attach", "debug")
"""A new process, the container's own one, a container that is put into the pod."""

SENSORS: Final = tuple(
    str(one) for one in (Dataset.FALCO, Dataset.TETRAGON, Dataset.TRACEE, Dataset.KUBEARMOR)
)
"""Whose processes are known with their pods."""

RUNTIMES: Final = (
    "runc",
    "runc:[0:PARENT]",
    "runc:[1:CHILD]",
    "runc:[2:INIT]",
    "docker-runc",
    "docker-runc-cur",
    "crun",
    "youki",
    "exe",
    "conmon",
    "crio",
    "containerd-shim",
    "containerd-shim-runc-v1",
    "containerd-shim-runc-v2",
)
"""Parents of the first processes of containers and of exec sessions, as in the macro
container_entrypoint of falcosecurity/rules; ``exe`` is runc as it runs from memory."""

PATIENCE_US: Final = 5_000_000
"""Machines' clocks differ by no more: what is said of a session so much later is known as well."""

MOST_COMMAND: Final = 256
"""Characters of a command that are compared."""

_MINUTE_US: Final = 60_000_000
_DATASET: Final = pl.col("event.dataset")
_ACTION: Final = pl.col("event.action")
_TYPE: Final = pl.col("orchestrator.resource.type")
_SUBRESOURCE: Final = pl.col("kubernetes.audit.objectRef.subresource")
_STAGE: Final = pl.col("kubernetes.audit.stage")
_KUBELET: Final = r"/proxy/(exec|run|attach)/([^/]+)/([^/]+)/"
_FIRST_CONTAINER: Final = "$.spec.ephemeralContainers[0].name"

_SAID: Final = {
    "cluster": "orchestrator.cluster.name",
    "event": "event.id",
    "type": "orchestrator.resource.type",
    "namespace": "orchestrator.namespace",
    "name": "orchestrator.resource.name",
    "container": "container.name",
    "args": "process.args",
}
_ASKED: Final = _SAID | {
    "action": "event.action",
    "stage": "kubernetes.audit.stage",
    "path": "url.path",
    "id": "kubernetes.audit.auditID",
    "user": "user.name",
    "identity": "trailwarden.identity.type",
    "address": "source.ip",
    "body": "kubernetes.audit.requestObject",
}
_RAN: Final = _SAID | {
    "host": "host.name",
    "entity": "process.entity_id",
    "pid": "process.pid",
    "parent_entity": "process.parent.entity_id",
    "parent_pid": "process.parent.pid",
    "parent_name": "process.parent.name",
    "line": "process.command_line",
}
_MARKS: Final = (
    "event.dataset",
    "event.action",
    "event.outcome",
    "orchestrator.resource.type",
    "trailwarden.dry_run",
    "kubernetes.audit.objectRef.subresource",
)
JOINED_COLUMNS: Final = frozenset(
    {"@timestamp", "event.created", *_MARKS, *_ASKED.values(), *_RAN.values()}
)
"""Columns of events that these facts are made of."""

POD: Final = pl.concat_str("namespace", pl.lit("/"), "name", ignore_nulls=False)
KEY: Final = pl.coalesce(
    "entity", pl.concat_str("host", pl.lit("/"), pl.col("pid").cast(pl.String), ignore_nulls=False)
)
"""A process: the sensor's own name of it, else machine and process id."""
PARENT_KEY: Final = pl.coalesce(
    "parent_entity",
    pl.concat_str("host", pl.lit("/"), pl.col("parent_pid").cast(pl.String), ignore_nulls=False),
)
OF_RUNTIME: Final = pl.col("parent_name").is_in(list(RUNTIMES))


def joined_facts(events: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield what events say of sessions in containers, under FACTS.

    Parameters
        events: under EVENT_SCHEMA; columns that are missing count as null.
    """
    marks = _columns(events, {name: name for name in _MARKS})
    audited = marks.select((_DATASET == AUDIT).fill_null(value=False)).to_series()
    if audited.any():
        yield _alive(events, audited)
        entered = marks.select(_ENTERED.fill_null(value=False)).to_series()
        if entered.any():
            asked = _rows(events, _ASKED, entered)
            yield from _sessions(asked)
    if not audited.all():
        started = marks.select(_STARTED.fill_null(value=False)).to_series()
        if started.any():
            yield _processes(_rows(events, _RAN, started))


_ENTERED: Final = (
    (_DATASET == AUDIT)
    & (pl.col("event.outcome") == "success")
    & (
        (_ACTION.is_in(["exec", "attach"]) & (_TYPE == "pods"))
        | ((_ACTION == "proxy") & (_TYPE == "nodes"))
        | ((_SUBRESOURCE == "ephemeralcontainers") & _ACTION.is_in(["patch", "update", "apply"]))
    )
    & pl.col("trailwarden.dry_run").ne_missing(pl.lit(value=True))
)
_STARTED: Final = (
    _DATASET.is_in(list(SENSORS))
    & (str(Action.PROCESS_START) == _ACTION)
    & (pl.col("event.outcome") != "failure")
)


def _columns(events: pl.DataFrame, names: dict[str, str]) -> pl.DataFrame:
    """Return columns by short names."""
    return events.select(named(frozenset(events.columns), names))


def _rows(events: pl.DataFrame, names: dict[str, str], wanted: pl.Series) -> pl.DataFrame:
    """Return some rows by short names, with ``time`` and ``seen``; none without a time."""
    received = "event.created" if "event.created" in events.columns else "@timestamp"
    times = events.select(
        pl.col("@timestamp").to_physical().alias("time"),
        pl.col(received).to_physical().alias("seen"),
    )
    # Each column is gathered, not all that a frame of events has.
    rows = _columns(events, names).hstack(times)[wanted.arg_true()]
    told = rows.with_columns(pl.coalesce("seen", "time").alias("seen"))
    return told.filter(pl.col("time").is_not_null()) if told["time"].null_count() else told


def _alive(events: pl.DataFrame, audited: pl.Series) -> pl.DataFrame:
    """Return that a cluster's audit log was alive, once in each minute that it was."""
    said = _columns(events, {name: _SAID[name] for name in ("cluster", "event")})
    time = events["@timestamp"].to_physical().alias("time")
    rows = said.hstack([time]) if audited.all() else said.hstack([time]).filter(audited)
    first = (
        rows.filter(pl.col("time").is_not_null())
        .group_by("cluster", (pl.col("time") // _MINUTE_US).alias("minute"))
        .agg(pl.col("time").min(), pl.col("event").get(pl.col("time").arg_min()))
    )
    told = first.with_columns(pl.col("time").alias("seen"))
    return facts(told, pl.lit(AUDIT_LOG), {Relation.AUDIT_SEEN: pl.lit(NOTHING)})


AUDIT_LOG: Final = "audit log"
"""The subject of what is known of a cluster's audit log."""


def _sessions(asked: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield who entered which pod, when they left, and that the log told of it at once."""
    by_node = asked["action"] == "proxy"
    rows = _of_kubelet(asked) if by_node.any() else asked.with_columns(call=pl.lit(None, pl.String))
    manner = (
        pl.when(pl.col("call").is_not_null())
        .then(pl.col("call").replace("run", "exec"))
        .when(pl.col("action").is_in(["exec", "attach"]))
        .then("action")
        .otherwise(pl.lit("debug"))
    )
    rows = rows.with_columns(manner.alias("manner"))
    ends = (pl.col("stage") == "ResponseComplete") & (pl.col("manner") != "debug")
    what = pl.concat_str(
        pl.when(ends).then(pl.lit(GONE_PREFIX)).otherwise(pl.lit("")),
        _session(),
        ignore_nulls=False,
    )
    yield facts(rows, POD, {Relation.POD_SESSION: what})
    begun = rows.filter((pl.col("stage") == "ResponseStarted") & pl.col("call").is_null())
    yield facts(begun, pl.lit(AUDIT_LOG), {Relation.AUDIT_EXEC: pl.lit(NOTHING)})


def _of_kubelet(asked: pl.DataFrame) -> pl.DataFrame:
    """Return ``asked`` with the pods that are entered through a node's proxy, and the ``call``."""
    by_node = pl.col("action") == "proxy"
    call, of_space, of_pod = (pl.col("path").str.extract(_KUBELET, part) for part in (1, 2, 3))
    return asked.with_columns(
        pl.when(by_node).then(call).alias("call"),
        pl.when(by_node).then(of_space).otherwise("namespace").alias("namespace"),
        pl.when(by_node).then(of_pod).otherwise("name").alias("name"),
    ).filter(~by_node | pl.col("call").is_not_null())


def _session() -> pl.Expr:
    """Return one text for a session, the same when it begins and when it ends."""
    put_in = pl.col("body").str.json_path_match(_FIRST_CONTAINER)
    container = pl.when(pl.col("manner") == "debug").then(put_in).otherwise("container")
    command = compared(pl.col("args").list.join(" "))
    parts = ("id", "user", pl.col("identity"), "manner", container, "address", command)
    return pl.concat_str(
        *(
            (pl.col(one) if isinstance(one, str) else one).fill_null("").str.replace_all(JOINT, " ")
            for one in parts
        ),
        separator=JOINT,
    )


def compared(line: pl.Expr) -> pl.Expr:
    """Return a command as sensors and the audit log both have it, without quotes and folder."""
    plain = line.str.replace_all(r"""["'\\]""", "").str.replace(r"^\S*/", "")
    return plain.str.replace_all(r"\s+", " ").str.strip_chars().str.slice(0, MOST_COMMAND)


def _processes(ran: pl.DataFrame) -> pl.DataFrame:
    """Return of a process its pod, and its parent or, where it came from outside, its command.

    They are learned PATIENCE_US later: then it is known whether somebody is in the pod
    (followed.py), also where the API server's clock is ahead of the sensor's.
    """
    pods = ran.filter((pl.col("type") == "pods") & POD.is_not_null())
    outside = pl.concat_str(
        pl.lit(NOTHING), compared(pl.col("line").fill_null("")), separator=JOINT
    )
    above = pl.when(OF_RUNTIME).then(outside).otherwise(PARENT_KEY)
    later = pods.with_columns(pl.col("time") + PATIENCE_US)
    return facts(later, KEY, {Relation.PROCESS_PARENT: pl.concat_str(POD, above, separator=JOINT)})
