"""What the role `correlate` is made of; separate from `worker.parts`, which chooses the roles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ingest.sources.kafka import KafkaSource
from worker.correlate import SUFFIX, Correlator
from worker.shared_parts import consuming, pace_of
from worker.stores import FolderStores

if TYPE_CHECKING:
    from sinks.elasticsearch.bulk import BulkWriter
    from worker.counts import WorkerCounts
    from worker.pace import Watch
    from worker.shared_parts import Shared

_BESIDE_S: Final = 0.01
"""Wait for signals where records wait for the same thread."""


@dataclass(frozen=True, slots=True)
class CorrelateParts:
    """The loop, and what it reads from and writes to."""

    correlator: Correlator
    counts: WorkerCounts
    bulk: BulkWriter
    source: KafkaSource


def correlating(
    shared: Shared, counts: WorkerCounts, watch: Watch, *, alone: bool
) -> CorrelateParts:
    """Return the parts; nothing is joined yet.

    Parameters
        watch: of the process; the batches that it is told of are of records only.
        alone: whether this is the process' only role.

    Raises
        OSError, sinks.durable_file.StoreUnsuitableError: the store cannot be used.
    """
    kafka, pace = shared.settings.kafka, pace_of(shared.settings)
    bulk = shared.bulk()
    correlator = Correlator(
        shared.rules,
        shared.outputs(bulk, counts),
        FolderStores(shared.settings.store.folder, kafka.signals_topic),
        counts,
        pace=pace if alone else replace(pace, poll_s=_BESIDE_S),
        watch=watch,
    )
    group = consuming(shared.settings, kafka.group + SUFFIX)
    correlator.source = source = KafkaSource(group, kafka.signals_topic, correlator, shared.warn)
    return CorrelateParts(correlator, counts, bulk, source)
