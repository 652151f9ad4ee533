"""The values of one field become a predicate, by what the column holds and what is asked.

Separate from the item they belong to, because each kind of column takes other values: a value that
the column cannot hold is refused here, at its own line and column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from detectors.sigma import addresses, numeric, pattern, predicates, regex
from detectors.sigma.encoding import encode
from detectors.sigma.errors import Place, RefusedError, shown
from detectors.sigma.fields import Kind, kind_of
from detectors.sigma.pattern import Pattern, Wild

if TYPE_CHECKING:
    from detectors.sigma.modifiers import Modifiers
    from detectors.sigma.predicates import Predicate
    from detectors.sigma.strict_yaml import Scalar
    from ingest.column import Column

MAX_FORMS: Final = 10_000
"""Encodings make several forms of one value; together they are bounded as the values are."""
MAX_REGEXES: Final = 50
MAX_REGEX_CHARACTERS: Final = 1_000
"""Compiling one refused expression takes up to 0.12 s (measured 2026-11-21): bound them."""

_AROUND: Final = {
    "contains": ((Wild.ANY,), (Wild.ANY,)),
    "startswith": ((), (Wild.ANY,)),
    "endswith": ((Wild.ANY,), ()),
    None: ((), ()),
}


def predicate_of(
    column: Column, modifiers: Modifiers, values: tuple[Scalar, ...], place: Place
) -> Predicate:
    """Return the predicate that holds for a value of ``column`` that one of ``values`` accepts.

    Raises ``RefusedError`` at a value that does not fit, or at ``place``, that of the key, if the
    modifiers do not fit the column.
    """
    kind = kind_of(column)
    _refuse_misfit(column, kind, modifiers, place)
    if modifiers.comparison or modifiers.time_part:
        return numeric.compared(column, modifiers, values)
    if modifiers.cidr:
        return _networks(values)
    if modifiers.flags is not None:
        return _as_text(kind, _regexes(modifiers.flags, values))
    if kind is Kind.TEXT or modifiers.tests_text:
        return _text(column, kind, modifiers, values)
    if kind is Kind.NUMBER:
        return numeric.equal(column, values)
    return predicates.any_of([_flag(column, value) for value in values])


def _refuse_misfit(column: Column, kind: Kind, modifiers: Modifiers, place: Place) -> None:
    holds = f"{column.name} holds {kind}"
    if bool(modifiers.time_part) != (kind is Kind.TIME):
        fitting = "not a time" if modifiers.time_part else "compare minute, hour, day ... of it"
        raise RefusedError(place, f"{holds}: {fitting}")
    if modifiers.comparison and kind not in {Kind.NUMBER, Kind.TIME}:
        raise RefusedError(place, f"{holds}: {modifiers.comparison!r} compares numbers")
    if (modifiers.cidr or modifiers.encodings) and kind is not Kind.TEXT:
        name = "cidr" if modifiers.cidr else modifiers.encodings[0]
        raise RefusedError(place, f"{holds}: {name!r} is for text")
    if (modifiers.tests_text or modifiers.cased) and kind is Kind.FLAG:
        raise RefusedError(place, f"{holds}: it cannot be compared as text")


def _networks(values: tuple[Scalar, ...]) -> Predicate:
    networks = tuple(_network(value) for value in values)
    try:
        return addresses.in_networks(networks)
    except ValueError as error:
        raise RefusedError(values[0].place, f"too many networks: {error}") from error


def _network(value: Scalar) -> addresses.Network:
    try:
        return addresses.network(value.text)
    except ValueError as error:
        raise RefusedError(value.place, f"no network: {error}") from error


def _regexes(flags: str, values: tuple[Scalar, ...]) -> Predicate:
    if len(values) > MAX_REGEXES:
        raise RefusedError(values[0].place, f"more than {MAX_REGEXES} regular expressions")
    return predicates.regex([_regex(flags, value) for value in values])


def _regex(flags: str, value: Scalar) -> str:
    if len(value.text) > MAX_REGEX_CHARACTERS:
        too_long = f"a regular expression has more than {MAX_REGEX_CHARACTERS} characters"
        raise RefusedError(value.place, too_long)
    written = regex.ignoring_case(value.text) if "i" in flags else value.text
    others = flags.replace("i", "")
    written = f"(?{others}){written}" if others else written
    if fault := regex.fault(written):
        raise RefusedError(value.place, f"regular expression {shown(value.text)}: {fault}")
    return written


def _text(
    column: Column, kind: Kind, modifiers: Modifiers, values: tuple[Scalar, ...]
) -> Predicate:
    forms: list[Pattern] = []
    for value in values:
        forms += _patterns(modifiers, value)
        if kind is Kind.NUMBER:
            numeric.refuse_letters(column, value)
        if len(forms) > MAX_FORMS:
            raise RefusedError(value.place, f"the values have more than {MAX_FORMS} forms")
    return _as_text(kind, _matching(forms, values[0], cased=modifiers.cased))


def _matching(forms: list[Pattern], first: Scalar, *, cased: bool) -> Predicate:
    try:
        return predicates.text(forms, cased=cased)
    except ValueError as error:
        raise RefusedError(first.place, f"the wildcards are too many: {error}") from error


def _patterns(modifiers: Modifiers, value: Scalar) -> tuple[Pattern, ...]:
    quoted = isinstance(value.value, str)
    first = pattern.parse(value.text) if quoted else pattern.verbatim(value.text)
    before, after = _AROUND[modifiers.around]
    try:
        forms = encode(first, modifiers.encodings)
    except ValueError as error:
        raise RefusedError(value.place, f"value {shown(value.text)}: {error}") from error
    return tuple(form.between(before, after) for form in forms)


def _as_text(kind: Kind, test: Predicate) -> Predicate:
    return test if kind is Kind.TEXT else numeric.as_text(test)


def _flag(column: Column, value: Scalar) -> Predicate:
    if pattern.parse(value.text).matches_anything:
        return predicates.has_value()
    if value.text.lower() not in {"true", "false"}:
        raise RefusedError(
            value.place, f"{column.name} is true or false and never {shown(value.text)}"
        )
    return predicates.equal_to([value.text.lower() == "true"])
