"""What decoding a chunk has found so far: events, what machines say, and what was refused.

Separate from the decoders because all formats of a chunk add to it, in the order of the records,
and normalize reads nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import Struct

from ingest.formats.origin import Origin
from ingest.formats.seen import Around
from ingest.record import Reason, Refused, Stage, sha256_hex
from ingest.redact.refused import structural_copy

if TYPE_CHECKING:
    from ingest.formats.audit_event import AuditEvent
    from ingest.formats.seen import Seen
    from ingest.redact.token import Redactor

NO_ORIGIN = Origin()
NOWHERE = Around()


class Part(Struct, frozen=True, gc=False):
    """A record, or what stands within one: an item of a list, of a cloud's envelope, a line.

    ``offset`` is the place of the record; ``listed`` says that it is an item of a list, ``depth``
    how many envelopes and wrappers are around it.
    """

    raw: bytes
    offset: int
    path: str
    around: Around = NOWHERE
    origin: Origin = NO_ORIGIN
    listed: bool = False
    depth: int = 0

    def inner(self, raw: bytes, *, listed: bool = False, origin: Origin | None = None) -> Part:
        """Return what stands within."""
        depth = self.depth if listed else self.depth + 1
        return Part(
            raw,
            self.offset,
            self.path,
            self.around,
            origin or self.origin,
            listed or self.listed,
            depth,
        )


class Sighting(Struct, frozen=True, gc=False):
    """One event that is none of the API server's, and the part that it came from."""

    seen: Seen
    part: Part
    number: int
    """Its number among the events of this part."""


@dataclass(slots=True)
class Decoded:
    """Events of one chunk in the order of their records, and what was refused.

    ``offsets[i]`` is the place of the record that ``events[i]`` came from; ``issues`` names the
    rows of ``events`` that are not as they should be, ``origins`` those whose cloud said more.
    ``order`` says of each event whether it is one of ``sightings``; empty if none is.
    """

    events: list[AuditEvent] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    issues: dict[int, list[str]] = field(default_factory=dict)
    origins: dict[int, Origin] = field(default_factory=dict)
    sightings: list[Sighting] = field(default_factory=list)
    order: list[bool] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class Decoding:
    """Takes what decoders find in one chunk."""

    __slots__ = ("expects_documents", "found", "redactor")

    def __init__(self, redactor: Redactor) -> None:
        self.found = Decoded()
        self.redactor = redactor
        self.expects_documents = False

    @property
    def height(self) -> int:
        """Count the API server's events so far."""
        return len(self.found.events)

    def add(self, event: AuditEvent, part: Part, issues: list[str]) -> None:
        """Append one event with what was wrong with it."""
        found, row = self.found, len(self.found.events)
        if issues:
            found.issues[row] = issues
        if part.origin is not NO_ORIGIN:
            found.origins[row] = part.origin
        found.events.append(event)
        found.offsets.append(part.offset)
        found.order.append(False)

    def see(self, seen: list[Seen], part: Part) -> None:
        """Append what a record of another kind says."""
        found = self.found
        for number, one in enumerate(seen):
            found.sightings.append(Sighting(one, part, number))
            found.order.append(True)

    def mark(self, first: int, issues: list[str]) -> None:
        """Add issues to all events from ``first`` on."""
        for row in range(first, self.height):
            self.found.issues.setdefault(row, []).extend(issues)

    def refuse(self, reason: Reason, detail: str, part: Part) -> None:
        """Refuse a part; what nobody wants to see again gets no redacted copy."""
        copy = structural_copy(part.raw, self.redactor) if reason.is_fault else None
        self.found.refused.append(
            Refused(
                stage=Stage.DECODE,
                reason=reason,
                path=part.path,
                offset=part.offset,
                size_bytes=len(part.raw),
                sha256=sha256_hex(part.raw),
                detail=detail,
                copy=copy,
            )
        )
