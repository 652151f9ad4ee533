"""Rules and events become what is certain: for which rows a rule holds, fails, or is still open.

Audit logs repeat themselves: 10,000 recorded events have about 1,000 combinations of who did what
to which kind of object with which result. So all tests of those columns are made once for each
combination, and the rules are worked out on them in three-valued logic, a test of any other column
being unknown. Most rules are settled there for nearly all rows, whatever the data is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors import bitset
from detectors.leaf_truth import truths
from detectors.sigma.tree import And, Leaf, Not

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from detectors.plan import Plan
    from detectors.sigma.tree import Tree

Bounds = tuple[int, int]
"""As bits: where something holds for certain, and where it does not fail for certain."""

_ROWS: Final = "#rows"
_COMBINATION: Final = "#combination"


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """What is certain about each combination of key columns in a batch."""

    rows: pl.DataFrame
    """One row per combination: its number, and the list of its row numbers."""
    truths: dict[str, int]
    """Key of each leaf of key columns -> combinations, as bits, for which it is true."""
    certain: tuple[int, ...]
    """Rule -> combinations, as bits, for which it holds."""
    possible: tuple[int, ...]
    """Rule -> combinations for which it does not fail; the certain ones included."""

    def rows_of(self, combinations: int) -> tuple[pl.Series, pl.Series]:
        """Return the row numbers of ``combinations``, and for each row its combination."""
        wanted = bitset.to_series(combinations, self.rows.height)
        picked = self.rows.filter(wanted).explode(_ROWS)
        return picked[_ROWS], picked[_COMBINATION]

    def truths_of(self, keys: Iterable[str], combination: pl.Series) -> dict[str, int]:
        """Return for each of ``keys`` of which the combinations say where that leaf is true.

        As bits of rows, of which ``combination`` holds the combination of each.
        """
        known = [key for key in keys if key in self.truths]
        if not known:
            return {}
        height = self.rows.height
        columns = [
            bitset.to_series(self.truths[key], height).alias(str(number))
            for number, key in enumerate(known)
        ]
        by_row = pl.DataFrame(columns)[combination]
        return dict(zip(known, map(bitset.from_series, by_row), strict=True))


def outlook(events: pl.DataFrame, plan: Plan) -> Outlook:
    """Return what is certain about the rows of ``events``, which must not be empty."""
    keyed = events.select(*plan.keys, *plan.present)
    combinations = keyed.with_row_index(_ROWS).group_by(keyed.columns).agg(_ROWS)
    known = truths(combinations, plan.key_leaves, plan)
    present = {
        facet: bitset.from_series(combinations[family]) for facet, family in plan.needed.items()
    }
    every = bitset.all_ones(combinations.height)

    def of_leaf(leaf: Leaf) -> Bounds:
        if leaf.key in known:
            return known[leaf.key], known[leaf.key]
        return 0, present.get(leaf.column, every) if leaf.needs_value else every

    found = [bounds(tree, of_leaf, every) for tree in plan.trees]
    return Outlook(
        combinations.select(_ROWS).with_row_index(_COMBINATION),
        known,
        tuple(certain for certain, _ in found),
        tuple(possible for _, possible in found),
    )


def bounds(tree: Tree, of_leaf: Callable[[Leaf], Bounds], every: int) -> Bounds:
    """Return where ``tree`` holds and where it may, given that of its leaves; ``every`` is all."""
    if isinstance(tree, Leaf):
        return of_leaf(tree)
    if isinstance(tree, Not):
        certain, possible = bounds(tree.part, of_leaf, every)
        return every & ~possible, every & ~certain
    certain, possible = (every, every) if isinstance(tree, And) else (0, 0)
    for part in tree.parts:
        low, high = bounds(part, of_leaf, every)
        if isinstance(tree, And):
            certain, possible = certain & low, possible & high
            if not possible:
                break
        else:
            certain, possible = certain | low, possible | high
    return certain, possible
