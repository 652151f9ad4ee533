"""What `trailwarden policy` found becomes a table, texts and JSON.

Separate from the command because it is words for people: why a rule is blind, and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.message import printable
from detectors.policy.audit_policy import AuditLevel
from detectors.policy.credentials import is_safe
from detectors.policy.rewriting import rule_lines
from detectors.policy.verdicts import DetectionVerdict, Loss, Outcome, Verdict, counted
from ingest.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors.policy.audit_policy import AuditPolicy, Request
    from detectors.policy.change import Insertion
    from detectors.policy.observed import Cost
    from trailwarden.policy_command import PolicyResult

_STYLES: Final = {
    Verdict.BLIND: "bold red",
    Verdict.WEAKENED: "yellow",
    Verdict.CANNOT_TELL: "cyan",
    Verdict.NEEDS_SECRETS: "dim",
    Verdict.NOT_NEEDED: "dim",
    Verdict.FIRES: "green",
}
_PLURAL: Final = {Verdict.FIRES: "fire", Verdict.NEEDS_SECRETS: "need secrets"}
_QUIET: Final = frozenset({Verdict.FIRES, Verdict.NOT_NEEDED})
_REASONS: Final = 2
_KINDS_SHOWN: Final = 4
_LOST_SHOWN: Final = 3
_TITLES_SHOWN: Final = 3
_DELICATE: Final = (
    "Bodies of configmaps may hold credentials although they should not: leave this out if yours "
    "do."
)


def print_result(result: PolicyResult, *, show_all: bool) -> None:
    """Print the table, the changes, the hints and the summary."""
    console = Console(highlight=False)
    shown = [one for one in result.verdicts if show_all or one.verdict not in _QUIET]
    if shown:
        console.print(_table(shown, result))
    for line in _changes(result):
        typer.echo(line)
    if result.hints:
        typer.echo("Worth a look in the policy:")
    for hint in result.hints:
        place = f"line {hint.line}: " if hint.line else ""
        typer.echo(f"  {place}{printable(hint.text)}")
    typer.echo(_summary(result))


def _table(shown: list[DetectionVerdict], result: PolicyResult) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("verdict", "change", "rule, and why"):
        table.add_column(title, no_wrap=title == "verdict")
    names = _titles(result)
    for one in sorted(shown, key=lambda one: list(Verdict).index(one.verdict)):
        verdict = Text(one.verdict.value, style=_STYLES[one.verdict])
        if one.estimated:
            verdict.append("\n(estimate)", style="dim")
        rule = Text(printable(names[one.detection]))
        for reason in reasons(one, result):
            rule.append(f"\n{visible(reason)}", style="dim")
        table.add_row(verdict, Text(_change_of(one, result)), rule)
    return table


def _titles(result: PolicyResult) -> dict[str, str]:
    return {one.id: one.title for one in result.pack.detections}


def reasons(one: DetectionVerdict, result: PolicyResult) -> list[str]:
    """Return in sentences what is not logged that a detection needs; the most common first."""
    if one.verdict is Verdict.NOT_NEEDED:
        return ["It stands in where less is logged."]
    groups: dict[tuple[int | None, int, int, str], list[Loss]] = {}
    for judged in one.lost:
        for loss in judged.losses:
            groups.setdefault(_cause(loss), []).append(loss)
    causes = sorted(groups.values(), key=len, reverse=True)
    found = [_sentence(losses, result) for losses in causes[:_REASONS]]
    if len(causes) > _REASONS:
        found.append(f"And {len(causes) - _REASONS} more reasons.")
    if one.verdict is Verdict.WEAKENED:
        names = [judged.act.name for judged in one.lost if not judged.act.likewise]
        found += [f"Lost: {name}." for name in names[:_LOST_SHOWN]]
        if len(names) > _LOST_SHOWN:
            found.append(f"Lost: {len(names) - _LOST_SHOWN} more.")
    unknown = [judged for judged in one.acts if judged.outcome is Outcome.UNKNOWN]
    if unknown:
        kinds = [sight.request for judged in unknown for sight in judged.act.sights]
        found.append(f"Never seen, so it cannot be told: {_kinds(kinds)}.")
    return found


def _cause(loss: Loss) -> tuple[int | None, int, int, str]:
    decision = loss.decision
    return decision.rule, int(decision.level), int(loss.level), loss.stage or ""


def _sentence(losses: list[Loss], result: PolicyResult) -> str:
    loss = losses[0]
    kinds = _kinds([one.request for one in losses])
    if loss.stage and loss.decision.level >= loss.level:
        return f"Not logged at stage {loss.stage}: {kinds}."
    needed = f"{loss.level.text} is needed"
    if result.policy is None:
        return f"Seen without body, {needed}: {kinds}."
    if loss.decision.rule is None:
        return f"No rule of the policy is about it, so nothing is logged: {kinds}."
    line = result.policy.rules[loss.decision.rule].line
    if loss.decision.level is AuditLevel.NONE:
        return f"Not logged, by line {line}: {kinds}."
    return f"{loss.decision.level.text} by line {line}, {needed}: {kinds}."


def _kinds(requests: list[Request]) -> str:
    """Return kinds of requests in words, those on the same resources by the same verbs as one."""
    verbs: dict[str, dict[str, None]] = {}
    for request in requests:
        on = request.combined if request.is_resource else request.path
        verbs.setdefault(on, {})[request.verb] = None
    groups: dict[tuple[str, ...], list[str]] = {}
    for on, found in verbs.items():
        groups.setdefault(tuple(sorted(found)), []).append(on)
    texts = []
    for found_verbs, names in groups.items():
        more = len(names) - _KINDS_SHOWN
        shown = ", ".join(names[:_KINDS_SHOWN]) + (f" and {more} more" if more > 0 else "")
        texts.append(f"{', '.join(found_verbs)} of {shown}")
    return "; ".join(texts)


def _change_of(one: DetectionVerdict, result: PolicyResult) -> str:
    numbers = [
        str(number)
        for number, insertion in enumerate(result.change.insertions, 1)
        if one.detection in insertion.detections
    ]
    losses = [loss for judged in one.lost for loss in judged.losses]
    if any(loss.stage in result.change.stages for loss in losses):
        numbers.append("omitStages")
    if numbers:
        return ", ".join(numbers)
    if losses and not any(is_safe(loss.request, loss.level) for loss in losses):
        return "no: secrets"
    return ""


def _changes(result: PolicyResult) -> Iterator[str]:
    if result.policy is None:
        return
    change = result.change
    if change.is_empty:
        yield "No change is suggested."
    for stage in change.stages:
        yield f"Take {stage.value} out of omitStages on line {result.policy.omit_stages_line}."
    for number, insertion in enumerate(change.insertions, 1):
        yield ""
        yield f"Change {number}: {place_of(insertion, result.policy)}: {_concerns(insertion)}"
        cost = result.costs.get(number - 1)
        if cost is not None:
            yield _cost_text(insertion, cost, result.policy)
        if is_delicate_rule(insertion):
            names = _titles(result)
            yield _DELICATE
            yield from (f"  needed by: {visible(names[one])}" for one in insertion.detections)
        yield ""
        yield from rule_lines(insertion.rule, "  ")
    if change.insertions:
        yield ""


def _cost_text(insertion: Insertion, cost: Cost, policy: AuditPolicy) -> str:
    is_last = insertion.before == len(policy.rules)
    if is_last or policy.rules[insertion.before].level is AuditLevel.NONE:
        return "The log cannot say how many events that makes: they are not logged so far."
    size = f"{cost.size_bytes / 1_000_000:,.1f} MB"
    return f"In the log, {cost.events:,} events are such requests, {size} as they are now."


def _concerns(insertion: Insertion) -> str:
    count = len(insertion.detections)
    return "1 rule needs it" if count == 1 else f"{count} rules need it"


def place_of(insertion: Insertion, policy: AuditPolicy) -> str:
    """Return where a rule is to be inserted, in words."""
    if insertion.before == len(policy.rules):
        return "add behind the last rule"
    rule = policy.rules[insertion.before]
    return f"insert before line {rule.line} (level {rule.level.text})"


def is_delicate_rule(insertion: Insertion) -> bool:
    """Return whether what is inserted is about bodies that may hold credentials."""
    wanted = insertion.rule.level >= AuditLevel.REQUEST
    return wanted and any("configmaps" in one.resources for one in insertion.rule.resources)


def note_of(insertion: Insertion, result: PolicyResult) -> str:
    """Return the comment that stands above an inserted rule."""
    names = _titles(result)
    titles = [names[one] for one in insertion.detections]
    more = len(titles) - _TITLES_SHOWN
    text = "; ".join(titles[:_TITLES_SHOWN]) + (f"; and {more} more" if more > 0 else "")
    delicate = f" {_DELICATE}" if is_delicate_rule(insertion) else ""
    return visible(f"Trailwarden: needed by {text}.{delicate}")


def _summary(result: PolicyResult) -> str:
    counts = counted(result.verdicts)
    words = ", ".join(
        f"{count} {_PLURAL.get(verdict, verdict.value) if count != 1 else verdict.value}"
        for verdict, count in counts.items()
        if count or verdict in {Verdict.BLIND, Verdict.FIRES}
    )
    about = f"{len(result.verdicts)} rules about API servers: {words}"
    if result.observation is not None:
        about = f"{result.observation.events:,} audit events seen. {about}"
    others = result.pack.not_concerned
    return f"{about}. {others} about machines and containers are not concerned."


def print_json(result: PolicyResult) -> None:
    """Print all of it as one JSON object."""
    typer.echo(orjson.dumps(_as_json(result), option=orjson.OPT_INDENT_2))


def _as_json(result: PolicyResult) -> dict[str, Any]:
    detections = {one.id: one for one in result.pack.detections}
    seen = result.observation
    return {
        "policy": None if result.file is None else str(result.file),
        "events_observed": None if seen is None else seen.events,
        "summary": {verdict.value: n for verdict, n in counted(result.verdicts).items()},
        "not_concerned": result.pack.not_concerned,
        "rules": [
            {
                "id": one.detection,
                "title": detections[one.detection].title,
                "level": detections[one.detection].level.value,
                "verdict": one.verdict.value,
                "estimate": one.estimated,
                "acts": len(one.acts),
                "why": reasons(one, result),
                "lost": [
                    _loss_json(judged.act.name, loss, result)
                    for judged in one.lost
                    for loss in judged.losses
                ],
                "changes": [
                    number
                    for number, insertion in enumerate(result.change.insertions, 1)
                    if one.detection in insertion.detections
                ],
            }
            for one in result.verdicts
        ],
        "changes": list(_changes_json(result)),
        "omit_stages_to_remove": [stage.value for stage in result.change.stages],
        "hints": [{"line": hint.line, "text": hint.text} for hint in result.hints],
    }


def _loss_json(act: str, loss: Loss, result: PolicyResult) -> dict[str, Any]:
    rule = loss.decision.rule
    line = None if rule is None or result.policy is None else result.policy.rules[rule].line
    return {
        "act": act,
        "verb": loss.request.verb,
        "group": loss.request.group if loss.request.is_resource else None,
        "resource": loss.request.combined if loss.request.is_resource else None,
        "url": None if loss.request.is_resource else loss.request.path,
        "logged": loss.decision.level.text,
        "line": line,
        "needed": loss.level.text,
        "stage": loss.stage.value if loss.stage else None,
    }


def _changes_json(result: PolicyResult) -> Iterator[dict[str, Any]]:
    if result.policy is None:
        return
    for number, insertion in enumerate(result.change.insertions):
        is_last = insertion.before == len(result.policy.rules)
        cost = result.costs.get(number)
        yield {
            "number": number + 1,
            "before_line": None if is_last else result.policy.rules[insertion.before].line,
            "rule": "\n".join(rule_lines(insertion.rule)),
            "rules_that_need_it": list(insertion.detections),
            "may_log_credentials": is_delicate_rule(insertion),
            "events": None if cost is None else cost.events,
            "size_bytes": None if cost is None else round(cost.size_bytes),
        }
