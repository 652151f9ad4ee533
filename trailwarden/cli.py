"""The commands and their options; what they do is imported when they run.

Separate so that `--help` answers at once: Polars, PyArrow and the rules load only for a command
that needs them.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trailwarden import __version__
from trailwarden.commands import (
    collect,
    entity,
    findings,
    kibana,
    models,
    quarantine,
    retention,
    rules,
    services,
)
from trailwarden.commands.doctor import DOCTOR_EXAMPLES, doctor
from trailwarden.commands.evaluate import EXAMPLES as EVALUATE_EXAMPLES
from trailwarden.commands.evaluate import evaluate
from trailwarden.commands.ledger import EXAMPLES as LEDGER_EXAMPLES
from trailwarden.commands.ledger import ledger
from trailwarden.commands.options import (
    Level,  # noqa: TC001 - typer reads the annotations
    RuleFolders,  # noqa: TC001 - as above
)
from trailwarden.commands.policy import EXAMPLES as POLICY_EXAMPLES
from trailwarden.commands.policy import policy
from trailwarden.commands.replay import EXAMPLES as REPLAY_EXAMPLES
from trailwarden.commands.replay import replay
from trailwarden.commands.run import EXAMPLES as RUN_EXAMPLES
from trailwarden.commands.run import run
from trailwarden.commands.setup import SETUP_EXAMPLES, setup
from trailwarden.commands.simulate import EXAMPLES as SIMULATE_EXAMPLES
from trailwarden.commands.simulate import simulate
from trailwarden.commands.train import EXAMPLES as TRAIN_EXAMPLES
from trailwarden.commands.train import train
from trailwarden.commands.verify import EXAMPLES as VERIFY_EXAMPLES
from trailwarden.commands.verify import verify

app = typer.Typer(
    name="trailwarden",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Format(StrEnum):
    """Formats of input."""

    AUTO = "auto"
    KUBERNETES_AUDIT = "kubernetes-audit"


def _show_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"trailwarden {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda wanted: _show_version(wanted=wanted),
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Find abnormal logins, unauthorized installs and key-file changes in Kubernetes audit logs."""


_SCAN_EXAMPLES = """
Examples:

\b
  trailwarden scan audit.log
  trailwarden scan /var/log/kubernetes --cluster prod-eu --out findings/
  ssh control-plane cat /var/log/kubernetes/audit.log | trailwarden scan -
  trailwarden scan logs/ --cluster-from-file --fail-on high
  trailwarden scan audit.log --elasticsearch https://es:9200 --config tw.yml

\b
Writes to the folder --out:
  findings.ndjson    one finding a line, as it would go to Elasticsearch
  events.parquet     every event, normalized and redacted, for notebooks
  quarantine.ndjson  records that could not become events, and why
  report.html        all of it on one page, for people

\b
Exit code:
  0  done
  1  some input could not be read: a file, or records that are in quarantine;
     the rest was processed. Or Elasticsearch cannot be written to: not set up,
     no right to, or not there
  2  wrong usage, or a rule that was refused
  3  --fail-on was met (whatever could not be read besides)
"""


@app.command(epilog=_SCAN_EXAMPLES)
def scan(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Files, folders, or - for standard input."),
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder for the results; made if missing.")] = Path(
        "trailwarden-out"
    ),
    cluster: Annotated[
        str | None, typer.Option(metavar="NAME", help="Cluster that the logs come from.")
    ] = None,
    cluster_from_file: Annotated[
        bool, typer.Option("--cluster-from-file", help="Each file is a cluster, named by its stem.")
    ] = False,
    input_format: Annotated[
        Format,
        typer.Option(
            "--format", metavar="FORMAT", help="Format of the input: auto or kubernetes-audit."
        ),
    ] = Format.AUTO,
    rules: RuleFolders = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CIDR",
            help="Network of a proxy whose X-Forwarded-For is believed; may be repeated.",
        ),
    ] = None,
    redaction_key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="TRAILWARDEN_REDACTION_KEY_FILE",
            help="Key (1 to 64 bytes) under which equal secrets get equal tokens; "
            "without it, tokens compare within one run only.",
        ),
    ] = None,
    fail_on: Annotated[
        Level | None,
        typer.Option(
            metavar="SEVERITY",
            help="Exit with 3 if there is a finding of this severity or above: informational, "
            "low, medium, high or critical.",
        ),
    ] = None,
    elasticsearch: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Also write events and findings there, with the ids of the service; "
            "credentials come from --config.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="TRAILWARDEN_CONFIG",
            help="File of settings, YAML: the site's lists and exceptions, and Elasticsearch.",
        ),
    ] = None,
) -> None:
    """Scan audit logs without any server: findings, a report and a table of events."""
    from trailwarden.scan_command import ScanOptions, run_scan  # noqa: PLC0415 - loads Polars

    options = ScanOptions(
        paths=paths,
        out=out,
        cluster=cluster,
        cluster_from_file=cluster_from_file,
        rules=rules or [],
        trusted_proxies=trusted_proxy or [],
        redaction_key_file=redaction_key_file,
        fail_on=fail_on,
        elasticsearch=elasticsearch,
        config=config,
    )
    raise typer.Exit(run_scan(options, str(input_format)))


app.command(epilog=RUN_EXAMPLES)(run)
app.add_typer(collect.app, name="collect")
app.command(epilog=SETUP_EXAMPLES)(setup)
app.command(epilog=DOCTOR_EXAMPLES)(doctor)
app.command(epilog=LEDGER_EXAMPLES)(ledger)
app.command(epilog=TRAIN_EXAMPLES)(train)
app.command(epilog=EVALUATE_EXAMPLES)(evaluate)
app.add_typer(findings.app, name="findings")
app.add_typer(entity.app, name="entity")
app.add_typer(models.app, name="models")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(retention.app, name="retention")
app.add_typer(rules.app, name="rules")
app.command(epilog=VERIFY_EXAMPLES)(verify)
app.add_typer(services.app, name="services")
app.add_typer(kibana.app, name="kibana")
app.command(epilog=POLICY_EXAMPLES)(policy)
app.command(epilog=REPLAY_EXAMPLES)(replay)
app.command(epilog=SIMULATE_EXAMPLES)(simulate)
