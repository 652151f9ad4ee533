"""The report in sentences: what was found in what, and what could not be looked at.

Separate because these sentences are what gets quoted; they are tested word for word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sinks.report.finding import Finding
    from sinks.report.model import Report

_KILO = 1_000


def verdict(report: Report, findings: Sequence[Finding]) -> str:
    """Return the report in one sentence, without a full stop: it is a headline."""
    if not report.inputs.events:
        return "No findings, because no events were read"
    where = f"in {counted(report.inputs.events, 'event')}{_clusters(report)}"
    if not report.rules and not findings:
        return f"No findings, because no rules were loaded, {where}"
    return f"{_found(findings)} {where}"


def caveats(report: Report) -> tuple[str, ...]:
    """Say what the verdict does not cover, a sentence each; empty when everything was read."""
    sentences = []
    if report.problems:
        many, it = (
            counted(len(report.problems), "input"),
            "it" if len(report.problems) == 1 else "them",
        )
        sentences.append(f"{many} could not be read to the end; what was read of {it} counts.")
    if refused := report.quarantine.total:
        were = "record was" if refused == 1 else "records were"
        sentences.append(f"{refused:,} {were} refused and not examined.")
    if late := report.inputs.late:
        came = "event came" if late == 1 else "events came"
        sentences.append(
            f"{late:,} {came} late: rules without memory saw them, counts over time did not."
        )
    return tuple(sentences)


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, as in '1 file' and '1,024 files'."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def sized(size_bytes: int) -> str:
    """Return a size as people say it: 13.1 MB. Powers of 1,000, as in file managers and bills."""
    size, unit = float(size_bytes), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < _KILO:
            break
        size, unit = size / _KILO, larger
    return f"{size_bytes:,} bytes" if unit == "bytes" else f"{size:.1f} {unit}"


def timed(moment: datetime | None) -> str:
    """Return a UTC time to the second; the page says once that all times are UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "time unknown"


def _found(findings: Sequence[Finding]) -> str:
    if not findings:
        return "No findings"
    worst = min((finding.severity for finding in findings), key=lambda severity: severity.rank)
    many = sum(finding.severity is worst for finding in findings)
    if many == len(findings):
        return f"{many:,} {worst} finding{'' if many == 1 else 's'}"
    return f"{counted(len(findings), 'finding')}, {many:,} {worst},"


def _clusters(report: Report) -> str:
    names = list(report.inputs.clusters)
    if not names:
        return ""
    return f" of cluster {names[0]}" if len(names) == 1 else f" of {len(names):,} clusters"
