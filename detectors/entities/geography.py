"""Addresses become places, by a GeoIP database that the site has; without one nothing is known.

Separate because the database is no memory: it is read from a file in the format of MaxMind DB 2.0,
optional (`trailwarden[geoip]`), and none is shipped. Records are those of GeoIP2 and GeoLite2 City,
and DB-IP City. The file is from elsewhere, so that each value is looked at before it is believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Find = Callable[[str], object]

DATABASES: Final = "geoip_databases"
"""The site's list of databases in use: what asks for places waits until it has a value."""

CACHED: Final = 65_536
"""Addresses whose places are remembered; beyond, all are asked again."""

_EARTH_KM: Final = 6_371.0
_UNPLACED: Final = ("is_anycast", "is_anonymous_proxy", "is_satellite_provider")
"""Traits of addresses whose place says nothing about where somebody is."""
_UNSAID_RADIUS_KM: Final = 100
"""Where a database does not say how sure it is: DB-IP does not."""

PLACES: Final = pl.Schema(
    {
        "address": pl.String(),
        "place": pl.String(),
        "latitude": pl.Float64(),
        "longitude": pl.Float64(),
        "radius_km": pl.Float64(),
    }
)


class GeographyError(ValueError):
    """The database cannot be used; the message names the file and why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address is, most likely: within a circle, two thirds of the time (MaxMind)."""

    name: str
    latitude: float | None
    longitude: float | None
    radius_km: float


class Geography:
    """A database, asked once about each address."""

    def __init__(self, version: str, find: Find) -> None:
        """Take what answers for an address: a record, or None.

        Parameters
            version: what stands in findings, so that it can be told which database said so.
        """
        self.version = version
        self._find = find
        self._known: dict[str, Place | None] = {}

    def places_of(self, addresses: pl.Series) -> pl.DataFrame:
        """Return the places of those of some distinct addresses that have one, under PLACES."""
        if len(self._known) + addresses.len() > CACHED:
            self._known.clear()
        found = []
        for address in addresses.drop_nulls():
            if address not in self._known:
                self._known[address] = place_of(self._find(address))
            place = self._known[address]
            if place is not None:
                found.append((address, *_fields(place)))
        return pl.DataFrame(found, schema=PLACES, orient="row")


def opened(file: Path) -> Geography:
    """Open a database; its type and build time are its version.

    Raises ``GeographyError`` if it cannot be read, or the library is not installed.
    """
    try:
        import maxminddb  # noqa: PLC0415 - optional
    except ImportError as error:
        wrong = f"{file}: needs the package maxminddb: pip install 'trailwarden[geoip]'"
        raise GeographyError(wrong) from error
    try:
        reader = maxminddb.open_database(file)
        about = reader.metadata()
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        raise GeographyError(f"{file}: {error}") from error
    built = datetime.fromtimestamp(about.build_epoch, UTC)

    def find(address: str) -> object:
        try:
            return reader.get(address)
        except (ValueError, maxminddb.InvalidDatabaseError):  # no address, or a broken record
            return None

    return Geography(f"{about.database_type} of {built:%Y-%m-%d}", find)


def place_of(record: object) -> Place | None:
    """Return what a record says; None where it names neither city, country nor coordinates."""
    said = _mapping(record)
    if any(_mapping(said.get("traits")).get(trait) is True for trait in _UNPLACED):
        return None
    location = _mapping(said.get("location"))
    latitude = _number(location.get("latitude"), 90.0)
    longitude = _number(location.get("longitude"), 180.0)
    if latitude is None or longitude is None:
        latitude = longitude = None
    radius = _number(location.get("accuracy_radius"), 20_000.0)
    names = [_name(said.get(part)) for part in ("city", "country")]
    name = ", ".join(part for part in names if part)
    if not name and latitude is None:
        return None
    name = name or f"{latitude:.1f}, {longitude:.1f}"
    return Place(name, latitude, longitude, _UNSAID_RADIUS_KM if radius is None else abs(radius))


def kilometers(of: tuple[pl.Expr, pl.Expr], to: tuple[pl.Expr, pl.Expr]) -> pl.Expr:
    """Return the way between two points given as latitude and longitude, along a great circle.

    The haversine formula: exact enough at short distances (Sinnott, Sky and Telescope 68, 1984).
    """
    (latitude, longitude), (other_latitude, other_longitude) = of, to
    north = ((other_latitude - latitude).radians() / 2).sin() ** 2
    east = ((other_longitude - longitude).radians() / 2).sin() ** 2
    chord = north + latitude.radians().cos() * other_latitude.radians().cos() * east
    return 2 * _EARTH_KM * chord.clip(0.0, 1.0).sqrt().arcsin()


def _fields(place: Place) -> tuple[str, float | None, float | None, float]:
    return place.name, place.latitude, place.longitude, place.radius_km


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _name(part: object) -> str:
    """Return the English name of a city or a country, else its code."""
    said = _mapping(part)
    name = _mapping(said.get("names")).get("en") or said.get("iso_code")
    return name if isinstance(name, str) else ""


def _number(value: object, most: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if -most <= value <= most else None
