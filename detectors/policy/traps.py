"""A policy becomes hints: what is written in it and does not do what it seems to.

Separate from verdicts, which are about detections: a rule of a policy may be dead, or write
secrets into the log, without any detection being the worse for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from detectors.policy.api_groups import (
    BUILT_IN,
    FORMER,
    HTTP_VERBS,
    RESOURCE_VERBS,
    groups_of,
)
from detectors.policy.audit_policy import AuditLevel, Request, Stage, decide
from detectors.policy.covering import covers
from detectors.policy.credentials import CREDENTIALS, highest_level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors.policy.audit_policy import AuditPolicy, PolicyRule, Resources

_ANYBODY: Final = "somebody"
_FAILED_LOGINS: Final = (
    "omitStages has ResponseStarted: a failed authentication (401) is one event of that stage, so "
    "none is logged; exec, attach, port-forward, log and watch are logged only when they end"
)
_NO_ANSWERS: Final = (
    "omitStages has ResponseComplete: of nearly every request it is never logged how it ended"
)
_TWICE: Final = (
    "RequestReceived is not in omitStages: every request is logged twice, and nothing needs the "
    "first of the two"
)
_STAGES: Final = {
    Stage.RESPONSE_STARTED: _FAILED_LOGINS,
    Stage.RESPONSE_COMPLETE: _NO_ANSWERS,
}


@dataclass(frozen=True, slots=True)
class Hint:
    """One thing that is worth a look; ``line`` 0 is the file as a whole."""

    line: int
    text: str


def hints(policy: AuditPolicy) -> list[Hint]:
    """Return what is worth a look in a policy, in the order of its lines."""
    found = [*_of_stages(policy), *_dead(policy), *_credentials(policy)]
    for rule in policy.rules:
        found += (Hint(rule.line, text) for text in _of_rule(rule))
    return sorted(dict.fromkeys(found), key=lambda hint: hint.line)


def _of_stages(policy: AuditPolicy) -> Iterator[Hint]:
    for stage, text in _STAGES.items():
        if stage in policy.omit_stages:
            yield Hint(policy.omit_stages_line, text)
        else:
            yield from (Hint(rule.line, text) for rule in policy.rules if stage in rule.omit_stages)
    logging = [rule for rule in policy.rules if rule.level > AuditLevel.NONE]
    if Stage.REQUEST_RECEIVED not in policy.omit_stages and any(
        Stage.REQUEST_RECEIVED not in rule.omit_stages for rule in logging
    ):
        yield Hint(policy.omit_stages_line, _TWICE)


def _dead(policy: AuditPolicy) -> Iterator[Hint]:
    """Yield rules that no request comes to, as one rule in front takes them all."""
    for index, rule in enumerate(policy.rules):
        first = next((one for one in policy.rules[:index] if covers(one, rule)), None)
        if first is not None:
            taker = f"the rule on line {first.line} ({first.level.text})"
            yield Hint(rule.line, f"dead: {taker} takes all that it is about")


def _credentials(policy: AuditPolicy) -> Iterator[Hint]:
    for group, resource in CREDENTIALS:
        base, _, subresource = resource.partition("/")
        for verb in ("create",) if subresource or "reviews" in base else ("create", "get"):
            request = Request(
                verb, _ANYBODY, (), True, group, base, subresource, "default", _name(verb)
            )
            decision = decide(policy, request)
            if decision.rule is not None and decision.level > _safe(group, resource, verb):
                text = (
                    f"{decision.level.text} writes the credentials in {resource} into the log "
                    f"({verb}): log them at {highest_level(group, resource).text}"
                )
                yield Hint(policy.rules[decision.rule].line, text)


def _safe(group: str, resource: str, verb: str) -> AuditLevel:
    """To read something, no body is sent: only the answer holds it."""
    highest = highest_level(group, resource)
    return max(highest, AuditLevel.REQUEST) if verb == "get" else highest


def _name(verb: str) -> str:
    return "" if verb == "create" else "one"


def _of_rule(rule: PolicyRule) -> Iterator[str]:
    for one in rule.resources:
        yield from _wrong_group(one)
    about_urls = bool(rule.urls)
    known = HTTP_VERBS if about_urls else (*RESOURCE_VERBS, *HTTP_VERBS, "proxy")
    for verb in rule.verbs:
        if verb not in known:
            yield f"verb {verb!r}: no request has it, so it matches nothing"
    for key, texts in (
        ("users", rule.users),
        ("userGroups", rule.user_groups),
        ("namespaces", rule.namespaces),
    ):
        for text in texts:
            if "*" in text:
                yield f"{key} knows no wildcard: {text!r} matches only what is called so"
    if rule.verbs == ("create",) and any(one.names for one in rule.resources):
        yield "resourceNames never match a create: its URL does not name the object"


def _wrong_group(one: Resources) -> Iterator[str]:
    if one.group in FORMER:
        names = ", ".join(one.resources) or "what was in it"
        yield f"group {one.group!r} is served no more: {names} is elsewhere"
    for resource in one.resources:
        base = resource.partition("/")[0]
        homes = groups_of(base)
        if homes and one.group in BUILT_IN and one.group not in homes:
            place = f"group {one.group!r}" if one.group else "the core group"
            home = " and ".join(repr(group) for group in homes)
            yield f"{base!r} is not in {place} but in {home}: never matches"
