"""Records in quarantine go to ``raw`` once more, byte for byte, with their own headers.

Separate from the collectors' producer because nothing is said anew of these records: key, value
and headers are those of the original message, which must still be there; the quarantine has no copy
of its bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Producer

from ingest.envelope import SALVAGE
from ingest.record import sha256_hex
from sinks.quarantine import ID, OFFSET, PARTITION, SHA256, SIZE, TOPIC, Place
from sinks.topic_reader import MessageLookup

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from confluent_kafka import KafkaError, Message

REPLAYED_FROM: Final = "tw-replayed-from"

_ACKNOWLEDGE_S: Final = 30.0
_PROMISES: Final[Mapping[str, object]] = {
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "zstd",
    "partitioner": "murmur2_random",
    # The broker's limit counts; what the collectors may send, a replay may.
    "message.max.bytes": 16 << 20,
}


class Outcome(StrEnum):
    """What became of a document that was to be replayed."""

    REPLAYED = "replayed"
    FOUND = "found"
    GONE = "gone"
    CHANGED = "changed"
    NO_RECORD = "no-record"
    NOT_SENT = "not-sent"


@dataclass(frozen=True, slots=True)
class Replayed:
    """One document's outcome, and a sentence about it. ``FOUND`` is the best of a dry run."""

    id: str
    outcome: Outcome
    detail: str


def replay(
    config: Mapping[str, object],
    documents: Iterable[Mapping[str, Any]],
    *,
    is_dry: bool = False,
) -> Iterator[Replayed]:
    """Send the records of quarantine documents again; a message of several goes once.

    Raises
        TopicUnreadableError: the broker does not answer.
    """
    lookup = MessageLookup(config)
    producer = Producer({**config, **_PROMISES})
    sent: dict[Place, Replayed] = {}
    try:
        for document in documents:
            place = _place(document)
            if place is None:
                why = "was refused by Elasticsearch: its event is in the archive"
                yield Replayed(str(document[ID]), Outcome.NO_RECORD, why)
                continue
            if place not in sent:
                sent[place] = _replayed(lookup, producer, document, place, is_dry=is_dry)
            done = sent[place]
            yield Replayed(str(document[ID]), done.outcome, done.detail)
    finally:
        lookup.close()


def _replayed(
    lookup: MessageLookup,
    producer: Producer,
    document: Mapping[str, Any],
    place: Place,
    *,
    is_dry: bool,
) -> Replayed:
    name, at = str(document[ID]), f"{place.topic}/{place.partition}/{place.offset}"
    message = lookup.find(place.topic, place.partition, place.offset)
    if message is None:
        return Replayed(name, Outcome.GONE, f"{at} is no longer retained")
    if not _is_same(message, document):
        return Replayed(name, Outcome.CHANGED, f"{at} is another record now")
    if is_dry:
        return Replayed(name, Outcome.FOUND, f"{at} would be sent to {place.topic} again")
    failure = _send(producer, message, place.topic, at)
    if failure:
        return Replayed(name, Outcome.NOT_SENT, f"{at}: {failure}")
    return Replayed(name, Outcome.REPLAYED, f"{at} was sent to {place.topic} again")


def _send(producer: Producer, message: Message, topic: str, at: str) -> str | None:
    """Send one message and wait for its acknowledgement; return what went wrong."""
    answers: list[KafkaError | None] = []
    headers = [*(message.headers() or []), (REPLAYED_FROM, at.encode())]
    producer.produce(
        topic,
        message.value(),
        message.key(),
        headers=headers,
        on_delivery=lambda error, _: answers.append(error),
    )
    producer.flush(_ACKNOWLEDGE_S)
    if not answers:
        return "not acknowledged in time; it may arrive yet"
    return None if answers[0] is None else str(answers[0].str())


def _place(document: Mapping[str, Any]) -> Place | None:
    topic, partition, offset = (document.get(name) for name in (TOPIC, PARTITION, OFFSET))
    if isinstance(topic, str) and isinstance(partition, int) and isinstance(offset, int):
        return Place(topic, partition, offset)
    return None


def _is_same(message: Message, document: Mapping[str, Any]) -> bool:
    """Whether a message can be the one that was refused: a topic may have been made anew.

    The document's hash is of the message, or of one item in it, or, salvaged, of what it was.
    """
    value = message.value() or b""
    headers = dict(message.headers() or [])
    if SALVAGE in headers or sha256_hex(value) == document.get(SHA256):
        return True
    size = document.get(SIZE)
    return isinstance(size, int) and size < len(value)
