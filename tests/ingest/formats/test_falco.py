from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from ingest.formats.falco import decode, recognizes
from ingest.formats.seen import Action, Around, Dataset, NotThisFormatError, Seen
from ingest.formats.syscall_acts import mode_of

NS = 1795257600123456789


def alert(output: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    return {
        "hostname": "node-1",
        "output": "10:40:00.123456789: Notice words",
        "output_fields": {"evt.time": NS, **(output or {})},
        "priority": "Notice",
        "rule": "A rule",
        "source": "syscall",
        "time": "2026-11-21T10:40:00.123456789Z",
        **members,
    }


def seen(output: dict[str, Any] | None = None, **members: Any) -> Seen:
    (one,) = decode(alert(output, **members), Around())
    return one


def fields(output: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    return {
        name: value for name, value in seen(output, **members).fields.items() if value is not None
    }


def by_falcosidekick(document: dict[str, Any], **custom: Any) -> dict[str, Any]:
    """As its handlers.go does: only known members, a new uuid, custom fields, long texts cut."""
    given = {**document["output_fields"], **custom}
    is_long = len(json.dumps({**document, "output_fields": given})) > 4096
    cut = {
        key: value.encode()[:507].decode(errors="replace") + "[...]"
        if is_long and isinstance(value, str) and len(value.encode()) > 512
        else value
        for key, value in sorted(given.items())
    }
    head, dot, zone = document["time"].partition(".")
    fraction = zone.rstrip("Z").rstrip("0")
    return {
        "uuid": "c1b2a3d4-0000-4000-8000-000000000001",
        "output": document["output"],
        "priority": document["priority"],
        "rule": document["rule"],
        "time": f"{head}.{fraction}Z" if dot and fraction else f"{head.rstrip('Z')}Z",
        "output_fields": cut,
        "source": document.get("source") or "syscalls",
        "tags": sorted(document.get("tags", [])),
        "hostname": document["hostname"],
    }


def test_it_recognizes_alerts_and_nothing_else() -> None:
    assert recognizes(alert())
    assert recognizes(by_falcosidekick(alert()))
    assert recognizes({"rule": "r", "priority": "Notice", "message": "m"})
    for other in (
        {"kind": "Event", "auditID": "a", "verb": "get"},
        {"rule": {"id": "550"}, "agent": {}, "syscheck": {}},
        {"process_exec": {}, "node_name": "n", "time": "t"},
        {"eventName": "execve", "args": []},
        {"PolicyName": "p", "Severity": "5"},
        {"name": "pack", "columns": {}},
        {},
    ):
        assert not recognizes(other)


def test_both_deliveries_of_one_alert_have_one_identity() -> None:
    long = "日" * 400
    first = alert(
        {
            "proc.cmdline": long,
            "proc.aname[2]": "sh",
            "fd.name": "/etc/x",
            "proc.pid": 3,
            "a": None,
        },
        tags=["b", "a"],
        time="2026-11-21T10:40:00.120000000Z",
        message="words",
    )
    first["output_fields"]["proc.args"] = "x" * 4096
    second = by_falcosidekick(first, environment="test")
    assert second["output_fields"]["proc.cmdline"].endswith("[...]")
    (one,), (other,) = decode(first, Around()), decode(second, Around())
    assert one.identity == other.identity
    assert one.identity is not None
    again = {**second, "uuid": "another"}
    assert decode(again, Around())[0].identity == one.identity
    del first["source"]
    assert decode(by_falcosidekick(first), Around())[0].identity == one.identity


@pytest.mark.parametrize(
    "change",
    [
        {"rule": "Another rule"},
        {"hostname": "node-2"},
        {"time": "2026-11-21T10:40:00.123457Z"},
        {"output_fields": {"evt.time": NS + 1}},
        {"output_fields": {"evt.time": NS, "proc.pid": 4}},
    ],
)
def test_another_alert_has_another_identity(change: dict[str, Any]) -> None:
    (other,) = decode({**alert(), **change}, Around())
    assert other.identity != seen().identity


def test_without_fields_the_words_tell_alerts_apart() -> None:
    one, other = (
        decode({**alert(), "output_fields": {}, "output": words}, Around())[0].identity
        for words in ("a", "b")
    )
    assert one != other


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("execveat", Action.PROCESS_START),
        ("creat", Action.FILE_CREATE),
        ("openat2", Action.FILE_OPEN),
        ("renameat2", Action.FILE_RENAME),
        ("linkat", Action.FILE_LINK),
        ("unlinkat", Action.FILE_DELETE),
        ("fchmodat", Action.FILE_ATTRIBUTES),
        ("mkdir", Action.FILE_CREATE),
        ("accept4", Action.NETWORK_ACCEPT),
        ("listen", Action.NETWORK_LISTEN),
        ("sendto", Action.NETWORK_CONNECT),
        ("mount", Action.MOUNT),
        ("ptrace", Action.PTRACE),
        ("finit_module", Action.MODULE_LOAD),
        ("bpf", Action.BPF_LOAD),
        ("setresuid", Action.CREDENTIALS_CHANGE),
        ("unshare", Action.NAMESPACE_CHANGE),
        ("container", Action.CONTAINER_START),
        ("dup2", Action.ALERT),
        ("<NA>", Action.ALERT),
        (None, Action.ALERT),
    ],
)
def test_the_system_call_says_what_was_done(kind: str | None, action: Action) -> None:
    assert fields({"evt.type": kind})["event.action"] is action


