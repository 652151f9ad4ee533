"""The ``places`` of a case file become a GeoIP database of their own: networks and where they are.

Separate from cases because records of a database are made here, in the form that GeoIP2 City has,
so that a case tries all that stands between a database and a finding.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final

from detectors.entities.geography import Geography
from detectors.sigma.errors import RefusedError
from detectors.sigma.strict_yaml import Mapping, plain

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

    from detectors.sigma.strict_yaml import Node

VERSION: Final = "Cases of 2026-11-01"
_TEXTS: Final = ("city", "country")
_POINT: Final = {
    "latitude": "latitude",
    "longitude": "longitude",
    "radius_km": "accuracy_radius",
}
KEYS: Final = (*_TEXTS, *_POINT)


def read_places(document: Mapping) -> Geography | None:
    """Return the places of a case file, None where it has none; raises ``RefusedError``."""
    node = document.get("places")
    if node is None:
        return None
    if not isinstance(node, Mapping):
        raise RefusedError(node.place, "'places' must be a mapping of networks to places")
    records = {
        _network(text, entry.value): _record(entry.value) for text, entry in node.entries.items()
    }

    def find(address: str) -> object:
        """Return the record of the narrowest network that the address is in."""
        holding = [one for one in records if ip_address(address) in one]
        return records[max(holding, key=lambda one: one.prefixlen)] if holding else None

    return Geography(VERSION, find)


def _network(text: str, node: Node) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise RefusedError(node.place, f"'places': {error}") from error


def _record(node: Node) -> dict[str, object]:
    said = plain(node)
    if not isinstance(said, dict) or not all(_fits(name, value) for name, value in said.items()):
        wrong = f"a place must be a mapping with some of {', '.join(KEYS)}"
        raise RefusedError(node.place, wrong)
    record: dict[str, object] = {n: {"names": {"en": said[n]}} for n in _TEXTS if n in said}
    record["location"] = {_POINT[name]: said[name] for name in _POINT if name in said}
    return record


def _fits(name: object, value: object) -> bool:
    if name in _TEXTS:
        return isinstance(value, str)
    return name in _POINT and isinstance(value, int | float) and not isinstance(value, bool)
