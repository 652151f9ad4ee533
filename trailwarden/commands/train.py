"""The command that makes a model from events; what it does is imported when it runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = """
Examples:

\b
  trailwarden models key models.pem
  trailwarden train /var/lib/trailwarden/archive --key models.pem --to 2026-11-15
  trailwarden train audit.log.gz --kind login --key models.pem --out models/

\b
Learns from time that is taken to be ordinary: leave attacks out with --from
and --to. Writes DIR/NAME/VERSION, signed; `trailwarden models promote` puts it
to use. The same events and the same seed give the same files.

\b
Kinds:
  session-forest     five minutes of an identity, by an isolation forest
  session-histogram  the same, by histograms
  volume             classes of actions of a cluster, by hour of the week
  login              how, from where and with what identities come in

\b
Needs scikit-learn: pip install 'trailwarden[training]'. Workers do not.

\b
Exit code:
  0  done
  1  the source holds nothing to learn from, or the model cannot be written
  2  wrong usage, or scikit-learn is not installed
"""


class ModelKind(StrEnum):
    """Kinds of models."""

    SESSION_FOREST = "session-forest"
    SESSION_HISTOGRAM = "session-histogram"
    VOLUME = "volume"
    LOGIN = "login"


def train(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A log, an events.parquet, a scan's folder or an archive."
        ),
    ],
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
    ] = ModelKind.SESSION_FOREST,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="First time: 2026-11-01, or with a time."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="End; events lie before it.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of what is left to chance.")] = 0,
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
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of models.")] = Path(
        "trailwarden-models"
    ),
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
        cluster=cluster,
        name=name or kind.value,
        version=version,
        out=out,
    )
    raise typer.Exit(run_train(options))
