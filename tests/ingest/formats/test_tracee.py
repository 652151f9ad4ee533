from __future__ import annotations

from typing import Any

import orjson
import pytest

from ingest.formats.seen import Action, Around, Dataset, NotThisFormatError
from ingest.formats.tracee import decode, recognizes

NS = 1795257600123456789
TIME = "2026-11-21T10:40:00.123456Z"


def old(name: str = "openat", args: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    return {
        "timestamp": NS,
        "processId": 2,
        "hostProcessId": 12,
        "processName": "sh",
        "userId": 0,
        "hostName": "node-1",
        "eventName": name,
        "returnValue": 0,
        "syscall": "openat",
        "args": [{"name": key, "type": "t", "value": value} for key, value in (args or {}).items()],
        **members,
    }


def new(name: str = "openat", args: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    return {
        "timestamp": "2026-11-21T10:40:00.123456789Z",
        "id": 1,
        "name": name,
        "workload": {"process": {"host_pid": 12, "thread": {"name": "sh", "syscall": "openat"}}},
        "data": [{"name": key, "value": value} for key, value in (args or {}).items()],
        **members,
    }


def fields(document: dict[str, Any]) -> dict[str, Any]:
    (one,) = decode(document, Around())
    return {name: value for name, value in one.fields.items() if value is not None}


def test_it_recognizes_both_generations_and_nothing_else() -> None:
    assert recognizes(old())
    assert recognizes(new())
    assert recognizes({"timestamp": {"seconds": 1}, "id": 1, "name": "n", "data": []})
    for other in (
        {"kind": "Event", "auditID": "a", "verb": "get"},
        {"eventVersion": "1.08", "eventName": "GetObject", "eventSource": "s3.example.com"},
        {"name": "pack", "unixTime": 1, "columns": {}, "hostIdentifier": "h"},
        {"rule": "r", "priority": "Notice", "output": "o"},
        {"process_exec": {}, "node_name": "n", "time": "t"},
        {"timestamp": "t", "name": "n"},
        {},
    ):
        assert not recognizes(other)


@pytest.mark.parametrize("make", [old, new])
@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("execve", Action.PROCESS_START),
        ("sched_process_exit", Action.PROCESS_END),
        ("security_inode_symlink", Action.FILE_LINK),
        ("security_inode_rename", Action.FILE_RENAME),
        ("vfs_write", Action.FILE_MODIFY),
        ("chmod_common", Action.FILE_ATTRIBUTES),
        ("security_socket_bind", Action.NETWORK_LISTEN),
        ("socket_accept", Action.NETWORK_ACCEPT),
        ("net_packet_dns", Action.NAME_LOOKUP),
        ("module_load", Action.MODULE_LOAD),
        ("security_bpf_prog", Action.BPF_LOAD),
        ("security_sb_mount", Action.MOUNT),
        ("commit_creds", Action.CREDENTIALS_CHANGE),
        ("switch_task_ns", Action.NAMESPACE_CHANGE),
        ("cap_capable", Action.CAPABILITY_USE),
        ("container_create", Action.CONTAINER_CREATE),
        ("hidden_kernel_module", Action.ALERT),
        ("security_kernel_read_file", Action.OTHER),
        ("tracee_info", Action.OTHER),
        ("openat", Action.FILE_OPEN),
    ],
)
def test_the_name_says_what_was_done(make: Any, name: str, action: Action) -> None:
    assert fields(make(name))["event.action"] is action
    assert fields(make(name))["event.code"] == name


def test_a_system_call_of_no_other_kind_is_one() -> None:
    assert fields(old("getpid", syscall="getpid"))["event.action"] is Action.SYSCALL


@pytest.mark.parametrize("kind", ["kernel-module", 2])
def test_a_file_that_the_kernel_reads_as_a_module_loads_one(kind: object) -> None:
    found = fields(old("security_kernel_read_file", {"pathname": "/m.ko", "type": kind}))
    assert (found["event.action"], found["file.path"]) == (Action.MODULE_LOAD, "/m.ko")


@pytest.mark.parametrize(
    ("flags", "action"),
    [
        (0, Action.FILE_OPEN),
        (0o1, Action.FILE_MODIFY),
        ("2", Action.FILE_MODIFY),
        (0o1000, Action.FILE_MODIFY),
        ("O_WRONLY|O_CREAT", Action.FILE_MODIFY),
        ("O_RDONLY", Action.FILE_OPEN),
        (None, Action.FILE_OPEN),
        (True, Action.FILE_OPEN),
        ([1], Action.FILE_OPEN),
    ],
)
def test_flags_are_numbers_or_names(flags: object, action: Action) -> None:
    assert fields(old("security_file_open", {"flags": flags}))["event.action"] is action


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (NS, TIME),
        (str(NS), TIME),
        ({"seconds": "1795257600", "nanos": 123456789}, TIME),
        ({"seconds": 1795257600}, "2026-11-21T10:40:00.000000Z"),
        ("2026-11-21T10:40:00.123456789Z", TIME),
        ("2026-11-21T11:40:00+01:00", "2026-11-21T10:40:00.000000Z"),
        ({}, None),
        ([1], None),
        (None, None),
        (2**70, None),
        (-1, None),
    ],
)
def test_times_of_every_form(value: object, expected: str | None) -> None:
    assert fields({**old(), "timestamp": value}).get("@timestamp") == expected
    assert fields({**new(), "timestamp": value}).get("@timestamp") == expected


