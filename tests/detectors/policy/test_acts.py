from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from detectors.policy.acts import Act, RecordedAct, Variant, acts_of
from detectors.policy.audit_policy import AuditLevel, Stage
from detectors.policy.kin import kin_of
from detectors.policy.pack_acts import PackActs, acts_of_pack
from detectors.policy.record_cut import request_of
from detectors.policy.verdicts import Verdict, judge, of_policy
from detectors.sigma.compiler import load_pack
from detectors.sigma.rule import Rule
from tests.detectors.policy.policies import EVERYTHING, HEAD, METADATA, policy_of
from worker.settings import shipped_rules

BASES = shipped_rules() / "bases"
RULE = """\
title: {title}
id: 0a0a0a0a-0000-4000-8000-00000000000{number}
logsource: {{product: {product}, service: {service}}}
detection:
  sel:
{tests}
  condition: sel
level: low
"""


def rule_file(
    folder: Path, number: int, tests: str, product: str = "kubernetes", service: str = "audit"
) -> Path:
    file = folder / f"rule-{number}.yml"
    indented = "\n".join(f"    {line}" for line in tests.splitlines())
    text = RULE.format(
        title=f"Rule {number}", number=number, tests=indented, product=product, service=service
    )
    file.write_text(text, encoding="utf-8")
    return file


def loaded(folder: Path) -> PackActs:
    return acts_of_pack(load_pack([folder]), lambda _: BASES)


def verdict_of(acts: PackActs, policy: str) -> list[tuple[Verdict, bool]]:
    judged = judge(acts.acts, of_policy(policy_of(policy)))
    return [(one.verdict, one.estimated) for one in judged]


@pytest.fixture
def privileged(tmp_path: Path) -> Rule:
    file = rule_file(tmp_path, 1, "trailwarden.pod_spec.privileged: true")
    (rule,) = load_pack([file]).rules
    return rule


def act_of(rule: Rule, *bases: str) -> RecordedAct:
    raws = tuple((BASES / f"{name}.json").read_bytes() for name in bases)
    return RecordedAct(rule.id, "an act", raws, frozenset({rule.id}))


def test_an_act_is_seen_at_the_levels_that_hold_what_the_rule_reads(privileged: Rule) -> None:
    acts = acts_of([act_of(privileged, "pod-create-privileged")], [privileged])
    (recorded,) = [act for act in acts if not act.likewise]
    (sight,) = recorded.sights
    assert {variant for variant in sight.seen if sight.is_seen(variant)} == {
        Variant(AuditLevel.REQUEST, Stage.RESPONSE_COMPLETE),
        Variant(AuditLevel.REQUEST_RESPONSE, Stage.RESPONSE_COMPLETE),
    }


def test_one_act_is_added_for_each_kind_of_request_that_the_rule_sees(privileged: Rule) -> None:
    recorded = act_of(privileged, "pod-create-privileged")
    acts = acts_of([recorded, recorded], [privileged])
    kinds = [(act.sights[0].request.verb, act.sights[0].request.combined) for act in acts]
    likewise = [kind for act, kind in zip(acts, kinds, strict=True) if act.likewise]
    assert len(likewise) == len(set(likewise)) == 9 * 3 - 1


def test_no_act_is_added_for_a_kind_of_request_that_a_case_records(privileged: Rule) -> None:
    recorded = act_of(privileged, "pod-create-privileged")
    kin = next(
        act
        for act in acts_of([recorded], [privileged])
        if act.sights[0].request.resource == "jobs" and act.likewise
    )
    record = next(
        one
        for one in kin_of(orjson.loads(recorded.records[0]))
        if (one["verb"], request_of(one).resource) == (kin.sights[0].request.verb, "jobs")
    )
    other = RecordedAct(privileged.id, "a job", (orjson.dumps(record),), recorded.rules)
    acts = acts_of([recorded, other], [privileged])
    of_kind = [act for act in acts if act.sights[0].request == kin.sights[0].request]
    assert [act.name for act in of_kind] == ["a job"]


def test_a_sequence_is_found_if_each_request_that_matters_is(privileged: Rule) -> None:
    recorded = act_of(privileged, "pod-create-privileged", "secret-get", "pod-create-privileged")
    (act,) = acts_of([recorded], [privileged])
    assert [sight.request.resource for sight in act.sights] == ["pods", "pods"]


def test_a_request_without_its_group_is_judged_in_the_group_that_has_it(tmp_path: Path) -> None:
    (rule,) = load_pack([rule_file(tmp_path, 1, "verb: delete")]).rules
    record = orjson.loads((BASES / "clusterrole-delete.json").read_bytes())
    record["objectRef"]["resource"] = "deployments"
    recorded = RecordedAct(rule.id, "an act", (orjson.dumps(record),), frozenset({rule.id}))
    act: Act = acts_of([recorded], [rule])[0]
    assert (act.sights[0].request.group, act.sights[0].request.resource) == ("apps", "deployments")


