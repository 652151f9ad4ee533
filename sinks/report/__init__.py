"""Findings and counts in, one HTML page out: the report that a scan leaves beside its findings.

Fill a `Report` and call `write_report`; everything else in this package serves these two.
"""

from sinks.report.model import Quarantine, ReadSummary, Report, RuleInfo, Severity
from sinks.report.page import render, write_report

__all__ = [
    "Quarantine",
    "ReadSummary",
    "Report",
    "RuleInfo",
    "Severity",
    "render",
    "write_report",
]
