"""Commands that bring records to Kafka; each runs until it is told to stop.

Separate so that `--help` answers at once: what they do is imported when they run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trailwarden.commands.options import Config  # noqa: TC001 - typer reads the annotations

app = typer.Typer(no_args_is_help=True)


@app.callback()
def collect() -> None:
    """Bring records to Kafka."""


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


Listen = Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Address to listen on.")]
Certificate = Annotated[
    Path | None, typer.Option(metavar="FILE", help="PEM of the server's certificate.")
]
Key = Annotated[Path | None, typer.Option(metavar="FILE", help="PEM of its key.")]
ClientCa = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="PEM of the authority that client certificates need."),
]
Tokens = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Bearer tokens, `CLUSTER TOKEN` a line.")
]


def _credentials(
    certificate: Path | None, key: Path | None, client_ca: Path | None, tokens: Path | None
) -> dict[str, Path | None]:
    """Return a listener's files by their settings."""
    return {
        "certificate_file": certificate,
        "key_file": key,
        "client_ca_file": client_ca,
        "tokens_file": tokens,
    }


@app.command(epilog=_WEBHOOK_EXAMPLES)
def webhook(
    *,
    config: Config = None,
    listen: Listen = None,
    certificate: Certificate = None,
    key: Key = None,
    client_ca: ClientCa = None,
    tokens: Tokens = None,
) -> None:
    """Receive what API servers' audit webhook backends send."""
    from trailwarden.collect_webhook_command import run_webhook  # noqa: PLC0415 - loads Kafka

    files = _credentials(certificate, key, client_ca, tokens)
    raise typer.Exit(run_webhook(config, listen, files))


_FALCO_EXAMPLES = """
Examples:

\b
  trailwarden collect falco --config /etc/trailwarden.yml
  trailwarden collect falco --listen 127.0.0.1:8444
  trailwarden collect falco --listen 0.0.0.0:8444 --certificate tls.crt --key tls.key \\
      --client-ca clients.crt

\b
Falco is told of it by http_output (url https://HOST:8444/falco/CLUSTER, json_output true),
falcosidekick by its webhook output. Both get 200 only when Kafka has every alert of the request:
an object, an array, or one object a line. Tracee's webhook output may send here, too.

\b
Exit code:
  0  told to stop (SIGTERM), and everything that was taken is in Kafka
  1  Kafka's client gave up
  2  wrong usage or settings
"""


@app.command(epilog=_FALCO_EXAMPLES)
def falco(
    *,
    config: Config = None,
    listen: Listen = None,
    certificate: Certificate = None,
    key: Key = None,
    client_ca: ClientCa = None,
    tokens: Tokens = None,
) -> None:
    """Receive the alerts of Falco and falcosidekick."""
    from trailwarden.collect_webhook_command import run_falco  # noqa: PLC0415 - loads Kafka

    files = _credentials(certificate, key, client_ca, tokens)
    raise typer.Exit(run_falco(config, listen, files))


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


_S3_EXAMPLES = """
Examples:

\b
  trailwarden collect s3 s3://audit-exports/clusters?region=eu-west-1
  trailwarden collect s3 gs://audit-exports --cluster prod-eu
  trailwarden collect s3 abfss://insights-logs-kube-audit@account.dfs.core.windows.net/
  trailwarden collect s3 /mnt/exports --checkpoint /var/lib/trailwarden/exports.json

\b
Reads all objects below the address, compressed or not, and what is new each minute. Credentials are
found as the cloud's own clients find them. Envelopes of CloudWatch, Cloud Logging and Event Hubs
are opened and name the cluster, unless --cluster does.

\b
Exit code:
  0  told to stop (SIGTERM); the next start goes on from there
  1  Kafka's client gave up
  2  wrong usage or settings
"""


@app.command(epilog=_S3_EXAMPLES)
def s3(
    address: Annotated[
        str | None, typer.Argument(metavar="[ADDRESS]", help="Folder of an object store.")
    ] = None,
    *,
    config: Config = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="NAME", help="Cluster that the records come from.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Which objects were sent.")
    ] = None,
) -> None:
    """Send audit exports in object stores: S3, Google Cloud Storage, Azure, local folders."""
    from trailwarden.collect_commands import run_s3  # noqa: PLC0415 - loads Kafka

    raise typer.Exit(run_s3(config, address, cluster, checkpoint))
