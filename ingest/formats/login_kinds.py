"""What an entry of utmp, wtmp or btmp means, by its type (utmp(5)).

Separate because osquery's table ``last`` shows the same entries that login files hold.
"""

from __future__ import annotations

from typing import Final

from ingest.address import canonical_address
from ingest.formats.seen import Action

USER_PROCESS: Final = 7
NAMES: Final = (
    "EMPTY",
    "RUN_LVL",
    "BOOT_TIME",
    "NEW_TIME",
    "OLD_TIME",
    "INIT_PROCESS",
    "LOGIN_PROCESS",
    "USER_PROCESS",
    "DEAD_PROCESS",
    "ACCOUNTING",
)
_ACTIONS: Final = {2: Action.BOOT, USER_PROCESS: Action.LOGIN, 8: Action.LOGOUT}
_SHUTDOWN: Final = "shutdown"
_LONGEST_ADDRESS: Final = 64
_NO_NAME: Final = frozenset(":()%/ \t")
"""Characters of what stands in the place of a peer's name: ``:0``, ``tmux(4011).%0``."""


def entry_action(kind: int | None, user: str | None) -> Action:
    """Return what was done.

    A run level is set by the user ``shutdown``; an entry of a user without a name ends a session
    (last(1) reads it so).
    """
    if kind == 1:
        return Action.SHUTDOWN if user == _SHUTDOWN else Action.OTHER
    if kind == USER_PROCESS and user is None:
        return Action.LOGOUT
    return _ACTIONS.get(-1 if kind is None else kind, Action.OTHER)


def kind_name(kind: int | None) -> str | None:
    """Return the name of a type, its number where it has none."""
    if kind is None:
        return None
    return NAMES[kind] if 0 <= kind < len(NAMES) else str(kind)


def peer(host: str | None, address: str | None = None) -> tuple[str | None, str | None]:
    """Return address and name of where a login came from; a name only where no address is known."""
    found = _address(address) or _address(host)
    is_name = found is None and host is not None and _NO_NAME.isdisjoint(host)
    return found, host if is_name else None


def _address(text: str | None) -> str | None:
    return canonical_address(text) if text and len(text) <= _LONGEST_ADDRESS else None
