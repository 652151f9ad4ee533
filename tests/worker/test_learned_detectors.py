"""The learned detector finds the same in a scan, in the service and in a replay, whatever dies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import orjson
import polars as pl
import pytest

from detectors.anomaly.detector import UNUSUAL_IDENTITY
from detectors.anomaly.learners import LearnedSettings, Model
from detectors.finding import Finding
from detectors.ruleset import Ruleset
from ingest.sources.kafka import Record
from tests.detectors.anomaly.world import Act, at, hour
from tests.worker.messages import TOPIC, audit_event, canary, message
from tests.worker.over_time import ALONE, MANY, Crash, Kept, Topic, rules_in, start
from worker.configuration import Settings, load_settings
from worker.counts import WorkerCounts
from worker.metrics import learned_samples, metrics_registry, worker_samples
from worker.pace import Pace
from worker.replay import ReplayResult, ReplaySettings, replay
from worker.replay_span import Span
from worker.rulesets import load_ruleset
from worker.scan import scan
from worker.settings import ScanSettings
from worker.stream import Worker

ID = UNUSUAL_IDENTITY.id
CLUSTER = "blue"
LATER_US = 3_600_000_000


def time_of(time_us: int) -> datetime:
    return datetime.fromtimestamp(time_us / 1_000_000, UTC)


def audit(number: int, act: Act) -> dict[str, Any]:
    """Return an act as the API server logs it."""
    return audit_event(
        number,
        time_of(act.at_us),
        verb=act.action,
        user={"username": act.user, "groups": list(act.groups)},
        sourceIPs=[act.address],
        userAgent=f"{act.agent}/v1",
        objectRef={"resource": act.resource, "namespace": act.namespace, "apiVersion": "v1"},
        responseStatus={"code": act.code},
    )


def records() -> list[Record]:
    """Return an hour with something strange near its end, and a canary long after it."""
    acts = hour()
    found = [
        message(n, audit(n, act), cluster=CLUSTER, received=time_of(act.at_us))
        for n, act in enumerate(acts)
    ]
    after = time_of(acts[-1].at_us + LATER_US)
    return [*found, canary(len(found), after, cluster=CLUSTER)]


@pytest.fixture(scope="module")
def log() -> list[Record]:
    return records()


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    found = rules_in(tmp_path_factory.mktemp("rules") / "all", (MANY, ALONE))
    return replace(found, learned=LearnedSettings(challenger=Model("profile/2")))


@dataclass
class Life:
    """What is left of a service that took a log."""

    kept: Kept = field(default_factory=Kept)
    worker: Worker | None = None

    @property
    def strange(self) -> dict[str, dict[str, Any]]:
        return {
            identifier: document
            for identifier, document in self.kept.findings.items()
            if document["rule.id"] == ID
        }


def lived(
    log: Sequence[Record], rules: Ruleset, folder: Path, seed: int, *, dies: float = 0.0
) -> Life:
    """Let workers take a log in random pieces, each dying at some time."""
    random, topic, life = Random(seed), Topic({0: log}), Life()
    pace = Pace(snapshot_interval_s=0.0)
    done = False
    while not done:
        running = start(topic, folder, rules, life.kept, random, [0], pace)
        running.source.lengths = (0, 40, 150, 700)
        try:
            while not running.source.is_done:
                running.step()
                if random.random() < 0.2:
                    running.worker.checkpoint()
                may_die(random, dies)
            running.worker.checkpoint()
            done = True
        except Crash:
            running.die(life.kept)
        life.worker = running.worker
    return life


def may_die(random: Random, share: float) -> None:
    if random.random() < share:
        raise Crash


@pytest.fixture(scope="module")
def whole(log: list[Record], rules: Ruleset, tmp_path_factory: pytest.TempPathFactory) -> Life:
    return lived(log, rules, tmp_path_factory.mktemp("store"), 0)


def test_the_service_reports_what_is_unusual_once_and_its_end(whole: Life) -> None:
    (found,) = whole.strange.values()
    assert found["trailwarden.anomaly.reasons"]
    assert found["trailwarden.episode.closed"] is True
    assert found["trailwarden.episode.count"] == 6


@pytest.mark.parametrize("seed", [1, 2])
def test_findings_are_the_same_whatever_dies(
    log: list[Record], rules: Ruleset, whole: Life, tmp_path: Path, seed: int
) -> None:
    assert lived(log, rules, tmp_path, seed, dies=0.08).kept.findings == whole.kept.findings


def test_a_state_lost_is_built_from_the_archive(
    log: list[Record], rules: Ruleset, whole: Life, tmp_path: Path
) -> None:
    topic, kept = Topic({0: log[: len(log) * 3 // 4]}), Kept()
    for end in (len(log) * 3 // 4, len(log)):
        running = start(
            Topic({0: log[:end]}, topic.committed), tmp_path, rules, kept, Random(1), [0]
        )
        running.source.lengths = (700,)
        while not running.source.is_done:
            running.step()
        running.worker.checkpoint()
        running.die(kept)
        for snapshot in tmp_path.rglob("*.state"):
            snapshot.write_bytes(b"")
    assert kept.findings == whole.kept.findings


def test_a_replay_finds_what_the_service_found(
    log: list[Record], rules: Ruleset, tmp_path: Path
) -> None:
    life = lived(log, rules, tmp_path, 3)
    for old in (None, rules):
        result, gained = replayed(tmp_path, rules, old)
        assert result.rules[ID].new == 1
        assert gained == ({} if old else life.kept.findings)


def replayed(
    store: Path, new: Ruleset, old: Ruleset | None, span: Span | None = None
) -> tuple[ReplayResult, dict[str, dict[str, Any]]]:
    out = store / "replayed"
    settings = ReplaySettings(store / "archive", TOPIC, out, span or Span())
    result = replay(settings, new, old, lambda *_: None)
    lines = (out / "gained.ndjson").read_bytes().splitlines()
    found = [orjson.loads(line) for line in lines]
    return result, {one["trailwarden.finding.id"]: one for one in found}


def test_a_replay_tells_what_other_rules_would_have_let_be_learned(
    log: list[Record], rules: Ruleset, tmp_path: Path
) -> None:
    """Rules that found the whole hour would have let nothing be learned."""
    lived(log, rules, tmp_path, 4)
    verbs = "[get, list, watch, update]"
    eager = ALONE.replace("0009", "0010").replace("delete", verbs).replace("low", "high")
    every = rules_in(tmp_path / "every", (MANY, ALONE, eager))
    every = replace(every, learned=rules.learned)
    result, _ = replayed(tmp_path, every, rules)
    counts = result.rules[ID]
    assert (counts.old, counts.new, counts.lost, counts.gained) == (1, 0, 1, 0)


def test_a_replay_of_a_part_learns_what_was_before(
    log: list[Record], rules: Ruleset, tmp_path: Path
) -> None:
    lived(log, rules, tmp_path, 5)
    result, gained = replayed(tmp_path, rules, None, Span(start=time_of(at(40))))
    assert result.memory_needed >= timedelta(days=14)
    assert ID in {one["rule.id"] for one in gained.values()}


def test_what_is_held_is_shown_as_metrics(whole: Life) -> None:
    assert whole.worker
    counts = whole.worker.holdings._counts
    registry = metrics_registry(
        "1", [lambda: learned_samples(counts), lambda: worker_samples(counts, 0.0)]
    )
    shown = {one.name: one for one in registry.collect()}

    def values(name: str) -> dict[str, float]:
        samples = shown[f"trailwarden_{name}"].samples
        return {next(iter(one.labels.values()), ""): one.value for one in samples}

    assert values("silent_findings") == {"profile/2": 1.0}
    assert values("learned_rows")["0"] > 100
    assert "0" in values("learned_waiting")
    assert values("learned_threshold_bits")[CLUSTER] > 10
    assert "trailwarden_learned_drift" not in shown, "no day has ended"


def test_metrics_of_a_partition_go_with_it(whole: Life) -> None:
    assert whole.worker
    counts: WorkerCounts = whole.worker.holdings._counts
    counts = replace(counts, learned=dict(counts.learned))
    assert counts.learned
    counts.forget(0)
    assert not counts.learned


class Delivered:
    """A delivery that keeps ids."""

    def __init__(self) -> None:
        self.events: set[str] = set()
        self.wanted: set[str] = set()

    def add(self, events: pl.DataFrame, rows: pl.Series) -> None:
        self.events.update(events["event.id"].gather(rows))

    def add_evidence(self, events: pl.DataFrame) -> None:
        self.events.update(events["event.id"])

    def add_findings(self, found: Iterable[Finding]) -> None:
        self.wanted.update(*(one.document["trailwarden.evidence.event_ids"] for one in found))

    def finish(self) -> list[dict[str, Any]]:
        return []


def scanned(
    log: Sequence[Record], folder: Path, service: Settings | None = None
) -> tuple[list[dict[str, Any]], Delivered, list[str]]:
    file = folder / "audit.log"
    file.write_bytes(b"\n".join(record.value for record in log[:-1]))
    delivered = Delivered()
    settings = ScanSettings([str(file)], folder / "out", CLUSTER, service=service)
    result = scan(settings, 1_000, lambda _: None, delivered)
    documents = [one.document for one in result.findings]
    return documents, delivered, sorted(result.accounts.silent)


def test_a_scan_finds_it_too_and_delivers_every_event_that_a_finding_rests_on(
    log: list[Record], whole: Life, tmp_path: Path
) -> None:
    found, delivered, _ = scanned(log, tmp_path)
    assert {one["trailwarden.finding.id"] for one in found if one["rule.id"] == ID} == {
        *whole.strange
    }
    assert delivered.wanted
    assert delivered.wanted <= delivered.events
    lines = (tmp_path / "out" / "findings.ndjson").read_bytes().splitlines()
    written = [one for one in map(orjson.loads, lines) if one["rule.id"] == ID]
    assert [one["trailwarden.episode.closed"] for one in written] == [True]


def test_settings_turn_it_off_and_set_its_budget(log: list[Record], tmp_path: Path) -> None:
    file = tmp_path / "settings.yml"
    file.write_text("anomaly: {enabled: false}\n")
    found, _, _ = scanned(log, tmp_path, load_settings(file))
    assert ID not in {one["rule.id"] for one in found}
    file.write_text("anomaly: {findings_a_day: 3}\n")
    for learning_time in (False, True):
        learned = load_ruleset([], load_settings(file), learning_time=learning_time).learned
        assert learned
        assert learned.learning.findings_a_day == 3
        assert learned.learning.known.ticks == (1_440 if learning_time else 0)


@pytest.mark.parametrize("named", [ID, UNUSUAL_IDENTITY.name])
def test_an_exception_of_the_site_may_name_it(
    log: list[Record], tmp_path: Path, named: str
) -> None:
    file = tmp_path / "settings.yml"
    file.write_text(
        f"exceptions:\n- rule: {named}\n  owner: ann\n  reason: known\n  expires: 2027-01-01\n"
        "  where:\n    user.name: system:serviceaccount:team-0:worker-0\n"
    )
    found, _, _ = scanned(log, tmp_path, load_settings(file))
    assert ID not in {one["rule.id"] for one in found}
