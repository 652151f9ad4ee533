"""A database of places, read from a file that the test makes; what is in it is looked at first."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from detectors.entities.geography import (
    CACHED,
    Geography,
    GeographyError,
    kilometers,
    opened,
    place_of,
)
from tests.mmdb import mmdb

if TYPE_CHECKING:
    from pathlib import Path

BUILT = datetime(2026, 11, 17, 8, tzinfo=UTC)


def record(city: str, latitude: float, longitude: float, **said: Any) -> dict[str, Any]:
    return {
        "city": {"names": {"en": city, "de": "?"}},
        "country": {"iso_code": "DE", "names": {"en": "Germany"}},
        "location": {"latitude": latitude, "longitude": longitude, "accuracy_radius": 20},
        **said,
    }


BERLIN = record("Berlin", 52.52, 13.41)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "City.mmdb"
    anycast = record("Berlin", 52.52, 13.41, traits={"is_anycast": True})
    far = {"country": {"iso_code": "NZ"}, "location": {"latitude": -41.3, "longitude": 174.8}}
    path.write_bytes(
        mmdb(
            {
                "203.0.113.0/24": BERLIN,
                "198.51.100.0/25": anycast,
                "198.51.100.128/25": {"country": {"names": {"en": "Peru"}}},
                "2001:db8::/32": far,
            },
            BUILT,
        )
    )
    return path


def test_addresses_are_found_in_a_file(file: Path) -> None:
    geography = opened(file)
    asked = ["203.0.113.9", "192.0.2.1", "198.51.100.7", "198.51.100.200", "2001:db8::7", None, "x"]
    found = geography.places_of(pl.Series(asked)).rows()
    assert found == [
        ("203.0.113.9", "Berlin, Germany", 52.52, 13.41, 20.0),
        ("198.51.100.200", "Peru", None, None, 100.0),
        ("2001:db8::7", "NZ", -41.3, 174.8, 100.0),
    ]
    assert geography.version == "GeoLite2-City of 2026-11-17"


def test_each_address_is_asked_once_and_not_too_many_are_remembered() -> None:
    asked: list[str] = []
    geography = Geography("t", lambda address: asked.append(address) or BERLIN)  # type: ignore[func-returns-value]
    names = pl.Series([f"a{n}" for n in range(CACHED)])
    geography.places_of(names)
    assert geography.places_of(names.head(3)).height == 3
    assert len(asked) == CACHED + 3
    geography.places_of(names.head(3))
    assert len(asked) == CACHED + 3


@pytest.mark.parametrize("said", [b"", b"no database", mmdb({"::/1": {}}, BUILT)[:-40]])
def test_a_file_that_is_none_is_refused_with_its_name(tmp_path: Path, said: bytes) -> None:
    path = tmp_path / "City.mmdb"
    path.write_bytes(said)
    with pytest.raises(GeographyError, match=r"City\.mmdb"):
        opened(path)
    with pytest.raises(GeographyError, match=r"nowhere\.mmdb"):
        opened(tmp_path / "nowhere.mmdb")


def test_without_the_library_it_says_what_to_install(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "maxminddb", None)
    with pytest.raises(GeographyError, match=r"trailwarden\[geoip\]"):
        opened(file)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (None, None),
        ({}, None),
        ("Berlin", None),
        ({"city": {"names": {"en": 7}}}, None),
        ({"city": "Berlin"}, None),
        ({"location": {"latitude": 91.0, "longitude": 0.0}}, None),
        ({"location": {"latitude": True, "longitude": 0.0}}, None),
        ({"location": {"latitude": 52.52, "longitude": 13.41}}, "52.5, 13.4"),
        ({**BERLIN, "traits": {"is_anonymous_proxy": True}}, None),
        ({**BERLIN, "traits": {"is_satellite_provider": True}}, None),
        ({**BERLIN, "traits": {"is_anycast": False}}, "Berlin, Germany"),
    ],
)
def test_only_what_makes_sense_is_believed(said: object, name: str | None) -> None:
    place = place_of(said)
    assert (place.name if place else None) == name


@pytest.mark.parametrize(
    ("there", "km"),
    [
        ((52.52, 13.41), 0),
        ((51.51, -0.13), 931),
        ((-33.87, 151.21), 16_094),
        ((-52.52, -166.59), 20_015),
    ],
)
def test_distances_are_those_of_a_globe(there: tuple[float, float], km: int) -> None:
    here, to = (tuple(map(pl.lit, point)) for point in ((52.52, 13.41), there))
    found = pl.select(kilometers(here, to)).item()  # type: ignore[arg-type]
    assert found == pytest.approx(km, abs=2)
