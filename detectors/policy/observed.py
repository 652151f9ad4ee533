"""A log becomes what its API server logs: of which requests, at which level and stages.

Separate from a policy, which says so: managed clouds do not show theirs, and then the log is all
there is. Seen is the highest level of each kind of request, so what is reported missing is missing
for everybody; what nobody did while the log was written, it cannot tell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from detectors.policy.audit_policy import (
    LEVEL_NAMES,
    AuditLevel,
    AuditPolicy,
    Decision,
    Request,
    Stage,
    decide,
)
from detectors.policy.record_cut import CONNECTED
from ingest.formats.seen import Dataset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.policy.acts import Sight
    from detectors.policy.change import Change
    from detectors.policy.verdicts import Logged

_AUDIT: Final = "kubernetes.audit."
_GROUP: Final = _AUDIT + "objectRef.apiGroup"
_RESOURCE: Final = "orchestrator.resource.type"
_SUBRESOURCE: Final = _AUDIT + "objectRef.subresource"
_VERB: Final = _AUDIT + "verb"
_LEVEL: Final = _AUDIT + "level"
_STAGE: Final = _AUDIT + "stage"
_BODY: Final = _AUDIT + "requestObject"
_GROUPS: Final = _AUDIT + "user.groups"
_USER: Final = "user.name"
_NAMESPACE: Final = "orchestrator.namespace"
_PATH: Final = "url.path"
_KIND: Final = ("group", "resource", "subresource", "verb")
SIZE: Final = "size_bytes"


class Kind(NamedTuple):
    """What of a request its level mostly depends on."""

    group: str
    resource: str
    subresource: str
    verb: str


NOBODY: Final = Kind("", "", "", "(failed authentication)")


@dataclass(slots=True)
class Seen:
    """What was logged of one kind of request."""

    events: int = 0
    level: AuditLevel = AuditLevel.NONE
    stages: set[Stage] = field(default_factory=set)


@dataclass(slots=True)
class Cost:
    """How many events of a log a changed policy would write otherwise, and their size now."""

    events: int = 0
    size_bytes: float = 0


@dataclass(slots=True)
class Observation:
    """What is known of a log so far."""

    events: int = 0
    kinds: dict[Kind, Seen] = field(default_factory=dict)


def observe(events: pl.DataFrame, found: Observation) -> None:
    """Add a batch of events, of which only an API server's count, to what is known."""
    events = _of_api_server(events)
    found.events += events.height
    body = pl.when(pl.col(_BODY).is_null()).then(AuditLevel.METADATA).otherwise(AuditLevel.REQUEST)
    # GKE's entries name no level: there the body has to speak.
    level = pl.col(_LEVEL).replace_strict(_LEVELS, default=None, return_dtype=pl.Int32)
    nobody = pl.col(_USER).is_null()
    rows = (
        events.select(
            *(
                pl.when(nobody).then(pl.lit(of_nobody)).otherwise(column.fill_null("")).alias(name)
                for name, column, of_nobody in zip(_KIND, _columns(), NOBODY, strict=True)
            ),
            level.fill_null(body.cast(pl.Int32)).alias("level"),
            pl.col(_STAGE).fill_null(Stage.RESPONSE_COMPLETE.value).alias("stage"),
        )
        .group_by(_KIND)
        .agg(pl.len(), pl.col("level").max(), pl.col("stage").unique())
    )
    for *kind, count, highest, stages in rows.iter_rows():
        seen = found.kinds.setdefault(_kind(*kind), Seen())
        seen.events += count
        seen.level = max(seen.level, AuditLevel(highest))
        seen.stages |= {Stage(stage) for stage in stages if stage in _STAGES}


def of_log(found: Observation) -> Logged:
    """Return what a log shows of requests."""

    def logged(sight: Sight) -> Decision | None:
        seen = found.kinds.get(kind_of(sight.request))
        if seen is None:
            return None
        return Decision(
            seen.level, frozenset(Stage) - seen.stages, omit_managed_fields=False, rule=None
        )

    return logged


def kind_of(request: Request) -> Kind:
    """Return the kind of a request."""
    if request.user is None:
        return NOBODY
    return _kind(request.group, request.resource, request.subresource, request.verb)


def _kind(group: str, resource: str, subresource: str, verb: str) -> Kind:
    """Clients connect by different verbs to the same end."""
    return Kind(group, resource, subresource, "" if subresource in CONNECTED else verb)


def add_costs(
    events: pl.DataFrame, policy: AuditPolicy, change: Change, found: Mapping[int, Cost]
) -> None:
    """Add to each insertion, by its number, the events that it would decide.

    Parameters
        events: with a column `SIZE`, bytes of each record as it was logged.
        policy: as changed.
    """
    inserted = {id(one.rule): number for number, one in enumerate(change.insertions)}
    for request, count, size in _requests(_of_api_server(events)):
        decision = decide(policy, request)
        number = None
        if decision.rule is not None:
            number = inserted.get(id(policy.rules[decision.rule]))
        if number is not None:
            found[number].events += count
            found[number].size_bytes += size


def _requests(events: pl.DataFrame) -> list[tuple[Request, int, float]]:
    """Return each kind of request once, with how many events and bytes are of it.

    Names of objects are left out: no inserted rule asks for them, and there are many.
    """
    keys = [_VERB, _USER, _GROUPS, _GROUP, _RESOURCE, _SUBRESOURCE, _NAMESPACE, "path"]
    path = pl.when(pl.col(_RESOURCE).is_null()).then(pl.col(_PATH)).alias("path")
    rows = (
        events.with_columns(path).group_by(keys).agg(pl.len().alias("events"), pl.col(SIZE).sum())
    )
    return [
        (
            Request(
                verb or "",
                user,
                tuple(groups or ()),
                resource is not None,
                group or "",
                resource or "",
                subresource or "",
                namespace or "",
                "",
                path or "",
            ),
            count,
            size,
        )
        for verb, user, groups, group, resource, subresource, namespace, path, count, size in (
            rows.iter_rows()
        )
    ]


def _of_api_server(events: pl.DataFrame) -> pl.DataFrame:
    return events.filter(pl.col("event.dataset") == Dataset.AUDIT.value)


def _columns() -> tuple[pl.Expr, ...]:
    return pl.col(_GROUP), pl.col(_RESOURCE), pl.col(_SUBRESOURCE), pl.col(_VERB)


_LEVELS: Final = {name: level for level, name in enumerate(LEVEL_NAMES)}
_STAGES: Final = frozenset(stage.value for stage in Stage)
