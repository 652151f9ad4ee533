"""Events become facts: who and what is said to be how, from when on, distinct per batch.

Separate from the memory because what an event says does not depend on what is remembered: the same
facts come of the same events, however they are cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import polars as pl

from detectors.entities.demand_facts import DEMAND, demand_facts
from detectors.entities.fact_rows import (
    AUDITED_COLUMNS,
    FACTS,
    audited,
    calls_of,
    no_facts,
    rows_of,
)
from detectors.entities.identity_facts import (
    SECRET,
    TOKEN,
    call_facts,
    origin_facts,
    secret_facts,
    token_facts,
)
from detectors.entities.pod_facts import (
    KIND_OF,
    LIFE,
    SPEC,
    WORKLOAD,
    created_facts,
    debugger_facts,
    pod_facts,
    workload_facts,
)
from detectors.entities.process_facts import JOINED_COLUMNS, joined_facts
from detectors.entities.relation import GRAIN_S
from detectors.entities.rights_facts import (
    RIGHTS,
    RIGHTS_KINDS,
    SPACES,
    namespace_facts,
    rights_facts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    _Extract: TypeAlias = Callable[[pl.DataFrame], Iterator[pl.DataFrame]]

__all__ = ["FACTS", "FACT_COLUMNS", "facts_of"]

FACT_COLUMNS: Final = AUDITED_COLUMNS | JOINED_COLUMNS
"""Columns of events that facts are made of."""

_READS: Final = ("get", "list", "watch")
_WRITES: Final = ("create", "update", "patch", "delete", "deletecollection")
_TYPE: Final = pl.col("type")
_ACTION: Final = pl.col("action")
_SUBRESOURCE: Final = pl.col("subresource")
_MADE: Final = _SUBRESOURCE.is_null() & (_ACTION == "create")
_WRITTEN: Final = _SUBRESOURCE.is_null() & _ACTION.is_in(_WRITES)
_POD: Final = _TYPE == "pods"
_SIZED: Final = (_WRITTEN & (_ACTION != "delete")) | (_ACTION == "scale")
_DEBUGGED: Final = (_SUBRESOURCE == "ephemeralcontainers") & ~_ACTION.is_in(_READS)
_POD_TOLD: Final = (_SUBRESOURCE.is_in(["status", "binding"]) & ~_ACTION.is_in(_READS)) | (
    _SUBRESOURCE.is_null() & (_ACTION == "delete")
)

_EXTRACTORS: Final[tuple[tuple[pl.Expr, tuple[str, ...], _Extract], ...]] = (
    (_POD & _MADE, LIFE + SPEC, created_facts),
    (_POD & _POD_TOLD, LIFE, pod_facts),
    (_POD & _DEBUGGED, LIFE + SPEC, debugger_facts),
    (_TYPE.is_in(list(KIND_OF)) & _WRITTEN, WORKLOAD, workload_facts),
    ((_POD & _MADE) | (_TYPE.is_in(list(KIND_OF)) & _SIZED), DEMAND, demand_facts),
    (_ACTION == "token-request", TOKEN, token_facts),
    (_TYPE.is_in(list(RIGHTS_KINDS)) & _WRITTEN, RIGHTS, rights_facts),
    (_TYPE.is_in(["namespaces", "networkpolicies"]) & _WRITTEN, SPACES, namespace_facts),
    ((_TYPE == "secrets") & _ACTION.is_in(_READS), SECRET, secret_facts),
)
"""Which of the events that succeeded say something of an object, in which columns, to whom."""

_TYPES: Final = ("pods", "serviceaccounts", "namespaces", "networkpolicies", "secrets")
_DONE: Final = (
    (pl.col("outcome") == "success")
    & _TYPE.is_in([*_TYPES, *KIND_OF, *RIGHTS_KINDS])
    & pl.col("dry_run").ne_missing(pl.lit(value=True))
)
_NARROW: Final = ("type", "action", "subresource")
_APPLIES: Final = [
    applies.fill_null(value=False).alias(str(number))
    for number, (applies, _, _) in enumerate(_EXTRACTORS)
]


def facts_of(events: pl.DataFrame) -> pl.DataFrame:
    """Return what a batch of events says, under FACTS, in order of time and event.

    Parameters
        events: under EVENT_SCHEMA; columns that are missing count as null.

    What is said again of the same subject within the grain of its relation is left out; so is what
    failed or was a dry run. Linear in the events.
    """
    told = [*joined_facts(events)]
    rows = audited(events)
    if rows.height:
        calls = calls_of(rows)
        told += [*call_facts(calls), *origin_facts(calls), *_of_objects(rows)]
    return _told_once(pl.concat(told)) if told else no_facts()


def _of_objects(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield what is said of objects; each kind gathers only the rows and columns that it needs."""
    done = rows.select(_DONE.fill_null(value=False).alias("done")).to_series().arg_true()
    told = rows.select(_NARROW)[done].select(_APPLIES)
    for mask, (_, columns, extract) in zip(told, _EXTRACTORS, strict=True):
        numbers = mask.arg_true()
        if numbers.len():
            yield from extract(rows_of(rows, columns, done.gather(numbers)))


def _told_once(facts: pl.DataFrame) -> pl.DataFrame:
    """Drop what the fact before it about the same subject said in the same grain of time."""
    grain = pl.lit(GRAIN_S).gather(pl.col("relation")) * 1_000_000
    stamped = facts.with_columns(
        (pl.col("time") // grain).alias("stamp"), pl.col("subject").hash().alias("who")
    ).sort("who", "relation", "time", "object", "event")
    same = [
        pl.col(name) == pl.col(name).shift(1)
        for name in ("who", "relation", "stamp", "object", "cluster", "subject")
    ]
    kept = stamped.filter(~pl.all_horizontal(same).fill_null(value=False))
    return kept.select(FACTS.names()).sort("time", "event", "relation")
