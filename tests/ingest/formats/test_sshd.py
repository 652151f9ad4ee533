"""sshd's messages give who, from where, how and why, whatever a client called itself."""

from typing import Any

import pytest

from ingest.formats.seen import Action
from ingest.formats.sshd import sshd_columns

PEER = {"source.ip": "192.0.2.1", "source.port": 5}


def columns(text: str) -> tuple[dict[str, Any], list[str]]:
    issues: list[str] = []
    fields = sshd_columns(text, issues)
    assert fields.pop("trailwarden.session.service") == "sshd"
    return {name.removeprefix("trailwarden.session."): fields[name] for name in fields}, issues


def act(action: Action, outcome: str, **more: Any) -> dict[str, Any]:
    return {"event.action": action, "event.outcome": outcome, **more}


def refused(reason: str, name: str | None, peer: dict[str, Any] | None = None) -> dict[str, Any]:
    named = {} if name is None else {"user.name": name}
    return act(Action.AUTHENTICATE, "failure", reason=reason, **named, **(peer or {}))


@pytest.mark.parametrize(
    ("verb", "action", "outcome"),
    [
        ("Accepted", Action.LOGIN, "success"),
        ("Failed", Action.LOGIN, "failure"),
        ("Partial", Action.AUTHENTICATE, "success"),
        ("Postponed", Action.AUTHENTICATE, "unknown"),
    ],
)
@pytest.mark.parametrize(
    "method",
    ["password", "keyboard-interactive/pam", "gssapi-with-mic", "none", "hostbased", "publickey"],
)
def test_an_attempt_says_method_name_and_peer(
    verb: str, action: Action, outcome: str, method: str
) -> None:
    expected = act(action, outcome, method=method, **{"user.name": "alice"}, **PEER)
    text = f"{verb} {method} for alice from 192.0.2.1 port 5 ssh2"
    assert columns(text) == (expected, [])
    assert columns(f"{text} [preauth]") == (expected, [])


@pytest.mark.parametrize(
    ("method", "shown", "key"),
    [
        ("publickey", "RSA SHA256:abc", "SHA256:abc"),
        ("publickey", "RSA 00:11:22:33", "00:11:22:33"),
        ("publickey", "RSA-CERT SHA256:abc ID x (serial 1) CA RSA SHA256:def", "SHA256:abc"),
        ("hostbased", 'RSA SHA256:abc, client user "a", client host "h"', "SHA256:abc"),
        ("gssapi-with-mic", "alice@EXAMPLE.COM", None),
        ("publickey", "nothing", None),
    ],
)
def test_a_key_is_its_fingerprint(method: str, shown: str, key: str | None) -> None:
    found, issues = columns(f"Accepted {method} for alice from 192.0.2.1 port 5 ssh2: {shown}")
    assert (found.get("key"), found["source.ip"], issues) == (key, "192.0.2.1", [])


@pytest.mark.parametrize(
    "name",
    [
        "x",
        "x y",
        "from",
        " from ",
        "x from 203.0.113.9 port 22 ssh2",
        "x from 203.0.113.9 port 22 ssh2: RSA SHA256:abc",
        "invalid user y",
        "\u202ex\x1b",
    ],
)
@pytest.mark.parametrize("method", ["password", "publickey"])
def test_a_stranger_cannot_choose_the_peer(name: str, method: str) -> None:
    text = f"Failed {method} for invalid user {name} from 192.0.2.1 port 5 ssh2"
    found, issues = columns(text)
    assert found == act(
        Action.LOGIN, "failure", method=method, reason="invalid user", **{"user.name": name}, **PEER
    )
    assert issues == []
    assert columns(f"Invalid user {name} from 192.0.2.1 port 5")[0] == refused(
        "invalid user", name, PEER
    )


def test_an_account_s_name_comes_before_the_first_peer_whatever_its_key_says() -> None:
    found, issues = columns(
        "Failed publickey for alice from 192.0.2.1 port 5 ssh2: RSA-CERT SHA256:abc ID k from "
        "203.0.113.9 port 22 ssh2: RSA SHA256:no (serial 0) CA RSA SHA256:def"
    )
    assert (found["user.name"], found["source.ip"], found["key"]) == (
        "alice",
        "192.0.2.1",
        "SHA256:abc",
    )
    assert issues == []


