"""A rule that asks what is remembered becomes the question whether it may hold at all.

Separate from the rules themselves because it is the same condition seen earlier: before the memory
has passed the event, a test of what is recalled may still come out either way. What comes out holds
wherever the rule could, so events for which it does not need not be held.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from detectors.entities.recalled import RECALLED
from detectors.sigma.tree import And, Leaf, Not, Or, expression, leaves

if TYPE_CHECKING:
    from detectors.sigma.rule import Rule
    from detectors.sigma.tree import Tree

_RECALLED: Final = frozenset(column.name for column in RECALLED)
_ALWAYS: Final = And(())
_NEVER: Final = Or(())


def recalls(rule: Rule) -> bool:
    """Return whether a rule asks what is remembered."""
    return not rule.columns.isdisjoint(_RECALLED)


def possible(rule: Rule) -> Rule:
    """Return ``rule`` with each test of what is recalled at its best for the rule."""
    if not recalls(rule):
        return rule
    tree = _at_best(rule.tree, positive=True)
    own = frozenset(column for leaf, _ in leaves(tree) for column in leaf.columns)
    matched = tuple(match for match in rule.matched if match.column not in _RECALLED)
    return replace(rule, tree=tree, condition=expression(tree), columns=own, matched=matched)


def _at_best(tree: Tree, *, positive: bool) -> Tree:
    if isinstance(tree, Leaf):
        if tree.columns.isdisjoint(_RECALLED):
            return tree
        return _ALWAYS if positive else _NEVER
    if isinstance(tree, Not):
        return Not(_at_best(tree.part, positive=not positive))
    return type(tree)(tuple(_at_best(part, positive=positive) for part in tree.parts))
