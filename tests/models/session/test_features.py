from __future__ import annotations

from math import expm1, log1p

import polars as pl
import pytest

from models.session.atoms import WINDOW_US, added_up, atoms_of, session_members
from models.session.features import FEATURES, SESSIONS, sessions_of
from tests.models.event_rows import event_frame, quiet_time, request


def features(*rows: dict[str, object]) -> dict[str, float]:
    """Return the features of the one session that these events make, counts as counts."""
    sessions = sessions_of(atoms_of(event_frame(rows)))
    assert sessions.height == 1
    row = sessions.row(0, named=True)
    return {name: row[name] for name in FEATURES}


def count(value: float) -> int:
    return round(expm1(value))


def test_sessions_are_five_minutes_of_an_identity_from_multiples_of_five() -> None:
    rows = [request(at, "a", "get", "pods") for at in (0.0, 299.9, 300.0)]
    other = request(0.0, "b", "get", "pods")
    elsewhere = request(0.0, "a", "get", "pods", orchestrator__cluster__name="test")
    sessions = sessions_of(atoms_of(event_frame([*rows, other, elsewhere])))
    assert sessions.height == 4
    assert (sessions["start"] % WINDOW_US == 0).all()
    held = sessions.filter(pl.col("identity") == "a", pl.col("cluster") == "prod")
    assert [count(value) for value in held["events"]] == [2, 1]


def test_what_was_done_is_counted_by_class() -> None:
    found = features(
        request(0, "a", "list", "secrets", orchestrator__namespace=None),
        request(1, "a", "exec", "pods"),
        request(2, "a", "exec", "pods"),
        request(3, "a", "create", "pods", trailwarden__pod_spec__privileged=True),
        request(4, "a", "delete", "configmaps", orchestrator__namespace="kube-system"),
    )
    counts = {name: count(found[name]) for name in ("events", "exec", "secret", "install")}
    assert counts == {"events": 5, "exec": 2, "secret": 1, "install": 1}
    assert count(found["host access"]) == 1
    assert count(found["changes in system namespaces"]) == 1
    assert count(found["secrets of all namespaces"]) == 1
    assert count(found["namespaces"]) == 2
    assert found["share of changes"] == pytest.approx(4 / 10)


def test_refusals_failures_and_borrowed_identities_are_told_apart() -> None:
    failed = {"event__outcome": "failure"}
    found = features(
        request(0, "a", "get", "pods", http__response__status_code=403, **failed),
        request(1, "a", "get", "pods", http__response__status_code=404, **failed),
        request(2, "a", "get", "pods", user__effective__name="admin"),
        request(3, "a", "get", "pods", user__effective__name="a"),
    )
    assert [count(found[name]) for name in ("refused", "failed", "impersonated")] == [1, 1, 1]


def test_distinct_networks_and_agents_are_counted() -> None:
    found = features(
        request(0, "a", "get", "pods"),
        request(1, "a", "get", "pods", source__ip="10.1.2.99"),
        request(2, "a", "get", "pods", source__ip="10.1.3.1", user_agent__name="curl"),
    )
    assert [count(found[name]) for name in ("networks", "agents", "acts")] == [2, 2, 1]


def test_names_are_told_apart_by_kind_and_namespace() -> None:
    found = features(
        request(0, "a", "get", "pods"),
        request(1, "a", "get", "pods", orchestrator__resource__name="db"),
        request(2, "a", "list", "pods", orchestrator__namespace="ci"),
        request(3, "a", "get", "secrets"),
    )
    assert [count(found[name]) for name in ("names", "resources", "acts")] == [4, 2, 3]


def test_spread_is_the_entropy_of_acts_in_bits() -> None:
    rows = [request(n, "a", "get", f"kind-{n}") for n in range(8)]
    assert features(*rows)["spread"] == pytest.approx(3)
    assert features(rows[0], rows[0] | {"event.id": "x"})["spread"] == 0


def test_a_burst_is_busier_than_the_same_spread_out() -> None:
    at_once = [request(n / 10, "a", "get", "pods") for n in range(30)]
    apart = [request(n * 10, "a", "get", "pods") for n in range(30)]
    assert features(*at_once)["burst"] == pytest.approx(log1p(30 * 30 / 35))
    assert features(*apart)["burst"] == pytest.approx(log1p(1 * 30 / 35))


def test_who_is_not_authenticated_and_who_is_of_a_machine_has_a_session_too() -> None:
    rows = [
        request(0, None, "get", "pods", trailwarden__identity__type="unauthenticated"),
        request(0, "root", "process-start", "", trailwarden__identity__type=None, host__name="n1"),
        request(0, "root", "process-start", "", trailwarden__identity__type=None, host__name="n2"),
    ]
    sessions = sessions_of(atoms_of(event_frame(rows)))
    assert sessions["identity"].to_list() == ["root@n1", "root@n2", "unauthenticated"]
    assert sessions["peers"].to_list() == ["machine", "machine", "unauthenticated"]


@pytest.mark.parametrize("cut", [1, 7, 100])
def test_features_do_not_depend_on_how_the_log_is_cut(cut: int) -> None:
    events = event_frame(quiet_time(hours=0.5))
    whole = sessions_of(atoms_of(events))
    parts = [atoms_of(events[at : at + cut]) for at in range(0, events.height, cut)]
    assert sessions_of(added_up(parts)).equals(whole)
    assert whole.schema == pl.Schema(SESSIONS)


def test_no_parts_are_no_sessions() -> None:
    assert sessions_of(added_up([])).is_empty()


def test_every_event_is_in_the_session_that_counts_it() -> None:
    events = event_frame(quiet_time(hours=0.5))
    sizes = session_members(events).group_by("unit").len()["len"].sort().to_list()
    counted = [count(value) for value in sessions_of(atoms_of(events))["events"].sort()]
    assert sizes == counted
