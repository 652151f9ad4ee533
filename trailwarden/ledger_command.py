"""Options of `ledger` in, a table or JSON and an exit code out.

Separate from the declaration of the command because it loads Kafka's client and PyArrow.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.message import printable
from sinks.apiserver_metrics import AuditCounters, MetricsUnreadableError, read_audit_counters
from sinks.archive import ArchiveDamagedError, Counts
from sinks.topic_reader import TopicUnreadableError
from trailwarden.exit_code import ExitCode
from trailwarden.since import InvalidTimeError, parse_since
from worker.accounting import Stores, take_ledger
from worker.configuration import InvalidSettingsError, Settings, load_settings, secret
from worker.kafka_client import client_config

if TYPE_CHECKING:
    from pathlib import Path

    from sinks.archive.segment import ClusterHour
    from worker.ledger import Difference, PartitionLedger

_COLUMNS = ("events", "repeats", "late", "quarantined", "canaries", "unwanted", "extra")


@dataclass(frozen=True, slots=True)
class ApiServer:
    """Where an API server's metrics are."""

    metrics: str
    token_file: Path | None
    ca_file: Path | None


def run_ledger(
    config: Path | None, since: str | None, api_server: ApiServer | None, *, as_json: bool
) -> int:
    """Take the ledger and print it."""
    try:
        settings = load_settings(config)
        start = parse_since(since, datetime.now(UTC))
        counters = _counters(api_server)
        partitions = take_ledger(_stores(settings), start)
    except (InvalidSettingsError, InvalidTimeError) as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.USAGE
    except (TopicUnreadableError, ArchiveDamagedError, MetricsUnreadableError, OSError) as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.INPUT_UNREADABLE
    if as_json:
        typer.echo(orjson.dumps(_as_json(partitions, counters), option=orjson.OPT_INDENT_2))
    else:
        _print(partitions, counters)
    is_good = not any(partition.differences for partition in partitions)
    return ExitCode.OK if is_good else ExitCode.INPUT_UNREADABLE


def _stores(settings: Settings) -> Stores:
    kafka = settings.kafka
    return Stores(
        config=client_config(kafka),
        raw=kafka.raw_topic,
        quarantine=kafka.quarantine_topic,
        group=kafka.group,
        archive=settings.store.folder / "archive",
    )


def _counters(api_server: ApiServer | None) -> AuditCounters | None:
    if api_server is None:
        return None
    token = secret(None, api_server.token_file)
    return read_audit_counters(api_server.metrics, token, api_server.ca_file)


def _totals(partitions: list[PartitionLedger]) -> dict[ClusterHour, tuple[int, Counts]]:
    """Return what was received and what became of it, per cluster and hour of all partitions."""
    received: Counter[ClusterHour] = Counter()
    counts: dict[ClusterHour, Counts] = {}
    for partition in partitions:
        received.update(partition.received)
        for place, found in partition.counts.items():
            counts[place] = counts.get(place, Counts()) + found
    places = sorted(received.keys() | counts.keys())
    return {place: (received[place], counts.get(place, Counts())) for place in places}


def _as_json(partitions: list[PartitionLedger], counters: AuditCounters | None) -> dict[str, Any]:
    return {
        "accounted": not any(partition.differences for partition in partitions),
        "hours": [
            {"cluster": cluster, "hour": hour, "received": received, **asdict(counts)}
            for (cluster, hour), (received, counts) in _totals(partitions).items()
        ],
        "partitions": [
            {
                **asdict(partition.log),
                "compared_from": partition.compared_from,
                "archived": partition.archived,
                "pending": partition.pending,
            }
            for partition in partitions
        ],
        "differences": [asdict(d) for partition in partitions for d in partition.differences],
        "apiserver": None if counters is None else asdict(counters),
    }


def _print(partitions: list[PartitionLedger], counters: AuditCounters | None) -> None:
    table = Table(box=None, header_style="bold")
    for title in ("cluster", "hour (UTC)", "received", *_COLUMNS):
        table.add_column(title, justify="left" if title in {"cluster", "hour (UTC)"} else "right")
    for (cluster, hour), (received, counts) in _totals(partitions).items():
        figures = [received, *(getattr(counts, name) for name in _COLUMNS)]
        place = [printable(cluster), f"{hour:%Y-%m-%d %H}h"]
        table.add_row(*map(Text, [*place, *(f"{figure:,}" for figure in figures)]))
    Console(soft_wrap=False).print(table)
    for line in _notes(partitions):
        typer.echo(line)
    if counters is not None:
        errors = ", ".join(f"{printable(name)} {n:,}" for name, n in counters.errors.items())
        typer.echo(f"API server: {counters.events:,} audit events, errors: {errors or 'none'}")
    differences = [d for partition in partitions for d in partition.differences]
    for difference in differences:
        typer.echo(_sentence(difference))
    typer.echo(
        f"differences: {len(differences)}" if differences else "every record is accounted for"
    )


def _notes(partitions: list[PartitionLedger]) -> list[str]:
    """Say what was not compared: not there yet, or not there any more."""
    notes = [
        f"partition {p.log.partition}: compared from offset {p.compared_from} on, what is older is "
        + ("no longer retained" if p.log.start == p.log.low else "before the time asked for")
        for p in partitions
        if p.compared_from and p.log.start
    ]
    pending = sum(partition.pending for partition in partitions)
    return [*notes, f"pending, behind the archive: {pending:,}"]


def _sentence(difference: Difference) -> str:
    place = [f"partition {difference.partition}"]
    if difference.cluster is not None and difference.hour is not None:
        place += [printable(difference.cluster), f"{difference.hour:%Y-%m-%d %H}h"]
    return f"{', '.join(place)}: {difference.kind.value}: {difference.detail}"
