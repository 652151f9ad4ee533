"""A rule's sentence becomes a finding's message: who did what where, safe to show.

Separate because it meets hostile values: names and user agents are chosen by clients, and a
message ends in terminals, mails and pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from detectors.circumstances import WORDS, is_of_machine, logged_in_as, somebody
from ingest.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.sigma.rule import Message

MAX_VALUE: Final = 160
"""Characters of one value in a sentence: the whole value stands in its own field."""

_SHOWN: Final = 3
_ACTION: Final = "event.action"
_DID: Final = " did "
_PAST: Final = {
    "apply": "applied",
    "approve": "approved",
    "create": "created",
    "delete": "deleted",
    "deletecollection": "deleted all of",
    "evict": "evicted",
    "file-attributes": "changed the attributes of",
    "file-create": "created",
    "file-delete": "deleted",
    "file-link": "linked",
    "file-modify": "changed",
    "file-open": "opened",
    "file-rename": "renamed",
    "get": "read",
    "list": "listed",
    "patch": "patched",
    "scale": "scaled",
    "update": "updated",
    "watch": "watched",
}
_ACTOR: Final = "user.name"
_ACTED_AS: Final = "user.effective.name"
_NOBODY: Final = "an unauthenticated client"
_UNKNOWN: Final = "(unknown)"


def render(message: Message | None, title: str, event: Mapping[str, object]) -> str:
    """Return the sentence for one event.

    Parameters
        message: the rule's template; None gives a sentence from the rule's title.
        event: column name -> value of the evidence.
    """
    if message is None:
        return f"{title}: {shown(event, _ACTOR)}, {shown(event, 'event.action')} {_object(event)}."
    text = message.literals[0]
    for column, literal in zip(message.columns, message.literals[1:], strict=True):
        if column == _ACTION and text.endswith(_DID):
            text = text.removesuffix(_DID) + " " + _past(shown(event, column)) + literal
        else:
            text += shown(event, column) + literal
    return " ".join(text.split())


def shown(event: Mapping[str, object], column: str) -> str:
    """Return a value as it may stand in a sentence; a list as its first three elements."""
    if column in WORDS:
        return printable(WORDS[column](event))
    value = event.get(column)
    if column == _ACTOR and is_of_machine(event):
        value = value or somebody(event)
    if value is None or value == "":
        return _NOBODY if column == _ACTOR else _UNKNOWN
    if isinstance(value, list):
        more = f" and {len(value) - _SHOWN} more" if len(value) > _SHOWN else ""
        return ", ".join(printable(str(element)) for element in value[:_SHOWN]) + more
    text = printable(str(value))
    acted_as = event.get(_ACTED_AS) if column == _ACTOR else None
    if acted_as and acted_as != value:
        return f"{text} (acting as {printable(str(acted_as))})"
    if column == _ACTOR and (session := logged_in_as(event)):
        return f"{text} (logged in as {printable(session)})"
    return text


def _past(action: str) -> str:
    """``create`` -> ``created``: a template says "did {event.action}" and reads well."""
    return _PAST.get(action, f"did {action}")


def printable(text: str) -> str:
    """Return a value cut to a bearable length, with what cannot be seen made visible."""
    cut = text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}…({len(text)} characters)"
    return visible(cut)


def _object(event: Mapping[str, object]) -> str:
    if is_of_machine(event):
        what = "file" if event.get("file.path") else "program"
        return f"{shown(event, what)} {shown(event, 'place')}"
    names = ("orchestrator.resource.type", "orchestrator.namespace", "orchestrator.resource.name")
    found = [printable(str(event[name])) for name in names if event.get(name)]
    return "/".join(found) or printable(str(event.get("url.path") or _UNKNOWN))
