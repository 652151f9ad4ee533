"""Questions to a broker about itself in, plain values out.

Separate because set-up, `doctor` and the watch over the workers ask the same few things, and so
that futures, error codes and "does not exist" look the same to all of them. Nothing here reads or
writes records.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its names lack `__all__`
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
)

from ingest.sources.group_offsets import AGAIN_S, MOVING, asked_while_moving

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from concurrent.futures import Future

TIMEOUT_S: Final = 10.0
ATTEMPT_S: Final = 2.0
"""Where every broker refuses the connection, an attempt is enough to know."""

_LATEST: Final = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_EARLIEST: Final = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_DESERTED: Final = frozenset({ConsumerGroupState.DEAD, ConsumerGroupState.EMPTY})
_NO_TOPIC: Final = frozenset(
    {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_EXCEPTION, KafkaError.UNKNOWN_TOPIC_ID}
)
_NO_GROUP: Final = frozenset({KafkaError.GROUP_ID_NOT_FOUND, KafkaError.INVALID_GROUP_ID})


class KafkaAdminError(Exception):
    """The broker does not answer, or refuses; the message has its words and names what was asked.

    ``refused`` tells the two apart: True when it answered.
    """

    def __init__(self, message: str, *, refused: bool) -> None:
        super().__init__(message)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as it is: how many partitions, replicas of each (the fewest), its settings."""

    partitions: int
    replication_factor: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GroupState:
    """A consumer group as it is.

    ``members`` is 0 or 1 (somebody is there) unless they were counted, see `KafkaAdmin.members`.
    ``committed`` and ``lag`` are per partition of the topic asked for; a partition without a
    commit counts from its beginning.
    """

    members: int
    committed: Mapping[int, int]
    lag: Mapping[int, int]


