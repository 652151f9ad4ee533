from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from detectors.policy.audit_policy import (
    AuditLevel,
    AuditPolicy,
    Request,
    Resources,
    Stage,
    decide,
)
from detectors.policy.change import Change, apply, smallest_change
from detectors.policy.covering import covers
from detectors.policy.credentials import CREDENTIALS, highest_level
from detectors.policy.pack_acts import PackActs
from detectors.policy.reading import read_policy
from detectors.policy.verdicts import DetectionVerdict, Verdict, counted, judge, of_policy
from tests.detectors.policy.policies import ALL, HEAD, METADATA, QUIET, policy_of

REAL = ("audit-policy.yaml", "policy-metadata.yaml", "policy-omitmf.yaml")


def verdicts(shipped: PackActs, policy: AuditPolicy) -> dict[str, DetectionVerdict]:
    names = {one.id: one.file.stem for one in shipped.detections}
    judged = judge(shipped.acts, of_policy(policy))
    return {names[one.detection]: one for one in judged}


def lost(shipped: PackActs, policy: AuditPolicy) -> set[tuple[str, str]]:
    judged = judge(shipped.acts, of_policy(policy))
    return {(one.detection, act.act.name) for one in judged for act in one.lost}


def check_change(shipped: PackActs, policy: AuditPolicy) -> Change:
    """Nobody is blind after the change, and without any part of it somebody loses something."""
    change = smallest_change(policy, shipped.acts)
    changed = apply(policy, change)
    assert counted(judge(shipped.acts, of_policy(changed)))[Verdict.BLIND] == 0
    left = lost(shipped, changed)
    for one in change.insertions:
        rest = tuple(other for other in change.insertions if other is not one)
        assert lost(shipped, apply(policy, replace(change, insertions=rest))) > left, one
    for stage in change.stages:
        stages = tuple(other for other in change.stages if other is not stage)
        assert lost(shipped, apply(policy, replace(change, stages=stages))) > left, stage
    assert smallest_change(changed, shipped.acts).is_empty
    return change


@pytest.mark.parametrize("name", ALL)
def test_after_the_change_no_rule_is_blind_and_nothing_of_it_is_superfluous(
    shipped: PackActs, name: str
) -> None:
    check_change(shipped, policy_of(ALL[name]))


@pytest.mark.parametrize("name", REAL)
def test_the_same_holds_for_real_policies(shipped: PackActs, recording: Path, name: str) -> None:
    check_change(shipped, read_policy(recording / name))


@pytest.mark.parametrize("name", ALL)
def test_no_change_writes_credentials_into_the_log(shipped: PackActs, name: str) -> None:
    policy = policy_of(ALL[name])
    changed = apply(policy, smallest_change(policy, shipped.acts))
    for group, resource in CREDENTIALS:
        base, _, subresource = resource.partition("/")
        for verb in ("get", "create", "update", "patch"):
            request = Request(verb, "ann", (), True, group, base, subresource, "shop")
            before, after = decide(policy, request).level, decide(changed, request).level
            assert after <= max(before, highest_level(group, resource)), (verb, resource)


def test_every_detection_about_api_servers_gets_a_verdict(shipped: PackActs) -> None:
    judged = judge(shipped.acts, of_policy(policy_of(METADATA)))
    assert [one.detection for one in judged] == [one.id for one in shipped.detections]
    assert shipped.not_concerned > 0
    assert len(judged) >= 90


def test_all_see_what_a_policy_logs_with_all_of_it(shipped: PackActs) -> None:
    found = counted(judge(shipped.acts, of_policy(policy_of(ALL["everything"]))))
    assert found[Verdict.BLIND] == found[Verdict.WEAKENED] == found[Verdict.NEEDS_SECRETS] == 0


