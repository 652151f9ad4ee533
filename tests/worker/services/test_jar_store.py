"""Only bytes with the locked hash are used, whatever the registry, the disk or a crash did."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from worker.services.errors import ServiceError
from worker.services.jar_lock import Jar
from worker.services.jar_store import verified_paths

NO_PAUSES = (0.0, 0.0)


def jar(name: str) -> Jar:
    return Jar("org.example", name, "1.0", "", hashlib.sha256(content(name)).hexdigest())


def content(name: str) -> bytes:
    return f"bytes of {name}".encode()


JARS = tuple(jar(name) for name in ("broker", "client", "codec"))


class Registry:
    """A registry that serves the right bytes but for what it was told to spoil."""

    def __init__(self, *, spoiled: dict[str, bytes] | None = None, failures: int = 0) -> None:
        self.spoiled = spoiled or {}
        self.failures = failures
        self.asked: list[list[str]] = []

    def fetch(self, jars: Sequence[Jar], folder: Path) -> str | None:
        """Serve all; while failures are left, only the first and a torn second."""
        self.asked.append([jar.artifact for jar in jars])
        failing = len(self.asked) <= self.failures
        for place, wanted in enumerate(jars[:2] if failing else jars):
            data = self.spoiled.get(wanted.artifact, content(wanted.artifact))
            file = folder / wanted.path
            file.parent.mkdir(parents=True)
            file.write_bytes(data[:3] if failing and place == 1 else data)
        return "503 Service Unavailable" if failing else None


def test_missing_jars_are_fetched_and_returned_in_order(tmp_path: Path) -> None:
    registry = Registry()
    paths = verified_paths(JARS, tmp_path, registry.fetch)
    assert [path.read_bytes() for path in paths] == [content(jar.artifact) for jar in JARS]
    assert registry.asked == [["broker", "client", "codec"]]


def test_nothing_is_asked_for_when_all_is_there(tmp_path: Path) -> None:
    verified_paths(JARS, tmp_path, Registry().fetch)
    registry = Registry()
    assert verified_paths(JARS, tmp_path, registry.fetch)
    assert registry.asked == []


def test_a_tampered_jar_is_refused_and_not_replaced(tmp_path: Path) -> None:
    first, *_ = verified_paths(JARS, tmp_path, Registry().fetch)
    first.write_bytes(content("broker") + b"!")
    registry = Registry()
    with pytest.raises(ServiceError, match=r"org\.example:broker:1\.0: it is not used") as caught:
        verified_paths(JARS, tmp_path, registry.fetch)
    assert str(first) in str(caught.value)
    assert registry.asked == []


def test_a_registry_that_gives_other_bytes_is_refused(tmp_path: Path) -> None:
    registry = Registry(spoiled={"client": b"evil"})
    with pytest.raises(ServiceError, match=r"client:1\.0: the registry gave sha256 .*: refused"):
        verified_paths(JARS, tmp_path, registry.fetch, NO_PAUSES)
    assert not (tmp_path / JARS[1].path).exists()


def test_a_failing_registry_is_asked_again_for_the_rest_alone(tmp_path: Path) -> None:
    registry = Registry(failures=1)
    paths = verified_paths(JARS, tmp_path, registry.fetch, NO_PAUSES)
    assert registry.asked == [["broker", "client", "codec"], ["client", "codec"]]
    assert [path.read_bytes() for path in paths] == [content(jar.artifact) for jar in JARS]


def test_a_registry_that_stays_away_is_reported_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="503 Service Unavailable") as caught:
        verified_paths(JARS, tmp_path, lambda *_: "503 Service Unavailable", NO_PAUSES)
    assert "3 of 3 jars could not be fetched in 3 attempts" in str(caught.value)


def test_what_a_killed_process_left_is_not_used(tmp_path: Path) -> None:
    torn = tmp_path / ".trailwarden-staging" / JARS[0].path
    torn.parent.mkdir(parents=True)
    torn.write_bytes(b"by")
    paths = verified_paths(JARS, tmp_path, Registry().fetch)
    assert paths[0].read_bytes() == content("broker")
    assert not (tmp_path / ".trailwarden-staging").exists()


def test_processes_at_once_take_turns(tmp_path: Path, root: Path) -> None:
    script = root / "tests" / "worker" / "services" / "fetching_process.py"
    command = [sys.executable, str(script), str(tmp_path)]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) for _ in range(3)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in started]
    assert all(process.returncode == 0 for process in started)
    assert sorted(outputs) == ["fetched\n", "found\n", "found\n"]


def test_without_a_network_the_resolver_is_quoted(tmp_path: Path, root: Path) -> None:
    script = root / "tests" / "worker" / "services" / "fetching_process.py"
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "repository"), "--real"],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env={"HOME": str(tmp_path), "https_proxy": "http://127.0.0.1:9", "PATH": "/usr/bin"},
    )
    assert "of 3 jars could not be fetched" in done.stderr
    assert "The resolver says:\norg.example:broker:1.0: " in done.stderr
    assert "ProxyError" in done.stderr
