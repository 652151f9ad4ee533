"""What could not become an event, or not a document, becomes a message of the quarantine topic.

Separate from `sinks.ndjson`, which a scan writes: here a document has an id, made of where the
record stands in ``raw``, so that a repeat is recognized, and a record can be found again and
replayed. Its bytes are never in it: copies are redacted before they come here.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import orjson

from sinks.ndjson import quarantine_document
from sinks.topic_reader import read_messages, spans_of
from sinks.topic_writer import TopicWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ingest.envelope import Envelope
    from ingest.record import Refused
    from sinks.elasticsearch.bulk import Poisoned

ID: Final = "trailwarden.quarantine.id"
COPY: Final = "trailwarden.quarantine.copy"
COPY_CUT: Final = "trailwarden.quarantine.copy_cut"
STAGE: Final = "trailwarden.quarantine.stage"
REASON: Final = "trailwarden.quarantine.reason"
DETAIL: Final = "trailwarden.quarantine.detail"
TOPIC: Final = "trailwarden.quarantine.topic"
PARTITION: Final = "trailwarden.quarantine.partition"
OFFSET: Final = "trailwarden.quarantine.offset"
POSITION: Final = "trailwarden.quarantine.position"
SIZE: Final = "trailwarden.quarantine.size_bytes"
SHA256: Final = "trailwarden.quarantine.sha256"
CLUSTER: Final = "orchestrator.cluster.name"
RECEIVED: Final = "event.created"

INDEX_STAGE: Final = "index"
"""Stage of documents that Elasticsearch refused: their event is in the archive all the same."""

MAX_DOCUMENT_BYTES: Final = 900_000
"""A topic takes 1 MB by default; a document that is refused for its size would stop the worker."""

MAX_TEXT: Final = 4_096
MAX_REASON: Final = 500
"""Characters kept of what Elasticsearch says: it may repeat a value of the document."""


class QuarantineError(Exception):
    """Quarantine cannot be written: the worker must stop, never skip."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands: Kafka's coordinates, and its place in a message that is a list."""

    topic: str
    partition: int
    offset: int
    position: int = 0


def refused_document(refused: Refused, envelope: Envelope, place: Place) -> dict[str, Any]:
    """Return the document of a record that did not become an event."""
    return {
        ID: _id("refused", place.topic, place.partition, place.offset, place.position),
        CLUSTER: envelope.cluster,
        "agent.name": envelope.collector,
        RECEIVED: envelope.received.isoformat(),
        "trailwarden.quarantine.source": envelope.source,
        TOPIC: place.topic,
        PARTITION: place.partition,
        OFFSET: place.offset,
        POSITION: place.position,
        **quarantine_document(refused),
    }


def poisoned_document(poisoned: Poisoned) -> dict[str, Any]:
    """Return the document of an event or finding that Elasticsearch will never take."""
    document = poisoned.document
    source = orjson.loads(document.source)
    return {
        ID: _id("poisoned", document.index, document.id),
        CLUSTER: source.get(CLUSTER),
        "agent.name": source.get("agent.name"),
        RECEIVED: source.get(RECEIVED),
        STAGE: INDEX_STAGE,
        REASON: f"elasticsearch-{poisoned.status}",
        DETAIL: f"{poisoned.error_type}: {poisoned.reason}"[:MAX_REASON],
        "trailwarden.quarantine.index": document.index,
        "trailwarden.quarantine.document_id": document.id,
        SIZE: len(document.source),
    }


def _id(*parts: object) -> str:
    """Hash parts so that no two different lists give the same id."""
    text = "".join(f"{len(str(part))}:{part};" for part in parts)
    data = text.encode(errors="surrogatepass")
    return blake2b(data, digest_size=16, person=b"tw.quarantine").hexdigest()


class QuarantineTopic:
    """Writes documents; none is forgotten before the brokers have it or `discard` is called."""

    __slots__ = ("_writer",)

    def __init__(self, config: Mapping[str, object], topic: str) -> None:
        """Start a producer; does not wait for the broker.

        Parameters
            config: librdkafka's own keys: who we are, where the brokers are.
        """
        self._writer = TopicWriter(config, topic, QuarantineError)

    def __len__(self) -> int:
        """Count documents that are not acknowledged yet."""
        return len(self._writer)

    def add(self, document: Mapping[str, Any]) -> None:
        """Hand a document over; waits only where thousands wait already.

        Raises
            QuarantineError: the brokers refuse for good, or take nothing for half a minute.
        """
        key = str(document.get(CLUSTER) or "").encode(errors="replace")
        self._writer.add(encoded(document), key)

    def flush(self, timeout_s: float) -> bool:
        """Wait for acknowledgements; whether all are there. May be called again.

        Raises
            QuarantineError: the brokers refuse for good.
        """
        return self._writer.flush(timeout_s)

    def discard(self) -> None:
        """Give up what is not acknowledged: the next owner of the partition writes it again."""
        self._writer.discard()


def encoded(document: Mapping[str, Any]) -> bytes:
    """Return a document as JSON that the topic takes: hostile text and size are no way to stop it.

    Its texts are cut, its copy until the whole is under `MAX_DOCUMENT_BYTES`.
    """
    fitting = {name: _text(name, value) for name, value in document.items()}
    while len(data := orjson.dumps(fitting)) > MAX_DOCUMENT_BYTES and fitting.get(COPY):
        fitting[COPY] = fitting[COPY][: len(fitting[COPY]) // 2]
        fitting[COPY_CUT] = True
    return data


def _text(name: str, value: Any) -> Any:
    """Return a text without lone surrogates, which no JSON may hold, and bounded."""
    if not isinstance(value, str):
        return value
    cut = value if name == COPY else value[:MAX_TEXT]
    return cut.encode(errors="replace").decode()


def read(config: Mapping[str, object], topic: str) -> Iterator[dict[str, Any]]:
    """Yield the topic's documents up to what is its end now, repeats left out by their id.

    Memory grows by about 100 bytes for each document, for its id. What is no document of ours is
    passed over: the topic's rights say who may write there.

    Raises
        TopicUnreadableError: see `sinks.topic_reader`.
    """
    seen: set[bytes] = set()
    for message in read_messages(config, topic, spans_of(config, topic)):
        document = _document(message.value())
        if document is None:
            continue
        name = blake2b(str(document[ID]).encode(errors="replace"), digest_size=16).digest()
        if name not in seen:
            seen.add(name)
            yield document


def _document(value: bytes | None) -> dict[str, Any] | None:
    try:
        document = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) and isinstance(document.get(ID), str) else None
