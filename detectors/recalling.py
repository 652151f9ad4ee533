"""Rules that ask what is remembered: events wait for the memory, then the rules are decided.

Separate from the memory (detectors/entities/) because it is about findings, and from the rules over
time because nothing is counted here. An event for which such a rule may hold (possible.py) is held
until the watermark of its cluster has passed it; then it is asked what was known just before it,
and the rules are evaluated in full. What comes out depends on the sequence of events alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.columns import whole
from detectors.correlation.documents import Documents
from detectors.correlation.released import Released
from detectors.engine import detect
from detectors.entities.enrich import ASKED
from detectors.entities.facts import FACT_COLUMNS
from detectors.entities.ordered import Entities
from detectors.entities.process_facts import PATIENCE_US
from detectors.entities.recall_process import asks_of_processes
from detectors.entities.recalled import RECALLED_DTYPES
from detectors.finding import recalled_by
from detectors.reporting import report
from detectors.sieve import EVERY, OWN, Sieve
from detectors.site import HIDDEN
from detectors.waiting import ASKS, HELD, LATE, TIME, Waiting
from ingest.schema import DTYPES
from models.packed import packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from detectors.entities.memory import EntityMemory
    from detectors.exceptions import Exemption
    from detectors.sigma.rule import Rule
    from detectors.site import Site

HELD_ROWS: Final = 100_000
"""Events that wait at once; of more, the newest are not asked about, and counted. An event with all
its columns takes 1.4 kB (the labelled recording, 2026-11-22), and waiting.py keeps two rows for one
and 65,536 at most: 370 MB."""

_THERE: Final = " is there"
"""After the name of a column, where a saved event has one."""
_HITS: Final = {"row": pl.UInt32(), "rule": pl.UInt32()}

READ_COLUMNS: Final = FACT_COLUMNS | frozenset(ASKED.values())
"""Columns of events that the memory needs, whatever the rules read."""


@dataclass(frozen=True, slots=True)
class Decided:
    """Events that were asked about, and which rules hold of them."""

    events: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DTYPES))
    """Under EVENT_SCHEMA and RECALLED, in order of time."""
    hits: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_HITS))
    """``row`` and ``rule``, the index among all rules: what `OverTime.add` takes."""
    late: pl.Series = field(default_factory=lambda: pl.Series(dtype=pl.Boolean))
    released: Released = field(default_factory=Released)
    """Findings of the rules that report by themselves."""


class Recalling:
    """The entity memory of a partition, and the events that wait for it."""

    def __init__(
        self,
        rules: Mapping[int, Rule],
        site: Site,
        exceptions: Sequence[Exemption] = (),
        silent: Collection[str] = (),
        *,
        held_rows: int = HELD_ROWS,
        told: Collection[str] = (),
    ) -> None:
        """Begin with nothing known.

        Parameters
            rules: those that ask, by their index among those that made the hits.
            silent: ids of rules that report nothing by themselves; correlations build on them.
            told: further columns that findings on these rules may show.
        """
        self.numbers = tuple(rules)
        self.rules = tuple(rules.values())
        self.site = site
        self.exceptions = exceptions
        self.entities = Entities(
            hidden_networks=site.lists.get(HIDDEN, ()), geography=site.geography
        )
        self.waiting = Waiting()
        self.evicted: Counter[str] = Counter()
        self._held_rows = held_rows
        places = {number: place for place, number in enumerate(self.numbers)}
        known = range(max(self.numbers, default=-1) + 1)
        self._place = pl.Series("rule", [places.get(n) for n in known], dtype=pl.UInt32)
        self._index = pl.Series(self.numbers, dtype=pl.UInt32)
        loud = (number for number, rule in enumerate(self.rules) if rule.id not in silent)
        self._loud = pl.Series(loud, dtype=pl.UInt32).implode()
        self._wanted = _recalled_by(self.rules, exceptions, told)
        self._sieve = Sieve(self.rules, self._wanted)
        self.patience_us = PATIENCE_US if asks_of_processes(self._wanted) else 0
        """How long after its own time each event asks; over time nothing is told before."""

    def add(self, events: pl.DataFrame, hits: pl.DataFrame, late: pl.Series | None = None) -> None:
        """Take a batch: what it says of entities, and the events that ask.

        Parameters
            events: under EVENT_SCHEMA, repeats dropped.
            hits: ``row`` and ``rule`` of these events; of a rule that asks, where it may hold.
            late: whether each event lies behind the watermark; None: none does. Such an event adds
                nothing, and is asked about as of its own time with the next release.
        """
        self.entities.add(events, late)
        place = pl.lit(self._place).gather(pl.col("rule"), null_on_oob=True)
        own = hits.select("row", place).filter(pl.col("rule").is_not_null())
        asking = self._sieve.asks_of(own)
        timed = events[TIME].gather(asking["row"]).is_not_null()
        asking = asking if timed.all() else asking.filter(timed)
        room = max(self._held_rows - self.waiting.height, 0)
        if asking.height > room:
            self.evicted["waiting"] += asking.height - room
            asking = asking.head(room)
        self.waiting.add(events, asking, late)

    @property
    def pending(self) -> pl.DataFrame:
        """The events that wait, and whether each was late; a copy of them all."""
        return self.waiting.all()

    @pending.setter
    def pending(self, events: pl.DataFrame) -> None:
        self.waiting.fill(events, EVERY)

    def release(self, watermark: int | Mapping[str, int] | None) -> Decided:
        """Decide the rules for all that lies before the watermark; None: for all there is.

        Parameters
            watermark: microseconds of Unix time; of all clusters, or by name.
        """
        places = self.waiting.due(earlier(watermark, self.patience_us))
        asking = self.waiting.columns_of(places, OWN).hstack(places)
        parts = self.entities.fold(watermark, asking, self._asked, self.patience_us)
        self.waiting.forget()
        parts = [part for part in parts if part.height]
        return self._decided(pl.concat(parts)) if parts else Decided()

    def _asked(self, asking: pl.DataFrame, memory: EntityMemory) -> pl.DataFrame:
        """Return the whole events for which rules hold, which, and all that they recall."""

        def ask(events: pl.DataFrame, wanted: Collection[str]) -> pl.DataFrame:
            return self.entities.recalled(events, memory, wanted)

        left = self._sieve.sifted(asking, ask)
        if left.is_empty():
            return left
        events = self.waiting.events_of(left).hstack(left.select(self._sieve.wanted))
        hits = detect(events, self.rules)
        if hits.is_empty():
            return hits
        asks = self._sieve.asks_of(hits.select("row", "rule"))
        held = hits.group_by("row").agg("rule", "matched").sort("row").drop("row")
        found = events[asks["row"]].hstack(held).with_columns(asks[ASKS])
        return self._sieve.completed(found, ask)

    def _decided(self, found: pl.DataFrame) -> Decided:
        """Report what holds of events, in order of their time."""
        found = found.sort(TIME, "event.id")
        asked = found.select(*DTYPES, *self._wanted)
        hits = found.select("rule", "matched").with_row_index("row").explode("rule", "matched")
        told = self._told(asked, hits.filter(hits["rule"].is_in(self._loud)))
        told.evidence.append(asked)
        numbered = hits.select("row", self._index.gather(hits["rule"]).alias("rule"))
        return Decided(asked, numbered, found[LATE], told)

    def _told(self, asked: pl.DataFrame, hits: pl.DataFrame) -> Released:
        """Report hits; of the findings of one act the first stands."""
        reported = report(asked, hits, self.rules, self.site, self.exceptions)
        out = Released(excepted=reported.excepted)
        rows = reported.hits["row"].to_list()
        events = dict(zip(rows, asked[rows].iter_rows(named=True), strict=True))
        for row, finding in zip(rows, reported.findings, strict=True):
            if finding.id in out.received:
                out.repeated.append(finding)
                continue
            event = events[row]
            out.findings.append(finding)
            out.received[finding.id] = event["event.created"] or event[TIME]
            if not Documents.is_dated(event):
                out.undated.add(finding.id)
        return out


def earlier(
    watermark: int | Mapping[str, int] | None, by_us: int
) -> int | Mapping[str, int] | None:
    """Return a watermark, of all clusters or by name, so much earlier."""
    if watermark is None or not by_us:
        return watermark
    if isinstance(watermark, int):
        return watermark - by_us
    return {name: time_us - by_us for name, time_us in watermark.items()}


def _recalled_by(
    rules: Sequence[Rule], exceptions: Sequence[Exemption], told: Collection[str]
) -> tuple[str, ...]:
    """Return the columns of RECALLED that rules, their messages and exceptions to them name."""
    read = {name for rule in rules for name in recalled_by(rule)}
    read.update(*(one.columns for one in exceptions))
    return tuple(name for name in RECALLED_DTYPES if name in read or name in told)


def held_to(pending: pl.DataFrame) -> bytes:
    """Return events that wait as an Arrow IPC file that only their values decide.

    So there are no nulls in it, behind which anything may stand, and no bits, behind the last of
    which anything may: what is not there is told by a column of its own, as bytes.
    """
    order = pending.select(pl.arg_sort_by(TIME, "event.id")).to_series()
    plain = [part for column in pending[order] for part in _plain(column)]
    return packed(pl.DataFrame(plain))


def held_from(data: bytes) -> pl.DataFrame:
    """Return what `held_to` saved."""
    held = unpacked(data)
    told = [
        (pl.when(name + _THERE).then(name) if name + _THERE in held.columns else pl.col(name))
        .cast(dtype)
        .alias(name)
        for name, dtype in HELD.items()
        if name in held.columns
    ]
    flagged = held.with_columns(pl.col(f"^.*{_THERE}$").cast(pl.Boolean))
    return whole(flagged.select(told), HELD)


def _plain(column: pl.Series) -> list[pl.Series]:
    """Return a column without nulls, and which of it there is; nothing where there is nothing."""
    missing = column.null_count()
    if missing == column.len():
        return []
    values = column.cast(pl.UInt8) if column.dtype == pl.Boolean() else column.to_physical()
    if not missing:
        return [values]
    empty: object = 0
    if isinstance(values.dtype, pl.List):
        empty = []
    elif values.dtype == pl.String():
        empty = ""
    nothing = pl.lit(empty, dtype=values.dtype)
    filled = values.to_frame().select(pl.col(values.name).fill_null(nothing)).to_series()
    return [filled, column.is_not_null().cast(pl.UInt8).alias(column.name + _THERE)]
