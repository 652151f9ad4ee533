from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from sinks.report import ReadSummary, Report, RuleInfo, Severity, render
from sinks.report.finding import Finding, read_finding
from sinks.report.tally import tally_by
from sinks.report.timeline import MOST_BUCKETS, timeline

NOON = datetime(2026, 10, 3, 12, tzinfo=UTC)
AA_TEXT, AA_GRAPHIC = 4.5, 3.0


def found(at: datetime, severity: str = "high", user: str = "alice") -> dict[str, object]:
    return {
        "@timestamp": at.isoformat(),
        "trailwarden.severity": severity,
        "rule.id": "r",
        "rule.category": "cluster-control",
        "threat.technique.id": ["T1609"],
        "user.name": user,
        "orchestrator.cluster.name": "a" if user == "alice" else "b",
    }


def read(*documents: dict[str, object]) -> tuple[Finding, ...]:
    return tuple(read_finding(document) for document in documents)


class Charts(HTMLParser):
    """Sums of ``data-count`` by the lane or the table that holds them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.sums: Counter[str] = Counter()
        self._chart = self._lane = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "table":
            self._chart = named.get("data-chart") or ""
        if tag == "svg":
            self._lane = named.get("data-lane") or ""
        if "data-count" in named:
            self.sums[f"lane {self._lane}" if self._lane else self._chart] += int(
                named["data-count"] or 0
            )

    handle_startendtag = handle_starttag


def test_the_charts_add_up_to_the_data() -> None:
    documents = [
        *(found(NOON + timedelta(minutes=n), "critical") for n in range(3)),
        *(found(NOON + timedelta(minutes=7 * n), "low", f"user{n}") for n in range(8)),
    ]
    report = Report(
        ReadSummary(files=1, records=9, events=9, clusters={"a": 4, "b": 5}),
        documents,
        [RuleInfo("r", "R", "cluster-control", "high")],
        version="1",
        pack_hash="h",
    )
    sums = Charts(render(report)).sums
    assert sums["lane critical"] == 3
    assert sums["lane low"] == 8
    for chart in ("severity", "category", "cluster", "actor", "technique"):
        assert sums[chart] == 11


@pytest.mark.parametrize("span_s", [0, 1, 59, 60, 61, 3_600, 86_400, 10**6, 10**8, 6 * 10**10])
def test_buckets_fit_the_span_and_hold_every_finding(span_s: int) -> None:
    least = datetime(1, 1, 1, tzinfo=UTC) if span_s > 10**9 else NOON
    chart = timeline(read(found(least), found(least + timedelta(seconds=span_s))), None, None)
    assert chart is not None
    assert 1 <= chart.buckets <= MOST_BUCKETS
    assert chart.start <= least
    assert sum(bar.count for lane in chart.lanes for bar in lane.bars) == 2
    assert all(0 <= bar.place < chart.buckets for lane in chart.lanes for bar in lane.bars)


def test_the_span_is_that_of_the_events_widened_by_findings_outside() -> None:
    late = NOON + timedelta(hours=9)
    chart = timeline(read(found(NOON), found(late)), NOON - timedelta(hours=3), NOON)
    assert chart is not None
    assert (chart.start, chart.end) == (NOON - timedelta(hours=3), late + timedelta(minutes=15))
    assert chart.bucket == "15 minutes"


def test_findings_without_a_time_are_named_and_not_drawn() -> None:
    chart = timeline(read(found(NOON), found(NOON) | {"@timestamp": "yesterday"}), None, None)
    assert chart is not None
    assert chart.untimed == 1
    assert timeline(read({"message": "m"}), NOON, NOON) is None


def test_the_table_says_what_the_lanes_show() -> None:
    hour = timedelta(hours=1)
    chart = timeline(
        read(found(NOON), found(NOON, "low"), found(NOON + hour, "low")), NOON, NOON + 40 * hour
    )
    assert chart is not None
    assert chart.table == ((NOON, (1, 1)), (NOON + hour, (0, 1)))
    assert [lane.severity for lane in chart.lanes] == [Severity.HIGH, Severity.LOW]


def test_rows_are_ranked_and_those_left_out_are_counted() -> None:
    findings = read(*(found(NOON, user=user) for user in "bbaccd"))
    tally = tally_by(findings, lambda each: (each.user,), top=3)
    assert [(row.label, row.count) for row in tally.rows] == [("b", 2), ("c", 2), ("a", 1)]
    assert tally.more == 1


def test_a_severity_that_is_only_a_number_is_placed_in_its_band() -> None:
    scores = {99: "critical", 73: "high", 47: "medium", 21: "low", 0: "low"}
    for score, severity in scores.items():
        assert read({"event.severity": score})[0].severity == severity
    assert read({})[0].severity == "medium"


def _variables(block: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in block.replace("\n", ";").split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip()[:2] == "--"}


def _luminance(colour: str) -> float:
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_and_marks_keep_the_contrast_that_wcag_aa_asks_for(theme: int) -> None:
    css = (files("sinks.report") / "templates" / "report.css").read_text(encoding="utf-8")
    colours = _variables(css.split(":root {")[1 + theme].split("}")[0])
    inks = ["--ink", "--dim", "--link", *(f"--{severity}" for severity in Severity)]
    for ink in inks:
        for ground in ("--paper", "--wash"):
            assert _contrast(colours[ink], colours[ground]) >= AA_TEXT, (ink, ground)
    assert _contrast(colours["--paper"], colours["--ink"]) >= AA_GRAPHIC
