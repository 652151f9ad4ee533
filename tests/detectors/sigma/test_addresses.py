from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.sigma.addresses import Network, in_networks, network


def found(text: str | None, *networks: Network) -> bool | None:
    frame = pl.DataFrame({"ip": [text]}, schema={"ip": pl.String})
    verdict: bool | None = frame.select(in_networks(networks)(pl.col("ip"))).item()
    return verdict


numbers = st.one_of(
    st.integers(0, 2**128 - 1),
    st.lists(st.sampled_from([0, 0, 0, 1, 0xFE80, 0x2001, 0xFFFF]), min_size=8, max_size=8).map(
        lambda groups: sum(group << 16 * index for index, group in enumerate(groups))
    ),
)


@settings(max_examples=200)
@given(numbers, numbers, st.integers(0, 128), st.booleans())
def test_ipv6_agrees_with_the_standard_library(
    one: int, other: int, prefix: int, near: bool
) -> None:
    if near:  # most pairs of addresses share no network: flip low bits only
        other = one ^ (other >> min(prefix, 127))
    block = ip_network((one, prefix), strict=False)
    address = IPv6Address(other)
    for spelling in (str(address), address.exploded, address.exploded.upper()):
        assert found(spelling, block) is (address in block)


@settings(max_examples=100)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_ipv4_agrees_with_the_standard_library(one: int, other: int, prefix: int) -> None:
    block = ip_network((one, prefix), strict=False)
    for address in (IPv4Address(other), IPv4Address(one ^ (other >> prefix))):
        assert found(str(address), block) is (address in block)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0",
        "10.0.0.1.1",
        "10.0.0.256",
        "010.0.0.1",
        "10.0.0.1 ",
        "10.0.0.1\n",
        "x10.0.0.1",
        "10.0.0.1:443",
        ":::",
        "1::2::3",
        "1:2:3:4::5:6:7:8",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7",
        "12345::",
        "g::1",
        "[::1]",
    ],
)
def test_text_that_is_no_address_is_in_no_network(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        ip_address(text)

    assert found(text, network("0.0.0.0/0"), network("::/0")) is False


@pytest.mark.parametrize(
    "text", ["1:0:3:4:5:6:7:8", "1::3:4:5:6:7:8", "0001:0:03:4:5:6:7:8", "1:0000:3:4:5:6:7:8"]
)
def test_all_spellings_of_an_address_are_that_address(text: str) -> None:
    assert found(text, network("1:0:3:4:5:6:7:8/128")) is True
    assert found(text, network("1:0:3:4:5:6:7:9/128")) is False


def test_null_stays_null() -> None:
    assert found(None, network("0.0.0.0/0")) is None


def test_families_do_not_mix() -> None:
    assert found("10.0.0.1", network("::/0")) is False
    assert found("::1", network("0.0.0.0/0")) is False


def test_several_networks_are_one_test() -> None:
    networks = tuple(map(network, ("10.0.0.0/8", "192.168.0.0/16", "fd00::/8", "::1")))

    inside = ["10.9.9.9", "192.168.1.1", "fd12::1", "::1", "0:0:0:0:0:0:0:1"]
    outside = ["11.0.0.1", "192.169.0.1", "fe80::1", "::2"]

    assert [found(text, *networks) for text in inside] == [True] * len(inside)
    assert [found(text, *networks) for text in outside] == [False] * len(outside)


def test_bits_behind_the_prefix_are_refused() -> None:
    with pytest.raises(ValueError, match="host bits"):
        network("10.1.0.0/8")
