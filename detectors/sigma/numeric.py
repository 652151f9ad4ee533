"""Values for columns of numbers and times become predicates.

Separate from text, because a number has bounds and a spelling: what no value of the column can
fulfil is refused, such as an hour of 24 or a status code of ``ALLOW``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.sigma import pattern, predicates
from detectors.sigma.errors import RefusedError, shown
from detectors.sigma.predicates import Predicate

if TYPE_CHECKING:
    from detectors.sigma.modifiers import Modifiers
    from detectors.sigma.strict_yaml import Scalar
    from ingest.column import Column

_INT64: Final = (-(2**63), 2**63 - 1)
_LONGEST: Final = len(str(_INT64[0]))


def as_text(test: Predicate) -> Predicate:
    """Return the predicate that applies ``test`` to the decimal digits of a number."""
    return Predicate(lambda value: test(value.cast(pl.String)), test.regexes)


def compared(column: Column, modifiers: Modifiers, values: tuple[Scalar, ...]) -> Predicate:
    """Return the predicate for a comparison with ``values``, or for a part of a time.

    Raises ``RefusedError`` at a value that is no number, or that makes the test impossible.
    """
    bounds = [_bound(column, modifiers, value) for value in values]
    if modifiers.comparison is None:
        test = predicates.equal_to([int(bound) for bound in bounds])
    else:
        operator = modifiers.comparison
        test = predicates.any_of([predicates.compared(operator, bound) for bound in bounds])
    return predicates.time_part(modifiers.time_part, test) if modifiers.time_part else test


def _bound(column: Column, modifiers: Modifiers, value: Scalar) -> float:
    number = value.value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise RefusedError(value.place, f"expected a number, not {shown(value.text)}")
    low, high = _INT64
    if modifiers.time_part:
        _, low, high = predicates.TIME_PARTS[modifiers.time_part]
    if not _can_match(modifiers.comparison, number, low, high):
        part = f"the {modifiers.time_part} of {column.name}" if modifiers.time_part else column.name
        test = modifiers.comparison or "equal to"
        raise RefusedError(value.place, f"can never match: {part} is never {test} {value.text}")
    return number if _is_int64(number) else float(number)


def _can_match(comparison: str | None, number: float, low: int, high: int) -> bool:
    """Return whether some whole number from ``low`` to ``high`` compares so with ``number``."""
    if comparison is None:
        return low <= number <= high and number == int(number)
    outcomes = {
        "lt": low < number,
        "lte": low <= number,
        "gt": high > number,
        "gte": high >= number,
    }
    return outcomes[comparison]


def equal(column: Column, values: tuple[Scalar, ...]) -> Predicate:
    """Return the predicate for numbers, the texts of numbers, and patterns of their digits.

    Raises ``RefusedError`` at a value that no number is equal to.
    """
    forms = [pattern.parse(value.text) for value in values]
    whole: list[int] = []
    tests: list[Predicate] = []
    for value, form in zip(values, forms, strict=True):
        if form.literal is None:
            refuse_letters(column, value)
            tests.append(as_text(predicates.text([form], cased=True)))
        else:
            whole.append(_whole_number(column, value))
    return predicates.any_of([predicates.equal_to(whole), *tests] if whole else tests)


def _whole_number(column: Column, value: Scalar) -> int:
    number = value.value
    if isinstance(number, str) and len(number) <= _LONGEST:
        digits = number.removeprefix("-")
        number = int(number) if digits.isascii() and digits.isdigit() else None
        number = number if str(number) == value.text else None  # '0401' is no spelling of 401
    if isinstance(number, bool) or not isinstance(number, int) or not _is_int64(number):
        never = f"can never match: {column.name} holds a number and is never {shown(value.text)}"
        raise RefusedError(value.place, never)
    return number


def _is_int64(number: float) -> bool:
    return _INT64[0] <= number <= _INT64[1]


def refuse_letters(column: Column, value: Scalar) -> None:
    """Raise ``RefusedError`` if ``value`` has characters that no number is written with."""
    form = pattern.parse(value.text)
    literals = "".join(part for part in form.parts if isinstance(part, str))
    if not set(literals) <= set("-0123456789"):
        never = f"can never match: {column.name} holds a number, without {shown(literals)} in it"
        raise RefusedError(value.place, never)
