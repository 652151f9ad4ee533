"""What `train` and `evaluate` are given becomes events; what they lack becomes one line.

Separate because both read the same sources, need the same extra, and say the same of both.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import polars as pl
import typer
from rich.console import Console

import trailwarden as tw
from ingest.schema import DTYPES
from trailwarden.exit_code import ExitCode
from trailwarden.log_source import UnreadInputWarning
from trailwarden.since import read_time
from worker.settings import DEFAULT_CLUSTER

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

MISSING_EXTRA: Final = (
    "trailwarden: training needs scikit-learn: pip install 'trailwarden[training]'"
)


AT_ONCE: Final = 50_000
"""Events that are read at once: some 70 MB with all columns that rules read."""

_TIME: Final = pl.col("@timestamp")


class SourceUnusableError(Exception):
    """A source that cannot be read; the message names it."""


@dataclass(frozen=True, slots=True)
class Read:
    """Events of a source, and what of it could not be read, a line each."""

    events: pl.DataFrame
    unread: tuple[str, ...]

    def told(self) -> ExitCode:
        """Say what was not read, and return how the command ends because of it."""
        return told(self.unread)


def told(unread: Sequence[str]) -> ExitCode:
    """Say what was not read, and return how a command ends because of it."""
    for line in unread:
        typer.echo(f"trailwarden: {line}; the rest was used", err=True)
    return ExitCode.INPUT_UNREADABLE if unread else ExitCode.OK


def has_extra() -> bool:
    """Return whether scikit-learn is installed; if not, say how to get it."""
    if find_spec("sklearn") is not None:
        return True
    typer.echo(MISSING_EXTRA, err=True)
    return False


def read_events(
    source: str,
    columns: Sequence[str],
    cluster: str | None,
    between: tuple[datetime | None, datetime | None],
) -> Read:
    """Return the events of a source, with these columns only, and what of it was not read.

    Raises
        SourceUnusableError: it cannot be read at all.
    """
    with _reading(source) as unread:
        events = _opened(source, cluster, between).select(columns).collect()
    return Read(events, tuple(unread))


@dataclass(frozen=True, slots=True)
class InOrder:
    """A source in order of time, some events at once: as much memory as these take.

    ``start`` and ``end`` are those that were asked for, else what the events span.
    """

    events: pl.LazyFrame
    source: str
    start: datetime
    end: datetime
    after: datetime
    """Where the last event lies behind; what was asked for may end later."""
    unread: tuple[str, ...]
    at_once: int = AT_ONCE

    def __iter__(self) -> Iterator[tuple[datetime, pl.DataFrame]]:
        """Yield the time (UTC) from which on events are, and these: all of a microsecond together.

        Raises
            SourceUnusableError: the source cannot be read any more.
        """
        day = self.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        while day < self.after:
            next_day = day + timedelta(days=1)
            for begin, end in self._cuts(day, next_day):
                with _reading(self.source):
                    events = self.events.filter(
                        _TIME.is_between(begin, end, closed="left")
                    ).collect()
                yield begin, events
            day = next_day

    def _cuts(self, day: datetime, next_day: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the spans that a day is read in; none where it has no events."""
        with _reading(self.source):
            of_day = _TIME.is_between(day, next_day, closed="left")
            found = self.events.select(_TIME).filter(of_day).collect()
        times = found["@timestamp"].sort()
        begins = times.gather_every(self.at_once).unique(maintain_order=True).to_list()
        yield from pairwise([*begins, next_day])


def read_in_order(
    source: str,
    columns: Collection[str],
    cluster: str | None,
    between: tuple[datetime | None, datetime | None],
) -> InOrder:
    """Return the events of a source, with these columns only, to be read in order of time.

    Raises
        SourceUnusableError: it cannot be read at all, or holds no event with a time.
    """
    with _reading(source) as unread:
        events = _opened(source, cluster, between).select(n for n in DTYPES if n in columns)
        first, last = events.select(_TIME.min().alias("first"), _TIME.max()).collect().row(0)
    if first is None:
        raise SourceUnusableError("no events to learn from in this time")
    start, end = between
    after = last + timedelta(microseconds=1)
    return InOrder(events, source, start or first, end or after, after, tuple(unread))


def _opened(
    source: str, cluster: str | None, between: tuple[datetime | None, datetime | None]
) -> pl.LazyFrame:
    start, end = between
    named = cluster or DEFAULT_CLUSTER
    return tw.open(source, cluster=named, start=start, end=end, rules=()).events


@contextmanager
def _reading(source: str) -> Iterator[list[str]]:
    """Give a list that holds, once all is read, what of the source was not.

    Raises
        SourceUnusableError: it cannot be read at all.
    """
    unread: list[str] = []
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", UnreadInputWarning)
            yield unread
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        said = str(error)
        named = said if source in said else f"{source}: {said}"
        raise SourceUnusableError(named) from error
    unread.extend(str(each.message) for each in told)


def read_span(start: str | None, end: str | None) -> tuple[datetime | None, datetime | None]:
    """Return the times of --from and --to.

    Raises
        typer.BadParameter: one is no time, or they are the wrong way round; exit code 2.
    """
    first, last = _time("--from", start), _time("--to", end)
    if first and last and first >= last:
        raise typer.BadParameter("--to is not after --from")
    return first, last


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Show which step is being done, on a terminal only."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("") as status:
        yield lambda words: status.update(f"{words} ...")


def _time(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    time = read_time(text)
    if time is None:
        raise typer.BadParameter(f"{option} {text}: neither a day nor a time")
    return time.astimezone(UTC)
