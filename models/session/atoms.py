"""Events in, atoms out: the distinct acts of each session's ten-second slots, with their counts.

Separate from the features because this is what a stream keeps of a session that is not over:
atoms of two batches added up are the atoms of both, so features do not depend on how a log is cut.
Windows are of event time and begin at multiples of their length since 1970, whoever counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from models.action_class import CLASS_COLUMNS, CLASS_TYPE, action_class
from models.network import network_of
from models.scored import MEMBERS, unit_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WINDOW_US: Final = 300_000_000
"""Long enough that a person's or a job's errand is in one or two, short enough to be told soon."""

SLOT_US: Final = 10_000_000
"""What counts as one burst."""

SYSTEM_NAMESPACES: Final = ("kube-system", "kube-public", "kube-node-lease")
NOBODY: Final = "unauthenticated"

ATOMS: Final[Mapping[str, pl.DataType]] = {
    "cluster": pl.String(),
    "identity": pl.String(),
    "peers": pl.String(),
    "start": pl.Int64(),
    "slot": pl.Int64(),
    "class": CLASS_TYPE,
    "action": pl.String(),
    "resource": pl.String(),
    "namespace": pl.String(),
    "name": pl.String(),
    "network": pl.String(),
    "agent": pl.String(),
    "is_refused": pl.Boolean(),
    "is_failed": pl.Boolean(),
    "is_other": pl.Boolean(),
    "is_host": pl.Boolean(),
    "count": pl.Int64(),
}
"""``is_other``: acting as somebody else; ``is_host``: a pod spec that reaches the node. Nothing is
null; what is not there is empty."""

SESSION_COLUMNS: Final = (
    *("@timestamp", "event.id", "event.outcome", "host.name", "source.ip", "user_agent.name"),
    *("http.response.status_code", "orchestrator.cluster.name", "orchestrator.namespace"),
    *("orchestrator.resource.name", "user.name", "user.effective.name", "url.path"),
    *("trailwarden.identity.type", "trailwarden.pod_spec.privileged"),
    *("trailwarden.pod_spec.host_pid", "trailwarden.pod_spec.host_network"),
    "trailwarden.pod_spec.host_paths",
    *CLASS_COLUMNS,
)
"""The event columns that sessions are made from."""

_KEYS: Final = tuple(name for name in ATOMS if name != "count")
_REFUSED_CODES: Final = (401, 403)


def atoms_of(events: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """Return the atoms of some events; an event without a time is in no session."""
    return (
        events.lazy()
        .filter(pl.col("@timestamp").is_not_null())
        .select(_key(name, value) for name, value in _VALUES.items())
        .group_by(_KEYS)
        .agg(pl.len().cast(pl.Int64).alias("count"))
        .collect()
    )


def added_up(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the atoms of several batches as if they had been one."""
    if not parts:
        return pl.DataFrame(schema=ATOMS)
    return pl.concat(parts).group_by(_KEYS).agg(pl.col("count").sum()).select(*ATOMS)


def session_members(events: pl.DataFrame) -> pl.DataFrame:
    """Return the session of each event, under `models.scored.MEMBERS`."""
    parts = [_VALUES[name] for name in ("cluster", "identity")]
    return (
        events.lazy()
        .filter(pl.col("@timestamp").is_not_null(), pl.col("event.id").is_not_null())
        .select(unit_id(_VALUES["start"], *parts).alias("unit"), "event.id")
        .select(*MEMBERS)
        .collect()
    )


def _key(name: str, value: pl.Expr) -> pl.Expr:
    return value.cast(ATOMS[name]).alias(name)


def _text(column: str) -> pl.Expr:
    return pl.col(column).fill_null("")


def _aligned(size_us: int) -> pl.Expr:
    time = pl.col("@timestamp").dt.timestamp("us")
    return time - time % size_us


def _is(test: pl.Expr) -> pl.Expr:
    return test.fill_null(value=False)


_USER: Final = pl.col("user.name").fill_null(NOBODY)
_HOST: Final = pl.col("host.name")
_TYPE: Final = pl.col("trailwarden.identity.type")
_FAILED: Final = pl.col("event.outcome") == "failure"
_REFUSED: Final = pl.col("http.response.status_code").is_in(_REFUSED_CODES)

_VALUES: Final[Mapping[str, pl.Expr]] = {
    "cluster": _text("orchestrator.cluster.name"),
    # An account of a machine is one of that machine: root is not the same person everywhere.
    "identity": pl.when(_TYPE.is_null() & _HOST.is_not_null())
    .then(_USER + "@" + _HOST)
    .otherwise(_USER),
    "peers": _TYPE.fill_null("machine"),
    "start": _aligned(WINDOW_US),
    "slot": _aligned(SLOT_US),
    "class": action_class(),
    "action": _text("event.action"),
    "resource": pl.coalesce("orchestrator.resource.type", "url.path").fill_null(""),
    "namespace": _text("orchestrator.namespace"),
    "name": _text("orchestrator.resource.name"),
    "network": network_of(pl.col("source.ip")).fill_null(""),
    "agent": _text("user_agent.name"),
    "is_refused": _is(_REFUSED),
    "is_failed": _is(_FAILED & ~_is(_REFUSED)),
    "is_other": _is(
        pl.col("user.effective.name").is_not_null()
        & pl.col("user.effective.name").ne_missing(pl.col("user.name"))
    ),
    "is_host": pl.any_horizontal(
        _is(pl.col("trailwarden.pod_spec.privileged")),
        _is(pl.col("trailwarden.pod_spec.host_pid")),
        _is(pl.col("trailwarden.pod_spec.host_network")),
        _is(pl.col("trailwarden.pod_spec.host_paths").list.len() > 0),
    ),
}
