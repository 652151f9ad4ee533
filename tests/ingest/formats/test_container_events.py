"""What the golden records of Docker and containerd do not show."""

from typing import Any

import orjson
import pytest

from ingest.formats import containerd_events, docker_events
from ingest.formats.seen import Action, Around, NotThisFormatError, Seen

NOWHERE = Around()


def docker(kind: str, action: str, attributes: Any = None, **more: Any) -> Seen:
    actor = {"ID": "c1", "Attributes": attributes or {}}
    document = {"Type": kind, "Action": action, "Actor": actor, **more}
    assert docker_events.recognizes(document)
    seen = docker_events.decode(document, NOWHERE)
    assert len(seen) == 1
    return seen[0]


def containerd(topic: str, event: Any, **more: Any) -> Seen:
    document = {"Namespace": "k8s.io", "Topic": topic, "Event": event, **more}
    assert containerd_events.recognizes(document)
    seen = containerd_events.decode(document, NOWHERE)
    assert len(seen) == 1
    return seen[0]


def line(text: str) -> Seen:
    assert containerd_events.recognizes_text(text)
    seen = containerd_events.decode_text(text, NOWHERE)
    assert len(seen) == 1
    return seen[0]


@pytest.mark.parametrize(
    ("kind", "action", "expected"),
    [
        ("container", "start", Action.CONTAINER_START),
        ("container", "stop", Action.OTHER),
        ("container", "kill", Action.OTHER),
        ("container", "destroy", Action.CONTAINER_DELETE),
        ("container", "commit", Action.IMAGE_CHANGE),
        ("container", "attach", Action.OTHER),
        ("image", "delete", Action.IMAGE_CHANGE),
        ("image", "push", Action.OTHER),
        ("network", "create", Action.OTHER),
        ("volume", "create", Action.OTHER),
        ("daemon", "reload", Action.OTHER),
    ],
)
def test_what_docker_did_depends_on_what_it_did_it_to(
    kind: str, action: str, expected: Action
) -> None:
    assert docker(kind, action).fields["event.action"] == expected.value


def test_a_command_may_hold_what_divides_it_from_the_action() -> None:
    seen = docker("container", "exec_create: sh -c echo a: b ")
    assert seen.fields["event.code"] == "exec_create"
    assert seen.fields["process.command_line"] == "sh -c echo a: b"


def test_a_label_with_the_name_of_an_attribute_says_nothing_of_another_event() -> None:
    labels = {"exitCode": "1", "execID": "e1", "signal": "9"}
    seen = docker("container", "start", labels)
    assert seen.fields["event.outcome"] == "success"
    assert "process.exit_code" not in seen.fields
    assert seen.fields["trailwarden.tool.fields"] is None
    assert seen.act is None


def test_an_exec_without_a_command_has_none() -> None:
    assert docker("container", "exec_create").fields["process.command_line"] is None


@pytest.mark.parametrize(
    ("code", "outcome", "number"),
    [("0", "success", 0), ("137", "failure", 137), (3, "failure", 3), ("x", "unknown", None)],
)
def test_an_exit_code_is_the_outcome(code: object, outcome: str, number: int | None) -> None:
    fields = docker("container", "die", {"exitCode": code}).fields
    assert (fields["event.outcome"], fields["process.exit_code"]) == (outcome, number)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"timeNano": 1795255200123456789}, "2026-11-21T10:00:00.123456Z"),
        ({"timeNano": "1795255200123456789", "time": 1}, "2026-11-21T10:00:00.123456Z"),
        ({"time": 1795255200}, "2026-11-21T10:00:00.000000Z"),
        ({"timeNano": 2**64, "time": 1795255200}, "2026-11-21T10:00:00.000000Z"),
        ({}, None),
    ],
)
def test_docker_tells_the_time_in_nanoseconds(
    members: dict[str, Any], expected: str | None
) -> None:
    assert docker("container", "start", **members).fields["@timestamp"] == expected


def test_creation_start_and_end_of_one_exec_are_one_act() -> None:
    one = {"execID": "e1"}
    created = docker("container", "exec_create: sh", one)
    ended = docker("container", "exec_die", {**one, "exitCode": "0"})
    assert created.act == ended.act == ("exec", "c1", "e1")
    assert docker("container", "exec_create: sh", {"execID": "e2"}).act != created.act
    assert docker("container", "start").act is None


def test_labels_that_are_not_the_engines_are_not_kept() -> None:
    seen = docker("container", "kill", {"signal": "9", "com.example.password": "hunter2"})
    assert "hunter2" not in str(seen.fields)
    assert orjson.loads(seen.fields["trailwarden.tool.fields"])["signal"] == "9"


def test_the_daemon_alone_names_its_host() -> None:
    assert docker("daemon", "reload", {"name": "node-1"}).fields["host.name"] == "node-1"
    assert "host.name" not in docker("container", "start", {"name": "web"}).fields


def test_an_image_is_named_where_its_id_is_a_digest() -> None:
    actor = {"ID": "sha256:" + "ab" * 32, "Attributes": {"name": "sha256:" + "ab" * 32}}
    document = {"Type": "image", "Action": "delete", "Actor": actor}
    fields = docker_events.decode(document, NOWHERE)[0].fields
    assert fields["container.image.name"] == "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"Type": "container", "Action": "start"},
        {"Type": "container", "Action": "start", "Actor": "x"},
        {"Type": "MatchedPolicy", "Action": "Block", "Operation": "File", "HostName": "n"},
        {"Name": "x", "Status": "start", "Type": "container", "Attributes": {}},
        {"kind": "Event", "auditID": "1"},
    ],
)
def test_other_documents_are_not_dockers(document: dict[str, Any]) -> None:
    assert not docker_events.recognizes(document)


