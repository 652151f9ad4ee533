"""PAM's messages give a session's people or a verdict."""

from typing import Any

import pytest

from ingest.formats.pam import is_pam, pam_columns, password_check_columns
from ingest.formats.seen import Action


def columns(text: str) -> dict[str, Any]:
    assert is_pam(text)
    fields = pam_columns(text, [])
    return {name.removeprefix("trailwarden.session."): fields[name] for name in fields}


def test_a_session_of_a_login_is_that_of_who_logged_in() -> None:
    assert columns(
        "pam_unix(sshd:session): session opened for user al ice(uid=1000) by (uid=0)"
    ) == {
        "event.action": Action.SESSION_START,
        "event.outcome": "success",
        "user.name": "al ice",
        "user.id": "1000",
        "service": "sshd",
    }


def test_login_s_own_name_is_nobody_s() -> None:
    found = columns("pam_unix(login:session): session opened for user root(uid=0) by LOGIN(uid=0)")
    assert (found["user.name"], found["user.id"]) == ("root", "0")


@pytest.mark.parametrize("service", ["su", "su-l", "sudo", "sudo-i", "runuser-l", "polkit-1"])
def test_a_session_for_another_is_that_of_the_caller(service: str) -> None:
    text = f"pam_unix({service}:session): session opened for user root(uid=0) by alice(uid=0)"
    assert columns(text) == {
        "event.action": Action.SESSION_START,
        "event.outcome": "success",
        "user.name": "alice",
        "user.effective.name": "root",
        "user.effective.id": "0",
        "user.target.name": "root",
        "service": service,
    }


def test_a_nameless_caller_has_a_number() -> None:
    found = columns("pam_unix(su:session): session opened for user db(uid=26) by (uid=1000)")
    assert (found.get("user.name"), found["user.id"]) == (None, "1000")


def test_sessions_of_old_pam_have_no_numbers() -> None:
    found = columns("pam_unix(sshd:session): session opened for user alice by (uid=0)")
    assert (found["user.name"], found.get("user.id")) == ("alice", None)


@pytest.mark.parametrize(
    ("service", "column"), [("sshd", "user.name"), ("sudo", "user.effective.name")]
)
def test_a_session_s_end_names_whose_it_was(service: str, column: str) -> None:
    found = columns(f"pam_unix({service}:session): session closed for user root")
    assert (found["event.action"], found[column]) == (Action.SESSION_END, "root")
    assert ("user.name" in found) == (service == "sshd")


def test_a_number_that_is_none_is_left_out() -> None:
    found = columns(
        "pam_unix(sshd:session): session opened for user x(uid=getpwnam error) by (uid=0)"
    )
    assert (found["user.name"], found.get("user.id")) == ("x", None)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (
            "logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=root",
            {"user.name": "root", "source.ip": "192.0.2.1"},
        ),
        (
            "logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=root",
            {
                "user.name": "alice",
                "user.effective.name": "root",
                "user.target.name": "root",
                "terminal": "pts/0",
            },
        ),
        (
            "logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice",
            {"user.name": "alice", "terminal": "pts/0"},
        ),
        ("logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1 ", {"source.ip": "192.0.2.1"}),
        (
            "logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=x rhost=203.0.113.9",
            {"user.name": "x rhost=203.0.113.9", "source.ip": "192.0.2.1"},
        ),
        ("", {}),
        ("= == rhost", {}),
    ],
)
def test_a_failure_says_who_and_from_where(members: str, expected: dict[str, Any]) -> None:
    assert columns(f"pam_unix(x:auth): authentication failure; {members}") == {
        "event.action": Action.AUTHENTICATE,
        "event.outcome": "failure",
        "reason": "authentication failure",
        "service": "x",
        **expected,
    }


@pytest.mark.parametrize(("count", "words"), [("1", "failure"), ("4", "failures")])
def test_failures_that_were_counted_are_numbered(count: str, words: str) -> None:
    found = columns(f"pam_unix(x:auth): {count} more authentication {words}; rhost=192.0.2.1")
    assert found["trailwarden.tool.fields"] == f'{{"repeated":{count}}}'
    assert found["event.outcome"] == "failure"


def test_a_success_has_no_reason() -> None:
    found = columns(
        "pam_sss(sshd:auth): authentication success; logname= uid=0 euid=0 tty=ssh ruser= "
        "rhost=192.0.2.1 user=alice"
    )
    assert (found["event.outcome"], found["user.name"]) == ("success", "alice")
    assert "reason" not in found


