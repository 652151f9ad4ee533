"""Learned detectors against a labelled recording: what they find that nobody wrote a rule for.

Trained on the quiet time before the first attack, scored on the rest, by identity and minute. A
minute is right if the identity made a request of an attack in it; minutes in which it only did what
the cluster does because of an attack, or what the experiment itself did, count neither way. An
execution (kind of attack, round) is found at a budget if one of its requests is in a reported
minute; by finding, minutes of an identity that follow each other are one.

    python benchmarks/learned.py ../shared/data/kubernetes-audit
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any, Final

import orjson
import polars as pl
from sklearn.ensemble import IsolationForest  # type: ignore[import-untyped]  # it has no types

from detectors.anomaly.learned import Learned, Learning
from detectors.anomaly.runs import GAP_TICKS
from detectors.anomaly.spans import SPAN_TICKS
from models.profile import rarity
from models.profile.action_key import sightings
from models.profile.counts import Counts
from models.profile.observed import coded, digest, observed
from worker.scan import scan
from worker.settings import ScanSettings, shipped_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BUDGETS: Final = (5, 20, 50)
"""Findings per 10,000 events."""

ATTACK: Final = "attack"
NEUTRAL: Final = ("derived", "harness", "bootstrap", "allowed_by_rogue_binding")
_KEY: Final = ("kubernetes.audit.auditID", "kubernetes.audit.stage", "kubernetes.audit.requestURI")
_TICK_US: Final = 60_000_000
_LATENESS_US: Final = 30_000_000
_BATCH: Final = 8_192


def main(folder: Path) -> None:
    """Score all methods and print them side by side, then what the detector itself reports."""
    events = labelled(folder)
    first = events.filter(pl.col("role") == ATTACK)["@timestamp"].min()
    quiet, rest = (events.filter(which) for which in (_at < first, _at >= first))
    print(f"{quiet.height:,} quiet events until {first!s}, {rest.height:,} to score")
    truth = truth_of(rest)
    for name, method in METHODS.items():
        compare(name, truth, method(quiet, rest), rest.height)
    report(events)


_at = pl.col("@timestamp")


def labelled(folder: Path) -> pl.DataFrame:
    """Return the recording's events with ``role``, ``run``, ``who`` and ``tick``."""
    with tempfile.TemporaryDirectory() as out:
        log = [str(folder / "audit.log.gz")]
        scan(ScanSettings(log, Path(out), "scored", rules=[shipped_rules()]), 0, lambda _: None)
        events = pl.read_parquet(Path(out) / "events.parquet")
    labels: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for line in (folder / "labels.jsonl").open("rb"):
        label = orjson.loads(line)
        labels[label["auditID"], label["stage"]].append(label)
    found = [_label(labels.get(row[:2], []), row[2]) for row in events.select(_KEY).iter_rows()]
    return events.with_columns(
        pl.Series("role", [one and one["role"] for one in found], pl.String),
        pl.Series("run", [one and f"{one['scenario']} {one['round']}" for one in found], pl.String),
        pl.coalesce("user.effective.name", "user.name").fill_null("").alias("who"),
        (_at.to_physical() // _TICK_US).alias("tick"),
    ).sort("@timestamp", "event.id")


def _label(candidates: list[dict[str, Any]], uri: str | None) -> dict[str, Any] | None:
    """Return the label of an event; the URI decides only where a client reused an audit id."""
    exact = [one for one in candidates if one["uri"] == uri]
    redacted = [one for one in candidates if "[redacted" in (uri or "")]
    return (exact or redacted)[0] if exact or redacted else None


def truth_of(rest: pl.DataFrame) -> pl.DataFrame:
    """Return by identity and minute whether it is an attack's, and the executions in it."""
    attack = pl.col("role") == ATTACK
    minutes = rest.group_by("who", "tick").agg(
        attack.any().fill_null(value=False).alias("attack"),
        pl.col("role").is_in(NEUTRAL).any().fill_null(value=False).alias("neutral"),
        pl.col("run").filter(attack).unique().alias("runs"),
    )
    return minutes.filter(pl.col("attack") | ~pl.col("neutral"))


def by_profile(quiet: pl.DataFrame, rest: pl.DataFrame) -> pl.DataFrame:
    """Score by what the detector learns: rarity of values by identity, peers and cluster."""
    counts = Counts()
    seen = observed(coded(sightings(quiet)))
    spans = seen["tick"] // SPAN_TICKS
    for span in spans.unique().sort():
        counts.learn(seen.filter(spans == span), span * SPAN_TICKS, rarity.KNOWN_EVENTS)
    later = observed(coded(sightings(rest)))
    rare = rarity.bits(later, counts, int(rest["tick"].min() or 0))  # type: ignore[arg-type]
    scored = rarity.scores(rarity.contributions(rare))
    cluster = rest["orchestrator.cluster.name"][0]
    names = {digest(f"{cluster}\x1f{name}"): name for name in rest["who"].unique().to_list()}
    who = pl.col("who").replace_strict(names, return_dtype=pl.String)
    return scored.select(who, "tick", "score")


def by_volume(quiet: pl.DataFrame, rest: pl.DataFrame) -> pl.DataFrame:
    """Score by how far events of a minute lie over the identity's mean, in deviations."""
    before = quiet.group_by("who", "tick").len("n").group_by("who")
    usual = before.agg(pl.col("n").mean().alias("mean"), pl.col("n").std().alias("deviation"))
    counted = rest.group_by("who", "tick").len("n").join(usual, on="who", how="left")
    over = pl.col("n") - pl.col("mean").fill_null(0.0)
    return counted.select("who", "tick", score=over / (pl.col("deviation").fill_null(0.0) + 1.0))


def by_frequency(quiet: pl.DataFrame, rest: pl.DataFrame) -> pl.DataFrame:
    """Score by the rarest act of the minute: how often the identity did it to this resource."""
    act = ("who", "event.action", "orchestrator.resource.type")
    before = quiet.group_by(act).len("n")
    share = (pl.col("n").fill_null(0) + 1) / (quiet.height + 1)
    joined = rest.join(before, on=act, how="left", nulls_equal=True)
    return joined.group_by("who", "tick").agg(score=(-share.log(2.0)).max())


def by_forest(quiet: pl.DataFrame, rest: pl.DataFrame) -> pl.DataFrame:
    """Score by an isolation forest on raw counts of a minute."""
    actions = sorted(set(quiet["event.action"]))
    before, after = _raw_counts(quiet, actions), _raw_counts(rest, actions)
    columns = before.columns[2:]
    forest = IsolationForest(n_estimators=300, random_state=7).fit(before[columns].to_numpy())
    distinct = after.select(columns).unique()  # of which there are few: each is scored once
    scores = pl.Series("score", -forest.score_samples(distinct.to_numpy()))
    scored = after.join(distinct.with_columns(scores), on=columns)
    return scored.select("who", "tick", "score")


def _raw_counts(events: pl.DataFrame, actions: Sequence[str]) -> pl.DataFrame:
    distinct = ("orchestrator.resource.type", "orchestrator.namespace", "source.ip")
    return events.group_by("who", "tick", maintain_order=True).agg(
        pl.len().alias("events"),
        (pl.col("event.outcome") == "failure").sum().alias("failures"),
        *(pl.col(name).n_unique().alias(f"distinct {name}") for name in distinct),
        pl.col("user_agent.name").n_unique().alias("agents"),
        *((pl.col("event.action") == action).sum().alias(action) for action in actions),
    )


METHODS: Final[dict[str, Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]]] = {
    "profiles": by_profile,
    "volume z-score": by_volume,
    "plain frequency": by_frequency,
    "isolation forest": by_forest,
}