def test_a_docker_event_of_nothing_is_refused() -> None:
    with pytest.raises(NotThisFormatError):
        docker_events.decode({"Type": None, "Action": "x", "Actor": {}}, NOWHERE)


@pytest.mark.parametrize(
    ("topic", "event", "expected"),
    [
        ("/containers/delete", {"id": "c"}, Action.CONTAINER_DELETE),
        ("/tasks/create", {"container_id": "c", "pid": 3}, Action.OTHER),
        ("/tasks/start", {"container_id": "c", "pid": 3}, Action.CONTAINER_START),
        ("/tasks/exit", {"container_id": "c", "id": "c"}, Action.CONTAINER_STOP),
        ("/tasks/exit", {"container_id": "c"}, Action.CONTAINER_STOP),
        ("/tasks/exit", {"container_id": "c", "id": "e"}, Action.PROCESS_END),
        ("/tasks/delete", {"container_id": "c"}, Action.OTHER),
        ("/tasks/oom", {"container_id": "c"}, Action.OTHER),
        ("/images/create", {"name": "a:1"}, Action.IMAGE_PULL),
        ("/images/create", {"name": "sha256:ab"}, Action.IMAGE_CHANGE),
        ("/images/delete", {"name": "a:1"}, Action.IMAGE_CHANGE),
        ("/snapshot/prepare", {"key": "k", "parent": "p"}, Action.OTHER),
        ("/sandboxes/start", {"sandbox_id": "s"}, Action.OTHER),
    ],
)
def test_what_containerd_did_is_its_topic(
    topic: str, event: dict[str, Any], expected: Action
) -> None:
    assert containerd(topic, event).fields["event.action"] == expected.value


def test_every_stage_of_one_exec_is_one_act() -> None:
    added = containerd("/tasks/exec-added", {"container_id": "c", "exec_id": "e"})
    ended = containerd("/tasks/exit", {"container_id": "c", "id": "e"})
    assert added.act == ended.act == ("exec", "k8s.io", "c", "e")
    assert containerd("/tasks/exit", {"container_id": "c", "id": "c"}).act is None


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-11-21T11:00:00.5+01:00", "2026-11-21T10:00:00.500000Z"),
        ({"seconds": 1795255200, "nanos": 5_000}, "2026-11-21T10:00:00.000005Z"),
        ({"seconds": "1795255200"}, "2026-11-21T10:00:00.000000Z"),
        ({"seconds": 1795255200, "nanos": -1}, "2026-11-21T09:59:59.999999Z"),
        ({"seconds": 2**62}, None),
        ({"nanos": 5}, None),
        (None, None),
    ],
)
def test_an_envelope_tells_the_time_as_text_or_in_parts(time: object, expected: str | None) -> None:
    seen = containerd("/tasks/start", {}, Timestamp=time)
    assert seen.fields["@timestamp"] == expected


def test_line_text_and_object_say_the_same() -> None:
    event = {"container_id": "c", "exec_id": "e", "pid": 7}
    text = orjson.dumps(event).decode()
    time = "2026-11-21T10:00:00.123456789Z"
    forms = (
        line(f"2026-11-21 10:00:00.123456789 +0000 UTC k8s.io /tasks/exec-started {text}\n"),
        containerd("/tasks/exec-started", text, Timestamp=time, ID="c", Status="start"),
        containerd("/tasks/exec-started", event, Timestamp=time),
        *containerd_events.decode(
            {
                "timestamp": time,
                "namespace": "k8s.io",
                "topic": "/tasks/exec-started",
                "event": event,
            },
            NOWHERE,
        ),
    )
    assert all(form.fields == forms[0].fields for form in forms)
    assert forms[0].fields["process.pid"] == 7


@pytest.mark.parametrize("event", ["", None, {}])
def test_an_event_without_members_is_one_all_the_same(event: object) -> None:
    seen = containerd("/namespaces/create", event)
    assert seen.fields["event.outcome"] == "success"
    assert seen.issues == []


@pytest.mark.parametrize("event", ['{"container_id":"x', "[]", "7"])
def test_an_event_that_was_cut_off_says_so_and_nothing_else(event: str) -> None:
    seen = containerd("/tasks/exit", event)
    assert seen.fields["event.action"] == Action.OTHER.value
    assert seen.fields["event.outcome"] == "unknown"
    assert seen.issues == ["wrong-type:Event"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-21 10:00:00 +0000 UTC k8s.io tasks/exit {}",
        "2026-11-21 10:00:00 +0000 UTC k8s.io /tasks/exit",
        "2026-11-21T10:00:00Z node-1 sshd[1]: Accepted publickey for a from 192.0.2.1",
        "Nov 21 10:00:00 node-1 sshd[1]: x /y {}",
        '{"Topic":"/tasks/exit"}',
    ],
)
def test_other_lines_are_not_containerds(text: str) -> None:
    assert not containerd_events.recognizes_text(text)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"Topic": "/tasks/exit"},
        {"Topic": "tasks", "Event": {}, "Namespace": "x"},
        {"Topic": ["/"], "Event": {}, "Namespace": "x"},
        {"topic": "/a", "message": "m"},
        {"kind": "Event", "auditID": "1"},
    ],
)
def test_other_documents_are_not_containerds(document: dict[str, Any]) -> None:
    assert not containerd_events.recognizes(document)


def test_what_is_no_line_is_refused() -> None:
    with pytest.raises(NotThisFormatError):
        containerd_events.decode_text("2026-11-21 10:00:00", NOWHERE)
