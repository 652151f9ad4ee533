"""Settings in, servers that are ready for workers out, with the list of what was changed.

Separate from `sinks.topics` and `sinks.elasticsearch.setup` because those know one server each, and
take plain arguments.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sinks import topics
from sinks.elasticsearch import setup as elasticsearch_setup
from sinks.elasticsearch.templates import SetupOptions
from sinks.elasticsearch.transport import NotAllowedError, SetupMissingError, UnavailableError
from sinks.kafka_admin import KafkaAdminError
from sinks.topics import TopicOptions
from worker.elasticsearch_client import connect_elasticsearch
from worker.kafka_client import client_config

if TYPE_CHECKING:
    from sinks.change import Change
    from worker.configuration import Elasticsearch, Kafka, Settings


class SetupFailedError(Exception):
    """A server could not be set up; the message names it and has its words."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is given on the command line because it matters only when topics are created."""

    partitions: int | None = None
    replication_factor: int | None = None


def topic_options(kafka: Kafka, sizes: Sizes = Sizes()) -> TopicOptions:
    """Return the topics that these settings want."""
    return TopicOptions(
        raw=kafka.raw_topic,
        quarantine=kafka.quarantine_topic,
        signals=kafka.signals_topic,
        partitions=sizes.partitions,
        replication_factor=sizes.replication_factor,
        raw_retention_s=kafka.raw_retention_hours * 3600,
        quarantine_retention_s=kafka.quarantine_retention_days * topics.DAY_S,
    )


def elasticsearch_options(settings: Elasticsearch, version: str) -> SetupOptions:
    """Return the templates that these settings want."""
    return SetupOptions(settings.prefix, settings.replicas, version)


def set_up_kafka(settings: Settings, sizes: Sizes, *, dry_run: bool) -> list[Change]:
    """Make the topics, or only say what would be made.

    Raises
        SetupFailedError: the broker does not answer or refuses.
        worker.configuration.InvalidSettingsError: a file of the connection cannot be read.
    """
    act = topics.changes if dry_run else topics.apply
    try:
        return act(client_config(settings.kafka), topic_options(settings.kafka, sizes))
    except KafkaAdminError as error:
        raise SetupFailedError(str(error)) from error


def set_up_elasticsearch(settings: Settings, version: str, *, dry_run: bool) -> list[Change]:
    """Make the templates, or only say what would be made; nothing without `elasticsearch.url`.

    Raises
        SetupFailedError: the node does not answer or refuses.
        worker.configuration.InvalidSettingsError: settings of the connection cannot be used.
    """
    if settings.elasticsearch.url is None:
        return []
    act = elasticsearch_setup.changes if dry_run else elasticsearch_setup.apply
    options = elasticsearch_options(settings.elasticsearch, version)
    try:
        with closing(connect_elasticsearch(settings.elasticsearch)) as client:
            return act(client, options)
    except (NotAllowedError, SetupMissingError, UnavailableError) as error:
        raise SetupFailedError(f"Elasticsearch: {error}") from error
