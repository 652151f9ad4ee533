"""One test of one field becomes a phrase: ``user.name begins with 'system:'``.

Separate from the tree of a detection, because a phrase is made of modifiers and values alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from detectors.sigma.errors import START, RefusedError
from detectors.sigma.fields import column_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.sigma.modifiers import Modifiers
    from detectors.sigma.strict_yaml import Scalar

SHOWN_VALUES: Final = 8
"""Values of one test that are written out; of more, the rest is counted."""

_COMPARED: Final = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_AROUND: Final = {"contains": "contains", "startswith": "begins with", "endswith": "ends with"}


def phrase(field: str, modifiers: Modifiers, values: Sequence[Scalar]) -> str:
    """Return what a test asks for, without ``neq``; a raw name is given as the column it means."""
    subject = _column(field)
    if modifiers.time_part:
        subject = f"the {modifiers.time_part} of {subject}"
    if modifiers.exists:
        return f"{subject} has {'a value' if values and values[0].value is True else 'no value'}"
    words = [subject, *_verb(modifiers), _alternatives(modifiers, values)]
    if modifiers.cased:
        words.append("(in this case)")
    return " ".join(words)


def _column(field: str) -> str:
    try:
        return column_named(field, START).name
    except RefusedError:
        return field


def _verb(modifiers: Modifiers) -> list[str]:
    words = [_relation(modifiers)]
    if modifiers.fieldref:
        words.append("the value of")
    words += [f"the {name} form of" for name in reversed(modifiers.encodings)]
    return words


def _relation(modifiers: Modifiers) -> str:
    if modifiers.around:
        return _AROUND[modifiers.around]
    if modifiers.comparison:
        return _COMPARED[modifiers.comparison]
    if modifiers.flags is not None:
        return "matches"
    return "is in" if modifiers.cidr else "is"


def _alternatives(modifiers: Modifiers, values: Sequence[Scalar]) -> str:
    texts = [_value(modifiers, value) for value in values[:SHOWN_VALUES]]
    if len(values) > SHOWN_VALUES:
        texts.append(f"{len(values) - SHOWN_VALUES} more")
    if len(texts) < 2:  # noqa: PLR2004 - one needs no word in between
        return "".join(texts)
    return f"{', '.join(texts[:-1])} {'and' if modifiers.all else 'or'} {texts[-1]}"


def _value(modifiers: Modifiers, value: Scalar) -> str:
    if value.value is None:
        return "nothing"
    if modifiers.flags is not None:
        return f"/{value.text}/{modifiers.flags}"
    if modifiers.fieldref:
        return _column(value.text)
    bare = modifiers.cidr or not isinstance(value.value, str)
    return value.text if bare else f"'{value.text}'"
