"""A message is a sentence that is safe to show and reads like one."""

from __future__ import annotations

import pytest

from detectors.message import MAX_VALUE, printable, render, shown
from detectors.sigma.rule import Message


def template(*parts: str) -> Message:
    return Message("", parts[::2], parts[1::2])


def test_placeholders_are_filled() -> None:
    message = template("", "user.name", " ran ", "process.command_line", ".")
    event = {"user.name": "alice", "process.command_line": "id"}
    assert render(message, "t", event) == "alice ran id."


def test_impersonation_names_both() -> None:
    event = {"user.name": "alice", "user.effective.name": "system:admin"}
    assert shown(event, "user.name") == "alice (acting as system:admin)"


def test_what_is_missing_is_said() -> None:
    assert shown({}, "user.name") == "an unauthenticated client"
    assert shown({"source.ip": None}, "source.ip") == "(unknown)"


def test_long_lists_are_cut() -> None:
    assert shown({"x": ["a", "b", "c", "d", "e"]}, "x") == "a, b, c and 2 more"


@pytest.mark.parametrize(
    ("action", "expected"), [("create", "bob created x."), ("nod", "bob did nod x.")]
)
def test_did_and_an_action_read_as_past_tense(action: str, expected: str) -> None:
    message = template("", "user.name", " did ", "event.action", " x.")
    assert render(message, "t", {"user.name": "bob", "event.action": action}) == expected


def test_an_action_elsewhere_stays_as_it_is() -> None:
    message = template("tried to ", "event.action", ".")
    assert render(message, "t", {"event.action": "create"}) == "tried to create."


def test_a_rule_without_a_message_gets_a_sentence() -> None:
    event = {"user.name": "bob", "event.action": "get", "orchestrator.resource.type": "pods"}
    assert render(None, "Odd read", event) == "Odd read: bob, get pods."


@pytest.mark.parametrize("hostile", ["a\x1b[31mb", "a\u202eb", "a\nb", "a\x00b", "a\u200bb"])
def test_what_cannot_be_seen_is_made_visible(hostile: str) -> None:
    assert printable(hostile).isprintable()
    assert printable(hostile) != hostile


def test_long_values_are_cut_with_their_length() -> None:
    assert printable("x" * 5000) == "x" * MAX_VALUE + "…(5000 characters)"


MACHINE: dict[str, object] = {
    "event.dataset": "falco.alerts",
    "event.action": "file-modify",
    "host.name": "node-1",
}


def place(**columns: object) -> str:
    event = MACHINE | {name.replace("__", "."): value for name, value in columns.items()}
    return shown(event, "place")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"user.name": "root"}, "root"),
        ({"user.id": "0"}, "uid 0"),
        ({}, "an unknown user"),
        ({"user.name": "root", "user.audit.name": "ann"}, "root (logged in as ann)"),
        ({"user.name": "ann", "user.audit.name": "ann"}, "ann"),
        ({"user.name": "ann", "user.effective.name": "root"}, "ann (acting as root)"),
        ({"user.name": "ann", "user.effective.name": "ann"}, "ann"),
    ],
)
def test_who_did_it_on_a_machine_is_said_as_well_as_it_is_known(
    columns: dict[str, object], words: str
) -> None:
    assert shown(MACHINE | columns, "user.name") == words


@pytest.mark.parametrize("dataset", ["kubernetes.audit", "eks.authenticator"])
def test_without_a_user_an_api_call_is_that_of_a_client(dataset: str) -> None:
    assert shown({"event.dataset": dataset, "user.id": "0"}, "user.name") == (
        "an unauthenticated client"
    )


def test_a_place_is_the_container_its_pod_its_image_and_the_machine() -> None:
    assert place() == "on node-1"
    assert place(host__name=None) == "on a machine without a name"
    assert place(container__id="0f1e2d3c4b5a6978") == "in container 0f1e2d3c4b5a on node-1"
    assert (
        place(
            container__name="cart",
            container__image__name="cart:9@sha256:0f1e",
            orchestrator__namespace="shop",
            orchestrator__resource__name="cart-0",
        )
        == "in container cart of pod shop/cart-0 on node-1 (cart:9)"
    )
    pod = {"orchestrator__resource__type": "pods", "orchestrator__resource__name": "cart-0"}
    assert place(host__name=None, **pod) == "in pod cart-0"


def test_a_program_and_a_file_are_what_is_known_of_them() -> None:
    event = {"process.name": "vi", "file.path": "/a"}
    assert shown(event, "program") == "vi"
    assert shown(event | {"process.executable": "/bin/vi"}, "program") == "/bin/vi"
    assert shown(event | {"process.command_line": "vi /a"}, "program") == "vi /a"
    assert shown({}, "program") == "an unknown program"
    assert shown(event, "file") == "/a"
    assert shown(event | {"file.target_path": "/b"}, "file") == "/a -> /b"
    assert shown({}, "file") == "(unknown)"
    assert shown(event, "what") == "/a with vi"
    assert shown({"process.command_line": "cat /a"}, "what") == "cat /a"


def test_what_is_worked_out_is_as_safe_as_a_column() -> None:
    assert shown({"process.command_line": "a\x1b[31m\u202e"}, "program").isprintable()
    assert "characters)" in place(container__name="x" * 5000)


def test_a_change_of_a_file_reads_as_past_tense() -> None:
    message = template("", "user.name", " did ", "event.action", " ", "file", " ", "place", ".")
    event = MACHINE | {"user.name": "root", "file.path": "/etc/shadow"}
    assert render(message, "t", event) == "root changed /etc/shadow on node-1."


@pytest.mark.parametrize(
    ("columns", "what"),
    [({"file.path": "/a"}, "/a"), ({"process.command_line": "vi"}, "vi")],
)
def test_a_rule_without_a_message_names_the_file_or_the_program(
    columns: dict[str, object], what: str
) -> None:
    found = render(None, "Odd change", MACHINE | columns)
    assert found == f"Odd change: an unknown user, file-modify {what} on node-1."
