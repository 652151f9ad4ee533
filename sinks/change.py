"""What a set-up would do to a server, as values: a list of changes, and the same as readable text.

Separate because topics, Elasticsearch and Kibana all answer with it, and because what is shown
with ``--dry-run`` must be what is done without.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

LINES_SHOWN: Final = 40
"""Lines of one change that are shown: a new index template alone has hundreds of fields."""

_MISSING: Final = "(none)"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs between a server and what is wanted.

    ``kind`` is what it is (``topic``, ``index template`` ...), ``before`` what the server has
    (None: nothing, the thing is created), ``after`` what is wanted (None: the thing is removed).
    Mappings are compared member by member. ``note`` says why a set-up does **not** make this
    change; empty: it does.
    """

    kind: str
    name: str
    before: Any | None
    after: Any | None
    note: str = ""

    @property
    def is_drift(self) -> bool:
        """Whether a person has to decide: the set-up leaves it as it is."""
        return bool(self.note)


def render_changes(changes: Iterable[Change]) -> str:
    """Return changes as text: ``+`` created, ``~`` altered, ``-`` removed, ``!`` left to people."""
    return "\n".join(line for change in changes for line in _lines(change))


def _lines(change: Change) -> Iterator[str]:
    yield f"{_sign(change)} {change.kind} {_printable(change.name)}"
    lines = list(_differences(change.before, change.after))
    yield from (f"    {line}" for line in lines[:LINES_SHOWN])
    if len(lines) > LINES_SHOWN:
        yield f"    ... and {len(lines) - LINES_SHOWN} lines more"
    if change.note:
        yield f"    left as it is: {change.note}"


def _sign(change: Change) -> str:
    if change.is_drift:
        return "!"
    if change.before is None:
        return "+"
    return "-" if change.after is None else "~"


def _differences(before: Any, after: Any) -> Iterator[str]:
    old, new = dict(_leaves("", before)), dict(_leaves("", after))
    for path in {**new, **old}:
        was, becomes = old.get(path, _MISSING), new.get(path, _MISSING)
        label = f"{path}: " if path else ""
        if before is None:
            yield f"{label}{becomes}"
        elif after is None:
            yield f"{label}{was}"
        elif was != becomes:
            yield f"{label}{was} -> {becomes}"


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if value is None and not path:
        return
    if isinstance(value, dict) and value:
        yield from _members(path, value)
    else:
        yield path, json.dumps(value, default=str)


def _members(path: str, value: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    for key, member in value.items():
        name = _printable(str(key))
        yield from _leaves(f"{path}.{name}" if path else name, member)


def _printable(text: str) -> str:
    """Names come from a server: one that holds a newline must not forge a line of the diff."""
    return text if text.isprintable() else json.dumps(text)
