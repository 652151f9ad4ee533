"""Rules that ask what is remembered: events wait for the memory, then the rules are decided.

Separate from the memory (detectors/entities/) because it is about findings, and from the rules over
time because nothing is counted here. An event for which such a rule may hold (possible.py) is held
until the watermark of its cluster has passed it; then it is asked what was known just before it,
and the rules are evaluated in full. What comes out depends on the sequence of events alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.correlation.documents import Documents
from detectors.correlation.released import Released
from detectors.engine import detect
from detectors.entities.enrich import ASKED
from detectors.entities.fact_rows import FACT_COLUMNS
from detectors.entities.ordered import CLUSTER, Entities
from detectors.entities.recalled import RECALLED_DTYPES
from detectors.reporting import report
from ingest.schema import DTYPES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from detectors.exceptions import Exemption
    from detectors.sigma.rule import Rule
    from detectors.site import Site

HIDDEN: Final = "shared_networks"
"""The site's list of networks whose addresses stand for others: a proxy, a NAT."""

HELD_ROWS: Final = 50_000
"""Events that wait at once; of more, the newest are not asked about, and counted."""

_TIME: Final = "@timestamp"
_LATE: Final = "late"
_THERE: Final = " is there"
"""After the name of a column, where a saved event has one."""
_HELD: Final = DTYPES | {_LATE: pl.Boolean()}
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
        held_rows: int = HELD_ROWS,
    ) -> None:
        """Begin with nothing known.

        Parameters
            rules: those that ask, by their index among those that made the hits.
            silent: ids of rules that report nothing by themselves; correlations build on them.
        """
        self.numbers = tuple(rules)
        self.rules = tuple(rules.values())
        self.site = site
        self.exceptions = exceptions
        self.entities = Entities(hidden_networks=site.lists.get(HIDDEN, ()))
        self.pending = pl.DataFrame(schema=_HELD)
        self.evicted: Counter[str] = Counter()
        self._held_rows = held_rows
        self._numbers = pl.Series(self.numbers, dtype=pl.UInt32).implode()
        self._index = pl.Series(self.numbers, dtype=pl.UInt32)
        loud = (number for number, rule in enumerate(self.rules) if rule.id not in silent)
        self._loud = pl.Series(loud, dtype=pl.UInt32).implode()
        self._wanted = _recalled_by(self.rules)

    def add(self, events: pl.DataFrame, hits: pl.DataFrame, late: pl.Series | None = None) -> None:
        """Take a batch: what it says of entities, and the events that ask.

        Parameters
            events: under EVENT_SCHEMA, repeats dropped.
            hits: ``row`` and ``rule`` of these events; of a rule that asks, where it may hold.
            late: whether each event lies behind the watermark; None: none does. Such an event adds
                nothing, and is asked about as of its own time with the next release.
        """
        self.entities.add(events, late)
        rows = hits.filter(hits["rule"].is_in(self._numbers))["row"].unique().sort()
        timely = events[_TIME].gather(rows).is_not_null()
        rows = rows.filter(timely)
        room = max(self._held_rows - self.pending.height, 0)
        if rows.len() > room:
            self.evicted["waiting"] += rows.len() - room
            rows = rows.head(room)
        if rows.len():
            behind = pl.lit(value=False) if late is None else pl.lit(late.gather(rows))
            waiting = _whole(events[rows]).with_columns(behind.alias(_LATE))
            self.pending = pl.concat([self.pending, waiting])

    def release(self, watermark: int | Mapping[str, int] | None) -> Decided:
        """Decide the rules for all that lies before the watermark; None: for all there is.

        Parameters
            watermark: microseconds of Unix time; of all clusters, or by name.
        """
        due = self._due(watermark)
        recalled = self.entities.release(watermark, due, self._wanted)
        if due.is_empty():
            return Decided()
        asked = due.drop(_LATE).hstack(recalled)
        hits = detect(asked, self.rules)
        told = self._told(asked, hits.filter(hits["rule"].is_in(self._loud)))
        if hits.height:
            told.evidence.append(asked[hits["row"].unique().sort()].select(list(DTYPES)))
        numbered = hits.select("row", self._index.gather(hits["rule"]).alias("rule"))
        return Decided(asked, numbered, due[_LATE], told)

    def _due(self, watermark: int | Mapping[str, int] | None) -> pl.DataFrame:
        """Take the events before the watermark out of those that wait, in order of time."""
        if watermark is None:
            due, self.pending = self.pending, self.pending.clear()
        else:
            time = self.pending[_TIME].to_physical()
            ripe = time < (
                watermark
                if isinstance(watermark, int)
                else self.pending[CLUSTER].replace_strict(
                    dict(watermark), default=0, return_dtype=pl.Int64
                )
            )
            due = self.pending.filter(ripe)
            if due.height:
                self.pending = self.pending.filter(~ripe)
        return due.sort(_TIME, "event.id")

    def _told(self, asked: pl.DataFrame, hits: pl.DataFrame) -> Released:
        """Report hits; of the findings of one act the first stands."""
        reported = report(asked, hits, self.rules, self.site, self.exceptions)
        out = Released(excepted=reported.excepted)
        rows = reported.hits["row"].to_list()
        events = dict(zip(rows, asked[rows].iter_rows(named=True), strict=True))
        for row, finding in zip(rows, reported.findings, strict=True):
            if finding.id in out.received:
                continue
            event = events[row]
            out.findings.append(finding)
            out.received[finding.id] = event["event.created"] or event[_TIME]
            if not Documents.is_dated(event):
                out.undated.add(finding.id)
        return out


def _recalled_by(rules: Sequence[Rule]) -> tuple[str, ...]:
    """Return the columns of RECALLED that rules and their messages name."""
    read = frozenset().union(*(rule.columns for rule in rules))
    told = {name for rule in rules if rule.message for name in rule.message.columns}
    return tuple(name for name in RECALLED_DTYPES if name in read | told)


def _whole(events: pl.DataFrame, known: Mapping[str, pl.DataType] = DTYPES) -> pl.DataFrame:
    """Return events under all of ``known``; a replay reads only the columns that it needs."""
    missing = (name for name in known if name not in events.columns)
    nothing = [pl.lit(None, dtype=known[name]).alias(name) for name in missing]
    return (events.with_columns(nothing) if nothing else events).select(list(known))


def held_to(pending: pl.DataFrame) -> bytes:
    """Return events that wait as an Arrow IPC file that only their values decide.

    So there are no nulls in it, behind which anything may stand, and no bits, behind the last of
    which anything may: what is not there is told by a column of its own, as bytes.
    """
    order = pending.select(pl.arg_sort_by(_TIME, "event.id")).to_series()
    plain = [part for column in pending[order] for part in _plain(column)]
    stream = BytesIO()
    whole = pl.DataFrame(plain).rechunk()
    whole.write_ipc(stream, compression="zstd", compat_level=pl.CompatLevel.oldest())
    return stream.getvalue()


def held_from(data: bytes) -> pl.DataFrame:
    """Return what `held_to` saved."""
    held = pl.read_ipc(BytesIO(data))
    told = [
        (pl.when(name + _THERE).then(name) if name + _THERE in held.columns else pl.col(name))
        .cast(dtype)
        .alias(name)
        for name, dtype in _HELD.items()
        if name in held.columns
    ]
    flagged = held.with_columns(pl.col(f"^.*{_THERE}$").cast(pl.Boolean))
    return _whole(flagged.select(told), _HELD)


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