@pytest.mark.parametrize(
    ("output", "action", "access"),
    [
        ({"evt.arg.flags": "O_RDWR|O_CREAT"}, Action.FILE_MODIFY, ["read", "write"]),
        ({"evt.arg.flags": "O_WRONLY|O_APPEND"}, Action.FILE_MODIFY, ["write", "append"]),
        ({"evt.is_open_write": True}, Action.FILE_MODIFY, ["write"]),
        ({"evt.is_open_write": False, "evt.is_open_read": "true"}, Action.FILE_OPEN, ["read"]),
        ({"evt.is_open_create": True}, Action.FILE_CREATE, ["create"]),
        ({"evt.arg.flags": 7}, Action.FILE_OPEN, None),
    ],
)
def test_flags_say_what_a_file_was_opened_for(
    output: dict[str, Any], action: Action, access: list[str] | None
) -> None:
    found = fields({"evt.type": "open", **output})
    assert found["event.action"] is action
    assert found.get("trailwarden.file.access") == access


@pytest.mark.parametrize(
    ("output", "outcome"),
    [
        ({"evt.res": "SUCCESS"}, "success"),
        ({"evt.res": "EACCES"}, "failure"),
        ({"evt.res": "EINPROGRESS"}, "unknown"),
        ({"evt.rawres": -2}, "failure"),
        ({"evt.rawres": "5"}, "success"),
        ({"evt.failed": True}, "failure"),
        ({"evt.failed": "false"}, "success"),
        ({"evt.res": "<NA>"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_the_result_says_whether_it_succeeded(output: dict[str, Any], outcome: str) -> None:
    assert fields({"evt.type": "openat", **output})["event.outcome"] == outcome


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ({"evt.type": "unlinkat", "evt.arg.name": "/a"}, ("/a", None)),
        ({"evt.type": "unlinkat", "fs.path.name": "/b", "evt.arg.name": "b"}, ("/b", None)),
        ({"evt.type": "rename", "evt.arg.oldpath": "/o", "evt.arg.newpath": "/n"}, ("/o", "/n")),
        ({"evt.type": "rename", "fs.path.source": "/o", "fs.path.target": "/n"}, ("/o", "/n")),
        ({"evt.type": "link", "evt.arg.oldpath": "/o", "evt.arg.newpath": "/n"}, ("/n", "/o")),
        ({"evt.type": "symlink", "fs.path.source": "/l", "fs.path.target": "/t"}, ("/l", "/t")),
        ({"evt.type": "mount", "evt.arg.dir": "/mnt", "evt.arg.dev": "/dev/sda"}, ("/mnt", None)),
        ({"evt.type": "openat", "fd.name": "relative"}, ("relative", None)),
    ],
)
def test_paths_are_found_whatever_the_rule_prints(
    output: dict[str, Any], expected: tuple[str | None, str | None]
) -> None:
    found = fields(output)
    assert (found.get("file.path"), found.get("file.target_path")) == expected


def test_permission_bits_become_octal() -> None:
    found = fields(
        {
            "evt.type": "fchmodat",
            "evt.arg.filename": "/a",
            "evt.arg.mode": "S_ISUID|S_IRWXU|S_IXOTH",
        }
    )
    assert (found["file.mode"], found["file.path"]) == ("4701", "/a")
    assert mode_of("0755") == "0755"
    assert mode_of("S_NEW|S_IRUSR") is None
    assert mode_of(None) is None


@pytest.mark.parametrize(
    ("output", "ends"),
    [
        (
            {"evt.type": "accept", "fd.name": "2001:db8::7:5000->2001:db8::1:22"},
            ("2001:db8::7", 5000, "2001:db8::1", 22),
        ),
        (
            {
                "evt.type": "connect",
                "fd.cip": "192.0.2.1",
                "fd.sip": "192.0.2.2",
                "fd.sport": "443",
            },
            ("192.0.2.1", None, "192.0.2.2", 443),
        ),
        (
            {"evt.type": "connect", "fd.lip": "192.0.2.1", "fd.rip": "192.0.2.2", "fd.rport": 53},
            ("192.0.2.1", None, "192.0.2.2", 53),
        ),
        (
            {"evt.type": "accept", "fd.rip": "192.0.2.9", "fd.rport": 1, "fd.lport": 80},
            ("192.0.2.9", 1, None, 80),
        ),
        ({"evt.type": "listen", "fd.name": "0.0.0.0:80"}, (None, None, "0.0.0.0", 80)),  # noqa: S104
        (
            {"evt.type": "dup2", "fd.name": "192.0.2.1:1->192.0.2.2:2"},
            ("192.0.2.1", 1, "192.0.2.2", 2),
        ),
        ({"evt.type": "connect", "fd.name": "evil:x->y:443"}, (None, None, None, None)),
    ],
)
def test_both_ends_of_a_connection_the_client_first(
    output: dict[str, Any], ends: tuple[str | None, int | None, str | None, int | None]
) -> None:
    found = fields(output)
    names = ("source.ip", "source.port", "destination.ip", "destination.port")
    assert tuple(found.get(name) for name in names) == ends


def test_a_unix_socket_is_a_file() -> None:
    found = fields({"evt.type": "connect", "fd.name": "ffff8c->ffff9d /run/docker.sock"})
    assert (found["file.path"], found["network.transport"]) == ("/run/docker.sock", "unix")


def test_workloads_and_pods_have_kinds() -> None:
    found = fields({"k8s.rs.name": "w-1", "k8smeta.deployment.name": "w", "k8s.pod.uid": "u"})
    assert found["trailwarden.workload.kind"] == "Deployment"
    assert found["trailwarden.workload.name"] == "w"
    assert found["orchestrator.resource.type"] == "pods"
    assert "orchestrator.cluster.name" not in found


def test_what_has_no_column_is_kept_and_nothing_twice() -> None:
    kept = fields({"custom": "v", "proc.name": "sh", "evt.num": 2**64 - 1, "none": None})
    assert orjson.loads(kept["trailwarden.tool.fields"]) == {"custom": "v", "evt.num": 2**64 - 1}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"time": "2026-11-21T11:40:00.5+01:00"}, "2026-11-21T10:40:00.500000Z"),
        ({"time": "2026-11-21T10:40:00Z"}, "2026-11-21T10:40:00.000000Z"),
        ({"time": None}, "2026-11-21T10:40:00.123456Z"),
        ({"time": None, "output_fields": {"evt.time.iso8601": NS}}, "2026-11-21T10:40:00.123456Z"),
        ({"time": None, "output_fields": {"evt.time": "10:40:00.12"}}, None),
        ({"time": None, "output_fields": {"evt.time": [NS]}}, None),
        ({"time": "yesterday"}, "yesterday"),
    ],
)
def test_the_time_is_found(members: dict[str, Any], expected: str | None) -> None:
    assert seen(**members).fields["@timestamp"] == expected


