"""What the detector learns, what it never learns, and what its findings say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pytest

from detectors.anomaly.detector import UNUSUAL_IDENTITY
from detectors.anomaly.learned import Learned, Learning
from detectors.anomaly.runs import GAP_TICKS
from models.profile.observed import digest
from models.profile.rarity import Known
from tests.detectors.anomaly.world import (
    ACCOUNTS,
    PEOPLE,
    QUIET_MINUTES,
    Act,
    at,
    frame,
    quiet,
    strange,
)

if TYPE_CHECKING:
    from detectors.correlation.released import Released

FIRST = QUIET_MINUTES + 2
SILENT = Learning(findings_a_day=1e-100)
"""A budget that nothing is strange enough for."""


def taught(acts: list[Act], learning: Learning | None = None) -> tuple[Learned, Released]:
    detector = Learned(learning or Learning())
    detector.add(frame(acts))
    return detector, detector.release(at(1_000))


def counted(detector: Learned, value: str) -> int:
    return detector.counts.rows.filter(pl.col("value") == digest(value)).height


def test_it_never_learns_what_it_reported() -> None:
    later = quiet(QUIET_MINUTES + 20)
    detector, found = taught([*later, *strange(FIRST), *strange(FIRST + 13)])
    assert len(found.findings) == 2
    assert counted(detector, "get pods") > 0
    assert counted(detector, "list secrets") == 0


@pytest.mark.parametrize("by_rules", [True, False])
def test_it_never_learns_what_rules_found(by_rules: bool) -> None:
    detector = Learned(SILENT)
    odd = strange(FIRST)
    flagged = pl.Series([act.id for act in odd] if by_rules else [], dtype=pl.String)
    detector.add(frame([*quiet(QUIET_MINUTES + 20), *odd]), flagged=flagged)
    assert not detector.release(at(1_000)).findings
    assert (counted(detector, "list secrets") == 0) is by_rules


def test_what_rules_found_is_still_scored() -> None:
    detector = Learned()
    acts = [*quiet(QUIET_MINUTES + 6), *strange(FIRST)]
    detector.add(frame(acts), flagged=pl.Series([act.id for act in strange(FIRST)]))
    assert len(detector.release(None).findings) == 1


def test_minutes_that_follow_each_other_are_one_finding() -> None:
    acts = [*quiet(QUIET_MINUTES + 20), *strange(FIRST), *strange(FIRST + 1), *strange(FIRST + 4)]
    _, found = taught(acts)
    (one,) = found.findings
    assert set(one.document["trailwarden.evidence.event_ids"]) == {act.id for act in strange(FIRST)}
    (end,) = found.closed
    assert end.finding == one.id
    assert end.events == 3 * len(strange())
    assert end.end_us == at(FIRST + 5) - 1


@pytest.mark.parametrize(("apart", "findings"), [(GAP_TICKS, 1), (GAP_TICKS + 1, 2)])
def test_a_quiet_time_ends_a_run(apart: int, findings: int) -> None:
    acts = [*quiet(QUIET_MINUTES + 20), *strange(FIRST), *strange(FIRST + apart)]
    _, found = taught(acts)
    assert len(found.findings) == findings
    assert len({one.id for one in found.findings}) == findings


def test_a_run_is_closed_when_its_time_is_over() -> None:
    detector = Learned()
    detector.add(frame([*quiet(QUIET_MINUTES + 20), *strange(FIRST)]))
    assert len(detector.release(at(FIRST + 2)).findings) == 1
    assert not detector.release(at(FIRST + GAP_TICKS)).closed
    assert len(detector.release(at(FIRST + GAP_TICKS + 1)).closed) == 1


def test_there_are_no_findings_while_too_little_is_known() -> None:
    _, found = taught([*quiet(20), *strange(18)])
    assert not found.findings


def test_a_larger_budget_reports_at_least_what_a_smaller_one_does() -> None:
    odd = [replace(act, user=PEOPLE[1], address="10.1.1.7") for act in strange(FIRST, 2)]
    acts = [*quiet(QUIET_MINUTES + 6), *strange(FIRST), *odd]
    found = [
        {one.id for one in taught(acts, Learning(findings_a_day=budget))[1].findings}
        for budget in (1e-100, 1.0, 5_000.0)
    ]
    assert found[0] == set()
    assert found[1] <= found[2]
    assert len(found[2]) >= 2


def test_who_is_not_known_for_a_day_is_judged_by_peers() -> None:
    """A service asks for an event day before it trusts an identity's own counts."""
    moved = [replace(act, user=ACCOUNTS[3], address="10.1.7.7") for act in strange(FIRST, 1)]
    usual = [
        replace(act, action="get", resource="pods", agent="worker-7", namespace="team-0")
        for act in moved
    ]
    acts = [*quiet(QUIET_MINUTES + 6), *usual]
    scan, service = (
        taught(acts, Learning(findings_a_day=50_000.0, known=Known(50, ticks)))[1]
        for ticks in (0, 1_440)
    )
    assert ACCOUNTS[3] in {one.document["user.name"] for one in scan.findings}
    assert ACCOUNTS[3] not in {one.document["user.name"] for one in service.findings}


