"""Scored units and labelled events in, what was found at each budget out.

Separate from the metrics because here it is decided what counts. A unit is true if one of its
events is an attacker's own request; one that holds only what the cluster did because of an attack,
its set-up or the experiment counts neither way; every other is false. An execution of an attack is
found if a finding holds one of its own requests, and is told when that finding's unit is complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from models.training.labels import ATTACK, JUDGED, LABELS, NEUTRAL
from models.training.metrics import average_precision, findings_within, highest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.scored import Scorer

_SECOND_US: Final = 1_000_000
_HALF: Final = 0.5


@dataclass(frozen=True, slots=True)
class KindResult:
    """One kind of attack: executions, those found, and the median seconds until they were told."""

    kind: str
    runs: int
    found: int
    detection_s: float | None


@dataclass(frozen=True, slots=True)
class BudgetResult:
    """What a budget of so many findings per 10,000 events gives.

    ``findings`` are ``true``, ``false`` or neither; ``precision`` is of those that are either.
    ``judged_true`` and ``judged_false`` hold what people decided about by verdicts.
    ``found_mostly`` are executions in a finding half of whose events, or more, are an attacker's:
    a finding that holds half the cluster's events proves little by holding an attack as well.
    """

    budget: float
    findings: int
    true: int
    false: int
    runs: int
    found: int
    found_mostly: int
    kinds: tuple[KindResult, ...]
    judged_true: int = 0
    judged_false: int = 0

    @property
    def judged(self) -> int:
        """Return how many findings people decided about."""
        return self.judged_true + self.judged_false

    @property
    def precision_by_verdict(self) -> float | None:
        """Return the share of true ones among those judged by people; None if none was."""
        return self.judged_true / self.judged if self.judged else None

    @property
    def precision(self) -> float | None:
        """Return the share of true ones; None if there is nothing to have a share of."""
        told = self.true + self.false
        return self.true / told if told else None

    @property
    def recall(self) -> float | None:
        """Return the share of executions found; None if there were none."""
        return self.found / self.runs if self.runs else None


@dataclass(frozen=True, slots=True)
class Finding:
    """One unit above the threshold of the largest budget, for people to read."""

    score: float
    cluster: str
    entity: str
    start_us: int
    is_true: bool | None
    reasons: tuple[str, ...]
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One method on one set of events."""

    name: str
    events: int
    units: int
    true_units: int
    average_precision: float | None
    budgets: tuple[BudgetResult, ...]
    findings: tuple[Finding, ...]


def evaluate(
    name: str,
    model: Scorer,
    events: pl.DataFrame,
    labels: pl.DataFrame | None,
    budgets: Sequence[float],
    *,
    verdicts: pl.DataFrame | None = None,
) -> Evaluation:
    """Score events and compare with their labels.

    Parameters
        labels: under `models.training.labels.LABELS`, of these events; None: it is not known what
            is true, and nothing is called true or false.
        budgets: findings per 10,000 events.
        verdicts: under `models.training.labels.JUDGED`; labels and verdicts are counted apart.
    """
    members = model.members(events)
    known = pl.DataFrame(schema=dict(LABELS)) if labels is None else labels
    held = members.join(known, on="event.id", how="left", maintain_order="left")
    judged = model.score(events).join(_judgement(held), on="unit", how="left")
    if labels is None:
        judged = judged.with_columns(pl.lit(None, pl.Boolean).alias("is_true"))
    judged = judged.join(_by_people(members, verdicts), on="unit", how="left")
    told = judged.filter(pl.col("is_true").is_not_null())
    attacks = held.filter(pl.col("role") == ATTACK)
    largest = findings_within(max(budgets, default=0.0), events.height)
    return Evaluation(
        name=name,
        events=events.height,
        units=judged.height,
        true_units=judged.filter("is_true").height,
        average_precision=average_precision(told["is_true"], told["score"]),
        budgets=tuple(
            _at(budget, highest(judged, findings_within(budget, events.height)), attacks, known)
            for budget in budgets
        ),
        findings=_findings(highest(judged, largest)),
    )


def _judgement(held: pl.DataFrame) -> pl.DataFrame:
    """Return for each unit whether it is true, its share of attacks, and their kinds."""
    role = pl.col("role")
    is_attack = (role == ATTACK).fill_null(value=False)
    is_neutral = role.is_in(NEUTRAL).fill_null(value=False).any()
    true = pl.when(is_attack.any()).then(pl.lit(True)).when(is_neutral).then(None)
    return held.group_by("unit").agg(
        true.otherwise(pl.lit(False)).alias("is_true"),
        is_attack.mean().alias("share"),
        pl.col("kind").filter(is_attack).drop_nulls().unique().sort().alias("kinds"),
    )


def _by_people(members: pl.DataFrame, verdicts: pl.DataFrame | None) -> pl.DataFrame:
    """Return for each unit that people judged whether it is true: one true event is enough."""
    said = pl.DataFrame(schema=dict(JUDGED)) if verdicts is None else verdicts
    held = members.join(said, on="event.id")
    return held.group_by("unit").agg(pl.col("is_true").any().alias("is_judged_true"))


def _at(
    budget: float, flagged: pl.DataFrame, attacks: pl.DataFrame, labels: pl.DataFrame
) -> BudgetResult:
    kinds = _by_kind(flagged, attacks, labels)
    is_true = flagged["is_true"]
    mostly = flagged.filter(pl.col("share") >= _HALF)
    return BudgetResult(
        budget=budget,
        findings=flagged.height,
        true=int(is_true.sum() or 0),
        false=int((~is_true).sum() or 0),
        runs=sum(kind.runs for kind in kinds),
        found=sum(kind.found for kind in kinds),
        found_mostly=sum(kind.found for kind in _by_kind(mostly, attacks, labels)),
        kinds=kinds,
        judged_true=int(flagged["is_judged_true"].sum() or 0),
        judged_false=int((~flagged["is_judged_true"]).sum() or 0),
    )


def _by_kind(
    flagged: pl.DataFrame, attacks: pl.DataFrame, labels: pl.DataFrame
) -> tuple[KindResult, ...]:
    own = labels.filter(pl.col("role") == ATTACK, pl.col("run").is_not_null())
    runs = own.group_by("kind", "run").agg(pl.col("time").min().alias("began"))
    told = (
        attacks.join(flagged.select("unit", "end"), on="unit")
        .group_by("run")
        # A unit may have been told before an execution added to it.
        .agg(pl.max_horizontal("end", "time").min().alias("told"))
    )
    seconds = (pl.col("told") - pl.col("began")) / _SECOND_US
    rows = (
        runs.join(told, on="run", how="left")
        .group_by("kind")
        .agg(pl.len(), pl.col("told").count(), seconds.median().alias("seconds"))
        .sort("kind")
    )
    return tuple(KindResult(*row) for row in rows.rows())


def _findings(flagged: pl.DataFrame) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            score=row["score"],
            cluster=row["cluster"],
            entity=row["entity"],
            start_us=row["start"],
            is_true=row["is_true"],
            reasons=tuple(row["reasons"] or ()),
            kinds=tuple(row["kinds"] or ()),
        )
        for row in flagged.iter_rows(named=True)
    )
