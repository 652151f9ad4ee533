"""What su and runuser say in one line becomes the columns of somebody turning into somebody else.

Separate because three programs are called su, each with texts of its own. PAM's lines of the same
act come besides (ingest/formats/pam.py): they are the session, this is the switch.

Texts: util-linux login-utils/su-common.c (log_syslog), shadow lib/sulog.c and src/su.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.formats.login_event import SERVICE, TERMINAL, became, event, other
from ingest.formats.seen import Action

if TYPE_CHECKING:
    from ingest.formats.seen import Fields

_NO_TERMINAL: Final = frozenset({"", "none", "???"})
_NAMELESS: Final = frozenset({"", "???"})
_REFUSED: Final = ("FAILED SU ", "FAILED RUNUSER ")


def su_columns(text: str, issues: list[str]) -> Fields:
    """Return the columns of one message of su; a message of no known form is `other`."""
    return _columns(text, "su", issues)


def runuser_columns(text: str, issues: list[str]) -> Fields:
    """Return the same of runuser, which only root may use."""
    return _columns(text, "runuser", issues)


def _columns(text: str, service: str, _issues: list[str]) -> Fields:
    fields = _util_linux(text) or _shadow(text) or _shadow_short(text) or other()
    fields[SERVICE] = service
    return fields


def _switch(caller: str, target: str, terminal: str, *, is_success: bool) -> Fields:
    fields = event(Action.SWITCH_USER, "success" if is_success else "failure")
    if caller not in _NAMELESS:
        fields["user.name"] = caller
    if target not in _NAMELESS:
        fields.update(became(target))
    terminal = terminal.removeprefix("/dev/")
    if terminal not in _NO_TERMINAL:
        fields[TERMINAL] = terminal
    return fields


def _util_linux(text: str) -> Fields:
    """Read ``[FAILED SU ](to TARGET) CALLER on TERMINAL``."""
    is_success = not text.startswith(_REFUSED)
    if not is_success:
        text = text.partition(" ")[2].partition(" ")[2]
    target, mark, rest = text.removeprefix("(to ").partition(") ")
    if not mark or not text.startswith("(to "):
        return {}
    caller, on, terminal = rest.rpartition(" on ")
    if not on:
        caller, terminal = terminal, ""
    return _switch(caller, target, terminal, is_success=is_success)


def _shadow(text: str) -> Fields:
    """Read ``Successful su for TARGET by CALLER``, ``FAILED su for TARGET by CALLER``."""
    verdict, mark, people = text.partition(" su for ")
    if not mark or verdict not in {"Successful", "FAILED"}:
        return {}
    target, _, caller = people.rpartition(" by ")
    return _switch(caller, target, "", is_success=verdict == "Successful")


def _shadow_short(text: str) -> Fields:
    """Read ``+ TERMINAL CALLER:TARGET``, a minus for a refusal."""
    if text[:2] not in {"+ ", "- "}:
        return {}
    terminal, _, people = text[2:].partition(" ")
    caller, mark, target = people.partition(":")
    return _switch(caller, target, terminal, is_success=text[0] == "+") if mark else {}
