"""Options of `entity show` in; what was known of one entity at a time, as tables or JSON, out.

Separate from the options so that they can be shown without loading Polars, and from the view
(detectors/entities/entity_view.py), which does not print.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson
import polars as pl
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from detectors.entities.entity_view import EntityView, view_of
from detectors.entities.ordered import CLUSTER, Entities
from trailwarden.api import open as open_source
from trailwarden.entity_words import WORDS, object_words
from trailwarden.exit_code import ExitCode
from trailwarden.since import read_time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from detectors.entities.entity_view import Line, Session

_BATCH: Final = 50_000
_MOST_LINES: Final = 100
_MOST_RIGHTS: Final = 50
"""Shown in a table; --json has all."""


@dataclass(frozen=True, slots=True)
class EntityOptions:
    """What was given on the command line."""

    name: str
    source: str
    at: str | None
    cluster: str | None
    as_json: bool


def run_show(options: EntityOptions) -> ExitCode:
    """Fold the source up to a time and print what was known of a name.

    Raises
        typer.BadParameter: options that cannot be used; exit code 2.
    """
    time = _time(options.at)
    events = _events(options.source, time)
    cluster = _cluster(events, options.cluster)
    own = events.filter(pl.col(CLUSTER) == cluster)
    state = Entities()
    for start in range(0, own.height, _BATCH):
        state.add(own.slice(start, _BATCH))
    state.release(None)
    end_us = own.select(pl.col("@timestamp").to_physical().max()).item() or 0
    time_us = end_us if time is None else _micros(time)
    view = view_of(state.memory(cluster), options.name, time_us)
    if options.as_json:
        typer.echo(orjson.dumps(_document(view, cluster), option=orjson.OPT_INDENT_2).decode())
    else:
        _print(view, cluster, Console())
    return ExitCode.OK if view.is_known() else ExitCode.INPUT_UNREADABLE


def _time(text: str | None) -> datetime | None:
    time = None if text is None else read_time(text)
    if text is not None and time is None:
        raise typer.BadParameter(f"--at {text}: no time; write 2026-11-21T11:00:00")
    return time


def _events(source: str, time: datetime | None) -> pl.DataFrame:
    end = None if time is None else time + timedelta(microseconds=1)
    try:
        return open_source(source, end=end).events.collect()
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"--from {source}: {error}") from error


def _cluster(events: pl.DataFrame, wanted: str | None) -> str:
    names = sorted(events[CLUSTER].drop_nulls().unique())
    if wanted is not None and wanted not in names:
        raise typer.BadParameter(f"--cluster {wanted}: not in the source, which has {names}")
    if wanted is None and len(names) > 1:
        raise typer.BadParameter(f"--cluster is needed: the source has {', '.join(names)}")
    return wanted or (names[0] if names else "")


def _micros(time: datetime) -> int:
    return int(pl.Series([time]).dt.cast_time_unit("us").to_physical()[0])


def _document(view: EntityView, cluster: str) -> dict[str, Any]:
    return {
        "name": view.name,
        "cluster": cluster,
        "at": view.time,
        "gone": view.gone,
        "author": view.author,
        "minted_chain": view.minted,
        "rights": view.rights,
        "sessions": [asdict(session) for session in view.sessions],
        "known": [_line(line) for line in view.own],
        "named_by": [_line(line) for line in view.naming],
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "relation": str(line.relation),
        "subject": line.name,
        "object": line.what.split("\n"),
        "since": line.since,
        "last": line.last,
    }


def _print(view: EntityView, cluster: str, console: Console) -> None:
    console.print(f"[bold]{escape(view.name)}[/] in {escape(cluster)} at {view.time:%F %T} UTC")
    if not view.is_known():
        console.print("Nothing was known of it then.")
        return
    if view.gone:
        console.print(f"gone since {view.gone:%F %T} UTC; what it was is kept for a day")
    if view.author:
        console.print(f"behind it: {escape(view.author)}")
    if view.minted:
        console.print(f"minted by: {escape(' < '.join(view.minted))}")
    _print_sessions(view.sessions, console)
    _print_lines("Known of it", view.own, console, of_itself=True)
    _print_lines("Named by", view.naming, console, of_itself=False)
    _print_rights(view.rights, console)


def _print_sessions(sessions: Sequence[Session], console: Console) -> None:
    if not sessions:
        return
    table = Table(title="Entered by", title_justify="left", box=None, pad_edge=False)
    for column in ("who", "from", "how", "container", "command"):
        table.add_column(column, overflow="fold")
    for column in ("since (UTC)", "until"):
        table.add_column(column, overflow="fold", max_width=10)
    for one in sessions:
        until = f"{one.ended:%F %T}" if one.ended else "open"
        said = (one.user, one.address, one.manner, one.container, one.command)
        table.add_row(*map(escape, said), f"{one.since:%F %T}", until)
    console.print(table)


def _print_lines(title: str, lines: Sequence[Line], console: Console, *, of_itself: bool) -> None:
    if not lines:
        return
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("", "what"):
        table.add_column(column, overflow="fold")
    for column in ("since (UTC)", "confirmed"):
        table.add_column(column, no_wrap=True)
    for line in lines[:_MOST_LINES]:
        words = WORDS[line.relation][0 if of_itself else 1]
        what = object_words(line.relation, line.what) if of_itself else line.name
        table.add_row(words, escape(what), f"{line.since:%F %T}", f"{line.last:%F %Hh}")
    console.print(table)
    if len(lines) > _MOST_LINES:
        console.print(f"and {len(lines) - _MOST_LINES} more: --json")


def _print_rights(rights: Sequence[str], console: Console) -> None:
    if not rights:
        return
    console.print(f"May, by the bindings that were seen ({len(rights)}):")
    for right in rights[:_MOST_RIGHTS]:
        console.print(f"  {escape(right)}")
    if len(rights) > _MOST_RIGHTS:
        console.print(f"  and {len(rights) - _MOST_RIGHTS} more: --json")
