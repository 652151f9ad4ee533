from __future__ import annotations

from ipaddress import ip_network

import polars as pl
import pytest

from models.network import network_of


def network(address: str | None) -> str | None:
    held = pl.DataFrame({"a": [address]}, schema={"a": pl.String})
    found: str | None = held.select(network_of(pl.col("a"))).item()
    return found


@pytest.mark.parametrize(
    "address",
    [
        *("2001:db8:1:2:3:4:5:6", "2001:db8::1", "::1", "fe80::", "::", "1::2:3:4:5:6:7"),
        *("1:2::3:4:5:6:7", "1:2:3:4:5:6:7::", "a::b:c:d:e:f", "::2:3:4:5:6:7:8"),
    ],
)
def test_ipv6_is_cut_to_64_bits(address: str) -> None:
    found = network(address)
    assert found is not None
    assert ip_network(found) == ip_network(f"{address}/64", strict=False)


def test_ipv4_is_cut_to_24_bits() -> None:
    assert network("10.1.2.3") == "10.1.2.0/24"


@pytest.mark.parametrize("address", [None, "", "host", "10.1.2", "10.1.2.3.4"])
def test_what_is_no_address_is_in_no_network(address: str | None) -> None:
    assert network(address) is None
