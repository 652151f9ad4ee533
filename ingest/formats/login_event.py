"""What was done and how it ended in, the columns that every event of a login begins with out.

Separate because each program's module makes them, and the names of the shared columns stand once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.formats.seen import Action

if TYPE_CHECKING:
    from ingest.formats.seen import Fields

KEY: Final = "trailwarden.session.key"
METHOD: Final = "trailwarden.session.method"
REASON: Final = "trailwarden.session.reason"
SERVICE: Final = "trailwarden.session.service"
SESSION: Final = "trailwarden.session.id"
TERMINAL: Final = "trailwarden.session.terminal"


def event(action: Action, outcome: str = "success", reason: str | None = None) -> Fields:
    """Return the columns of an act; a reason only where there is one."""
    fields: Fields = {"event.action": action, "event.outcome": outcome}
    if reason:
        fields[REASON] = reason
    return fields


def refusal(reason: str) -> Fields:
    """Return the columns of what tells that somebody did not get in."""
    return event(Action.AUTHENTICATE, "failure", reason)


def other() -> Fields:
    """Return the columns of a message that is of no known form."""
    return event(Action.OTHER, "unknown")


def became(name: str) -> Fields:
    """Return the columns of an account that somebody acts as."""
    return {"user.effective.name": name, "user.target.name": name} if name else {}
