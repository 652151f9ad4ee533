"""What the golden records of Tetragon do not show."""

from typing import Any

import orjson
import pytest

from ingest.formats import containerd_events, docker_events, kubearmor
from ingest.formats.seen import Action, Around, NotThisFormatError, Seen
from ingest.formats.tetragon import decode, recognizes
from ingest.formats.tetragon_functions import bare_name

NOWHERE = Around()
PROCESS = {"exec_id": "a:1", "pid": 7, "uid": 0, "binary": "/bin/cat", "cwd": "/srv"}


def only(document: dict[str, Any]) -> Seen:
    assert recognizes(document)
    seen = decode(document, NOWHERE)
    assert len(seen) == 1
    return seen[0]


def hook(function: str, args: list[Any], **more: Any) -> Seen:
    body = {"process": PROCESS, "function_name": function, "args": args, **more}
    return only({"process_kprobe": body, "time": "2026-11-21T10:00:00Z"})


def said(seen: Seen) -> dict[str, Any]:
    return {name: value for name, value in seen.fields.items() if value is not None}


def left(seen: Seen) -> dict[str, Any]:
    found = orjson.loads(seen.fields["trailwarden.tool.fields"])
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("function", "args", "action", "expected"),
    [
        ("sys_openat", [{"string_arg": "/etc/hosts"}, {"int_arg": 0}], "file-open", ["read"]),
        ("sys_openat", [{"string_arg": "/etc/hosts"}, {"int_arg": 0o102}], "file-modify", None),
        ("sys_creat", [{"string_arg": "/a"}, {"int_arg": 0o644}], "file-modify", None),
        ("sys_openat2", [{"int_arg": -100}, {"string_arg": "/a"}], "file-open", None),
        ("fd_install", [{"int_arg": 3}, {"file_arg": {"path": "/etc/passwd"}}], "file-open", None),
        (
            "security_mmap_file",
            [{"file_arg": {"path": "/a"}}, {"uint_arg": 3}, {"uint_arg": 1}],
            "file-modify",
            ["read", "write"],
        ),
        (  # a private mapping: what is written to it does not reach the file
            "security_mmap_file",
            [{"file_arg": {"path": "/a"}}, {"uint_arg": 3}, {"uint_arg": 2}],
            "file-open",
            ["read"],
        ),
        (
            "security_mmap_file",
            [{"file_arg": {"path": "/a"}}, {"uint_arg": 3}],
            "file-open",
            ["read"],
        ),
        ("security_path_truncate", [{"path_arg": {"path": "/a"}}], "file-modify", ["truncate"]),
        (
            "security_file_permission",
            [{"file_arg": {"path": "/a"}}, {"int_arg": 8}],
            "file-modify",
            ["append"],
        ),
        ("security_file_permission", [{"file_arg": {"path": "/a"}}], "file-open", None),
        ("__arm64_sys_unlinkat", [{"int_arg": 3}, {"string_arg": "a"}], "file-delete", None),
        ("security_inode_unlink", [{"path_arg": {"path": "/a"}}], "file-delete", None),
        ("security_path_mkdir", [{"path_arg": {"path": "/a"}}], "file-create", None),
        ("sys_write", [{"file_arg": {"path": "/a"}}, {"bytes_arg": "aGk="}], "file-modify", None),
        ("sys_read", [{"file_arg": {"path": "/a"}}], "file-open", ["read"]),
    ],
)
def test_a_hook_on_a_file_is_what_was_done_to_it(
    function: str, args: list[Any], action: str, expected: list[str] | None
) -> None:
    fields = hook(function, args).fields
    assert fields["event.action"] == action
    assert fields["file.path"] in {"/etc/hosts", "/etc/passwd", "/a", "a"}
    if expected is not None:
        assert fields["trailwarden.file.access"] == expected


