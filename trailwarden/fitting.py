"""What `train` is asked for becomes fitted tables, with the time and the numbers that go with them.

Separate from the command because there are two ways: the profile is learned in order of time by
the detector itself, all others are fitted to a whole frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from detectors.anomaly.training import AT_ONCE, FOR_DAYS, TRAINING_COLUMNS, Training
from ingest.unix_time import unix_us
from models.learned import LEARNED_COLUMNS
from models.profile.model import PROFILE_KIND
from models.profile.profile_tables import to_tables
from models.store import Window
from trailwarden.training_source import SourceUnusableError, read_events, read_in_order
from worker.replay_span import columns_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import polars as pl

    from detectors.ruleset import Ruleset
    from models.store.kind import Tables

_SERVICE: Final = timedelta(days=2)
"""Time from which on an identity must have been there for a day to be known, as in a service."""

Between = tuple["datetime | None", "datetime | None"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be learned, and from what."""

    kind: str
    source: str
    cluster: str | None
    between: Between
    seed: int
    hold_out: float
    """Share of the time, its end, on which the model is tried before it learns that too."""
    rules: Ruleset | None
    """What they find is not learned; only a profile asks for them."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was learned."""

    tables: Tables
    window: Window
    metrics: Mapping[str, float]
    unread: tuple[str, ...]

    @property
    def events(self) -> int:
        """How many events it was learned from."""
        return int(self.metrics["events"])


def fitted(wanted: Wanted, step: Callable[[str], None]) -> Fitted:
    """Read a source and learn from it.

    Raises
        SourceUnusableError: it cannot be read, or there is nothing in it to learn from.
    """
    step(f"Reading {wanted.source}")
    return _profile(wanted, step) if wanted.kind == PROFILE_KIND else _whole(wanted, step)


def _profile(wanted: Wanted, step: Callable[[str], None]) -> Fitted:
    columns = {*TRAINING_COLUMNS, *columns_of([wanted.rules] if wanted.rules else [])}
    read = read_in_order(wanted.source, columns, wanted.cluster, wanted.between)
    window = Window(start=read.start, end=read.end)
    tried_from = read.after - (read.after - read.start) * wanted.hold_out
    length = read.after - read.start
    learning = FOR_DAYS if length >= _SERVICE else AT_ONCE
    training = Training(unix_us(tried_from), learning, wanted.rules)
    for time, events in read:
        share = max((time - read.start) / length, 0.0)
        step(f"Learning {time:%Y-%m-%d %H:%M} ({share:.0%} done, {training.events:,} events)")
        training.add(events)
    end_us = unix_us(read.after)
    profile = training.profile(end_us)
    if not profile.clusters:
        raise SourceUnusableError(f"{wanted.source}: no requests to an API server to learn from")
    tried = training.tried(end_us).metrics() if wanted.hold_out else {}
    metrics = {"events": float(training.events), "clusters": float(len(profile.clusters)), **tried}
    return Fitted(to_tables(profile), window, metrics, read.unread)


def _whole(wanted: Wanted, step: Callable[[str], None]) -> Fitted:
    from models.training.fit import fit  # noqa: PLC0415 - needs the extra
    from models.training.held_out import held_out  # noqa: PLC0415 - goes with it
    from models.training.split import between  # noqa: PLC0415 - goes with it

    read = read_events(wanted.source, LEARNED_COLUMNS, wanted.cluster, wanted.between)
    window = _window(read.events, wanted.between)
    metrics = {"events": float(read.events.height)}
    if wanted.hold_out:
        step(f"Trying {wanted.kind} on the last {wanted.hold_out:.0%} of the time")
        middle = window.end - (window.end - window.start) * wanted.hold_out
        first = between(read.events, None, middle)
        last = between(read.events, middle, None)
        metrics |= held_out(wanted.kind, first, last, wanted.seed)
    step(f"Fitting {wanted.kind} to {read.events.height:,} events")
    try:
        made = fit(wanted.kind, read.events, wanted.seed)
    except ValueError as error:
        raise SourceUnusableError(f"{wanted.source}: {error}") from error
    return Fitted(made.to_tables(), window, metrics, read.unread)


def _window(events: pl.DataFrame, between: Between) -> Window:
    """Return the time that is learned from: what was asked for, else what the events span."""
    first, last = events["@timestamp"].min(), events["@timestamp"].max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        raise SourceUnusableError("no events to learn from in this time")
    start, end = between
    return Window(start=start or first, end=end or last + timedelta(microseconds=1))
