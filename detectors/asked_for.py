"""A rule and a circumstance become an answer: whether the rule holds only where that is so.

Separate from the severity that asks, because it is logic on the compiled condition: what a rule
asks for is in its level already, and must neither raise nor lower it again.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from detectors import bitset
from detectors.outlook import Bounds, bounds
from ingest.schema import DTYPES

if TYPE_CHECKING:
    from detectors.sigma.rule import Rule
    from detectors.sigma.tree import Leaf


class Circumstance(StrEnum):
    """What an act may be beside what it is."""

    REFUSED = "refused"
    ANONYMOUS = "anonymous"
    DRY_RUN = "dry run"


_DONE: Final[list[dict[str, Any]]] = [
    {
        "event.outcome": outcome,
        "http.response.status_code": code,
        "trailwarden.authorization.decision": decision,
        "trailwarden.session.reason": None,
        "kubernetes.audit.responseStatus.status": status,
        "kubernetes.audit.responseStatus.reason": None,
        "kubernetes.audit.responseStatus.message": None,
    }
    for outcome in ("success", "unknown")
    for code in (None, 101, 200, 201, 202, 302)
    for decision in (None, "allow")
    for status in (None, "Success")
]
_KNOWN: Final[list[dict[str, Any]]] = [
    {
        "user.name": name,
        "trailwarden.identity.type": kind,
        "kubernetes.audit.user.groups": ["system:authenticated"],
        "user.effective.name": None,
    }
    for name, kind in (
        ("jane", "human"),
        ("system:serviceaccount:web:shop", "service_account"),
        ("system:node:node-1", "node"),
    )
]
_OTHERWISE: Final[dict[Circumstance, list[dict[str, Any]]]] = {
    Circumstance.REFUSED: _DONE,
    Circumstance.ANONYMOUS: _KNOWN,
    Circumstance.DRY_RUN: [{"trailwarden.dry_run": None}, {"trailwarden.dry_run": False}],
}
"""Circumstance -> what events say where it is not so."""


@lru_cache(maxsize=4_096)
def asks_for(rule: Rule, circumstance: Circumstance) -> bool:
    """Return whether ``rule`` can hold for no event without ``circumstance``.

    In three-valued logic: tests of other columns may come out either way.
    """
    rows = _OTHERWISE[circumstance]
    events = pl.DataFrame(rows, schema={name: DTYPES[name] for name in rows[0]})
    every = bitset.all_ones(events.height)

    def of_leaf(leaf: Leaf) -> Bounds:
        if not leaf.columns <= set(events.columns):
            return 0, every
        truth = events.select(leaf.test.fill_null(value=False).alias("truth"))["truth"]
        return bitset.from_series(truth), bitset.from_series(truth)

    _, possible = bounds(rule.tree, of_leaf, every)
    return not possible
