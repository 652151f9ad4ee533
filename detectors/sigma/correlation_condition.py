"""The ``condition`` of a correlation becomes bounds, columns and sets of rules.

Separate from the rest of the section, because here lies what a condition can hold for at all: one
that never does looks like one that works. Source: Sigma correlation rules specification 2.1,
"Condition"; which columns are counted or seen first is as there, and ours for ``first_seen``.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from detectors.sigma.correlation import Bound, Comparison, CorrelationType
from detectors.sigma.errors import RefusedError, shown
from detectors.sigma.fields import Kind, column_named, is_list, kind_of, suggestion
from detectors.sigma.strict_yaml import Mapping, Node, Scalar, Sequence
from detectors.sigma.temporal_expression import Sets, read_expression

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from detectors.sigma.errors import Problems
    from detectors.sigma.strict_yaml import Entry

MAX_COUNT: Final = 10_000
"""A count is exact up to here: so many events of a group are kept at most."""
MAX_FIELDS: Final = 8

COUNTS: Final = frozenset(
    {CorrelationType.EVENT_COUNT, CorrelationType.VALUE_COUNT, CorrelationType.TEMPORAL,
     CorrelationType.TEMPORAL_ORDERED}
)  # fmt: skip
MEASURES: Final = frozenset(
    {CorrelationType.VALUE_SUM, CorrelationType.VALUE_AVG, CorrelationType.VALUE_PERCENTILE}
)
OF_RULES: Final = frozenset({CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED})
OF_FIELDS: Final = frozenset({CorrelationType.VALUE_COUNT, CorrelationType.FIRST_SEEN}) | MEASURES

_HOLDS: Final[dict[Comparison, Callable[[float, float], bool]]] = {
    Comparison.GT: operator.gt,
    Comparison.GTE: operator.ge,
    Comparison.LT: operator.lt,
    Comparison.LTE: operator.le,
    Comparison.EQ: operator.eq,
    Comparison.NEQ: operator.ne,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """What a correlation asks of its window."""

    bounds: tuple[Bound, ...] = ()
    fields: tuple[str, ...] = ()
    percentile: float | None = None
    expression: Sets = ()


def read_condition(
    section: Mapping, kind: CorrelationType, numbers: dict[str, int], problems: Problems
) -> Condition:
    """Return the condition of a correlation's section; what is wrong is noted in ``problems``.

    ``numbers`` are the rules as they are written, numbered in order.
    """
    node = section.get("condition")
    if node is None:
        if kind not in OF_RULES and kind is not CorrelationType.ABSENCE:
            problems.add(RefusedError(section.place, f"{kind} needs a 'condition'"))
        return Condition()
    if kind is CorrelationType.ABSENCE:
        problems.add(RefusedError(node.place, "absence takes no 'condition'"))
        return Condition()
    if isinstance(node, Scalar) and kind is CorrelationType.TEMPORAL:
        return Condition(expression=problems.attempt((), _expression, node, numbers))
    if not isinstance(node, Mapping):
        problems.add(RefusedError(node.place, _no_mapping(kind)))
        return Condition()
    return _of_mapping(node, kind, len(numbers), problems)


def scalar_column(node: Node, key: str) -> str:
    """Return the column that ``node`` names; one of lists or times has no single value to count."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        raise RefusedError(node.place, f"{key!r} must be a column or a list of columns")
    column = column_named(node.value, node.place)
    if is_list(column):
        why = "a list, and what one event says many times is no one value"
        raise RefusedError(node.place, f"{key!r}: {column.name} is {why}")
    if kind_of(column) is Kind.TIME:
        why = "a time, and nearly every event has its own"
        raise RefusedError(node.place, f"{key!r}: {column.name} is {why}")
    return column.name


def columns_of(node: Node, key: str) -> tuple[str, ...]:
    """Return the columns that ``node``, one or a list, names; none is named twice."""
    items = node.items if isinstance(node, Sequence) else (node,)
    columns: list[str] = []
    for item in items:
        column = scalar_column(item, key)
        if column in columns:
            raise RefusedError(item.place, f"{key!r}: {column} is there twice")
        columns.append(column)
    if not 0 < len(columns) <= MAX_FIELDS:
        raise RefusedError(node.place, f"{key!r} takes 1 to {MAX_FIELDS} columns")
    return tuple(columns)


def _expression(node: Scalar, numbers: dict[str, int]) -> Sets:
    if not isinstance(node.value, str):
        raise RefusedError(node.place, _no_mapping(CorrelationType.TEMPORAL))
    return read_expression(node, numbers)


def _no_mapping(kind: CorrelationType) -> str:
    if kind is CorrelationType.TEMPORAL:
        return "'condition' must be a mapping as in {gte: 2}, or text as in 'a and (b or c)'"
    if kind is CorrelationType.TEMPORAL_ORDERED:
        return "temporal_ordered takes all its rules in their order: it has no such condition"
    if kind is CorrelationType.FIRST_SEEN:
        return "'condition' must be a mapping as in {field: source.ip}"
    return "'condition' must be a mapping as in {gte: 10}"