@pytest.mark.parametrize(
    "data",
    [
        {"name": "pathname", "value": "/a"},
        {"name": "pathname", "str": "/a"},
        {"name": "pathname", "Value": {"Str": "/a"}},
    ],
)
def test_values_are_unwrapped_however_they_are_written(data: dict[str, Any]) -> None:
    assert fields({**new("security_inode_unlink"), "data": [data]})["file.path"] == "/a"


@pytest.mark.parametrize(
    "argv",
    [
        {"value": ["ls", "-l"]},
        {"str_array": {"value": ["ls", "-l"]}},
        {"strArray": {"value": ["ls", "-l"]}},
    ],
)
def test_lists_are_unwrapped_too(argv: dict[str, Any]) -> None:
    data = [{"name": "pathname", "value": "/bin/ls"}, {"name": "argv", **argv}]
    assert fields({**new("execve"), "data": data})["process.args"] == ["ls", "-l"]


def test_protobufs_own_spelling_is_read() -> None:
    process = {
        "hostPid": 12,
        "uniqueId": 7,
        "realUser": {"id": 1000},
        "ancestors": [{"hostPid": 1, "uniqueId": 6}],
    }
    threat = {"name": "T", "severity": "CRITICAL"}
    origin = {"name": "ptrace", "data": [{"name": "pid", "int32": 5}]}
    found = fields(
        {
            **new("detected", workload={"process": process}),
            "threat": threat,
            "detectedFrom": origin,
        }
    )
    assert (found["process.pid"], found["process.entity_id"], found["user.id"]) == (12, "7", "1000")
    assert (found["process.parent.pid"], found["process.parent.entity_id"]) == (1, "6")
    assert found["trailwarden.tool.severity"] == "CRITICAL"
    assert found["event.action"] is Action.PTRACE


@pytest.mark.parametrize(
    ("name", "code", "outcome"),
    [
        ("openat", 3, "success"),
        ("openat", -2, "failure"),
        ("openat", None, "unknown"),
        ("security_file_open", 0, "unknown"),
        ("security_file_open", -13, "failure"),
        ("sched_process_exec", 0, "success"),
        ("process_execute_failed", 0, "failure"),
        ("net_packet_dns", 0, "unknown"),
    ],
)
def test_the_return_value_counts_where_it_is_one(name: str, code: int | None, outcome: str) -> None:
    assert fields({**old(name), "returnValue": code})["event.outcome"] == outcome
    args = {} if code is None else {"returnValue": str(code)}
    assert fields(new(name, args))["event.outcome"] == outcome


def test_a_detection_of_nothing_that_is_listed_is_an_alert() -> None:
    properties = {"signatureName": "S", "Severity": 3}
    detection = old("S", metadata={"Description": "d", "Properties": properties})
    assert fields(detection)["event.action"] is Action.ALERT
    assert fields(detection)["trailwarden.tool.severity"] == "HIGH"
    assert fields({**new("s"), "threat": {"description": "d"}})["trailwarden.tool.rule"] == "s"
    assert fields({**new("s"), "threat": {"description": "d"}})["event.action"] is Action.ALERT


def test_until_a_program_runs_its_process_has_another_name() -> None:
    found = fields(old("security_bprm_check", {"pathname": "/bin/ls", "argv": ["ls"]}))
    assert found["process.executable"] == "/bin/ls"
    assert "process.name" not in found
    assert orjson.loads(found["trailwarden.tool.fields"]) == {"processName": "sh"}


@pytest.mark.parametrize("name", ["env", "envp"])
@pytest.mark.parametrize("make", [old, new])
def test_environments_are_kept_nowhere(make: Any, name: str) -> None:
    found = fields(make("execve", {"pathname": "/bin/ls", name: ["PASSWORD=hunter2"]}))
    assert "hunter2" not in str(found)


def test_a_hosts_name_within_a_container_is_not_the_nodes() -> None:
    assert fields(old())["host.name"] == "node-1"
    assert "host.name" not in fields(old(containerId="abc"))
    assert fields(old(container={"id": "containerd://abc"}))["container.id"] == "abc"


