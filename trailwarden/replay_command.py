"""Options of `replay` in, a table or JSON, files and an exit code out.

Separate from the options so that they can be shown without loading what a replay needs, and from
what is printed (trailwarden/replay_output.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from detectors.sigma.errors import InvalidRulesError
from ingest.visible import visible
from sinks.archive.listing import topics
from trailwarden.exit_code import ExitCode
from trailwarden.replay_output import print_result, progress_bar, summary_of, summary_text
from trailwarden.rules_pack import folders_of
from trailwarden.since import read_time
from worker.configuration import InvalidSettingsError, load_settings
from worker.garbage import collect_rarely
from worker.replay import ReplaySettings, replay
from worker.replay_span import BEGINNING, END, Span
from worker.rulesets import load_ruleset

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from detectors.ruleset import Ruleset
    from worker.configuration import Settings

_NONE: Final = "none"
_LIVE: Final = "live"
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What was given on the command line."""

    rules: Sequence[Path]
    baseline: Sequence[str]
    start: str | None
    end: str | None
    clusters: Sequence[str]
    memory: str | None
    out: Path
    config: Path | None
    as_json: bool


def run_replay(options: ReplayOptions) -> ExitCode:
    """Replay the archive and print what came out.

    Raises
        typer.BadParameter: options that cannot be used; exit code 2.
    """
    try:
        service = load_settings(options.config)
        settings = _settings(options, service)
        new = load_ruleset(folders_of(options.rules), service, options.config)
        old = _baseline(options, service)
    except (InvalidSettingsError, InvalidRulesError) as error:
        typer.echo(f"trailwarden: {error}", err=True)
        return ExitCode.USAGE
    collect_rarely()
    try:
        with progress_bar() as progress:
            result = replay(settings, new, old, progress)
        summary = summary_of(result, new, old)
        (settings.out / "summary.json").write_bytes(summary_text(summary))
    except OSError as error:
        raise typer.BadParameter(f"cannot write to {settings.out}: {error}") from error
    if options.as_json:
        typer.echo(summary_text(summary), nl=False)
    else:
        print_result(result, settings.out)
    for unread in result.unread:
        typer.echo(f"Not read: {visible(str(unread.path))}: {visible(unread.detail)}", err=True)
    return ExitCode.INPUT_UNREADABLE if result.unread else ExitCode.OK


def _settings(options: ReplayOptions, service: Settings) -> ReplaySettings:
    archive = service.store.folder / "archive"
    topic = service.kafka.raw_topic
    held = topics(archive)
    if topic not in held:
        others = f"; it has {', '.join(held)}" if held else ""
        raise typer.BadParameter(f"{archive}: has no segments of topic {topic!r}{others}")
    span = Span(
        _time("--from", options.start) or BEGINNING,
        _time("--to", options.end) or END,
        frozenset(options.clusters),
    )
    if span.start >= span.end:
        raise typer.BadParameter("--to is not after --from")
    return ReplaySettings(archive, topic, options.out, span, _memory(options.memory))


def _time(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    time = read_time(text)
    if time is None:
        raise typer.BadParameter(f"{option} {text}: neither a day nor a time")
    return time.astimezone(UTC)


def _memory(text: str | None) -> timedelta | None:
    if text is None:
        return None
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not (number.isascii() and number.isdecimal()) or len(number) > _DIGITS:
        raise typer.BadParameter(f"--memory {text}: not a number with s, m, h or d")
    return timedelta(**{_UNITS[unit]: int(number)})


def _baseline(options: ReplayOptions, service: Settings) -> Ruleset | None:
    given = list(options.baseline)
    if _LIVE in given:
        raise typer.BadParameter(
            "--baseline live: findings in Elasticsearch cannot be compared with; "
            "give the rules that the service runs"
        )
    if _NONE in given:
        if len(given) > 1:
            raise typer.BadParameter("--baseline none stands alone")
        return None
    paths = folders_of([Path(one) for one in given]) if given else tuple(service.worker.rules)
    return load_ruleset(paths, service, options.config)
