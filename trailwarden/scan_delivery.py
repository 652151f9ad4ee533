"""`scan --elasticsearch`: an address and a file of settings become a delivery, its counts a line.

Separate from the scan because only a scan that delivers loads the client.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from worker.configuration import InvalidSettingsError, load_settings
from worker.delivery import Delivery, Patience
from worker.elasticsearch_client import connect_elasticsearch

if TYPE_CHECKING:
    from sinks.elasticsearch.bulk import BulkCounts
    from worker.configuration import Settings


def delivery_to(url: str, settings: Settings | None) -> Delivery:
    """Connect, and see to it that all is set up.

    Parameters
        settings: None: those of the environment alone.

    Raises
        typer.BadParameter: settings that cannot be used.
        worker.scan.DeliveryFailedError: Elasticsearch is not there, or not as needed.
    """
    try:
        settings = settings or load_settings(None)
        elastic = settings.elasticsearch.model_copy(update={"url": url})
        client = connect_elasticsearch(elastic)
    except InvalidSettingsError as error:
        raise typer.BadParameter(str(error)) from error
    settings = settings.model_copy(update={"elasticsearch": elastic})
    patience = Patience(lambda line: typer.echo(line, err=True))
    delivery = Delivery(client, settings, datetime.now(UTC), patience)
    delivery.begin()
    return delivery


def written(counts: BulkCounts) -> str:
    """Say what became of documents."""
    parts = [f"{counts.created:,} documents written", f"{counts.repeated:,} were there already"]
    if counts.outofrange:
        parts.append(f"{counts.outofrange:,} of them out of range because their day is closed")
    if counts.poisoned:
        parts.append(f"{counts.poisoned:,} refused (quarantine.ndjson)")
    return f"Elasticsearch: {', '.join(parts)}."
