"""A rule without cases becomes the requests that it could be about, and what it needs of them.

An estimate, worked out from the compiled condition alone: each test that reads only what every
record of a request holds is decided, every other one may be true, except that without a body all
that is made of a body is missing. Separate because nothing that was recorded stands behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import polars as pl

from detectors.policy.acts import Act, Sight, Variant
from detectors.policy.api_groups import BUILT_IN, RESOURCE_VERBS, SUBRESOURCES
from detectors.policy.audit_policy import LOGGED, AuditLevel, Request, Stage
from detectors.policy.record_cut import CONNECTED, sends_body
from detectors.sigma.tree import And, Leaf, Not, Tree
from ingest.formats.seen import Dataset
from ingest.schema import DTYPES, FACETS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detectors.sigma.rule import Rule

_ANYBODY: Final = "somebody"
_BODY_COLUMNS: Final = (frozenset(FACETS) | {"kubernetes.audit.requestObject"}) - {
    "process.args",
    "process.command_line",
    "trailwarden.exec.decoded",
    "container.name",
    "trailwarden.exec.tty",
    "trailwarden.exec.stdin",
}
"""Columns that are made of a request's body; those of an exec are made of its URL."""

_ACTIONS: Final = {
    "attach": "attach",
    "binding": "bind-pod",
    "eviction": "evict",
    "exec": "exec",
    "log": "log",
    "portforward": "portforward",
    "proxy": "proxy",
    "scale": "scale",
    "token": "token-request",
}
_MOST: Final = 24
"""Kinds of request that an estimate names: a rule about more is about nearly everything."""

_Truth: TypeAlias = "pl.Series"
_Possible: TypeAlias = "tuple[_Truth, _Truth]"
"""For each candidate, whether a condition may be true, and whether it may be false."""


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Kinds of request, and the columns of their events that are known."""

    requests: tuple[Request, ...]
    events: pl.DataFrame
    known: frozenset[str]
    with_body: pl.Series
    """Whether the request has a body that facets are made of."""


def estimated_acts(rules: Iterable[Rule]) -> list[Act]:
    """Return for each rule the kinds of request that it may be about, as acts."""
    candidates = _candidates()
    return [act for rule in rules for act in _acts(rule, candidates)]


def _acts(rule: Rule, candidates: _Candidates) -> list[Act]:
    without = _possible(rule.tree, candidates, has_body=False)[0]
    possible = _possible(rule.tree, candidates, has_body=True)[0]
    with_body = possible.zip_with(candidates.with_body, without)
    rows = [row for row, possible in enumerate(with_body | without) if possible]
    return [
        _act(rule.id, candidates.requests[row], with_body[row], without[row])
        for row in rows[:_MOST]
    ]


def _act(rule: str, request: Request, with_body: bool, without: bool) -> Act:
    own = frozenset({rule})
    stage = Stage.RESPONSE_COMPLETE
    seen = {
        Variant(level, stage): own
        for level in LOGGED
        if (with_body if level >= AuditLevel.REQUEST else without)
    }
    sight = Sight(request, (stage,), own, seen)
    return Act(rule, f"{request.verb} {request.combined}", (sight,), estimated=True)


def _possible(tree: Tree, candidates: _Candidates, *, has_body: bool) -> _Possible:
    if isinstance(tree, Leaf):
        return _leaf(tree, candidates, has_body=has_body)
    if isinstance(tree, Not):
        true, false = _possible(tree.part, candidates, has_body=has_body)
        return false, true
    true, false = (
        _all(candidates, isinstance(tree, And)),
        _all(candidates, not isinstance(tree, And)),
    )
    for part in tree.parts:
        other_true, other_false = _possible(part, candidates, has_body=has_body)
        if isinstance(tree, And):
            true, false = true & other_true, false | other_false
        else:
            true, false = true | other_true, false & other_false
    return true, false


def _leaf(leaf: Leaf, candidates: _Candidates, *, has_body: bool) -> _Possible:
    decided = candidates.known if has_body else candidates.known | _BODY_COLUMNS
    if not leaf.columns <= decided:
        return _all(candidates, value=True), _all(candidates, value=True)
    test = leaf.test.fill_null(value=False).alias("test")
    true = candidates.events.select(test)["test"]
    if true.len() != candidates.events.height:
        true = true.new_from_index(0, candidates.events.height)
    return true, ~true


def _all(candidates: _Candidates, value: bool) -> _Truth:
    return pl.Series([value], dtype=pl.Boolean).new_from_index(0, candidates.events.height)


def _candidates() -> _Candidates:
    requests = tuple(_requests())
    rows = {
        "event.dataset": [Dataset.AUDIT.value] * len(requests),
        "event.action": [_ACTIONS.get(one.subresource, one.verb) for one in requests],
        "kubernetes.audit.verb": [one.verb for one in requests],
        "kubernetes.audit.objectRef.apiGroup": [one.group or None for one in requests],
        "kubernetes.audit.objectRef.subresource": [one.subresource or None for one in requests],
        "orchestrator.resource.type": [one.resource for one in requests],
    }
    known = frozenset(rows)
    empty = {
        name: pl.Series(name, [None] * len(requests), dtype=dtype)
        for name, dtype in DTYPES.items()
        if name not in known
    }
    with_body = pl.Series([sends_body(request) for request in requests])
    return _Candidates(requests, pl.DataFrame(rows).with_columns(**empty), known, with_body)


def _requests() -> Iterable[Request]:
    for group, resources in BUILT_IN.items():
        for resource in resources:
            for verb in RESOURCE_VERBS:
                yield _request(verb, group, resource, "")
            for subresource in SUBRESOURCES.get(resource, ()):
                for verb in _verbs_of(subresource):
                    yield _request(verb, group, resource, subresource)


def _verbs_of(subresource: str) -> tuple[str, ...]:
    if subresource == "log":
        return ("get",)
    return ("create", "get") if subresource in CONNECTED else ("create", "patch", "update")


def _request(verb: str, group: str, resource: str, subresource: str) -> Request:
    return Request(verb, _ANYBODY, (), True, group, resource, subresource, "default")
