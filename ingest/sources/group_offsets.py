"""What a group committed, told to a member also while coordinators move or epochs pass.

Separate from the source because a question that every takeover begins with has three ways of not
being answered at once, and each needs something else.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Mapping

_BROKER_TIMEOUT_S: Final = 30.0

MEMBER_TIMEOUT_S: Final = 10.0
"""How long a member is waited for that asks. While a group of KIP-848 is rebalanced once more,
librdkafka asks with the epoch of the assignment that is just being taken over, is refused, and asks
again for as long as it is let: it cannot have the next epoch before (seen 2026-11-21)."""

MOVING: Final = frozenset(
    {
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
    }
)
"""Errors of a coordinator that is moving to another broker, or loading there: also for a second
after a broker starts."""

AGAIN_S: Final = 0.2
_OF_MEMBERS: Final = ("group.protocol", "group.instance.id", "group.remote.assignor", "error_cb")


def committed_offsets(
    member: Consumer, config: Mapping[str, Any], partitions: list[TopicPartition]
) -> list[TopicPartition]:
    """Return what is committed, with its metadata, offset -1001 where nothing is.

    Parameters
        member: asks first, again and again while its coordinator is moving.
        config: the member's configuration, for a client that is none and asks if it gets no answer.

    Raises
        confluent_kafka.KafkaException: the broker does not tell.
    """
    try:
        return asked_while_moving(member, partitions, MEMBER_TIMEOUT_S, _BROKER_TIMEOUT_S)
    except KafkaException as error:
        if error.args[0].code() != KafkaError._TIMED_OUT:  # noqa: SLF001 - librdkafka's public name
            raise
        return _asked_as_a_stranger(config, partitions)


def asked_while_moving(
    consumer: Consumer, partitions: list[TopicPartition], timeout_s: float, patience_s: float
) -> list[TopicPartition]:
    """Ask until the coordinator, which may be moving, says it, for ``patience_s`` at most.

    Raises as `committed_offsets`; ``timeout_s`` is that of each question.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return consumer.committed(partitions, timeout=timeout_s)
        except KafkaException as error:
            if error.args[0].code() not in MOVING or time.monotonic() > deadline:
                raise
        time.sleep(AGAIN_S)


def _asked_as_a_stranger(
    config: Mapping[str, Any], partitions: list[TopicPartition]
) -> list[TopicPartition]:
    """Ask as a client that is no member: it has no epoch that could be stale."""
    stranger = Consumer({name: value for name, value in config.items() if name not in _OF_MEMBERS})
    try:
        return stranger.committed(partitions, timeout=_BROKER_TIMEOUT_S)
    finally:
        stranger.close()
