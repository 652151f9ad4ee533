"""What the golden records of KubeArmor do not show."""

from typing import Any

import pytest

from ingest.formats import containerd_events, docker_events, tetragon
from ingest.formats.kubearmor import decode, recognizes
from ingest.formats.seen import Action, Around, NotThisFormatError, Seen

NOWHERE = Around()
LOG = {"HostName": "n", "Type": "ContainerLog", "Result": "Passed", "HostPID": 7}


def only(**members: Any) -> Seen:
    document = {**LOG, **members}
    assert recognizes(document)
    seen = decode(document, NOWHERE)
    assert len(seen) == 1
    return seen[0]


@pytest.mark.parametrize(
    ("operation", "data", "action"),
    [
        ("Process", "syscall=SYS_EXECVE", Action.PROCESS_START),
        ("Process", "", Action.PROCESS_START),
        ("Process", "syscall=SYS_PTRACE request=PTRACE_ATTACH pid=1 process=x", Action.PTRACE),
        ("File", "syscall=SYS_OPEN flags=O_WRONLY|O_TRUNC", Action.FILE_MODIFY),
        ("File", "syscall=openat fd=4294967196 flags=0 mode=0", Action.FILE_OPEN),
        ("File", "syscall=SYS_RMDIR", Action.FILE_DELETE),
        ("File", "syscall=SYS_CLOSE fd=3", Action.SYSCALL),
        ("File", "lsm=FILE_OPEN", Action.FILE_OPEN),
        ("File", "lsm=FILE_MKNOD", Action.FILE_CREATE),
        ("File", "lsm=FILE_TRUNCATE", Action.FILE_MODIFY),
        ("File", "lsm=SOMETHING_NEW", Action.FILE_OPEN),
        ("Network", "syscall=SYS_SOCKET", Action.SYSCALL),
        ("Network", "syscall=SYS_CONNECT fd=3", Action.NETWORK_CONNECT),
        ("Network", "syscall=SYS_LISTEN fd=3", Action.NETWORK_LISTEN),
        ("Network", "lsm=SOCKET_CREATE protocol=RAW", Action.OTHER),
        ("Network", "kprobe=tcp_accept domain=AF_INET", Action.NETWORK_ACCEPT),
        ("Syscall", "syscall=SYS_SETGID userid=0", Action.CREDENTIALS_CHANGE),
        ("Syscall", "syscall=SYS_UMOUNT target=/a flag=0", Action.SYSCALL),
        ("Syscall", "", Action.OTHER),
        ("Capabilities", "lsm=CAPABLE CAP_NET_RAW", Action.CAPABILITY_USE),
        ("Device", "Class=8 SubClass=6", Action.OTHER),
        ("NetworkLimit", "Direction = ingress", Action.OTHER),
    ],
)
def test_operation_and_data_say_the_act(operation: str, data: str, action: Action) -> None:
    assert only(Operation=operation, Data=data).fields["event.action"] == action.value


def test_a_file_is_told_by_an_audited_system_call_too() -> None:
    seen = only(Operation="Syscall", Resource="/etc/passwd", Data="syscall=SYS_UNLINK")
    assert seen.fields["event.action"] == Action.FILE_DELETE.value
    assert seen.fields["file.path"] == "/etc/passwd"


@pytest.mark.parametrize(("result", "owner"), [("Passed", "0"), ("Permission denied", None)])
def test_a_file_has_a_new_owner_only_if_the_call_passed(result: str, owner: str | None) -> None:
    data = "syscall=SYS_CHOWN userid=0 group=4"
    seen = only(Operation="File", Resource="/a", Data=data, Result=result)
    assert seen.fields.get("file.uid") == owner


def test_event_data_tells_what_data_does_not() -> None:
    told = {"Syscall": "SYS_UNLINKAT", "Odd": 7}
    seen = only(Operation="File", Resource="/a", EventData=told)
    assert seen.fields["event.action"] == Action.FILE_DELETE
    seen = only(Operation="File", Resource="/a", Data="syscall=SYS_OPEN flags=", EventData=told)
    assert seen.fields["event.action"] == Action.FILE_OPEN


def test_event_data_of_a_lookup_is_not_split_and_changes_nothing() -> None:
    """Shape: kubearmor/KubeArmor's guide on telemetry of DNS queries."""
    words = "UDP_SENDMSG,domain=a.example.com,daddr=192.0.2.53,qtype=AAAA"
    told = {"Kfunc": words, "Sa_family": "AF_INET", "Sin_port": "53"}
    resource = "sa_family=AF_INET sin_port=53"
    seen = only(Operation="Network", Resource=resource, Data=f"kfunc={words}", EventData=told)
    assert seen.fields["event.action"] == Action.NAME_LOOKUP
    assert seen.fields["destination.ip"] == "192.0.2.53"


def test_a_name_lookup_has_the_server_that_was_asked() -> None:
    data = "kfunc=UDP_SENDMSG,domain=evil.example.com,daddr=192.0.2.53,qtype=A"
    seen = only(Operation="Network", Resource="sa_family=AF_INET sin_port=53", Data=data)
    assert seen.fields["event.action"] == Action.NAME_LOOKUP.value
    ends = seen.fields["destination.ip"], seen.fields["destination.port"]
    assert ends == ("192.0.2.53", 53)
    assert "evil.example.com" in seen.fields["trailwarden.tool.fields"]


def test_a_unix_socket_is_a_file() -> None:
    resource = "sa_family=AF_UNIX sun_path=/run/containerd/containerd.sock"
    seen = only(Operation="Network", Resource=resource, Data="syscall=SYS_CONNECT fd=3")
    assert seen.fields["file.path"] == "/run/containerd/containerd.sock"
    assert seen.fields["network.transport"] == "unix"


