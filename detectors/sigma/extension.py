"""The mapping ``trailwarden:`` of a rule or a correlation becomes typed values.

Sigma allows keys of one's own at the top of a rule; ours are gathered under this one, and here, in
contrast, an unknown key is refused: it is our own and so can only be a typing error.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING, Final

from detectors.known_columns import KNOWN_DTYPES
from detectors.sigma.correlation import OF_CORRELATIONS
from detectors.sigma.errors import RefusedError, shown
from detectors.sigma.fields import suggestion
from detectors.sigma.header import choice, flag, place_of, text, texts
from detectors.sigma.rule import COMPUTED, Category, Message
from detectors.sigma.strict_yaml import Mapping

if TYPE_CHECKING:
    from collections.abc import Collection

    from detectors.sigma.errors import Problems

KEYS: Final = (
    "category",
    "catalogue",
    "message",
    "next_steps",
    "blind_spots",
    "requires",
    "attempts",
)
ACROSS: Final = "across_clusters"

_FOLDERS: Final = frozenset(Category)


@dataclass(frozen=True, slots=True)
class Extension:
    """What a rule or a correlation says beyond Sigma."""

    category: Category
    catalogue: tuple[str, ...] = ()
    message: Message | None = None
    next_steps: tuple[str, ...] = ()
    blind_spots: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    attempts: bool = False
    across_clusters: bool = False


def read_extension(
    document: Mapping, lists: Collection[str], problems: Problems, *, correlation: bool
) -> Extension:
    """Return the extension of a document; what is wrong in it is noted in ``problems``.

    ``lists`` are the names of the site's lists.
    """
    folder = problems.file.parent.name
    default = Category(folder) if folder in _FOLDERS else Category.CLUSTER_CONTROL
    node = document.get("trailwarden")
    if node is None:
        return Extension(default)
    if not isinstance(node, Mapping):
        problems.add(RefusedError(node.place, "'trailwarden' must be a mapping"))
        return Extension(default)
    _refuse_unknown(node, (*KEYS, ACROSS) if correlation else KEYS, problems)
    known = (*KNOWN_DTYPES, *COMPUTED, *(OF_CORRELATIONS if correlation else ()))
    return Extension(
        problems.attempt(None, choice, node, "category", Category) or default,
        problems.attempt((), texts, node, "catalogue"),
        problems.attempt(None, _message, node, known),
        problems.attempt((), texts, node, "next_steps"),
        problems.attempt((), texts, node, "blind_spots"),
        problems.attempt((), _requires, node, lists),
        problems.attempt(None, flag, node, "attempts") or False,
        (correlation and problems.attempt(None, flag, node, ACROSS)) or False,
    )


def _refuse_unknown(node: Mapping, known: tuple[str, ...], problems: Problems) -> None:
    for key, entry in node.entries.items():
        if key == ACROSS and ACROSS not in known:
            problems.add(RefusedError(entry.key.place, f"{ACROSS!r} is for correlations"))
        elif key not in known:
            wrong = f"unknown key {shown(key)} in 'trailwarden'{suggestion(key, known)}"
            problems.add(RefusedError(entry.key.place, wrong))


def _requires(mapping: Mapping, lists: Collection[str]) -> tuple[str, ...]:
    wanted = texts(mapping, "requires")
    for name in wanted:
        if name not in lists:
            wrong = f"'requires': there is no list {shown(name)}{suggestion(name, lists)}"
            raise RefusedError(place_of(mapping, "requires"), wrong)
    return wanted


def _message(mapping: Mapping, known: tuple[str, ...]) -> Message | None:
    template = text(mapping, "message")
    if template is None:
        return None
    place = place_of(mapping, "message")
    literals, columns = [""], []
    for literal, column, suffix, conversion in _parts(mapping, template):
        literals[-1] += literal
        if column is None:
            continue
        if column not in known or suffix or conversion:
            hint = suggestion(column, known)
            raise RefusedError(place, f"message: {shown(column)} is no column{hint}")
        columns.append(column)
        literals.append("")
    return Message(template, tuple(literals), tuple(columns))


def _parts(mapping: Mapping, template: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(Formatter().parse(template))
    except ValueError as error:
        wrong = f"message: {error}; write {{column.name}}, and {{{{ for a brace"
        raise RefusedError(place_of(mapping, "message"), wrong) from error
