"""Events become distinct acts by minute, each with its first event."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from models.profile.action_key import sightings
from tests.detectors.anomaly.world import Act, at, frame, quiet

ONE = Act(at(3))


def test_the_same_act_is_one_row_a_minute() -> None:
    acts = [ONE, replace(ONE, at_us=at(3.5)), replace(ONE, at_us=at(4.1))]
    seen = sightings(frame(acts)).sort("tick")
    assert seen["count"].to_list() == [2, 1]
    assert seen["event.id"].to_list() == [acts[0].id, acts[2].id]


def test_what_differs_is_another_act() -> None:
    others = [
        replace(ONE, user="another"),
        replace(ONE, action="list"),
        replace(ONE, resource="secrets"),
        replace(ONE, namespace="other"),
        replace(ONE, address="10.9.9.9"),
        replace(ONE, agent="curl"),
        replace(ONE, code=403),
        replace(ONE, cluster="d"),
        replace(ONE, groups=("ops", "system:authenticated")),
    ]
    assert sightings(frame([ONE, *others])).height == len(others) + 1


def test_the_first_event_does_not_depend_on_the_order_of_rows() -> None:
    acts = [replace(ONE, number=n) for n in range(6)]
    first = {sightings(frame(order))["event.id"].item() for order in (acts, acts[::-1])}
    assert first == {min(act.id for act in acts)}


def test_late_events_and_other_kinds_of_records_are_left_out() -> None:
    events = frame(quiet(1))
    late = pl.Series([True] + [False] * (events.height - 1))
    counted = sightings(events, late=late)["count"].sum()
    assert counted == events.height - 1
    logins = events.with_columns(pl.lit("sshd").alias("event.dataset"))
    assert sightings(logins).is_empty()


def test_what_was_flagged_is_counted_apart() -> None:
    acts = [ONE, replace(ONE, at_us=at(3.5))]
    seen = sightings(frame(acts), flagged=pl.Series([acts[1].id, "another"]))
    assert (seen["count"].item(), seen["flagged"].item()) == (2, 1)


def test_asked_columns_are_those_of_the_first_event() -> None:
    acts = [ONE, replace(ONE, at_us=at(3.5))]
    seen = sightings(frame(acts), ("kubernetes.audit.auditID",))
    assert seen["kubernetes.audit.auditID"].item() == f"audit-{acts[0].id[:6]}"
