"""Verdicts and changes for acts that stand here in full: no rule is run."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.policy.acts import Act, Sight, Variant
from detectors.policy.audit_policy import LOGGED, AuditLevel, Request, Stage
from detectors.policy.change import Insertion, smallest_change
from detectors.policy.verdicts import Outcome, Verdict, judge, of_policy
from tests.detectors.policy.policies import HEAD, policy_of

OWN = frozenset({"rule"})
COMPLETE = Stage.RESPONSE_COMPLETE
ABOVE_NONE = f"{HEAD}rules:\n- level: Metadata\n"


def sight(*levels: AuditLevel, stage: Stage = COMPLETE, **request: Any) -> Sight:
    """A request of ann that is seen at these levels, at one stage."""
    values: dict[str, Any] = {"verb": "create", "user": "ann", "user_groups": ("dev",)}
    values |= {"is_resource": True, "resource": "pods", "namespace": "shop"} | request
    seen = {Variant(level, stage): OWN for level in levels}
    return Sight(Request(**values), (stage, Stage.REQUEST_RECEIVED), OWN, seen)


def act(*sights: Sight, detection: str = "rule", name: str = "act", estimated: bool = False) -> Act:
    return Act(detection, name, sights, estimated=estimated)


NEEDS_BODY = LOGGED[1:]


def verdict_of(policy: str, *acts: Act) -> Verdict:
    (one,) = judge(acts, of_policy(policy_of(policy)))
    return one.verdict


def insertions(policy: str, *acts: Act) -> tuple[Insertion, ...]:
    return smallest_change(policy_of(policy), acts).insertions


def test_a_verdict_is_the_sum_of_its_acts() -> None:
    seen, lost = act(sight(*LOGGED)), act(sight(*NEEDS_BODY), name="other")
    unneeded = act(sight(AuditLevel.METADATA))
    assert verdict_of(ABOVE_NONE, seen) is Verdict.FIRES
    assert verdict_of(ABOVE_NONE, seen, lost) is Verdict.WEAKENED
    assert verdict_of(ABOVE_NONE, lost) is Verdict.BLIND
    everything = f"{HEAD}rules:\n- level: RequestResponse\n"
    assert verdict_of(everything, unneeded) is Verdict.NOT_NEEDED
    assert verdict_of(everything, unneeded, seen) is Verdict.FIRES
    assert verdict_of(everything, unneeded, lost) is Verdict.FIRES


def test_an_act_of_several_requests_is_lost_with_any_of_them() -> None:
    both = act(sight(*LOGGED), sight(*NEEDS_BODY))
    ((judged,),) = (one.acts for one in judge([both], of_policy(policy_of(ABOVE_NONE))))
    assert judged.outcome is Outcome.LOST
    assert len(judged.losses) == 1
    assert judged.losses[0].level is AuditLevel.REQUEST


def test_what_nobody_knows_is_told_apart_from_what_is_lost() -> None:
    (one,) = judge([act(sight(*LOGGED))], lambda _: None)
    assert one.verdict is Verdict.CANNOT_TELL


def test_what_only_credentials_would_show_is_not_called_blind_and_not_suggested() -> None:
    secret = act(sight(*NEEDS_BODY, resource="secrets"))
    assert verdict_of(ABOVE_NONE, secret) is Verdict.NEEDS_SECRETS
    assert insertions(ABOVE_NONE, secret) == ()
    also = act(sight(*NEEDS_BODY), name="other")
    assert verdict_of(ABOVE_NONE, secret, also) is Verdict.BLIND
    (insertion,) = insertions(ABOVE_NONE, secret, also)
    assert insertion.rule.resources[0].resources == ("pods",)


def test_the_request_for_a_token_may_be_logged_and_the_answer_may_not() -> None:
    token: dict[str, Any] = {"resource": "serviceaccounts", "subresource": "token"}
    (insertion,) = insertions(ABOVE_NONE, act(sight(*NEEDS_BODY, **token)))
    assert insertion.rule.level is AuditLevel.REQUEST
    answer = act(sight(AuditLevel.REQUEST_RESPONSE, **token))
    assert insertions(ABOVE_NONE, answer) == ()


def test_an_inserted_rule_keeps_whom_and_where_the_deciding_one_is_about() -> None:
    policy = f"""{HEAD}rules:
