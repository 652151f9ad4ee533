"""Acts and what is logged of requests become a verdict for each detection, with its reasons.

Separate from how it is known what is logged: a policy says it (`of_policy`), or a log shows it
(detectors/policy/observed.py). Both answer for one request at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

from detectors.policy.acts import Act, Sight, Variant
from detectors.policy.audit_policy import (
    LOGGED,
    AuditLevel,
    AuditPolicy,
    Decision,
    Request,
    Stage,
    decide,
)
from detectors.policy.credentials import is_safe

if TYPE_CHECKING:
    from collections.abc import Mapping


class Verdict(StrEnum):
    """Whether a detection can find what it must; worst first."""

    BLIND = "blind"
    WEAKENED = "weakened"
    CANNOT_TELL = "cannot tell"
    NEEDS_SECRETS = "needs secrets"
    """It could fire only if credentials were written into the log, and so it should not."""
    NOT_NEEDED = "not needed"
    """It speaks only where less is logged than is: another detection sees the act itself."""
    FIRES = "fires"


class Outcome(StrEnum):
    """What becomes of one act."""

    FOUND = "found"
    LOST = "lost"
    UNNEEDED = "unneeded"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Loss:
    """One request of which less is logged than a detection needs."""

    request: Request
    decision: Decision
    level: AuditLevel
    """The lowest at which it would be seen."""
    stage: Stage | None
    """A stage that has to be logged besides; None if those that are will do."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One act and what becomes of it."""

    act: Act
    outcome: Outcome
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class DetectionVerdict:
    """A detection's verdict, and the acts that it rests on."""

    detection: str
    verdict: Verdict
    acts: tuple[Judged, ...]

    @property
    def lost(self) -> tuple[Judged, ...]:
        """Return the acts that are not found."""
        return tuple(one for one in self.acts if one.outcome is Outcome.LOST)

    @property
    def estimated(self) -> bool:
        """Whether no record stands behind it."""
        return bool(self.acts) and all(one.act.estimated for one in self.acts)


Logged: TypeAlias = Callable[[Sight], Decision | None]
"""What is logged of a request; None where nobody knows."""


def of_policy(policy: AuditPolicy) -> Logged:
    """Return what a policy logs; many acts are the same request, which is decided once."""
    known: dict[Request, Decision] = {}

    def logged(sight: Sight) -> Decision:
        found = known.get(sight.request)
        if found is None:
            found = known[sight.request] = decide(policy, sight.request)
        return found

    return logged


def judge(acts: Iterable[Act], logged: Logged) -> list[DetectionVerdict]:
    """Return the verdict of each detection, in the order of the acts, which are grouped by it."""
    found = []
    for detection, own in groupby(acts, key=lambda act: act.detection):
        judged = tuple(_judged(act, logged) for act in own)
        found.append(DetectionVerdict(detection, _verdict(judged), judged))
    return found


def _judged(act: Act, logged: Logged) -> Judged:
    outcomes: list[Outcome] = []
    losses: list[Loss] = []
    for sight in act.sights:
        decision = logged(sight)
        outcome = Outcome.UNKNOWN if decision is None else _outcome(sight, decision)
        if decision is not None and outcome is Outcome.LOST:
            losses.append(_loss(sight, decision))
        outcomes.append(outcome)
    worst = (Outcome.LOST, Outcome.UNKNOWN, Outcome.UNNEEDED)
    outcome = next((one for one in worst if one in outcomes), Outcome.FOUND)
    return Judged(act, outcome, tuple(dict.fromkeys(losses)))


def _verdict(judged: tuple[Judged, ...]) -> Verdict:
    outcomes = {one.outcome for one in judged}
    if Outcome.LOST in outcomes:
        if Outcome.FOUND in outcomes:
            return Verdict.WEAKENED
        losses = [loss for one in judged for loss in one.losses]
        safe = any(is_safe(loss.request, loss.level) for loss in losses)
        return Verdict.BLIND if safe else Verdict.NEEDS_SECRETS
    if Outcome.FOUND in outcomes:
        return Verdict.FIRES
    return Verdict.CANNOT_TELL if Outcome.UNKNOWN in outcomes else Verdict.NOT_NEEDED


def _outcome(sight: Sight, decision: Decision) -> Outcome:
    if _seen_at(sight, decision.level, decision):
        return Outcome.FOUND
    lower = [level for level in LOGGED if level < decision.level]
    if any(_seen_at(sight, level, decision) for level in lower):
        return Outcome.UNNEEDED
    return Outcome.LOST


def _seen_at(sight: Sight, level: AuditLevel, decision: Decision) -> bool:
    stages = [stage for stage in sight.stages if stage not in decision.omitted]
    return any(sight.is_seen(Variant(level, stage)) for stage in stages)


def _loss(sight: Sight, decision: Decision) -> Loss:
    """Return the least that would have to be logged: a higher level before another stage."""
    for level in LOGGED:
        if _seen_at(sight, level, decision):
            return Loss(sight.request, decision, level, None)
    for stage in sight.stages:
        for level in LOGGED:
            if sight.is_seen(Variant(level, stage)):
                return Loss(sight.request, decision, max(level, decision.level), stage)
    return Loss(sight.request, decision, AuditLevel.REQUEST_RESPONSE, sight.stages[0])


def counted(verdicts: Iterable[DetectionVerdict]) -> Mapping[Verdict, int]:
    """Return how many detections have each verdict, every verdict in its order."""
    found = [one.verdict for one in verdicts]
    return {verdict: found.count(verdict) for verdict in Verdict}
