"""Events and a pack become what each detection costs: microseconds of CPU an event.

A rule is measured alone, less what the cheapest rule of its product costs: most of that is paid
once, however many rules there are. What leaving it out of the pack saves would be the fairer
figure, but rules share their tests, and the difference of two runs of some tens of milliseconds is
smaller than what two equal runs differ by. So these figures add up to more than the whole, which is
measured as it runs. A correlation's figure is its fold alone, on hits that are there already, less
what folding no correlation costs; its bases are rules with figures of their own.

CPU is that of all threads of the process, user and system; of several measurements the least
counts, because nothing makes a run faster than it is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from detectors.correlation.fold import OverTime
from detectors.correlation.plan import plan_for
from detectors.engine import detect
from detectors.possible import possible
from detectors.sigma.pack import Pack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from detectors.correlation.plan import Plan
    from detectors.sigma.correlation import Correlation
    from detectors.sigma.pack import Detection
    from detectors.sigma.rule import Rule


@dataclass(frozen=True, slots=True)
class DetectionCost:
    """What one detection costs."""

    detection: Detection
    us_per_event: float


@dataclass(frozen=True, slots=True)
class PackCost:
    """What a pack costs, and each of its detections."""

    events: int
    rules_us_per_event: float
    """All rules together."""
    correlations_us_per_event: float
    """The fold of all correlations, on the hits of the rules."""
    detections: tuple[DetectionCost, ...]
    """The dearest first; never less than nothing."""


def cost_of(pack: Pack, batches: Sequence[pl.DataFrame], repeat: int) -> PackCost:
    """Return what ``pack`` costs on events of one cluster, in the order of the log.

    Takes about (rules + correlations) x ``repeat`` runs over all ``batches``.
    """
    events = sum(batch.height for batch in batches)
    every = _Measure(events, repeat)
    asked = [possible(rule) for rule in pack.rules]
    hits = [detect(batch, asked) for batch in batches]
    found = [*_rule_costs(pack, batches, every), *_fold_costs(pack, batches, hits, every)]
    return PackCost(
        events,
        every.of(partial(_detect, batches, asked)),
        every.of(partial(_fold, _plans(pack), batches, hits)) if pack.correlations else 0.0,
        tuple(sorted(found, key=lambda one: (-one.us_per_event, one.detection.title))),
    )


@dataclass(frozen=True, slots=True)
class _Measure:
    events: int
    repeat: int

    def of(self, run: Callable[[], None]) -> float:
        """Return the least CPU of ``repeat`` runs, microseconds an event."""
        run()  # plans and regular expressions are made once for a pack
        return min(self._once(run) for _ in range(self.repeat)) / max(self.events, 1)

    @staticmethod
    def _once(run: Callable[[], None]) -> float:
        start = time.process_time_ns()
        run()
        return (time.process_time_ns() - start) / 1_000


def _rule_costs(
    pack: Pack, batches: Sequence[pl.DataFrame], measure: _Measure
) -> list[DetectionCost]:
    alone = {rule: measure.of(partial(_detect, batches, (possible(rule),))) for rule in pack.rules}
    least: dict[str, float] = {}
    for rule, us in alone.items():
        product = rule.logsource.product
        least[product] = min(us, least.get(product, us))
    return [DetectionCost(rule, us - least[rule.logsource.product]) for rule, us in alone.items()]


def _fold_costs(
    pack: Pack,
    batches: Sequence[pl.DataFrame],
    hits: Sequence[pl.DataFrame],
    measure: _Measure,
) -> list[DetectionCost]:
    nothing = measure.of(partial(_fold, _plans(Pack(pack.rules)), batches, hits))
    found = []
    for one in pack.correlations:
        alone = Pack(pack.rules, _with_bases(one, pack), pack.silent)
        us = measure.of(partial(_fold, _plans(alone), batches, hits))
        found.append(DetectionCost(one, max(us - nothing, 0.0)))
    return found


def _with_bases(correlation: Correlation, pack: Pack) -> tuple[Correlation, ...]:
    """Return a correlation behind those that it builds on."""
    wanted = {correlation.id}
    for one in reversed(pack.correlations):
        if one.id in wanted:
            wanted |= {base.id for base in one.bases}
    return tuple(one for one in pack.correlations if one.id in wanted)


def _detect(batches: Sequence[pl.DataFrame], rules: Sequence[Rule]) -> None:
    for batch in batches:
        detect(batch, rules)


def _plans(pack: Pack) -> tuple[Plan, ...]:
    """Return the plans for a pack, which are made once and not for each event."""
    return plan_for(pack), plan_for(pack, across_clusters=True)


def _fold(
    plans: Sequence[Plan], batches: Sequence[pl.DataFrame], hits: Sequence[pl.DataFrame]
) -> None:
    for plan in plans:
        state = OverTime(plan)
        for batch, found in zip(batches, hits, strict=True):
            state.add(batch, found)
            state.release(_newest_us(batch))
        state.release(None)


def _newest_us(batch: pl.DataFrame) -> int | None:
    """Return the time up to which a batch lets the fold go on, as a watermark does."""
    newest = batch["@timestamp"].to_physical().max()
    return newest if isinstance(newest, int) else None
