"""A path into a JSON document, and what can be changed there: ``a.b[0]['x.y/z']``.

The subset of JSONPath (RFC 9535) that names exactly one place: names, indices and quoted names.
Separate from the case files that use it, because it is a small language of its own.
"""

from __future__ import annotations

from typing import Final, TypeAlias

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
Steps: TypeAlias = tuple[str | int, ...]

_ENDS: Final = frozenset(".[]'")


class PathError(Exception):
    """A path is not well formed, or leads nowhere; ``offset`` is where in its text."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message


def parse_path(text: str) -> Steps:
    """Return the names and indices that ``text`` consists of; raises ``PathError``."""
    steps: list[str | int] = []
    offset = 0
    while offset < len(text) or not steps:
        if text.startswith("[", offset):
            step, offset = _bracket(text, offset)
        else:
            start = offset + 1 if steps and text.startswith(".", offset) else offset
            step, offset = _name(text, start)
        steps.append(step)
    return tuple(steps)


def _name(text: str, start: int) -> tuple[str, int]:
    end = start
    while end < len(text) and text[end] not in _ENDS:
        end += 1
    if end == start or (start and text[start - 1] == "]"):
        raise PathError(start, f"path {text!r}: expected a name, an index or a quoted name")
    return text[start:end], end


def _bracket(text: str, start: int) -> tuple[str | int, int]:
    quoted = text.startswith("['", start)
    closing = "']" if quoted else "]"
    end = text.find(closing, start + 2 if quoted else start + 1)
    inner = text[start + 2 : end] if quoted else text[start + 1 : end]
    if end < 0 or not inner or not (quoted or (inner.isascii() and inner.isdigit())):
        raise PathError(start, f"path {text!r}: expected [0] or ['name']")
    return inner if quoted else int(inner), end + len(closing)


def set_at(document: Json, steps: Steps, value: Json) -> None:
    """Put ``value`` at a path of ``document``, in place; missing parents are made.

    An index may be at most one past the end of its list. Raises ``PathError`` if a parent is of
    another kind.
    """
    *parents, last = steps
    for depth, step in enumerate(parents):
        below: Json = [] if isinstance(steps[depth + 1], int) else {}
        document = _enter(document, step, below)
    if isinstance(document, dict) and isinstance(last, str):
        document[last] = value
    elif isinstance(document, list) and isinstance(last, int) and last <= len(document):
        document[last : last + 1] = [value]
    else:
        raise _misfit(document, last)


def get_at(document: Json, steps: Steps) -> Json:
    """Return what is at a path of ``document``; raises ``PathError`` if nothing is."""
    for step in steps:
        document = _enter(document, step, None)
    return document


def remove_at(document: Json, steps: Steps) -> None:
    """Remove what is at a path of ``document``, in place; raises ``PathError`` if nothing is."""
    *parents, last = steps
    for step in parents:
        document = _enter(document, step, None)
    _enter(document, last, None)
    if isinstance(document, dict) and isinstance(last, str):
        document.pop(last)
    elif isinstance(document, list) and isinstance(last, int):
        del document[last]


def _enter(document: Json, step: str | int, missing: Json) -> Json:
    """Return what is one step below; null and nothing are replaced by ``missing`` if that is."""
    if isinstance(document, dict) and isinstance(step, str):
        if missing is not None and document.get(step) is None:
            document[step] = missing
        if step in document:
            return document[step]
    if isinstance(document, list) and isinstance(step, int):
        if missing is not None and step == len(document):
            document.append(missing)
        if step < len(document):
            return document[step]
    raise _misfit(document, step)


def _misfit(document: Json, step: str | int) -> PathError:
    kind = "a value"
    if isinstance(document, dict):
        kind = "an object"
    elif isinstance(document, list):
        kind = f"a list of {len(document)}"
    return PathError(0, f"there is no {step!r} in {kind}")
