"""What findings kept out is held, and becomes normal or stays out as people decide.

Separate from the learning because only people let in what a detector or a rule kept out, and may
take that back. Once a verdict is in force (detectors/anomaly/decisions.py):

* ``false_positive`` and ``benign``: what the finding kept out is learned, within the limit of what
  may become normal in a day, as anything else is: a verdict teaches no faster than work does. So
  that it is not reported meanwhile, what was strange in the minutes of a profile's finding is no
  reason any more for this identity, until it was not done for `ACCEPTED_DAYS`. What a rule flagged
  in those minutes is learned by a verdict on the rule's own finding.
* ``true_positive``: it stays out, and for `DISTRUSTED_DAYS` no minute of the identity is learned.
* ``unsure``: nothing.

A later verdict takes the place of the one before it: reasons count again, trust is back. What was
learned by then cannot be taken out again, it decays; and minutes that were not learned while an
identity was not trusted are not held. Rules are never silenced: that is what exceptions are for.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl

from detectors.anomaly.decisions import Decision, Decisions
from detectors.anomaly.detector import UNUSUAL_IDENTITY
from ingest.verdict import Choice
from models.packed import packed, unpacked
from models.profile.action_key import CLUSTER, DATASET, DAY_TICKS, READ, TICK_US, sightings_schema
from models.profile.observed import MINUTE, OBSERVED, coded, digest, observed

if TYPE_CHECKING:
    from collections.abc import Collection

    from models.profile.counts import Counts

_IS_AUDIT: Final = pl.col("event.dataset") == DATASET
_AS_SIGHTING: Final = (
    (pl.col("@timestamp").to_physical() // TICK_US).alias("tick"),
    pl.lit(1, pl.UInt32).alias("count"),
    pl.lit(0, pl.UInt32).alias("flagged"),
)

HELD_DAYS: Final = 30
"""Event days that what a finding kept out is held for: by then somebody must have looked."""

ACCEPTED_DAYS: Final = 90
"""Event days without it after which what was accepted is strange again: work of once a quarter."""

DISTRUSTED_DAYS: Final = 7
"""Event days after a true positive without learning: time to close the case and to change the
credentials, of which a profile with a half-life of two weeks keeps 70 %."""

LIMIT_ROWS: Final = 20_000
"""Of each frame and cluster; beyond it the oldest go."""

_AT_ONCE: Final = 10
"""Times so many flagged events may wait for the watermark: only then it is known which go."""

_ACCEPTING: Final = (Choice.FALSE_POSITIVE, Choice.BENIGN)
_SAME: Final = ("who", "feature", "context_0", "value")
"""What makes an observation the same in another minute; an identity is of one cluster."""

HELD: Final = pl.Schema(
    {
        **{name: dtype for name, dtype in OBSERVED.items() if name != "row"},
        "strange": pl.Boolean(),
        "finding": pl.String(),
    }
)
"""Observations of minutes that a finding is about. ``strange`` are the rare ones; ``learnable`` is
0 of what rules flagged, and once it was learned."""

_BY_AGE: Final = ["tick", *(name for name in HELD.names() if name != "tick")]

FLAGGED: Final = pl.Schema(
    {name: dtype for name, dtype in sightings_schema().items() if name != "order"}
)
"""Events that rules flagged, one each, as sightings; ``count`` is 0 once they were learned."""

ACCEPTED: Final = pl.Schema(
    {
        "finding": pl.String(),
        "cluster": pl.UInt64(),
        **{name: OBSERVED[name] for name in _SAME},
        "last": pl.Int64(),
    }
)
"""Observations that are no reason any more, and the last minute that stands for one of them."""


class Distrust(msgspec.Struct, array_like=True):
    """Identities of a finding that is true, and the minute they are learned of again from."""

    cluster: int
    who: list[int]
    until: int


class SavedVerdicts(msgspec.Struct, array_like=True):
    """All of it as it stands in a snapshot; frames are Arrow IPC files."""

    due: list[Decision]
    newest_us: dict[str, int]
    held: bytes
    flagged: bytes
    accepted: bytes
    distrusted: dict[str, Distrust]


class Verdicts:
    """What is held by finding, and what people decided about it."""

    def __init__(self, limit_rows: int = LIMIT_ROWS) -> None:
        self.limit_rows = limit_rows
        self.decisions = Decisions()
        self.held = pl.DataFrame(schema=HELD)
        self.flagged = pl.DataFrame(schema=FLAGGED)
        self.accepted = pl.DataFrame(schema=ACCEPTED)
        self.distrusted: dict[str, Distrust] = {}
        self.counted: Counter[str] = Counter()
        """Verdicts by choice; ``unknown``: about nothing that is held, of no effect."""
        self.evicted: Counter[str] = Counter()

    def __len__(self) -> int:
        return max(self.held.height, self.flagged.height, self.accepted.height)

    @property
    def dropped(self) -> Counter[str]:
        """What went for the sake of the bounds so far, by what it was."""
        counts = self.evicted + self.decisions.evicted
        return Counter({f"verdicts.{what}": many for what, many in counts.items()})

    def add(
        self, events: pl.DataFrame, late: pl.Series | None = None, flagged: pl.Series | None = None
    ) -> None:
        """Take a batch: its verdicts, and what rules flagged; as `Learned.add`.

        Rows of a cluster are in the order of the log.
        """
        self.decisions.add(events)
        if flagged is None or flagged.is_empty():
            return
        named = pl.col("event.id").is_in(flagged.implode()) & pl.col("@timestamp").is_not_null()
        wanted = events.select(named & _IS_AUDIT).to_series().fill_null(value=False)
        if late is not None:
            wanted &= ~late.fill_null(value=True)
        if wanted.any():
            found = events.select(*_AS_SIGHTING, *READ).filter(wanted)
            room = max(self.limit_rows * _AT_ONCE - self.flagged.height, 0)
            self.evicted["flagged"] += max(found.height - room, 0)
            self.flagged = pl.concat([self.flagged, found.head(room)])

    def take(self, clusters: pl.Series, tick: int, counts: Counts, known_events: int) -> list[str]:
        """Let decisions take effect before a span that begins with ``tick`` is scored.

        Returns the findings that are no reason any more: a run of theirs ends, so that what is
        strange from now on is told.

        Parameters
            clusters: whose span it is; all earlier ones of theirs were scored and learned.
            counts, known_events: as `Counts.learn` has them.
        """
        own = frozenset(clusters)
        self._forget(own, tick)
        accepted = []
        for decision in self.decisions.take(own, tick):
            held = self._held_by(decision, tick)
            had = self._withdraw(decision.finding)
            self.counted[decision.choice.value if had or held.height else "unknown"] += 1
            if held.is_empty():
                continue
            if decision.choice in _ACCEPTING:
                counts.learn(held.filter(pl.col("learnable") > 0), tick, known_events)
                self._accept(decision, held, tick)
                accepted.append(decision.finding)
            elif decision.choice is Choice.TRUE_POSITIVE:
                who = held["who"].unique().sort().to_list()
                until = tick + DISTRUSTED_DAYS * DAY_TICKS
                self.distrusted[decision.finding] = Distrust(decision.cluster, who, until)
        return accepted

    def _held_by(self, decision: Decision, tick: int) -> pl.DataFrame:
        """Return what a finding keeps out, under HELD: a profile's its minutes, a rule's events."""
        oldest = tick - HELD_DAYS * DAY_TICKS
        timely = pl.col("tick").is_between(oldest, tick, closed="left")
        if _is_profiles(decision):
            of_cluster = pl.col("cluster") == decision.cluster
            return self.held.filter(timely & of_cluster & (pl.col("finding") == decision.finding))
        rows = self.flagged.filter(timely & pl.col("event.id").is_in(decision.events))
        found = observed(coded(rows.sort("tick", "event.id")))
        return (
            found.filter(pl.col("cluster") == decision.cluster)
            .with_columns(pl.lit(value=False).alias("strange"), finding=pl.lit(decision.finding))
            .select(HELD.names())
        )

    def _withdraw(self, finding: str) -> bool:
        """Take back what an earlier verdict did; False if there was none in force."""
        before = self.accepted.height
        self.accepted = self.accepted.filter(pl.col("finding") != finding)
        was_distrusted = self.distrusted.pop(finding, None) is not None
        return was_distrusted or self.accepted.height < before

    def _accept(self, decision: Decision, held: pl.DataFrame, tick: int) -> None:
        """Note that it was learned, and that what was strange is accepted."""
        if not _is_profiles(decision):
            mine = pl.col("event.id").is_in(decision.events)
            self.flagged = self.flagged.with_columns(_none_of("count", mine))
            return
        mine = pl.col("finding") == decision.finding
        self.held = self.held.with_columns(_none_of("learnable", mine))
        last = pl.lit(tick, dtype=pl.Int64).alias("last")
        strange = held.filter("strange").with_columns(last).select(ACCEPTED.names()).unique()
        kept = pl.concat([self.accepted, strange])
        self.accepted = self._newest(kept, ["last", *ACCEPTED.names()[:-1]], "accepted")

    def reasons(self, rare: pl.DataFrame, tick: int) -> pl.DataFrame:
        """Return rare observations without those that people accepted.

        Parameters
            rare: as `models.profile.rarity.bits` returns them, of a span that begins with ``tick``.
        """
        if self.accepted.is_empty() or rare.is_empty():
            return rare
        seen = rare.select(_SAME).unique().with_columns(pl.lit(value=True).alias("seen"))
        again = self.accepted.join(seen, on=_SAME, how="left", maintain_order="left")["seen"]
        if again.null_count() == again.len():
            return rare
        last = pl.when(again).then(pl.max_horizontal("last", pl.lit(tick))).otherwise("last")
        self.accepted = self.accepted.with_columns(last.alias("last"))
        return rare.join(self.accepted, on=_SAME, how="anti")

    def hold(self, seen: pl.DataFrame, rare: pl.DataFrame, findings: pl.DataFrame) -> None:
        """Hold what minutes that are reported say.

        Parameters
            seen: all observations of a span, under OBSERVED.
            rare: the rare ones of them.
            findings: ``cluster``, ``tick``, ``who`` of each such minute, and its ``finding``.
        """
        if findings.is_empty():
            return
        same = [*MINUTE, "feature", "context_0", "value"]
        strange = rare.select(same).unique().with_columns(pl.lit(value=True).alias("strange"))
        found = (
            seen.join(findings, on=MINUTE)
            .join(strange, on=same, how="left")
            .with_columns(pl.col("strange").fill_null(value=False))
            .filter((pl.col("learnable") > 0) | pl.col("strange"))
        )
        kept = pl.concat([self.held, found.select(HELD.names())])
        self.held = self._newest(kept, _BY_AGE, "held")

    def kept_out(self, seen: pl.DataFrame, flagged: pl.DataFrame, tick: int) -> pl.DataFrame:
        """Return the minutes of a span that nothing is learned of: flagged, or of the distrusted.

        Parameters
            flagged: ``cluster``, ``tick``, ``who`` of minutes over the threshold.
        """
        minutes = flagged.select(MINUTE)
        who = {who for one in self.distrusted.values() if tick < one.until for who in one.who}
        if not who:
            return minutes
        distrusted = pl.col("who").is_in(pl.Series(sorted(who), dtype=pl.UInt64).implode())
        return pl.concat([minutes, seen.filter(distrusted).select(MINUTE)]).unique()

    def _forget(self, clusters: Collection[int], tick: int) -> None:
        """Let go of what is over in some clusters, and of flagged events beyond the bound."""
        self.distrusted = {
            finding: one
            for finding, one in self.distrusted.items()
            if one.cluster not in clusters or tick < one.until
        }
        if self.accepted.height:
            own = pl.Series(sorted(clusters), dtype=pl.UInt64)
            others = ~pl.col("cluster").is_in(own.implode())
            lasting = pl.col("last") > tick - ACCEPTED_DAYS * DAY_TICKS
            self.accepted = self.accepted.filter(others | lasting)
        if self.flagged.height > self.limit_rows:
            # Only of minutes that were scored: of what is to come it depends on batches how much
            # is here already.
            names = [
                name for name in self.flagged[CLUSTER].unique() if digest(name or "") in clusters
            ]
            over = pl.col(CLUSTER).is_in(names, nulls_equal=True) & (pl.col("tick") < tick)
            kept = self._newest(self.flagged.filter(over), ["tick", "event.id"], "flagged", CLUSTER)
            self.flagged = pl.concat([kept, self.flagged.filter(~over)])

    def _newest(
        self, rows: pl.DataFrame, order: list[str], what: str, cluster: str = "cluster"
    ) -> pl.DataFrame:
        """Return the newest rows of each cluster within the bound."""
        if rows.height <= self.limit_rows:
            return rows
        kept = rows.sort(order).group_by(cluster, maintain_order=True).tail(self.limit_rows)
        self.evicted[what] += rows.height - kept.height
        return kept.select(rows.columns)

    def save(self) -> SavedVerdicts:
        """Return all as a value for a snapshot, the same for the same."""
        return SavedVerdicts(
            self.decisions.due,
            dict(sorted(self.decisions.newest_us.items())),
            packed(self.held.sort(HELD.names())),
            packed(self.flagged.sort("tick", "event.id")),
            packed(self.accepted.sort(ACCEPTED.names())),
            dict(sorted(self.distrusted.items())),
        )

    def restore(self, saved: SavedVerdicts) -> None:
        """Take up what `save` gave."""
        self.decisions.due = list(saved.due)
        self.decisions.newest_us = dict(saved.newest_us)
        frames = (saved.held, saved.flagged, saved.accepted)
        self.held, self.flagged, self.accepted = (unpacked(data) for data in frames)
        self.distrusted = dict(saved.distrusted)


def _is_profiles(decision: Decision) -> bool:
    return decision.rule == UNUSUAL_IDENTITY.id


def _none_of(column: str, rows: pl.Expr) -> pl.Expr:
    return pl.when(rows).then(pl.lit(0, pl.UInt32)).otherwise(column).alias(column)
