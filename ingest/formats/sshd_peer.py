"""Who and where from, as sshd writes it, becomes columns, whatever a client called itself.

Separate because a user name is free text of a stranger and stands in the same line as the address.
"Failed password for invalid user x from 192.0.2.1 port 22 ssh2 from 192.0.2.9 port 9 ssh2" has one
true peer, the last; a name stands without "invalid user" only if it is an account's, so that in
those lines the first is the true one. Where a line leaves more than one reading,
``ambiguous:source.ip`` says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.formats.login_event import REASON
from ingest.formats.peer import peer

if TYPE_CHECKING:
    from ingest.formats.seen import Fields

_INVALID: Final = ("invalid user ", "illegal user ")
_AMBIGUOUS: Final = "ambiguous:source.ip"
_FROM: Final = " from "
_CHANGED: Final = ": Change of username or service not allowed: "
_PEER_LONGEST: Final = 300
_PORT_DIGITS: Final = 5


def digits(text: str) -> str:
    """Return the digits of a port that a text begins with."""
    head = text[:_PORT_DIGITS]
    return head[: len(head) - len(head.lstrip("0123456789"))]


def place(text: str) -> Fields:
    """Read ``ADDRESS[ port N][...]`` at the beginning of a text."""
    before, _, tail = text.partition(" port ")
    host = before.partition(" ")[0]
    return peer(host if host.endswith("::") else host.removesuffix(":"), digits(tail))


def without_invalid(name: str) -> str:
    """Return a name without the words that sshd puts before one it does not know."""
    return name[len(_INVALID[0]) :] if name.startswith(_INVALID) else name


def named_peer(text: str, fields: Fields, issues: list[str]) -> str:
    """Read ``[invalid user ]NAME from ADDRESS...`` into columns; return what begins there."""
    name = without_invalid(text)
    is_invalid = name is not text
    at = _last_from(name, issues) if is_invalid else name.find(_FROM)
    if is_invalid:
        fields[REASON] = "invalid user"
    if at < 0:
        issues.append("unexpected-text:sshd")
        return ""
    if at:
        fields["user.name"] = name[:at]
    after = name[at + len(_FROM) :]
    fields.update(place(after))
    return after


def _last_from(text: str, issues: list[str]) -> int:
    """Return where the true `` from `` stands behind a name that a stranger chose.

    A line that ends in its peer leaves no doubt: nothing of the client's comes after. Where a key
    follows, a certificate's own id may hold a forged peer as well as the name may.
    """
    last = text.rfind(_FROM)
    if text.endswith(" ssh2") or " ssh2: " not in text:
        return last
    places = []
    while last >= 0:
        if _is_peer(text[last + len(_FROM) : last + _PEER_LONGEST]):
            places.append(last)
        last = text.rfind(_FROM, 0, last)
    if len(places) > 1:
        issues.append(_AMBIGUOUS)
    return places[0] if places else -1


def _is_peer(text: str) -> bool:
    host, mark, tail = text.partition(" port ")
    port = digits(tail)
    return bool(mark and port) and " " not in host and tail[len(port) :].startswith(" ssh2: ")


def connection_id(text: str, fields: Fields, issues: list[str]) -> Fields:
    """Read ``NAME ADDRESS port N[: REASON]``: the last address with a port is the true one.

    But one reason repeats names that the client chose, and what is in those is no address.
    """
    if text.count(" port ") > 1:
        issues.append(_AMBIGUOUS)
    text, mark, names = text.partition(_CHANGED)
    head, _, tail = text.rpartition(" port ")
    tail += mark + names
    name, _, host = head.rpartition(" ")
    if name:
        fields["user.name"] = name
    reason = tail.partition(": ")[2]
    if reason:
        fields[REASON] = reason
    return fields | peer(host, digits(tail))
