"""The ``detection`` section of a rule becomes one tree.

Each selection is compiled first, then the condition joins them. What is wrong with one field does
not hide what is wrong with the next: problems are collected.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

from detectors.sigma.condition import Parser
from detectors.sigma.errors import RefusedError, shown
from detectors.sigma.item import compile_item
from detectors.sigma.strict_yaml import Mapping, Scalar, Sequence
from detectors.sigma.tree import And, Leaf, Not, Or, Tree, size
from detectors.site import DEFAULT_LISTS

if TYPE_CHECKING:
    from collections.abc import Mapping as Lists

    from detectors.sigma.errors import Problems
    from detectors.sigma.strict_yaml import Entry, Node

MAX_LEAVES: Final = 1_000
MAX_PROVEN_SELECTIONS: Final = 8
"""Whether a condition can hold is tried for all 2^n truths of its selections up to this n."""


def compile_detection(
    document: Mapping,
    problems: Problems,
    lists: Lists[str, tuple[str, ...]] = DEFAULT_LISTS,
) -> Tree | None:
    """Return the condition of a rule, or None after its problems were noted.

    ``lists`` are a site's, for the modifier ``expand``.
    """
    detection = document.get("detection")
    if not isinstance(detection, Mapping):
        place = detection.place if detection else document.place
        problems.add(RefusedError(place, "a rule needs a mapping 'detection'"))
        return None
    before = len(problems.errors)
    selections = {
        name: problems.attempt(None, _named_selection, entry, problems, lists)
        for name, entry in detection.entries.items()
        if name != "condition"
    }
    compiled = {name: tree for name, tree in selections.items() if tree}
    if len(problems.errors) > before:
        return None
    return problems.attempt(None, _joined, detection, compiled)


def _named_selection(
    entry: Entry, problems: Problems, lists: Lists[str, tuple[str, ...]]
) -> Tree | None:
    if entry.key.value == "timeframe":
        raise RefusedError(entry.key.place, "'timeframe' belongs to correlations: not supported")
    return compile_selection(entry.value, problems, lists)


def compile_selection(
    node: Node, problems: Problems, lists: Lists[str, tuple[str, ...]]
) -> Tree | None:
    """Return the condition of one selection, or None after its problems were noted.

    Raises ``RefusedError`` if it is no selection at all.
    """
    if isinstance(node, Scalar):
        raise RefusedError(node.place, "keywords without a field are not supported: name a field")
    if isinstance(node, Mapping):
        return _fields(node, problems, lists)
    if not node.items:
        raise RefusedError(node.place, "the selection is empty")
    parts = [problems.attempt(None, _alternative, item, problems, lists) for item in node.items]
    return _joined_parts(Or, parts)


def _alternative(node: Node, problems: Problems, lists: Lists[str, tuple[str, ...]]) -> Tree | None:
    if isinstance(node, Sequence):
        raise RefusedError(node.place, "expected a mapping of fields, not a list")
    return compile_selection(node, problems, lists)


def _fields(node: Mapping, problems: Problems, lists: Lists[str, tuple[str, ...]]) -> Tree | None:
    if not node.entries:
        raise RefusedError(node.place, "the selection is empty")
    parts = [problems.attempt(None, _item, entry, lists) for entry in node.entries.values()]
    return _joined_parts(And, parts)


def _item(entry: Entry, lists: Lists[str, tuple[str, ...]]) -> Tree | None:
    return compile_item(entry, lists)


def _joined_parts(join: type[And | Or], parts: list[Tree | None]) -> Tree | None:
    compiled = tuple(part for part in parts if part)
    return compiled[0] if len(compiled) == 1 else join(compiled) if compiled else None


def _joined(detection: Mapping, selections: dict[str, Tree]) -> Tree | None:
    conditions = _conditions(detection)
    named: set[str] = set()
    trees = []
    for condition in conditions:
        parser = Parser(condition, selections)
        trees.append(parser.parse())
        named |= parser.named
    for name in selections:
        if name not in named:
            place = detection.entries[name].key.place
            raise RefusedError(place, f"selection {shown(name)} is not used by the condition")
    tree = trees[0] if len(trees) == 1 else Or(tuple(trees))
    if size(tree) > MAX_LEAVES:
        raise RefusedError(conditions[0].place, f"the condition has more than {MAX_LEAVES} tests")
    _refuse_contradiction(tree, selections, conditions[0])
    return tree


def _conditions(detection: Mapping) -> list[Scalar]:
    node = detection.get("condition")
    if node is None:
        raise RefusedError(detection.place, "a detection needs a 'condition'")
    items = node.items if isinstance(node, Sequence) else (node,)
    conditions = []
    for item in items:
        if not isinstance(item, Scalar) or not isinstance(item.value, str):
            raise RefusedError(item.place, "a condition must be text")
        conditions.append(item)
    if not conditions:
        raise RefusedError(node.place, "the list of conditions is empty")
    return conditions


def _refuse_contradiction(tree: Tree, selections: dict[str, Tree], condition: Scalar) -> None:
    """Refuse e.g. ``a and not a``, which no truth of the selections can fulfil."""
    parts = list(selections.values())
    if len(parts) > MAX_PROVEN_SELECTIONS:
        return
    for truths in product((True, False), repeat=len(parts)):
        if _holds(tree, {id(part): truth for part, truth in zip(parts, truths, strict=True)}):
            return
    raise RefusedError(condition.place, "can never match: the condition contradicts itself")


def _holds(tree: Tree, truths: dict[int, bool]) -> bool:
    if id(tree) in truths:
        return truths[id(tree)]
    if isinstance(tree, Not):
        return not _holds(tree.part, truths)
    if isinstance(tree, Leaf):
        return True
    parts = (_holds(part, truths) for part in tree.parts)
    return all(parts) if isinstance(tree, And) else any(parts)
