from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

import pytest

from ingest.facets.exec import exec_facet, query_of, with_args
from ingest.redact.token import Redactor

Build = Callable[..., dict[str, Any]]
Row = Callable[..., dict[str, Any]]

KEY: Final = Redactor(b"k")
POD: Final = "/api/v1/namespaces/shop/pods/web/exec"
NODE: Final = "/api/v1/nodes/worker-1/proxy"


def args_of(uri: str) -> object:
    return exec_facet(uri, KEY).get("process.args")


@pytest.mark.parametrize(
    ("query", "args"),
    [
        ("command=ls", ["ls"]),
        ("command=sh&command=-c&command=id", ["sh", "-c", "id"]),
        ("command=sh&stdin=true&command=-c&command=id", ["sh", "-c", "id"]),
        ("command=cat%20%2Fetc%2Fshadow", ["cat /etc/shadow"]),
        ("command=cat+/etc/shadow", ["cat /etc/shadow"]),
        ("command=a%2Bb", ["a+b"]),
        ("command=%E2%82%AC", ["\u20ac"]),
        ("command=%ff", ["\ufffd"]),
        ("command=sh%0A-c", ["sh\n-c"]),
        ("command=", [""]),
        ("command", [""]),
        # names are decoded by the API server, too
        ("%63ommand=id&comm%61nd=-u", ["id", "-u"]),
        # a fragment has no meaning in a request
        ("x=#&command=id", ["id"]),
        ("command=a;b", ["a;b"]),
        ("command=id?x=1", ["id?x=1"]),
        ("Command=id", None),
        ("container=app", None),
        ("", None),
    ],
)
def test_commands_are_read_as_the_api_server_reads_them(query: str, args: list[str] | None) -> None:
    assert args_of(f"{POD}?{query}") == args


@pytest.mark.parametrize(
    "uri",
    [
        "//[/api/v1/namespaces/shop/pods/web/exec?command=id",
        "/api/v1\t/namespaces/shop/pods/web/exec?command=id",
        "?command=id",
        "https://[::1/exec?command=id",
    ],
)
def test_an_odd_path_hides_no_command(uri: str) -> None:
    assert args_of(uri) == ["id"]


@pytest.mark.parametrize("count", [999, 1_001, 5_000])
def test_many_parameters_hide_no_command(count: int) -> None:
    facet = exec_facet(f"{POD}?{'x=1&' * count}command=id&container=app", KEY)
    assert facet["process.args"] == ["id"]
    assert facet["container.name"] == "app"


@pytest.mark.parametrize(
    ("query", "tty", "stdin"),
    [
        ("", None, None),
        ("tty=true&stdin=true", True, True),
        ("tty=1&stdin=1", True, True),
        ("tty=false&stdin=FALSE", False, False),
        ("tty=0&stdin=0", False, False),
        # everything else is true to the API server, nothing included
        ("tty=&stdin", True, True),
        ("tty=yes&stdin=t", True, True),
        ("tty=false&tty=true", False, None),
    ],
)
def test_flags_are_read_as_the_api_server_reads_them(
    query: str, tty: bool | None, stdin: bool | None
) -> None:
    facet = exec_facet(f"{POD}?{query}", KEY)
    assert facet.get("trailwarden.exec.tty") is tty
    assert facet.get("trailwarden.exec.stdin") is stdin


@pytest.mark.parametrize(
    ("path", "args", "container"),
    [
        ("/run/shop/web/app?cmd=id", ["id"], "app"),
        ("/run/shop/web/u-1/app?cmd=id", ["id"], "app"),
        ("/exec/shop/web/app?command=id&input=1&tty=1", ["id"], "app"),
        ("/%65xec/shop/web/app?command=id", ["id"], "app"),
        # each endpoint reads its own parameter: the other one hides nothing
        ("/run/shop/web/app?command=ls&cmd=id", ["id", "ls"], "app"),
        ("/exec/shop/web/app?cmd=ls&command=id", ["id", "ls"], "app"),
        ("/pods", None, None),
        ("/logs/shop/web/app", None, None),
    ],
)
def test_a_kubelet_behind_a_node_proxy_runs_commands_too(
    path: str, args: list[str] | None, container: str | None
) -> None:
    facet = exec_facet(f"{NODE}{path}", KEY)
    assert facet.get("process.args") == args
    assert facet.get("container.name") == container


def test_a_command_is_shown_joined_and_decoded() -> None:
    script = quote("echo aWQgLXU= | base64 -d | sh")
    facet = exec_facet(f"{POD}?command=sh&command=-c&command={script}&container=app", KEY)
    assert facet["process.command_line"] == "sh -c echo aWQgLXU= | base64 -d | sh"
    assert "id -u" in str(facet["trailwarden.exec.decoded"])
    assert facet["container.name"] == "app"


@pytest.mark.parametrize(("verb", "stage"), [("get", "ResponseStarted"), ("create", None)])
def test_an_exec_by_get_and_by_post_is_the_same_event(
    build: Build, row: Row, verb: str, stage: str | None
) -> None:
    found = row(
        build(
            verb=verb,
            stage=stage or "ResponseComplete",
            requestURI=f"{POD}?command=ls&container=app&stdin=true&tty=true",
            objectRef={"resource": "pods", "name": "web", "subresource": "exec"},
            responseStatus={"code": 101},
            requestObject=None,
        )
    )
    assert found["event.action"] == "exec"
    assert found["process.args"] == ["ls"]
    assert found["container.name"] == "app"
    assert found["trailwarden.exec.tty"] is True
    assert found["trailwarden.exec.stdin"] is True
    assert found["url.path"] == POD


def test_words_that_lost_a_secret_are_written_into_the_uri_again() -> None:
    uri = f"{POD}?container=a&command=app&command=--token&stdin=1&comm%61nd=hunter2"
    args = ["app", "--token", "[redacted:0123456789abcdef]"]
    assert with_args(uri, args) == (
        f"{POD}?container=a&command=app&command=--token&stdin=1&command=[redacted:0123456789abcdef]"
    )
    assert with_args(uri, ["app", "--token", "hunter2"]) == uri
    run = f"{NODE}/run/n/p/c?command=a%20b&cmd=hunter2"
    assert with_args(run, ["[redacted:0123456789abcdef]", "a b"]) == (
        f"{NODE}/run/n/p/c?command=a%20b&cmd=[redacted:0123456789abcdef]"
    )


def test_parameters_are_kept_in_order() -> None:
    assert query_of("/x?a=1&b=2&a=3&&c") == {"a": ["1", "3"], "b": ["2"], "": [""], "c": [""]}
    assert query_of("/x") == {"": [""]}


def test_a_uri_of_a_megabyte_is_read_in_time() -> None:
    started = time.process_time()
    exec_facet(f"{POD}?{'a=&' * 350_000}command=id", KEY)
    exec_facet(f"{POD}?{'command=a&' * 100_000}", KEY)
    exec_facet(f"{POD}?command={'%41' * 340_000}", KEY)
    assert time.process_time() - started < 5