@pytest.mark.parametrize(
    ("rule", "output", "action", "lost"),
    [
        ("syscall event drop", {"n_drops": "7"}, Action.SENSOR_LOSS, 7),
        ("syscall event drop", {}, Action.SENSOR_LOSS, None),
        ("timeouts notification", {"last_event_time": "none"}, Action.SENSOR_LOSS, None),
        (
            "metrics snapshot",
            {"scap.n_drops": 12, "scap.n_drops_prev": 2},
            Action.SENSOR_LOSS,
            10,
        ),
        ("metrics snapshot", {"scap.n_drops": 2, "scap.n_drops_prev": 2}, Action.OTHER, None),
        ("hot restart failure", {"reason": "x"}, Action.OTHER, None),
    ],
)
def test_falco_tells_of_its_own_losses(
    rule: str, output: dict[str, Any], action: Action, lost: int | None
) -> None:
    found = fields(output, rule=f"Falco internal: {rule}", source="internal")
    assert found["event.action"] is action
    assert found.get("trailwarden.sensor.lost") == lost


def test_no_value_of_any_member_raises() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    for value in (
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
    ):
        for member in alert():
            try:
                found = decode({**alert(), member: value}, Around())
            except NotThisFormatError:
                continue
            assert found[0].fields["event.dataset"] is Dataset.FALCO
        for key in ("proc.name", "proc.pid", "fd.name", "fd.sport", "evt.type", "proc.aname[2]"):
            assert decode(alert({key: value}), Around())