@pytest.mark.parametrize(
    ("function", "args", "action"),
    [
        ("security_sb_mount", [{"string_arg": "/dev/sda1"}], Action.MOUNT),
        ("sys_setns", [{"int_arg": 3}], Action.NAMESPACE_CHANGE),
        ("userns_create", [], Action.NAMESPACE_CHANGE),
        ("sys_ptrace", [{"int_arg": 16}], Action.PTRACE),
        ("commit_creds", [{"process_credentials_arg": {"uid": 0}}], Action.CREDENTIALS_CHANGE),
        ("sys_setuid", [{"int_arg": 0}], Action.CREDENTIALS_CHANGE),
        ("cap_capable", [{"capability_arg": {"name": "CAP_BPF"}}], Action.CAPABILITY_USE),
        ("sys_finit_module", [{"int_arg": 3}], Action.MODULE_LOAD),
        ("security_kernel_read_file", [{"int_arg": 2}], Action.MODULE_LOAD),
        ("security_kernel_read_file", [{"int_arg": 1}], Action.OTHER),
        ("sys_bpf", [{"bpf_cmd_arg": "BPF_PROG_LOAD"}], Action.BPF_LOAD),
        ("sys_bpf", [{"int_arg": 5}], Action.BPF_LOAD),
        ("sys_bpf", [{"bpf_cmd_arg": "BPF_MAP_CREATE"}], Action.SYSCALL),
        ("bpf_check", [{"bpf_attr_arg": {"ProgName": "x"}}], Action.BPF_LOAD),
        ("sys_memfd_create", [{"string_arg": "x"}], Action.SYSCALL),
        ("security_bprm_check", [], Action.OTHER),
        ("tcp_close", [], Action.OTHER),
    ],
)
def test_a_hook_is_the_act_that_the_function_does(
    function: str, args: list[Any], action: Action
) -> None:
    assert hook(function, args).fields["event.action"] == action.value


def test_the_mount_point_is_the_file_wherever_it_stands() -> None:
    texts = hook("sys_mount", [{"string_arg": "/dev/sda1"}, {"string_arg": "/mnt"}])
    path = hook("security_sb_mount", [{"string_arg": "/dev/sda1"}, {"path_arg": {"path": "/mnt"}}])
    assert texts.fields["file.path"] == path.fields["file.path"] == "/mnt"


def test_of_a_link_the_file_is_the_new_name_and_of_a_renaming_the_old_one() -> None:
    pair = [{"string_arg": "/etc/passwd"}, {"int_arg": -100}, {"string_arg": "/run/p"}]
    link, rename = hook("sys_symlinkat", pair).fields, hook("sys_renameat2", pair).fields
    assert (link["file.path"], link["file.target_path"]) == ("/run/p", "/etc/passwd")
    assert (rename["file.path"], rename["file.target_path"]) == ("/etc/passwd", "/run/p")
    hooked = hook("security_path_symlink", [{"path_arg": {"path": "/p"}}, {"string_arg": "/to"}])
    assert (hooked.fields["file.path"], hooked.fields["file.target_path"]) == ("/p", "/to")


def test_a_change_of_mode_tells_both_modes() -> None:
    args = [{"path_arg": {"path": "/a", "permission": "-rwxr-xr-x"}}, {"uint_arg": 0o4755}]
    fields = hook("security_path_chmod", args).fields
    assert fields["event.action"] == Action.FILE_ATTRIBUTES.value
    assert (fields["trailwarden.file.mode_before"], fields["file.mode"]) == ("0755", "4755")


def test_who_connects_is_the_source_whichever_side_is_watched() -> None:
    sock = {"family": "AF_INET6", "saddr": "::ffff:192.0.2.1", "sport": 443, "daddr": "2001:db8::9"}
    args = [{"sock_arg": {**sock, "dport": 50000, "protocol": "IPPROTO_TCP"}}]
    inward, outward = hook("inet_csk_accept", args).fields, hook("tcp_connect", args).fields
    assert (inward["source.ip"], inward["source.port"]) == ("2001:db8::9", 50000)
    assert (inward["destination.ip"], inward["destination.port"]) == ("192.0.2.1", 443)
    assert (outward["source.ip"], outward["destination.ip"]) == ("192.0.2.1", "2001:db8::9")


def test_the_socket_that_accept_returns_counts_before_the_one_that_listens() -> None:
    listening = {"sock_arg": {"saddr": "192.0.2.2", "sport": 80}}
    accepted = {"sock_arg": {"saddr": "192.0.2.1", "sport": 80, "daddr": "192.0.2.9", "dport": 4}}
    fields = hook("inet_csk_accept", [listening], **{"return": accepted}).fields
    assert fields["source.ip"] == "192.0.2.9"
    assert fields["event.outcome"] == "success"


def test_a_listener_has_no_peer() -> None:
    sock = {"saddr": "192.0.2.1", "sport": 1337, "daddr": "192.0.2.7"}
    fields = hook("inet_csk_listen_start", [{"sock_arg": sock}]).fields
    assert fields["event.action"] == Action.NETWORK_LISTEN.value
    assert (fields["destination.ip"], fields["destination.port"]) == ("192.0.2.1", 1337)
    assert fields.get("source.ip") is None
    bound = hook("security_socket_bind", [{"sockaddr_arg": {"addr": "192.0.2.1", "port": 31337}}])
    assert (bound.fields["destination.ip"], bound.fields["destination.port"]) == (
        "192.0.2.1",
        31337,
    )


