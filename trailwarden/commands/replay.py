"""The command that tries rules on the past; what it does is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trailwarden.commands.options import Config  # noqa: TC001 - typer reads the annotations

EXAMPLES = """
Examples:

\b
  trailwarden replay --rules default --rules own/ --config /etc/trailwarden.yml
  trailwarden replay --rules new/ --from 2026-11-01 --to 2026-11-15
  trailwarden replay --rules new/ --baseline none --cluster prod-eu --json

\b
Reads the archive, never Kafka or Elasticsearch, and writes nothing but the
folder --out:
  gained.ndjson   findings that only the new rules have, as the service would
                  write them
  lost.ndjson     findings that only the baseline has
  summary.json    counts by rule and day, samples, speed, what was not read

\b
Both sets of rules are folded in one pass, with the site lists and exceptions
of the settings. Windows are filled before --from: as long before as the rules
reach, or --memory. What the archive cannot tell is in docs/replay.md.

\b
Exit code:
  0  done
  1  part of the archive could not be read: each is a line; the rest was done
  2  wrong usage or settings, or a rule that was refused
"""


def replay(
    *,
    rules: Annotated[
        list[Path],
        typer.Option(
            metavar="DIR",
            help="Rules to try; may be repeated. The word `default` stands for the shipped ones.",
        ),
    ],
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR",
            help="Rules to compare with; may be repeated. Without it those of the settings, else "
            "the shipped ones; `default`: the shipped ones; `none`: compare with nothing.",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="TIME", help="First time, of the events: 2026-11-01, or with a time."
        ),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="End; findings lie before it.")
    ] = None,
    cluster: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this one; may be repeated.")
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="Fill windows from so long before --from: 90m, 24h, 30d; shorter is faster.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results; made if missing.")] = Path(
        "trailwarden-replay"
    ),
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Try rules on the archive: what they gain, what they lose, how much noise they make."""
    from trailwarden.replay_command import ReplayOptions, run_replay  # noqa: PLC0415 - loads Polars

    options = ReplayOptions(
        rules=rules,
        baseline=baseline or [],
        start=start,
        end=end,
        clusters=cluster or [],
        memory=memory,
        out=out,
        config=config,
        as_json=as_json,
    )
    raise typer.Exit(run_replay(options))
