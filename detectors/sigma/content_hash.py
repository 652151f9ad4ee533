"""What decides the matches of a correlation becomes one short hash: its state is kept by it.

Separate from the hash of a pack, which is over files: here a new description or level changes
nothing, while a base's condition, or a value of a site list in it, does.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from detectors.sigma.tree import And, Leaf, Not

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.sigma.correlation import Correlation
    from detectors.sigma.tree import Tree


def content_hash(correlation: Correlation, bases: Mapping[str, str]) -> str:
    """Return 16 hex digits; ``bases`` has the hash of what each base matches, by its id."""
    parts: list[object] = [correlation.id, correlation.type.value]
    parts += [(base.id, bases[base.id], base.group_by) for base in correlation.bases]
    parts += [
        correlation.timespan_us,
        sorted((bound.comparison.value, bound.number) for bound in correlation.bounds),
        sorted(sorted(one) for one in correlation.expression),
        correlation.fields,
        correlation.percentile,
        (correlation.learning.events, correlation.learning.time_us),
        correlation.peers,
        correlation.across_clusters,
    ]
    return _digest(repr(parts))


def tree_hash(tree: Tree, known: dict[int, str] | None = None) -> str:
    """Return 16 hex digits over a rule's condition, its log source and site lists included."""
    known = {} if known is None else known
    if id(tree) not in known:
        known[id(tree)] = _digest(_text(tree, known))
    return known[id(tree)]


def _text(tree: Tree, known: dict[int, str]) -> str:
    if isinstance(tree, Leaf):
        return f"leaf {tree.key}"
    if isinstance(tree, Not):
        return f"not {tree_hash(tree.part, known)}"
    parts = " ".join(tree_hash(part, known) for part in tree.parts)
    return f"{'and' if isinstance(tree, And) else 'or'} {parts}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