def test_metadata_hides_what_stands_in_bodies_and_nothing_else(shipped: PackActs) -> None:
    found = verdicts(shipped, policy_of(METADATA))
    assert found["privileged-container"].verdict is Verdict.BLIND
    assert found["wildcard-role"].verdict is Verdict.BLIND
    assert found["secrets-listed-cluster-wide"].verdict is Verdict.FIRES
    assert found["exec-reverse-shell"].verdict is Verdict.FIRES
    weakened = found["cluster-credential-created"]
    assert weakened.verdict is Verdict.WEAKENED
    assert "a token without an end for a service account" in {one.act.name for one in weakened.lost}


def test_a_workload_kind_that_no_case_names_is_missed_as_well(shipped: PackActs) -> None:
    policy = policy_of(
        f"{HEAD}omitStages: [RequestReceived]\nrules:\n"
        "- {level: Metadata, resources: [{group: apps, resources: [statefulsets]}]}\n"
        "- level: RequestResponse\n"
    )
    found = verdicts(shipped, policy)["privileged-container"]
    assert found.verdict is Verdict.WEAKENED
    assert {one.losses[0].request.resource for one in found.lost} == {"statefulsets"}
    assert all(one.act.likewise for one in found.lost)
    (insertion,) = smallest_change(policy, shipped.acts).insertions
    assert insertion.rule.resources[0].resources == ("statefulsets",)
    assert insertion.before == 0


def test_a_failed_authentication_needs_the_stage_that_it_is_logged_at(shipped: PackActs) -> None:
    policy = policy_of(f"{HEAD}omitStages: [ResponseStarted]\nrules:\n- level: RequestResponse\n")
    blind = {n for n, one in verdicts(shipped, policy).items() if one.verdict is Verdict.BLIND}
    change = smallest_change(policy, shipped.acts)
    assert change.stages == (Stage.RESPONSE_STARTED,)
    assert not change.insertions
    assert "exec-reverse-shell" not in blind


def test_an_inserted_rule_is_about_what_the_deciding_one_took_and_nothing_more(
    shipped: PackActs,
) -> None:
    policy = policy_of(QUIET)
    change = smallest_change(policy, shipped.acts)
    for one in change.insertions:
        if one.before == 0:
            assert one.rule.user_groups == ("system:serviceaccounts",)
        else:
            assert not one.rule.user_groups
    levels = [one.rule.level for one in change.insertions if one.before == 0]
    assert levels == sorted(levels, reverse=True)
    connecting = [
        one.rule
        for one in change.insertions
        if any("pods/exec" in group.resources for group in one.rule.resources)
    ]
    assert connecting
    assert all(not rule.verbs for rule in connecting)


@pytest.mark.parametrize("name", ["quiet", "nothing matches"])
def test_no_inserted_rule_names_what_one_in_front_of_it_takes(shipped: PackActs, name: str) -> None:
    policy = policy_of(ALL[name])
    changed = apply(policy, smallest_change(policy, shipped.acts))
    for number, rule in enumerate(changed.rules):
        front = [one for one in changed.rules[:number] if one.line == 0]
        for group in rule.resources if rule.line == 0 else ():
            for resource in group.resources:
                alone = replace(rule, resources=(Resources(group.group, (resource,)),))
                assert not any(covers(one, alone) for one in front), (resource, rule)


def test_a_rule_that_stands_in_for_bodies_is_not_needed_where_they_are(shipped: PackActs) -> None:
    unneeded = {
        name
        for name, one in verdicts(shipped, policy_of(ALL["everything"])).items()
        if any(act.outcome.value == "unneeded" for act in one.acts)
    }
    assert "cluster-rights-written-unseen" in unneeded
    found = verdicts(shipped, policy_of(METADATA))["cluster-rights-written-unseen"]
    assert found.verdict is Verdict.FIRES


def test_bodies_of_configmaps_are_asked_for_apart(shipped: PackActs) -> None:
    for name in ("metadata", "gce"):
        change = smallest_change(policy_of(ALL[name]), shipped.acts)
        rules = [
            one.rule
            for one in change.insertions
            if one.rule.level >= AuditLevel.REQUEST
            and any("configmaps" in group.resources for group in one.rule.resources)
        ]
        assert len(rules) == 1
        assert [group.resources for group in rules[0].resources] == [("configmaps",)]
