"""The condition of a rule becomes a tree, given what each selection compiled to.

Separate, because it is a small language of its own: and, or, not, parentheses, and ``1 of x*`` or
``all of them``. Source: Sigma rules specification 2, "Condition"; binding from least to most: or,
and, not, of, parentheses.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from detectors.sigma.cursor import END, Cursor, tokens_of
from detectors.sigma.errors import RefusedError, shown
from detectors.sigma.fields import suggestion
from detectors.sigma.tree import And, Not, Or, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.sigma.strict_yaml import Scalar

MAX_DEPTH: Final = 64

_QUANTIFIERS: Final = frozenset({"1", "any", "all"})
_WORDS: Final = frozenset({"and", "or", "not", "of"})
_NO_NAMES: Final = frozenset({END, "(", ")", *_WORDS})
_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-*")


class Parser:
    """Reads one condition; keeps which selections were named."""

    def __init__(self, condition: Scalar, selections: Mapping[str, Tree]) -> None:
        self._selections = selections
        self._cursor = Cursor(condition, tokens_of(condition, _WORDS, _length))
        self.named: set[str] = set()

    def parse(self) -> Tree:
        """Return the tree of the whole condition; raises ``RefusedError`` at what is wrong."""
        tree = self._or(0)
        if self._cursor.peek() != END:
            raise self._cursor.expected("'and', 'or' or the end")
        return tree

    def _or(self, depth: int) -> Tree:
        parts = [self._and(depth)]
        while self._cursor.take("or"):
            parts.append(self._and(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _and(self, depth: int) -> Tree:
        parts = [self._not(depth)]
        while self._cursor.take("and"):
            parts.append(self._not(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _not(self, depth: int) -> Tree:
        if depth > MAX_DEPTH:
            raise self._cursor.refused(f"nested more than {MAX_DEPTH} levels deep")
        if self._cursor.take("not"):
            return Not(self._not(depth + 1))
        if not self._cursor.take("("):
            return self._selection()
        tree = self._or(depth + 1)
        if not self._cursor.take(")"):
            raise self._cursor.expected("')'")
        return tree

    def _selection(self) -> Tree:
        name = self._cursor.peek()
        if name in _NO_NAMES:
            raise self._cursor.expected("a selection")
        if self._cursor.peek(1) == "of":
            return self._several()
        if name not in self._selections:
            hint = suggestion(name, self._selections)
            raise self._cursor.refused(f"unknown selection {shown(name)}{hint}")
        self._cursor.skip()
        self.named.add(name)
        return self._selections[name]

    def _several(self) -> Tree:
        quantifier = self._cursor.peek()
        if quantifier not in _QUANTIFIERS:
            raise self._cursor.expected("'1 of', 'any of' or 'all of'")
        self._cursor.skip(2)
        pattern = self._cursor.peek()
        if pattern in _NO_NAMES:
            raise self._cursor.expected("'them' or a pattern of names")
        wanted = "*" if pattern == "them" else pattern
        names = [n for n in self._selections if fnmatchcase(n, wanted) and not n.startswith("_")]
        if not names:
            raise self._cursor.refused(f"no selection is called like {shown(pattern)}")
        self._cursor.skip()
        self.named.update(names)
        parts = tuple(self._selections[name] for name in names)
        return And(parts) if quantifier == "all" else Or(parts)


def _length(condition: Scalar, offset: int) -> int:
    text, end = condition.text, offset
    while end < len(text) and text[end] in _NAME:
        end += 1
    if end == offset:
        why = f"condition: unexpected {shown(text[offset])}{_why(text)}"
        raise RefusedError(condition.at(offset), why)
    return end - offset


def _why(text: str) -> str:
    return (
        ": aggregations after '|' are not supported, Sigma 2 replaced them" if "|" in text else ""
    )
