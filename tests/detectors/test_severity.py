"""The level in context: each reason moves it one step, in words, and nothing moves it further."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from detectors.severity import in_context
from detectors.sigma.compiler import load_pack, load_rules
from detectors.sigma.rule import Level, Rule
from detectors.site import DEFAULT_LISTS, Criticality, Site, Window

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[..., Rule]

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
EVENT: dict[str, Any] = {
    "@timestamp": NOON,
    "event.dataset": "kubernetes.audit",
    "event.action": "create",
    "event.outcome": "success",
    "http.response.status_code": 201,
    "trailwarden.authorization.decision": "allow",
    "trailwarden.dry_run": None,
    "trailwarden.identity.type": "service_account",
    "user.name": "system:serviceaccount:web:shop",
    "orchestrator.cluster.name": "blue",
    "orchestrator.namespace": "web",
}
FORBIDDEN = {
    "event.outcome": "failure",
    "http.response.status_code": 403,
    "trailwarden.authorization.decision": "forbid",
}
CRITICAL = Site(criticality={"web": Criticality.CRITICAL})
LOW = Site(criticality={"w*": Criticality.LOW})
WINDOW = Window(NOON, NOON + timedelta(hours=1), "node upgrades")


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def rule(
        detection: str = "{s: {verb: create}, condition: s}",
        level: str = "medium",
        product: str = "kubernetes",
        more: str = "",
    ) -> Rule:
        file = tmp_path / "the-rule.yml"
        file.write_text(
            "title: A rule\nname: a_rule\nid: 0a0a0a0a-0000-4000-8000-000000000001\n"
            f"logsource: {{product: {product}}}\ndetection: {detection}\nlevel: {level}\n{more}\n"
        )
        (loaded,) = load_rules([file])
        return loaded

    return rule


def test_without_reasons_it_is_the_rules_own(make: Make) -> None:
    for level in Level:
        severity = in_context(make(level=level.value), EVENT, Site())
        assert (severity.level, severity.reasons) == (level, ())


@pytest.mark.parametrize(
    ("site", "changes", "level", "reason"),
    [
        (CRITICAL, {}, "high", "raised: namespace web is critical"),
        (LOW, {}, "low", "lowered: namespace web is of low criticality"),
        (Site(), FORBIDDEN, "low", "lowered: it was not carried out (HTTP 403)"),
        (
            Site(),
            {"event.outcome": "failure", "http.response.status_code": 409},
            "low",
            "lowered: it was not carried out (HTTP 409)",
        ),
        (
            Site(),
            {"trailwarden.dry_run": True},
            "low",
            "lowered: it was a dry run: nothing was stored",
        ),
        (
            Site(maintenance=(WINDOW,)),
            {},
            "low",
            "lowered: maintenance was announced: node upgrades",
        ),
        (
            Site(),
            {"trailwarden.identity.type": "anonymous", "user.name": "system:anonymous"},
            "high",
            "raised: nobody was authenticated, and it was done",
        ),
        (
            Site(lists={**DEFAULT_LISTS, "automated_namespaces": ("w*",)}),
            {"trailwarden.identity.type": "human"},
            "high",
            "raised: a person changed what only automation changes in namespace web",
        ),
    ],
)
def test_each_reason_moves_it_one_step_and_is_said(
    make: Make, site: Site, changes: dict[str, Any], level: str, reason: str
) -> None:
    severity = in_context(make(), EVENT | changes, site)
    assert (severity.level, severity.reasons) == (level, (reason,))


@pytest.mark.parametrize(
    "changes",
    [
        # A 5xx may have been carried out, and half of it.
        {"event.outcome": "failure", "http.response.status_code": 504},
        {"event.outcome": "unknown", "http.response.status_code": None},
        # The kubelet's answer, not the API server's: the request went through.
        {"event.action": "proxy", "event.outcome": "failure", "http.response.status_code": 400},
        {"trailwarden.identity.type": "human"},
        {"@timestamp": None},
    ],
)
def test_what_is_no_reason_leaves_it(make: Make, changes: dict[str, Any]) -> None:
    site = Site(maintenance=(WINDOW,)) if "@timestamp" in changes else Site()
    assert in_context(make(), EVENT | changes, site).reasons == ()


def test_a_person_who_only_reads_in_an_automated_namespace_raises_nothing(make: Make) -> None:
    site = Site(lists={"automated_namespaces": ("web",)})
    person = {"trailwarden.identity.type": "human"}
    assert in_context(make(), EVENT | person | {"event.action": "list"}, site).reasons == ()
    elsewhere = {"orchestrator.namespace": "shop"}
    assert in_context(make(), EVENT | person | elsewhere, site).reasons == ()


def test_reasons_count_as_one_step_each_way_together(make: Make) -> None:
    both = FORBIDDEN | {"trailwarden.dry_run": True}
    severity = in_context(make(level="critical"), EVENT | both, LOW)
    assert severity.level is Level.HIGH
    assert len(severity.reasons) == 3
    severity = in_context(make(), EVENT | both, CRITICAL)
    assert severity.level is Level.MEDIUM
    assert [reason.partition(":")[0] for reason in severity.reasons] == [
        *("raised", "lowered", "lowered")
    ]


def test_the_ends_of_the_scale_hold(make: Make) -> None:
    assert in_context(make(level="critical"), EVENT, CRITICAL).level is Level.CRITICAL
    assert in_context(make(level="informational"), EVENT, LOW).level is Level.INFORMATIONAL


@pytest.mark.parametrize(
    ("detection", "lowered"),
    [
        ("{s: {verb: create}, condition: s}", True),
        ("{s: {event.outcome: failure}, condition: s}", False),
        ("{s: {responseStatus.code: 403}, condition: s}", False),
        ("{s: {responseStatus.code|gte: 400, verb: create}, condition: s}", False),
        ("{s: {annotations.authorization.k8s.io/decision: forbid}, condition: s}", False),
        ("{s: {responseStatus.reason: Forbidden}, condition: s}", False),
        (
            "{s: {verb: create}, d: {event.outcome: [success, unknown]}, condition: s and not d}",
            False,
        ),
        # It may hold without a failure, so it does not ask for one.
        ("{s: {verb: create}, f: {responseStatus.code: 403}, condition: s or f}", True),
        ("{s: {verb: create}, f: {responseStatus.code: 404}, condition: s and not f}", True),
    ],
)
def test_a_rule_that_asks_for_the_refusal_is_not_lowered_by_it(
    make: Make, detection: str, lowered: bool
) -> None:
    severity = in_context(make(detection), EVENT | FORBIDDEN, Site())
    assert (severity.level is Level.LOW) is lowered


def test_a_rule_about_attempts_is_not_lowered_by_a_refusal(make: Make) -> None:
    rule = make(more="trailwarden: {attempts: true}")
    assert in_context(rule, EVENT | FORBIDDEN, Site()).reasons == ()
    assert in_context(rule, EVENT | {"trailwarden.dry_run": True}, Site()).level is Level.LOW


def test_a_rule_that_asks_for_a_dry_run_or_for_nobody_is_not_moved_by_it(make: Make) -> None:
    dry = make("{s: {trailwarden.dry_run: true}, condition: s}")
    assert in_context(dry, EVENT | {"trailwarden.dry_run": True}, Site()).reasons == ()
    nobody = {"trailwarden.identity.type": "anonymous", "user.name": "system:anonymous"}
    for selection in ("user.name: 'system:anonymous'", "trailwarden.identity.type: anonymous"):
        rule = make(f"{{s: {{{selection}}}, condition: s}}")
        assert in_context(rule, EVENT | nobody, Site()).reasons == ()
    others = make("{s: {verb: create}, f: {user.name: admin}, condition: s and not f}")
    assert in_context(others, EVENT | nobody, Site()).level is Level.HIGH


def test_a_proxied_request_that_was_refused_did_not_go_through(make: Make) -> None:
    rule = make("{s: {event.action: proxy}, condition: s}")
    assert in_context(rule, EVENT | FORBIDDEN | {"event.action": "proxy"}, Site()).reasons
    nobody = {"user.name": None, "event.outcome": "failure", "http.response.status_code": 401}
    assert in_context(rule, EVENT | {"event.action": "proxy"} | nobody, Site()).reasons


def test_an_act_on_a_machine_that_failed_was_not_carried_out(make: Make) -> None:
    rule = make("{s: {file.path: /etc/shadow}, condition: s}", product="linux")
    event = {"event.dataset": "auditd.log", "event.outcome": "failure", "@timestamp": NOON}
    assert in_context(rule, event, Site()).reasons == ("lowered: it was not carried out",)


def test_a_failed_login_that_the_rule_is_about_is_as_serious_as_it_says(make: Make) -> None:
    rule = make("{s: {trailwarden.session.reason|exists: true}, condition: s}", product="linux")
    event = {"event.dataset": "system.auth", "event.outcome": "failure", "@timestamp": NOON}
    assert in_context(rule, event, Site()).reasons == ()


@pytest.mark.parametrize(
    ("window", "lowered"),
    [
        (Window(NOON, NOON + timedelta(seconds=1), "w"), True),
        (Window(NOON - timedelta(hours=1), NOON, "w"), False),
        (Window(NOON + timedelta(microseconds=1), NOON + timedelta(hours=1), "w"), False),
        (Window(NOON, NOON + timedelta(hours=1), "w", clusters=("green",)), False),
        (Window(NOON, NOON + timedelta(hours=1), "w", clusters=("green", "bl*")), True),
        (Window(NOON, NOON + timedelta(hours=1), "w", rules=("other",)), False),
        (Window(NOON, NOON + timedelta(hours=1), "w", rules=("a_rule",)), True),
        (Window(NOON, NOON + timedelta(hours=1), "w", rules=("the-rule",)), True),
    ],
)
def test_maintenance_is_of_its_time_clusters_and_rules(
    make: Make, window: Window, lowered: bool
) -> None:
    severity = in_context(make(), EVENT, Site(maintenance=(window,)))
    assert (severity.level is Level.LOW) is lowered


def test_names_from_events_are_made_safe_to_show(make: Make) -> None:
    site = Site(criticality={"w*": Criticality.LOW})
    severity = in_context(make(), EVENT | {"orchestrator.namespace": "w\x1b[31m"}, site)
    assert "\x1b" not in severity.reasons[0]


@pytest.mark.parametrize(
    ("base", "more", "level"),
    [
        ("{verb: get}", "", "medium"),
        ("{event.outcome: failure}", "", "high"),
        ("{verb: get}", "trailwarden: {attempts: true}", "high"),
    ],
)
def test_a_correlation_asks_for_what_its_rules_ask_for(
    tmp_path: Path, base: str, more: str, level: str
) -> None:
    file = tmp_path / "many.yml"
    file.write_text(
        "title: One\nname: one\nlogsource: {product: kubernetes}\n"
        f"detection: {{s: {base}, condition: s}}\n---\n"
        "title: Many\nid: 0a0a0a0a-0000-4000-8000-000000000002\nlevel: high\ncorrelation:\n"
        "  type: event_count\n  rules: [one]\n  group-by: [user.name]\n  timespan: 5m\n"
        f"  condition: {{gte: 3}}\n{more}\n"
    )
    pack = load_pack([file])
    (correlation,) = pack.correlations
    severity = in_context(correlation, EVENT | FORBIDDEN, Site(), bases=pack.rules)
    assert severity.level == level
    assert in_context(correlation, EVENT, CRITICAL, bases=pack.rules).level is Level.CRITICAL
