"""What the memory adds to an event: a second closed list of columns, with types and meaning.

Separate from the event's own columns (ingest/schema.py), which follow from one record alone: these
follow from all records before it. A rule that names one is decided when the watermark has passed
its event; where the memory does not know, the column is null, and null is no match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.column import FLAG, NUMBER, TEXT, TEXTS, TIME, Column

if TYPE_CHECKING:
    import polars as pl

PREFIX: Final = "trailwarden.recalled."

_CALLER: Final = (
    Column(
        PREFIX + "token_pod.addresses",
        TEXTS,
        "addresses of the pod that the caller's token is bound to, as last reported",
    ),
    Column(PREFIX + "token_pod.node", TEXT, "the node of that pod"),
    Column(
        PREFIX + "token_pod.exists",
        FLAG,
        "whether that pod is there: false once it is gone or another has its name",
    ),
    Column(
        PREFIX + "token_off_pod",
        FLAG,
        "the call came from none of the pod's addresses, none of its node's and no network named "
        "as one that hides addresses; null where the pod's addresses are not known",
    ),
    Column(PREFIX + "credential.minted_by", TEXT, "who requested the token that was used"),
    Column(
        PREFIX + "credential.minted_by_type", TEXT, "their kind, as `trailwarden.identity.type`"
    ),
    Column(PREFIX + "credential.minted_from", TEXT, "the address they requested it from"),
    Column(
        PREFIX + "credential.minted_chain",
        TEXTS,
        "who minted the credential, who minted the credential that this took, and so on: at most 8",
    ),
    Column(
        PREFIX + "identity.known_networks",
        NUMBER,
        "networks (/24, /64) that the caller had called from before",
    ),
    Column(
        PREFIX + "identity.is_new_network",
        FLAG,
        "the caller is known from other networks, never from this one; null for who is not known",
    ),
    Column(
        PREFIX + "identity.known_minutes",
        NUMBER,
        "minutes since the caller was first seen; null for who was not seen before",
    ),
    Column(
        PREFIX + "dormant_days",
        NUMBER,
        "whole days since the caller's last call, and for an hour after a silence of a day or "
        "more the days of that silence; null for who was not seen before",
    ),
)

_TARGET: Final = (
    Column(
        PREFIX + "target_pod.privileged",
        FLAG,
        "a container of the pod is privileged, or one that was put into it while it ran",
    ),
    Column(
        PREFIX + "target_pod.host_access",
        TEXTS,
        "what else of its node it has: `host-pid`, `host-ipc`, `host-network`, `host-path:PATH`, "
        "`capability:NAME`",
    ),
    Column(PREFIX + "target_pod.node", TEXT, "the node it runs on"),
    Column(PREFIX + "target_pod.author", TEXT, "who created it, perhaps a controller"),
    Column(PREFIX + "target_pod.service_account", TEXT, "its service account, without namespace"),
    Column(
        PREFIX + "pod_author",
        TEXT,
        "the person, pipeline or operator behind it: its creator, or who wrote the workload that a "
        "built-in controller made it of",
    ),
    Column(PREFIX + "node_off", FLAG, "a node's identity acts on a pod that runs on another node"),
)

_CHANGE: Final = (
    Column(
        PREFIX + "rbac.gained",
        TEXTS,
        "`verb resource[.group][/subresource][/name] [@namespace]` that somebody may since this "
        "change, and not before; of all groups, `* *.*`",
    ),
    Column(
        PREFIX + "rbac.gained_by",
        TEXTS,
        "who gained it: `User/name`, `Group/name`, `ServiceAccount/namespace/name`",
    ),
    Column(
        PREFIX + "namespace.policies",
        NUMBER,
        "network policies that the namespace has right after this event; null where neither its "
        "creation nor any of its policies was seen",
    ),
)

_TRAVEL: Final = (
    Column(
        PREFIX + "origin.place",
        TEXT,
        "city and country of the caller's address by the site's GeoIP database; the columns of "
        "`travel` need one as well",
    ),
    Column(
        PREFIX + "travel.from",
        TEXT,
        "the last place within a day that this person called from before, of those that are known; "
        "null where they still call from the same address",
    ),
    Column(PREFIX + "travel.from_address", TEXT, "the address they called from there"),
    Column(PREFIX + "travel.to", TEXT, "the place of this call, perhaps the same"),
    Column(
        PREFIX + "travel.distance_km",
        NUMBER,
        "kilometers in between at least: what the database is unsure of is taken off",
    ),
    Column(PREFIX + "travel.minutes", NUMBER, "minutes in between, at most five too many"),
    Column(PREFIX + "travel.speed_kmh", NUMBER, "kilometers an hour that follow, at least"),
    Column(
        PREFIX + "travel.known_days",
        NUMBER,
        "whole days since they first called from within 100 km of here; null: never before",
    ),
    Column(PREFIX + "travel.database", TEXT, "the database that says so: its type and build day"),
)

_DEMAND: Final = (
    Column(
        PREFIX + "workload.demand",
        TEXT,
        "what the workload that is written asks for in all, in words: `40 CPUs, 20 replicas`",
    ),
    Column(PREFIX + "workload.cpus", NUMBER, "CPUs of it, of all replicas, rounded up"),
    Column(PREFIX + "workload.gpus", NUMBER, "GPUs of it, of all replicas"),
    Column(
        PREFIX + "workload.cpus_times_usual",
        NUMBER,
        "how many times the most CPUs that one workload of the namespace asked for before, at "
        "least 1",
    ),
    Column(PREFIX + "workload.gpus_times_usual", NUMBER, "the same of GPUs"),
    Column(PREFIX + "workload.replicas_times_usual", NUMBER, "the same of replicas"),
    Column(
        PREFIX + "namespace.usual_demand",
        TEXT,
        "the most that one workload of the namespace asked for before, within 30 days, in words; "
        "`nothing` where there was none",
    ),
    Column(PREFIX + "namespace.usual_gpus", NUMBER, "the most GPUs among them"),
    Column(
        PREFIX + "namespace.usual_days",
        NUMBER,
        "days that these were observed for: since the first workload of the namespace, at most 30",
    ),
    Column(
        PREFIX + "cluster.usual_gpus",
        NUMBER,
        "the most GPUs that any workload of the cluster asked for within 30 days",
    ),
    Column(PREFIX + "cluster.usual_days", NUMBER, "days that these were observed for"),
)

_PROCESS: Final = (
    Column(
        PREFIX + "human.name",
        TEXTS,
        "who entered the container, of a process or file event of a sensor that comes of it: from "
        "the exec, attach or ephemeral container in the audit log; all that it could be",
    ),
    Column(PREFIX + "human.names", TEXT, "the same as one text, joined by ` or `"),
    Column(PREFIX + "human.type", TEXTS, "their kinds, as `trailwarden.identity.type`"),
    Column(PREFIX + "human.address", TEXTS, "where they called from"),
    Column(PREFIX + "human.session", TEXTS, "`kubernetes.audit.auditID` of these requests"),
    Column(PREFIX + "human.since", TIME, "when the first of them was let in"),
    Column(
        PREFIX + "process.unaudited",
        FLAG,
        "the process entered a running container as an exec's does, and the audit log has no exec, "
        "attach or ephemeral container for it; null of other processes, of pods younger than ten "
        "minutes, and where the log was not alive or never told of an exec when it began",
    ),
)

RECALLED: Final[tuple[Column, ...]] = (*_CALLER, *_TARGET, *_CHANGE, *_TRAVEL, *_DEMAND, *_PROCESS)

RECALLED_DTYPES: Final[dict[str, pl.DataType]] = {column.name: column.dtype for column in RECALLED}
"""Column name -> Polars type, in the order of the frame."""
