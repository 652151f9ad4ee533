"""The learned detector on simulated days: what it finds of planted attacks, and what else it tells.

Events of all clusters go through the detector batch by batch with watermarks, as in a service; it
starts knowing nothing, tells nothing for three days, and learns on. A chain is found if its acting
identity made a request of it in a minute of a finding. The comparison with simple methods is by
identity and minute; all are fitted to the days before the first attack. Every figure is of
simulated data, and is printed so.

    python benchmarks/learned_simulated.py /tmp/simulated --days 30 --seed 7
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import median
from time import process_time
from typing import TYPE_CHECKING, Final

import polars as pl
from learned import METHODS, average_precision, truth_of
from simulated_events import simulated

from detectors.anomaly.learned import Learned, Learning
from detectors.anomaly.runs import GAP_TICKS
from models.profile.action_key import DAY_TICKS, TICK_US
from models.profile.rarity import KNOWN_EVENTS, Known
from models.profile.told import TOLD_TICKS
from models.simulate.settings import SimulationSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulated_events import SimulatedCluster

    from detectors.correlation.released import Released
    from detectors.finding import Finding

FINDINGS_A_DAY: Final = 5.0
SILENT_DAYS: Final = 3
_HOUR_US: Final = 60 * TICK_US
_LATENESS_US: Final = 30_000_000
_AT: Final = pl.col("@timestamp").to_physical()
_WHO: Final = pl.coalesce("user.effective.name", "user.name").fill_null("")
_COMPARED: Final = ("profiles", "volume z-score", "plain frequency", "isolation forest")


@dataclass(frozen=True, slots=True)
class Chain:
    """A planted attack, as a cluster's log shows it."""

    cluster: str
    run: str
    first_us: int
    minutes: frozenset[tuple[str, int]]
    """Identity and minute of each of its requests."""


