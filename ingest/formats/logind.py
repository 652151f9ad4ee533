"""What systemd-logind says in one line becomes the columns of a session of any kind.

Separate because it is the one program that numbers sessions, whatever opened them.

Texts: systemd src/login/logind-session.c (session_start, session_stop_scope, session_finalize;
quoted and with class and type since 256) and logind-action.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from ingest.formats.login_event import SESSION, event, other
from ingest.formats.seen import Action

if TYPE_CHECKING:
    from ingest.formats.seen import Fields

_GOING_DOWN: Final = (
    "System is powering down",
    "System is rebooting",
    "System is halting",
    "The system will power off now",
    "The system will reboot now",
    "The system will halt now",
)


def logind_columns(text: str, _issues: list[str]) -> Fields:
    """Return the columns of one message; seats, buttons and the like are `other`."""
    if text.startswith("New session "):
        return _started(text.removeprefix("New session "))
    if text.startswith("Removed session "):
        number = text.removeprefix("Removed session ").removesuffix(".").strip("'")
        return event(Action.SESSION_END) | {SESSION: number}
    if text.startswith("Session ") and " logged out" in text:
        number = text.removeprefix("Session ").partition(" logged out")[0].strip("'")
        return event(Action.LOGOUT) | {SESSION: number}
    if text.startswith(_GOING_DOWN):
        return event(Action.SHUTDOWN)
    return other()


def _started(text: str) -> Fields:
    """``5 of user root.``, ``'5' of user 'root' with class 'user' and type 'tty'.``."""
    number, _, rest = text.partition(" of user ")
    name, mark, kinds = rest.partition("' with class '")
    fields = event(Action.SESSION_START) | {SESSION: number.strip("'")}
    if mark:
        class_, _, kind = kinds.partition("' and type '")
        said = {"class": class_, "type": kind.removesuffix("'.")}
        fields["trailwarden.tool.fields"] = orjson.dumps(said).decode()
    fields["user.name"] = (name if mark else name.removesuffix(".")).strip("'")
    return fields
