"""What useradd, usermod, passwd and their like say in one line becomes a change of an account.

Separate because the dozen programs of one suite share their texts. They seldom say who called them
(``user.name``): with journald's login uid it is known all the same. ``user.target.name`` is the
account.

Texts: shadow-maint/shadow src/useradd.c, usermod.c, userdel.c, groupadd.c, groupdel.c, groupmod.c,
gpasswd.c, passwd.c, chage.c, chfn.c, chsh.c: 4.1 (names in `quotes') to 4.17 (in 'quotes').
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from ingest.formats.login_event import event, other
from ingest.formats.seen import Action

if TYPE_CHECKING:
    from ingest.formats.seen import Fields

_TARGET: Final = "user.target.name"
_GROUP: Final = "group.name"
_CALLER: Final = "user.name"

_QUOTED: Final = (
    ("add '", " group '", Action.GROUP_CHANGE, (_TARGET, _GROUP)),
    ("delete '", " group '", Action.GROUP_CHANGE, (_TARGET, _GROUP)),
    ("delete user '", "", Action.ACCOUNT_DELETE, (_TARGET,)),
    ("removed group '", "", Action.GROUP_CHANGE, (_GROUP, _TARGET)),
    ("removed shadow group '", "", Action.GROUP_CHANGE, (_GROUP, _TARGET)),
    ("remove group '", "", Action.GROUP_CHANGE, (_GROUP,)),
    ("group '", " removed", Action.GROUP_CHANGE, (_GROUP,)),
    ("change group '", "", Action.GROUP_CHANGE, (_GROUP,)),
    ("change GID for '", "", Action.GROUP_CHANGE, (_GROUP,)),
    ("change '", " group '", Action.GROUP_CHANGE, (_TARGET, "", _GROUP)),
    ("change admin '", " group '", Action.GROUP_CHANGE, (_TARGET, "", _GROUP)),
    ("change user '", "", Action.ACCOUNT_CHANGE, (_TARGET,)),
    ("change user name '", "", Action.ACCOUNT_CHANGE, (_TARGET,)),
    ("lock user '", "", Action.ACCOUNT_CHANGE, (_TARGET,)),
    ("unlock user '", "", Action.ACCOUNT_CHANGE, (_TARGET,)),
    ("changed user '", "", Action.ACCOUNT_CHANGE, (_TARGET,)),
    ("password for '", "' changed by '", Action.ACCOUNT_CHANGE, (_TARGET, _CALLER)),
    ("password locked for '", "", Action.ACCOUNT_CHANGE, (_TARGET,)),
)
"""How a text begins and what else is in it; what was done; what its quoted names are, in order."""

_WORDED: Final = (
    ("user ", " added by ", " to group ", (_TARGET, _CALLER, _GROUP)),
    ("user ", " removed by ", " from group ", (_TARGET, _CALLER, _GROUP)),
    ("add member ", " to group ", " by ", (_TARGET, _GROUP, _CALLER)),
    ("remove member ", " from group ", " by ", (_TARGET, _GROUP, _CALLER)),
    ("members of group ", " set by ", " to ", (_GROUP, _CALLER, "")),
    ("administrators of group ", " set by ", " to ", (_GROUP, _CALLER, "")),
)
"""Texts of gpasswd: how one begins, what stands between its names, and what they are."""

_PLAIN: Final = (
    ("changed password expiry for ", "success"),
    ("password changed for ", "success"),
    ("can't view or modify password information for ", "failure"),
    ("incorrect password for ", "failure"),
)
"""Texts that end in the name of an account."""

_FAILURES: Final = (
    ("failed adding user '", Action.ACCOUNT_CREATE, _TARGET),
    ("failed to add user ", Action.ACCOUNT_CREATE, _TARGET),
    ("failed to add group ", Action.GROUP_CHANGE, _GROUP),
    ("failed to remove group ", Action.GROUP_CHANGE, _GROUP),
)


def account_columns(text: str, _issues: list[str]) -> Fields:
    """Return the columns of one message; a message of no known form is `other`."""
    words = text.replace("`", "'").strip()
    return (
        _created(words)
        or _quoted(words)
        or _worded(words)
        or _plain(words)
        or _failed(words)
        or other()
    )


def _created(text: str) -> Fields:
    """Read ``new user: name=X, UID=N, GID=N, home=D, shell=S[, from=TTY]``, ``new group: ...``."""
    head, mark, rest = text.partition("name=")
    if not mark:
        return {}
    name, _, members = rest.partition(", ")
    if head == "new user: ":
        said = dict(part.split("=", 1) for part in members.split(", ") if "=" in part)
        kept = {key: said[key] for key in ("UID", "GID", "home", "shell", "from") if key in said}
        fields = event(Action.ACCOUNT_CREATE) | {_TARGET: name}
        if kept:
            fields["trailwarden.tool.fields"] = orjson.dumps(kept).decode()
        return fields
    if head == "new group: " or head.startswith("group added to "):
        return event(Action.GROUP_CHANGE) | {_GROUP: name}
    return {}


def _quoted(text: str) -> Fields:
    for start, also, action, columns in _QUOTED:
        if text.startswith(start) and also in text:
            names = text.split("'")[1::2]
            fields = event(action)
            for column, name in zip(columns, names, strict=False):
                if column and name:
                    fields[column] = name
            return fields
    return {}


def _worded(text: str) -> Fields:
    for start, first, second, columns in _WORDED:
        if text.startswith(start) and first in text:
            one, _, rest = text.removeprefix(start).partition(first)
            two, _, three = rest.partition(second)
            names = zip(columns, (one, two, three.partition(" ")[0]), strict=True)
            return event(Action.GROUP_CHANGE) | {key: name for key, name in names if key and name}
    return {}


def _plain(text: str) -> Fields:
    for start, outcome in _PLAIN:
        before, mark, name = text.partition(start)
        if mark and not before.strip(" abcdefghijklmnopqrstuvwxyz:"):
            return event(Action.ACCOUNT_CHANGE, outcome) | {_TARGET: name}
    return {}


def _failed(text: str) -> Fields:
    """Read that something was tried in vain; names are as words of their own."""
    for start, action, column in _FAILURES:
        if text.startswith(start):
            name = text.removeprefix(start).partition("'" if "'" in start else " ")[0].rstrip(",")
            return event(action, "failure") | {column: name}
    if text.startswith("failed ") or " failed to " in text:
        return event(Action.GROUP_CHANGE if "group" in text else Action.ACCOUNT_CHANGE, "failure")
    return {}
