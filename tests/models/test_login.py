from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest

from models.login import LoginModel
from models.login_attempts import attempts_of
from tests.models.event_rows import event_frame, quiet_time, request

DAY_S = 86_400


def days(user: str, count: int, **more: object) -> list[dict[str, object]]:
    return [request(day * DAY_S, user, "get", "pods", **more) for day in range(count)]


def learned() -> LoginModel:
    people = [row for n in range(5) for row in days(f"p{n}", 10, source__ip=f"10.0.{n}.1")]
    return LoginModel.of(event_frame(people))


def rarity(*rows: dict[str, object]) -> float:
    scores = learned().score(event_frame(rows))
    return float(scores["score"][-1])


def ssh(
    after_s: float, action: str = "login", outcome: str = "success", **more: object
) -> dict[str, object]:
    return request(
        after_s,
        "root",
        action,
        "",
        event__outcome=outcome,
        trailwarden__identity__type=None,
        host__name="node-1",
        http__response__status_code=None,
        trailwarden__session__service="sshd",
        trailwarden__session__method="password",
        **more,
    )


def test_requests_of_a_visit_are_one_login() -> None:
    rows = [request(at, "a", "get", "pods") for at in (0, 10, 200)]
    other = request(20, "a", "get", "pods", source__ip="192.0.2.1")
    agent = request(30, "a", "get", "pods", user_agent__name="curl")
    later = request(1_000, "a", "get", "pods")
    attempts = attempts_of(event_frame([*rows, other, agent, later]))
    assert attempts.height == 4
    assert attempts["network"].to_list().count("10.1.2.0/24") == 3


def test_each_login_of_a_machine_counts_for_itself() -> None:
    attempts = attempts_of(event_frame([ssh(0), ssh(1), ssh(2, action="process-start")]))
    assert attempts["entity"].to_list() == ["root@node-1"] * 2
    assert attempts["kind"][0] == "sshd password success"


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"trailwarden__credential__id": "X509SHA256=1"}, "certificate"),
        ({"trailwarden__credential__id": "JTI=1"}, "token"),
        ({"trailwarden__credential__id": None}, "no credential id"),
        ({"trailwarden__credential__legacy_token": "x"}, "legacy token"),
    ],
)
def test_the_kind_of_credential_is_told(more: dict[str, object], kind: str) -> None:
    assert attempts_of(event_frame([request(0, "a", "get", "pods", **more)]))["kind"][0] == kind


def refused(after_s: float, address: str = "10.1.2.3") -> dict[str, object]:
    return request(
        after_s,
        None,
        "get",
        "pods",
        source__ip=address,
        http__response__status_code=401,
        event__outcome="failure",
        trailwarden__identity__type="unauthenticated",
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], "none"),
        ([refused(1_000)], "1-2"),
        ([refused(1_000 + n) for n in range(5)], "3-9"),
        ([refused(1_000 + n) for n in range(30)], "10 or more"),
        ([refused(300 + n) for n in range(30)], "none"),
        ([refused(1_000 + n, "192.0.2.7") for n in range(30)], "none"),
        ([refused(1_101)], "none"),
        ([refused(1_100)], "none"),
        (
            [refused(1_000), *(refused(1_001 + n, "192.0.2.7") for n in range(30)), refused(1_050)],
            "1-2",
        ),
    ],
)
def test_failures_from_the_network_before_a_login_are_counted(
    rows: list[dict[str, object]], expected: str
) -> None:
    attempts = attempts_of(event_frame([*rows, request(1_100, "a", "get", "pods")]))
    assert attempts.filter(pl.col("entity") == "a")["failures"].to_list() == [expected]


def test_as_always_is_least_rare_and_each_difference_adds() -> None:
    usual = request(11 * DAY_S, "p1", "get", "pods", source__ip="10.0.1.9")
    new_network = usual | {"source.ip": "203.0.113.1"}
    new_agent = new_network | {"user_agent.name": "curl"}
    at_night = new_agent | {"@timestamp": usual["@timestamp"].replace(hour=2)}  # type: ignore[attr-defined]
    found = [rarity(each) for each in (usual, new_network, new_agent, at_night)]
    assert found == sorted(found)
    assert all(later > earlier + 2 for earlier, later in pairwise(found))


def test_what_a_peer_does_is_less_rare_than_what_nobody_does() -> None:
    of_peer, of_nobody = (
        rarity(request(11 * DAY_S, "p1", "get", "pods", source__ip=address))
        for address in ("10.0.2.1", "203.0.113.1")
    )
    assert of_peer < of_nobody


def test_the_rarest_feature_is_the_first_reason() -> None:
    row = request(11 * DAY_S, "p1", "get", "pods", source__ip="203.0.113.1")
    reasons = learned().score(event_frame([row]))["reasons"][0].to_list()
    assert len(reasons) == 1
    assert reasons[0].startswith("network 203.0.113.0/24: ")


def test_an_older_habit_counts_less() -> None:
    def rare(age_days: int) -> float:
        old = [request(0, "a", "get", "pods", source__ip="192.0.2.1")]
        new = [request(age_days * DAY_S + n * 1_000, "a", "get", "pods") for n in range(10)]
        model = LoginModel.of(event_frame(old + new))
        row = request(age_days * DAY_S + 20_000, "a", "get", "pods", source__ip="192.0.2.1")
        return float(model.score(event_frame([row]))["score"][0])

    assert rare(300) > rare(1) + 1


def test_only_the_highest_counts_of_identities_are_kept() -> None:
    events = event_frame([*days("often", 9), *days("once", 1)])
    counts = LoginModel.of(events, most=3).counts.filter(pl.col("level") == "identity")
    assert counts["count"].min() > 5  # type: ignore[operator]
    assert counts.height == 3
    assert LoginModel.of(events).counts.filter(pl.col("level") == "identity").height == 10


def test_a_quiet_time_has_nothing_rare() -> None:
    events = event_frame(quiet_time())
    scores = LoginModel.of(events).score(events)
    assert scores["score"].max() < 15  # type: ignore[operator]
