"""The mapping ``trailwarden:`` of a rule becomes typed values.

Sigma allows keys of one's own at the top of a rule; ours are gathered under this one, and here, in
contrast, an unknown key is refused: it is our own and so can only be a typing error.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING, Final

from detectors.sigma.errors import RefusedError, shown
from detectors.sigma.fields import suggestion
from detectors.sigma.header import choice, place_of, text, texts
from detectors.sigma.rule import COMPUTED, Category, Message
from detectors.sigma.strict_yaml import Mapping
from ingest.schema import DTYPES

if TYPE_CHECKING:
    from pathlib import Path

    from detectors.sigma.errors import Problems

KEYS: Final = ("category", "catalogue", "message", "next_steps", "blind_spots")

_FOLDERS: Final = frozenset(Category)


@dataclass(frozen=True, slots=True)
class Extension:
    """What a rule says beyond Sigma."""

    category: Category
    catalogue: tuple[str, ...] = ()
    message: Message | None = None
    next_steps: tuple[str, ...] = ()
    blind_spots: tuple[str, ...] = ()


def read_extension(document: Mapping, file: Path, problems: Problems) -> Extension:
    """Return the extension of a rule; what is wrong in it is noted in ``problems``."""
    folder = file.parent.name
    default = Category(folder) if folder in _FOLDERS else Category.CLUSTER_CONTROL
    node = document.get("trailwarden")
    if node is None:
        return Extension(default)
    if not isinstance(node, Mapping):
        problems.add(RefusedError(node.place, "'trailwarden' must be a mapping"))
        return Extension(default)
    for key, entry in node.entries.items():
        if key not in KEYS:
            wrong = f"unknown key {shown(key)} in 'trailwarden'{suggestion(key, KEYS)}"
            problems.add(RefusedError(entry.key.place, wrong))
    return Extension(
        problems.attempt(None, choice, node, "category", Category) or default,
        problems.attempt((), texts, node, "catalogue"),
        problems.attempt(None, _message, node),
        problems.attempt((), texts, node, "next_steps"),
        problems.attempt((), texts, node, "blind_spots"),
    )


def _message(mapping: Mapping) -> Message | None:
    template = text(mapping, "message")
    if template is None:
        return None
    place = place_of(mapping, "message")
    literals, columns = [""], []
    for literal, column, suffix, conversion in _parts(mapping, template):
        literals[-1] += literal
        if column is None:
            continue
        if (column not in DTYPES and column not in COMPUTED) or suffix or conversion:
            hint = suggestion(column, (*DTYPES, *COMPUTED))
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
