"""What `train` and `evaluate` are given becomes events; what they lack becomes one line.

Separate because both read the same sources, need the same extra, and say the same of both.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import polars as pl
import typer
from rich.console import Console

import trailwarden as tw
from trailwarden.exit_code import ExitCode
from trailwarden.log_source import UnreadInputWarning
from trailwarden.since import read_time
from worker.settings import DEFAULT_CLUSTER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

MISSING_EXTRA: Final = (
    "trailwarden: training needs scikit-learn: pip install 'trailwarden[training]'"
)


class SourceUnusableError(Exception):
    """A source that cannot be read; the message names it."""


@dataclass(frozen=True, slots=True)
class Read:
    """Events of a source, and what of it could not be read, a line each."""

    events: pl.DataFrame
    unread: tuple[str, ...]

    def told(self) -> ExitCode:
        """Say what was not read, and return how the command ends because of it."""
        for line in self.unread:
            typer.echo(f"trailwarden: {line}; the rest was used", err=True)
        return ExitCode.INPUT_UNREADABLE if self.unread else ExitCode.OK


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
    start, end = between
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", UnreadInputWarning)
            opened = tw.open(
                source, cluster=cluster or DEFAULT_CLUSTER, start=start, end=end, rules=()
            )
            events = opened.events.select(columns).collect()
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        said = str(error)
        named = said if source in said else f"{source}: {said}"
        raise SourceUnusableError(named) from error
    return Read(events, tuple(str(each.message) for each in told))


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
