"""One record that an envelope holds, and why where nobody wants it.

Separate from the envelopes because each cloud's module makes such items and the module that knows
all clouds imports them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.record import Reason

if TYPE_CHECKING:
    from ingest.formats.origin import Origin


@dataclass(frozen=True, slots=True)
class Item:
    """A record, byte for byte as it stood within its envelope, and what the envelope says of it.

    ``received_ms`` is when the cloud took it, milliseconds since 1970. ``refusal`` says in words
    why it is no event: with ``reason`` NOT_WANTED nothing is wrong with it (another category of the
    same log), with any other ``raw`` is the envelope, which could not be opened.
    """

    raw: bytes
    origin: Origin
    issues: tuple[str, ...] = ()
    received_ms: int | None = None
    refusal: str | None = None
    reason: Reason = Reason.NOT_WANTED
