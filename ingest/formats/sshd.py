"""What OpenSSH's server says in one line becomes the columns of a login, a refusal or a connection.

Separate because it is the one program here whose lines strangers write into: what is behind a name
is told in ingest/formats/sshd_peer.py.

`login` is an attempt with a method (Accepted, Failed); everything else that tells that nobody got
in (Invalid user, closed before authentication, not allowed, too many attempts) is `authenticate`,
so that counting failed logins counts each attempt once. What was typed as an unknown user's name is
kept in ``user.name``, where rules and people need it: it is now and then a password that was typed
one field too early.

Texts: openssh-portable auth.c (auth_log, auth_maxtries_exceeded, allowed_user, auth_root_allowed),
auth2.c, auth-pam.c; as logged by sshd, by sshd-session (9.8+) and by sshd-auth (10.0+).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.formats.login_event import KEY, METHOD, REASON, SERVICE, event, other, refusal
from ingest.formats.pam import failure_columns
from ingest.formats.peer import peer
from ingest.formats.seen import Action
from ingest.formats.sshd_connection import (
    dropped,
    ended,
    listening,
    received_disconnect,
    scan,
    session,
)
from ingest.formats.sshd_peer import named_peer, place, without_invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.formats.seen import Fields

_LEVELS: Final = ("error: ", "fatal: ")
_KEYED: Final = frozenset({"publickey", "hostbased"})
_ATTEMPTS: Final = {
    "Accepted": (Action.LOGIN, "success"),
    "Failed": (Action.LOGIN, "failure"),
    "Partial": (Action.AUTHENTICATE, "success"),
    "Postponed": (Action.AUTHENTICATE, "unknown"),
}
_ATTEMPT_WORDS: Final = 4
_TOO_MANY: Final = "maximum authentication attempts exceeded"


def sshd_columns(text: str, issues: list[str]) -> Fields:
    """Return the columns of one message; a message of no known form is `other`."""
    words = text.removesuffix(" [preauth]")
    for level in _LEVELS:
        words = words.removeprefix(level)
    read = _READERS.get(words.partition(" ")[0])
    fields = other() if read is None else read(words, issues)
    fields[SERVICE] = "sshd"
    return fields


def _attempt(words: str, issues: list[str]) -> Fields:
    """Read ``Accepted METHOD for [invalid user ]NAME from ADDRESS port N ssh2[: KEY]``."""
    parts = words.split(" ", 3)
    if len(parts) < _ATTEMPT_WORDS or parts[2] != "for":
        return other()
    fields = event(*_ATTEMPTS[parts[0]])
    fields[METHOD] = parts[1]
    key = named_peer(parts[3], fields, issues).partition(" ssh2: ")[2]
    if parts[1] in _KEYED:
        fields |= _fingerprint(key)
    return fields


def _fingerprint(key: str) -> Fields:
    """Read ``RSA SHA256:...``, ``RSA-CERT SHA256:... ID x (serial 1) CA RSA SHA256:...``."""
    found = key.partition(" ")[2].partition(" ")[0].rstrip(",")
    return {KEY: found} if ":" in found else {}


def _invalid(words: str, _issues: list[str]) -> Fields:
    """Read ``Invalid user NAME from ADDRESS[ port N]``: said before any method was tried."""
    if not words.startswith(("Invalid user ", "Illegal user ")):
        return other()
    name, _, rest = words[len("Invalid user ") :].rpartition(" from ")
    return refusal("invalid user") | _name(name) | place(rest)


def _name(name: str) -> Fields:
    return {"user.name": name} if name else {}


def _not_allowed(words: str, _issues: list[str]) -> Fields:
    """Read ``User NAME[ from HOST] not allowed because REASON``."""
    who, mark, reason = words.removeprefix("User ").partition(" not allowed because ")
    if not mark:
        return other()
    name, _, host = who.partition(" from ")
    return refusal(reason) | _name(name) | peer(host)


def _root_refused(words: str, _issues: list[str]) -> Fields:
    start = "ROOT LOGIN REFUSED"
    return refusal(start) | _name("root") | place(words.removeprefix(f"{start} FROM "))


def _too_many(words: str, issues: list[str]) -> Fields:
    start = f"{_TOO_MANY} for "
    if not words.startswith(start):
        return other()
    fields = refusal(_TOO_MANY)
    named_peer(words.removeprefix(start), fields, issues)
    fields[REASON] = _TOO_MANY
    return fields


def _pam(words: str, issues: list[str]) -> Fields:
    """Read ``PAM: REASON for [illegal user ]NAME from HOST``, ``PAM N more authentication ...``."""
    if not words.startswith("PAM: "):
        return failure_columns(words.removeprefix("PAM "), issues) or other()
    reason, mark, rest = words.removeprefix("PAM: ").partition(" for ")
    if not mark:
        return other()
    name, _, host = rest.rpartition(" from ")
    return refusal(reason) | _name(without_invalid(name)) | peer(host)


def _access_denied(words: str, _issues: list[str]) -> Fields:
    start, end = "Access denied for user ", " by PAM account configuration"
    if not words.startswith(start) or end not in words:
        return other()
    name = words.removeprefix(start).rpartition(end)[0]
    return refusal("PAM account configuration") | _name(name)


_READERS: Final[dict[str, Callable[[str, list[str]], Fields]]] = {
    "Accepted": _attempt,
    "Failed": _attempt,
    "Partial": _attempt,
    "Postponed": _attempt,
    "Invalid": _invalid,
    "Illegal": _invalid,
    "User": _not_allowed,
    "ROOT": _root_refused,
    "maximum": _too_many,
    "PAM": _pam,
    "PAM:": _pam,
    "Access": _access_denied,
    "Connection": ended,
    "Disconnected": ended,
    "Disconnecting": ended,
    "Disconnecting:": ended,
    "Received": received_disconnect,
    "Server": listening,
    "Starting": session,
    "Close": session,
    "Did": scan,
    "Unable": scan,
    "Bad": scan,
    "banner": scan,
    "ssh_dispatch_run_fatal:": scan,
    "Timeout": scan,
    "drop": dropped,
}
"""By the first word; the others are of no login."""
