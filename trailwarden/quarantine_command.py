"""Options of `quarantine list|show|replay` in, text and exit code out.

Separate from the declaration of the commands because it loads Kafka's client. What is printed was
redacted before it was stored; what cannot be seen in it (hostile names) is made visible.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.message import printable
from ingest.visible import visible
from sinks.quarantine import (
    CLUSTER,
    DETAIL,
    ID,
    OFFSET,
    PARTITION,
    REASON,
    RECEIVED,
    SIZE,
    TOPIC,
    read,
)
from sinks.replay import Outcome, replay
from sinks.topic_reader import TopicUnreadableError
from trailwarden.exit_code import ExitCode
from trailwarden.since import InvalidTimeError, parse_since, read_time
from worker.configuration import InvalidSettingsError, load_settings
from worker.kafka_client import client_config

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Document = dict[str, Any]

ID_SHOWN: Final = 12
"""Characters of an id in the table: enough to be the only one."""

_GOOD: Final = {Outcome.REPLAYED, Outcome.FOUND}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which documents; None and no names are all. ``since`` is a time, or a duration before now."""

    cluster: str | None = None
    reason: str | None = None
    since: str | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Broker:
    config: dict[str, object]
    topic: str


class UsageError(Exception):
    """An option that means nothing; the message says which and why."""


def run_list(config: Path | None, wanted: Wanted, *, as_json: bool) -> int:
    """Print the documents that are wanted, by the time they were received."""

    def run(broker: _Broker) -> int:
        found = _found(broker, wanted)
        if as_json:
            for document in found:
                typer.echo(orjson.dumps(document))
        else:
            _print_table(found)
        return ExitCode.OK

    return _guarded(config, run)


def run_show(config: Path | None, name: str) -> int:
    """Print one document."""

    def run(broker: _Broker) -> int:
        found = _found(broker, Wanted(names=(name,)))
        if len(found) != 1:
            typer.echo(f"trailwarden: {len(found)} documents' ids begin so: {name}", err=True)
            return ExitCode.INPUT_UNREADABLE
        for member, value in found[0].items():
            typer.echo(f"{member}: {_whole(value)}")
        return ExitCode.OK

    return _guarded(config, run)


def run_replay(config: Path | None, wanted: Wanted, *, is_dry: bool) -> int:
    """Replay the documents that are wanted; one line each."""

    def run(broker: _Broker) -> int:
        if not wanted.names and not wanted.reason:
            raise UsageError("say which: ids, or --reason")
        found = _found(broker, wanted)
        missing = [n for n in wanted.names if not any(d[ID].startswith(n) for d in found)]
        for name in missing:
            typer.echo(f"{printable(name)} unknown: no document's id begins so")
        is_good = not missing
        for done in replay(broker.config, found, is_dry=is_dry):
            is_good &= done.outcome in _GOOD
            typer.echo(f"{done.id[:ID_SHOWN]} {done.outcome.value}: {printable(done.detail)}")
        return ExitCode.OK if is_good else ExitCode.INPUT_UNREADABLE

    return _guarded(config, run)


def _guarded(config: Path | None, run: Callable[[_Broker], int]) -> int:
    try:
        kafka = load_settings(config).kafka
        return run(_Broker(client_config(kafka), kafka.quarantine_topic))
    except (InvalidSettingsError, InvalidTimeError, UsageError) as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.USAGE
    except TopicUnreadableError as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.INPUT_UNREADABLE


def _found(broker: _Broker, wanted: Wanted) -> list[Document]:
    since = parse_since(wanted.since, datetime.now(UTC))
    found = [d for d in read(broker.config, broker.topic) if _is_wanted(d, wanted, since)]
    return sorted(found, key=lambda document: (str(document.get(RECEIVED)), document[ID]))


def _is_wanted(document: Mapping[str, Any], wanted: Wanted, since: datetime | None) -> bool:
    received = read_time(document.get(RECEIVED))
    return (
        wanted.cluster in {None, document.get(CLUSTER)}
        and wanted.reason in {None, document.get(REASON)}
        and (since is None or (received is not None and received >= since))
        and (not wanted.names or document[ID].startswith(wanted.names))
    )


def _whole(value: object) -> str:
    """Return a value in full, on one line, with what cannot be seen made visible."""
    return visible(value if isinstance(value, str) else orjson.dumps(value).decode())


def _print_table(documents: list[Document]) -> None:
    table = Table(box=None, header_style="bold")
    for title in ("id", "received", "cluster", "reason", "bytes", "place", "detail"):
        table.add_column(title, no_wrap=title in {"id", "received"})
    for document in documents:
        table.add_row(*map(Text, _row(document)))
    Console(soft_wrap=False).print(table)
    typer.echo(f"{len(documents)} in quarantine", err=True)


def _row(document: Mapping[str, Any]) -> list[str]:
    place = "/".join(str(document[n]) for n in (TOPIC, PARTITION, OFFSET) if n in document)
    values = [
        document[ID][:ID_SHOWN],
        str(document.get(RECEIVED) or "")[:19],
        document.get(CLUSTER) or "",
        document.get(REASON) or "",
        document.get(SIZE, ""),
        place,
        document.get(DETAIL) or "",
    ]
    return [printable(str(value)) for value in values]
