"""What OpenSSH's server says of a connection becomes its columns: opened, ended, of no use.

Separate from logins (ingest/formats/sshd.py) because here nobody showed anything yet, or it is
over.

Texts: openssh-portable packet.c (sshpkt_fmt_connection_id, sshpkt_vfatal, ssh_packet_disconnect,
ssh_packet_read_poll_seqnr), sshd.c, kex.c, session.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.formats.login_event import TERMINAL, event, other, refusal
from ingest.formats.peer import peer
from ingest.formats.seen import Action
from ingest.formats.sshd_peer import connection_id, digits, named_peer, place, without_invalid

if TYPE_CHECKING:
    from ingest.formats.seen import Fields

_ENDS: Final = (
    "Connection closed by ",
    "Connection reset by ",
    "Disconnected from ",
    "Disconnecting ",
)
_TOO_MANY: Final = "Disconnecting: Too many authentication failures for "
_SCANS: Final = (
    ("Did not receive identification string from ", "Did not receive identification string"),
    ("Unable to negotiate with ", "Unable to negotiate"),
    ("banner exchange: Connection from ", "banner exchange"),
    ("ssh_dispatch_run_fatal: Connection from ", "ssh_dispatch_run_fatal"),
    ("Timeout before authentication for connection from ", "Timeout before authentication"),
    ("Timeout before authentication for ", "Timeout before authentication"),
)
"""How a text begins that ends a connection before anybody named a user, and its reason."""


def ended(words: str, issues: list[str]) -> Fields:
    """Read who ended: a session, an authentication that led to nothing, or just a connection."""
    for start in _ENDS:
        if words.startswith(start):
            return _ended(words.removeprefix(start), start, issues)
    if words.startswith(_TOO_MANY):
        return refusal("Too many authentication failures") | _name(words.removeprefix(_TOO_MANY))
    return _opened(words.removeprefix("Connection from ")) if " from " in words else other()


def _name(name: str) -> Fields:
    """Read the name that OpenSSH before 7.5 wrote, without a peer."""
    name = without_invalid(name)
    return {"user.name": name} if name else {}


def _ended(rest: str, start: str, issues: list[str]) -> Fields:
    for who in ("authenticating user ", "invalid user "):
        if rest.startswith(who):
            return connection_id(rest.removeprefix(who), refusal(f"{start}{who}".strip()), issues)
    if rest.startswith("user "):
        return connection_id(rest.removeprefix("user "), event(Action.LOGOUT), issues)
    return event(Action.OTHER, "unknown", start.strip()) | place(rest)


def _opened(rest: str) -> Fields:
    """Read ``ADDRESS port N on ADDRESS port N rdomain ""``, or why it came to nothing."""
    here = rest.partition(" on ")[2]
    if not here:
        tail = rest.partition(" port ")[2]
        return event(Action.OTHER, "failure", tail.lstrip("0123456789: ")) | place(rest)
    local = place(here)
    fields = event(Action.NETWORK_ACCEPT) | place(rest)
    return fields | {name.replace("source", "destination"): local[name] for name in local}


def received_disconnect(words: str, _issues: list[str]) -> Fields:
    """Read ``Received disconnect from ADDRESS[ port N]:CODE: TEXT``: the text is the client's."""
    if not words.startswith("Received disconnect from "):
        return other()
    rest = words.removeprefix("Received disconnect from ")
    host, mark, tail = rest.partition(" port ")
    if mark and " " not in host:
        reason = tail.partition(":")[2].partition(": ")[2]
        return event(Action.OTHER, "unknown", reason) | peer(host, digits(tail))
    host, _, reason = rest.partition(": ")
    return event(Action.OTHER, "unknown", reason) | peer(host)


def listening(words: str, _issues: list[str]) -> Fields:
    """Read ``Server listening on ADDRESS port N.``."""
    if not words.startswith("Server listening on "):
        return other()
    return event(Action.NETWORK_LISTEN) | place(words.removeprefix("Server listening on "))


def session(words: str, issues: list[str]) -> Fields:
    """Read ``Starting session: KIND[ on TTY] for NAME from``, ``Close session: user NAME from``."""
    what, _, rest = words.partition(": ")
    if what == "Starting session":
        kind, _, who = rest.partition(" for ")
        fields = event(Action.SESSION_START)
        terminal = kind.partition(" on ")[2]
        if terminal:
            fields[TERMINAL] = terminal
    elif what == "Close session":
        who = rest.removeprefix("user ")
        fields = event(Action.SESSION_END)
    else:
        return other()
    named_peer(who, fields, issues)
    return fields


def scan(words: str, _issues: list[str]) -> Fields:
    """Read of a client that never came as far as a name; what it sent may stand in the line."""
    for start, reason in _SCANS:
        if words.startswith(start):
            return event(Action.OTHER, "failure", reason) | place(words.removeprefix(start))
    if words.startswith("Bad protocol version identification "):
        sent, _, rest = words.rpartition(" from ")
        return event(Action.OTHER, "failure", sent) | place(rest)
    return other()


def dropped(words: str, _issues: list[str]) -> Fields:
    """Read ``drop connection #N from [ADDRESS]:PORT on [ADDRESS]:PORT past MaxStartups``."""
    host, mark, tail = words.partition(" from [")[2].partition("]:")
    if not mark:
        return other()
    reason = tail.partition("]:")[2].partition(" ")[2]
    return event(Action.OTHER, "failure", reason) | peer(host, digits(tail))
