"""The account programs' messages give which account or group was changed, and by whom if said."""

from typing import Any

import pytest

from ingest.formats.accounts import account_columns
from ingest.formats.seen import Action

TARGET, GROUP, CALLER = "user.target.name", "group.name", "user.name"


@pytest.mark.parametrize(
    ("text", "action", "names"),
    [
        ("new group: name=g, GID=1001", Action.GROUP_CHANGE, {GROUP: "g"}),
        ("group added to /etc/group: name=g, GID=1001", Action.GROUP_CHANGE, {GROUP: "g"}),
        ("group added to /etc/gshadow: name=g", Action.GROUP_CHANGE, {GROUP: "g"}),
        ("add 'u' to group 'g'", Action.GROUP_CHANGE, {TARGET: "u", GROUP: "g"}),
        ("add 'u' to shadow group 'g'", Action.GROUP_CHANGE, {TARGET: "u", GROUP: "g"}),
        ("add `u' to group `g'", Action.GROUP_CHANGE, {TARGET: "u", GROUP: "g"}),
        ("delete 'u' from group 'g'", Action.GROUP_CHANGE, {TARGET: "u", GROUP: "g"}),
        ("delete user 'u'", Action.ACCOUNT_DELETE, {TARGET: "u"}),
        ("removed group 'g' owned by 'u'", Action.GROUP_CHANGE, {TARGET: "u", GROUP: "g"}),
        ("group 'g' removed from /etc/group", Action.GROUP_CHANGE, {GROUP: "g"}),
        ("change user 'u' UID from '1000' to '0'", Action.ACCOUNT_CHANGE, {TARGET: "u"}),
        ("change user name 'u' to 'v'", Action.ACCOUNT_CHANGE, {TARGET: "u"}),
        ("change 'u' to 'v' in group 'g'", Action.GROUP_CHANGE, {TARGET: "u", GROUP: "g"}),
        ("lock user 'u' password", Action.ACCOUNT_CHANGE, {TARGET: "u"}),
        ("unlock user 'u' password", Action.ACCOUNT_CHANGE, {TARGET: "u"}),
        ("changed user 'u' shell to '/bin/sh'", Action.ACCOUNT_CHANGE, {TARGET: "u"}),
        ("changed password expiry for u", Action.ACCOUNT_CHANGE, {TARGET: "u"}),
        (
            "password for 'u' changed by 'root'",
            Action.ACCOUNT_CHANGE,
            {TARGET: "u", CALLER: "root"},
        ),
        (
            "user u added by root to group g",
            Action.GROUP_CHANGE,
            {TARGET: "u", CALLER: "root", GROUP: "g"},
        ),
        (
            "user u removed by root from group g",
            Action.GROUP_CHANGE,
            {TARGET: "u", CALLER: "root", GROUP: "g"},
        ),
        (
            "members of group g set by root to u,v",
            Action.GROUP_CHANGE,
            {CALLER: "root", GROUP: "g"},
        ),
    ],
)
def test_a_change_names_its_account(text: str, action: Action, names: dict[str, Any]) -> None:
    expected = {"event.action": action, "event.outcome": "success", **names}
    assert account_columns(text, []) == expected
    assert account_columns(f"{text}\n", []) == expected


def test_a_new_account_keeps_its_numbers() -> None:
    found = account_columns("new user: name=u, UID=0, GID=0, home=/root, shell=/bin/sh", [])
    assert found == {
        "event.action": Action.ACCOUNT_CREATE,
        "event.outcome": "success",
        TARGET: "u",
        "trailwarden.tool.fields": '{"UID":"0","GID":"0","home":"/root","shell":"/bin/sh"}',
    }


@pytest.mark.parametrize(
    ("text", "action", "names"),
    [
        ("failed adding user 'u', exit code: 9", Action.ACCOUNT_CREATE, {TARGET: "u"}),
        ("failed to add user u", Action.ACCOUNT_CREATE, {TARGET: "u"}),
        ("failed to remove group g from /etc/group", Action.GROUP_CHANGE, {GROUP: "g"}),
        ("alice failed to add user u to group g", Action.GROUP_CHANGE, {}),
        (
            "x: can't view or modify password information for u",
            Action.ACCOUNT_CHANGE,
            {TARGET: "u"},
        ),
        ("incorrect password for u", Action.ACCOUNT_CHANGE, {TARGET: "u"}),
    ],
)
def test_what_was_tried_in_vain_is_a_failure(
    text: str, action: Action, names: dict[str, Any]
) -> None:
    found = account_columns(text, [])
    assert found == {"event.action": action, "event.outcome": "failure", **names}


@pytest.mark.parametrize("text", ["", "name=", "add '", "pam_start() failed", "'' '' ''"])
def test_what_is_of_no_known_form_is_other(text: str) -> None:
    assert account_columns(text, [])["event.action"] is Action.OTHER
