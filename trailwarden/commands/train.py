"""The command that makes a model from events; what it does is imported when it runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads annotations
from typing import Annotated

import typer

from trailwarden.commands.options import Config  # noqa: TC001 - typer reads annotations

EXAMPLES = """
Examples:

\b
  trailwarden models key models.pem
  trailwarden train --config /etc/trailwarden.yml --key models.pem
  trailwarden train /var/lib/trailwarden/archive --key models.pem --to 2026-11-15
  trailwarden train audit.log.gz --kind login --key models.pem --out models/

\b
Learns from time that is taken to be ordinary: leave attacks out with --from
and --to. A profile leaves out what the rules of the settings find, at medium or
above. Writes DIR/NAME/VERSION, signed; `trailwarden models promote` puts it to
use. The same events, rules and seed give the same files.

\b
The end of the time (--hold-out) is first tried, then learned as well; what came
out stands in the manifest, and `trailwarden models show` shows it.

\b
Kinds:
  profile            what each identity does, from where: the service begins
                     with it and goes on learning
  session-forest     five minutes of an identity, by an isolation forest
  session-histogram  the same, by histograms
  volume             classes of actions of a cluster, by hour of the week
  login              how, from where and with what identities come in

\b
All but profile need scikit-learn: pip install 'trailwarden[training]'. Workers
never do.

\b
Exit code:
  0  done
  1  the source holds nothing to learn from, or the model cannot be written
  2  wrong usage, or scikit-learn is not installed
"""


class ModelKind(StrEnum):
    """Kinds of models."""

    PROFILE = "profile"
    SESSION_FOREST = "session-forest"
    SESSION_HISTOGRAM = "session-histogram"
    VOLUME = "volume"
    LOGIN = "login"


def train(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[SOURCE]",
            help="A log, an events.parquet, a scan's folder or an archive; without it, the archive "
            "of the settings.",
        ),
    ] = None,
    *,
    key: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            envvar="TRAILWARDEN_MODEL_KEY",
            help="Private key that signs the model; `trailwarden models key` makes one.",
        ),
    ],
    kind: Annotated[
        ModelKind, typer.Option(metavar="KIND", help="What to make; the kinds are listed below.")
    ] = ModelKind.PROFILE,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="First time: 2026-11-01, or with a time."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="End; events lie before it.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of what is left to chance.")] = 0,
    hold_out: Annotated[
        float,
        typer.Option(
            metavar="SHARE", min=0, max=0.5, help="Of the time, its end, to try the model on."
        ),
    ] = 0.2,
    cluster: Annotated[
        str | None, typer.Option(metavar="NAME", help="Cluster that a log comes from.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the model; without it, the kind.")
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(
            "--model-version",
            metavar="VERSION",
            help="Without it, the end of the time it was made from, and the seed.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of models; without it, that of the settings."),
    ] = None,
    config: Config = None,
) -> None:
    """Make a model of what is ordinary, signed, from a log, an events file or an archive."""
    from trailwarden.train_command import TrainOptions, run_train  # noqa: PLC0415 - loads Polars

    options = TrainOptions(
        source=source,
        key=key,
        kind=kind.value,
        start=start,
        end=end,
        seed=seed,
        hold_out=hold_out,
        cluster=cluster,
        name=name or kind.value,
        version=version,
        out=out,
        config=config,
    )
    raise typer.Exit(run_train(options))