class KafkaAdmin:
    """Asks one cluster; each call waits at most ``timeout_s`` and raises `KafkaAdminError`."""

    __slots__ = ("_admin", "_all_down", "_complaint", "_config_of_client", "_servers", "_timeout_s")

    def __init__(self, config: Mapping[str, object], timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._servers = config.get("bootstrap.servers", "")
        self._complaint = ""
        self._all_down = False
        options: dict[str, Any] = {
            "socket.timeout.ms": int(timeout_s * 1000),
            **config,
            "error_cb": self._complain,
        }
        self._config_of_client = options
        try:
            self._admin = AdminClient(options)
        except KafkaException as error:
            raise KafkaAdminError(f"Kafka's client: {_words(error)}", refused=True) from error

    def _complain(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - librdkafka's public name
            self._all_down = True
        else:
            self._complaint = error.str()

    def brokers(self) -> int:
        """Return how many brokers there are."""
        return len(self._metadata().brokers)

    def topics(self, names: Iterable[str]) -> dict[str, TopicState]:
        """Return those of ``names`` that exist.

        A topic that may not be described is an error: it must not look as if it did not exist.
        """
        found = self._metadata().topics
        states: dict[str, TopicState] = {}
        for name in names:
            if name not in found:
                self._refuse_hidden(name)
            elif found[name].error is None:
                partitions = found[name].partitions.values()
                replicas = min((len(one.replicas) for one in partitions), default=0)
                states[name] = TopicState(len(partitions), replicas, self._config(name))
        return states

    def create_topic(
        self, name: str, partitions: int, replication_factor: int, config: Mapping[str, str]
    ) -> None:
        """Create a topic; one that exists by now is left as it is."""
        topic = NewTopic(name, partitions, replication_factor, config=dict(config))
        try:
            asked = self._admin.create_topics([topic], request_timeout=self._timeout_s)
            self._result(asked[name], f"create topic {name}")
        except KafkaAdminError as error:
            if _code(error.__cause__) != KafkaError.TOPIC_ALREADY_EXISTS:
                raise

    def alter_topic(self, name: str, config: Mapping[str, str]) -> None:
        """Set these settings of a topic; the others stay."""
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
            for key, value in config.items()
        ]
        resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=entries)
        asked = self._admin.incremental_alter_configs([resource], request_timeout=self._timeout_s)
        self._result(asked[resource], f"alter topic {name}")

    def group(self, group: str, topic: str) -> GroupState:
        """Return how a group stands on a topic; one that does not exist has no members.

        Safe to ask again and again: of the admin client only what goes to any broker is used. Its
        questions to a group's coordinator can end the process when a connection drops meanwhile
        (librdkafka issues 5040 and 5397; seen with 2.16.1).
        """
        partitions = range(self._partitions(topic))
        members = int(self._has_members(group))
        committed = self.committed(group, topic, partitions)
        ends = self._offsets(topic, partitions, _LATEST)
        missing = [one for one in partitions if one not in committed]
        begins = self._offsets(topic, missing, _EARLIEST)
        lag = {one: max(ends[one] - {**begins, **committed}[one], 0) for one in partitions}
        return GroupState(members, committed, lag)

    def allowed(self, topic: str) -> frozenset[str] | None:
        """Return what we may do with a topic (READ, WRITE ...), None where it is not told."""
        asked = self._admin.describe_topics(
            TopicCollection([topic]),
            include_authorized_operations=True,
            request_timeout=self._timeout_s,
        )
        found = self._result(asked[topic], f"describe topic {topic}").authorized_operations
        return None if found is None else frozenset(one.name for one in found)

    def ends(self, topic: str) -> dict[int, int]:
        """Return the next offset of each partition of a topic."""
        return self._offsets(topic, range(self._partitions(topic)), _LATEST)

    def _metadata(self) -> Any:
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                return self._admin.list_topics(timeout=min(ATTEMPT_S, self._timeout_s))
            except KafkaException as error:
                failure = self._failure("list topics", error)
                if failure.refused or self._all_down or time.monotonic() > deadline:
                    raise failure from error

    def _config(self, topic: str) -> dict[str, str]:
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        asked = self._admin.describe_configs([resource], request_timeout=self._timeout_s)
        entries = self._result(asked[resource], f"describe topic {topic}")
        return {name: entry.value for name, entry in entries.items() if entry.value is not None}

    def _partitions(self, topic: str) -> int:
        found = self._metadata().topics.get(topic)
        if found is None:
            self._refuse_hidden(topic)
        if found is None or found.error is not None:
            raise KafkaAdminError(f"topic {topic} does not exist", refused=True)
        return len(found.partitions)

    def _refuse_hidden(self, topic: str) -> None:
        """Raise if a topic is only not shown to us: a list leaves it out, a question is refused."""
        asked = self._admin.describe_topics(
            TopicCollection([topic]), request_timeout=self._timeout_s
        )
        try:
            self._result(asked[topic], f"describe topic {topic}")
        except KafkaAdminError as error:
            if _code(error.__cause__) not in _NO_TOPIC:
                raise

    def _has_members(self, group: str) -> bool:
        """Return whether anybody is in a group; one that we may not see has nobody."""
        asked = self._admin.list_consumer_groups(request_timeout=self._timeout_s)
        found = self._result(asked, "list groups").valid
        states = {one.group_id: one.state for one in found}
        return states.get(group, ConsumerGroupState.DEAD) not in _DESERTED

    def members(self, group: str) -> int:
        """Return how many members a group has; one that does not exist has none.

        For a command that asks once: see `group` for what can happen.
        """
        deadline = time.monotonic() + self._timeout_s
        while True:
            asked = self._admin.describe_consumer_groups([group], request_timeout=self._timeout_s)
            try:
                found = self._result(asked[group], f"describe group {group}")
            except KafkaAdminError as error:
                code = _code(error.__cause__)
                if code in _NO_GROUP:
                    return 0
                if code not in MOVING or time.monotonic() > deadline:
                    raise
                time.sleep(AGAIN_S)
            else:
                return 0 if found.state is ConsumerGroupState.DEAD else len(found.members)

    def committed(self, group: str, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return what a group has committed, asked as a consumer that never joins it.

        Raises
            KafkaAdminError: the broker does not answer, or refuses.
        """
        places = [TopicPartition(topic, one) for one in partitions]
        consumer = Consumer(
            {**self._config_of_client, "group.id": group, "enable.auto.commit": False}
        )
        try:
            found = asked_while_moving(consumer, places, self._timeout_s, self._timeout_s)
        except KafkaException as error:
            if _code(error) == KafkaError._TIMED_OUT:  # noqa: SLF001 - librdkafka's own code
                self.members(group)  # a consumer that may not ask waits in vain: this is told why
            raise self._failure(f"offsets of group {group}", error) from error
        finally:
            consumer.close()
        return {one.partition: one.offset for one in found if one.offset >= 0}

    def _offsets(self, topic: str, partitions: Iterable[int], spec: OffsetSpec) -> dict[int, int]:
        places = {TopicPartition(topic, one): spec for one in partitions}
        if not places:
            return {}
        asked = self._admin.list_offsets(places, request_timeout=self._timeout_s)
        return {
            place.partition: self._result(one, f"offsets of topic {topic}").offset
            for place, one in asked.items()
        }

    def _result(self, future: Future[Any], asked: str) -> Any:
        try:
            return future.result(self._timeout_s + 1)
        except (KafkaException, TimeoutError) as error:
            raise self._failure(asked, error) from error

    def _failure(self, asked: str, error: Exception) -> KafkaAdminError:
        self._admin.poll(0)  # the reason of a transport failure comes by callback
        code = _code(error)
        refused = code is not None and code >= 0
        words = _words(error) if refused else self._complaint or _words(error)
        return KafkaAdminError(f"Kafka at {self._servers}, {asked}: {words}", refused=refused)


def _code(error: BaseException | None) -> int | None:
    if isinstance(error, KafkaException):
        code: int = error.args[0].code()
        return code
    return None


def _words(error: Exception) -> str:
    if isinstance(error, KafkaException):
        return f"{error.args[0].name()}: {error.args[0].str()}"
    return str(error) or type(error).__name__
