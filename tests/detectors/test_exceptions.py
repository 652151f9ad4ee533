"""Exceptions take hits out: of their rules, their scope, their clusters, until their last day."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from detectors.engine import HITS_SCHEMA, detect
from detectors.exceptions import excepted, excepted_rows, expired, hides
from detectors.reporting import report
from detectors.sigma.compiler import load_rules
from detectors.sigma.errors import Problems
from detectors.sigma.exception_file import read_exceptions
from detectors.sigma.strict_yaml import parse
from detectors.site import Criticality, Site
from ingest.schema import DTYPES

if TYPE_CHECKING:
    from detectors.exceptions import Exemption
    from detectors.sigma.rule import Rule

DIGEST = "sha256:" + "ab" * 32
EVENT: dict[str, Any] = {
    "@timestamp": datetime(2026, 11, 21, 10, tzinfo=UTC),
    "event.dataset": "kubernetes.audit",
    "trailwarden.act.id": "act",
    "orchestrator.cluster.name": "blue",
    "orchestrator.namespace": "web",
    "user.name": "ci-deployer",
    "event.action": "create",
}
BY_CI = (
    "{rule: creation, owner: ann, reason: r, expires: 2026-11-21, where: {user.name: ci-deployer}}"
)


@pytest.fixture
def rules(tmp_path: Path) -> tuple[Rule, ...]:
    for number, name in enumerate(("creation", "web")):
        field = ("event.action: create", "orchestrator.namespace: web")[number]
        (tmp_path / f"{name}.yml").write_text(
            f"title: {name}\nid: 0a0a0a0a-0000-4000-8000-00000000000{number}\n"
            f"logsource: {{product: kubernetes}}\ndetection: {{s: {{{field}}}, condition: s}}\n"
        )
    return load_rules([tmp_path])


def exceptions(rules: tuple[Rule, ...], *written: str) -> tuple[Exemption, ...]:
    problems = Problems(Path("site.yml"))
    text = "".join(f"- {one}\n" for one in written) or "[]"
    read = read_exceptions(parse(text.encode()), problems, rules, {})
    assert not problems.errors
    return read


def frame(*changes: dict[str, Any]) -> pl.DataFrame:
    rows = [{"event.id": str(number)} | EVENT | one for number, one in enumerate(changes)]
    return pl.DataFrame(rows, schema=DTYPES)


def remaining(
    rules: tuple[Rule, ...], events: pl.DataFrame, *written: str
) -> tuple[list[tuple[int, int]], Counter[str]]:
    hits, held = excepted(detect(events, rules), events, rules, exceptions(rules, *written))
    assert hits.schema == HITS_SCHEMA
    return hits.select("row", "rule").rows(), held


def test_it_takes_out_the_hits_of_its_rule_in_its_scope(rules: tuple[Rule, ...]) -> None:
    events = frame({}, {"user.name": "eve"})
    assert remaining(rules, events) == ([(0, 0), (0, 1), (1, 0), (1, 1)], Counter())
    hits, held = remaining(rules, events, BY_CI)
    assert hits == [(0, 1), (1, 0), (1, 1)]
    assert held == {"site.yml:1": 1}


@pytest.mark.parametrize(
    ("changes", "applies"),
    [
        ({}, True),
        ({"@timestamp": datetime(2026, 11, 21, 23, 59, 59, 999_999, UTC)}, True),
        ({"@timestamp": datetime(2026, 11, 22, tzinfo=UTC)}, False),
        ({"@timestamp": None}, False),
        # Identities are compared as Kubernetes does; who is not named is not meant.
        ({"user.name": "CI-Deployer"}, False),
        ({"user.name": None}, False),
        ({"orchestrator.cluster.name": "green"}, False),
        ({"orchestrator.cluster.name": "blue-2"}, True),
    ],
)
def test_it_applies_by_the_events_own_time_who_and_where(
    rules: tuple[Rule, ...], changes: dict[str, Any], applies: bool
) -> None:
    written = BY_CI.replace("}}", "}, clusters: ['blue*']}")
    hits, _ = remaining(rules, frame(changes), written)
    assert ((0, 0) not in hits) is applies


def test_an_exception_to_several_rules_is_one(rules: tuple[Rule, ...]) -> None:
    hits, held = remaining(rules, frame({}, {}), BY_CI.replace("creation", "[creation, web]"))
    assert (hits, held) == ([], {"site.yml:1": 4})


def test_what_two_exceptions_cover_counts_for_the_first(rules: tuple[Rule, ...]) -> None:
    in_web = BY_CI.replace("user.name: ci-deployer", "orchestrator.namespace: web")
    hits, held = remaining(rules, frame({}, {"user.name": "eve"}), BY_CI, in_web)
    assert hits == [(0, 1), (1, 1)]
    assert held == {"site.yml:1": 1, "site.yml:2": 1}


def test_a_second_value_of_a_list_is_not_covered_by_the_first(rules: tuple[Rule, ...]) -> None:
    """A hostile container beside the one that was meant."""
    meant, hostile = f"reg.example/agent@{DIGEST}", "reg.example/x:1"
    scope = f"trailwarden.pod_spec.images|endswith: '@{DIGEST}'"
    written = BY_CI.replace("user.name: ci-deployer", scope)
    images = [[meant], [meant, meant], [meant, hostile], [hostile], [], None]
    events = frame(*({"trailwarden.pod_spec.images": one} for one in images))
    hits, _ = remaining(rules, events, written)
    assert [row for row, rule in hits if rule == 0] == [2, 3, 4, 5]


def test_a_null_beside_a_value_of_a_list_is_the_absence_of_all(rules: tuple[Rule, ...]) -> None:
    scope = "orchestrator.namespace: web, trailwarden.pod_spec.host_paths: [/var/log, null]"
    written = BY_CI.replace("user.name: ci-deployer", scope)
    paths = [["/var/log"], None, [], ["/var/log", "/"], ["/"]]
    events = frame(*({"trailwarden.pod_spec.host_paths": one} for one in paths))
    hits, _ = remaining(rules, events, written)
    assert [row for row, rule in hits if rule == 0] == [3, 4]


def test_pairs_of_correlations_and_rows_are_judged_alike(rules: tuple[Rule, ...]) -> None:
    events = frame({}, {"user.name": "eve"})
    found = [(rules[1], 0), (rules[0], 1), (rules[0], 0), (rules[0], 0)]
    known = exceptions(rules, BY_CI)
    assert excepted_rows(found, events, known) == (
        [False, False, True, True],
        Counter({"site.yml:1": 2}),
    )
    assert excepted_rows(found, events, ()) == ([False] * 4, Counter())
    assert excepted_rows([], events, known) == ([], Counter())


def test_what_a_scope_hides_is_told_whatever_the_time(rules: tuple[Rule, ...]) -> None:
    (known,) = exceptions(rules, BY_CI.replace("}}", "}, clusters: [green]}"))
    events = frame({"@timestamp": None}, {"user.name": "eve"}, {"user.name": None})
    assert hides(known, events).to_list() == [True, False, False]


def test_expired_is_from_the_day_after_the_last(rules: tuple[Rule, ...]) -> None:
    known = exceptions(rules, BY_CI)
    assert expired(known, date(2026, 11, 21)) == []
    assert expired(known, date(2026, 11, 22)) == [*known]


def test_a_report_holds_what_is_left_at_its_level_in_context(rules: tuple[Rule, ...]) -> None:
    events = frame({}, {"user.name": "eve"})
    hits = detect(events, rules)
    site = Site(criticality={"web": Criticality.CRITICAL})
    reported = report(events, hits, rules, site, exceptions(rules, BY_CI))
    assert reported.excepted == {"site.yml:1": 1}
    assert reported.hits.select("row", "rule").rows() == [(0, 1), (1, 0), (1, 1)]
    for finding in reported.findings:
        assert finding.level == finding.document["trailwarden.severity"] == "high"
        assert finding.document["event.severity"] == 73
        assert finding.document["trailwarden.rule_level"] == "medium"
        (reason,) = finding.document["trailwarden.severity_reasons"]
        assert reason == "raised: namespace web is critical"
    assert hits.height == 4


def test_without_exceptions_the_hits_are_passed_on_as_they_are(rules: tuple[Rule, ...]) -> None:
    events = frame({})
    hits = detect(events, rules)
    reported = report(events, hits, rules, Site())
    assert reported.hits is hits
    assert len(reported.findings) == 2
    assert not reported.excepted
