"""What a receiver takes: its path, its name in envelopes, and how a body becomes records.

Separate because this is all in which the receivers differ: limits, credentials, answers and the
promise (P1) are the same for whoever sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ingest.collectors import alert_list, event_list

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Intake:
    """``root``: path below which clusters are named. ``split`` and ``scan``: as `event_list`'s."""

    source: str
    root: str
    split: Callable[[bytes], list[bytes] | None]
    scan: Callable[[bytes], list[bytes]]


AUDIT: Final = Intake("webhook", "/audit", event_list.split, event_list.scan)
"""Batches of API servers' audit backends."""

ALERTS: Final = Intake("falco", "/falco", alert_list.split, alert_list.scan)
"""Alerts of Falco, falcosidekick and their like."""