def compare(name: str, truth: pl.DataFrame, scored: pl.DataFrame, events: int) -> None:
    """Print how well a method ranks minutes, and what it finds within the budgets."""
    ranked = truth.join(scored, on=["who", "tick"], how="left").with_columns(
        pl.col("score").fill_null(float("-inf"))
    )
    ranked = ranked.sort("score", "who", "tick", descending=[True, False, False])
    print(f"\n{name}: PR-AUC {average_precision(ranked):.3f}")
    everything = executions(truth)
    for unit, top in (("minutes", _top_minutes), ("findings", _top_findings)):
        for budget in BUDGETS:
            most = budget * events // 10_000
            chosen = top(ranked, most)
            found = executions(chosen)
            kinds = {run.split(" ")[0] for run in found}
            right = float(chosen["attack"].sum()) / max(chosen.height, 1)
            print(
                f"  {budget:3} {unit} per 10,000 events ({most:2}): {len(found):2} of "
                f"{len(everything)} executions, {len(kinds)} kinds; precision {right:.2f}"
            )
            if name == "profiles" and unit == "findings":
                missed = sorted(everything - found)
                print(f"      missed: {', '.join(missed) or 'none'}")


def average_precision(ranked: pl.DataFrame) -> float:
    """Return the area under precision and recall, ties taken together."""
    steps = ranked.group_by("score").agg(pl.col("attack").sum().alias("hits"), pl.len())
    steps = steps.sort("score", descending=True)
    precision = pl.col("hits").cum_sum() / pl.col("len").cum_sum()
    area = steps.select((precision * pl.col("hits")).sum() / pl.col("hits").sum())
    return float(area.item())