def _of_mapping(node: Mapping, kind: CorrelationType, rules: int, problems: Problems) -> Condition:
    allowed = _keys(kind)
    for key, entry in node.entries.items():
        if key not in allowed:
            problems.add(RefusedError(entry.key.place, _unknown(key, allowed, kind)))
    fields: tuple[str, ...] = ()
    if kind in OF_FIELDS:
        fields = problems.attempt((), _fields, node, kind)
    bounds = problems.attempt((), _bounds, node, kind, rules)
    if kind is CorrelationType.TEMPORAL_ORDERED:
        bounds = ()  # that it asks for all is checked, and it asks for nothing else
    return Condition(bounds, fields, problems.attempt(None, _percentile, node, kind))


def _keys(kind: CorrelationType) -> tuple[str, ...]:
    own: tuple[str, ...] = ("field",) if kind in OF_FIELDS else ()
    if kind is CorrelationType.VALUE_PERCENTILE:
        own = ("field", "percentile")
    return own if kind is CorrelationType.FIRST_SEEN else (*own, *Comparison)


def _unknown(key: str, allowed: Collection[str], kind: CorrelationType) -> str:
    if key in {"field", "percentile", *Comparison}:
        return f"condition: {kind} takes no {key!r}"
    return f"condition: unknown key {shown(key)}{suggestion(key, allowed)}"


def _fields(node: Mapping, kind: CorrelationType) -> tuple[str, ...]:
    field = node.get("field")
    if field is None:
        raise RefusedError(node.place, f"the condition of {kind} needs a 'field'")
    columns = columns_of(field, "field")
    if kind in MEASURES:
        (name, *more) = columns
        if more:
            raise RefusedError(field.place, f"'field': {kind} takes one column")
        if kind_of(column_named(name, field.place)) is not Kind.NUMBER:
            raise RefusedError(field.place, f"'field': {kind} needs a number, {name} is none")
    return columns


def _percentile(node: Mapping, kind: CorrelationType) -> float | None:
    if kind is not CorrelationType.VALUE_PERCENTILE:
        return None
    found = node.get("percentile")
    if found is None:
        raise RefusedError(node.place, "the condition of value_percentile needs a 'percentile'")
    number = _number(found, "percentile")
    if not 0 <= number <= 100:  # noqa: PLR2004  # percent
        raise RefusedError(found.place, "'percentile' must be from 0 to 100")
    return number


def _bounds(node: Mapping, kind: CorrelationType, rules: int) -> tuple[Bound, ...]:
    entries = [(c, node.entries[c]) for c in Comparison if c in node.entries]
    bounds = tuple(Bound(comparison, _threshold(entry, kind)) for comparison, entry in entries)
    if kind is CorrelationType.FIRST_SEEN:
        return ()
    if not bounds:
        some = ", ".join(Comparison)
        raise RefusedError(node.place, f"the condition of {kind} needs one of {some}")
    most = rules if kind in OF_RULES else MAX_COUNT
    possible = _possible(bounds, kind, most)
    if not possible:
        raise RefusedError(node.place, _never(bounds, kind, rules))
    if kind is CorrelationType.TEMPORAL_ORDERED and min(possible) < rules:
        wrong = "temporal_ordered needs all its rules: leave 'condition' out, or use temporal"
        raise RefusedError(node.place, wrong)
    return bounds


def _threshold(entry: Entry, kind: CorrelationType) -> float:
    number = _number(entry.value, entry.key.text)
    if kind in COUNTS and (number < 0 or number != int(number)):
        wrong = f"{entry.key.text!r} must be a whole number, 0 or more: it is compared with a count"
        raise RefusedError(entry.value.place, wrong)
    most = MAX_COUNT - (entry.key.value == Comparison.GT)
    if kind in COUNTS and number > most:
        raise RefusedError(entry.value.place, f"{entry.key.text!r} is more than {most}")
    return number


def _number(node: Node, key: str) -> float:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        what = shown(node.text) if isinstance(node, Scalar) else "a list or a mapping"
        raise RefusedError(node.place, f"{key!r} must be a number, not {what}")
    return float(value)


def _possible(bounds: tuple[Bound, ...], kind: CorrelationType, most: int) -> list[float]:
    """Return numbers that meet all bounds, the least of them included if a count does.

    It is enough to try where a bound lies and what is next to it. Every count is at least one: an
    event completes a match, and it is counted.
    """
    numbers = sorted({bound.number for bound in bounds})
    if kind in COUNTS:
        around = [number + step for number in numbers for step in (-1.0, 0.0, 1.0)]
        tried = [number for number in (1.0, *around) if 1 <= number <= most]
    else:
        beyond = [math.nextafter(number, to) for number in numbers for to in (-math.inf, math.inf)]
        tried = [*numbers, *beyond, *((low + high) / 2 for low, high in pairwise(numbers))]
    return [number for number in tried if _meets(number, bounds)]


def _meets(number: float, bounds: tuple[Bound, ...]) -> bool:
    return all(_HOLDS[bound.comparison](number, bound.number) for bound in bounds)


def _never(bounds: tuple[Bound, ...], kind: CorrelationType, rules: int) -> str:
    said = ", ".join(f"{bound.comparison} {bound.number:g}" for bound in bounds)
    if kind in OF_RULES:
        return f"can never match: {said}, of {rules} rules"
    if kind in COUNTS and _meets(0.0, bounds):
        return f"can never match: {said}, but an event that matches is one: 'absence' asks for none"
    return f"can never match: {said}"
