"""Exceptions are read, and refused where they would let strangers pass or say too little."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.sigma.compiler import load_rules
from detectors.sigma.errors import Problems
from detectors.sigma.exception_file import read_exceptions
from detectors.sigma.strict_yaml import parse

LISTS = {"ci_identities": ("ci-one", "ci-two"), "loose": ("*-ci",), "empty": ()}
ID = "0a0a0a0a-0000-4000-8000-000000000001"
DIGEST = "sha256:" + "0f" * 32


def problems_of(text: str, tmp_path: Path) -> list[tuple[int, str]]:
    file = tmp_path / "privileged-pod.yml"
    file.write_text(
        f"title: A rule\nname: privileged\nid: {ID}\nlogsource: {{product: kubernetes}}\n"
        "detection: {s: {verb: create}, condition: s}\n"
    )
    problems = Problems(Path("site.yml"))
    read = read_exceptions(parse(text.encode()), problems, load_rules([file]), LISTS)
    assert bool(read) != bool(problems.errors)
    assert all(one.detections == {ID} for one in read)
    return [(error.line, error.message) for error in problems.errors]


def written(where: str, rule: str = "privileged") -> str:
    return (
        f"- rule: {rule}\n  owner: ann\n  reason: agents need it\n  expires: 2027-03-01\n"
        f"  where:\n    {where}\n"
    )


@pytest.mark.parametrize(
    "rule", ["privileged", ID, "privileged-pod", "[privileged, privileged-pod]"]
)
def test_a_rule_is_named_by_its_name_its_id_or_its_file(tmp_path: Path, rule: str) -> None:
    assert problems_of(written("user.name: ci", rule), tmp_path) == []


@pytest.mark.parametrize(
    "where",
    [
        "user.name: ci",
        "user.username: [ci, cd]",
        "user.name: 'system:serviceaccount:ci:*'",
        "user.name|startswith: 'system:serviceaccount:ci:'",
        "user.name|expand: '%ci_identities%'",
        "user.effective.name: ci",
        "trailwarden.credential.id: JTI=1",
        "orchestrator.namespace: [monitoring, 'istio-*']",
        "trailwarden.identity.service_account.namespace: ci",
        f"container.image.name: 'reg.example/agent@{DIGEST}'",
        f"container.image.name: '*@{DIGEST}'",
        f"trailwarden.pod_spec.images|endswith: '@{DIGEST}'",
        f"file.hash.sha256: {'0f' * 32}",
        "container.image.name: agent\n    orchestrator.namespace: monitoring",
    ],
)
def test_a_scope_that_pins_somebody_or_something_is_taken(tmp_path: Path, where: str) -> None:
    assert problems_of(written(where), tmp_path) == []


@pytest.mark.parametrize(
    "where",
    [
        "container.image.name: falcosecurity/falco",
        "container.image.name|contains: sysdig",
        f"container.image.name|contains: '@{DIGEST}'",
        f"container.image.name|startswith: 'a@{DIGEST}'",
        f"container.image.name: 'agent@{DIGEST}*'",
        f"container.image.name: ['agent@{DIGEST}', agent]",
        "container.image.name: 'agent@sha256:0f0f'",
        f"file.hash.sha256|contains: {'0f' * 32}",
        "user_agent.original: agent",
        "source.ip: 10.0.0.1",
        "user.name: '*'",
        "user.name: '*-ci'",
        "user.name: [ci, '*']",
        "user.name: ''",
        "user.name|contains: ci",
        "user.name|endswith: ci",
        "user.name|re: '^ci$'",
        "user.name|neq: alice",
        "user.name|exists: true",
        "user.name: null",
        "user.name: [ci, null]",
        "user.name|fieldref: user.effective.name",
        "user.name: system:anonymous",
        "user.name: 'system:*'",
        "user.name|startswith: 'system:serviceaccount:'",
        "user.name|expand: '%loose%'",
        "trailwarden.pod_spec.service_account: agent",
        "trailwarden.identity.service_account.name: agent",
        "orchestrator.namespace|neq: production",
        "orchestrator.namespace: '*'",
    ],
)
def test_a_scope_that_an_attacker_can_choose_is_refused_with_the_reason(
    tmp_path: Path, where: str
) -> None:
    ((line, message),) = problems_of(written(where), tmp_path)
    assert line == 6
    assert "can be chosen by an attacker" in message


RECALLED = "trailwarden.recalled.pod_author"


def test_what_is_remembered_is_known_only_of_rules_that_ask(tmp_path: Path) -> None:
    where = f"user.name: ci\n    {RECALLED}: ann"
    ((line, message),) = problems_of(written(where), tmp_path)
    assert line == 6
    assert message.startswith(f"{RECALLED} is known only where a rule asks what is remembered")
    assert message.endswith(": 'privileged-pod'")


def test_what_is_remembered_pins_nobody(tmp_path: Path) -> None:
    ((_, message),) = problems_of(written(f"{RECALLED}: ann"), tmp_path)
    assert "can be chosen by an attacker" in message


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("rule: privileged", "rule: priviledged"), 1, "did you mean 'privileged'?"),
        (("  owner: ann\n", ""), 1, "an exception needs 'owner'"),
        (("owner: ann", "owner: ''"), 2, "'owner' must not be empty"),
        (("reason: agents need it", "reason: ' '"), 3, "'reason' must not be empty"),
        (("  reason: agents need it\n", ""), 1, "an exception needs 'reason'"),
        (("  expires: 2027-03-01\n", ""), 1, "an exception needs 'expires'"),
        (("2027-03-01", "next year"), 4, "'expires' must be a date as in 2026-11-21"),
        (("owner:", "ownr: x\n  owner:"), 2, "unknown key 'ownr' in an exception, did you mean"),
        (("  where:\n    user.name: ci\n", ""), 1, "an exception needs 'where'"),
        (("where:\n    user.name: ci", "where: [{user.name: ci}]"), 5, "must be a mapping"),
        (("where:\n    user.name: ci", "where: {}"), 5, "the selection is empty"),
        (("user.name: ci", "user.nam: ci"), 6, "unknown field 'user.nam'"),
        (("user.name: ci", "user.name|expand: '%nobody%'"), 6, "no list 'nobody'"),
        (("owner: ann", "clusters: []\n  owner: ann"), 2, "'clusters' is empty"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, change: tuple[str, str], line: int, message: str
) -> None:
    text = written("user.name: ci")
    assert change[0] in text
    ((found, said),) = problems_of(text.replace(*change), tmp_path)
    assert found == line
    assert message in said


@pytest.mark.parametrize("text", ["a: b", "text", "- text", "- []"])
def test_what_is_no_list_of_mappings_is_refused(tmp_path: Path, text: str) -> None:
    ((_, message),) = problems_of(text, tmp_path)
    assert "must be a" in message


def test_every_problem_of_every_exception_is_told(tmp_path: Path) -> None:
    text = written("container.image.name: a") + written("user.name: ci", rule="other")
    assert [line for line, _ in problems_of(text, tmp_path)] == [6, 7]
