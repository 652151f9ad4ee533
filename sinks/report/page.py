"""A report in, one self-contained HTML page out.

Separate from what the page says. The page loads nothing: its
style and its charts (SVG) are inside, it has no script, and its Content-Security-Policy forbids
both; what a reader filters with is CSS. So it can be mailed, archived and opened from a disk
without a question, and a hostile value that got past the escaping would still not run.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from detectors.attack import NOTICE, TECHNIQUES
from sinks.report.coverage import attack_coverage
from sinks.report.environment import environment
from sinks.report.finding import Finding, read_finding
from sinks.report.groups import group_findings
from sinks.report.model import CATEGORIES, Report, Severity
from sinks.report.tally import Tally, tally_by, tally_categories, tally_severities
from sinks.report.timeline import timeline
from sinks.report.verdict import caveats, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sinks.report.groups import Group

TOP_ACTORS: Final = 10
TOP_ROWS: Final = 20


def render(report: Report) -> str:
    """Return the page as HTML text, the same for the same report.

    Cost: linear in the findings, plus sorting them. 1,000 ordinary findings in detail take 0.2 s of
    one core and 1.5 MB; with megabytes of hostile text in every field, 5 s and 11 MB (2026-11).
    """
    findings = tuple(read_finding(document) for document in report.findings)
    groups = group_findings(findings, report.detail_limit)
    detailed = sum(len(group.entries) for group in groups)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            verdict=verdict(report, findings),
            caveats=caveats(report),
            total=len(findings),
            left_out=len(findings) - detailed,
            sections=_by_severity(groups),
            first_look=[each for each in groups[:3] if each.severity is groups[0].severity],
            timeline=timeline(findings, report.inputs.first_event, report.inputs.last_event),
            tallies=_tallies(report, findings),
            quiet_clusters=sorted(
                set(report.inputs.clusters) - {each.cluster for each in findings}
            ),
            coverage=attack_coverage(report.rules, findings),
            matches=Counter(finding.rule_id for finding in findings),
            categories=CATEGORIES,
            severities=tuple(Severity),
            notice=NOTICE,
        )
    )


def write_report(path: Path, report: Report) -> None:
    """Write the page to `path`, in UTF-8; a reader never sees half of it.

    Raises OSError when the folder cannot be written to; the command that was asked for a report
    catches it.
    """
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(render(report).encode())
    partial.replace(path)


def _by_severity(groups: Sequence[Group]) -> list[tuple[Severity, list[Group]]]:
    sections = ((level, [g for g in groups if g.severity is level]) for level in Severity)
    return [(severity, members) for severity, members in sections if members]


def _tallies(report: Report, findings: Sequence[Finding]) -> dict[str, Tally]:
    events = {name: f"{count:,}" for name, count in report.inputs.clusters.items()}
    rules = Counter(rule.category for rule in report.rules)
    titles = {name: title for finding in findings for name, title in finding.context.techniques}
    titles |= {name: technique.title for name, technique in TECHNIQUES.items()}
    return {
        "severity": tally_severities(findings),
        "category": tally_categories(findings, rules),
        "cluster": tally_by(findings, lambda each: (each.cluster,), top=TOP_ROWS, notes=events),
        "actor": tally_by(findings, lambda each: (each.user,), top=TOP_ACTORS),
        "technique": tally_by(
            findings,
            lambda each: (name for name, _ in each.context.techniques),
            top=TOP_ROWS,
            notes=titles,
        ),
    }
