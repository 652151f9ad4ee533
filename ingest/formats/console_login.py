"""What login(1) says in one line becomes the columns of a login at a terminal.

Separate because two programs are called login, each with texts of its own, and they name terminal
and peer in the same place.

Texts: util-linux login-utils/login.c (log_syslog, loginpam_auth), shadow src/login.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.formats.login_event import REASON, SERVICE, TERMINAL, event, other
from ingest.formats.peer import peer
from ingest.formats.seen import Action

if TYPE_CHECKING:
    from ingest.formats.seen import Fields

_TERMINALS: Final = ("tty", "pts", "console", "hvc")
_NAMELESS: Final = frozenset({"", "(unknown)", "UNKNOWN"})
_REFUSALS: Final = ("FAILED LOGIN SESSION", "FAILED LOGIN", "TOO MANY LOGIN TRIES")


def login_columns(text: str, _issues: list[str]) -> Fields:
    """Return the columns of one message of login; a message of no known form is `other`."""
    fields = _accepted(text) or _refused(text) or other()
    fields[SERVICE] = "login"
    return fields


def _accepted(text: str) -> Fields:
    """Read ``ROOT LOGIN ON TTY[ FROM HOST]``, ``LOGIN ON TTY BY NAME``, ``'NAME' logged in``."""
    fields = event(Action.LOGIN)
    if text.startswith("ROOT LOGIN ON "):
        terminal, _, host = text.removeprefix("ROOT LOGIN ON ").partition(" FROM ")
        return fields | {"user.name": "root"} | _place(terminal) | _place(host)
    if text.startswith("LOGIN ON "):
        terminal, _, rest = text.removeprefix("LOGIN ON ").partition(" BY ")
        name, _, host = rest.partition(" FROM ")
        return fields | _name(name) | _place(terminal) | _place(host)
    name, mark, where = text.partition("' logged in")
    if mark and name.startswith("'"):
        return fields | _name(name[1:]) | _shadow_place(where)
    return {}


def _refused(text: str) -> Fields:
    """Read ``FAILED LOGIN (N) on 'TTY'[ from 'HOST'] FOR 'NAME', REASON`` and its like."""
    if not text.startswith(_REFUSALS):
        return {}
    fields = event(Action.LOGIN, "failure")
    before, _, rest = text.partition(" FOR ")
    name, mark, reason = rest.rpartition(", ")
    if not mark:
        name, reason = reason, "too many tries" if text.startswith("TOO") else ""
    if reason:
        fields[REASON] = reason
    fields.update(_name(name.strip("'")))
    where = before.partition(" FROM ")[2]
    return fields | (_place(where) if where else _shadow_place(before))


def _shadow_place(text: str) -> Fields:
    """`` on 'TTY' from 'HOST'``, each where there is one."""
    terminal = text.partition(" on '")[2].partition("'")[0]
    host = text.partition(" from '")[2].partition("'")[0]
    return _place(terminal) | _place(host)


def _place(text: str) -> Fields:
    """Tell a terminal from a peer: util-linux names one in the other's place."""
    if not text:
        return {}
    terminal = text.removeprefix("/dev/")
    return {TERMINAL: terminal} if terminal.startswith(_TERMINALS) else peer(text)


def _name(name: str) -> Fields:
    return {} if name in _NAMELESS else {"user.name": name}
