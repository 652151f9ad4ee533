"""What a worker does, as the command line says it; separate so that a wrong word loads nothing."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """One of the things that a worker can do."""

    DETECT = "detect"
    CORRELATE = "correlate"


def read_roles(text: str) -> frozenset[Role]:
    """Return the roles that a list with commas names.

    Raises
        ValueError: a name is none, or there is none at all.
    """
    names = [name.strip() for name in text.split(",")]
    known = {role.value: role for role in Role}
    for name in names:
        if name not in known:
            raise ValueError(f"{name!r} is no role: there are {', '.join(known)}")
    return frozenset(known[name] for name in names)
