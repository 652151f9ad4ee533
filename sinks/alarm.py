"""Something that is wrong with the pipeline itself, as a value.

Separate from who is told so that the watches which raise alarms need no network.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class AlarmName(StrEnum):
    """What can be wrong. A closed list: metrics and Alertmanager's routes go by it."""

    SOURCE_SILENT = "source-silent"
    WORKER_SILENT = "worker-silent"
    ELASTICSEARCH_BLOCKED = "elasticsearch-blocked"
    QUARANTINE_LIMIT = "quarantine-limit"
    SOURCE_CLOCK_OFF = "source-clock-off"
    CLUSTER_RATE = "cluster-rate"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm, or its end.

    ``subject`` is what it is about (a source, a group, a sink), ``since`` when it began (aware,
    UTC), ``detail`` one sentence for people. ``resolved``: it is over; name, cluster and subject
    say which.
    """

    name: AlarmName
    cluster: str
    subject: str
    since: datetime
    detail: str
    resolved: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same alarm."""
        return self.name.value, self.cluster, self.subject

    @property
    def id(self) -> str:
        """Hash of the key, for receivers that drop repeats."""
        joined = "".join(f"{len(part)}:{part}" for part in self.key)
        digest = hashlib.blake2b(joined.encode(errors="replace"), digest_size=16)
        return digest.hexdigest()