def test_managed_fields_matter_to_no_rule_not_even_one_that_names_them(tmp_path: Path) -> None:
    tests = "kubernetes.audit.requestObject|contains: secret-annotation"
    (rule,) = load_pack([rule_file(tmp_path, 1, tests)]).rules
    record = orjson.loads((BASES / "pod-create.json").read_bytes())
    fields = {"name": "web", "managedFields": [{"manager": "secret-annotation"}]}
    record["requestObject"]["metadata"] = fields
    recorded = RecordedAct(rule.id, "an act", (orjson.dumps(record),), frozenset({rule.id}))
    # Normalization leaves managed fields out, so that no rule can rest on them.
    assert acts_of([recorded], [rule]) == []


def test_rules_about_machines_are_counted_apart(tmp_path: Path) -> None:
    rule_file(tmp_path, 1, "verb: delete")
    rule_file(tmp_path, 2, "process.name: nc", product="linux", service="falco")
    acts = loaded(tmp_path)
    assert [one.title for one in acts.detections] == ["Rule 1"]
    assert acts.not_concerned == 1


CASES = """\
match:
  - name: privileged
    base: pod-create-privileged
no_match:
  - name: ordinary
    base: pod-create
"""


def test_cases_decide_where_there_are_any_and_else_it_is_an_estimate(tmp_path: Path) -> None:
    file = rule_file(tmp_path, 1, "trailwarden.pod_spec.privileged: true")
    file.with_suffix(".cases.yml").write_text(CASES, encoding="utf-8")
    rule_file(tmp_path, 2, "trailwarden.pod_spec.privileged: true\nverb: create")
    rule_file(tmp_path, 3, "verb: list\norchestrator.resource.type: secrets")
    acts = loaded(tmp_path)
    assert verdict_of(acts, METADATA) == [
        (Verdict.BLIND, False),
        (Verdict.BLIND, True),
        (Verdict.FIRES, True),
    ]
    assert {verdict for verdict, _ in verdict_of(acts, EVERYTHING)} == {Verdict.FIRES}


CORRELATION = """\
title: Secrets listed, then a privileged pod
id: 0a0a0a0a-0000-4000-8000-000000000009
status: test
description: Two steps.
level: low
correlation:
  type: temporal_ordered
  rules: [listed, privileged]
  group-by: [orchestrator.cluster.name]
  timespan: 5m
---
title: Listed
name: listed
logsource: {product: kubernetes, service: audit}
detection:
  sel: {verb: list, orchestrator.resource.type: secrets}
  condition: sel
---
title: Privileged
name: privileged
logsource: {product: kubernetes, service: audit}
detection:
  sel: {trailwarden.pod_spec.privileged: true}
  condition: sel
"""
SEQUENCE = """\
match:
  - name: both
    sequence:
      - {base: secrets-list}
      - {base: pod-create, times: 20}
      - {base: pod-create-privileged}
no_match:
  - name: one alone
    sequence:
      - {base: secrets-list}
"""


@pytest.mark.parametrize("with_cases", [True, False])
def test_a_correlation_is_blind_if_it_never_gets_one_of_its_bases(
    tmp_path: Path, with_cases: bool
) -> None:
    (tmp_path / "both.yml").write_text(CORRELATION, encoding="utf-8")
    if with_cases:
        (tmp_path / "both.cases.yml").write_text(SEQUENCE, encoding="utf-8")
    acts = loaded(tmp_path)
    assert [one.title for one in acts.detections] == ["Secrets listed, then a privileged pod"]
    no_lists = f"{HEAD}rules:\n- {{level: None, verbs: [list]}}\n- level: Request\n"
    bad = Verdict.BLIND if with_cases else Verdict.WEAKENED
    assert verdict_of(acts, EVERYTHING) == [(Verdict.FIRES, not with_cases)]
    assert verdict_of(acts, no_lists) == [(bad, not with_cases)]
    assert verdict_of(acts, METADATA) == [(bad, not with_cases)]


WITH_LIST = """\
title: Image from elsewhere
id: 0a0a0a0a-0000-4000-8000-000000000008
logsource: {product: kubernetes, service: audit}
detection:
  sel: {verb: create, orchestrator.resource.type: pods}
  known:
    user.name|expand: '%ci_identities%'
  condition: sel and known
level: low
trailwarden:
  requires: [ci_identities]
"""
CASES_WITH_LIST = """\
lists:
  ci_identities: ['*']
match:
  - {name: any, base: pod-create}
no_match:
  - {name: none, base: secret-get}
"""


def test_a_rule_that_waits_for_a_list_is_judged_by_the_list_of_its_cases(tmp_path: Path) -> None:
    (tmp_path / "listed.yml").write_text(WITH_LIST, encoding="utf-8")
    (tmp_path / "listed.cases.yml").write_text(CASES_WITH_LIST, encoding="utf-8")
    assert verdict_of(loaded(tmp_path), METADATA) == [(Verdict.FIRES, False)]
    nothing = f"{HEAD}rules:\n- level: None\n"
    assert verdict_of(loaded(tmp_path), nothing) == [(Verdict.BLIND, False)]