def test_two_readings_of_a_line_are_named() -> None:
    found, issues = columns(
        "Failed publickey for invalid user x from 203.0.113.9 port 22 ssh2: RSA SHA256:no from "
        "192.0.2.1 port 5 ssh2: RSA SHA256:abc"
    )
    assert (found["source.ip"], found["key"], issues) == (
        "192.0.2.1",
        "SHA256:abc",
        ["ambiguous:source.ip"],
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Invalid user  from 192.0.2.1 port 5", refused("invalid user", None, PEER)),
        (
            "Invalid user x from 192.0.2.1",
            refused("invalid user", "x", {"source.ip": "192.0.2.1"}),
        ),
        (
            "User x from h.example.com not allowed because a group is listed in DenyGroups",
            refused("a group is listed in DenyGroups", "x", {"source.domain": "h.example.com"}),
        ),
        (
            "User x not allowed because account is locked",
            refused("account is locked", "x"),
        ),
        (
            "ROOT LOGIN REFUSED FROM 192.0.2.1 port 5 [preauth]",
            refused("ROOT LOGIN REFUSED", "root", PEER),
        ),
        (
            (
                "error: maximum authentication attempts exceeded for invalid user x from 192.0.2.1 "
                "port 5 ssh2 [preauth]"
            ),
            refused("maximum authentication attempts exceeded", "x", PEER),
        ),
        (
            "error: PAM: Authentication failure for illegal user x from h.example.com",
            refused("Authentication failure", "x", {"source.domain": "h.example.com"}),
        ),
        (
            "fatal: Access denied for user x by PAM account configuration [preauth]",
            refused("PAM account configuration", "x"),
        ),
        (
            "Connection closed by invalid user a b 192.0.2.1 port 5 [preauth]",
            refused("Connection closed by invalid user", "a b", PEER),
        ),
        (
            "Connection reset by authenticating user x 192.0.2.1 port 5 [preauth]",
            refused("Connection reset by authenticating user", "x", PEER),
        ),
        (
            "Disconnected from authenticating user x 192.0.2.1 port 5 [preauth]",
            refused("Disconnected from authenticating user", "x", PEER),
        ),
        (
            (
                "Disconnecting authenticating user x 192.0.2.1 port 5: Too many authentication "
                "failures [preauth]"
            ),
            refused("Too many authentication failures", "x", PEER),
        ),
        (
            "Disconnected from user x 192.0.2.1 port 5",
            act(Action.LOGOUT, "success", **{"user.name": "x"}, **PEER),
        ),
        (
            "Connection closed by 192.0.2.1 port 5 [preauth]",
            act(Action.OTHER, "unknown", reason="Connection closed by", **PEER),
        ),
        (
            "Received disconnect from 192.0.2.1 port 5:11: Bye Bye [preauth]",
            act(Action.OTHER, "unknown", reason="Bye Bye", **PEER),
        ),
        (
            "Received disconnect from 192.0.2.1: 11: Bye Bye",
            act(Action.OTHER, "unknown", reason="11: Bye Bye", **{"source.ip": "192.0.2.1"}),
        ),
        (
            'Connection from 192.0.2.1 port 5 on 2001:db8::1 port 22 rdomain ""',
            act(
                Action.NETWORK_ACCEPT,
                "success",
                **PEER,
                **{"destination.ip": "2001:db8::1", "destination.port": 22},
            ),
        ),
        (
            "Connection from 192.0.2.1 port 5 timed out",
            act(Action.OTHER, "failure", reason="timed out", **PEER),
        ),
        (
            "Starting session: shell on pts/3 for alice from 192.0.2.1 port 5 id 0",
            act(
                Action.SESSION_START, "success", terminal="pts/3", **{"user.name": "alice"}, **PEER
            ),
        ),
        (
            "Close session: user alice from 192.0.2.1 port 5 id 0",
            act(Action.SESSION_END, "success", **{"user.name": "alice"}, **PEER),
        ),
        (
            "Server listening on :: port 22.",
            act(Action.NETWORK_LISTEN, "success", **{"source.ip": "::", "source.port": 22}),
        ),
        (
            "error: Did not receive identification string from 192.0.2.1 port 5",
            act(Action.OTHER, "failure", reason="Did not receive identification string", **PEER),
        ),
        (
            "banner exchange: Connection from 192.0.2.1 port 5: invalid format",
            act(Action.OTHER, "failure", reason="banner exchange", **PEER),
        ),
        (
            "Unable to negotiate with 192.0.2.1 port 5: no matching cipher found. Their offer: x",
            act(Action.OTHER, "failure", reason="Unable to negotiate", **PEER),
        ),
        (
            "Bad protocol version identification 'x from 203.0.113.9 port 1' from 192.0.2.1 port 5",
            act(
                Action.OTHER,
                "failure",
                reason="Bad protocol version identification 'x from 203.0.113.9 port 1'",
                **PEER,
            ),
        ),
        (
            "Timeout before authentication for connection from 192.0.2.1 to 192.0.2.2, pid = 7",
            act(
                Action.OTHER,
                "failure",
                reason="Timeout before authentication",
                **{"source.ip": "192.0.2.1"},
            ),
        ),
        (
            "drop connection #10 from [192.0.2.1]:5 on [192.0.2.2]:22 past MaxStartups",
            act(Action.OTHER, "failure", reason="past MaxStartups", **PEER),
        ),
    ],
)
def test_every_other_message_of_a_connection_says_what_came_of_it(
    text: str, expected: dict[str, Any]
) -> None:
    assert columns(text) == (expected, [])


