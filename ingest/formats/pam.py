"""What a PAM module says in one line becomes the columns of a session or of a verdict.

Separate because every program that authenticates logs these lines under its own name: sshd, su,
sudo, login, cron, gdm, vsftpd. Each begins with ``module(service:type): ``.

For services that act for somebody who is already there (su, sudo, runuser, pkexec) ``user.name``
is the caller and ``user.effective.name`` whom they became; for all others ``user.name`` is who
logged in. PAM's verdicts are `authenticate`: the program's own line is the `login`.

Texts: linux-pam modules/pam_unix (pam_unix_sess.c, support.c, pam_unix_acct.c), pam_faillock,
pam_access, pam_succeed_if; sssd's pam_sss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from ingest.formats.login_event import SERVICE, TERMINAL, became, event, other, refusal
from ingest.formats.peer import peer
from ingest.formats.seen import Action

if TYPE_CHECKING:
    from ingest.formats.seen import Fields

_FOR_ANOTHER: Final = frozenset(
    {"su", "su-l", "sudo", "sudo-i", "runuser", "runuser-l", "pkexec", "polkit-1", "doas"}
)
_ASKS_THE_OTHER: Final = _FOR_ANOTHER - {"sudo", "sudo-i", "doas"}
"""Of those the services that ask for the other's password; the rest ask for the caller's own."""

_AMBIGUOUS: Final = "ambiguous:source.ip"
_NUMBER_DIGITS: Final = 10
_QUOTES: Final = "`'\""

_NAMED_FAILURES: Final = (
    ("Consecutive login failures for user ", " account "),
    ("Access denied for user ", ": "),
    ("access denied for user ", " from "),
    ("expired password for user ", " ("),
    ("account ", " has expired"),
    ("user ", " tally "),
    ("bad username [", "]"),
    ("check pass; user (", ") unknown"),
    ("auth could not identify password for [", "]"),
)
"""How a text that names whom it refuses begins, and what ends the name."""


def is_pam(text: str) -> bool:
    """Tell whether a program's message is a PAM module's."""
    return text.startswith("pam_") and "): " in text


def pam_columns(text: str, issues: list[str]) -> Fields:
    """Return the columns of one module's message; a message of no known form is `other`."""
    service, _, rest = text.partition("(")[2].partition("): ")
    name, _, kind = service.partition(":")
    fields = _session(name, rest) if kind == "session" else _verdict(name, rest, issues)
    if name:
        fields[SERVICE] = name
    return fields


def failure_columns(text: str, issues: list[str]) -> Fields:
    """Return the columns of ``[N more ]authentication failure[s]; logname= ... user=``, or none.

    ``rhost`` is read up to its first blank and the name to the end, so that a name with a forged
    ``rhost=`` in it changes nothing. ``ruser`` stands before it: of services that write there what
    was typed (vsftpd; sshd does not) a second ``rhost=`` leaves more than one reading.
    """
    what, mark, rest = text.partition("; ")
    if not mark or "authentication " not in what:
        return {}
    outcome = "success" if what.endswith("success") else "failure"
    fields = event(Action.AUTHENTICATE, outcome, what if outcome == "failure" else None)
    count = what.partition(" more ")[0]
    if count.isascii() and count.isdigit() and len(count) <= _NUMBER_DIGITS:
        fields["trailwarden.tool.fields"] = orjson.dumps({"repeated": int(count)}).decode()
    before, _, after = rest.partition(" rhost=")
    host, _, user = after.partition(" ")
    if "rhost=" in user and " tty=ssh " not in before:
        issues.append(_AMBIGUOUS)
    fields.update(peer(host))
    user = user.strip()
    fields.update(_people(before, user.removeprefix("user=") if user.startswith("user=") else ""))
    return fields


