"""What cron and crontab say in one line becomes a command that started, or a table touched.

Separate because theirs are the only lines here about what runs without anybody logging in. PAM's
sessions of cron come besides (ingest/formats/pam.py).

Texts: ``(USER) VERB (TEXT)``: vixie cron and cronie log_it() in misc.c, do_command.c and
crontab.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.formats.login_event import SERVICE, event, other
from ingest.formats.seen import Action

if TYPE_CHECKING:
    from ingest.formats.seen import Fields

_NO_USERS: Final = frozenset({"CRON", "cron", "crond", "CROND", "*system*"})
"""Who cron says it is where it speaks of itself, and of tables of the system."""
_TABLE_VERBS: Final = frozenset({"REPLACE", "DELETE", "LIST", "BEGIN EDIT", "END EDIT"})


def cron_columns(text: str, _issues: list[str]) -> Fields:
    """Return the columns of one message; ``event.code`` is its verb."""
    fields = other()
    name, mark, rest = text.partition(") ")
    verb, inner, what = rest.partition(" (")
    if not mark or not inner or not name.startswith("("):
        return fields
    what = what.removesuffix(")")
    fields |= {"event.code": verb, SERVICE: "cron"}
    if name[1:] not in _NO_USERS:
        fields["user.name"] = name[1:]
    if verb == "CMD":
        fields |= event(Action.PROCESS_START)
        fields["process.command_line"] = what
    elif verb == "CMDEND":
        fields |= event(Action.PROCESS_END)
        fields["process.command_line"] = what
    elif verb in _TABLE_VERBS:
        fields |= {"event.outcome": "success", "user.target.name": what}
    return fields
