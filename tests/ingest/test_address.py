from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest

from ingest.address import canonical_address, source_address

Build = Callable[..., dict[str, Any]]
Row = Callable[..., dict[str, Any]]

PROXY = (ip_network("10.0.0.0/8"),)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7 ", "203.0.113.7"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::ffff:cb00:7107", "203.0.113.7"),
        ("::1", "::1"),
        ("010.0.0.1", None),
        ("203.0.113.7:443", None),
        ("evil", None),
        ("", None),
        ("1", None),
    ],
)
def test_an_address_has_one_form(text: str, canonical: str | None) -> None:
    assert canonical_address(text) == canonical


@pytest.mark.parametrize(
    ("chain", "source"),
    [
        ([], None),
        (["203.0.113.7"], "203.0.113.7"),
        # the client wrote the first one: without a trusted proxy only the peer counts
        (["10.0.0.1", "203.0.113.7"], "203.0.113.7"),
        (["127.0.0.1", "::1", "203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7", "evil"], None),
    ],
)
def test_without_trusted_proxies_the_peer_counts(chain: list[str], source: str | None) -> None:
    assert source_address(chain) == source


@pytest.mark.parametrize(
    ("chain", "trusted", "source"),
    [
        (["1.1.1.1", "203.0.113.7", "10.0.0.1"], "10.0.0.0/8", "203.0.113.7"),
        (["1.1.1.1", "203.0.113.7", "10.0.0.2", "10.0.0.1"], "10.0.0.0/8", "203.0.113.7"),
        # a client that is no proxy forges a chain that looks like one
        (["1.1.1.1", "10.0.0.1", "203.0.113.7"], "10.0.0.0/8", "203.0.113.7"),
        # all are proxies: the first of them is where it came from
        (["10.0.0.2", "10.0.0.1"], "10.0.0.0/8", "10.0.0.2"),
        (["1.1.1.1", "::ffff:10.0.0.1"], "10.0.0.0/8", "1.1.1.1"),
        (["1.1.1.1", "10.0.0.1"], "::ffff:10.0.0.0/104", "1.1.1.1"),
        (["2001:db8::7", "fd00::1"], "fd00::/8", "2001:db8::7"),
        (["2001:db8::7", "fd00::1%eth0"], "fd00::/8", "2001:db8::7"),
        (["1.1.1.1", "fd00::1"], "10.0.0.0/8", "fd00::1"),
        (["1.1.1.1", "::1"], "0.0.0.0/0", "::1"),
        (["evil", "10.0.0.1"], "10.0.0.0/8", None),
    ],
)
def test_the_last_address_that_no_trusted_proxy_added(
    chain: list[str], trusted: str, source: str | None
) -> None:
    assert source_address(chain, (ip_network(trusted),)) == source


def test_an_event_keeps_the_chain_beside_its_source(build: Build, row: Row) -> None:
    forged = build(sourceIPs=["192.168.0.1", "198.51.100.9", "10.1.2.3"])
    assert row(forged)["source.ip"] == "10.1.2.3"
    found = row(forged, trusted=PROXY)
    assert found["source.ip"] == "198.51.100.9"
    assert found["source.address_chain"] == ["192.168.0.1", "198.51.100.9", "10.1.2.3"]


def test_no_addresses_are_no_source(build: Build, row: Row) -> None:
    for event in (build(sourceIPs=None), build(sourceIPs=[])):
        found = row(event)
        assert found["source.ip"] is None
        assert found["source.address_chain"] is None


def test_the_memory_for_addresses_is_bounded() -> None:
    for number in range(70_000):
        canonical_address(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    info = canonical_address.cache_info()
    assert info.maxsize is not None
    assert info.currsize <= info.maxsize <= 65_536
