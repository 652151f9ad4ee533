"""What is left of an audit event that no decoder takes: a smaller one that every decoder takes.

Events are cut off (CloudWatch ends what is over 256 KiB with `[Truncated...]`, a crash leaves half
a line), too large, or nested too deeply. Who did what comes first in an event and its bodies come
late, so that an attacker who blows up a body would otherwise hide the act. Separate from decoding
because framing and the collectors need it, too, and from scanning because this knows audit events.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Final

import msgspec

from ingest.json_scan import BLANK, Member, depth_of, members

MAX_RECORD_BYTES: Final = 8 << 20
"""Most bytes of one record, as of one message on the topic `raw` (docs: Size). Audit lines of
660 kB were recorded; the API server accepts request bodies of 3 MB, and a response may be longer.
"""

MAX_DEPTH: Final = 500
"""Levels of brackets in a kept member. orjson refuses 1,025, msgspec what is left of Python's 1,000
under its caller; Kubernetes objects have about 30."""

MAX_MEMBERS: Final = 1_000
"""Members looked at. An event of audit.k8s.io/v1 has at most 18."""

_REQUIRED: Final = frozenset({b"auditID", b"stage", b"verb", b"requestURI"})
_BODIES: Final = frozenset({b"requestObject", b"responseObject"})
_NAME_BYTES: Final = 100

_check = msgspec.json.Decoder(msgspec.Raw).decode


@dataclass(frozen=True, slots=True)
class Salvaged:
    """A JSON object of the members that could be kept, in their order, and the names of others.

    The event is to be marked as truncated even where ``dropped`` is empty: what followed the place
    where it was cut has left no name.
    """

    raw: bytes
    dropped: tuple[str, ...]


def salvage(raw: bytes) -> Salvaged | None:
    """Keep every sound member of an audit event; a large body only if there is room.

    A member is sound if it is complete, well-formed UTF-8 JSON and at most ``MAX_DEPTH`` levels
    deep. Both bodies are the last to get a part of ``MAX_RECORD_BYTES``, wherever they stand.

    Returns
        None unless auditID, stage, verb and requestURI are among what is kept. Never raises.
        Linear in the length of ``raw``.
    """
    start = len(raw) - len(raw.lstrip(BLANK))
    if raw[start : start + 1] != b"{":
        return None
    found = list(islice(members(raw, start), MAX_MEMBERS))
    kept = _choose(raw, found)
    if not {member.key for member in kept} >= _REQUIRED:
        return None
    pairs = [raw[member.key_start : member.end] for member in found if member in kept]
    names = (_name(member.key) for member in found if member not in kept)
    return Salvaged(b"{" + b",".join(pairs) + b"}", tuple(dict.fromkeys(names)))


def _choose(raw: bytes, found: list[Member]) -> set[Member]:
    """Choose the sound members that fit, bodies last."""
    room = MAX_RECORD_BYTES
    kept: set[Member] = set()
    for member in sorted(found, key=lambda member: member.key in _BODIES):
        size = (member.end or len(raw)) - member.key_start + 1
        if size < room and _is_sound(raw, member):
            kept.add(member)
            room -= size
    return kept


def _is_sound(raw: bytes, member: Member) -> bool:
    """Whether every decoder takes the member."""
    if member.end is None or depth_of(raw[member.start : member.end]) > MAX_DEPTH:
        return False
    pair = raw[member.key_start : member.end]
    try:
        pair.decode()
        _check(b"{" + pair + b"}")
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return False
    return True


def _name(key: bytes) -> str:
    return key[:_NAME_BYTES].decode(errors="replace")
