"""One object of a store in, its records out, each ready to be sent: opened, fitted, named.

Separate from the collector, which decides what is read when and what is done: here is only how an
object becomes records, and what it takes to know that Kafka has all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self, cast

from ingest.collectors.opening import opened
from ingest.collectors.salvaging import fit, head_of, spool
from ingest.envelope import UNKNOWN_CLUSTER, Envelope, Format
from ingest.sources.compression import open_stream
from ingest.sources.read import frame_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path
    from typing import BinaryIO

    from ingest.collectors.counts import CollectorCounts
    from ingest.record import Records


class Listed(Protocol):
    """One object of a store."""

    @property
    def path(self) -> str:
        """Its path within the store."""

    @property
    def size_bytes(self) -> int:
        """Its size."""

    @property
    def modified(self) -> datetime:
        """When it was last written (UTC)."""


class Store(Protocol):
    """What `ingest.sources.object_store.ObjectStore` offers."""

    def objects(self) -> Iterable[Listed]:
        """Return all objects. Raises OSError."""

    def open(self, path: str) -> BinaryIO:
        """Open one. Raises OSError."""


@dataclass(slots=True)
class Reading:
    """An object on its way: how much of it is not in Kafka yet."""

    found: Listed
    offset: int
    left: int = 0
    is_read: bool = False
    has_failed: bool = False


@dataclass(slots=True)
class ObjectParcel:
    """One record on its way (`ingest.collectors.outbox.Parcel`)."""

    reading: Reading
    envelope: Envelope
    value: bytes = field(repr=False)

    def arrive(self) -> None:
        """Learn that Kafka has it."""
        self.value = b""
        self.reading.left -= 1


class _Watched:
    """An open object; what the store does not give is no damage of the object's."""

    def __init__(self, file: BinaryIO, reading: Reading) -> None:
        self._file, self._reading = file, reading

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except OSError:
            self._reading.has_failed = True
            raise

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, place: int) -> int:
        return self._file.seek(place)


class ObjectReader:
    """Reads objects of one store.

    Parameters
        cluster: whose records they are, None where the clouds' envelopes say it.
        note: told of what happens to objects, never content.

    ``clusters`` are those seen so far, with the one that was given.
    """

    def __init__(
        self,
        store: Store,
        cluster: str | None,
        collector: str,
        spool_folder: Path,
        *,
        note: Callable[..., None],
        counts: CollectorCounts,
    ) -> None:
        self._store = store
        self._cluster_name = cluster
        self._collector = collector
        self._spool = spool_folder
        self._note = note
        self._counts = counts
        self.clusters: dict[str, None] = dict.fromkeys(filter(None, [cluster]))

    def read(self, reading: Reading, now: datetime) -> Iterator[ObjectParcel]:
        """Yield an object's records; of one that has grown, what is new."""
        path = reading.found.path

        def opener(path: str) -> BinaryIO:
            try:
                return cast("BinaryIO", _Watched(self._store.open(path), reading))
            except OSError:
                reading.has_failed = True
                raise

        for chunk in frame_stream(path, open_stream(path, opener=opener)):
            yield from self._parcels_of(chunk, reading, now)
            for problem in chunk.problems:
                self._note("not_read_to_its_end", object=path, reason=problem.message)
            for one in chunk.refused:
                self._counts.refused[one.reason.value] += 1
                self._note(
                    "refused", object=path, offset=one.offset, sha256=one.sha256, reason=one.detail
                )
        reading.is_read = True

    def _parcels_of(
        self, chunk: Records, reading: Reading, now: datetime
    ) -> Iterator[ObjectParcel]:
        for raw, offset in zip(chunk.raws, chunk.offsets, strict=True):
            if offset < reading.offset:
                continue
            for one in opened(raw):
                if one.refusal is not None:
                    self._counts.refused["not-wanted"] += 1
                    continue
                reading.left += 1
                yield self._parcel_of(one.raw, self._cluster(one.cluster), reading, now)
            reading.offset = offset + len(raw)

    def _parcel_of(self, raw: bytes, cluster: str, reading: Reading, now: datetime) -> ObjectParcel:
        fitted = fit(raw) or head_of(raw)
        if fitted.salvage is not None:
            kept = spool(self._spool, raw)
            self._counts.salvaged += 1
            path = reading.found.path
            self._note("too_large", source=path, size_bytes=len(raw), spooled=kept is not None)
        envelope = Envelope(
            cluster,
            self._collector,
            Format.RECORD,
            now,
            reading.found.path,
            fitted.salvage,
        )
        return ObjectParcel(reading, envelope, fitted.value)

    def _cluster(self, said: str | None) -> str:
        cluster = self._cluster_name or said or UNKNOWN_CLUSTER
        if cluster not in self.clusters:
            if cluster == UNKNOWN_CLUSTER:
                self._note("no_cluster", reason="no envelope names one: set objects.cluster")
            self.clusters[cluster] = None
        return cluster
