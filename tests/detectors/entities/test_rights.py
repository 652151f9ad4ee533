from __future__ import annotations

import pytest

from detectors.entities.relation import Relation
from detectors.entities.rights import Book, Gain, gained, rights_of


def book(*facts: tuple[Relation, str, str]) -> Book:
    made = Book()
    for relation, subject, what in facts:
        made.note(relation, subject, what)
    return made


def bound(name: str, role: str, *subjects: str) -> tuple[tuple[Relation, str, str], ...]:
    return (
        (Relation.BINDING_ROLE, name, role),
        (Relation.BINDING_SUBJECT, name, "\n".join(subjects)),
    )


def role(name: str, *rules: str) -> tuple[Relation, str, str]:
    return (Relation.ROLE_RULE, name, "\n".join(rules))


READ = role("Role/shop/r", "get,list||pods,secrets||")
BOUND = bound("RoleBinding/shop/b", "Role/r", "User/eve")


def test_a_binding_gives_the_rights_of_its_role_in_its_namespace() -> None:
    after = book(READ, *BOUND)
    assert gained(book(READ), after, "RoleBinding/shop/b") == Gain(
        ("get pods @shop", "get secrets @shop", "list pods @shop", "list secrets @shop"),
        ("User/eve",),
    )


@pytest.mark.parametrize(
    ("own", "left"),
    [
        ("*|*|*||", ()),
        ("get,list||*||", ()),
        ("*||pods||", ("get secrets @shop", "list secrets @shop")),
        ("get,list||pods,secrets|one|", None),
        ("get,list|apps|pods,secrets||", None),
        ("get||pods/exec,secrets||", ("get pods @shop", "list pods @shop", "list secrets @shop")),
    ],
)
def test_what_one_could_do_before_is_not_gained(own: str, left: tuple[str, ...] | None) -> None:
    known = (
        role("ClusterRole//own", own),
        *bound("ClusterRoleBinding//o", "ClusterRole/own", "User/eve"),
    )
    everything = ("get pods @shop", "get secrets @shop", "list pods @shop", "list secrets @shop")
    gain = gained(book(READ, *known), book(READ, *known, *BOUND), "RoleBinding/shop/b")
    assert gain.rights == (everything if left is None else left)


def test_rights_of_another_namespace_or_of_names_cover_nothing_wider() -> None:
    own = (READ, role("Role/ops/r", "*|*|*||"), *bound("RoleBinding/ops/o", "Role/r", "User/eve"))
    assert gained(book(*own), book(*own, *BOUND), "RoleBinding/shop/b").subjects == ("User/eve",)
    named = role("Role/shop/n", "get||secrets|db|")
    again = (named, *bound("RoleBinding/shop/n", "Role/n", "User/eve"))
    assert gained(book(), book(*again), "RoleBinding/shop/n").rights == ("get secrets/db @shop",)
    wide = (*own[:1], *BOUND)
    assert gained(book(*wide), book(*wide, *again), "RoleBinding/shop/n").rights == ()


def test_a_change_of_a_role_reaches_all_who_are_bound_to_it() -> None:
    bindings = (
        *bound("RoleBinding/shop/b", "ClusterRole/r", "User/eve", "Group/dev"),
        *bound("ClusterRoleBinding//c", "ClusterRole/r", "ServiceAccount/ci/bot"),
    )
    before = book(role("ClusterRole//r", "get||pods||"), *bindings)
    after = book(role("ClusterRole//r", "get||pods||", "create||pods/exec||"), *bindings)
    assert gained(before, after, "ClusterRole//r") == Gain(
        ("create pods/exec", "create pods/exec @shop"),
        ("Group/dev", "ServiceAccount/ci/bot", "User/eve"),
    )


def test_a_role_that_aggregates_gives_to_those_of_the_role_that_it_is_added_to() -> None:
    binding = bound("RoleBinding/shop/b", "ClusterRole/view", "User/eve")
    view = role("ClusterRole//view", "get||pods||")
    added = (
        role("ClusterRole//x", "get||secrets||"),
        (Relation.ROLE_AGGREGATES, "ClusterRole//x", "view"),
    )
    gain = gained(book(view, *binding), book(view, *binding, *added), "ClusterRole//x")
    assert gain == Gain(("get secrets @shop",), ("User/eve",))


def test_a_role_that_was_never_seen_is_told_as_such_and_cluster_admin_is_everything() -> None:
    unseen = bound("RoleBinding/shop/b", "ClusterRole/edit", "User/eve")
    assert gained(book(), book(*unseen), "RoleBinding/shop/b").rights == (
        "all-of ClusterRole/edit @shop",
    )
    admin = bound("ClusterRoleBinding//a", "ClusterRole/cluster-admin", "User/eve")
    assert gained(book(), book(*admin), "ClusterRoleBinding//a").rights == ("* *.*", "* /*")
    both = gained(book(*admin), book(*admin, *unseen), "RoleBinding/shop/b")
    assert both == Gain((), ())


def test_masters_gain_nothing_and_removal_gives_nothing() -> None:
    masters = bound("RoleBinding/shop/b", "Role/r", "Group/system:masters")
    assert gained(book(READ), book(READ, *masters), "RoleBinding/shop/b") == Gain((), ())
    assert gained(book(READ, *BOUND), book(READ), "RoleBinding/shop/b") == Gain((), ())


def test_an_identity_may_what_its_groups_may() -> None:
    held = book(
        READ,
        *bound("RoleBinding/shop/b", "Role/r", "Group/system:serviceaccounts:ci"),
        role("ClusterRole//u", "get||||/healthz"),
        *bound("ClusterRoleBinding//u", "ClusterRole/u", "Group/system:authenticated"),
    )
    account = rights_of(held, "system:serviceaccount:ci:bot")
    assert "list secrets @shop" in account
    assert "get /healthz" in account
    assert rights_of(held, "ann") == ("get /healthz",)
    assert rights_of(held, "system:anonymous") == ()
    assert "get pods @shop" in rights_of(held, "ann", ["system:serviceaccounts:ci"])


def test_encoded_names_and_the_core_group_are_read() -> None:
    odd = role("ClusterRole//o", "get|,apps|pods|a%2Cb|")
    held = book(odd, *bound("ClusterRoleBinding//o", "ClusterRole/o", "User/eve"))
    assert rights_of(held, "eve") == ("get pods.apps/a,b", "get pods/a,b")
    narrower = (
        role("ClusterRole//n", "get|apps|pods|a%2Cb|"),
        *bound("ClusterRoleBinding//n", "ClusterRole/n", "User/eve"),
    )
    assert (
        gained(
            held,
            book(odd, *bound("ClusterRoleBinding//o", "ClusterRole/o", "User/eve"), *narrower),
            "ClusterRoleBinding//n",
        ).rights
        == ()
    )
