"""The text of a condition in, its words out, one after the other, and where it is wrong.

Separate because the condition of a rule (detectors/sigma/condition.py) and that of a ``temporal``
correlation (detectors/sigma/temporal_expression.py) are two languages that are read alike: words
and parentheses from left to right, a refusal at the word it is about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from detectors.sigma.errors import RefusedError, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from detectors.sigma.strict_yaml import Scalar

MAX_WORDS: Final = 1_000
END: Final = ""
"""The word after the last."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a parenthesis, and its offset in the condition."""

    text: str
    offset: int


class Cursor:
    """Where a parser stands in a condition."""

    def __init__(self, condition: Scalar, tokens: list[Token]) -> None:
        self._condition = condition
        self._tokens = tokens
        self._next = 0

    def peek(self, ahead: int = 0) -> str:
        """Return the next word, or one further ahead; ``END`` after the last."""
        index = self._next + ahead
        return self._tokens[index].text if index < len(self._tokens) else END

    def skip(self, words: int = 1) -> None:
        """Go past words."""
        self._next += words

    def take(self, word: str) -> bool:
        """Go past the next word if it is ``word``; return whether it was."""
        taken = self.peek() == word
        self._next += taken
        return taken

    def expected(self, wanted: str) -> RefusedError:
        """Make the refusal that says what should stand instead of the next word."""
        found = shown(self.peek()) if self.peek() else "the end"
        return self.refused(f"expected {wanted}, not {found}")

    def refused(self, message: str) -> RefusedError:
        """Make a refusal at the next word."""
        at_end = self._next >= len(self._tokens)
        offset = len(self._condition.text) if at_end else self._tokens[self._next].offset
        return RefusedError(self._condition.at(offset), f"condition: {message}")


def tokens_of(
    condition: Scalar, operators: frozenset[str], length_of: Callable[[Scalar, int], int]
) -> list[Token]:
    """Return words and parentheses.

    Parameters
        operators: words that mean the same in capitals: those are common in older rules.
        length_of: returns the length of the word that begins at an offset, at least 1; it may raise
            ``RefusedError``.

    Raises ``RefusedError`` if there are more than ``MAX_WORDS``.
    """
    tokens: list[Token] = []
    text, offset = condition.text, 0
    while offset < len(text):
        is_alone = text[offset] in "()" or text[offset].isspace()
        end = offset + (1 if is_alone else length_of(condition, offset))
        word = text[offset:end]
        if not word.isspace():
            tokens.append(Token(word.lower() if word.lower() in operators else word, offset))
        if len(tokens) > MAX_WORDS:
            raise RefusedError(condition.place, f"condition: more than {MAX_WORDS} words")
        offset = end
    return tokens
