"""Score findings against a labelled recording: which attacks were found, what was reported falsely.

A finding is *found* for an execution (kind of attack, round) if its severity is medium or above
and at least half of its evidence, and at least one event, has the role attack or derived of that
execution. It is *false* if no event of its evidence has such a role; evidence of the cluster's
set-up (bootstrap) and of the experiment itself (harness) counts neither way.

    python benchmarks/score.py ../shared/data/kubernetes-audit
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
import polars as pl

from worker.scan import scan
from worker.settings import ScanSettings, shipped_rules

if TYPE_CHECKING:
    from collections.abc import Iterable

ATTACK: Final = frozenset({"attack", "derived"})
NEUTRAL: Final = frozenset({"bootstrap", "harness", "allowed_by_rogue_binding"})
COUNTED: Final = frozenset({"medium", "high", "critical"})
HALF: Final = 0.5

Key = tuple[str, str, str]


@dataclass(slots=True)
class Score:
    """What was found per execution, and what was reported on background."""

    runs: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    false: Counter[str] = field(default_factory=Counter)
    """Of medium and above: what somebody must look at."""
    context: Counter[str] = field(default_factory=Counter)
    """Of low and informational findings on background, which only add context."""
    per_run: Counter[tuple[str, int]] = field(default_factory=Counter)
    false_examples: dict[str, str] = field(default_factory=dict)


def main(folder: Path) -> None:
    """Scan the recording, score the findings and print both."""
    labels = _labels(folder / "labels.jsonl")
    runs = _runs(folder / "scenarios.jsonl")
    with tempfile.TemporaryDirectory() as out:
        log = [str(folder / "audit.log.gz")]
        result = scan(ScanSettings(log, Path(out), "scored", rules=[shipped_rules()]), 0, _ignore)
        events = pl.read_parquet(Path(out) / "events.parquet", columns=_KEY_COLUMNS)
        found = [orjson.loads(line) for line in (Path(out) / "findings.ndjson").open("rb")]
    by_id = {row[0]: _label(labels, row) for row in events.iter_rows()}
    background = sum(1 for label in by_id.values() if label is None)
    counts = result.accounts
    print(
        f"{counts.events:,} events, {counts.repeats} repeats, {counts.refused.total()} quarantined"
    )
    _print(_score(found, by_id), runs, background, len(found))


def _ignore(_: int) -> None:
    """Take no notice of progress."""


_KEY_COLUMNS: Final = [
    "event.id",
    "kubernetes.audit.auditID",
    "kubernetes.audit.stage",
    "kubernetes.audit.requestURI",
]


def _labels(path: Path) -> dict[tuple[str, str], list[dict[str, Any]]]:
    labels: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for line in path.open("rb"):
        label = orjson.loads(line)
        labels[label["auditID"], label["stage"]].append(label)
    return labels


def _label(labels: dict[tuple[str, str], list[dict[str, Any]]], row: Any) -> dict[str, Any] | None:
    """Return the label of an event; the URI decides only where a client reused an audit id."""
    candidates = labels.get((row[1], row[2]), [])
    exact = [label for label in candidates if label["uri"] == row[3]]
    if exact:
        return exact[0]
    redacted = [label for label in candidates if "[redacted" in (row[3] or "")]
    return redacted[0] if redacted else None


def _runs(path: Path) -> list[tuple[str, int]]:
    scenarios = [orjson.loads(line) for line in path.open("rb")]
    return sorted((scenario["scenario"], scenario["round"]) for scenario in scenarios)


def _score(found: Iterable[dict[str, Any]], by_id: dict[str, dict[str, Any] | None]) -> Score:
    score = Score()
    for finding in found:
        evidence = [by_id.get(i) for i in finding["trailwarden.evidence.event_ids"]]
        attacks = [label for label in evidence if label and label["role"] in ATTACK]
        if not attacks:
            if not any(label and label["role"] in NEUTRAL for label in evidence):
                counted = finding["trailwarden.severity"] in COUNTED
                (score.false if counted else score.context)[finding["rule.name"]] += 1
                score.false_examples.setdefault(finding["rule.name"], finding["message"])
            continue
        runs = Counter((label["scenario"], label["round"]) for label in attacks)
        for run, count in runs.items():
            score.per_run[run] += count >= HALF * len(evidence)
            if count >= HALF * len(evidence) and finding["trailwarden.severity"] in COUNTED:
                score.runs[run].add(finding["rule.name"])
    return score


def _print(score: Score, runs: list[tuple[str, int]], background: int, total: int) -> None:
    kinds = sorted({kind for kind, _ in runs})
    rounds = sorted({number for _, number in runs})
    print(f"{'kind of attack':28}" + "".join(f"round {number}  " for number in rounds) + "by")
    for kind in kinds:
        marks = "".join(f"{'found' if score.runs[kind, n] else '-':9}" for n in rounds)
        rules = sorted(set().union(*(score.runs[kind, n] for n in rounds)))
        print(f"{kind:28}{marks}{'; '.join(rules)}")
    for number in rounds:
        hits = sum(1 for kind in kinds if score.runs[kind, number])
        print(f"round {number}: {hits} of {len(kinds)} kinds found")
    most = score.per_run.most_common(3)
    told = ", ".join(f"{kind} {number}: {count}" for (kind, number), count in most)
    print(f"most findings of one kind carried out once (of any severity): {told}")
    false = score.false.total()
    print(f"{total} findings; {false} false ones of medium or above on {background:,} ", end="")
    print(f"background events: {false / background * 10_000:.2f} per 10,000; ", end="")
    print(f"{score.context.total()} low or informational ones")
    for rule, count in (score.false + score.context).most_common():
        print(f"  {count:5}  {rule}: {score.false_examples[rule]}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: score.py FOLDER (with audit.log.gz, labels.jsonl and scenarios.jsonl)")
    main(Path(sys.argv[1]))