def test_what_was_refused_is_less_serious() -> None:
    acts = [*quiet(QUIET_MINUTES + 6), *strange(FIRST)]
    refused = [*quiet(QUIET_MINUTES + 6), *(replace(act, code=403) for act in strange(FIRST))]
    (done,), (tried,) = (taught(each)[1].findings for each in (acts, refused))
    assert done.document["event.severity"] > tried.document["event.severity"]
    assert tried.document["trailwarden.severity_reasons"] or tried.level.value == "medium"


def test_a_finding_reads_like_any_other() -> None:
    (one,) = taught([*quiet(QUIET_MINUTES + 6), *strange(FIRST)])[1].findings
    document = one.document
    assert document["rule.id"] == UNUSUAL_IDENTITY.id == "5f0c6f5e-7a0d-4b7b-9d35-0f6f6b1c4e21"
    assert document["event.kind"] == "alert"
    assert document["@timestamp"] == "2026-11-23T09:52:00.000000Z"
    assert document["trailwarden.finding.id"] == one.id
    assert document["related.user"] == [ACCOUNTS[0]]
    assert document["related.ip"] == ["192.0.2.9"]
    assert document["threat.technique.name"] == ["Valid Accounts"]
    assert document["trailwarden.severity"] == one.level.value
    assert one.order == (at(FIRST), strange(FIRST)[0].id)
    assert 1 <= len(document["trailwarden.anomaly.reasons"]) <= 5
    assert document["message"].count(ACCOUNTS[0]) == 1


def test_an_act_without_a_name_is_told_as_such() -> None:
    nobody = [replace(act, user=None, groups=()) for act in strange(FIRST)]
    known = [Act(at(n), None, address="10.9.9.9", groups=()) for n in range(QUIET_MINUTES)]
    acts = [*quiet(QUIET_MINUTES + 6), *known, *nobody]
    told = [one.document["message"] for one in taught(acts, Learning(2_000.0))[1].findings]
    assert any(text.startswith("An unauthenticated client did what is unusual") for text in told)


def test_what_a_bound_turns_away_is_counted() -> None:
    detector = Learned(Learning(limit_waiting=50))
    detector.add(frame(quiet(QUIET_MINUTES)))
    assert detector.pending.height == 50
    assert detector.evicted["sightings"] > 0


def test_minutes_that_were_scored_stay_as_they_are() -> None:
    detector = Learned()
    detector.add(frame(quiet(10)))
    detector.release(at(8))
    waiting = detector.pending.height
    detector.add(frame(strange(3)))
    assert detector.pending.height == waiting
    assert detector.evicted["late"] == len(strange())
    detector.add(frame(strange(8)))
    assert detector.pending.height > waiting
