from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from ingest.normalize import Normalized, NormalizeSettings, normalize
from ingest.sources.framing import frame
from models.simulate.chains import CHAINS
from tests.models.simulate.conftest import Fleet, simulate

ATTACKS = {"attack", "derived"}
CREDENTIAL = "authentication.kubernetes.io/credential-id"
ISSUED = "authentication.kubernetes.io/issued-credential-id"
POD = "authentication.kubernetes.io/pod-uid"


def digest(fleet: Fleet) -> str:
    whole = hashlib.sha256()
    for days in fleet.lines.values():
        for day in days:
            whole.update(b"".join(day))
    whole.update(repr((fleet.labels, fleet.scenarios)).encode())
    return whole.hexdigest()


def staged(event: dict[str, str]) -> datetime:
    return datetime.fromisoformat(event["stageTimestamp"])


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    first = digest(simulate(days=1, clusters=1, chains=5))

    assert digest(simulate(days=1, clusters=1, chains=5)) == first
    assert digest(simulate(days=1, clusters=1, chains=5, seed=8)) != first


def test_clusters_are_not_copies_of_each_other(fleet: Fleet) -> None:
    ids = [{event["auditID"] for event in fleet.events(name)} for name in fleet.lines]

    assert len(ids) == 2
    assert not ids[0] & ids[1]


def test_normalizing_refuses_nothing_and_finds_no_issue(fleet: Fleet) -> None:
    done = normalized(b"".join(fleet.lines["prod-eu"][1]))

    assert done.refused == []
    assert done.events.height == len(fleet.lines["prod-eu"][1])
    assert done.events["trailwarden.parse.issues"].list.len().max() in {0, None}
    assert not done.events["event.id"].is_duplicated().any()


def normalized(log: bytes) -> Normalized:
    return normalize(list(frame("log", iter([log]))), NormalizeSettings("prod-eu"))


def test_what_the_facets_read_of_pods_is_there(fleet: Fleet) -> None:
    events = normalized(b"".join(fleet.lines["prod-eu"][1])).events

    for column in (
        "trailwarden.credential.issued_id",
        "trailwarden.token.pod.uid",
        "trailwarden.object.owner",
        "trailwarden.object.owner_uid",
        "trailwarden.pod.uid",
        "trailwarden.pod.addresses",
        "trailwarden.pod.host_address",
        "trailwarden.pod.node",
        "trailwarden.pod.image_digests",
    ):
        assert events[column].drop_nulls().len() > 10, column


def test_a_day_holds_its_own_day_in_the_order_of_time(fleet: Fleet) -> None:
    for day, lines in enumerate(fleet.lines["prod-us"]):
        times = [
            datetime.fromisoformat(line.rpartition(b'stageTimestamp":"')[2][:27].decode())
            for line in lines
        ]
        furthest = times[0]
        for time in times:
            assert (furthest - time).total_seconds() <= 0.3
            furthest = max(furthest, time)
        assert furthest < datetime(2026, 6, 4 + day, tzinfo=UTC)
        assert min(times) > datetime(2026, 6, 3 + day, tzinfo=UTC) - timedelta(seconds=0.3)


def test_working_days_have_about_as_many_events_as_asked_for_and_people_rest(fleet: Fleet) -> None:
    days = fleet.lines["prod-us"]  # Wednesday to Saturday
    people = [sum(b"@corp.example" in line for line in lines) for lines in days]

    assert 0.7 * 4_000 < len(days[1]) < 1.7 * 4_000
    assert people[3] * 3 < min(people[:3])


def test_every_kind_of_chain_leaves_events(fleet: Fleet) -> None:
    attacked = {label["scenario"] for label in fleet.labels if label["role"] == "attack"}

    assert attacked == {chain.name for chain in CHAINS}
    assert len(CHAINS) >= 25
    assert len({step for chain in CHAINS for step in chain.steps}) >= 15


def test_labels_match_events(fleet: Fleet) -> None:
    found = {
        (event["auditID"], event["stage"]): event
        for name in fleet.lines
        for event in fleet.events(name)
    }
    for label in fleet.labels:
        event = found[label["auditID"], label["stage"]]
        assert event["requestURI"] == label["uri"]
        assert event["verb"] == label["verb"]
        assert event["user"].get("username") == label["user"]
        assert event["sourceIPs"] == label["sourceIPs"]
        assert event["responseStatus"]["code"] == label["code"]
        assert event["stageTimestamp"] == label["time"]
    assert len({(label["auditID"], label["stage"]) for label in fleet.labels}) == len(fleet.labels)


