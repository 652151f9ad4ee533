"""What a rule file says about the rule becomes typed values.

Separate from the detection: these keys never touch events. Each reader takes the mapping and a key,
and raises ``RefusedError`` at the value that is wrong. Source: Sigma rules specification 2.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import UUID

from detectors.sigma.errors import Place, RefusedError, shown
from detectors.sigma.fields import suggestion
from detectors.sigma.rule import Related, Relation
from detectors.sigma.strict_yaml import Mapping, Node, Scalar, Sequence

if TYPE_CHECKING:
    from enum import StrEnum

Choice = TypeVar("Choice", bound="StrEnum")

MAX_TITLE_CHARACTERS: Final = 256
MAX_TEXT_CHARACTERS: Final = 65_535

_TAG: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")


def text(mapping: Mapping, key: str) -> str | None:
    """Return the text under ``key``, or None without one."""
    node = mapping.get(key)
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return None
    if not isinstance(node, Scalar):
        raise RefusedError(node.place, f"{key!r} must be text")
    if len(node.text) > MAX_TEXT_CHARACTERS:
        raise RefusedError(node.place, f"{key!r} has more than {MAX_TEXT_CHARACTERS} characters")
    return node.text.strip()


def required_text(mapping: Mapping, key: str) -> str:
    """Return the text under ``key``, which must be there and not empty."""
    value = text(mapping, key)
    if not value:
        raise RefusedError(place_of(mapping, key), f"a rule needs {key!r}")
    return value


def title(mapping: Mapping) -> str:
    """Return the title."""
    value = required_text(mapping, "title")
    if len(value) > MAX_TITLE_CHARACTERS:
        place = place_of(mapping, "title")
        raise RefusedError(place, f"'title' has more than {MAX_TITLE_CHARACTERS} characters")
    return value


def identifier(mapping: Mapping) -> str:
    """Return the id in the canonical form of a UUID."""
    return _uuid(required_text(mapping, "id"), place_of(mapping, "id"))


def texts(mapping: Mapping, key: str) -> tuple[str, ...]:
    """Return the list of texts under ``key``; one text alone is a list of one."""
    node = mapping.get(key)
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return ()
    items = node.items if isinstance(node, Sequence) else (node,)
    for item in items:
        if not isinstance(item, Scalar) or not item.text.strip():
            raise RefusedError(item.place, f"{key!r} must be a list of texts")
    return tuple(item.text.strip() for item in items if isinstance(item, Scalar))


def flag(mapping: Mapping, key: str) -> bool | None:
    """Return the flag under ``key``, or None without one."""
    node = mapping.get(key)
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return None
    if not isinstance(node, Scalar) or not isinstance(node.value, bool):
        raise RefusedError(node.place, f"{key!r} must be true or false")
    return node.value


def day(mapping: Mapping, key: str) -> date | None:
    """Return the date under ``key``; the form with slashes is that of Sigma 1."""
    value = text(mapping, key)
    if value is None:
        return None
    try:
        return date.fromisoformat(value.replace("/", "-"))
    except ValueError as error:
        wrong = f"{key!r} must be a date as in 2026-11-21, not {shown(value)}"
        raise RefusedError(place_of(mapping, key), wrong) from error


def choice(mapping: Mapping, key: str, choices: type[Choice]) -> Choice | None:
    """Return which of ``choices`` stands under ``key``, or None without one."""
    value = text(mapping, key)
    return None if value is None else _chosen(value, place_of(mapping, key), key, choices)


def tags(mapping: Mapping) -> tuple[str, ...]:
    """Return the tags, each ``namespace.name`` in lower case."""
    values = texts(mapping, "tags")
    for value in values:
        namespace, _, name = value.partition(".")
        if not namespace or not name or not _TAG.issuperset(value):
            wrong = f"tag {shown(value)} is not 'namespace.name' in lower case"
            raise RefusedError(place_of(mapping, "tags"), wrong)
        if _looks_like_technique(value) and technique(value) is None:
            wrong = f"tag {shown(value)} is no technique: attack.t1234 or attack.t1234.001"
            raise RefusedError(place_of(mapping, "tags"), wrong)
    return values


def technique(tag: str) -> str | None:
    """Return the ATT&CK technique that ``tag`` names, e.g. T1059.004, or None."""
    number, _, part = tag.removeprefix("attack.t").partition(".")
    wanted = (len(number), len(part)) in {(4, 0), (4, 3)} and (number + part).isdecimal()
    named = f"attack.t{number}" + (f".{part}" if part else "") == tag
    return tag.removeprefix("attack.").upper() if wanted and named else None


def tactic(tag: str) -> str | None:
    """Return the ATT&CK tactic that ``tag`` names, or None; underscores are the older spelling."""
    name = tag.removeprefix("attack.")
    if name == tag or any(character.isdigit() for character in name):
        return None
    return name.replace("_", "-")


def related(mapping: Mapping) -> tuple[Related, ...]:
    """Return the references to other rules."""
    node = mapping.get("related")
    if node is None:
        return ()
    if not isinstance(node, Sequence):
        raise RefusedError(node.place, "'related' must be a list of {id, type}")
    return tuple(_related(item) for item in node.items)


def place_of(mapping: Mapping, key: str) -> Place:
    """Return the place of the value under ``key``, or that of the mapping without one."""
    node = mapping.get(key)
    return node.place if node else mapping.place


def _related(node: Node) -> Related:
    if not isinstance(node, Mapping):
        raise RefusedError(node.place, "'related' must be a list of {id, type}")
    kind = _chosen(required_text(node, "type"), place_of(node, "type"), "type", Relation)
    return Related(_uuid(required_text(node, "id"), place_of(node, "id")), kind)


def _uuid(value: str, place: Place) -> str:
    try:
        canonical = str(UUID(value))
    except ValueError as error:
        raise RefusedError(place, f"'id' must be a UUID, not {shown(value)}") from error
    if value.lower() != canonical:
        raise RefusedError(place, f"'id' must be a UUID written as {canonical!r}")
    return canonical


def _chosen(value: str, place: Place, key: str, choices: type[Choice]) -> Choice:
    try:
        return choices(value)
    except ValueError as error:
        known = ", ".join(choices)
        hint = suggestion(value, choices)
        wrong = f"{key!r} must be one of {known}, not {shown(value)}{hint}"
        raise RefusedError(place, wrong) from error


def _looks_like_technique(tag: str) -> bool:
    return tag.startswith("attack.t") and tag.removeprefix("attack.t")[:1].isdigit()
