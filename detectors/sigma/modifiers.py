"""The key ``field|modifier|modifier`` becomes a field name and what is to be done with its values.

Separate, because which modifiers exist and go together is a table, and the rest of the compiler
should never see an impossible combination. Source: Sigma modifiers appendix 2.1.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from detectors.sigma.encoding import ENCODINGS
from detectors.sigma.errors import Place, RefusedError, shown
from detectors.sigma.fields import suggestion
from detectors.sigma.predicates import COMPARISONS, TIME_PARTS

if TYPE_CHECKING:
    from collections.abc import Container

    from detectors.sigma.strict_yaml import Scalar

_TEXT: Final = frozenset({"contains", "startswith", "endswith"})
_BASE64: Final = frozenset({"base64", "base64offset"})
_FLAGS: Final = frozenset({"i", "m", "s"})
_LISTS: Final = frozenset({"all", "neq"})
_EXPANDED: Final = frozenset({*_TEXT, *ENCODINGS, *_FLAGS, *_LISTS, "cased", "cidr", "re"})
"""What may stand beside ``expand``: lists hold texts."""

_COMPANIONS: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(_TEXT, _LISTS | {"cased", "fieldref", *ENCODINGS}),
    **dict.fromkeys(ENCODINGS, _LISTS | _TEXT | {"cased", *ENCODINGS}),
    "cased": _LISTS | _TEXT | {"fieldref", *ENCODINGS},
    "fieldref": _LISTS | _TEXT | {"cased"},
    "re": _LISTS | _FLAGS,
    **dict.fromkeys(_FLAGS, _LISTS | _FLAGS | {"re"}),
    "cidr": _LISTS,
    "exists": frozenset(),
    "expand": _EXPANDED,
    **dict.fromkeys(COMPARISONS, frozenset({"all", *TIME_PARTS})),
    **dict.fromkeys(TIME_PARTS, _LISTS | COMPARISONS.keys()),
    "all": frozenset(),  # checked from the other side: each entry above says whether it may stand
    "neq": frozenset(),
}
"""Modifier -> the modifiers that may stand beside it."""


@dataclass(frozen=True, slots=True)
class Modifiers:
    """What a key asks for; at most one of the kinds of test is set."""

    encodings: tuple[str, ...] = ()
    around: str | None = None
    """``contains``, ``startswith`` or ``endswith``."""
    comparison: str | None = None
    time_part: str | None = None
    flags: str | None = None
    """Of a regular expression: some of ``i``, ``m`` and ``s``. None: it is not one."""
    cidr: bool = False
    exists: bool = False
    fieldref: bool = False
    cased: bool = False
    all: bool = False
    neq: bool = False
    expand: bool = False
    """The values have placeholders, which stand for a site's lists."""

    @property
    def tests_text(self) -> bool:
        """Whether the values are compared as text even where they look like numbers."""
        return bool(self.encodings or self.around or self.flags is not None)

    @property
    def tests_equality(self) -> bool:
        """Whether a value without wildcards has to equal the whole of the field."""
        return not (self.around or self.comparison or self.cidr or self.flags is not None)


def parse_key(key: Scalar) -> tuple[str, Modifiers]:
    """Return the field name and the modifiers of ``key``.

    Raises ``RefusedError`` at the modifier that does not exist or does not fit.
    """
    field, *names = key.text.split("|")
    if not field:
        raise RefusedError(key.place, "keywords without a field are not supported: name a field")
    place = key.at(len(field) + 1)
    for index, name in enumerate(names):
        _check(name, names[:index], place)
        place = Place(place.line, place.column + len(name) + 1)
    return field, _modifiers(names)


def _check(name: str, before: list[str], place: Place) -> None:
    if name not in _COMPANIONS:
        hint = suggestion(name, _COMPANIONS)
        raise RefusedError(place, f"unknown modifier {shown(name)}{hint}")
    if name in before:
        raise RefusedError(place, f"modifier {name!r} is there twice")
    for other in before:
        if not _go_together(name, other):
            raise RefusedError(place, f"modifier {name!r} cannot follow {other!r}")
    if name in _FLAGS and "re" not in before:
        raise RefusedError(place, f"modifier {name!r} must follow 're'")


def _go_together(name: str, earlier: str) -> bool:
    if name in _BASE64 and earlier in _TEXT:
        return False  # the wildcards that e.g. contains puts around a value cannot be encoded
    if {name, earlier} <= _LISTS:
        return True
    return name in _COMPANIONS[earlier] or earlier in _COMPANIONS[name]


def _modifiers(names: list[str]) -> Modifiers:
    flags = "".join(name for name in names if name in _FLAGS)
    return Modifiers(
        encodings=tuple(name for name in names if name in ENCODINGS),
        around=_one_of(names, _TEXT),
        comparison=_one_of(names, COMPARISONS),
        time_part=_one_of(names, TIME_PARTS),
        flags=flags if "re" in names else None,
        cidr="cidr" in names,
        exists="exists" in names,
        fieldref="fieldref" in names,
        cased="cased" in names,
        all="all" in names,
        neq="neq" in names,
        expand="expand" in names,
    )


def _one_of(names: list[str], group: Container[str]) -> str | None:
    return next((name for name in names if name in group), None)
