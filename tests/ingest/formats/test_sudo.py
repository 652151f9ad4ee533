"""sudo's and pkexec's messages give who ran what as whom, whatever the command says."""

from typing import Any

import orjson
import pytest

from ingest.formats.seen import Action
from ingest.formats.sudo import pkexec_columns, sudo_columns

BEFORE = "TTY=pts/0 ; PWD=/home/alice ; USER=root ; "


def columns(text: str) -> tuple[dict[str, Any], list[str]]:
    issues: list[str] = []
    fields = sudo_columns(text, issues)
    assert fields.pop("trailwarden.session.service") == "sudo"
    return fields, issues


def accepted(command: str) -> dict[str, Any]:
    return {
        "event.action": Action.RUN_AS,
        "event.outcome": "success",
        "user.name": "alice",
        "user.effective.name": "root",
        "user.target.name": "root",
        "process.working_directory": "/home/alice",
        "process.command_line": command,
        "trailwarden.session.terminal": "pts/0",
    }


@pytest.mark.parametrize("before", ["", "HOST=h ; ", "CHROOT=/x ; "])
def test_a_command_says_who_ran_it_as_whom(before: str) -> None:
    found, issues = columns(f"   alice : {before}{BEFORE}COMMAND=/usr/bin/apt install nmap")
    chroot = {"trailwarden.tool.fields": '{"chroot":"/x"}'} if "CHROOT" in before else {}
    assert found == {**accepted("/usr/bin/apt install nmap"), **chroot}
    assert issues == []


@pytest.mark.parametrize("question", ["list", "list /bin/ls", "validate"])
def test_a_question_runs_nothing(question: str) -> None:
    found, _ = columns(f"alice : {BEFORE}COMMAND={question}")
    assert (found["event.action"], found["event.code"]) == (
        Action.OTHER,
        question.partition(" ")[0],
    )
    assert "process.command_line" not in found


def test_a_folder_s_name_is_whole() -> None:
    found, _ = columns("alice : TTY=pts/0 ; PWD=/home/a ; b ; USER=root ; COMMAND=/bin/ls")
    assert found["process.working_directory"] == "/home/a ; b"
    assert (found["user.target.name"], found["event.outcome"]) == ("root", "success")


def test_an_environment_s_values_are_in_no_column() -> None:
    found, issues = columns(f"alice : {BEFORE}TSID=00001A ; ENV=K=hunter2 ; COMMAND=/bin/ls")
    assert found == {**accepted("/bin/ls"), "trailwarden.session.id": "00001A"}
    assert issues == []


@pytest.mark.parametrize(
    "reason",
    [
        "3 incorrect password attempts",
        "command not allowed",
        "user NOT in sudoers",
        "a password is required",
        "user NOT authorized on host",
        "unable to open x : permission denied",
    ],
)
def test_a_refusal_has_sudo_s_reason(reason: str) -> None:
    found, _ = columns(f"alice : {reason} ; {BEFORE}COMMAND=/bin/ls")
    assert found == {
        **accepted("/bin/ls"),
        "event.outcome": "failure",
        "trailwarden.session.reason": reason,
    }


def test_only_fields_before_the_command_count() -> None:
    command = "/bin/x ; USER=nobody ; TTY=pts/9 ; COMMAND=/bin/true"
    found, issues = columns(f"alice : {BEFORE}COMMAND={command}")
    assert (found, issues) == (accepted(command), ["ambiguous:sudo"])


def test_a_folder_s_name_cannot_take_the_target_s_place() -> None:
    found, issues = columns(
        "alice : TTY=pts/0 ; PWD=/tmp/x ; USER=alice ; USER=root ; COMMAND=/bin/sh"
    )
    assert (found["user.effective.name"], issues) == ("root", ["ambiguous:sudo"])


def test_a_folder_s_name_that_forges_a_command_is_named_and_hides_nothing() -> None:
    found, issues = columns(
        "alice : TTY=pts/0 ; PWD=/tmp/x ; USER=bob ; COMMAND=/bin/ls ; USER=root ; COMMAND=/bin/sh"
    )
    assert found["process.command_line"] == "/bin/ls ; USER=root ; COMMAND=/bin/sh"
    assert issues == ["ambiguous:sudo"]


def test_an_environment_cannot_take_the_target_s_place() -> None:
    found, issues = columns(f"alice : {BEFORE}ENV=A=b ; USER=bob ; COMMAND=/bin/sh")
    assert (found["user.effective.name"], issues) == ("root", ["ambiguous:sudo"])


