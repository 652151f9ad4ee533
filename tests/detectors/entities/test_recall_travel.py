"""Where a caller is and was, and how fast that would be, in any cut of batches."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import polars as pl
import pytest

from detectors.entities.geography import Geography
from detectors.entities.ordered import Entities
from detectors.entities.state import restore, save
from tests.detectors.entities.world import event, frame

PREFIX = "trailwarden.recalled."
HOUR, DAY = 3_600, 86_400
BERLIN, POTSDAM, LONDON, SYDNEY = "203.0.113.9", "203.0.113.99", "198.51.100.4", "192.0.2.4"
POINTS = {
    BERLIN: ("Berlin", 52.52, 13.41),
    POTSDAM: ("Potsdam", 52.4, 13.06),
    LONDON: ("London", 51.51, -0.13),
    SYDNEY: ("Sydney", -33.87, 151.21),
}


def find(address: str) -> object:
    if address not in POINTS:
        return None
    city, latitude, longitude = POINTS[address]
    location = {"latitude": latitude, "longitude": longitude, "accuracy_radius": 20}
    return {"city": {"names": {"en": city}}, "location": location}


def state(hidden: tuple[str, ...] = (), *, known: bool = True) -> Entities:
    geography = Geography("Test of today", find) if known else None
    return Entities(hidden_networks=hidden, geography=geography)


def call(at_s: float, address: str | None, user: str = "ann", **said: Any) -> dict[str, Any]:
    return event(at_s, user=user, address=address, **said)


def recalled(*calls: dict[str, Any], hidden: tuple[str, ...] = (), known: bool = True) -> Any:
    entities = state(hidden, known=known)
    batch = frame(list(calls))
    entities.add(batch)
    told = entities.release(None, batch).row(-1, named=True)
    return {name.removeprefix(PREFIX): value for name, value in told.items()}


def test_two_places_a_way_and_its_time_are_a_speed() -> None:
    told = recalled(call(0, BERLIN), call(HOUR, LONDON))
    assert told["travel.from"] == "Berlin"
    assert told["travel.from_address"] == BERLIN
    assert told["travel.to"] == told["origin.place"] == "London"
    assert told["travel.distance_km"] == 891  # 931 between the points, less 20 km of either
    assert told["travel.minutes"] == 60
    assert told["travel.speed_kmh"] == 891
    assert told["travel.known_days"] is None
    assert told["travel.database"] == "Test of today"


def test_time_counts_from_the_last_call_there_up_to_five_minutes() -> None:
    told = recalled(
        call(0, BERLIN), call(HOUR, BERLIN), call(HOUR + 200, BERLIN), call(2 * HOUR, LONDON)
    )
    assert told["travel.minutes"] == 60


@pytest.mark.parametrize(
    "calls",
    [
        [call(HOUR, LONDON)],
        [call(0, BERLIN), call(HOUR, BERLIN)],
        [call(0, BERLIN), call(HOUR, "8.8.8.8")],
        [call(0, BERLIN), call(HOUR, None)],
        [call(0, "8.8.8.8"), call(HOUR, LONDON)],
        [call(0, BERLIN, "bob"), call(HOUR, LONDON)],
        [call(0, BERLIN, cluster="d"), call(HOUR, LONDON)],
        [call(0, BERLIN), call(25 * HOUR, LONDON)],
        [
            call(0, BERLIN, "system:serviceaccount:a:b"),
            call(HOUR, LONDON, "system:serviceaccount:a:b"),
        ],
    ],
)
def test_without_two_places_of_one_person_within_a_day_there_is_no_journey(
    calls: list[dict[str, Any]],
) -> None:
    told = recalled(*calls)
    assert {value for name, value in told.items() if name.startswith("travel.")} == {None}


def test_without_a_database_nothing_is_known() -> None:
    told = recalled(call(0, BERLIN), call(HOUR, LONDON), known=False)
    assert {value for name, value in told.items() if name.startswith(("travel.", "origin."))} == {
        None
    }


def test_a_workload_has_a_place_and_no_journey() -> None:
    account = "system:serviceaccount:a:b"
    told = recalled(call(0, BERLIN, account), call(HOUR, LONDON, account))
    assert (told["origin.place"], told["travel.from"]) == ("London", None)


def test_what_lies_between_without_a_place_hides_no_journey() -> None:
    between = [call(600, "10.0.0.1"), call(700, "8.8.8.8"), call(800, SYDNEY)]
    told = recalled(call(0, BERLIN), *between, call(HOUR, LONDON), hidden=("192.0.2.0/24",))
    assert told["travel.from"] == "Berlin"
    seen = recalled(call(0, BERLIN), *between, call(HOUR, LONDON))
    assert seen["travel.from"] == "Sydney"


def test_behind_a_shared_network_nobody_is_anywhere() -> None:
    told = recalled(call(0, BERLIN), call(HOUR, SYDNEY), hidden=("192.0.2.0/24",))
    assert (told["origin.place"], told["travel.to"]) == (None, None)


def test_a_place_is_known_from_the_first_call_near_it() -> None:
    told = recalled(call(0, POTSDAM), call(8 * DAY, LONDON), call(8 * DAY + HOUR, BERLIN))
    assert told["travel.known_days"] == 8
    assert recalled(call(0, SYDNEY), call(DAY, BERLIN))["travel.known_days"] is None


WAY = [
    *(call(n * 900, BERLIN) for n in range(12)),
    call(3 * HOUR, LONDON),
    call(3 * HOUR + 60, BERLIN),
    *(call(3 * HOUR + 120 + n * 60, LONDON) for n in range(8)),
    call(4 * HOUR, "10.0.0.1"),
    call(5 * HOUR, SYDNEY),
    call(5 * HOUR, LONDON, "bob"),
]
COLUMNS = [PREFIX + name for name in ("travel.from", "travel.minutes", "travel.speed_kmh")]


@pytest.mark.parametrize("cuts", [(), (3,), (12, 13), (12, 14, 15), tuple(range(1, len(WAY)))])
def test_answers_do_not_depend_on_batches_or_restarts(cuts: tuple[int, ...]) -> None:
    whole = state()
    batch = frame(WAY)
    whole.add(batch)
    expected = whole.release(None, batch).select(COLUMNS)
    entities, parts = state(), []
    for start, end in pairwise((0, *cuts, len(WAY))):
        part = batch[start:end]
        entities.add(part)
        ends_us = part["@timestamp"].to_physical().to_list()[-1] + 1
        parts.append(entities.release(ends_us, part))
        again = state()
        restore(save(entities), again)
        entities = again
    assert pl.concat(parts).select(COLUMNS).equals(expected)
    assert expected["trailwarden.recalled.travel.from"].null_count() < len(WAY) - 3