def _people(before: str, user: str) -> Fields:
    """Read ``logname= uid= euid= tty= ruser=``; the name to be authenticated comes last."""
    members = dict(part.split("=", 1) for part in before.split(" ") if "=" in part)
    fields: Fields = {}
    terminal = members.get("tty", "").removeprefix("/dev/")
    if terminal and terminal != "ssh":
        fields[TERMINAL] = terminal
    caller = members.get("ruser", "")
    if caller:
        fields["user.name"] = caller
        if user and user != caller:
            fields.update(became(user))
    elif user:
        fields["user.name"] = user
    return fields


def _session(service: str, text: str) -> Fields:
    """Read ``session opened for user NAME(uid=N) by NAME(uid=N)``, ``session closed for user``."""
    for start, action in (
        ("session opened for user ", Action.SESSION_START),
        ("session closed for user ", Action.SESSION_END),
    ):
        if text.startswith(start):
            who, mark, by = text.removeprefix(start).rpartition(" by ")
            if not mark:
                who, by = by, ""
            return event(action) | _session_people(service, _account(who), _account(by))
    return other()


def _session_people(
    service: str, who: tuple[str, str | None], by: tuple[str, str | None]
) -> Fields:
    name, number = who
    if service not in _FOR_ANOTHER:
        return _without_none({"user.name": name, "user.id": number})
    return _without_none(
        {
            "user.name": by[0],
            "user.id": None if by[0] else by[1],
            "user.effective.name": name,
            "user.effective.id": number,
            "user.target.name": name,
        }
    )


def _account(text: str) -> tuple[str, str | None]:
    """Split ``NAME(uid=N)``; names before PAM 1.4 stand without a number."""
    name, mark, number = text.rpartition("(uid=")
    if not mark:
        return text, None
    number = number.removesuffix(")")
    is_number = number.isascii() and number.isdigit() and len(number) <= _NUMBER_DIGITS
    return name, number if is_number else None


def _without_none(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if value}


def _verdict(service: str, text: str, issues: list[str]) -> Fields:
    found = failure_columns(text, issues)
    if found:
        return found
    if text.startswith("password changed for "):
        target = text.removeprefix("password changed for ")
        return event(Action.ACCOUNT_CHANGE) | {"user.target.name": target}
    if text == "check pass; user unknown":
        return refusal("user unknown")
    if text.startswith("received for user "):
        return _received(text.removeprefix("received for user "))
    if text.startswith("requirement ") and " not met by user " in text:
        reason, _, name = text.rpartition(" not met by user ")
        return refusal(f"{reason} not met") | {"user.name": name.strip(_QUOTES)}
    return _named_failure(text, service)


def _received(text: str) -> Fields:
    """Read ``NAME: CODE (REASON)`` of pam_sss."""
    name, _, reason = text.rpartition(": ")
    return refusal(reason) | _without_none({"user.name": name})


def password_check_columns(text: str, _issues: list[str]) -> Fields:
    """Read ``password check failed for user (NAME)`` of unix_chkpwd, pam_unix's helper."""
    name, mark, _ = text.removeprefix("password check failed for user (").rpartition(")")
    if not mark or name == text[:-1]:
        return other()
    return refusal("password check failed") | _without_none({"user.name": name})


def _named_failure(text: str, service: str) -> Fields:
    for start, end in _NAMED_FAILURES:
        if text.startswith(start) and end in text:
            name, _, rest = text.removeprefix(start).partition(end)
            name = name.partition(" (")[0].strip(_QUOTES)
            key = "user.effective.name" if service in _ASKS_THE_OTHER else "user.name"
            place = rest.strip(_QUOTES) if end == " from " else ""
            return refusal(_reason(start, end, rest)) | {key: name} | peer(place)
    return other()


def _reason(start: str, end: str, rest: str) -> str:
    """Return the text without the name in it."""
    said = start if end == " from " else f"{start}{end}{rest}"
    return " ".join(said.replace("[", " ").replace("]", " ").split()).removesuffix(" for user")
