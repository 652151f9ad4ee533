from __future__ import annotations

from detectors.entities.entity_view import view_of
from detectors.entities.memory import EntityMemory
from detectors.entities.relation import Relation
from tests.detectors.entities.world import HOUR, START_US, Fact, fact_frame

NOW = START_US + 10 * HOUR


def memory(*facts: Fact) -> EntityMemory:
    made = EntityMemory()
    made.add(fact_frame(list(facts)))
    return made


def test_a_pod_shows_what_it_is_then_and_who_is_behind_it() -> None:
    held = memory(
        Fact(Relation.POD_AUTHOR, "shop/web", "ann", START_US),
        Fact(Relation.POD_ADDRESS, "shop/web", "10.0.0.5\n2001:db8::5", START_US + HOUR),
        Fact(Relation.POD_ADDRESS, "shop/web", "10.0.0.6", START_US + 20 * HOUR),
        Fact(Relation.POD_NODE, "shop/web", "node-1", START_US),
        Fact(Relation.POD_NODE, "shop/web", "", START_US + HOUR),
    )
    view = view_of(held, "shop/web", NOW)
    assert [(str(line.relation), line.what) for line in view.own] == [
        ("pod-address", "10.0.0.5\n2001:db8::5"),
        ("pod-author", "ann"),
    ]
    assert view.author == "ann"
    assert not view_of(held, "shop/web", START_US - 1).is_known()


def test_an_address_shows_whose_it_was() -> None:
    held = memory(
        Fact(Relation.POD_ADDRESS, "shop/web", "10.0.0.5\n10.0.0.6", START_US),
        Fact(Relation.POD_ADDRESS, "shop/api", "10.0.0.55", START_US),
        Fact(Relation.IDENTITY_ADDRESS, "ann", "10.0.0.5", START_US),
    )
    view = view_of(held, "10.0.0.5", NOW)
    assert [line.name for line in view.naming] == ["shop/web", "ann"]


def test_an_identity_shows_its_rights_and_a_credential_its_chain() -> None:
    held = memory(
        Fact(Relation.IDENTITY_CALL, "eve", "human", START_US),
        Fact(Relation.ROLE_RULE, "Role/shop/r", "get||secrets||", START_US),
        Fact(Relation.BINDING_ROLE, "RoleBinding/shop/b", "Role/r", START_US),
        Fact(Relation.BINDING_SUBJECT, "RoleBinding/shop/b", "User/eve", START_US + HOUR),
        Fact(Relation.CREDENTIAL_MINTED_BY, "JTI=1", "human\n10.0.0.1\nX=1\neve", START_US),
    )
    assert view_of(held, "eve", NOW).rights == ("get secrets @shop",)
    assert view_of(held, "eve", START_US).rights == ()
    assert view_of(held, "JTI=1", NOW).minted == ("eve",)
    assert view_of(held, "JTI=1", START_US).minted == ("eve",)


def test_who_was_of_a_name_before_is_not_named_by_it_any_more() -> None:
    held = memory(
        Fact(Relation.POD_ADDRESS, "shop/moved", "10.0.0.5", START_US),
        Fact(Relation.POD_ADDRESS, "shop/moved", "10.0.0.6", START_US + HOUR),
        Fact(Relation.POD_ADDRESS, "shop/ended", "10.0.0.5", START_US),
        Fact(Relation.POD_ADDRESS, "shop/ended", "", START_US + HOUR),
        Fact(Relation.POD_ADDRESS, "shop/stays", "10.0.0.5", START_US + HOUR),
    )
    assert [line.name for line in view_of(held, "10.0.0.5", NOW).naming] == ["shop/stays"]
    before = view_of(held, "10.0.0.5", START_US + HOUR - 1)
    assert [line.name for line in before.naming] == ["shop/ended", "shop/moved"]


def test_a_pod_that_is_no_more_says_since_when() -> None:
    held = memory(
        Fact(Relation.POD_UID, "shop/web", "u", START_US),
        Fact(Relation.POD_NODE, "shop/web", "node-1", START_US),
        Fact(Relation.POD_AUTHOR, "shop/web", "ann", START_US),
        Fact(Relation.POD_UID, "shop/web", "", START_US + HOUR),
        Fact(Relation.POD_NODE, "shop/web", "", START_US + HOUR),
    )
    gone = view_of(held, "shop/web", NOW).gone
    assert gone is not None
    assert gone.timestamp() * 1_000_000 == START_US + HOUR
    assert view_of(held, "shop/web", START_US + HOUR - 1).gone is None
    assert view_of(held, "ann", NOW).gone is None


def test_nothing_is_confirmed_before_it_began() -> None:
    held = memory(Fact(Relation.NAMESPACE_AUTHOR, "shop", "ann", START_US + HOUR))
    (line,) = view_of(held, "shop", NOW).own
    assert line.last >= line.since
