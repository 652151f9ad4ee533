from __future__ import annotations

from pathlib import Path

import pytest

from detectors.policy.reading import read_policy
from detectors.policy.traps import hints
from tests.detectors.policy.policies import HEAD, policy_of

FINE = f"{HEAD}omitStages: [RequestReceived]\nrules:\n"


def told(rules: str, head: str = FINE) -> list[tuple[int, str]]:
    return [(hint.line, hint.text) for hint in hints(policy_of(head + rules))]


def test_a_policy_that_does_what_it_says_gets_no_hint(recording: Path) -> None:
    assert told("- level: Metadata\n") == []
    assert hints(read_policy(recording / "audit-policy.yaml")) == []


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ("{group: '', resources: [deployments]}", "'deployments' is not in the core group"),
        ("{group: '', resources: [deployments/scale]}", "but in 'apps'"),
        ("{group: extensions, resources: [ingresses]}", "no more: ingresses is elsewhere"),
        ("{group: extensions}", "group 'extensions' is served no more"),
        ("{group: apps, resources: [ingresses]}", "but in 'networking.k8s.io'"),
        ("{group: apps, resources: [pods]}", "'pods' is not in group 'apps' but in ''"),
        ("{group: batch, resources: [events]}", "in '' and 'events.k8s.io'"),
    ],
)
def test_a_resource_in_the_wrong_group_never_matches(resources: str, words: str) -> None:
    found = told(f"- level: None\n  resources: [{resources}]\n- level: Metadata\n")
    assert any(line == 5 and words in text for line, text in found), found


def test_groups_of_others_and_wildcards_are_nobodys_mistake() -> None:
    groups = "{group: example.com, resources: [deployments]}, {group: apps, resources: ['*/scale']}"
    assert told(f"- level: None\n  resources: [{groups}]\n- level: Metadata\n") == []


@pytest.mark.parametrize(
    ("first", "second", "is_dead"),
    [
        ("level: None", "verbs: [get]", True),
        ("verbs: [get]", "verbs: [get, list]", False),
        ("verbs: [get, list]", "verbs: [get]", True),
        ("verbs: [get]", "users: [a]", False),
        ("users: [a, b]", "{users: [a], verbs: [get]}", True),
        ("userGroups: [a]", "userGroups: [b]", False),
        ("resources: [{group: ''}]", "resources: [{group: '', resources: [pods]}]", True),
        ("resources: [{group: ''}]", "resources: [{group: apps}]", False),
        ("resources: [{group: ''}]", "namespaces: [a]", False),
        ("namespaces: [a, b]", "namespaces: [a]", True),
        ("namespaces: [a]", "verbs: [get]", False),
        (
            "resources: [{group: '', resources: ['*']}]",
            "resources: [{group: ''}]",
            True,
        ),
        (
            "resources: [{group: '', resources: ['pods/*']}]",
            "resources: [{group: '', resources: [pods, pods/exec]}]",
            True,
        ),
        (
            "resources: [{group: '', resources: ['*/status']}]",
            "resources: [{group: '', resources: [pods/status, pods]}]",
            False,
        ),
        (
            "resources: [{group: '', resources: [pods], resourceNames: [a]}]",
            "resources: [{group: '', resources: [pods]}]",
            False,
        ),
        (
            "resources: [{group: '', resources: [pods]}]",
            "resources: [{group: '', resources: [pods], resourceNames: [a]}]",
            True,
        ),
        ("nonResourceURLs: ['/a*']", "nonResourceURLs: ['/api', '/a/b*']", True),
        ("nonResourceURLs: ['/a*']", "nonResourceURLs: ['/b']", False),
        ("nonResourceURLs: ['/api']", "nonResourceURLs: ['/api*']", False),
        ("nonResourceURLs: ['*']", "verbs: [get]", False),
        ("nonResourceURLs: ['*']", "resources: [{group: ''}]", False),
    ],
)
def test_a_rule_behind_one_that_takes_all_of_it_is_dead(
    first: str, second: str, is_dead: bool
) -> None:
    def rule(text: str) -> str:
        inner = text.strip("{}") if text.startswith("{") else text
        return f"- {{level: None, {inner}}}\n" if "level" not in inner else f"- {{{inner}}}\n"

    found = told(rule(first) + rule(second))
    dead = [(line, text) for line, text in found if text.startswith("dead")]
    assert [line for line, _ in dead] == ([6] if is_dead else [])
    assert all("the rule on line 5 (None)" in text for _, text in dead)


def test_credentials_in_the_log_are_named_with_the_rule_that_writes_them() -> None:
    found = told("- {level: None, verbs: [watch]}\n- level: RequestResponse\n")
    assert {line for line, _ in found} == {6}
    text = " ".join(text for _, text in found)
    for resource in ("secrets", "tokenreviews", "serviceaccounts/token"):
        assert f"credentials in {resource}" in text
    written = told("- level: Request\n")
    assert len(written) == 2
    assert not any("(get)" in text for _, text in written)


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ("[RequestReceived, ResponseStarted]", "failed authentication"),
        ("[RequestReceived, ResponseComplete]", "how it ended"),
        ("[Panic]", "logged twice"),
    ],
)
def test_stages_that_must_not_or_may_be_left_out(stages: str, words: str) -> None:
    head = f"{HEAD}omitStages: {stages}\nrules:\n"
    assert [(line, words in text) for line, text in told("- level: Metadata\n", head)] == [
        (3, True)
    ]
    own = told(f"- {{level: Metadata, omitStages: {stages}}}\n", f"{HEAD}rules:\n")
    assert any(words in text for _, text in own)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("verbs: ['*']", "verb '*': no request has it"),
        ("verbs: [Create]", "verb 'Create'"),
        ("users: ['system:*']", "users knows no wildcard"),
        ("namespaces: ['kube-*']", "namespaces knows no wildcard"),
        (
            "verbs: [create], resources: [{group: '', resources: [pods], resourceNames: [a]}]",
            "never match a create",
        ),
        ("nonResourceURLs: ['/api'], verbs: [list]", "verb 'list'"),
    ],
)
def test_words_that_match_nothing_are_told(rule: str, words: str) -> None:
    found = told(f"- {{level: None, {rule}}}\n- level: Metadata\n")
    assert [line for line, text in found if words in text] == [5]
