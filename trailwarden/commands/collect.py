"""Commands that bring records to Kafka; each runs until it is told to stop.

Separate so that `--help` answers at once: what they do is imported when they run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def collect() -> None:
    """Bring audit records to Kafka."""


Config = Annotated[
    Path | None,
    typer.Option(metavar="FILE", envvar="TRAILWARDEN_CONFIG", help="File of settings, YAML."),
]

_WEBHOOK_EXAMPLES = """
Examples:

\b
  trailwarden collect webhook --config /etc/trailwarden.yml
  trailwarden collect webhook --listen 127.0.0.1:8443
  trailwarden collect webhook --listen 0.0.0.0:8443 --certificate tls.crt --key tls.key \\
      --tokens tokens.txt

\b
The API server is told of it by --audit-webhook-config-file, a kubeconfig whose server is
https://HOST:8443/audit/CLUSTER. It gets 200 only when Kafka has every event of its batch.

\b
Exit code:
  0  told to stop (SIGTERM), and everything that was taken is in Kafka
  1  Kafka's client gave up
  2  wrong usage or settings
"""


@app.command(epilog=_WEBHOOK_EXAMPLES)
def webhook(
    *,
    config: Config = None,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Address to listen on.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PEM of the server's certificate.")
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="PEM of its key.")] = None,
    client_ca: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="PEM of the authority that client certificates need."),
    ] = None,
    tokens: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Bearer tokens, `CLUSTER TOKEN` a line.")
    ] = None,
) -> None:
    """Receive what API servers' audit webhook backends send."""
    from trailwarden.collect_webhook_command import run_webhook  # noqa: PLC0415 - loads Kafka

    options = {
        "certificate_file": certificate,
        "key_file": key,
        "client_ca_file": client_ca,
        "tokens_file": tokens,
    }
    raise typer.Exit(run_webhook(config, listen, options))


_TAIL_EXAMPLES = """
Examples:

\b
  trailwarden collect tail --config /etc/trailwarden.yml
  trailwarden collect tail --cluster prod-eu '/var/log/kubernetes/audit*.log*'

\b
The patterns should name rotated files, too, compressed or not: what was rotated while the collector
was down is read from them. How far each file is in Kafka stands in tail.checkpoint_file.

\b
Exit code:
  0  told to stop (SIGTERM); the next start goes on from there
  1  Kafka's client gave up
  2  wrong usage or settings
"""


@app.command(epilog=_TAIL_EXAMPLES)
def tail(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[PATTERN]...", help="Files or glob patterns.")
    ] = None,
    *,
    config: Config = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="NAME", help="Cluster that the files come from.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="How far each file was sent.")
    ] = None,
) -> None:
    """Follow audit log files through rotation, copies, compression and restarts."""
    from trailwarden.collect_commands import run_tail  # noqa: PLC0415 - loads Kafka

    raise typer.Exit(run_tail(config, paths or [], cluster, checkpoint))


_KAFKA_EXAMPLES = """
Examples:

\b
  trailwarden collect kafka --config /etc/trailwarden.yml

\b
Moves what Fluent Bit, Vector and other shippers wrote to the topics `inbox.*` to `raw`. The topic
says which cluster: inbox.clusters in the settings, else what follows the prefix. Run as many as
there is work; partitions are shared among them.

\b
Exit code:
  0  told to stop (SIGTERM): what was moved is committed
  1  Kafka's client gave up
  2  wrong usage or settings
"""


@app.command(epilog=_KAFKA_EXAMPLES)
def kafka(*, config: Config = None) -> None:
    """Move records from the topics of foreign shippers to `raw`."""
    from trailwarden.collect_commands import run_kafka  # noqa: PLC0415 - loads Kafka

    raise typer.Exit(run_kafka(config))