@pytest.mark.parametrize(
    ("text", "name", "reason"),
    [
        (
            "pam_sss(sshd:auth): received for user alice: 7 (Authentication failure)",
            "alice",
            "7 (Authentication failure)",
        ),
        (
            (
                "pam_faillock(sshd:auth): Consecutive login failures for user alice account "
                "temporarily locked"
            ),
            "alice",
            "Consecutive login failures for user account temporarily locked",
        ),
        (
            "pam_unix(sshd:account): account alice has expired (account expired)",
            "alice",
            "account has expired (account expired)",
        ),
        (
            "pam_tally2(sshd:auth): user alice (1000) tally 5, deny 3",
            "alice",
            "user tally 5, deny 3",
        ),
        (
            'pam_succeed_if(sshd:auth): requirement "uid >= 1000" not met by user "root"',
            "root",
            'requirement "uid >= 1000" not met',
        ),
        ("pam_unix(sshd:auth): check pass; user unknown", None, "user unknown"),
        (
            "pam_unix(sshd:auth): check pass; user (x y) unknown",
            "x y",
            "check pass; user () unknown",
        ),
        ("pam_unix(sshd:auth): bad username [x]", "x", "bad username"),
        (
            "pam_sss(sshd:account): Access denied for user alice: 6 (Permission denied)",
            "alice",
            "Access denied for user : 6 (Permission denied)",
        ),
    ],
)
def test_a_refusal_names_whom_it_refuses(text: str, name: str | None, reason: str) -> None:
    found = columns(text)
    assert (found["event.action"], found["event.outcome"]) == (Action.AUTHENTICATE, "failure")
    assert (found.get("user.name"), found["reason"]) == (name, reason)


def test_pam_access_names_the_peer() -> None:
    found = columns("pam_access(sshd:account): access denied for user `bob' from `192.0.2.1'")
    assert (found["user.name"], found["source.ip"], found["reason"]) == (
        "bob",
        "192.0.2.1",
        "access denied",
    )


def test_a_changed_password_is_the_account_s_change() -> None:
    found = columns("pam_unix(passwd:chauthtok): password changed for alice")
    assert (found["event.action"], found["user.target.name"]) == (Action.ACCOUNT_CHANGE, "alice")


@pytest.mark.parametrize(
    "text",
    [
        "pam_unix(sshd:auth): something new",
        "pam_systemd(sshd:session): Failed to release session",
        "pam_env(su:session): deprecated reading of user environment enabled",
    ],
)
def test_what_is_of_no_known_form_is_other(text: str) -> None:
    assert columns(text)["event.action"] is Action.OTHER


@pytest.mark.parametrize(
    ("service", "column"),
    [("sshd", "user.name"), ("sudo", "user.name"), ("su", "user.effective.name")],
)
def test_who_could_not_be_asked_is_who_was_to_prove_themselves(service: str, column: str) -> None:
    found = columns(f"pam_unix({service}:auth): auth could not identify password for [root]")
    assert found[column] == "root"
    assert (found["event.action"], found["event.outcome"]) == (Action.AUTHENTICATE, "failure")


@pytest.mark.parametrize(("terminal", "issues"), [("ftp", ["ambiguous:source.ip"]), ("ssh", [])])
def test_a_name_that_was_typed_before_the_peer_leaves_two_readings(
    terminal: str, issues: list[str]
) -> None:
    found: list[str] = []
    fields = pam_columns(
        f"pam_unix(x:auth): authentication failure; logname= uid=0 euid=0 tty={terminal} "
        "ruser=x rhost=203.0.113.9 rhost=192.0.2.1",
        found,
    )
    assert found == issues
    assert "user.effective.name" not in fields


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("password check failed for user (alice)", "alice"),
        ("password check failed for user (a) (b)", "a) (b"),
        ("password check failed for user (", None),
        ("check pass; user unknown", None),
        ("", None),
    ],
)
def test_pam_s_helper_refuses(text: str, name: str | None) -> None:
    found = password_check_columns(text, [])
    assert found.get("user.name") == name
    assert found["event.outcome"] == ("unknown" if name is None else "failure")


@pytest.mark.parametrize("text", ["pam_unix: x", "xpam_unix(a:b): c", "(pam_unix) x", ""])
def test_what_has_no_module_is_not_pam_s(text: str) -> None:
    assert not is_pam(text)