@pytest.mark.parametrize("bad", ["not an address", "1" * 100, 7, None, ["192.0.2.1"]])
def test_what_is_no_address_is_none(bad: object) -> None:
    fields = hook("tcp_connect", [{"sock_arg": {"daddr": bad, "dport": 70000}}]).fields
    assert fields.get("destination.ip") is None
    assert fields.get("destination.port") is None


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ({"return": {"int_arg": 0}}, "success"),
        ({"return": {"int_arg": -13}}, "failure"),
        ({"return": {"size_arg": "18446744073709551603"}}, "failure"),
        ({"return": {"long_arg": "3"}}, "success"),
        ({"return": None}, "unknown"),
        ({"action": "KPROBE_ACTION_SIGKILL"}, "unknown"),
        ({"return_action": "KPROBE_ACTION_OVERRIDE"}, "failure"),
    ],
)
def test_the_outcome_is_what_the_call_returned(body: dict[str, Any], outcome: str) -> None:
    seen = hook("sys_openat", [{"string_arg": "/a"}], **body)
    assert seen.fields["event.outcome"] == outcome


def test_the_action_of_the_return_counts_where_the_call_was_only_posted() -> None:
    both = {"action": "KPROBE_ACTION_POST", "return_action": "KPROBE_ACTION_SIGKILL"}
    assert hook("sys_open", [], **both).fields["trailwarden.tool.action"] == "Sigkill"


def test_bytes_that_a_call_wrote_are_not_kept() -> None:
    seen = hook("tcp_sendmsg", [{"bytes_arg": "cGFzc3dvcmQ="}, {"int_arg": 8, "label": "size"}])
    assert left(seen)["args"] == [{}, {"int_arg": 8, "label": "size"}]


def test_a_uprobe_names_the_program_and_the_symbol() -> None:
    body = {"process": PROCESS, "path": "/usr/bin/bash", "symbol": "readline", "policy_name": "p"}
    fields = only({"process_uprobe": body, "time": "2026-11-21T10:00:00Z"}).fields
    assert (fields["event.action"], fields["event.code"]) == ("other", "process_uprobe")
    assert (fields["file.path"], fields["trailwarden.tool.rule"]) == ("/usr/bin/bash", "p")
    assert orjson.loads(fields["trailwarden.tool.fields"]) == {"symbol": "readline"}


def test_a_loaded_library_is_a_file_that_was_read() -> None:
    body = {"process": PROCESS, "path": "/run/evil.so", "buildid": "q80="}
    fields = only({"process_loader": body}).fields
    assert (fields["event.action"], fields["file.path"]) == ("file-open", "/run/evil.so")


def test_camel_case_says_the_same_as_snake_case() -> None:
    pod = {"namespace": "n", "name": "p", "workload_kind": "Pod"}
    process = {**PROCESS, "parent_exec_id": "a:0", "pod": pod}
    camel = {**PROCESS, "execId": "a:1", "parentExecId": "a:0"}
    camel["pod"] = {"namespace": "n", "name": "p", "workloadKind": "Pod"}
    del camel["exec_id"]
    time = "2026-11-21T10:00:00Z"
    args = [{"file_arg": {"path": "/a"}}, {"int_arg": 2}]
    body = {"process": process, "function_name": "security_file_permission", "args": args}
    spelled: dict[str, Any] = {"process": camel, "functionName": "security_file_permission"}
    spelled["args"] = [{"fileArg": {"path": "/a"}}, {"intArg": 2}]
    one = only({"process_kprobe": body, "node_name": "n1", "time": time})
    other = only({"processKprobe": spelled, "nodeName": "n1", "time": time})
    assert said(one) == said(other)
    assert one.act == other.act


def test_what_one_hook_sees_a_process_do_to_one_file_is_one_act() -> None:
    args = [{"file_arg": {"path": "/etc/shadow"}}, {"int_arg": 4}]
    elsewhere = [{"file_arg": {"path": "/etc/hosts"}}, {"int_arg": 4}]
    first, again = (hook("security_file_permission", args) for _ in range(2))
    assert first.act == again.act
    assert first.act != hook("security_file_permission", elsewhere).act
    assert first.act != hook("security_file_permission", [args[0], {"int_arg": 2}]).act
    assert hook("sys_setuid", [{"int_arg": 0}]).act is None


def test_an_end_and_a_start_are_two_acts() -> None:
    start = only({"process_exec": {"process": PROCESS}})
    end = only({"process_exit": {"process": PROCESS}})
    assert start.act is not None
    assert start.act != end.act


def test_an_unset_login_uid_is_nobody() -> None:
    unset = only({"process_exec": {"process": {**PROCESS, "auid": 4294967295}}})
    root = only({"process_exec": {"process": {**PROCESS, "auid": 0}}})
    assert "user.audit.id" not in said(unset)
    assert root.fields["user.audit.id"] == "0"


