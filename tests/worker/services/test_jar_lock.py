from __future__ import annotations

from pathlib import Path

import pytest

from worker.services.errors import ServiceError
from worker.services.jar_lock import (
    ENDPOINTS,
    LOCK_FILE,
    Jar,
    Server,
    format_lock,
    locked_jars,
    parse_lock,
)

HASH = "ab" * 32
LOCK = f"""# a comment

[kafka]
org.example:broker:1.0 sha256:{HASH}
org.example:native:1.0:linux-x86_64 sha256:{HASH.upper()}

[elasticsearch]
org.example:node:2.0 sha256:{HASH}
"""


def test_each_server_has_its_jars() -> None:
    found = parse_lock(LOCK)
    assert [jar.coordinates for jar in found[Server.KAFKA]] == [
        "org.example:broker:1.0",
        "org.example:native:1.0:linux-x86_64",
    ]
    assert {jar.sha256 for jars in found.values() for jar in jars} == {HASH}


def test_a_jar_lies_where_maven_keeps_it() -> None:
    plain, native = parse_lock(LOCK)[Server.KAFKA]
    assert plain.path == Path("org/example/broker/1.0/broker-1.0.jar")
    assert native.path == Path("org/example/native/1.0/native-1.0-linux-x86_64.jar")


def test_what_is_written_is_read() -> None:
    jars = parse_lock(LOCK)
    assert parse_lock(format_lock(jars)) == jars


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("org.example:broker sha256:" + HASH, "not group:artifact:version"),
        ("org.example:broker:1.0", "not a sha256"),
        ("org.example:broker:1.0 " + HASH, "not a sha256"),
        ("org.example:broker:1.0 sha256:" + HASH[:-2], "not a sha256"),
        ("org.example:broker:1.0 sha256:" + "zz" * 32, "non-hexadecimal"),
        ("org.example::1.0 sha256:" + HASH, "not group:artifact:version"),
        ("org.example:../../etc:1.0 sha256:" + HASH, "not group:artifact:version"),
        ("org.example:/etc:1.0 sha256:" + HASH, "not group:artifact:version"),
        ("org.example:node:2.0 sha256:" + HASH, "listed twice"),
        ("[zookeeper]", "zookeeper"),
    ],
)
def test_a_bad_line_is_refused_with_its_place(line: str, reason: str) -> None:
    with pytest.raises(ServiceError, match=reason) as caught:
        parse_lock(LOCK + line, "some.lock")
    assert str(caught.value).startswith(f"some.lock:{LOCK.count(chr(10)) + 1}: ")


def test_a_jar_of_no_server_is_refused() -> None:
    with pytest.raises(ServiceError, match=r"some.lock:1: a jar before the first"):
        parse_lock(f"org.example:broker:1.0 sha256:{HASH}", "some.lock")


def test_a_lock_without_a_server_is_refused() -> None:
    with pytest.raises(ServiceError, match="lists no jars of elasticsearch"):
        parse_lock(LOCK.partition("[elasticsearch]")[0])


@pytest.mark.parametrize("server", Server)
def test_the_shipped_lock_holds_what_is_asked_for(server: Server) -> None:
    locked = {jar.coordinates for jar in locked_jars(server)}
    assert locked >= {endpoint.removesuffix("!") for endpoint in ENDPOINTS[server]}


@pytest.mark.parametrize("server", Server)
def test_the_shipped_lock_has_one_version_of_each_jar(server: Server) -> None:
    names = [(jar.group, jar.artifact, jar.classifier) for jar in locked_jars(server)]
    assert len(names) == len(set(names))


def test_the_shipped_lock_is_as_the_writer_writes_it() -> None:
    text = LOCK_FILE.read_text()
    assert format_lock(parse_lock(text)) == text


def test_the_shipped_lock_names_no_place() -> None:
    assert "//" not in LOCK_FILE.read_text()


def test_coordinates_have_no_empty_classifier() -> None:
    assert Jar("g", "a", "1", "", HASH).coordinates == "g:a:1"
