"""Settings become a site and exceptions; what cannot be used is named by its setting or line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl
import pytest

from detectors.sigma.compiler import load_rules
from detectors.sigma.errors import InvalidRulesError
from detectors.site import DEFAULT_LISTS, Criticality, Window
from tests.mmdb import mmdb
from worker.configuration import InvalidSettingsError, load_settings
from worker.site import load_exceptions, site_of

if TYPE_CHECKING:
    from pathlib import Path

    from detectors.exceptions import Exemption
    from detectors.site import Site

EXCEPTION = "rule: r\n  owner: ann\n  reason: x\n  expires: 2027-01-01\n  where: {user.name: ci}\n"


def site(tmp_path: Path, text: str) -> Site:
    file = tmp_path / "trailwarden.yml"
    file.write_text(text)
    return site_of(load_settings(file))


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(InvalidSettingsError) as caught:
        site(tmp_path, text)
    return str(caught.value)


def loaded(tmp_path: Path, text: str) -> tuple[Exemption, ...]:
    rule = tmp_path / "r.yml"
    rule.write_text(
        "title: A\nid: 0a0a0a0a-0000-4000-8000-000000000001\nlogsource: {product: kubernetes}\n"
        "detection: {s: {verb: get}, condition: s}\n"
    )
    file = tmp_path / "trailwarden.yml"
    file.write_text(text)
    settings = load_settings(file)
    return load_exceptions(settings, file, load_rules([rule]), site_of(settings))


def test_without_settings_everything_is_as_by_default() -> None:
    found = site_of(load_settings(None))
    assert found.lists == DEFAULT_LISTS
    assert not found.criticality
    assert not found.maintenance


def test_lists_take_the_place_of_defaults_or_add_to_them(tmp_path: Path) -> None:
    found = site(
        tmp_path,
        "site:\n  lists:\n    trusted_registries: [reg.example]\n    system_namespaces: [infra]\n"
        "    our_own: [a, b]\n"
        "  more:\n    trusted_networks: [203.0.113.0/24]\n    our_own: [c]\n    another: [d]\n",
    )
    assert found.lists["trusted_registries"] == ("reg.example",)
    assert found.lists["system_namespaces"] == ("infra",)
    assert found.lists["our_own"] == ("a", "b", "c")
    assert found.lists["another"] == ("d",)
    default = DEFAULT_LISTS["trusted_networks"]
    assert found.lists["trusted_networks"] == (*default, "203.0.113.0/24")
    assert found.lists["break_glass_identities"] == DEFAULT_LISTS["break_glass_identities"]


def test_a_geoip_database_is_opened_and_named_by_a_list(tmp_path: Path) -> None:
    file = tmp_path / "City.mmdb"
    berlin = {"city": {"names": {"en": "Berlin"}}}
    file.write_bytes(mmdb({"203.0.113.0/24": berlin}, datetime(2026, 11, 17, tzinfo=UTC)))
    found = site(tmp_path, f"site: {{geoip: {file}, lists: {{geoip_databases: [mine]}}}}\n")
    assert found.lists["geoip_databases"] == ("GeoLite2-City of 2026-11-17",)
    assert found.geography is not None
    assert found.geography.places_of(pl.Series(["203.0.113.9"]))["place"].to_list() == ["Berlin"]
    without = site(tmp_path, "site: {lists: {geoip_databases: [mine]}}\n")
    assert (without.lists["geoip_databases"], without.geography) == ((), None)


def test_criticality_and_maintenance_are_typed(tmp_path: Path) -> None:
    found = site(
        tmp_path,
        "site:\n  criticality: {payments: critical, 'dev-*/*': low}\n  maintenance:\n"
        "  - {start: 2026-11-21T22:00:00+02:00, end: 2026-11-22T02:00:00Z, reason: upgrade,"
        " clusters: [blue]}\n",
    )
    assert found.criticality == {"payments": Criticality.CRITICAL, "dev-*/*": Criticality.LOW}
    start, end = datetime(2026, 11, 21, 20, tzinfo=UTC), datetime(2026, 11, 22, 2, tzinfo=UTC)
    assert found.maintenance == (Window(start, end, "upgrade", ("blue",), ()),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lists: {trusted_networks: [10.0.0.1/8]}", "site.lists.trusted_networks: 10.0.0.1/8 has"),
        ("more: {threat_networks: [evil]}", "site.lists.threat_networks: 'evil' does not appear"),
        ("more: {shared_networks: [proxy]}", "site.lists.shared_networks: 'proxy' does not appear"),
        ("geoip: /nowhere/City.mmdb", "site.geoip: /nowhere/City.mmdb: "),
        ("lists: {a b: [c]}", "site.lists: 'a b' is no name"),
        ("lists: {admin_identities: ['']}", "site.lists.admin_identities: a value is empty"),
        ("lists: {admin_identities: root}", "site.lists.admin_identities: Input should be a"),
        ("criticality: {a: grave}", "site.criticality.a: Input should be 'critical'"),
        (
            "maintenance: [{start: 2026-11-21T10:00:00Z, end: 2026-11-21T10:00:00Z, reason: x}]",
            "site.maintenance.0: ends at",
        ),
        (
            "maintenance: [{start: 2026-11-21T10:00:00, end: 2026-11-21T11:00:00Z, reason: x}]",
            "site.maintenance.0.start: Input should have timezone info",
        ),
        (
            "maintenance: [{start: 2026-11-21T10:00:00Z, end: 2026-11-21T11:00:00Z}]",
            "site.maintenance.0.reason: Field required",
        ),
        ("list: {}", "site.list: Extra inputs"),
    ],
)
def test_what_cannot_be_used_is_named_by_its_setting(
    tmp_path: Path, text: str, message: str
) -> None:
    assert message in refused(tmp_path, f"site: {{{text}}}\n")


def test_exceptions_stand_in_the_settings_or_in_a_file_of_their_own(tmp_path: Path) -> None:
    assert loaded(tmp_path, "{}\n") == ()
    own = tmp_path / "exceptions.yml"
    own.write_text(f"# two\n- {EXCEPTION}- {EXCEPTION}")
    both = f"rules: {{exceptions_file: {own}}}\nexceptions:\n- {EXCEPTION}"
    places = [one.place for one in loaded(tmp_path, both)]
    assert places == [f"{tmp_path}/trailwarden.yml:3", f"{own}:2", f"{own}:7"]


def test_exceptions_of_the_environment_are_read_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "TRAILWARDEN_EXCEPTIONS",
        '[{"rule": "r", "owner": "a", "reason": "b", "expires": "2027-01-01",'
        ' "where": {"user.name": "ci"}}]',
    )
    (found,) = loaded(tmp_path, f"exceptions:\n- {EXCEPTION}- {EXCEPTION}")
    assert (found.owner, found.place) == ("a", "environment:1")


def test_every_problem_of_both_files_has_its_line(tmp_path: Path) -> None:
    own = tmp_path / "exceptions.yml"
    own.write_text(f"- {EXCEPTION.replace('user.name', 'container.image.name')}")
    unknown = EXCEPTION.replace("rule: r", "rule: q")
    both = f"rules: {{exceptions_file: {own}}}\nexceptions:\n- {unknown}"
    with pytest.raises(InvalidRulesError) as caught:
        loaded(tmp_path, both)
    files = [(error.file.name, error.line) for error in caught.value.errors]
    assert files == [("trailwarden.yml", 3), ("exceptions.yml", 5)]


def test_a_file_of_exceptions_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRulesError, match=r"nowhere\.yml:1:1: cannot be read"):
        loaded(tmp_path, f"rules: {{exceptions_file: {tmp_path}/nowhere.yml}}\n")


def test_a_list_of_the_site_is_known_to_exceptions(tmp_path: Path) -> None:
    text = "site: {lists: {ci_identities: [ci]}}\nexceptions:\n- " + EXCEPTION
    (found,) = loaded(
        tmp_path, text.replace("user.name: ci", "user.name|expand: '%ci_identities%'")
    )
    assert found.columns == {"user.name"}