def test_the_oldest_records_name_the_pod_beside_the_event() -> None:
    found = fields(
        old(podName="p", podNamespace="ns", podUID="u", containerImage="i", containerName="c")
    )
    assert (found["orchestrator.resource.name"], found["orchestrator.namespace"]) == ("p", "ns")
    assert (found["container.image.name"], found["container.name"]) == ("i", "c")


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("renameat2", {"oldpath": "/o", "newpath": "/n"}, ("/o", "/n")),
        ("security_inode_rename", {"old_path": "/o", "new_path": "/n"}, ("/o", "/n")),
        ("symlinkat", {"target": "/t", "linkpath": "/l"}, ("/l", "/t")),
        ("link", {"oldpath": "/o", "newpath": "/n"}, ("/n", "/o")),
        ("file_modification", {"file_path": "/f"}, ("/f", None)),
        ("security_inode_mknod", {"file_name": "/f"}, ("/f", None)),
        ("security_sb_mount", {"dev_name": "/dev/sda", "path": "/mnt"}, ("/mnt", None)),
    ],
)
def test_paths_have_the_names_of_their_events(
    name: str, args: dict[str, Any], expected: tuple[str, str | None]
) -> None:
    found = fields(old(name, args))
    assert (found["file.path"], found.get("file.target_path")) == expected


@pytest.mark.parametrize(("mode", "expected"), [(33261, "0755"), ("04755", "4755"), ("x", None)])
def test_modes_become_octal(mode: object, expected: str | None) -> None:
    assert (
        fields(old("chmod_common", {"pathname": "/a", "mode": mode})).get("file.mode") == expected
    )


@pytest.mark.parametrize(
    ("name", "args", "ends"),
    [
        (
            "security_socket_connect",
            {"remote_addr": {"sa_family": 10, "sin6_addr": "2001:db8::1", "sin6_port": 443}},
            (None, None, "2001:db8::1", 443),
        ),
        (
            "socket_accept",
            {
                "local_addr": {"sin_addr": "192.0.2.1", "sin_port": "22"},
                "remote_addr": {"sin_addr": "192.0.2.9", "sin_port": "4000"},
            },
            ("192.0.2.9", 4000, "192.0.2.1", 22),
        ),
        (
            "security_socket_bind",
            {"local_addr": {"sin_addr": "0.0.0.0", "sin_port": "80"}},  # noqa: S104
            (None, None, "0.0.0.0", 80),  # noqa: S104
        ),
        (
            "net_tcp_connect",
            {"dst": "192.0.2.2", "dst_port": 443, "dst_dns": ["example.com"]},
            (None, None, "192.0.2.2", 443),
        ),
        ("connect", {"addr": "0x7ffd"}, (None, None, None, None)),
    ],
)
def test_the_client_is_the_source(
    name: str, args: dict[str, Any], ends: tuple[str | None, int | None, str | None, int | None]
) -> None:
    found = fields(old(name, args))
    names = ("source.ip", "source.port", "destination.ip", "destination.port")
    assert tuple(found.get(column) for column in names) == ends


def test_a_unix_socket_is_a_file() -> None:
    found = fields(old("connect", {"addr": {"sa_family": "AF_UNIX", "sun_path": "/run/d.sock"}}))
    assert (found["file.path"], found["network.transport"]) == ("/run/d.sock", "unix")


@pytest.mark.parametrize(
    "args",
    [
        {"dns_questions": {"questions": [{"query": "example.com", "query_type": "A"}]}},
        {"dns_response": [{"query_data": {"query": "example.com"}, "dns_answer": []}]},
        {"dns_responses": {"responses": [{"dns_query_data": {"query": "example.com"}}]}},
        {"dns_responses": {"responses": [{"dnsQueryData": {"query": "example.com"}}]}},
        {"proto_dns": {"questions": [{"name": "example.com", "type": "A"}], "answers": []}},
    ],
)
def test_the_name_that_was_asked_for(args: dict[str, Any]) -> None:
    assert fields(old("net_packet_dns_response", args))["destination.domain"] == "example.com"


@pytest.mark.parametrize(
    "credentials", [{"Uid": 1000, "Euid": 0}, {"uid": {"value": 1000}, "euid": {"value": 0}}]
)
def test_who_a_process_becomes(credentials: dict[str, Any]) -> None:
    assert fields(old("commit_creds", {"new_cred": credentials}))["user.effective.id"] == "0"


def test_the_order_of_properties_makes_no_other_event() -> None:
    one = {**new(), "threat": {"name": "t", "properties": {"a": "1", "b": "2"}}}
    other = {**new(), "threat": {"properties": {"b": "2", "a": "1"}, "name": "t"}}
    first, second = (decode(document, Around())[0].identity for document in (one, other))
    assert first == second
    assert first is not None
    assert decode(new(), Around())[0].identity != first


