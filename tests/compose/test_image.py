from __future__ import annotations

import shlex
from pathlib import Path

from tests.compose.stack import ROOT


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    return [(word, rest) for word, rest in pairs]


def copied() -> list[str]:
    sources: list[str] = []
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            sources += shlex.split(rest)[:-1]
    return sources


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    start = max(i for i, (word, _) in enumerate(found) if word == "FROM")
    return found[start:]


def test_everything_that_is_copied_exists_and_is_not_ignored() -> None:
    kept = [
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    ]
    assert copied()
    for source in copied():
        assert (ROOT / source).exists(), source
        assert Path(source).parts[0] in kept, source


def test_the_context_is_closed_but_for_what_is_copied() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    kept = {line[1:] for line in rules if line.startswith("!")}
    assert kept == {Path(source).parts[0] for source in copied()}


def test_every_package_of_the_wheel_is_copied() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    line = next(line for line in text.splitlines() if line.startswith("packages = ["))
    packages = {word.strip(' "[]') for word in line.partition("=")[2].split(",")}
    assert packages <= set(copied())


def test_bases_are_pinned_by_version() -> None:
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert set(bases) == {"python:3.11-slim-bookworm"}


def test_it_runs_as_nobody_in_particular() -> None:
    users = [rest for word, rest in last_stage() if word == "USER"]
    assert users == ["10001:10001"]


def test_what_is_installed_is_what_was_locked() -> None:
    installs = [
        part
        for word, rest in instructions()
        if word == "RUN"
        for part in rest.split("&&")
        if "pip install" in part
    ]
    assert len(installs) == 3
    assert all("--require-hashes" in part or "--no-index" in part for part in installs)


def test_the_build_s_lock_is_part_of_the_developers() -> None:
    developers = (ROOT / "requirements" / "dev.lock").read_text()
    build = (ROOT / "requirements" / "build.lock").read_text()
    names = [line.split("==")[0] for line in build.splitlines() if "==" in line]
    assert "hatchling" in names
    assert all(line.rstrip(" \\") in developers for line in build.splitlines())


def test_it_is_checked_and_it_is_our_command() -> None:
    last = dict(last_stage())
    assert last["ENTRYPOINT"] == '["trailwarden"]'
    assert "/healthz" in last["HEALTHCHECK"]
    assert not last["HEALTHCHECK"].partition("CMD")[2].strip().startswith(("curl", "wget"))
