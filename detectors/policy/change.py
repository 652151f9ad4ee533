"""Losses under a policy become the few rules to insert, and where: the smallest change.

What an inserted rule is about is what the rule that decides now is about, narrowed to the verbs and
resources that are lost; so it stands directly before that rule and changes nothing else. Separate
from writing the file (detectors/policy/rewriting.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from detectors.policy.audit_policy import AuditLevel, AuditPolicy, PolicyRule, Resources, Stage
from detectors.policy.credentials import is_delicate, is_safe
from detectors.policy.record_cut import CONNECTED
from detectors.policy.verdicts import Loss, Verdict, judge, of_policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from detectors.policy.acts import Act
    from detectors.policy.verdicts import DetectionVerdict

_READS: Final = ("get", "list", "watch")
_DELETIONS: Final = ("delete", "deletecollection")
_ORDER: Final = (*_READS, "create", "update", "patch", *_DELETIONS)


class _Kind(IntEnum):
    """What one inserted rule is about; mixing them would log much that nobody asked for."""

    CONNECT = 0
    DELICATE = 1
    WRITE = 2
    DELETE = 3
    READ = 4
    URL = 5


@dataclass(frozen=True, slots=True)
class Insertion:
    """One rule to insert."""

    before: int
    """Index of the rule that decides now; the number of rules if none does."""
    rule: PolicyRule
    detections: tuple[str, ...]
    """Ids of those that it lets see."""


@dataclass(frozen=True, slots=True)
class Change:
    """What to change of a policy."""

    insertions: tuple[Insertion, ...] = ()
    """In the order of the policy."""
    stages: tuple[Stage, ...] = ()
    """To be taken out of the policy's own omitStages."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to change."""
        return not self.insertions and not self.stages


@dataclass(frozen=True, slots=True)
class _Need:
    """One loss of one detection that a change may mend."""

    detection: str
    loss: Loss


def smallest_change(policy: AuditPolicy, acts: Sequence[Act]) -> Change:
    """Return the change after which nothing is lost but what only credentials would show.

    No part of it is superfluous: without any one, an act would be lost again.
    """
    needs = [
        need
        for need in _needs(judge(acts, of_policy(policy)))
        if is_safe(need.loss.request, need.loss.level)
    ]
    insertions = _insertions(policy, needs)
    stages = {need.loss.stage for need in needs if need.loss.stage in policy.omit_stages}
    change = Change(
        tuple(insertions), tuple(stage for stage in policy.omit_stages if stage in stages)
    )
    return _without_superfluous(policy, acts, change)


def apply(policy: AuditPolicy, change: Change) -> AuditPolicy:
    """Return the policy with a change made."""
    rules: list[PolicyRule] = []
    for index in range(len(policy.rules) + 1):
        rules += [one.rule for one in change.insertions if one.before == index]
        rules += policy.rules[index : index + 1]
    stages = tuple(stage for stage in policy.omit_stages if stage not in change.stages)
    return replace(policy, rules=tuple(rules), omit_stages=stages)


def _needs(verdicts: Iterable[DetectionVerdict]) -> Iterator[_Need]:
    for verdict in verdicts:
        if verdict.estimated and verdict.verdict is not Verdict.BLIND:
            continue
        for judged in verdict.lost:
            for loss in judged.losses:
                yield _Need(verdict.detection, loss)


def _groups(policy: AuditPolicy, needs: list[_Need]) -> list[tuple[int, list[_Need]]]:
    """Return what one rule each can mend and where it goes: the higher level comes first.

    Reads stand apart by their verbs: to log each list and watch because a get is needed costs most
    of all.
    """
    read_by: dict[tuple[int | None, str, str], set[str]] = {}
    for need in needs:
        if _kind(need.loss) is _Kind.READ:
            read_by.setdefault(_read_of(need), set()).add(need.loss.request.verb)
    groups: dict[tuple[int, int, _Kind, tuple[str, ...]], list[_Need]] = {}
    for need in needs:
        index = need.loss.decision.rule
        before = len(policy.rules) if index is None else index
        kind = _kind(need.loss)
        verbs = tuple(sorted(read_by[_read_of(need)])) if kind is _Kind.READ else ()
        groups.setdefault((before, -need.loss.level, kind, verbs), []).append(need)
    return [(key[0], own) for key, own in sorted(groups.items(), key=lambda item: item[0])]


