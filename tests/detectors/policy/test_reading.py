from __future__ import annotations

from pathlib import Path

import pytest

from detectors.policy.audit_policy import AuditLevel, Stage
from detectors.policy.reading import read_policy
from detectors.sigma.errors import InvalidRulesError
from tests.detectors.policy.policies import ALL, HEAD, policy_of


def refused(tmp_path: Path, text: str) -> list[tuple[int, str]]:
    file = tmp_path / "policy.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidRulesError) as caught:
        read_policy(file)
    return [(error.line, error.message) for error in caught.value.errors]


@pytest.mark.parametrize("name", ALL)
def test_policies_as_people_write_them_are_read(name: str) -> None:
    assert policy_of(ALL[name]).rules


@pytest.mark.parametrize(
    "name", ["audit-policy.yaml", "policy-metadata.yaml", "policy-omitmf.yaml"]
)
def test_the_policies_of_a_real_api_server_are_read(recording: Path, name: str) -> None:
    assert read_policy(recording / name).rules


def test_all_that_a_policy_can_say_is_kept_with_the_line_of_each_rule() -> None:
    policy = policy_of(
        HEAD
        + """\
metadata: {name: default}
omitManagedFields: true
omitStages: [RequestReceived]
rules:
  - level: Request
    users: [a]
    userGroups: [b]
    verbs: [get]
    namespaces: [""]
    resources: [{group: apps, resources: [deployments], resourceNames: [web]}]
    omitStages: [Panic]
    omitManagedFields: false
  - level: None
    nonResourceURLs: ["/healthz*", "*"]
"""
    )
    first, second = policy.rules
    assert policy.omit_managed_fields
    assert (policy.omit_stages, policy.omit_stages_line) == ((Stage.REQUEST_RECEIVED,), 5)
    assert (first.users, first.user_groups, first.verbs) == (("a",), ("b",), ("get",))
    assert first.namespaces == ("",)
    (resources,) = first.resources
    assert (resources.group, resources.resources) == ("apps", ("deployments",))
    assert resources.names == ("web",)
    assert (first.omit_stages, first.omit_managed_fields) == ((Stage.PANIC,), False)
    assert (second.level, second.urls) == (AuditLevel.NONE, ("/healthz*", "*"))
    assert (first.line, second.line) == (7, 15)


def test_json_is_yaml() -> None:
    text = '{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "None"}]}'
    assert policy_of(text).rules[0].level is AuditLevel.NONE


@pytest.mark.parametrize(
    ("rest", "line", "words"),
    [
        ("rules: []\n", 3, "at least one rule"),
        ("rules:\n- {level: metadata}\n", 4, "did you mean 'Metadata'?"),
        ("rules:\n- {users: [a]}\n", 4, "it is missing"),
        ("rules:\n- level: None\n  verb: [get]\n", 5, "unknown key 'verb', did you mean 'verbs'?"),
        ("rule:\n- level: None\n", 3, "did you mean 'rules'?"),
        ("rules:\n- level: None\n  verbs: get\n", 5, "'verbs' must be a list of texts"),
        ("rules:\n- level: None\n  resources: [pods]\n", 5, "must be a mapping with 'group'"),
        (
            "rules:\n- level: None\n  resources:\n  - {group: apps/v1, resources: [a]}\n",
            6,
            "without its version",
        ),
        (
            "rules:\n- level: None\n  resources:\n  - {group: apps, resourceNames: [a]}\n",
            6,
            "'resourceNames' needs 'resources'",
        ),
        ("rules:\n- level: None\n  nonResourceURLs: [healthz]\n", 5, "begins with '/'"),
        ("rules:\n- level: None\n  nonResourceURLs: ['/a*b']\n", 5, "last character"),
        (
            "rules:\n- level: None\n  namespaces: [a]\n  nonResourceURLs: ['/a']\n",
            6,
            "not both",
        ),
        ("rules:\n- level: None\n  omitStages: [Received]\n", 5, "a stage is one of"),
        ("rules:\n- level: None\n  omitManagedFields: 1\n", 5, "must be true or false"),
        ("omitStages: RequestReceived\nrules:\n- level: None\n", 3, "must be a list"),
        ("rules:\n- None\n", 4, "a rule must be a mapping"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(
    tmp_path: Path, rest: str, line: int, words: str
) -> None:
    found = refused(tmp_path, HEAD + rest)
    assert any(at == line and words in message for at, message in found), found


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("apiVersion: audit.k8s.io/v1beta1\nkind: Policy\n", "not 'audit.k8s.io/v1beta1'"),
        ("apiVersion: audit.k8s.io/v1\n", "'kind' must be Policy, but it is missing"),
        ("apiVersion: v1\nkind: ConfigMap\n", "'kind' must be Policy, not 'ConfigMap'"),
    ],
)
def test_other_documents_are_refused(tmp_path: Path, head: str, words: str) -> None:
    found = refused(tmp_path, head + "rules:\n- level: None\n")
    assert any(words in message for _, message in found)


def test_all_problems_are_told_at_once_and_a_missing_file_is_one(tmp_path: Path) -> None:
    found = refused(tmp_path, "kind: Polic\nrules:\n- level: Nothing\n- level: None\n  verb: [a]\n")
    assert len(found) == 4
    with pytest.raises(InvalidRulesError, match="cannot be read"):
        read_policy(tmp_path / "nowhere.yaml")
