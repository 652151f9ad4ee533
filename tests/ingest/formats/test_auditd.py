"""Linux audit's raw lines: what the golden records do not show."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.formats.auditd import decode_text, recognizes_text
from ingest.formats.auditd_event import time_of
from ingest.formats.auditd_fields import values_of
from ingest.formats.auditd_syscalls import syscall_name
from ingest.formats.seen import Action, Around, NotThisFormatError, Seen

ID = "1763719200.120:501"
CALL = (
    "arch=c000003e syscall={number} success={success} exit={exit} a0={a0} a1={a1} a2={a2} a3=0 "
    "items=1 ppid=6 pid=7 auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 "
    'tty=pts0 ses=5 comm="x" exe="/usr/bin/x" key=(null)'
)


def line(kind: str, body: str, event_id: str = ID) -> str:
    return f"type={kind} msg=audit({event_id}): {body}"


def call(number: int, success: str = "yes", exit_code: int = 0, **arguments: str) -> str:
    given_ = {"a0": "1", "a1": "2", "a2": "3"} | arguments
    return line("SYSCALL", CALL.format(number=number, success=success, exit=exit_code, **given_))


def path(name: str, nametype: str = "NORMAL", mode: str = "0100644") -> str:
    return line(
        "PATH",
        f"item=0 name={name} inode=9 dev=08:01 mode={mode} ouid=3 ogid=4 nametype={nametype}",
    )


def seen(*lines: str) -> Seen:
    (one,) = decode_text("\n".join(lines), Around())
    return one


def fields(*lines: str) -> dict[str, Any]:
    return {key: value for key, value in seen(*lines).fields.items() if value is not None}


def message(kind: str, inner: str, outer: str = "pid=7 uid=0 auid=1000 ses=5") -> dict[str, Any]:
    return fields(line(kind, f"{outer} msg='{inner}'"))


def test_its_own_lines_are_recognized() -> None:
    assert recognizes_text(line("SYSCALL", "a=b"))
    assert recognizes_text("node=a.example.com " + line("SYSCALL", "a=b"))
    for other in ("", "type=SYSCALL", "Nov 21 10:00:00 a b: type=SYSCALL msg=audit(1.2:3): x=1"):
        assert not recognizes_text(other)


@pytest.mark.parametrize("text", ["", "type=SYSCALL msg=audit(1.2:3", "type= msg=audit(1.2:3): "])
def test_a_text_without_a_line_of_its_is_refused(text: str) -> None:
    with pytest.raises(NotThisFormatError):
        decode_text(text, Around())


@pytest.mark.parametrize(
    ("event_id", "time"),
    [
        ("1763719200.120:501", "2025-11-21T10:00:00.120000Z"),
        ("1763719200.12:501", "2025-11-21T10:00:00.120000Z"),
        ("1763719200:501", "2025-11-21T10:00:00.000000Z"),
        ("0.000:0", "1970-01-01T00:00:00.000000Z"),
        ("99999999999999.000:0", None),
        ("x.120:1", None),
        ("1763719200.-20:1", None),
        ("11/21/2025 10:00:00.120:501", None),
        ("", None),
    ],
)
def test_the_time_is_the_events_own(event_id: str, time: str | None) -> None:
    assert time_of(event_id) == time


def test_an_unreadable_time_is_named() -> None:
    one = seen(line("CWD", 'cwd="/"', "x:1"))
    assert one.issues == ["bad-time:audit"]


def test_a_field_is_the_first_of_its_name_and_hexadecimal_where_it_may_be() -> None:
    values = values_of(
        'comm="a" comm="b" exe=2F62696E2F7368 cwd="/a" uid=0 key=(null) name=? tty=a'
    )
    assert values == {"comm": "a", "exe": "/bin/sh", "cwd": "/a", "uid": "0", "tty": "a"}
    assert values_of("acct=zz exe=abc comm=2f")["exe"] == "abc"
    assert values_of("uid=1000 ses=12")["uid"] == "1000"
    assert values_of("proctitle=FF00FE")["proctitle"] == "\ufffd\0\ufffd"


@pytest.mark.parametrize("separator", ["\x1d", ""])
def test_names_of_ids_count_only_behind_the_message(separator: str) -> None:
    text = f'uid=0 UID="no" msg=\'op=x UID="forged" res=success\'{separator}UID="root" id="no"'
    values = values_of(text)
    assert values["UID"] == "root"
    assert "id" not in values


@pytest.mark.parametrize(
    ("arch", "number", "name"),
    [
        ("c000003e", "59", "execve"),
        ("c000003e", "321", "bpf"),
        ("c000003e", "437", "openat2"),
        ("c000003e", "334", "rseq"),
        ("c00000b7", "221", "execve"),
        ("c00000b7", "280", "bpf"),
        ("c00000b7", "35", "unlinkat"),
        ("c00000b7", "56", "openat"),
        ("c00000b7", "203", "connect"),
        ("40000003", "11", "execve"),
        ("40000003", "102", "socketcall"),
        ("x86_64", "0", "read"),
        ("aarch64", "291", "statx"),
        ("c00000b7", "244", None),
        ("c000003e", "9999", None),
        ("deadbeef", "59", None),
        ("", "", None),
    ],
)
def test_numbers_of_calls_differ_between_processors(
    arch: str, number: str, name: str | None
) -> None:
    assert syscall_name(arch, number) == name


@pytest.mark.parametrize(
    ("number", "action"),
    [
        (59, Action.PROCESS_START),
        (231, Action.PROCESS_END),
        (83, Action.FILE_CREATE),
        (84, Action.FILE_DELETE),
        (86, Action.FILE_LINK),
        (92, Action.FILE_ATTRIBUTES),
        (188, Action.FILE_ATTRIBUTES),
        (42, Action.NETWORK_CONNECT),
        (50, Action.NETWORK_LISTEN),
        (101, Action.PTRACE),
        (105, Action.CREDENTIALS_CHANGE),
        (165, Action.MOUNT),
        (175, Action.MODULE_LOAD),
        (308, Action.NAMESPACE_CHANGE),
        (321, Action.BPF_LOAD),
        (62, Action.SYSCALL),
        (99999, Action.SYSCALL),
    ],
)
def test_the_act_is_the_calls(number: int, action: Action) -> None:
    assert fields(call(number))["event.action"] == action


def test_calls_of_32_bits_are_the_same_acts() -> None:
    text = call(212).replace("c000003e", "40000003")
    found = fields(text)
    assert (found["trailwarden.syscall"], found["event.action"]) == (
        "chown32",
        Action.FILE_ATTRIBUTES,
    )


@pytest.mark.parametrize(
    ("success", "outcome"), [("yes", "success"), ("no", "failure"), ("?", "unknown")]
)
def test_the_outcome_is_the_calls(success: str, outcome: str) -> None:
    assert fields(call(59, success))["event.outcome"] == outcome


@pytest.mark.parametrize("unset", ["4294967295", "-1", "unset"])
def test_a_login_uid_that_is_not_set_is_none(unset: str) -> None:
    found = fields(call(59).replace("auid=1000", f"auid={unset}").replace("ses=5", f"ses={unset}"))
    assert "user.audit.id" not in found
    assert "trailwarden.session.id" not in found


def test_numbers_that_no_column_holds_cost_their_field() -> None:
    found = fields(
        call(59).replace("pid=7", "pid=99999999999999999999").replace("ppid=6", "ppid=x")
    )
    assert "process.pid" not in found
    assert "process.parent.pid" not in found


@pytest.mark.parametrize(
    ("folder", "name", "expected"),
    [
        ("ffffff9c", '"a"', "/srv/a"),
        ("ffffffffffffff9c", '"./a/../b"', "/srv/b"),
        ("5", '"a"', "a"),
        ("5", '"/etc/a"', "/etc/a"),
        ("ffffff9c", '"/etc//a/./b/../c"', "/etc/a/c"),
        ("ffffff9c", '"//etc/a"', "/etc/a"),
        ("ffffff9c", '"/etc/a/"', "/etc/a"),
        ("ffffff9c", '"/"', "/"),
        ("ffffff9c", '"../../../etc/a"', "/etc/a"),
        ("ffffff9c", "2F6120620A", "/a b\n"),
    ],
)
def test_a_path_is_made_absolute_where_its_folder_is_known(
    folder: str, name: str, expected: str
) -> None:
    found = fields(
        call(263, a0=folder),
        line("CWD", ' cwd="/srv"'),
        path('"x/"', "PARENT"),
        path(name, "DELETE"),
    )
    assert found["file.path"] == expected


def test_without_a_working_directory_a_path_stays_as_it_is() -> None:
    assert fields(call(87), path('"a"', "DELETE"))["file.path"] == "a"


def test_what_is_not_named_is_no_file() -> None:
    assert "file.path" not in fields(call(87), path("(null)", "DELETE"))
    assert "file.path" not in fields(call(87), path('"/a"', "PARENT"))


def test_older_lines_name_the_kind_of_a_path_otherwise() -> None:
    found = fields(
        call(87), path('"/a"', "PARENT").replace("name" + "type=", "objtype="), path('"/b"')
    )
    assert found["file.path"] == "/b"


@pytest.mark.parametrize(
    ("number", "flags", "kinds", "action", "access"),
    [
        (2, {"a1": "0"}, ["NORMAL"], Action.FILE_OPEN, ["read"]),
        (
            2,
            {"a1": "241"},
            ["PARENT", "CREATE"],
            Action.FILE_CREATE,
            ["write", "create", "truncate"],
        ),
        (257, {"a2": "241"}, ["PARENT", "NORMAL"], Action.FILE_MODIFY, ["write", "truncate"]),
        (257, {"a2": "2"}, ["NORMAL"], Action.FILE_MODIFY, ["read", "write"]),
        (437, {"a2": "7ffd"}, ["PARENT", "CREATE"], Action.FILE_CREATE, ["create"]),
        (437, {"a2": "7ffd"}, ["NORMAL"], Action.FILE_OPEN, None),
        (257, {"a2": "zz"}, ["NORMAL"], Action.FILE_OPEN, None),
    ],
)
def test_opening_is_what_it_is_for(
    number: int, flags: dict[str, str], kinds: list[str], action: Action, access: list[str] | None
) -> None:
    found = fields(call(number, exit_code=3, **flags), *(path('"/a"', kind) for kind in kinds))
    assert found["event.action"] == action
    assert found.get("trailwarden.file.access") == access


def test_a_file_that_could_not_be_opened_was_not_made() -> None:
    found = fields(call(257, "no", -13, a2="241"), path('"/a"', "CREATE"))
    assert found["event.action"] == Action.FILE_MODIFY
    assert found["event.outcome"] == "failure"
    assert orjson.loads(found["trailwarden.tool.fields"]) == {"exit": "-13"}


def test_a_link_is_the_new_name_and_its_target_the_old() -> None:
    hard = fields(
        call(86), path('"/etc/shadow"'), path('"/srv"', "PARENT"), path('"/srv/s"', "CREATE")
    )
    assert (hard["file.path"], hard["file.target_path"]) == ("/srv/s", "/etc/shadow")
    soft = fields(call(88), path('"/srv"', "PARENT"), path('"/srv/s"', "CREATE"))
    assert soft["file.path"] == "/srv/s"
    assert "file.target_path" not in soft


def test_chown_leaves_the_new_owner_and_tells_the_old() -> None:
    found = fields(call(92, a1="3e8", a2="ffffffff"), path('"/a"'))
    assert (found["file.uid"], found["file.gid"]) == ("1000", "4")
    assert found["trailwarden.file.owner_before"] == "3"


def test_what_failed_changed_nothing() -> None:
    found = fields(call(90, "no", -1, a1="9ed"), path('"/a"'))
    assert found["file.mode"] == "0644"
    assert "trailwarden.file.mode_before" not in found


def test_a_script_is_told_from_its_interpreter() -> None:
    text = call(59).replace("/usr/bin/x", "/usr/bin/bash")
    found = fields(text, line("CWD", 'cwd="/srv"'), path('"./evil.sh"'), path('"/usr/bin/bash"'))
    assert found["file.path"] == "/srv/evil.sh"
    assert "file.path" not in fields(text, path('"/bin/bash"'))


def test_a_process_ends_with_its_code() -> None:
    assert fields(call(231, a0="ff02"))["process.exit_code"] == 2


def test_the_title_stands_for_a_command_that_was_not_logged() -> None:
    found = fields(call(87), line("PROCTITLE", "proctitle=726D002D72660061"))
    assert found["process.args"] == ["rm", "-rf", "a"]
    assert fields(call(87), line("PROCTITLE", 'proctitle="rm"'))["process.args"] == ["rm"]


def test_words_of_a_command_come_in_any_order_and_in_pieces() -> None:
    found = fields(
        call(59),
        line("EXECVE", 'argc=4 a0="x" a3="" a2_len=6 a2[1]="cd"'),
        line("EXECVE", 'a1=(null) a2[0]="ab" a2[1]="no" a99999999="x" a-1="y" ax="z"'),
    )
    assert found["process.args"] == ["x", "", "abno", ""]


@pytest.mark.parametrize(
    ("number", "saddr", "expected"),
    [
        (
            42,
            "020001BBC0000201" + "0" * 16,
            {"destination.ip": "192.0.2.1", "destination.port": 443},
        ),
        (43, "020001BBC0000201" + "0" * 16, {"source.ip": "192.0.2.1", "source.port": 443}),
        (49, "02001F9000000000" + "0" * 16, {"source.ip": "0.0.0.0", "source.port": 8080}),  # noqa: S104
        (
            42,
            "000201BBC0000201" + "0" * 16,
            {"destination.ip": "192.0.2.1", "destination.port": 443},
        ),
        (
            42,
            "0A0000350000000020010DB8000000000000000000000005" + "00000000",
            {"destination.ip": "2001:db8::5", "destination.port": 53},
        ),
        (
            42,
            "01002F72756E2F646F636B65722E736F636B0000",
            {"file.path": "/run/docker.sock", "network.transport": "unix"},
        ),
        (42, "0100002F746D702F78", {"file.path": "@/tmp/x", "network.transport": "unix"}),
        (42, "10000000" + "0" * 16, {}),
        (42, "0200", {}),
        (42, "02", {}),
        (42, "zz", {}),
    ],
)
def test_an_address_is_of_the_far_end_or_the_own(
    number: int, saddr: str, expected: dict[str, Any]
) -> None:
    found = fields(call(number), line("SOCKADDR", f"saddr={saddr}\x1dSADDR={{ saddr_fam=inet }}"))
    columns = ("source.", "destination.", "file.", "network.")
    assert {key: value for key, value in found.items() if key.startswith(columns)} == expected


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("USER_LOGIN", Action.LOGIN),
        ("USER_LOGOUT", Action.LOGOUT),
        ("USER_AUTH", Action.AUTHENTICATE),
        ("USER_ACCT", Action.AUTHENTICATE),
        ("USER_ERR", Action.AUTHENTICATE),
        ("USER_START", Action.SESSION_START),
        ("USER_END", Action.SESSION_END),
        ("CRED_ACQ", Action.OTHER),
        ("CRED_DISP", Action.OTHER),
        ("USER_CMD", Action.RUN_AS),
        ("CHUSER_ID", Action.SWITCH_USER),
        ("ADD_USER", Action.ACCOUNT_CREATE),
        ("DEL_USER", Action.ACCOUNT_DELETE),
        ("USER_CHAUTHTOK", Action.ACCOUNT_CHANGE),
        ("USER_MGMT", Action.ACCOUNT_CHANGE),
        ("ADD_GROUP", Action.GROUP_CHANGE),
        ("DEL_GROUP", Action.GROUP_CHANGE),
        ("SERVICE_START", Action.OTHER),
        ("SYSTEM_BOOT", Action.BOOT),
        ("SYSTEM_SHUTDOWN", Action.SHUTDOWN),
        ("ANOM_LOGIN_FAILURES", Action.ALERT),
    ],
)
def test_messages_of_programs_are_acts(kind: str, action: Action) -> None:
    found = message(kind, 'op=x acct="bob" exe="/bin/y" hostname=? addr=? terminal=? res=failed')
    assert (found["event.action"], found["event.outcome"]) == (action, "failure")
    assert found["event.code"] == kind


@pytest.mark.parametrize(
    ("kind", "body", "action"),
    [
        ("ANOM_ABEND", 'auid=1 uid=1 ses=1 pid=7 comm="x" exe="/x" sig=11 res=1', Action.ALERT),
        ("ANOM_PROMISCUOUS", "dev=eth0 prom=256 old_prom=0 auid=1 uid=0 ses=1", Action.ALERT),
        (
            "DAEMON_START",
            "op=start ver=4.0 auid=0 pid=1 uid=0 ses=1 res=success",
            Action.AUDIT_CHANGE,
        ),
        ("BPF", "prog-id=1 op=LOAD", Action.BPF_LOAD),
        ("BPF", "prog-id=1 op=UNLOAD", Action.OTHER),
        ("LOGIN", "pid=7 uid=0 old-auid=4294967295 auid=0 ses=1 res=1", Action.CREDENTIALS_CHANGE),
        ("SECCOMP", 'auid=1 uid=1 pid=7 comm="x" exe="/x" sig=31 syscall=59', Action.ALERT),
        ("INTEGRITY_DATA", "pid=7 uid=0 op=appraise_data cause=invalid-hash res=0", Action.ALERT),
        ("UNKNOWN[1999]", "pid=7", Action.OTHER),
    ],
)
def test_the_kernels_own_lines_are_acts(kind: str, body: str, action: Action) -> None:
    assert fields(line(kind, body))["event.action"] == action


def test_a_denied_call_is_the_call_and_says_who_denied_it() -> None:
    avc = (
        'avc:  denied  { read write } for  pid=7 comm="x" path="/a" scontext=s tcontext=t tclass=f'
    )
    found = fields(line("AVC", avc), call(257, "yes", a2="0"), path('"/a"'))
    assert (found["event.action"], found["event.code"]) == (Action.FILE_OPEN, "AVC")
    assert found["event.outcome"] == "failure"
    assert orjson.loads(found["trailwarden.tool.fields"])["avc"] == "denied read write"
    granted = avc.replace("denied", "granted")
    assert fields(line("AVC", granted))["event.outcome"] == "success"
    complain = 'apparmor="ALLOWED" operation="open" info="Failed name lookup - x" pid=7 comm="x"'
    assert fields(line("AVC", complain))["event.outcome"] == "success"


def test_su_tells_who_is_becoming_whom() -> None:
    text = 'op=PAM:authentication acct="root" exe="/bin/su" res=success'
    found = message("USER_AUTH", text, "pid=7 uid=1000 auid=1000 ses=5")
    assert (found["user.id"], found["user.target.name"]) == ("1000", "root")
    assert "user.name" not in found


def test_a_login_by_number_has_its_name_where_the_log_is_enriched() -> None:
    text = "pid=7 uid=0 auid=1000 ses=5 msg='op=login id=1000 exe=\"/usr/sbin/sshd\" res=success'"
    found = fields(line("USER_LOGIN", text + '\x1dUID="root" AUID="alice" ID="alice"'))
    assert (found["user.id"], found["user.name"]) == ("1000", "alice")


def test_what_was_typed_is_kept_nowhere() -> None:
    found = fields(line("USER_TTY", "pid=7 uid=0 auid=0 ses=1 data=68756E74657232"))
    assert "hunter2" not in str(found)
    assert "68756E74657232" not in str(found)


def test_a_package_is_told() -> None:
    found = message(
        "SOFTWARE_UPDATE", 'op=install sw="nginx-1.20-1.x86_64" sw_type=rpm comm="yum" res=success'
    )
    assert found["package.name"] == ["nginx-1.20-1.x86_64"]
    assert found["trailwarden.package.action"] == "install"


@pytest.mark.parametrize(("key", "rule"), [('"exec"', "exec"), ("(null)", None)])
def test_a_separator_that_a_shipper_dropped_costs_no_field_before_it(
    key: str, rule: str | None
) -> None:
    found = fields(call(59).replace("key=(null)", f'key={key}ARCH=x86_64 UID="root"'))
    assert found.get("trailwarden.tool.rule") == rule


def test_lines_torn_from_their_event_are_not_taken_for_repetitions() -> None:
    whole = seen(call(87), path('"/a"', "DELETE")).identity
    assert whole == seen(call(87)).identity
    assert whole is not None
    assert seen(path('"/a"')).identity is None
    assert seen(call(87).replace("pid=7", "pid=8")).identity != whole
    assert seen("node=a " + call(87)).identity != whole


def test_lines_of_another_event_do_not_count() -> None:
    found = fields(call(87), line("CWD", 'cwd="/no"', "1763719200.120:502"))
    assert "process.working_directory" not in found


BITS = ["type=", "SYSCALL", "EXECVE", "PATH", "SOCKADDR", "AVC", " msg=audit(", "1.2:3", "): ", "="]
BITS += [
    "a0",
    "a1[",
    "]",
    '"',
    "'",
    " ",
    "\n",
    "\x1d",
    "msg='",
    "pid",
    "arch=c000003e",
    "syscall=59",
]
BITS += [
    "name",
    "saddr",
    "FFFF",
    "\ufeff",
    "\0",
    "avc:",
    " for ",
    "{",
    "9" * 30,
    "node=x ",
    "²",
    "key",
]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(BITS) | st.text(max_size=5), max_size=40), st.booleans())
def test_nothing_in_a_line_raises(parts: list[str], is_begun: bool) -> None:
    text = (line("SYSCALL", "") if is_begun else "") + "".join(parts)
    try:
        (one,) = decode_text(text, Around())
    except NotThisFormatError:
        return
    assert {"event.action", "event.outcome", "event.dataset"} <= one.fields.keys()


@pytest.mark.parametrize(
    "body",
    ["a" * 1_000_000, "a=" * 300_000, "a0=x " * 200_000, "\x1d" * 500_000, "' msg='" * 100_000],
)
def test_a_huge_line_is_read_in_linear_time(body: str) -> None:
    for kind in ("SYSCALL", "EXECVE", "PATH", "USER_AUTH"):
        assert seen(line(kind, body)).fields["event.code"] == kind


@pytest.mark.parametrize(("code", "outcome"), [("-115", "unknown"), ("-111", "failure")])
def test_a_connection_under_way_has_not_failed(code: str, outcome: str) -> None:
    saddr = line("SOCKADDR", "saddr=020001BBC6336405")
    text = call(42, success="no").replace("exit=0", f"exit={code}")
    assert fields(text, saddr)["event.outcome"] == outcome
    text = text.replace(f"exit={code}", "exit=EINPROGRESS")
    assert fields(text, saddr)["event.outcome"] == "unknown"


def test_an_operation_of_io_uring_is_the_act_of_the_call_that_does_the_same() -> None:
    body = "uring_op={} success=yes exit=0 items=2 ppid=6 pid=7 uid=0 euid=0 key=(null)"
    file = path('"/etc/cron.d/x"', nametype="DELETE")
    found = fields(line("URINGOP", body.format(36)), file)
    assert found["event.code"] == "URINGOP"
    assert (found["event.action"], found["trailwarden.syscall"]) == ("file-delete", "unlinkat")
    assert (found["file.path"], found["process.pid"]) == ("/etc/cron.d/x", 7)
    assert found["event.outcome"] == "success"
    assert fields(line("URINGOP", body.format(16)))["event.action"] == Action.NETWORK_CONNECT
    other = fields(line("URINGOP", body.format(46)))
    assert (other["event.action"], other.get("trailwarden.syscall")) == (Action.SYSCALL, None)


def test_loading_a_profile_of_apparmor_judges_nothing() -> None:
    body = 'apparmor="STATUS" operation="profile_replace" profile="unconfined" name="x" pid=7'
    found = fields(line("AVC", body), call(1))
    assert (found["event.action"], found["event.outcome"]) == (Action.OTHER, "success")


def test_a_title_counts_only_where_no_words_are_told() -> None:
    title = line("PROCTITLE", "proctitle=6C73002D6C")
    assert fields(call(59), title)["process.args"] == ["ls", "-l"]
    assert fields(call(59), line("EXECVE", 'argc=1 a0="id"'), title)["process.args"] == ["id"]
