"""A record as it was stored or shipped, to the records that are sent on and whose they are.

Separate because collectors of exports and of foreign topics both open clouds' envelopes: what
stands within is sent by itself, keyed by its own cluster, and what nobody wants is not sent at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ingest.collectors.unwrapping import records_of
from ingest.formats.envelopes import open_envelope
from ingest.formats.gke import translate
from ingest.formats.seen import NotThisFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator


_GKE: Final = b'"protoPayload"'


@dataclass(frozen=True, slots=True)
class Opened:
    """One record; ``cluster`` is what the cloud's envelope says, None where there is none.

    ``refusal`` says why nobody wants it.
    """

    raw: bytes
    cluster: str | None = None
    refusal: str | None = None


def opened(value: bytes) -> Iterator[Opened]:
    """Yield the records that a value holds, in its order; at least one. Never raises. Linear."""
    for raw in records_of(value):
        items = open_envelope(raw)
        if not items:
            yield Opened(raw, _cluster_of(raw))
            continue
        for item in items:
            cluster = item.origin.cluster or _cluster_of(item.raw)
            yield Opened(item.raw, cluster, None if item.reason.is_fault else item.refusal)


def _cluster_of(raw: bytes) -> str | None:
    """Return the cluster that an entry of Google's log names, which needs no envelope for it."""
    if _GKE not in raw:
        return None
    try:
        return translate(raw).origin.cluster
    except NotThisFormatError:
        return None