def _read_of(need: _Need) -> tuple[int | None, str, str]:
    request = need.loss.request
    return need.loss.decision.rule, request.group, request.combined


def _kind(loss: Loss) -> _Kind:
    request = loss.request
    if not request.is_resource:
        return _Kind.URL
    if request.subresource in CONNECTED:
        return _Kind.CONNECT
    if request.verb in _READS:
        return _Kind.READ
    if request.verb in _DELETIONS:
        return _Kind.DELETE
    is_logged_with_body = loss.level >= AuditLevel.REQUEST
    return _Kind.DELICATE if is_delicate(request) and is_logged_with_body else _Kind.WRITE


def _insertions(policy: AuditPolicy, needs: list[_Need]) -> list[Insertion]:
    """Return one rule for each group, without what a rule in front of it takes already."""
    found: list[tuple[int, PolicyRule, dict[str, None]]] = []
    for before, own in _groups(policy, needs):
        rest = []
        for need in own:
            taking = (d for at, rule, d in found if at == before and _takes(rule, need.loss))
            if (detections := next(taking, None)) is None:
                rest.append(need)
            else:
                detections[need.detection] = None
        if rest:
            rule = _rule(policy, before, [need.loss for need in rest])
            found.append((before, rule, {need.detection: None for need in rest}))
    return [Insertion(before, rule, tuple(detections)) for before, rule, detections in found]


def _takes(rule: PolicyRule, loss: Loss) -> bool:
    return rule.match(loss.request) and loss.stage not in rule.omit_stages


def _rule(policy: AuditPolicy, before: int, losses: list[Loss]) -> PolicyRule:
    kind = _kind(losses[0])
    rule = PolicyRule(
        level=losses[0].level,
        # A current kubectl connects with GET, others with POST: the verb says nothing.
        verbs=() if kind in {_Kind.CONNECT, _Kind.URL} else _verbs(losses),
        resources=() if kind is _Kind.URL else _resources(losses),
        urls=_urls(losses) if kind is _Kind.URL else (),
    )
    if before == len(policy.rules):
        return rule
    decider = policy.rules[before]
    needed = {loss.stage for loss in losses}
    return replace(
        rule,
        users=decider.users,
        user_groups=decider.user_groups,
        namespaces=decider.namespaces,
        omit_stages=tuple(stage for stage in decider.omit_stages if stage not in needed),
        omit_managed_fields=decider.omit_managed_fields,
    )


def _verbs(losses: list[Loss]) -> tuple[str, ...]:
    found = {loss.request.verb for loss in losses}
    known = tuple(verb for verb in _ORDER if verb in found)
    return known + tuple(sorted(found - set(known)))


def _resources(losses: list[Loss]) -> tuple[Resources, ...]:
    found: dict[str, set[str]] = {}
    for loss in losses:
        found.setdefault(loss.request.group, set()).add(loss.request.combined)
    return tuple(Resources(group, tuple(sorted(found[group]))) for group in sorted(found))


def _urls(losses: list[Loss]) -> tuple[str, ...]:
    return tuple(sorted({loss.request.path for loss in losses}))


def _lost(policy: AuditPolicy, acts: Sequence[Act]) -> set[tuple[str, str]]:
    return {
        (verdict.detection, judged.act.name)
        for verdict in judge(acts, of_policy(policy))
        for judged in verdict.lost
    }


def _without_superfluous(policy: AuditPolicy, acts: Sequence[Act], change: Change) -> Change:
    """Take out what another inserted rule does as well.

    Only acts of those who need a rule can be lost without it: to the others it does nothing.
    """
    for insertion in reversed(change.insertions):
        own = [act for act in acts if act.detection in insertion.detections]
        rest = tuple(one for one in change.insertions if one is not insertion)
        change = _smaller(policy, own, change, replace(change, insertions=rest))
    for stage in change.stages:
        rest_of_stages = tuple(one for one in change.stages if one is not stage)
        change = _smaller(policy, acts, change, replace(change, stages=rest_of_stages))
    return change


def _smaller(policy: AuditPolicy, acts: Sequence[Act], change: Change, without: Change) -> Change:
    """Return ``without`` if no more is lost by it."""
    lost = _lost(apply(policy, change), acts)
    return without if _lost(apply(policy, without), acts) <= lost else change
