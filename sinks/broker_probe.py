"""Is a broker there: a client's settings go in, None or the reason why not comes out.

Separate from what uses topics, because it must answer while there is no broker at all, and must
leave nothing behind on one that somebody else runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

TOPIC: Final = "trailwarden-probe"
TIMEOUT_S: Final = 2.0


class BrokerProbe:
    """One connection that asks as often as wanted; a context manager."""

    def __init__(self, config: Mapping[str, object]) -> None:
        self._last_error: str | None = None
        settings: dict[str, Any] = {"reconnect.backoff.max.ms": 250, "log_level": 0, **config}
        settings["error_cb"] = self._keep
        self._admin = AdminClient(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del self._admin

    def trouble(self) -> str | None:
        """Return None if the broker answers and its controller would create a topic.

        The topic is only validated: nothing is created. Blocks for `TIMEOUT_S` twice at most.
        """
        self._last_error = None
        try:
            self._admin.list_topics(timeout=TIMEOUT_S)
            asked = self._admin.create_topics(
                [NewTopic(TOPIC, num_partitions=1, replication_factor=1)],
                validate_only=True,
                request_timeout=TIMEOUT_S,
            )
            asked[TOPIC].result()
        except KafkaException as error:
            reason = error.args[0]
            if reason.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return None
            self._admin.poll(0)
            return self._last_error or str(reason.str())
        return None

    def _keep(self, error: KafkaError) -> None:
        """Keep what the connection failed for: the request itself only says "timed out"."""
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - librdkafka's public name
            self._last_error = str(error.str())
