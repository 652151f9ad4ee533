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

from detectors.sigma.errors import RefusedError, shown
from detectors.sigma.fields import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.sigma.strict_yaml import Scalar

MAX_SETS: Final = 64
"""Each set is a window that is kept for each group."""
MAX_WORDS: Final = 1_000
MAX_DEPTH: Final = 64

Sets: TypeAlias = tuple[frozenset[int], ...]

_OPERATORS: Final = frozenset({"and", "or", "not"})


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
    words = [word for word, _ in _tokens(condition) if word not in _OPERATORS and word not in "()"]
    return tuple(dict.fromkeys(words))


class _Parser:
    """Reads one condition; keeps the position and which rules were named."""

    def __init__(self, condition: Scalar, numbers: Mapping[str, int]) -> None:
        self._condition = condition
        self._numbers = numbers
        self._tokens = _tokens(condition)
        self._next = 0
        self.named: list[frozenset[int]] = []

    def parse(self) -> Sets:
        sets = self._or(0)
        if self._next < len(self._tokens):
            raise self._refused(f"expected 'and', 'or' or the end, not {self._found()}")
        return sets

    def _or(self, depth: int) -> Sets:
        sets = self._and(depth)
        while self._take("or"):
            sets = self._bounded({*sets, *self._and(depth)})
        return sets

    def _and(self, depth: int) -> Sets:
        sets = self._part(depth)
        while self._take("and"):
            more = self._part(depth)
            sets = self._bounded({one | other for one, other in product(sets, more)})
        return sets

    def _part(self, depth: int) -> Sets:
        if depth > MAX_DEPTH:
            raise self._refused(f"nested more than {MAX_DEPTH} levels deep")
        if not self._take("("):
            return (self._rule(),)
        sets = self._or(depth + 1)
        if not self._take(")"):
            raise self._refused(f"expected ')', not {self._found()}")
        return sets

    def _rule(self) -> frozenset[int]:
        word = self._peek()
        if word == "not":
            why = "that something does not happen is a correlation of type 'absence'"
            raise self._refused(f"'not' is not supported: {why}")
        if not word or word in _OPERATORS or word in "()":
            raise self._refused(f"expected a rule, not {self._found()}")
        if word not in self._numbers:
            hint = suggestion(word, self._numbers)
            raise self._refused(f"{shown(word)} is not among the rules{hint}")
        self._next += 1
        named = frozenset({self._numbers[word]})
        self.named.append(named)
        return named

    def _bounded(self, sets: set[frozenset[int]]) -> Sets:
        least = tuple(one for one in sets if not any(other < one for other in sets))
        if len(least) > MAX_SETS:
            wrong = f"condition: more than {MAX_SETS} ways to be met: split the correlation"
            raise RefusedError(self._condition.place, wrong)
        return least

    def _peek(self) -> str:
        return self._tokens[self._next][0] if self._next < len(self._tokens) else ""

    def _take(self, word: str) -> bool:
        taken = self._peek() == word
        self._next += taken
        return taken

    def _found(self) -> str:
        return shown(self._peek()) if self._peek() else "the end"

    def _refused(self, message: str) -> RefusedError:
        at_end = self._next >= len(self._tokens)
        offset = len(self._condition.text) if at_end else self._tokens[self._next][1]
        return RefusedError(self._condition.at(offset), f"condition: {message}")


def _tokens(condition: Scalar) -> list[tuple[str, int]]:
    """Return words and parentheses with their offsets; a name is what stands between those."""
    tokens: list[tuple[str, int]] = []
    text, offset = condition.text, 0
    while offset < len(text):
        end = offset + 1
        if text[offset] not in "()" and not text[offset].isspace():
            while end < len(text) and text[end] not in "()" and not text[end].isspace():
                end += 1
        word = text[offset:end]
        if not word.isspace():
            tokens.append((word.lower() if word.lower() in _OPERATORS else word, offset))
        if len(tokens) > MAX_WORDS:
            raise RefusedError(condition.place, f"condition: more than {MAX_WORDS} words")
        offset = end
    return tokens
