"""A policy file and a change become the changed file, its comments and order kept.

Separate from what to change. Rules are inserted as lines of text where the file is laid out line by
line, as nearly all are; where it is not, or where the result would not be read as exactly the
policy that was meant, the whole file is written anew, without its comments.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from detectors.policy.change import Change, Insertion, apply
from detectors.policy.reading import parse_policy
from detectors.sigma.errors import Problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from detectors.policy.audit_policy import AuditPolicy, PolicyRule, Stage

_WIDTH: Final = 96
_NEW: Final = "# Written by `trailwarden policy --suggest`; comments of the original are not kept."


def changed_file(text: str, policy: AuditPolicy, change: Change, notes: Sequence[str]) -> str:
    """Return the file with ``change`` made.

    Parameters
        text: the file that ``policy`` was read from.
        notes: what to say of each insertion, in the order of the change.
    """
    wanted = _plain(apply(policy, change))
    lines = _with_rules(text.split("\n"), policy, change.insertions, notes)
    found = "\n".join(_with_stages(lines, policy, change.stages))
    if _read(found) == wanted:
        return found
    return _whole(
        apply(policy, change),
        {id(i.rule): n for i, n in zip(change.insertions, notes, strict=True)},
    )


def rule_lines(rule: PolicyRule, indent: str = "", note: str = "") -> list[str]:
    """Return a rule as lines of a policy, with a comment above it."""
    lines = [f"{indent}# {line}" for line in _wrapped(note, _WIDTH - len(indent))]
    lines.append(f"{indent}- level: {rule.level.text}")
    for key, texts in _named(rule):
        lines.append(f"{indent}  {key}: {_flow(texts)}")
    if rule.resources:
        lines.append(f"{indent}  resources:")
    for one in rule.resources:
        lines.append(f"{indent}    - group: {json.dumps(one.group)}")
        for key, texts in (("resources", one.resources), ("resourceNames", one.names)):
            if texts:
                lines.append(f"{indent}      {key}: {_flow(texts)}")
    if rule.omit_managed_fields is not None:
        lines.append(f"{indent}  omitManagedFields: {json.dumps(rule.omit_managed_fields)}")
    return lines


def _named(rule: PolicyRule) -> Iterable[tuple[str, Sequence[str]]]:
    pairs: tuple[tuple[str, Sequence[str]], ...] = (
        ("users", rule.users),
        ("userGroups", rule.user_groups),
        ("verbs", rule.verbs),
        ("namespaces", rule.namespaces),
        ("nonResourceURLs", rule.urls),
        ("omitStages", [stage.value for stage in rule.omit_stages]),
    )
    return [(key, texts) for key, texts in pairs if texts]


def _flow(texts: Sequence[str]) -> str:
    """JSON's strings are YAML's, whatever a name may hold."""
    return json.dumps(list(texts), ensure_ascii=False)


def _with_rules(
    lines: list[str], policy: AuditPolicy, insertions: Sequence[Insertion], notes: Sequence[str]
) -> list[str]:
    """Insert from the last to the first, so that the lines in front keep their numbers."""
    lines = list(lines)
    for insertion, note in reversed(list(zip(insertions, notes, strict=True))):
        is_last = insertion.before == len(policy.rules)
        number = policy.rules[-1 if is_last else insertion.before].line - 1
        line = lines[number]
        indent = line[: len(line) - len(line.lstrip())]
        place = _end(lines, number, indent) if is_last else _above_comments(lines, number)
        lines[place:place] = rule_lines(insertion.rule, indent, note)
    return lines


def _above_comments(lines: list[str], number: int) -> int:
    """Return the line above the comments of a rule: those directly above it are about it."""
    while number and lines[number - 1].lstrip().startswith("#"):
        number -= 1
    return number


def _end(lines: list[str], number: int, indent: str) -> int:
    """Return the line behind the item of a list that begins on ``number``."""
    end = number + 1
    for place in range(number + 1, len(lines)):
        line = lines[place]
        if line.strip() and not line.lstrip().startswith("#"):
            if not line.startswith(indent + " "):
                break
            end = place + 1
    return end


def _with_stages(lines: list[str], policy: AuditPolicy, gone: Sequence[Stage]) -> list[str]:
    if not gone:
        return lines
    number = next(n for n, line in enumerate(lines) if line.startswith("omitStages"))
    kept = [stage.value for stage in policy.omit_stages if stage not in gone]
    written = [f"omitStages: {_flow(kept)}"] if kept else []
    behind = number + 1
    while behind < len(lines) and lines[behind].lstrip().startswith(("- ", "#")):
        behind += 1
    return [*lines[:number], *written, *lines[behind:]]


def _whole(policy: AuditPolicy, notes: dict[int, str]) -> str:
    lines = [_NEW, "apiVersion: audit.k8s.io/v1", "kind: Policy"]
    if policy.omit_stages:
        lines.append(f"omitStages: {_flow([stage.value for stage in policy.omit_stages])}")
    if policy.omit_managed_fields:
        lines.append("omitManagedFields: true")
    lines.append("rules:")
    for rule in policy.rules:
        lines += rule_lines(rule, "  ", notes.get(id(rule), ""))
    return "\n".join([*lines, ""])


def _read(text: str) -> AuditPolicy | None:
    problems = Problems(Path("suggested"))
    policy = parse_policy(text.encode(), problems)
    return _plain(policy) if policy and not problems.errors else None


def _plain(policy: AuditPolicy) -> AuditPolicy:
    """Return a policy without its places, to be compared."""
    rules = tuple(replace(rule, line=0) for rule in policy.rules)
    return replace(policy, rules=rules, omit_stages_line=0)


def _wrapped(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + len(word) < width - 2:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
