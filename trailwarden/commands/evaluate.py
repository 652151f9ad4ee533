"""The command that tries a model on labelled events; what it does is imported when it runs."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import Annotated

import typer

from trailwarden.commands.options import AsJson, Config  # noqa: TC001 - typer reads annotations

EXAMPLES = """
Examples:

\b
  trailwarden evaluate trailwarden-models/session-forest/VERSION audit.log.gz \\
      --labels labels.jsonl --trusted-key ed25519:...
  trailwarden evaluate MODEL events.parquet --labels labels.jsonl --budget 5 --out page/
  trailwarden evaluate MODEL /var/lib/trailwarden/archive --config tw.yml

\b
Only events from the end of the model's training on are scored. Where SOURCE
holds the time of training as well, three simple methods learn from it and are
compared: a z-score of volume, plain frequency, and an isolation forest on raw
counts. A budget is a number of findings per 10,000 events.

\b
Labels are lines of JSON with auditID, stage, uri, role (attack, derived,
bootstrap, harness), scenario and round. What is not listed is ordinary.

\b
Verdicts of people (`trailwarden findings verdict`) that SOURCE, an archive,
holds are counted apart: of the model's findings that were judged, how many
are true. Without labels that is all that is told: nothing is compared.

\b
Writes to the folder --out: evaluation.json and evaluation.html.

\b
Exit code:
  0  done
  1  the model is refused, or labels or events cannot be read
  2  wrong usage, or scikit-learn is not installed
"""


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of one version.")],
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A log, an events.parquet, a scan's folder or an archive."
        ),
    ],
    *,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="What is true: lines of JSON. Without it, verdicts count alone."
        ),
    ] = None,
    budget: Annotated[
        list[float] | None,
        typer.Option(
            metavar="N", min=0, help="Findings per 10,000 events; may be repeated. 5, 20 and 50."
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="First time; not before training ended."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="End; events lie before it.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="NAME", help="Cluster that a log comes from.")
    ] = None,
    trusted_key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY",
            help="Public key whose models are loaded, `ed25519:...`; may be repeated. Without it, "
            "those of the settings.",
        ),
    ] = None,
    config: Config = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the page; made if missing.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Try a model on labelled or judged events: precision, recall, time until attacks are told."""
    from trailwarden.evaluate_command import (  # noqa: PLC0415 - loads Polars
        EvaluateOptions,
        run_evaluate,
    )

    options = EvaluateOptions(
        model=model,
        source=source,
        labels=labels,
        budgets=tuple(budget or (5.0, 20.0, 50.0)),
        start=start,
        end=end,
        cluster=cluster,
        trusted_keys=tuple(trusted_key or ()),
        config=config,
        out=out,
        as_json=as_json,
    )
    raise typer.Exit(run_evaluate(options))
