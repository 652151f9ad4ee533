"""Where and why a file is refused: a place in it, one error, and all errors of a load.

Separate, because the YAML layer, the compiler and the case files report in the same words, and
because one run shows everything that is wrong with all files instead of the first thing only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

P = ParamSpec("P")
T = TypeVar("T")

SHOWN_CHARACTERS = 60
"""A message quotes at most this much of a value, so that a hostile one cannot flood a screen."""


MAX_PROBLEMS = 100
"""Of one file: more are not read by anyone, and a hostile file could have tens of thousands."""


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file; line and column count from 1."""

    line: int
    column: int


START = Place(1, 1)


class RefusedError(Exception):
    """One thing in a file is refused. Raised while reading, caught by ``Problems.attempt``."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place
        self.message = message


@dataclass(frozen=True, slots=True)
class RuleError:
    """One problem of one file, as it is shown: ``file:line:column: message``."""

    file: Path
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        """Return the line that is shown."""
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class InvalidRulesError(Exception):
    """Rule or case files are refused; carries every problem found, in the order of the files."""

    def __init__(self, errors: tuple[RuleError, ...]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = errors


class Problems:
    """What is wrong with one file, collected so that all of it is reported at once."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.errors: list[RuleError] = []

    def attempt(self, default: T, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return ``read(...)``; if it refuses, note that and return ``default``.

        After ``MAX_PROBLEMS`` nothing more is read.
        """
        if len(self.errors) >= MAX_PROBLEMS:
            return default
        try:
            return read(*args, **kwargs)
        except RefusedError as refused:
            self.add(refused)
            return default

    def add(self, refused: RefusedError) -> None:
        """Note one refusal."""
        place = refused.place
        self.errors.append(RuleError(self.file, place.line, place.column, refused.message))

    def in_order(self) -> list[RuleError]:
        """Return what was noted, as it stands in the file."""
        return sorted(self.errors, key=lambda error: (error.line, error.column))


def shown(value: object) -> str:
    """Return ``value`` quoted for a message, cut to ``SHOWN_CHARACTERS``."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."