def test_the_requests_of_each_scenario_are_in_the_log(fleet: Fleet) -> None:
    keys = {event["auditID"] for name in fleet.lines for event in fleet.events(name)}

    assert len(fleet.scenarios) == len(CHAINS)
    for scenario in fleet.scenarios:
        assert scenario["requests"], scenario["scenario"]
        assert {request[0] for request in scenario["requests"]} <= keys
        assert scenario["start"] <= scenario["end"]
        assert scenario["sources"]


def test_attacks_wait_until_a_good_part_has_passed_quietly(fleet: Fleet) -> None:
    early = [
        label
        for label in fleet.labels
        if label["role"] in ATTACKS and label["time"] < "2026-06-04T14:00:00Z"
    ]

    assert early == []


def test_a_watch_has_two_stages_with_one_id(fleet: Fleet) -> None:
    watches = [event for event in fleet.events("prod-eu") if event["verb"] == "watch"]
    stages = Counter(event["stage"] for event in watches)

    assert stages["ResponseStarted"] >= stages["ResponseComplete"] > 50
    assert len({event["auditID"] for event in watches}) == stages["ResponseStarted"]


def test_a_rejected_credential_has_one_record_of_the_first_stage_without_a_user(
    fleet: Fleet,
) -> None:
    rejected = [e for e in fleet.events("prod-eu") if e["responseStatus"]["code"] == 401]

    assert len(rejected) > 10
    assert {event["stage"] for event in rejected} == {"ResponseStarted"}
    assert all(event["user"] == {} and "annotations" not in event for event in rejected)


def test_exec_answers_101_to_get(fleet: Fleet) -> None:
    uris = [
        event
        for event in fleet.events("prod-eu")
        if (event.get("objectRef") or {}).get("subresource") == "exec"
        and event["userAgent"].startswith("kubectl")
    ]

    assert len(uris) > 2
    assert {(event["verb"], event["responseStatus"]["code"]) for event in uris} == {("get", 101)}
    assert all("command=" in event["requestURI"] for event in uris)


@pytest.mark.parametrize("cluster", ["prod-eu", "prod-us"])
def test_a_pod_uses_a_token_that_was_issued_to_it_before_from_its_reported_address(
    fleet: Fleet, cluster: str
) -> None:
    attacks = {label["auditID"] for label in fleet.labels if label["role"] == "attack"}
    issued: dict[str, str] = {}
    addresses: dict[str, str] = {}
    used = 0
    for event in sorted(fleet.events(cluster), key=staged):
        if jti := (event.get("annotations") or {}).get(ISSUED):
            issued[jti] = event["objectRef"]["name"]
        body = event.get("requestObject")
        if isinstance(body, dict) and "podIP" in (body.get("status") or {}):
            addresses[body["metadata"]["uid"]] = body["status"]["podIP"]
        extra = event["user"].get("extra", {})
        if POD not in extra or event["auditID"] in attacks:
            continue
        used += 1
        assert issued[extra[CREDENTIAL][0]] == event["user"]["username"].rpartition(":")[2]
        known = addresses.get(extra[POD][0])
        assert known in {None, event["sourceIPs"][0]}
    assert used > 1_000


def test_a_stolen_token_is_used_at_another_address_than_its_pods(fleet: Fleet) -> None:
    cluster = next(s for s in fleet.scenarios if s["scenario"] == "stolen_token_off_pod")["cluster"]
    stolen = {
        label["auditID"] for label in fleet.labels if label["scenario"] == "stolen_token_off_pod"
    }
    events = fleet.events(cluster)
    thefts = [event for event in events if event["auditID"] in stolen]
    pods = {event["user"]["extra"][POD][0] for event in thefts}
    usual = {
        event["sourceIPs"][0]
        for event in events
        if event["user"].get("extra", {}).get(POD, [""])[0] in pods
        and event["auditID"] not in stolen
    }

    assert len(pods) == 1
    assert usual
    assert not usual & {event["sourceIPs"][0] for event in thefts}


def test_agents_are_upgraded_and_say_so() -> None:
    fleet = simulate(days=10, clusters=1, chains=0, events_per_day=2_000)
    agents: dict[str, set[str]] = {}
    for event in fleet.events("prod-eu"):
        agents.setdefault(event["user"].get("username", ""), set()).add(event["userAgent"])

    changed = [name for name, seen in agents.items() if "serviceaccount" in name and len(seen) > 1]
    assert len(changed) >= 2