def executions(minutes: pl.DataFrame) -> set[str]:
    """Return the executions that minutes show."""
    return set(minutes["runs"].explode().drop_nulls())


def _top_minutes(ranked: pl.DataFrame, most: int) -> pl.DataFrame:
    return ranked.head(most)


def _top_findings(ranked: pl.DataFrame, most: int) -> pl.DataFrame:
    """Return the highest minutes that are at most so many runs of an identity."""
    scored = ranked.filter(pl.col("score") > float("-inf"))
    best = scored.head(0)
    for length in range(1, scored.height + 1):
        chosen = scored.head(length)
        apart = chosen.sort("who", "tick").select(
            (pl.col("tick").diff() > GAP_TICKS).over("who").fill_null(value=True).sum()
        )
        if apart.item() > most:
            return best
        best = chosen
    return best


def report(events: pl.DataFrame) -> None:
    """Print what the detector itself reports, with its budget of a day, and what it costs."""
    plain = events.drop("role", "run", "who", "tick")
    detector, found, newest, spent = Learned(Learning(hold_ticks=SPAN_TICKS)), [], 0, 0.0
    for start in range(0, plain.height, _BATCH):
        batch = plain.slice(start, _BATCH)
        newest = max(newest, int(batch["@timestamp"].to_physical().max() or 0))  # type: ignore[arg-type]
        begun = process_time()
        detector.add(batch)
        found += detector.release(newest - _LATENESS_US).findings
        spent += process_time() - begun
    found += detector.release(None).findings
    attacks = events.filter(pl.col("role") == ATTACK)
    runs = dict(attacks.select("event.id", "run").iter_rows())
    told: set[str] = set()
    print(f"\nthe detector, {detector.learning.findings_a_day:.0f} findings a day wanted: ", end="")
    print(f"{len(found)} findings, {spent / plain.height * 1e6:.2f} microseconds of CPU an event")
    for finding in found:
        evidence = [runs.get(one) for one in finding.document["trailwarden.evidence.event_ids"]]
        share = 1 - evidence.count(None) / len(evidence)
        told |= {run for run in evidence if run}
        print(
            f"  {finding.document['trailwarden.anomaly.score']:6.1f} {finding.level.value:8}",
            end="",
        )
        print(f"{share:4.0%} of its evidence is attack: {finding.document['message']}")
    print(f"  evidence of {len(told)} of {attacks['run'].n_unique()} executions is in it by name")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: learned.py FOLDER (with audit.log.gz and labels.jsonl)")
    main(Path(sys.argv[1]))