- level: None
  users: [ann, bob]
  userGroups: [dev]
  namespaces: [shop]
  omitStages: [Panic, ResponseComplete]
  omitManagedFields: true
- level: RequestResponse
"""
    (insertion,) = insertions(policy, act(sight(*LOGGED)))
    rule = insertion.rule
    assert insertion.before == 0
    assert (rule.users, rule.user_groups) == (("ann", "bob"), ("dev",))
    assert (rule.namespaces, rule.omit_managed_fields) == (("shop",), True)
    # The stage that is needed is not left out any more.
    assert rule.omit_stages == (Stage.PANIC,)


def test_where_no_rule_matches_one_is_added_behind_the_last() -> None:
    policy = f"{HEAD}rules:\n- {{level: Metadata, users: [bob]}}\n"
    (insertion,) = insertions(policy, act(sight(*LOGGED)))
    assert insertion.before == 1
    assert not insertion.rule.users


def test_a_stage_that_the_policy_leaves_out_is_taken_from_there() -> None:
    policy = f"{HEAD}omitStages: [Panic, ResponseComplete]\nrules:\n- level: Metadata\n"
    change = smallest_change(policy_of(policy), [act(sight(*LOGGED))])
    assert change.stages == (COMPLETE,)
    assert not change.insertions
    both = smallest_change(policy_of(policy), [act(sight(*NEEDS_BODY))])
    assert (both.stages, len(both.insertions)) == ((COMPLETE,), 1)
    assert both.insertions[0].rule.level is AuditLevel.REQUEST


def test_a_level_is_never_lowered_for_a_stage() -> None:
    policy = f"{HEAD}rules:\n- {{level: Request, omitStages: [ResponseComplete]}}\n"
    (insertion,) = insertions(policy, act(sight(*LOGGED)))
    assert insertion.rule.level is AuditLevel.REQUEST
    assert insertion.rule.omit_stages == ()


@pytest.mark.parametrize(
    ("requests", "count"),
    [
        ([{"verb": "create"}, {"verb": "update", "resource": "services"}], 1),
        ([{"verb": "create"}, {"verb": "delete"}], 2),
        ([{"verb": "create"}, {"verb": "get"}], 2),
        ([{"verb": "get"}, {"verb": "get", "resource": "services"}], 1),
        ([{"verb": "get"}, {"verb": "list", "resource": "services"}], 2),
        ([{"verb": "get", "subresource": "exec"}, {"subresource": "attach"}], 1),
        ([{"is_resource": False, "path": "/a"}, {"is_resource": False, "path": "/b"}], 1),
        ([{"resource": "configmaps"}, {}], 1),
    ],
)
def test_what_is_alike_is_joined_and_what_would_cost_stands_apart(
    requests: list[dict[str, Any]], count: int
) -> None:
    policy = f"{HEAD}rules:\n- level: None\n"
    acts = [act(sight(*LOGGED, **one), name=str(n)) for n, one in enumerate(requests)]
    found = insertions(policy, *acts)
    assert len(found) == count
    assert all(one.detections == ("rule",) for one in found)


def test_bodies_that_may_hold_credentials_stand_apart_from_those_that_do_not() -> None:
    acts = [act(sight(*NEEDS_BODY, resource=one), name=one) for one in ("configmaps", "pods")]
    found = insertions(ABOVE_NONE, *acts)
    assert [one.rule.resources[0].resources for one in found] == [("configmaps",), ("pods",)]


def test_the_higher_level_comes_first_and_the_lower_does_not_repeat_it() -> None:
    policy = f"{HEAD}rules:\n- level: None\n"
    acts = [
        act(sight(*LOGGED), name="a", detection="first"),
        act(sight(*LOGGED, resource="services"), name="b", detection="first"),
        act(sight(*NEEDS_BODY), name="c", detection="second"),
    ]
    high, low = insertions(policy, *acts)
    assert (high.rule.level, low.rule.level) == (AuditLevel.REQUEST, AuditLevel.METADATA)
    assert low.rule.resources[0].resources == ("services",)
    assert set(high.detections) == {"first", "second"}


def test_an_estimate_leads_to_a_change_only_if_nothing_is_seen() -> None:
    lost = act(sight(*NEEDS_BODY), estimated=True)
    seen = act(sight(*LOGGED, resource="nodes"), name="seen", estimated=True)
    assert len(insertions(ABOVE_NONE, lost)) == 1
    assert insertions(ABOVE_NONE, lost, seen) == ()
