from __future__ import annotations

import pytest

from detectors.attack import REPLACED_BY, TECHNIQUES, Tactic, technique_url


def test_every_technique_has_a_tactic_and_every_sub_technique_a_parent() -> None:
    for technique in TECHNIQUES.values():
        assert technique.tactics, technique.id
        assert technique.id.partition(".")[0] in TECHNIQUES


def test_tactics_stand_in_the_order_of_the_matrix() -> None:
    order = list(Tactic)
    for technique in TECHNIQUES.values():
        assert list(technique.tactics) == sorted(technique.tactics, key=order.index), technique.id


def test_a_sub_technique_is_titled_with_its_parent() -> None:
    assert TECHNIQUES["T1078.004"].title == "Valid Accounts: Cloud Accounts"
    assert TECHNIQUES["T1609"].title == "Container Administration Command"


def test_replaced_ids_and_their_replacements_are_both_known() -> None:
    for old, new in REPLACED_BY.items():
        assert Tactic.DEFENSE_IMPAIRMENT not in TECHNIQUES[old].tactics
        assert TECHNIQUES[new].tactics == (Tactic.DEFENSE_IMPAIRMENT,)


@pytest.mark.parametrize(
    ("technique_id", "url"),
    [
        ("T1609", "https://attack.mitre.org/techniques/T1609/"),
        ("T1078.004", "https://attack.mitre.org/techniques/T1078/004/"),
        *((text, None) for text in ("", "T", "T160", "T16090", "T1609.", "T1609.4", "X1609")),
        *((text, None) for text in ("t1609", "T1609.004.1", "T\uff11609", "T1609/../..", "T1609 ")),
    ],
)
def test_only_technique_ids_become_addresses(technique_id: str, url: str | None) -> None:
    assert technique_url(technique_id) == url


def test_every_id_of_the_table_has_an_address() -> None:
    assert all(technique_url(technique_id) for technique_id in TECHNIQUES)
