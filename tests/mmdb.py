"""Networks and records become a file in the format of MaxMind DB 2.0: a database made by a test.

Source: the format's specification (https://maxmind.github.io/MaxMind-DB/). Trees are of IPv6 with
IPv4 under ::/96 and records of 32 bits; of types there are those that GeoIP2 City has.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Network, ip_network
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_MARKER: Final = b"\xab\xcd\xefMaxMind.com"
_SEPARATOR: Final = bytes(16)
_STRING, _DOUBLE, _MAP, _ARRAY, _BOOLEAN = 2, 3, 7, 11, 14
_NUMBERS: Final = {"uint16": 5, "uint32": 6, "uint64": 9}
_FIRST_EXTENDED: Final = 8
_SHORT: Final = 29
_MIDDLE: Final = 285


def mmdb(records: Mapping[str, Any], built: datetime, kind: str = "GeoLite2-City") -> bytes:
    """Return a database of networks, none within another, and their records."""
    nodes: list[list[Any]] = [[None, None]]
    data = bytearray()
    for text, record in records.items():
        bits = _bits(text)
        at = 0
        for bit in bits[:-1]:
            if nodes[at][bit] is None:
                nodes.append([None, None])
                nodes[at][bit] = len(nodes) - 1
            at = nodes[at][bit]
        nodes[at][bits[-1]] = ("data", len(data))
        data += _encoded(record)
    count = len(nodes)
    tree = b"".join(struct.pack(">II", *(_pointer(side, count) for side in node)) for node in nodes)
    about = {
        "node_count": count,
        "record_size": ("uint16", 32),
        "ip_version": ("uint16", 6),
        "database_type": kind,
        "languages": ["en"],
        "binary_format_major_version": ("uint16", 2),
        "binary_format_minor_version": ("uint16", 0),
        "build_epoch": ("uint64", int(built.timestamp())),
        "description": {"en": "Made by a test"},
    }
    return tree + _SEPARATOR + bytes(data) + _MARKER + _encoded(about)


def _bits(text: str) -> list[int]:
    network = ip_network(text)
    before = [0] * 96 if isinstance(network, IPv4Network) else []
    packed = "".join(f"{byte:08b}" for byte in network.network_address.packed)
    return [*before, *map(int, packed[: network.prefixlen])]


def _pointer(side: Any, count: int) -> int:
    if side is None:
        return count
    return side if isinstance(side, int) else count + len(_SEPARATOR) + int(side[1])


def _encoded(value: Any) -> bytes:
    if isinstance(value, dict):
        return _head(_MAP, len(value)) + b"".join(
            _encoded(name) + _encoded(part) for name, part in value.items()
        )
    if isinstance(value, list):
        return _head(_ARRAY, len(value)) + b"".join(map(_encoded, value))
    if isinstance(value, str):
        text = value.encode()
        return _head(_STRING, len(text)) + text
    if isinstance(value, bool):
        return _head(_BOOLEAN, int(value))
    if isinstance(value, float):
        return _head(_DOUBLE, 8) + struct.pack(">d", value)
    kind, number = value if isinstance(value, tuple) else ("uint32", value)
    digits: bytes = number.to_bytes(8, "big").lstrip(b"\0")
    return _head(_NUMBERS[kind], len(digits)) + digits


def _head(kind: int, size: int) -> bytes:
    assert size < _MIDDLE
    told = min(_SHORT, size)
    more = b"" if size < _SHORT else bytes([size - _SHORT])
    if kind < _FIRST_EXTENDED:
        return bytes([kind << 5 | told]) + more
    return bytes([told, kind - 7]) + more