@pytest.mark.parametrize(
    "resource",
    [
        "sa_family=AF_UNIX sun_path=/a sin_addr=203.0.113.5 sin_port=443",
        "sun_path=/a sin_addr=203.0.113.5 sin_port=443 sa_family=AF_UNIX",
    ],
)
def test_a_socket_with_blanks_in_its_name_forges_no_address(resource: str) -> None:
    seen = only(Operation="Network", Resource=resource, Data="syscall=SYS_CONNECT fd=3")
    assert seen.fields["file.path"] == "/a sin_addr=203.0.113.5 sin_port=443"
    assert seen.fields["network.transport"] == "unix"
    assert seen.fields.get("destination.ip") is None
    assert seen.fields.get("destination.port") is None


@pytest.mark.parametrize("name", ["a,daddr=203.0.113.5", "a,kfunc=TCP_CONNECT", "AF_UNIX"])
def test_a_name_that_is_asked_for_forges_nothing(name: str) -> None:
    data = f"kfunc=UDP_SENDMSG,domain={name},daddr=192.0.2.53,qtype=A"
    seen = only(Operation="Network", Resource="sa_family=AF_INET sin_port=53", Data=data)
    assert seen.fields["event.action"] == Action.NAME_LOOKUP.value
    assert seen.fields["destination.ip"] == "192.0.2.53"
    assert seen.fields.get("network.transport") is None


def test_flags_may_be_a_number() -> None:
    """Shape: kubearmor's enforcer by ptrace."""
    data = "syscall=openat fd=4294967196 flags=577 mode=0"
    seen = only(Operation="File", Resource="/a", Data=data)
    assert seen.fields["event.action"] == Action.FILE_MODIFY
    assert seen.fields["trailwarden.file.access"] == ["write", "truncate"]


@pytest.mark.parametrize(
    "resource",
    ["remoteip=nowhere port=99999", "remoteip= port=", "port=-1", "remoteip=" + "1" * 99],
)
def test_what_is_no_address_and_no_port_is_none(resource: str) -> None:
    seen = only(Operation="Network", Resource=resource, Data="kprobe=tcp_connect")
    assert seen.fields.get("destination.ip") is None
    assert seen.fields.get("destination.port") is None


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"UpdatedTime": "2026-11-21T10:00:00.123456Z"}, "2026-11-21T10:00:00.123456Z"),
        ({"UpdatedTime": "2026-11-21T10:00:00.123456"}, "2026-11-21T10:00:00.123456Z"),
        ({"Timestamp": 1795255200}, "2026-11-21T10:00:00.000000Z"),
        ({"Timestamp": "1795255200"}, "2026-11-21T10:00:00.000000Z"),
        ({"Timestamp": 2**63}, None),
        ({}, None),
    ],
)
def test_times_are_read_as_they_come(members: dict[str, Any], expected: str | None) -> None:
    assert only(Operation="File", **members).fields["@timestamp"] == expected


@pytest.mark.parametrize(
    ("uid", "expected"), [(0, "0"), (1000, "1000"), (-1, None), (4294967295, None), ("7", "7")]
)
def test_a_uid_is_a_users_unless_it_is_unset(uid: object, expected: str | None) -> None:
    assert only(Operation="File", UID=uid).fields.get("user.id") == expected


def test_no_process_has_no_user() -> None:
    seen = only(Operation="File", HostPID=None)
    assert "user.id" not in seen.fields


def test_a_policy_that_only_audits_lets_the_act_succeed() -> None:
    seen = only(Operation="Process", Type="MatchedPolicy", Action="Audit (Block)")
    assert seen.fields["event.outcome"] == "success"
    assert seen.fields["trailwarden.tool.action"] == "Audit (Block)"


def test_a_container_without_a_pod_is_no_pod() -> None:
    seen = only(Operation="File", NamespaceName="container_namespace", PodName="redis")
    assert seen.fields.get("orchestrator.resource.name") is None
    assert seen.fields.get("orchestrator.namespace") is None


def test_the_cluster_that_a_record_claims_goes_nowhere() -> None:
    seen = only(Operation="File", ClusterName="forged", cluster_id="forged")
    assert "forged" not in str(seen.fields)


def test_wrong_types_cost_their_field_alone() -> None:
    wrong = {"Owner": [1], "ATags": {"a": 1}, "HostPID": [], "EventData": "x", "PolicyName": "p"}
    seen = only(Operation="File", Resource="/a", **wrong)
    assert seen.fields["file.path"] == "/a"
    assert seen.fields["trailwarden.tool.rule"] == "p"
    assert sorted(seen.issues) == [
        "wrong-type:ATags",
        "wrong-type:EventData",
        "wrong-type:HostPID",
        "wrong-type:Owner",
    ]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"Operation": "File"},
        {"Type": "ContainerLog"},
        {"Type": "Message", "Operation": "x", "HostName": "n", "Level": "INFO"},
        {"Type": ["MatchedPolicy"], "Operation": "x", "HostName": "n"},
        {"Type": "container", "Action": "start", "Actor": {"ID": "x"}},
        {"kind": "Event", "auditID": "1", "verb": "get"},
        {"operation": {"id": "1"}, "protoPayload": {}, "insertId": "x"},
        {"type": "MatchedPolicy", "operation": "File"},
    ],
)
def test_other_documents_are_not_recognized(document: dict[str, Any]) -> None:
    assert not recognizes(document)


def test_its_own_records_are_nobody_elses() -> None:
    document = {**LOG, "Operation": "File", "Action": "Block"}
    for other in (tetragon, docker_events, containerd_events):
        assert not other.recognizes(document)


def test_a_record_of_no_operation_is_refused() -> None:
    with pytest.raises(NotThisFormatError):
        decode({**LOG, "Operation": None}, NOWHERE)
