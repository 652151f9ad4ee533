"""A scan's folder or Elasticsearch in, documents of findings out, the newest first.

Separate from printing because `findings list`, `show` and `verdict` look in the same places and
mean the same by what they filter by.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

import orjson

from detectors.sigma.rule import Level
from sinks.elasticsearch.triage import find_finding, search_findings
from trailwarden.source_kind import FINDINGS_FILE
from worker.configuration import InvalidSettingsError, load_settings
from worker.elasticsearch_client import connect_elasticsearch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from sinks.elasticsearch.connection import Client
    from sinks.elasticsearch.triage import HeldFinding
    from worker.configuration import Settings

Document = dict[str, Any]

ID: Final = "trailwarden.finding.id"
TIME: Final = "@timestamp"
CLUSTER: Final = "orchestrator.cluster.name"
RULE: Final = "rule.id"
RULE_NAME: Final = "rule.name"
SEVERITY: Final = "trailwarden.severity"
MESSAGE: Final = "message"
VERDICT: Final = "trailwarden.triage.verdict"


class FindingsUnreadableError(Exception):
    """A file that holds no findings; the message names it and the line."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where findings are looked for: a scan's folder, else Elasticsearch."""

    config: Path | None = None
    scan: Path | None = None
    elasticsearch: str | None = None

    def settings(self) -> Settings:
        """Return the settings, in which the option's address wins.

        Raises
            InvalidSettingsError: they cannot be used.
        """
        settings = load_settings(self.config)
        if self.elasticsearch is None:
            return settings
        elastic = settings.elasticsearch.model_copy(update={"url": self.elasticsearch})
        return settings.model_copy(update={"elasticsearch": elastic})


@dataclass(frozen=True, slots=True)
class Filters:
    """Which findings; None is all. ``severity`` is the least."""

    cluster: str | None = None
    rule: str | None = None
    severity: Level | None = None
    since: datetime | None = None

    @property
    def severities(self) -> list[str]:
        """Return the severities that are wanted."""
        every = list(Level)
        return [one.value for one in every[every.index(self.severity or every[0]) :]]


def listed(source: Source, filters: Filters, limit: int) -> list[Document]:
    """Return the newest findings that are wanted.

    Raises
        FindingsUnreadableError, OSError: the folder's file cannot be read.
        InvalidSettingsError: neither a folder nor an address is given.
        sinks.elasticsearch.transport errors: Elasticsearch refuses, or is not there.
    """
    if source.scan is not None:
        found = [one for one in _in_folder(source.scan) if _is_wanted(one, filters)]
        return sorted(found, key=lambda one: str(one.get(TIME)), reverse=True)[:limit]
    settings = source.settings()
    client = connected(settings)
    try:
        held = search_findings(client, settings.elasticsearch.prefix, _clauses(filters), limit)
        return [dict(one.document) for one in held]
    finally:
        client.close()


def named(source: Source, name: str) -> list[Document]:
    """Return the findings whose ids begin with ``name``, two at most; raises as `listed`."""
    if source.scan is not None:
        return [one for one in _in_folder(source.scan) if one[ID].startswith(name)][:2]
    settings = source.settings()
    client = connected(settings)
    try:
        return [dict(one.document) for one in held_as(client, settings, name)]
    finally:
        client.close()


def connected(settings: Settings) -> Client:
    """Return a client of Elasticsearch.

    Raises
        InvalidSettingsError: there is no address, or it cannot be used.
    """
    if settings.elasticsearch.url is None:
        raise InvalidSettingsError(
            "say where the findings are: --scan, --elasticsearch, or elasticsearch.url"
        )
    return connect_elasticsearch(settings.elasticsearch)


def held_as(client: Client, settings: Settings, name: str) -> list[HeldFinding]:
    """Return the findings in Elasticsearch whose ids begin with ``name``, two at most."""
    return find_finding(client, settings.elasticsearch.prefix, name)


def _in_folder(folder: Path) -> Iterator[Document]:
    path = folder / FINDINGS_FILE
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                document = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise FindingsUnreadableError(f"{path}, line {number}: no JSON") from error
            if not isinstance(document, dict) or not isinstance(document.get(ID), str):
                raise FindingsUnreadableError(f"{path}, line {number}: no finding")
            yield document


def _is_wanted(document: Mapping[str, Any], filters: Filters) -> bool:
    return (
        filters.cluster in {None, document.get(CLUSTER)}
        and filters.rule in {None, document.get(RULE)}
        and document.get(SEVERITY) in filters.severities
        and (filters.since is None or str(document.get(TIME)) >= _text(filters.since))
    )


def _clauses(filters: Filters) -> list[dict[str, Any]]:
    clauses: list[dict[str, Any]] = [{"terms": {SEVERITY: filters.severities}}]
    if filters.cluster is not None:
        clauses.append({"term": {CLUSTER: filters.cluster}})
    if filters.rule is not None:
        clauses.append({"term": {RULE: filters.rule}})
    if filters.since is not None:
        clauses.append({"range": {TIME: {"gte": _text(filters.since)}}})
    return clauses


def _text(time: datetime) -> str:
    """Return a time as documents have it (detectors.finding): UTC, six digits, Z."""
    utc = time.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='microseconds')}Z"
