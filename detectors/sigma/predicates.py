"""Values become predicates: functions from a Polars expression to a Boolean one.

A predicate takes the expression of one value (a column, or the element of a list column) and is
null where that value is null; what null means is decided in one place, detectors/sigma/tree.py.
Everything here is linear in the text: Polars' own string functions and Rust's regex crate.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.sigma import regex as regular
from detectors.sigma.pattern import Pattern, Wild

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


@dataclass(frozen=True, slots=True, eq=False)
class Predicate:
    """A test of one value, and how many regular expressions are compiled for it."""

    test: Callable[[pl.Expr], pl.Expr]
    regexes: int = 0

    def __call__(self, value: pl.Expr) -> pl.Expr:
        """Return the test of ``value``, Boolean or null."""
        return self.test(value)


COMPARISONS: Final[dict[str, Callable[[pl.Expr, float], pl.Expr]]] = {
    "lt": lt,
    "lte": le,
    "gt": gt,
    "gte": ge,
}
MAX_WILDCARD_CHARACTERS: Final = 40_000
"""Of the regular expression made of patterns with wildcards: each of those compiles to much."""
TIME_PARTS: Final[dict[str, tuple[Callable[[pl.Expr], pl.Expr], int, int]]] = {
    "minute": (lambda time: time.dt.minute(), 0, 59),
    "hour": (lambda time: time.dt.hour(), 0, 23),
    "day": (lambda time: time.dt.day(), 1, 31),
    "week": (lambda time: time.dt.week(), 1, 53),  # ISO 8601: a long year has a 53rd
    "month": (lambda time: time.dt.month(), 1, 12),
    "year": (lambda time: time.dt.year(), 1, 9999),
}
"""Modifier -> how the part is taken from a UTC time, its least and its greatest value."""


def any_of(predicates: Sequence[Predicate]) -> Predicate:
    """Return the predicate that holds where one of ``predicates`` holds."""
    return Predicate(
        lambda value: balanced([predicate(value) for predicate in predicates], pl.Expr.or_),
        sum(predicate.regexes for predicate in predicates),
    )


def balanced(parts: Sequence[pl.Expr], join: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> pl.Expr:
    """Join expressions as a balanced tree: a chain of thousands would be as many levels deep."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return join(balanced(parts[:middle], join), balanced(parts[middle:], join))


def has_value() -> Predicate:
    """Return the predicate that holds for every value."""
    return Predicate(lambda value: value.is_not_null())


def nothing() -> Predicate:
    """Return the predicate that holds for no value."""
    return Predicate(lambda value: value.ne(value))


def text(patterns: Iterable[Pattern], *, cased: bool) -> Predicate:
    """Return the predicate that holds where one of ``patterns`` matches the whole text.

    Raises ``ValueError`` if they make too large a regular expression.
    """
    wanted = [pattern if cased else pattern.lowered() for pattern in patterns]
    test = any_of(_simple(wanted))
    return test if cased else Predicate(lambda value: test(value.str.to_lowercase()), test.regexes)


def _simple(patterns: list[Pattern]) -> list[Predicate]:
    """Sort patterns by form: most need no regular expression, and many need one test only."""
    exact: list[str] = []
    within: list[str] = []
    general: list[str] = []
    predicates: list[Predicate] = []
    for pattern in patterns:
        match pattern.parts:
            case (Wild.ANY,):
                predicates.append(has_value())
            case () | (str(),):
                exact.append(pattern.literal or "")
            case (Wild.ANY, str(word), Wild.ANY):
                within.append(word)
            case (str(word), Wild.ANY):
                predicates.append(_starts_with(word))
            case (Wild.ANY, str(word)):
                predicates.append(_ends_with(word))
            case _:
                general.append(pattern.regex())
    if sum(map(len, general)) > MAX_WILDCARD_CHARACTERS:
        raise ValueError(f"more than {MAX_WILDCARD_CHARACTERS} characters")
    together = ((exact, equal_to), (within, _contains), (general, regex))
    return [*(build(sorted(set(words))) for words, build in together if words), *predicates]


def equal_to(wanted: Sequence[str] | Sequence[int] | Sequence[bool]) -> Predicate:
    """Return the predicate that holds for the values ``wanted``."""
    if len(wanted) == 1:
        return Predicate(lambda value: value == pl.lit(wanted[0]))
    members = pl.Series(wanted)
    return Predicate(lambda value: value.is_in(members.implode()))


def _contains(words: list[str]) -> Predicate:
    if len(words) == 1:
        return Predicate(lambda value: value.str.contains(words[0], literal=True))
    return Predicate(lambda value: value.str.contains_any(words))


def _starts_with(word: str) -> Predicate:
    return Predicate(lambda value: value.str.starts_with(word))


def _ends_with(word: str) -> Predicate:
    return Predicate(lambda value: value.str.ends_with(word))


def regex(patterns: list[str]) -> Predicate:
    """Return the predicate that holds where one of ``patterns`` is found.

    Raises ``ValueError`` with the reason if one is refused.
    """
    for pattern in patterns:
        if fault := regular.fault(pattern):
            raise ValueError(fault)
    return any_of([_found(pattern) for pattern in regular.joined(patterns)])


def _found(pattern: str) -> Predicate:
    return Predicate(lambda value: value.str.contains(pattern), regexes=1)


def compared(operator: str, bound: float) -> Predicate:
    """Return the predicate for ``lt``, ``lte``, ``gt`` or ``gte`` a number."""
    return Predicate(lambda value: COMPARISONS[operator](value, bound))


def time_part(part: str, inner: Predicate) -> Predicate:
    """Return the predicate that applies ``inner`` to one part of a UTC time."""
    return Predicate(lambda value: inner(TIME_PARTS[part][0](value)))
