"""What a site knows: lists with defaults that are safe anywhere, and what namespaces are worth."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from detectors.site import DEFAULT_LISTS, Criticality, Site, fits

CRITICAL, NORMAL, LOW = Criticality.CRITICAL, Criticality.NORMAL, Criticality.LOW


def test_a_site_that_says_nothing_has_every_list() -> None:
    assert Site().lists == DEFAULT_LISTS
    empty = {name for name, values in DEFAULT_LISTS.items() if not values}
    assert empty == {
        *("trusted_registries", "admin_identities", "ci_identities", "known_identities"),
        *("threat_networks", "known_package_sources", "crown_jewel_secrets", "known_namespaces"),
        *("node_names", "automated_namespaces", "watched_files", "allowed_ingress_hosts"),
        *("shared_networks", "geoip_databases"),
    }


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("10.0.0.1", True),
        ("172.31.255.255", True),
        ("172.32.0.0", False),
        ("100.127.0.1", True),
        ("100.128.0.1", False),
        ("127.0.0.1", True),
        ("169.254.169.254", True),
        ("fd12::1", True),
        ("fe80::1", True),
        ("::1", True),
        ("::", False),
        ("8.8.8.8", False),
        ("2001:db8::1", False),
    ],
)
def test_trusted_by_default_is_what_the_internet_does_not_route(
    address: str, trusted: bool
) -> None:
    networks = [ip_network(network) for network in DEFAULT_LISTS["trusted_networks"]]
    assert any(ip_address(address) in network for network in networks) is trusted


@pytest.mark.parametrize(
    ("written", "name", "expected"),
    [
        ("shop", "shop", True),
        ("shop", "Shop", False),
        ("shop-*", "shop-", True),
        ("shop-*", "shop", False),
        ("*-prod", "a-prod-prod", True),
        ("*-prod", "a-prod-x", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("*a*a*", "xaxa", True),
        ("*a*a*", "xax", False),
        ("*", "", True),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_patterns_match_whole_names(written: str, name: str, expected: bool) -> None:
    assert fits(written, name) is expected


def test_a_pattern_of_many_wildcards_is_decided_at_once() -> None:
    assert not fits("*a" * 200 + "b", "a" * 253)


@pytest.mark.parametrize(
    ("cluster", "namespace", "expected"),
    [
        ("blue", "payments", CRITICAL),
        ("blue", "payments-test", LOW),  # the first pattern that fits
        ("blue", "payments-eu", CRITICAL),
        ("blue", "elsewhere", None),
        ("dev-1", "elsewhere", LOW),
        ("dev-1", "payments", CRITICAL),  # the exact name wins over patterns
        ("dev-1", None, LOW),
        # What is in no namespace is not meant by a pattern of namespaces.
        ("blue", None, None),
    ],
)
def test_the_exact_name_wins_then_the_first_pattern(
    cluster: str, namespace: str | None, expected: Criticality | None
) -> None:
    worth = {"*-test": LOW, "payments*": CRITICAL, "dev-*/*": LOW, "payments": CRITICAL}
    assert Site(criticality=worth).criticality_of(cluster, namespace) is expected