def test_an_exit_status_is_left_in_the_command() -> None:
    found, _ = columns(f"alice : {BEFORE}COMMAND=/bin/ls ; EXIT=0")
    assert found == accepted("/bin/ls ; EXIT=0")


def test_what_continues_a_long_command_is_one() -> None:
    found, _ = columns("   alice : (command continued) --install nmap")
    assert found == {
        "event.action": Action.RUN_AS,
        "event.outcome": "unknown",
        "user.name": "alice",
        "process.command_line": "--install nmap",
    }


def test_an_unknown_terminal_is_none() -> None:
    found, _ = columns("alice : TTY=unknown ; PWD=unknown ; USER=root ; COMMAND=/bin/ls")
    assert "trailwarden.session.terminal" not in found
    assert "process.working_directory" not in found


@pytest.mark.parametrize(
    ("text", "outcome"),
    [("unable to resolve host h", "unknown"), ("alice : problem ; TTY=pts/0", "failure")],
)
def test_what_ran_nothing_is_other(text: str, outcome: str) -> None:
    found, _ = columns(text)
    assert (found["event.action"], found["event.outcome"]) == (Action.OTHER, outcome)


def json_line(kind: str, **members: Any) -> str:
    return "@cee:" + orjson.dumps({"sudo": {kind: members}}).decode()


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("accept", "success"), ("reject", "failure"), ("alert", "failure"), ("new", "unknown")],
)
def test_sudo_s_json_says_the_same(kind: str, outcome: str) -> None:
    found, issues = columns(
        json_line(
            kind,
            uuid="u-1",
            submituser="alice",
            command="/usr/bin/apt",
            runuser="root",
            runuid=0,
            runcwd="/x",
            ttyname="/dev/pts/0",
            peeraddr="192.0.2.1",
            runargv=["apt", "install"],
            runenv=["K=hunter2"],
            runchroot="/c",
        )
    )
    assert found == {
        "event.action": Action.RUN_AS,
        "event.outcome": outcome,
        "user.name": "alice",
        "user.effective.name": "root",
        "user.effective.id": "0",
        "user.target.name": "root",
        "process.args": ["/usr/bin/apt", "install"],
        "process.working_directory": "/x",
        "trailwarden.session.id": "u-1",
        "trailwarden.session.terminal": "pts/0",
        "trailwarden.tool.fields": '{"chroot":"/c"}',
        "source.ip": "192.0.2.1",
    }
    assert issues == []


def test_an_exit_in_json_is_the_process_s_end() -> None:
    found, _ = columns(json_line("exit", uuid="u-1", exit_value=3))
    assert (found["event.action"], found["process.exit_code"]) == (Action.PROCESS_END, 3)


@pytest.mark.parametrize(
    "text",
    [
        "@cee:",
        "@cee:[]",
        "@cee:{}",
        '@cee:{"sudo":1}',
        '@cee:{"sudo":{"accept":[]}}',
        "@cee:" + "[" * 2_000,
    ],
)
def test_broken_json_is_still_a_command_run(text: str) -> None:
    found, _ = columns(text)
    assert (found["event.action"], found["event.outcome"] in {"unknown", "success"}) == (
        Action.RUN_AS,
        True,
    )


def test_wrong_types_in_json_are_named() -> None:
    _, issues = columns(json_line("accept", submituser=["a"], runargv={"a": 1}, runuid=2**63))
    assert issues == ["wrong-type:submituser", "wrong-type:runargv"]


def test_pkexec_says_who_ran_what() -> None:
    text = "alice: Executing command [USER=root] [TTY=/dev/pts/0] [CWD=/x] [COMMAND=/bin/a [b]]"
    assert pkexec_columns(text, []) == {
        "event.action": Action.RUN_AS,
        "event.outcome": "success",
        "user.name": "alice",
        "user.effective.name": "root",
        "user.target.name": "root",
        "process.command_line": "/bin/a [b]",
        "process.working_directory": "/x",
        "trailwarden.session.terminal": "pts/0",
        "trailwarden.session.service": "pkexec",
    }


def test_pkexec_refuses_with_a_reason() -> None:
    found = pkexec_columns("bob: Not authorized [USER=root] [TTY=unknown] [CWD=/] [COMMAND=/b]", [])
    assert (found["event.outcome"], found["trailwarden.session.reason"]) == (
        "failure",
        "Not authorized",
    )
