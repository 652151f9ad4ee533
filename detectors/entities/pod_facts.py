"""Writes to pods and workloads become facts: where a pod runs, what it may, who is behind it.

Separate from identities and rights because a pod's life is told by four parties: who creates it,
the scheduler that binds it, the kubelet that reports it, and the kubelet again when it is gone.
Sources: Kubernetes documentation, "Pod Lifecycle" (only a deletion without grace removes a pod, and
the kubelet or the pod garbage collector sends it) and "Labels on workloads" (pod-template-hash).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.fact_rows import facts
from detectors.entities.relation import JOINT, NOTHING, Relation
from ingest.facets.workload import BUILT_IN_CONTROLLERS

if TYPE_CHECKING:
    from collections.abc import Iterator

KIND_OF: Final = {
    "deployments": "Deployment",
    "replicasets": "ReplicaSet",
    "replicationcontrollers": "ReplicationController",
    "daemonsets": "DaemonSet",
    "statefulsets": "StatefulSet",
    "jobs": "Job",
    "cronjobs": "CronJob",
}
_ENDS: Final = ("delete", "deletecollection")
_FLAGS: Final = {
    "privileged": "privileged",
    "host_pid": "host-pid",
    "host_ipc": "host-ipc",
    "host_network": "host-network",
}
_PATH: Final = JOINT + "host-path:"
_CAPABILITY: Final = JOINT + "capability:"
_COLLECTOR: Final = "system:serviceaccount:kube-system:pod-garbage-collector"
_POD: Final = pl.concat_str("namespace", pl.lit("/"), "name", ignore_nulls=False)
_GONE: Final = pl.lit("")

LIFE: Final = (
    "action",
    "namespace",
    "name",
    "uid",
    "user",
    "identity",
    "node_identity",
    "pod_uid",
    "node",
    "addresses",
    "host_address",
    "digests",
)
SPEC: Final = (
    "owner",
    "root_kind",
    "root_name",
    "images",
    "service_account",
    "spec_node",
    "privileged",
    "host_pid",
    "host_ipc",
    "host_network",
    "host_paths",
    "capabilities",
)
WORKLOAD: Final = ("type", "action", "namespace", "name", "user", "identity", "images", "owner")


def _joined(column: str) -> pl.Expr:
    """Return a list as one text in its own order; null where it is empty: nothing was said."""
    return pl.col(column).list.join(JOINT).replace("", None)


def _spec() -> pl.Expr:
    """Return what reaches beyond the container, in words; NOTHING where nothing does."""
    words = [pl.when(pl.col(name)).then(pl.lit(word)) for name, word in _FLAGS.items()]
    paths = ("host-path:" + pl.col("host_paths").list.join(_PATH)).replace("host-path:", None)
    added = ("capability:" + pl.col("capabilities").list.join(_CAPABILITY)).replace(
        "capability:", None
    )
    said = pl.concat_str(*words, paths, added, separator=JOINT, ignore_nulls=True)
    return pl.when(said == "").then(pl.lit(NOTHING)).otherwise(said)


_DELETES: Final = pl.col("action") == "delete"
_LIVES: Final = pl.when(~_DELETES)
_ENDED: Final = pl.when(
    _DELETES & ((pl.col("identity") == "node") | (pl.col("user") == _COLLECTOR))
).then(_GONE)
_SPECIFIED: Final = pl.when(pl.col("images").is_not_null())

_CREATED: Final = {
    Relation.POD_UID: pl.coalesce("pod_uid", "uid", _GONE),
    Relation.POD_NODE: pl.coalesce("node", "spec_node", _GONE),
    Relation.POD_ADDRESS: _GONE,
    Relation.POD_AUTHOR: pl.col("user"),
    Relation.POD_OWNER: pl.col("owner").fill_null(NOTHING),
    Relation.POD_SERVICE_ACCOUNT: _SPECIFIED.then(pl.col("service_account").fill_null("default")),
    Relation.POD_IMAGE: _joined("images"),
    Relation.POD_SPEC: _SPECIFIED.then(_spec()),
    Relation.POD_DEBUGGER: _GONE,
}
_DEBUGGED: Final = {Relation.POD_DEBUGGER: pl.when(_spec() != NOTHING).then(_spec())}
"""Of what an ephemeral container may only that is kept which goes beyond the container: another
one, which may nothing, takes none of it away."""
_TOLD: Final = {
    Relation.POD_UID: pl.coalesce(_ENDED, _LIVES.then(pl.coalesce("pod_uid", "uid"))),
    Relation.POD_NODE: pl.coalesce(_ENDED, _LIVES.then("node")),
    Relation.POD_ADDRESS: pl.coalesce(_ENDED, _LIVES.then(_joined("addresses"))),
    Relation.POD_DIGEST: _LIVES.then(_joined("digests")),
}
_REPORTING_NODE: Final = pl.when(~_DELETES & (pl.col("identity") == "node")).then("node_identity")

_BELIEVED: Final = (
    pl.col("user").is_in(list(BUILT_IN_CONTROLLERS))
    & pl.col("owner").str.starts_with("ReplicaSet/")
    & (pl.col("root_kind") == "Deployment")
)
"""Pods that tell which Deployment a ReplicaSet is of: only a built-in controller's owner counts."""
_OWNER: Final = pl.concat_str("namespace", pl.lit("/"), "owner", ignore_nulls=False)
_ROOT: Final = pl.concat_str("root_kind", pl.lit("/"), "root_name", ignore_nulls=False)

_MADE: Final = pl.col("action") == "create"
_TELLING: Final = _MADE | (pl.col("images").is_not_null() & ~pl.col("action").is_in(_ENDS))
_WORKLOAD: Final = pl.concat_str(
    "namespace",
    pl.lit("/"),
    pl.col("type").replace_strict(KIND_OF, default=None, return_dtype=pl.String),
    pl.lit("/"),
    "name",
    ignore_nulls=False,
)
_AUTHORED: Final = {
    Relation.OWNER_AUTHOR: pl.when(pl.col("identity") != "controller").then(pl.col("user")),
    Relation.OWNER_OWNER: pl.when(_MADE).then(pl.col("owner")),
}


def created_facts(pods: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield what a pod is from its beginning, and that an older one of its name is no more."""
    yield facts(pods, _POD, _CREATED)
    believed = pods.filter(_BELIEVED)
    if believed.height:
        yield facts(believed, _OWNER, {Relation.OWNER_OWNER: _ROOT})


def debugger_facts(pods: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield what the ephemeral containers that were put into running pods may."""
    yield facts(pods, _POD, _DEBUGGED)


def pod_facts(pods: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield what the scheduler and the kubelet say of pods, and which are no more."""
    yield facts(pods, _POD, _TOLD)
    yield facts(pods, _REPORTING_NODE, {Relation.NODE_ADDRESS: pl.col("host_address")})


def workload_facts(writes: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield who wrote the pods of which workload, and which workload made which."""
    told = writes.filter(_TELLING)
    if told.height:
        yield facts(told, _WORKLOAD, _AUTHORED)
