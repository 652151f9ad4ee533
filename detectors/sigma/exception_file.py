"""A list of exceptions becomes values; what is too wide, or refers to nothing, is refused.

Separate from the rules because it has its own form (docs/site.md), and from applying exceptions,
which touches no YAML. The scope is compiled by the code that compiles a rule's selections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.exceptions import Exemption
from detectors.possible import asks
from detectors.severity import names_of
from detectors.sigma import header, predicates
from detectors.sigma.detection import compile_selection
from detectors.sigma.errors import RefusedError, shown
from detectors.sigma.exception_scope import cased, narrowed, refuse_unasked, refuse_unpinned
from detectors.sigma.fields import suggestion
from detectors.sigma.pattern import parse
from detectors.sigma.strict_yaml import Mapping, Sequence
from detectors.sigma.tree import expression, leaves

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping as Lists
    from typing import TypeAlias

    from detectors.severity import Named
    from detectors.sigma.errors import Problems
    from detectors.sigma.strict_yaml import Node

    Known: TypeAlias = Lists[str, Lists[str, Named]]

KEYS: Final = ("rule", "owner", "reason", "expires", "where", "clusters")
REQUIRED: Final = ("rule", "owner", "reason", "expires", "where")
MAX_EXCEPTIONS: Final = 1_000


def read_exceptions(
    node: Node,
    problems: Problems,
    detections: Iterable[Named],
    lists: Lists[str, tuple[str, ...]],
) -> tuple[Exemption, ...]:
    """Return the exceptions in ``node``, a list; what is wrong in it is noted in ``problems``.

    Parameters
        detections: what exceptions may name: by id, name or file stem.
        lists: a site's, for the modifier ``expand``.
    """
    if not isinstance(node, Sequence):
        problems.add(RefusedError(node.place, "exceptions must be a list of mappings"))
        return ()
    if len(node.items) > MAX_EXCEPTIONS:
        problems.add(RefusedError(node.place, f"more than {MAX_EXCEPTIONS} exceptions"))
        return ()
    known: dict[str, dict[str, Named]] = {}
    for detection in detections:
        for name in names_of(detection):
            known.setdefault(name, {})[detection.id] = detection
    read = (problems.attempt(None, _exemption, one, problems, known, lists) for one in node.items)
    return tuple(exemption for exemption in read if exemption)


def _exemption(
    node: Node,
    problems: Problems,
    known: Known,
    lists: Lists[str, tuple[str, ...]],
) -> Exemption | None:
    if not isinstance(node, Mapping):
        raise RefusedError(node.place, "an exception must be a mapping")
    before = len(problems.errors)
    for key, entry in node.entries.items():
        if key not in KEYS:
            wrong = f"unknown key {shown(key)} in an exception{suggestion(key, KEYS)}"
            problems.add(RefusedError(entry.key.place, wrong))
    for key in REQUIRED:
        if key not in node.entries:
            problems.add(RefusedError(node.place, f"an exception needs {key!r}"))
    detections = problems.attempt({}, _detections, node, known)
    owner = problems.attempt("", _said, node, "owner")
    reason = problems.attempt("", _said, node, "reason")
    expires = problems.attempt(None, header.day, node, "expires")
    clusters = problems.attempt(None, _clusters, node)
    where = problems.attempt(None, _scope, node, problems, lists, detections)
    if len(problems.errors) > before or expires is None or where is None:
        return None
    return Exemption(
        place=f"{problems.file}:{node.place.line}",
        detections=frozenset(detections),
        owner=owner,
        reason=reason,
        expires=expires,
        scope=where[0],
        columns=where[1],
        clusters=clusters,
    )


def _detections(node: Mapping, known: Known) -> dict[str, Named]:
    """Return the rules and correlations that an exception names, by id."""
    found: dict[str, Named] = {}
    for name in header.texts(node, "rule"):
        if name not in known:
            wrong = f"no rule has the id, name or file {shown(name)}{suggestion(name, known)}"
            raise RefusedError(header.place_of(node, "rule"), wrong)
        found |= known[name]
    return found


def _said(node: Mapping, key: str) -> str:
    """Return a text that says something: an exception without a reason is nobody's decision."""
    said = header.text(node, key)
    if key in node.entries and not said:
        raise RefusedError(header.place_of(node, key), f"{key!r} must not be empty")
    return said or ""


def _clusters(node: Mapping) -> pl.Expr | None:
    names = header.texts(node, "clusters")
    if "clusters" not in node.entries:
        return None
    if not names:
        wrong = "'clusters' is empty: leave it out, or name the clusters"
        raise RefusedError(header.place_of(node, "clusters"), wrong)
    return predicates.text(map(parse, names), cased=True)(pl.col("orchestrator.cluster.name"))


def _scope(
    node: Mapping,
    problems: Problems,
    lists: Lists[str, tuple[str, ...]],
    detections: Lists[str, Named],
) -> tuple[pl.Expr, frozenset[str]] | None:
    where = node.get("where")
    if where is None:
        return None
    if not isinstance(where, Mapping):
        raise RefusedError(where.place, "'where' must be a mapping of fields to values")
    tree = compile_selection(cased(where), problems, lists)
    if tree is None:
        return None
    refuse_unpinned(where, lists)
    columns = frozenset[str]().union(*(leaf.columns for leaf, _ in leaves(tree)))
    refuse_unasked(where, columns, [one.file.stem for one in detections.values() if not asks(one)])
    return expression(narrowed(tree)), columns