def test_an_exit_status_that_is_none_is_not_taken_for_success() -> None:
    fields = only({"process_exit": {"process": PROCESS, "status": "soon"}}).fields
    assert fields["process.exit_code"] is None
    assert fields["event.outcome"] == "unknown"


def test_an_exit_without_a_time_of_its_own_has_that_of_its_body() -> None:
    seen = only({"process_exit": {"process": PROCESS, "time": "2026-11-21T10:00:00+01:00"}})
    assert seen.fields["@timestamp"] == "2026-11-21T09:00:00.000000Z"


def test_a_container_without_a_pod_keeps_the_id_that_is_cut() -> None:
    seen = only({"process_exec": {"process": {**PROCESS, "docker": "0f1e2d3c4b5a6978"}}})
    assert seen.fields["container.id"] == "0f1e2d3c4b5a6978"


def test_the_end_of_a_throttle_is_no_loss() -> None:
    stop = {"process_throttle": {"type": "THROTTLE_STOP", "cgroup": "session-429.scope"}}
    seen = only({**stop, "node_name": "n"})
    assert seen.fields["event.action"] == Action.OTHER.value
    assert "container.id" not in said(seen)


def test_the_cluster_that_a_record_claims_goes_nowhere() -> None:
    seen = only({"process_exec": {"process": PROCESS}, "cluster_name": "forged"})
    assert "forged" not in str(seen.fields)


@pytest.mark.parametrize(
    ("name", "bare", "syscall"),
    [
        ("__x64_sys_openat", "openat", "openat"),
        ("__arm64_sys_execve", "execve", "execve"),
        ("security_file_open", "file_open", None),
        ("file_open", "file_open", None),
        ("syscalls/sys_enter_mount", "mount", "mount"),
        ("syscalls/sys_exit_mount", "exit_mount", "mount"),
        ("sched/sched_process_exec", "sched/sched_process_exec", None),
    ],
)
def test_a_function_is_known_by_its_bare_name(name: str, bare: str, syscall: str | None) -> None:
    assert bare_name(name) == (bare, syscall)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"process_exec": []},
        {"process_exec": None},
        {"process": PROCESS, "time": "2026-11-21T10:00:00Z"},
        {"kind": "Event", "auditID": "1", "verb": "get", "process_exec": {"process": PROCESS}},
        {"rule": "r", "priority": "Notice", "output_fields": {"process_exec": {}}},
        {"eventName": "sched_process_exec", "timestamp": 1},
    ],
)
def test_other_documents_are_not_recognized(document: dict[str, Any]) -> None:
    assert not recognizes(document)


def test_its_own_records_are_nobody_elses() -> None:
    document = {"process_exec": {"process": PROCESS}, "node_name": "n", "time": "x"}
    for other in (kubearmor, docker_events, containerd_events):
        assert not other.recognizes(document)


@pytest.mark.parametrize("document", [{"process_exec": {}}, {"processExec": {}}, {"other": 1}])
def test_a_kind_that_says_nothing_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(NotThisFormatError):
        decode(document, NOWHERE)


def test_a_process_of_the_wrong_type_costs_the_process_alone() -> None:
    seen = only({"process_exec": {"process": "x"}, "node_name": "n"})
    assert seen.issues == ["wrong-type:process"]
    assert seen.fields["host.name"] == "n"


def test_a_long_tail_of_arguments_is_cut() -> None:
    seen = hook("sys_memfd_create", [{"string_arg": "x" * 1_000_000}] * 20)
    assert len(seen.fields["trailwarden.tool.fields"]) < 5_000


@pytest.mark.parametrize("function", ["sys_write", "sys_read", "sys_fsetxattr"])
def test_what_was_written_or_read_is_no_path(function: str) -> None:
    args = [{"int_arg": 3}, {"string_arg": "/etc/passwd"}, {"size_arg": "11"}]
    assert hook(function, args).fields["file.path"] is None


def test_a_connection_that_is_not_waited_for_has_not_failed() -> None:
    args = [{"sockaddr_arg": {"family": "AF_INET", "addr": "192.0.2.1", "port": 443}}]
    body = {"return": {"int_arg": -115}}
    assert hook("sys_connect", args, **body).fields["event.outcome"] == "unknown"


@pytest.mark.parametrize("odd", ["x", None, 5, ["sha256:" + "a" * 64]])
def test_an_image_without_a_digest_has_none(odd: Any) -> None:
    pod = {"name": "p", "container": {"image": {"id": odd, "name": "web"}}}
    seen = only({"process_exec": {"process": {**PROCESS, "pod": pod}}})
    assert "trailwarden.pod.image_digests" not in said(seen)
