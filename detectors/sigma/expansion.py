r"""Values with placeholders become the values of a site's lists: ``%name%`` -> each one in turn.

Separate from the item, because what stands in for a placeholder is site knowledge: which list, and
which of its values, has to be told where one does not fit. Source: Sigma modifiers appendix 2.1.0,
"expand"; ``\%`` is a percent sign, as in pySigma.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Final

from detectors.sigma.errors import RefusedError, shown
from detectors.sigma.fields import suggestion
from detectors.sigma.strict_yaml import Scalar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from detectors.sigma.errors import Place
    from detectors.sigma.modifiers import Modifiers

MAX_VALUES: Final = 10_000
"""Of one field, written or from lists; together they are one test of each event."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """The values of a field, and where those that are not written there come from."""

    values: tuple[Scalar, ...]
    lists: tuple[str, ...]
    """For each value the names of its lists, empty for one that was written."""
    lacking: bool = False
    """Whether one of the written values became nothing: all its lists are empty."""


def expanded(
    written: tuple[Scalar, ...],
    modifiers: Modifiers,
    lists: Mapping[str, tuple[str, ...]],
    place: Place,
) -> Expanded:
    """Return the values that ``written`` stands for, in order.

    Raises ``RefusedError`` at an unknown list, at ``place`` if there is no placeholder at all.
    """
    values: list[Scalar] = []
    origins: list[str] = []
    lacking = placeholder = False
    for value in written:
        pieces = _pieces(value.text) if isinstance(value.value, str) else []
        names = [piece.name for piece in pieces if isinstance(piece, _Placeholder)]
        if not names:
            text = "".join(map(str, pieces))
            values.append(replace(value, value=text, text=text) if pieces else value)
            origins.append("")
            continue
        placeholder = True
        found = [_known(name, lists, value) for name in names]
        if len(values) + prod(map(len, found)) > MAX_VALUES:
            raise RefusedError(value.place, f"with its lists more than {MAX_VALUES} values")
        texts = list(_texts(pieces, found, modifiers))
        values += [Scalar(text, text, value.place) for text in texts]
        origins += [", ".join(names)] * len(texts)
        lacking |= not texts
    if not placeholder:
        wrong = "modifier 'expand' needs a placeholder in one of the values, as in '%name%'"
        raise RefusedError(place, wrong)
    return Expanded(tuple(values), tuple(origins), lacking)


def naming_list(
    found: Expanded, refused: RefusedError, test: Callable[[Scalar], object]
) -> RefusedError:
    """Return ``refused`` with the list and its value at fault, if there is one.

    Each value from a list is tried on its own, which is slow: only after all together were refused.
    """
    for value, origin in zip(found.values, found.lists, strict=True):
        try:
            test(value)
        except RefusedError as error:
            which = f"{shown(value.text)} of list {origin!r}"
            return RefusedError(error.place, f"{which}: {error.message}") if origin else refused
    origins = ", ".join(sorted({repr(origin) for origin in found.lists if origin}))
    together = f"with the values of list {origins}: " if origins else ""
    return RefusedError(refused.place, together + refused.message)


@dataclass(frozen=True, slots=True)
class _Placeholder:
    name: str


def _pieces(text: str) -> list[str | _Placeholder]:
    r"""Split into text and placeholders; a text stays as it was written but for ``\%``."""
    pieces: list[str | _Placeholder] = []
    held, at = "", 0
    while at < len(text):
        name = _name_at(text, at)
        pair = text[at : at + 2]
        if name:
            pieces += [held, _Placeholder(name)]
            held, at = "", at + len(name) + 2
        elif pair in {r"\%", "\\\\"}:  # of a pair of backslashes the second escapes nothing
            held, at = held + pair.replace(r"\%", "%"), at + 2
        else:
            held, at = held + text[at], at + 1
    return [piece for piece in (*pieces, held) if piece]


def _name_at(text: str, at: int) -> str:
    """Return the name of the placeholder that begins at ``at``, or nothing."""
    name, percent, _ = text[at + 1 :].partition("%")
    wanted = text[at] == "%" and percent and name.isascii() and name.isidentifier()
    return name if wanted else ""


def _known(name: str, lists: Mapping[str, tuple[str, ...]], value: Scalar) -> tuple[str, ...]:
    if name not in lists:
        wrong = f"no list {shown(name)} in 'site.lists'{suggestion(name, lists)}"
        raise RefusedError(value.place, wrong)
    return lists[name]


def _texts(
    pieces: list[str | _Placeholder], found: list[tuple[str, ...]], modifiers: Modifiers
) -> Iterator[str]:
    """Yield the texts in which each placeholder is a value of its list."""
    alone = len(pieces) == 1
    for chosen in product(*found):
        rest = iter(chosen)
        parts = [p if isinstance(p, str) else _embedded(next(rest), modifiers) for p in pieces]
        yield chosen[0] if alone else "".join(parts)


def _embedded(value: str, modifiers: Modifiers) -> str:
    """Return a list's value so that what stands around it changes nothing in it."""
    if modifiers.flags is not None:
        return f"(?:{value})"
    backslashes = len(value) - len(value.rstrip("\\"))
    return value + "\\" if backslashes % 2 else value