def test_what_pam_counted_is_kept() -> None:
    found, _ = columns(
        "PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= "
        "rhost=192.0.2.1  user=root"
    )
    assert found["trailwarden.tool.fields"] == '{"repeated":2}'
    assert (found["event.action"], found["user.name"]) == (Action.AUTHENTICATE, "root")


def test_names_that_are_repeated_at_the_end_of_a_line_hold_no_peer() -> None:
    found, issues = columns(
        "Disconnecting invalid user a 192.0.2.1 port 5: Change of username or service not allowed:"
        " (a,ssh-connection) -> (x 203.0.113.9 port 22,ssh-connection) [preauth]"
    )
    assert (found["user.name"], found["source.ip"], found["source.port"]) == ("a", "192.0.2.1", 5)
    assert found["reason"].startswith("Change of username")
    assert issues == ["ambiguous:source.ip"]


@pytest.mark.parametrize("who", ["root", "invalid user root"])
def test_too_many_failures_were_told_without_a_peer(who: str) -> None:
    found, _ = columns(f"Disconnecting: Too many authentication failures for {who} [preauth]")
    assert (found["event.action"], found["event.outcome"]) == (Action.AUTHENTICATE, "failure")
    assert found["user.name"] == "root"


def test_an_end_with_two_ports_is_ambiguous() -> None:
    found, issues = columns(
        "Connection closed by invalid user x 203.0.113.9 port 1 192.0.2.1 port 5 [preauth]"
    )
    assert (found["source.ip"], issues) == ("192.0.2.1", ["ambiguous:source.ip"])


@pytest.mark.parametrize(
    "text",
    [
        "Accepted password for",
        "Accepted password",
        "Accepted key RSA SHA256:abc found at /home/x/.ssh/authorized_keys:1",
        "Failed to release session: Interrupted system call",
        "User child is on pid 12",
        "Server: something",
        "Received signal 15; terminating.",
        "PAM adding faulty module: x",
        "Did something",
        "Bad packet length 1.",
        "drop everything",
        "Starting up",
        "maximum of something",
        "Access granted",
        "PAM: nothing",
        "subsystem request for sftp by user alice",
    ],
)
def test_what_is_of_no_known_form_is_other(text: str) -> None:
    assert columns(text)[0] == act(Action.OTHER, "unknown")


def test_an_attempt_without_a_peer_keeps_its_verdict_and_is_named() -> None:
    found, issues = columns("Failed password for alice")
    assert (found["event.action"], issues) == (Action.LOGIN, ["unexpected-text:sshd"])


def test_a_huge_name_of_forged_peers_costs_no_more_than_its_length() -> None:
    name = "x from 203.0.113.9 port 22 ssh2: " * 30_000
    found, issues = columns(
        f"Failed publickey for invalid user {name} from 192.0.2.1 port 5 ssh2: RSA SHA256:a"
    )
    assert (found["source.ip"], issues) == ("192.0.2.1", ["ambiguous:source.ip"])