def test_no_value_of_any_member_raises() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    odd: tuple[Any, ...] = (
        None,
        1,
        1.5,
        True,
        "",
        "x",
        [],
        ["x", None, 1],
        {},
        {"a": 1},
        deep,
        "n" * 1_000_000,
    )
    for value in odd:
        for whole in (old(), new(), {**new(), "threat": {"name": "t"}, "detected_from": {}}):
            for member in whole:
                try:
                    found = decode({**whole, member: value}, Around())
                except NotThisFormatError:
                    continue
                assert found[0].fields["event.dataset"] is Dataset.TRACEE
        for key in ("process", "container", "k8s", "pod"):
            assert decode(new(workload={key: value}), Around())
        for key in (
            "pathname",
            "argv",
            "flags",
            "remote_addr",
            "metadata",
            "dns_questions",
            "mode",
        ):
            for name in ("execve", "openat", "connect", "net_packet_dns", "chmod_common"):
                assert decode(old(name, {key: value}), Around())
                assert decode(new(name, {key: value}), Around())
    with pytest.raises(NotThisFormatError):
        decode({**old(), "eventName": ""}, Around())


@pytest.mark.parametrize("make", [old, new])
def test_a_fork_starts_the_child_and_its_process_is_the_parent(make: Any) -> None:
    found = fields(make("sched_process_fork", {"child_pid": 77, "child_tid": 77}))
    assert found["event.action"] == Action.PROCESS_START
    assert (found["process.pid"], found["process.parent.pid"]) == (77, 12)
    assert found["process.name"] == found["process.parent.name"] == "sh"


def test_a_fork_has_the_parents_id_and_none_of_its_own() -> None:
    found = fields(old("sched_process_fork", {"child_pid": 77}, processEntityId=5))
    assert found["process.parent.entity_id"] == "5"
    assert "process.entity_id" not in found


def test_a_thread_is_no_process() -> None:
    found = fields(old("sched_process_fork", {"child_pid": 12, "child_tid": 13}))
    assert found["event.action"] == Action.OTHER
    assert found["process.pid"] == 12


@pytest.mark.parametrize(
    ("command", "action"),
    [
        ("BPF_PROG_LOAD", Action.BPF_LOAD),
        (5, Action.BPF_LOAD),
        (None, Action.BPF_LOAD),
        ("BPF_MAP_CREATE", Action.OTHER),
        (["x"], Action.OTHER),
    ],
)
def test_only_a_program_that_is_loaded_is_a_load(command: object, action: Action) -> None:
    assert fields(old("security_bpf", {"cmd": command}))["event.action"] == action


def test_a_connection_that_is_not_waited_for_has_not_failed() -> None:
    assert fields(old("connect", returnValue=-115))["event.outcome"] == "unknown"


def test_what_was_written_is_kept_nowhere() -> None:
    found = fields(old("magic_write", {"pathname": "/a", "bytes": "c2VjcmV0"}))
    assert found["file.path"] == "/a"
    assert "trailwarden.tool.fields" not in found


def test_a_packet_has_ends() -> None:
    """Shape: aquasecurity/tracee docs/docs/events/builtin/network/net_packet_tcp."""
    args = {"src": "192.0.2.1", "dst": "198.51.100.7", "src_port": 40020, "dst_port": 80}
    found = fields(old("net_packet_tcp", args))
    assert (found["source.ip"], found["source.port"]) == ("192.0.2.1", 40020)
    assert (found["destination.ip"], found["destination.port"]) == ("198.51.100.7", 80)
    assert found["network.transport"] == "tcp"


@pytest.mark.parametrize(("given", "expected"), [("::ffff:192.0.2.7", "192.0.2.7"), ("x", None)])
def test_an_address_is_canonical_or_none(given: str, expected: str | None) -> None:
    peer = {"sa_family": "AF_INET", "sin_addr": given, "sin_port": "1"}
    found = fields(old("security_socket_connect", {"remote_addr": peer}))
    assert found.get("destination.ip") == expected


def test_both_generations_say_the_images_digests() -> None:
    digest = "sha256:" + "a" * 64
    image = {"name": "web", "repo_digests": [f"registry.example/web@{digest}", 5, "x"]}
    for document in (
        old(container={"id": "c", "image": "web", "imageDigest": f"registry.example/web@{digest}"}),
        new(workload={"container": {"id": "c", "image": image}}),
    ):
        (one,) = decode(document, Around())
        assert one.fields["trailwarden.pod.image_digests"] == [digest]
    for odd in ("x", None, [digest], 5):
        (one,) = decode(old(container={"id": "c", "imageDigest": odd}), Around())
        assert "trailwarden.pod.image_digests" not in one.fields