@dataclass(slots=True)
class Told:
    """What the detector said, and what it cost."""

    findings: dict[str, Finding] = field(default_factory=dict)
    ends_us: dict[str, int] = field(default_factory=dict)
    spent_s: float = 0.0

    def take(self, released: Released) -> None:
        """Add what became certain."""
        self.findings |= {one.id: one for one in released.findings}
        self.ends_us |= {one.finding: one.end_us for one in released.closed}


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run of the detector found."""

    chains: list[Chain]
    told: Told
    found: dict[tuple[str, str], Finding]
    """By cluster and run, the first finding of a chain."""
    false: list[Finding]


def main() -> None:
    """Measure one seed, and print it."""
    parser = argparse.ArgumentParser(description="The learned detector on simulated days.")
    parser.add_argument("folder", type=Path, help="where simulated events are kept between runs")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--clusters", type=int, default=3)
    parser.add_argument("--events-per-day", type=int, default=50_000)
    parser.add_argument("--chains", type=int, default=25)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--silent-days", type=int, default=SILENT_DAYS)
    parser.add_argument("--compare", action="store_true", help="with three simple methods")
    asked = parser.parse_args()
    settings = SimulationSettings(
        date(2026, 6, 1), asked.days, asked.clusters, asked.events_per_day, asked.chains, asked.seed
    )
    clusters = simulated(settings, asked.folder)
    events = sum(one.events.height for one in clusters)
    print(f"simulated: seed {settings.seed}, {settings.days} days, {len(clusters)} clusters,")
    print(f"  {events:,} events, {settings.chains} chains planted")
    report(measure(clusters, asked.silent_days), clusters, settings.days - asked.silent_days)
    if asked.compare:
        compare(clusters)


def measure(clusters: Sequence[SimulatedCluster], silent_days: int) -> Measured:
    """Run the detector over a fleet, and match what it told with what was planted."""
    chains = [chain for one in clusters for chain in chains_of(one)]
    told = detect(
        clusters,
        Learning(
            findings_a_day=FINDINGS_A_DAY,
            known=Known(KNOWN_EVENTS, DAY_TICKS),
            silent_ticks=silent_days * DAY_TICKS,
            told_ticks=TOLD_TICKS,
        ),
    )
    by_minute: defaultdict[tuple[str, str, int], set[str]] = defaultdict(set)
    for chain in chains:
        for who, tick in chain.minutes:
            by_minute[chain.cluster, who, tick].add(chain.run)
    found: dict[tuple[str, str], Finding] = {}
    false = []
    for one in sorted(told.findings.values(), key=lambda one: one.order):
        cluster, who = one.document["orchestrator.cluster.name"], identity(one)
        last = told.ends_us.get(one.id, one.order[0]) // TICK_US
        minutes = range(one.order[0] // TICK_US, last + 1)
        runs = set().union(*(by_minute.get((cluster, who, tick), ()) for tick in minutes))
        for run in runs:
            found.setdefault((cluster, run), one)
        if not runs:
            false.append(one)
    return Measured(chains, told, found, false)


def chains_of(cluster: SimulatedCluster) -> list[Chain]:
    """Return what was planted in a cluster; what never made a request is left out."""
    attack = cluster.events.filter(pl.col("role") == "attack").select(
        "run", _WHO.alias("who"), (_AT // TICK_US).alias("tick"), _AT.alias("us")
    )
    chains = []
    for run in cluster.runs:
        mine = attack.filter(pl.col("run") == run)
        minutes = frozenset(mine.select("who", "tick").iter_rows())
        chains.append(Chain(cluster.name, run, mine["us"].min() or 0, minutes))  # type: ignore[arg-type]
    return chains


def detect(clusters: Sequence[SimulatedCluster], learning: Learning) -> Told:
    """Feed events as a worker does, all clusters by their time, and count its processor time."""
    detector, told, newest = Learned(learning), Told(), 0
    for batch in _hours(clusters):
        newest = max(newest, int(batch.select(_AT.max()).item()))
        begun = process_time()
        detector.add(batch)
        told.take(detector.release(newest - _LATENESS_US))
        told.spent_s += process_time() - begun
    begun = process_time()
    told.take(detector.release(None))
    told.spent_s += process_time() - begun
    return told


def _hours(clusters: Sequence[SimulatedCluster]) -> Iterator[pl.DataFrame]:
    """Yield what all clusters logged, hour by hour: they are as far as each other."""
    hours = [one.events.select(_AT // _HOUR_US).to_series() for one in clusters]
    for number in pl.concat(hours).unique().sort():
        yield pl.concat(
            one.events.filter(hour == number) for one, hour in zip(clusters, hours, strict=True)
        )


def identity(finding: Finding) -> str:
    """Return whose minute was strange."""
    document = finding.document
    return str(document.get("user.effective.name") or document.get("user.name") or "")


def report(measured: Measured, clusters: Sequence[SimulatedCluster], days: int) -> None:
    """Print what was found, what was missed, and what else was told.

    Parameters
        days: after the silent ones.
    """
    chains, told = measured.chains, measured.told
    many = len(told.findings)
    events = sum(one.events.height for one in clusters)
    cluster_days = len(clusters) * days
    share = len(measured.found) / max(len(chains), 1)
    print(f"simulated: {len(measured.found)} of {len(chains)} chains found ({share:.0%}) with")
    print(f"  {many} findings, {many / cluster_days:.1f} a day and cluster after the")
    print(f"  silent days; {len(measured.false)} of them about no chain")
    print(f"simulated: {told.spent_s:.0f} s of CPU, {told.spent_s / events * 1e6:.1f} us an event")
    a_day = Counter(
        (one.document["orchestrator.cluster.name"], one.document["@timestamp"][:10])
        for one in told.findings.values()
    )
    over = sum(n > FINDINGS_A_DAY for n in a_day.values())
    worst = max(a_day.values(), default=0)
    print(f"simulated: {over} of {cluster_days} days over the budget, the worst with {worst}")
    delays = []
    for chain in sorted(chains, key=lambda one: one.run):
        one = measured.found.get((chain.cluster, chain.run))
        if one is None:
            print(f"  {chain.run:32} {chain.cluster:10} not found")
            continue
        delay_min = max(one.order[0] - chain.first_us, 0) / TICK_US
        delays.append(delay_min)
        reasons = one.document["trailwarden.anomaly.reasons"]
        print(f"  {chain.run:32} {chain.cluster:10} after {delay_min:6.1f} min: {reasons[0]}")
    if delays:
        print(f"simulated: median time to detection {median(delays):.1f} minutes of a chain")
    print("simulated: findings about no chain, by what they name first")
    kinds = Counter(_kind(one) for one in measured.false)
    for kind, count in kinds.most_common(15):
        print(f"  {count:4} {kind}")


def _kind(finding: Finding) -> str:
    """Return who a finding is about, without whose name, and its first reason without the span."""
    who = identity(finding)
    kind = "a person" if "@" in who else "a node" if who.startswith("system:node:") else who
    return f"{kind}: {finding.document['trailwarden.anomaly.reasons'][0].split(' in ')[0]}"


def compare(clusters: Sequence[SimulatedCluster]) -> None:
    """Print how well each method ranks the minutes after the quiet time, and what it finds."""
    pieces: defaultdict[str, list[pl.DataFrame]] = defaultdict(list)
    found: Counter[str] = Counter()
    first = min(chain.first_us for one in clusters for chain in chains_of(one))
    for cluster in clusters:
        named = cluster.events.with_columns(_WHO.alias("who"), (_AT // TICK_US).alias("tick"))
        quiet, rest = (named.filter(which) for which in (_AT.lt(first), _AT.ge(first)))
        truth = truth_of(rest)
        days = (int(rest.select(_AT.max()).item()) - first) / (DAY_TICKS * TICK_US)
        for name in _COMPARED:
            scored = METHODS[name](quiet, rest)
            ranked = truth.join(scored, on=["who", "tick"], how="left").with_columns(
                pl.col("score").fill_null(float("-inf"))
            )
            ranked = ranked.sort("score", "who", "tick", descending=[True, False, False])
            found[name] += len(runs_within(ranked, int(FINDINGS_A_DAY * days)))
            pieces[name].append(ranked.select("score", "attack"))
    chains = sum(len(chains_of(one)) for one in clusters)
    for name in _COMPARED:
        area = average_precision(pl.concat(pieces[name]))
        print(f"simulated: {name:16} PR-AUC {area:.3f}; ", end="")
        print(f"{found[name]} of {chains} chains in its best {FINDINGS_A_DAY:.0f} findings a day")


def runs_within(ranked: pl.DataFrame, most: int) -> set[str]:
    """Return the runs that the highest minutes show, as many as are so many findings."""
    chosen: defaultdict[str, list[int]] = defaultdict(list)
    runs: set[str] = set()
    findings = 0
    for who, tick, shown in ranked.select("who", "tick", "runs").iter_rows():
        if not any(abs(tick - other) <= GAP_TICKS for other in chosen[who]):
            findings += 1
        if findings > most:
            break
        chosen[who].append(tick)
        runs |= set(shown or ())
    return runs


if __name__ == "__main__":
    main()
