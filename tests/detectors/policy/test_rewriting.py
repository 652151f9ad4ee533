from __future__ import annotations

import pytest

from detectors.policy.audit_policy import AuditLevel, PolicyRule, Resources, Stage
from detectors.policy.change import Change, Insertion, apply
from detectors.policy.rewriting import changed_file, rule_lines
from tests.detectors.policy.policies import ALL, DOCUMENTED, HEAD, METADATA, QUIET, policy_of

PODS = PolicyRule(
    AuditLevel.REQUEST,
    verbs=("create",),
    resources=(Resources("", ("pods",)), Resources("apps", ("deployments",), ("we\tb",))),
    omit_stages=(Stage.PANIC,),
    omit_managed_fields=True,
)
FULL = PolicyRule(
    AuditLevel.METADATA,
    users=("a: b", "system:serviceaccount:x:y"),
    user_groups=("#g",),
    namespaces=("", "shop"),
)
URLS = PolicyRule(AuditLevel.METADATA, urls=("/version", '/"quoted"'))


def changed(text: str, change: Change, notes: list[str] | None = None) -> str:
    told = notes if notes is not None else [f"note {n}" for n in range(len(change.insertions))]
    return changed_file(text, policy_of(text), change, told)


@pytest.mark.parametrize("name", ALL)
def test_the_file_holds_the_policy_that_was_meant_wherever_rules_go(name: str) -> None:
    text = ALL[name]
    policy = policy_of(text)
    places = sorted({0, len(policy.rules) - 1, len(policy.rules)})
    for stages in ((), policy.omit_stages[:1], policy.omit_stages):
        insertions = tuple(
            Insertion(place, rule, ()) for place in places for rule in (PODS, FULL, URLS)
        )
        change = Change(insertions, tuple(stages))
        found = policy_of(changed(text, change))
        wanted = apply(policy, change)
        assert [rule_lines(rule) for rule in found.rules] == [
            rule_lines(rule) for rule in wanted.rules
        ]
        assert found.omit_stages == wanted.omit_stages
        assert found.omit_managed_fields == wanted.omit_managed_fields


def test_comments_and_order_are_kept_and_a_comment_stays_with_its_rule() -> None:
    change = Change((Insertion(0, PODS, ()), Insertion(8, URLS, ())), ())
    lines = changed(DOCUMENTED, change).split("\n")
    assert [line for line in DOCUMENTED.split("\n") if line not in lines] == []
    first = lines.index("# note 0")
    assert lines[first - 1] == "rules:"
    assert lines[first + 1] == "- level: Request"
    assert "# pods with all of it" in lines[first + 2 :]
    assert lines.index("# note 1") < lines.index("# all else")


def test_only_the_stage_that_must_go_is_taken_out() -> None:
    found = changed(QUIET, Change((), (Stage.RESPONSE_STARTED,)))
    assert 'omitStages: ["RequestReceived", "Panic"]\n' in found
    assert found.endswith(QUIET[QUIET.index("rules:") :])


def test_a_policy_on_one_line_is_written_anew_with_the_notes() -> None:
    found = changed(METADATA, Change((Insertion(0, PODS, ()),), ()))
    assert "comments of the original are not kept" in found
    assert "  # note 0\n  - level: Request\n" in found


def test_a_long_note_is_wrapped_and_cannot_end_its_comment() -> None:
    lines = rule_lines(URLS, "  ", "word " * 60 + "line\nlevel: None")
    comments = [line for line in lines if "level: Metadata" not in line][:-1]
    assert len(comments) > 3
    assert all(line.startswith("  # ") and len(line) <= 100 for line in comments)


def test_keys_behind_the_rules_do_not_move() -> None:
    text = f"rules:\n- level: None\n  verbs: [get]\n{HEAD}omitStages:\n- Panic\n"
    found = changed(text, Change((Insertion(1, URLS, ()),), (Stage.PANIC,)))
    assert found.startswith("rules:\n- level: None\n  verbs: [get]\n# note 0\n- level: Metadata\n")
    assert found.endswith(HEAD)
