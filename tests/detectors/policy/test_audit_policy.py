from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from detectors.policy.audit_policy import AuditLevel, Request, Stage, decide
from detectors.policy.reading import read_policy
from detectors.policy.record_cut import request_of, stages_of
from tests.detectors.policy.policies import HEAD, policy_of

POD = Request("get", "ann", ("dev",), True, "", "pods", "", "shop", "web")
EXEC = replace(POD, subresource="exec")
HEALTH = Request("get", "ann", ("dev",), is_resource=False, path="/healthz/etcd")
NOBODY = replace(POD, user=None, user_groups=())


def level(rule: str, request: Request) -> AuditLevel:
    """What a policy of one rule logs; a catch-all behind it says Metadata."""
    policy = policy_of(f"{HEAD}rules:\n- {{level: RequestResponse, {rule}}}\n- level: Metadata\n")
    return decide(policy, request).level


def is_about(rule: str, request: Request) -> bool:
    return level(rule, request) is AuditLevel.REQUEST_RESPONSE


@pytest.mark.parametrize(
    ("rule", "request_", "expected"),
    [
        ("users: [ann]", POD, True),
        ("users: [bob]", POD, False),
        ("users: [ann]", NOBODY, False),
        ("userGroups: [ops, dev]", POD, True),
        ("userGroups: [dev]", NOBODY, False),
        ("verbs: [list]", POD, False),
        ("verbs: [list, get]", POD, True),
        ("namespaces: [shop]", POD, True),
        ("namespaces: ['']", POD, False),
        ("namespaces: ['']", replace(POD, namespace=""), True),
        ("namespaces: [shop]", HEALTH, False),
        ("resources: [{group: ''}]", EXEC, True),
        ("resources: [{group: apps}]", POD, False),
        ("resources: [{resources: [pods]}]", POD, True),
        ("resources: [{group: '', resources: [pods]}]", EXEC, False),
        ("resources: [{group: '', resources: [pods/exec]}]", EXEC, True),
        ("resources: [{group: '', resources: [pods/exec]}]", POD, False),
        ("resources: [{group: '', resources: ['*']}]", EXEC, True),
        ("resources: [{group: '', resources: ['pods/*']}]", EXEC, True),
        # checker.go cuts the suffix off and compares with the resource alone.
        ("resources: [{group: '', resources: ['pods/*']}]", POD, True),
        ("resources: [{group: '', resources: ['*/exec']}]", EXEC, True),
        ("resources: [{group: '', resources: ['*/exec']}]", POD, False),
        ("resources: [{group: '', resources: [pods], resourceNames: [web]}]", POD, True),
        ("resources: [{group: '', resources: [pods], resourceNames: [db]}]", POD, False),
        ("nonResourceURLs: ['/healthz*']", HEALTH, True),
        ("nonResourceURLs: ['/healthz/*']", HEALTH, True),
        ("nonResourceURLs: [/healthz]", HEALTH, False),
        ("nonResourceURLs: ['*']", HEALTH, True),
        ("nonResourceURLs: ['*']", POD, False),
        ("users: []", POD, True),
    ],
)
def test_a_rule_is_about_what_it_names(rule: str, request_: Request, expected: bool) -> None:
    assert is_about(rule, request_) is expected


def test_the_first_rule_that_matches_decides_and_without_one_nothing_is_logged() -> None:
    policy = policy_of(
        f"{HEAD}rules:\n- {{level: None, verbs: [get]}}\n- {{level: Metadata, users: [ann]}}\n"
    )
    assert decide(policy, POD).rule == 0
    assert decide(policy, replace(POD, verb="list")).level is AuditLevel.METADATA
    unmatched = decide(policy, replace(POD, verb="list", user="bob"))
    assert (unmatched.level, unmatched.rule) == (AuditLevel.NONE, None)


def test_stages_add_up_and_managed_fields_are_the_rules_to_overrule() -> None:
    policy = policy_of(
        HEAD
        + "omitStages: [RequestReceived]\nomitManagedFields: true\nrules:\n"
        + "- {level: Metadata, verbs: [get], omitStages: [Panic], omitManagedFields: false}\n"
        + "- level: Request\n"
    )
    first, second = decide(policy, POD), decide(policy, replace(POD, verb="list"))
    assert first.omitted == {Stage.REQUEST_RECEIVED, Stage.PANIC}
    assert (first.omit_managed_fields, second.omit_managed_fields) == (False, True)
    assert second.omitted == {Stage.REQUEST_RECEIVED}


@pytest.fixture(scope="module")
def records(recording: Path) -> list[bytes]:
    with gzip.open(recording / "audit.log.gz") as log:
        return log.readlines()


def test_a_real_api_server_logged_each_request_at_the_level_that_is_worked_out(
    recording: Path, records: list[bytes]
) -> None:
    policy = read_policy(recording / "audit-policy.yaml")
    for raw in records[::3]:
        record = orjson.loads(raw)
        decision = decide(policy, request_of(record))
        assert decision.level.text == record["level"], record["requestURI"]
        assert record["stage"] not in decision.omitted


def test_a_real_api_server_wrote_the_stages_that_are_worked_out(records: list[bytes]) -> None:
    seen: dict[str, set[str]] = {}
    expected: dict[str, set[str]] = {}
    for raw in records:
        record = orjson.loads(raw)
        seen.setdefault(record["auditID"], set()).add(record["stage"])
        if record["stage"] != "ResponseComplete":
            expected.setdefault(record["auditID"], set(map(str, stages_of(record))))
    unended = {id_ for id_, stages in seen.items() if stages == {"ResponseStarted"}}
    assert len(expected) > len(unended)
    for id_, stages in expected.items():
        # What had not ended when the recording did lacks its end, but for failed authentication.
        rest = stages - {"RequestReceived"} - seen[id_]
        assert not rest or (id_ in unended and rest == {"ResponseComplete"})
