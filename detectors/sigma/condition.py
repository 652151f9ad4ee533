"""The condition of a rule becomes a tree, given what each selection compiled to.

Separate, because it is a small language of its own: and, or, not, parentheses, and ``1 of x*`` or
``all of them``. Source: Sigma rules specification 2, "Condition"; binding from least to most: or,
and, not, of, parentheses.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from detectors.sigma.errors import RefusedError, shown
from detectors.sigma.fields import suggestion
from detectors.sigma.tree import And, Not, Or, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.sigma.strict_yaml import Scalar

MAX_DEPTH: Final = 64
MAX_TOKENS: Final = 1_000

_QUANTIFIERS: Final = frozenset({"1", "any", "all"})
_WORDS: Final = frozenset({"and", "or", "not", "of"})
_END: Final = ""
_NO_NAMES: Final = frozenset({_END, "(", ")", *_WORDS})
_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-*")


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a parenthesis, and its offset in the condition."""

    text: str
    offset: int


class Parser:
    """Reads one condition; keeps the position and which selections were named."""

    def __init__(self, condition: Scalar, selections: Mapping[str, Tree]) -> None:
        self._condition = condition
        self._selections = selections
        self._tokens = _tokens(condition)
        self._next = 0
        self.named: set[str] = set()

    def parse(self) -> Tree:
        """Return the tree of the whole condition; raises ``RefusedError`` at what is wrong."""
        tree = self._or(0)
        if self._peek() != _END:
            raise self._refused(f"expected 'and', 'or' or the end, not {self._found()}")
        return tree

    def _or(self, depth: int) -> Tree:
        parts = [self._and(depth)]
        while self._take("or"):
            parts.append(self._and(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _and(self, depth: int) -> Tree:
        parts = [self._not(depth)]
        while self._take("and"):
            parts.append(self._not(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _not(self, depth: int) -> Tree:
        if depth > MAX_DEPTH:
            raise self._refused(f"nested more than {MAX_DEPTH} levels deep")
        if self._take("not"):
            return Not(self._not(depth + 1))
        if not self._take("("):
            return self._selection()
        tree = self._or(depth + 1)
        if not self._take(")"):
            raise self._refused(f"expected ')', not {self._found()}")
        return tree

    def _selection(self) -> Tree:
        name = self._peek()
        if name in _NO_NAMES:
            raise self._refused(f"expected a selection, not {self._found()}")
        if self._peek(1) == "of":
            return self._several()
        if name not in self._selections:
            hint = suggestion(name, self._selections)
            raise self._refused(f"unknown selection {shown(name)}{hint}")
        self._next += 1
        self.named.add(name)
        return self._selections[name]

    def _several(self) -> Tree:
        quantifier = self._peek()
        if quantifier not in _QUANTIFIERS:
            raise self._refused(f"expected '1 of', 'any of' or 'all of', not {self._found()}")
        self._next += 2
        pattern = self._peek()
        if pattern in _NO_NAMES:
            raise self._refused(f"expected 'them' or a pattern of names, not {self._found()}")
        wanted = "*" if pattern == "them" else pattern
        names = [n for n in self._selections if fnmatchcase(n, wanted) and not n.startswith("_")]
        if not names:
            raise self._refused(f"no selection is called like {shown(pattern)}")
        self._next += 1
        self.named.update(names)
        parts = tuple(self._selections[name] for name in names)
        return And(parts) if quantifier == "all" else Or(parts)

    def _peek(self, ahead: int = 0) -> str:
        index = self._next + ahead
        return self._tokens[index].text if index < len(self._tokens) else _END

    def _take(self, word: str) -> bool:
        taken = self._peek() == word
        self._next += taken
        return taken

    def _found(self) -> str:
        return shown(self._peek()) if self._peek() else "the end"

    def _refused(self, message: str) -> RefusedError:
        at_end = self._next >= len(self._tokens)
        offset = len(self._condition.text) if at_end else self._tokens[self._next].offset
        return RefusedError(self._condition.at(offset), f"condition: {message}")


def _tokens(condition: Scalar) -> list[Token]:
    tokens: list[Token] = []
    text, offset = condition.text, 0
    while offset < len(text):
        length = _length(text, offset)
        if not length:
            place = condition.at(offset)
            raise RefusedError(place, f"condition: unexpected {shown(text[offset])}{_why(text)}")
        word = text[offset : offset + length]
        if not word.isspace():
            # Operators in capitals are common in older rules.
            tokens.append(Token(word.lower() if word.lower() in _WORDS else word, offset))
        if len(tokens) > MAX_TOKENS:
            raise RefusedError(condition.place, f"condition: more than {MAX_TOKENS} words")
        offset += length
    return tokens


def _length(text: str, offset: int) -> int:
    """Return the length of the token or the space at ``offset``; 0 if nothing may begin there."""
    if text[offset] in "()" or text[offset].isspace():
        return 1
    end = offset
    while end < len(text) and text[end] in _NAME:
        end += 1
    return end - offset


def _why(text: str) -> str:
    return (
        ": aggregations after '|' are not supported, Sigma 2 replaced them" if "|" in text else ""
    )
