from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from ingest.record import InputProblem, Reason, Refused, Stage
from sinks.report import Quarantine, ReadSummary, Report, RuleInfo, render, write_report

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NOON = datetime(2026, 10, 3, 12, tzinfo=UTC)
VOID = {"meta", "input", "br", "link", "img"}
RULES = (
    RuleInfo("bind-admin", "Admin bound", "cluster-control", "critical", ("T1098.006",), "D10"),
    RuleInfo("exec", "Command in a pod", "cluster-control", "high", ("T1609", "T1611"), "D01"),
    RuleInfo("tokens", "Rejected tokens", "abnormal-login", "medium", ("T1110",), "A05"),
)


class Page(HTMLParser):
    """The page as elements and text; complains where an element is not closed or not opened."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text.append(data)

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        return [
            attrs
            for name, attrs in self.elements
            if name == tag and all(attrs.get(key) == value for key, value in wanted.items())
        ]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def finding(number: int = 0, **fields: object) -> dict[str, object]:
    document: dict[str, object] = {
        "@timestamp": (NOON + timedelta(seconds=number)).isoformat().replace("+00:00", "Z"),
        "event.kind": "alert",
        "event.severity": 73,
        "event.action": "exec",
        "event.outcome": "success",
        "rule.id": "exec",
        "rule.name": "Command in a pod",
        "rule.category": "cluster-control",
        "rule.description": "An interactive command leaves no trace in the image.",
        "rule.reference": ["https://kubernetes.io/docs/"],
        "threat.technique.id": ["T1609"],
        "threat.technique.name": ["Container Administration Command"],
        "message": f"alice opened a shell in pod web/{number} of sample",
        "trailwarden.finding.id": f"{number:032x}",
        "trailwarden.severity": "high",
        "orchestrator.cluster.name": "sample",
        "orchestrator.namespace": "web",
        "orchestrator.resource.type": "pods",
        "orchestrator.resource.name": f"api-{number}",
        "user.name": "alice",
        "source.ip": "203.0.113.7",
        "user_agent.original": "kubectl/v1.31.0",
        "trailwarden.evidence.event_ids": [f"e{number}"],
        "trailwarden.evidence.audit_ids": [f"a{number}"],
        "trailwarden.evidence.values": ["event.action=exec"],
        "trailwarden.next_steps": ["Ask the person by another channel."],
        "trailwarden.false_positives": ["Administrators who debug."],
    }
    return document | {name.replace("__", "."): value for name, value in fields.items()}


def report(findings: Sequence[dict[str, object]] = (), **changes: object) -> Report:
    inputs = ReadSummary(
        files=2,
        records=65_102,
        events=64_869,
        repeats=221,
        size_bytes=13_058_312,
        first_event=NOON - timedelta(hours=1),
        last_event=NOON + timedelta(hours=2),
        clusters={"sample": 64_869},
    )
    made = Report(inputs, findings, RULES, version="1.2.3", pack_hash="sha256:8a1f")
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]  # by name, tests only


def mixed() -> list[dict[str, object]]:
    critical: dict[str, object] = {"trailwarden.severity": "critical", "rule.id": "bind-admin"}
    return [
        *(finding(number) for number in range(11)),
        *(finding(20 + number) | critical for number in range(3)),
    ]


def test_the_page_says_what_was_found_in_one_sentence() -> None:
    page = Page(render(report(mixed())))
    assert "14 findings, 3 critical, in 64,869 events of cluster sample" in page.words
    assert len(page.all("h1")) == 1


def test_the_page_forbids_and_holds_no_script_and_loads_nothing() -> None:
    page = Page(render(report(mixed())))
    policies = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert len(policies) == 1
    assert policies[0]["content"].startswith(
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
    )
    names = {name for name, _ in page.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    for _, attrs in page.elements:
        assert not attrs.keys() & {"src", "srcset", "style", "action", "background", "xlink:href"}
        assert not any(name.startswith("on") for name in attrs)
        assert attrs.get("href", "#").startswith(("#", "https://", "http://"))
    assert "url(" not in render(report())
    assert "@import" not in render(report())


def test_every_link_within_the_page_has_one_target() -> None:
    page = Page(render(report([*mixed(), finding(3), finding(4, trailwarden__finding__id="")])))
    ids = Counter(attrs["id"] for _, attrs in page.elements if "id" in attrs)
    assert ids.most_common(1)[0][1] == 1
    for _, attrs in page.elements:
        for name in ("href", "aria-labelledby"):
            target = attrs.get(name, "")
            if target and not target.startswith("http"):
                assert target.removeprefix("#") in ids


def test_landmarks_headings_and_table_headers_are_there() -> None:
    page = Page(render(report(mixed())))
    names = Counter(name for name, _ in page.elements)
    assert names["main"] == names["header"] == names["footer"] == names["nav"] == 1
    assert page.all("html", lang="en")
    assert all("scope" in attrs for attrs in page.all("th"))
    assert all(svg.get("aria-label") or svg.get("aria-hidden") == "true" for svg in page.all("svg"))


def test_findings_of_one_rule_share_a_group_and_their_advice_is_said_once() -> None:
    html = render(report([finding(number) for number in range(60)]))
    page = Page(html)
    assert len(page.all("details", **{"class": "group"})) == 1
    assert len(page.all("details", **{"class": "finding"})) == 60
    assert html.count("Ask the person by another channel.") == 1
    assert "60 findings" in page.words


def test_advice_that_differs_within_a_group_stands_with_each_finding() -> None:
    other = finding(1) | {"trailwarden.next_steps": ["Look at the second pod."]}
    html = render(report([finding(0), other]))
    assert html.count("Ask the person by another channel.") == 1
    assert html.count("Look at the second pod.") == 1


def test_a_level_in_context_says_why() -> None:
    reasons = {"trailwarden.severity_reasons": ["lowered: it was a dry run: nothing was stored"]}
    lowered = finding() | {"trailwarden.rule_level": "critical"} | reasons
    said = "Rule's level critical Severity lowered: it was a dry run: nothing was stored"
    assert said in Page(render(report([lowered]))).words
    assert "Rule's level" not in Page(render(report([finding()]))).words


def test_the_most_severe_come_first_then_the_earliest() -> None:
    html = render(report([finding(5), finding(1), *mixed()[11:]]))
    places = [html.index(f'id="finding-{number:032x}') for number in (20, 21, 22, 1, 5)]
    assert places == sorted(places)


def test_each_finding_shows_who_did_what_where_and_the_evidence() -> None:
    words = Page(render(report([finding(7) | {"user.effective.name": "system:admin"}]))).words
    for text in (
        "alice opened a shell in pod web/7 of sample",
        "Acting as system:admin",
        "Source 203.0.113.7",
        "User agent kubectl/v1.31.0",
        "Action exec (success)",
        "Object web/api-7",
        "Matched event.action=exec",
        "Event ids e7",
        "Audit ids a7",
        "Why it matters An interactive command leaves no trace in the image.",
        "T1609 Container Administration Command",
        "https://kubernetes.io/docs/",
        "2026-10-03 12:00:07",
    ):
        assert text in words


def test_nothing_found_says_what_was_looked_for() -> None:
    page = Page(render(report()))
    assert "No findings in 64,869 events of cluster sample" in page.words
    assert "None of the 3 rules loaded matched" in page.words
    assert "cluster control (2 rules)" in page.words
    assert "Command in a pod" in page.words
    assert not page.all("fieldset")


def test_nothing_read_is_not_reported_as_nothing_found() -> None:
    words = Page(render(report(inputs=ReadSummary(files=1, records=0, events=0)))).words
    assert "No findings, because no events were read" in words


def test_no_rules_loaded_is_said() -> None:
    assert "No findings, because no rules were loaded" in Page(render(report(rules=()))).words


def test_one_finding_is_said_in_the_singular_and_stands_open() -> None:
    page = Page(render(report([finding()])))
    assert "1 high finding in 64,869 events" in page.words
    assert "open" in page.all("details", **{"class": "finding"})[0]


@pytest.mark.parametrize("missing", sorted(finding()))
def test_any_field_may_be_missing_or_of_another_type(missing: str) -> None:
    without = {name: value for name, value in finding().items() if name != missing}
    odd: tuple[object, ...] = (None, 7, [1, None], {})
    Page(render(report([without, *(finding() | {missing: value} for value in odd)])))


def test_five_thousand_findings_are_all_counted_and_a_thousand_shown() -> None:
    flood = [finding(number) for number in range(4_995)]
    rare = [
        finding(9_000 + n) | {"rule.id": f"r{n}", "trailwarden.severity": "low"} for n in range(5)
    ]
    html = render(report([*flood, *rare]))
    page = Page(html)
    assert len(page.all("details", **{"class": "finding"})) == 1_000
    assert "The other 4,000 are counted in every chart above and stand only in findings.ndjson" in (
        page.words
    )
    assert "995 of 4,995 findings shown" in page.words
    for number in range(9_000, 9_005):  # the flood does not bury the rest
        assert page.all("dl", id=f"finding-{number:032x}")
    assert len(html) < 3_000_000


def test_the_limit_bounds_the_groups_too() -> None:
    many = [finding(number) | {"rule.id": f"rule-{number}"} for number in range(300)]
    page = Page(render(report(many, detail_limit=50)))
    assert len(page.all("details", **{"class": "group"})) == 50
    assert "The other 250 are counted" in page.words


def test_what_was_refused_or_unreadable_is_listed_with_its_place() -> None:
    refused = Refused(Stage.FRAME, Reason.NOT_JSON, "a.log.gz", 182_736, 812, "ab" * 32, "line 7")
    page = Page(
        render(
            report(
                quarantine=Quarantine({"not-json": 9, "truncated": 2}, [refused]),
                problems=[InputProblem("b.log.gz", "the stream ends early")],
            )
        )
    )
    for text in (
        "11 records were refused and not examined",
        "1 input could not be read to the end; what was read of it counts",
        "a.log.gz at byte 182,736",
        "ab" * 32,
        "line 7",
        "b.log.gz",
        "the stream ends early",
        "not-json 9",
    ):
        assert text in page.words


def test_coverage_tells_techniques_hit_from_those_only_looked_for() -> None:
    words = Page(render(report([finding()]))).words
    assert "The rules loaded look for 4 techniques; 1 was hit" in words
    assert "Execution 1 of 1 T1609 Container Administration Command 1 finding" in words
    assert "Privilege Escalation 0 of 2 none T1098.006 Additional Container Cluster Roles" in words


def test_the_same_report_gives_the_same_bytes_and_the_clock_is_shown_only_on_request() -> None:
    assert render(report(mixed())) == render(report(mixed()))
    assert render(report(mixed())) == render(report(mixed()[::-1]))
    dated = render(report(mixed(), generated_at=datetime(2026, 11, 2, 3, 4, 5, tzinfo=UTC)))
    assert "2026-11-02 03:04:05" in dated


def test_the_page_is_written_whole_in_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("the one before")
    made = report([finding(0) | {"user.name": "zoë"}])
    write_report(path, made)
    assert path.read_text(encoding="utf-8") == render(made)
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


def test_each_severity_and_category_shown_can_be_filtered() -> None:
    html = render(report(mixed()))
    boxes = [attrs["id"] for attrs in Page(html).all("input", type="checkbox")]
    assert boxes[:2] == ["show-critical", "show-high"]
    assert all(html.count(f"#{box}:not(:checked)") == 1 for box in boxes)


def test_a_finding_about_a_machine_says_who_what_and_where() -> None:
    about = finding(
        user__name=None,
        user__id="0",
        user__audit__name="carol",
        user__target__name="eve",
        group__name="sudo",
        host__name="node-7",
        container__name="cart",
        container__id="0f1e2d3c4b5a",
        container__image__name="registry.example.com/cart:9",
        process__command_line="tee -a /etc/passwd",
        process__executable="/usr/bin/tee",
        trailwarden__process__ancestors=["bash", "sshd"],
        file__path="/srv/p",
        file__target_path="/etc/passwd",
        package__name=["nmap", "nc"],
        trailwarden__package__manager="apk",
        destination__ip="198.51.100.20",
        destination__port=443,
        trailwarden__tool__rule="Write below etc",
        trailwarden__tool__severity="Error",
    )

    words = Page(render(report([about]))).words

    for pair in (
        "User uid 0",
        "Logged in as carol",
        "Account changed eve, group sudo",
        "Host node-7",
        "Container cart 0f1e2d3c4b5a",
        "Image registry.example.com/cart:9",
        "Program tee -a /etc/passwd",
        "Executable /usr/bin/tee",
        "Started by bash < sshd",
        "File /srv/p -> /etc/passwd",
        "Packages apk: nmap, nc",
        "Connected to 198.51.100.20 port 443",
        "Reported by Write below etc, Error",
    ):
        assert pair in words, pair
    assert "by uid 0" in words


def test_a_finding_about_an_api_call_has_no_rows_of_machines() -> None:
    html = render(report([finding()]))

    assert "<dt>Source</dt>" in html
    for label in ("Host", "Container", "Program", "Started by", "Reported by", "Logged in as"):
        assert f"<dt>{label}</dt>" not in html


def test_what_is_unusual_is_said_in_words_and_numbers() -> None:
    about = finding() | {
        "trailwarden.anomaly.reasons": ["first `exec pods` in 41 days", "first time from here"],
        "trailwarden.anomaly.normal": "known for 41 days; 17 peers",
        "trailwarden.anomaly.score": 98.888,
        "trailwarden.anomaly.threshold": 71.11,
        "trailwarden.anomaly.budget_a_day": 20.0,
        "trailwarden.anomaly.tail_probability": 2.5e-5,
        "trailwarden.anomaly.model": "profile/7",
    }

    words = Page(render(report([about]))).words

    for pair in (
        "Action exec (success), the first",
        "Unusual first `exec pods` in 41 days first time from here",
        "Before known for 41 days; 17 peers",
        "How rare 98.9 bits; expected once in 40,000 minutes of an identity; reported from 71.1",
        "from 71.1 bits on; the budget is 20 findings a day; begun with the model profile/7",
    ):
        assert pair in words, pair


@pytest.mark.parametrize("share", [0.0, 5e-324])
def test_what_is_too_rare_to_be_counted_is_said_so(share: float) -> None:
    words = Page(
        render(report([finding() | {"trailwarden.anomaly.tail_probability": share}]))
    ).words
    assert "expected once in more than a billion minutes" in words


def test_what_was_recalled_stands_with_it_and_nothing_else_does() -> None:
    about = finding() | {
        "trailwarden.recalled.token_pod.node": "node-1",
        "trailwarden.recalled.token_off_pod": True,
        "trailwarden.recalled.target_pod.host_access": ["host-pid", "host-network"],
        "trailwarden.recalled.dormant_days": 0,
        "trailwarden.recalled.never_heard_of": "x",
    }

    words = Page(render(report([about]))).words

    for pair in (
        "Recalled token pod node: node-1 token off pod: yes dormant days: 0",
        "target pod host access: host-pid, host-network",
    ):
        assert pair in words, pair
    assert "never heard of" not in words
    html = render(report([finding()]))
    assert not any(f"<dt>{label}</dt>" in html for label in ("Recalled", "Unusual", "Before"))