def test_members_that_are_missing_cost_themselves_alone() -> None:
    for member in alert():
        document = alert()
        del document[member]
        assert decode(document, Around())[0].fields["event.provider"] == "falco"
    with pytest.raises(NotThisFormatError):
        decode({"rule": None, "priority": "Notice", "output_fields": None}, Around())


def test_the_path_that_a_call_is_about_counts_before_that_of_its_descriptor() -> None:
    found = fields({"evt.type": "fchmodat", "fs.path.name": "/srv/x/run", "fd.name": "/srv/x"})
    assert found["file.path"] == "/srv/x/run"


def test_who_is_local_changes_no_ends_that_are_known() -> None:
    name = "192.0.2.1:5000->198.51.100.8:53"
    found = fields(
        {"evt.type": "recvfrom", "fd.name": name, "fd.rip": "198.51.100.8", "fd.lport": 5000}
    )
    assert (found["source.ip"], found["destination.ip"]) == ("192.0.2.1", "198.51.100.8")
    assert found["source.port"] == 5000


def test_what_is_written_to_a_connection_is_no_file() -> None:
    found = fields({"evt.type": "write", "fd.name": "192.0.2.1:5000->198.51.100.8:53"})
    assert found["event.action"] == Action.ALERT
    assert "file.path" not in found


@pytest.mark.parametrize(
    ("given", "expected"),
    [("::ffff:192.0.2.7", "192.0.2.7"), ("192.0.2.7:80", None), ("1" * 100, None)],
)
def test_an_address_is_canonical_or_none(given: str, expected: str | None) -> None:
    assert fields({"evt.type": "connect", "fd.rip": given}).get("destination.ip") == expected


@pytest.mark.parametrize(
    ("command", "action"),
    [("BPF_PROG_LOAD", Action.BPF_LOAD), (5, Action.BPF_LOAD), ("BPF_MAP_CREATE", Action.ALERT)],
)
def test_only_a_program_that_is_loaded_is_a_load(command: object, action: Action) -> None:
    assert fields({"evt.type": "bpf", "evt.arg.cmd": command})["event.action"] == action


def test_a_connection_that_is_not_waited_for_has_not_failed() -> None:
    assert fields({"evt.type": "connect", "evt.rawres": -115})["event.outcome"] == "unknown"


def test_ancestors_stand_in_their_order_however_they_are_written() -> None:
    given = {"proc.aname[10]": "j", "proc.aname[2]": "b", "proc.aname[x]": "?", "proc.pname": "a"}
    assert fields(given)["trailwarden.process.ancestors"] == ["a", "b", "j"]


def test_an_alert_of_many_or_long_fields_is_read_as_any_other() -> None:
    many = {f"k{number}": number for number in range(100)}
    long = {"x" * 5_000: 1}
    for given in (many, long):
        assert fields({**given, "proc.pname": "a"})["process.parent.name"] == "a"


@pytest.mark.parametrize("name", ["null", "N/A", "<nil>"])
def test_a_process_may_have_another_tools_word_for_nothing_as_its_name(name: str) -> None:
    found = fields({"proc.name": name, "proc.pname": name})
    assert found["process.name"] == found["process.parent.name"] == name


def test_a_digest_is_that_of_the_pods_image() -> None:
    digest = "sha256:" + "a" * 64
    found = fields({"container.image.digest": digest, "k8s.pod.uid": "u"})
    assert found["trailwarden.pod.image_digests"] == [digest]
    assert "trailwarden.tool.fields" not in found
    odd: Any
    for odd in ("latest", 5, [digest], {}, digest.upper()):
        found = fields({"container.image.digest": odd})
        assert "trailwarden.pod.image_digests" not in found
        assert "container.image.digest" in found["trailwarden.tool.fields"]
