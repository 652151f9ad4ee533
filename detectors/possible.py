"""A rule that asks what is remembered becomes the question whether it may hold at all.

Separate from the rules themselves because it is the same condition seen earlier: before the memory
has passed the event, a test of what is recalled may still come out either way. What comes out holds
wherever the rule could, so events for which it does not need not be held.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from detectors.entities.recalled import RECALLED
from detectors.sigma.correlation import Correlation
from detectors.sigma.rule import Rule
from detectors.sigma.tree import And, Leaf, Not, Or, expression, leaves

if TYPE_CHECKING:
    from collections.abc import Callable

    from detectors.severity import Named
    from detectors.sigma.tree import Tree

_RECALLED: Final = frozenset(column.name for column in RECALLED)
_ALWAYS: Final = And(())
_NEVER: Final = Or(())
_OPPOSITE: Final[dict[int, Tree]] = {id(_ALWAYS): _NEVER, id(_NEVER): _ALWAYS}


def recalls(rule: Rule) -> bool:
    """Return whether a rule asks what is remembered."""
    return not rule.columns.isdisjoint(_RECALLED)


def asks(detection: Named) -> bool:
    """Return whether a rule asks what is remembered, or each of those that a correlation joins."""
    if isinstance(detection, Rule):
        return recalls(detection)
    return isinstance(detection, Correlation) and bool(detection.recalled)


def possible(rule: Rule) -> Rule:
    """Return ``rule`` with each test of what is recalled at its best for the rule."""
    if not recalls(rule):
        return rule
    tree = at_best(rule.tree, lambda leaf: leaf.columns.isdisjoint(_RECALLED))
    own = frozenset(column for leaf, _ in leaves(tree) for column in leaf.columns)
    matched = tuple(match for match in rule.matched if match.column in own)
    return replace(rule, tree=tree, condition=expression(tree), columns=own, matched=matched)


def at_best(tree: Tree, is_known: Callable[[Leaf], bool], *, positive: bool = True) -> Tree:
    """Return a condition that holds wherever ``tree`` may, whatever its unknown leaves are.

    Parameters
        positive: whether the tree stands under an even number of nots.
    """
    if isinstance(tree, Leaf):
        if is_known(tree):
            return tree
        return _ALWAYS if positive else _NEVER
    if isinstance(tree, Not):
        part = at_best(tree.part, is_known, positive=not positive)
        return _OPPOSITE.get(id(part)) or Not(part)
    return _joined(tree, [at_best(part, is_known, positive=positive) for part in tree.parts])


def _joined(tree: And | Or, parts: list[Tree]) -> Tree:
    """Return the parts joined as in ``tree``, without what is settled."""
    neutral, decisive = (_ALWAYS, _NEVER) if isinstance(tree, And) else (_NEVER, _ALWAYS)
    if any(part is decisive for part in parts):
        return decisive
    open_parts = tuple(part for part in parts if part is not neutral)
    return type(tree)(open_parts) if open_parts else neutral
