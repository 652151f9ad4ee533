"""The text condition of a ``temporal`` correlation becomes sets of rules, each of which is enough.

What goes in is ``a and (b or c)`` and how its names are numbered; what comes out is its disjunctive
normal form without sets that another makes needless. Separate from the condition of a rule
(detectors/sigma/condition.py): here is no ``not``, since that something is missing shows only once
a time is over, and that is what ``absence`` is. Source: Sigma correlation rules specification 2.1,
"Condition".
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final, TypeAlias

from detectors.sigma.cursor import END, Cursor, Token, tokens_of
from detectors.sigma.errors import RefusedError, shown
from detectors.sigma.fields import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.sigma.strict_yaml import Scalar

MAX_SETS: Final = 64
"""Each set is a window that is kept for each group."""
MAX_DEPTH: Final = 64

Sets: TypeAlias = tuple[frozenset[int], ...]

_OPERATORS: Final = frozenset({"and", "or", "not"})
_NO_NAMES: Final = frozenset({END, "(", ")", *_OPERATORS})


def read_expression(condition: Scalar, numbers: Mapping[str, int]) -> Sets:
    """Return the sets of rules, by their numbers, that ``condition`` asks for.

    Raises ``RefusedError`` at what is wrong, and if a rule is not named at all.
    """
    parser = _Parser(condition, numbers)
    sets = parser.parse()
    used = frozenset().union(*parser.named)
    for name, number in numbers.items():
        if number not in used:
            raise RefusedError(condition.place, f"condition: rule {shown(name)} is not used by it")
    return tuple(sorted(sets, key=sorted))


def names_in(condition: Scalar) -> tuple[str, ...]:
    """Return the names in ``condition``, each once, as they come."""
    words = [token.text for token in _tokens(condition) if token.text not in _NO_NAMES]
    return tuple(dict.fromkeys(words))


class _Parser:
    """Reads one condition; keeps which rules were named."""

    def __init__(self, condition: Scalar, numbers: Mapping[str, int]) -> None:
        self._condition = condition
        self._numbers = numbers
        self._cursor = Cursor(condition, _tokens(condition))
        self.named: list[frozenset[int]] = []

    def parse(self) -> Sets:
        sets = self._or(0)
        if self._cursor.peek() != END:
            raise self._cursor.expected("'and', 'or' or the end")
        return sets

    def _or(self, depth: int) -> Sets:
        sets = self._and(depth)
        while self._cursor.take("or"):
            sets = self._bounded({*sets, *self._and(depth)})
        return sets

    def _and(self, depth: int) -> Sets:
        sets = self._part(depth)
        while self._cursor.take("and"):
            more = self._part(depth)
            sets = self._bounded({one | other for one, other in product(sets, more)})
        return sets

    def _part(self, depth: int) -> Sets:
        if depth > MAX_DEPTH:
            raise self._cursor.refused(f"nested more than {MAX_DEPTH} levels deep")
        if not self._cursor.take("("):
            return (self._rule(),)
        sets = self._or(depth + 1)
        if not self._cursor.take(")"):
            raise self._cursor.expected("')'")
        return sets

    def _rule(self) -> frozenset[int]:
        word = self._cursor.peek()
        if word == "not":
            why = "that something does not happen is a correlation of type 'absence'"
            raise self._cursor.refused(f"'not' is not supported: {why}")
        if word in _NO_NAMES:
            raise self._cursor.expected("a rule")
        if word not in self._numbers:
            hint = suggestion(word, self._numbers)
            raise self._cursor.refused(f"{shown(word)} is not among the rules{hint}")
        self._cursor.skip()
        named = frozenset({self._numbers[word]})
        self.named.append(named)
        return named

    def _bounded(self, sets: set[frozenset[int]]) -> Sets:
        least = tuple(one for one in sets if not any(other < one for other in sets))
        if len(least) > MAX_SETS:
            wrong = f"condition: more than {MAX_SETS} ways to be met: split the correlation"
            raise RefusedError(self._condition.place, wrong)
        return least


def _tokens(condition: Scalar) -> list[Token]:
    return tokens_of(condition, _OPERATORS, _length)


def _length(condition: Scalar, offset: int) -> int:
    """Return the length of a name: it is what stands between space and parentheses."""
    text, end = condition.text, offset
    while end < len(text) and text[end] not in "()" and not text[end].isspace():
        end += 1
    return end - offset
