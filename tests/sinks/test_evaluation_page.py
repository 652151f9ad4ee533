from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from models.training.evaluation import BudgetResult, Evaluation, Finding, KindResult
from sinks.report.evaluation import (
    EvaluationPage,
    budgeted,
    figure,
    lasted,
    render_evaluation,
    share,
    write_evaluation,
)

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
NOON_US = int(NOON.timestamp()) * 1_000_000
PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><script>alert(1)</script>",
    "{{ 7 * 7 }}",
    "user\u202egnp.exe",
    "lone \ud800 surrogate",
)


def page(text: str = "plain") -> EvaluationPage:
    kinds = (KindResult(text, 2, 1, 90.0), KindResult("other", 2, 0, None))
    budgets = tuple(
        BudgetResult(
            budget=n, findings=7, true=3, false=1, runs=4, found=1, found_mostly=0, kinds=kinds
        )
        for n in (5.0, 20.0)
    )
    finding = Finding(0.7, text, text, NOON_US, True, (text, "exec: 3"), (text,))
    result = Evaluation(text, 1_000, 20, 4, 0.75, budgets, (finding,))
    return EvaluationPage(
        title=text,
        kind=text,
        source=text,
        trained=(NOON, NOON),
        tried=(NOON, NOON),
        learned_events=9,
        results=(result, replace(result, name="simple")),
        version="1",
    )


class Parsed(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "i":  # our own mark around a character made visible
            self.tags.append(tag)
            self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_value_becomes_markup(payload: str) -> None:
    plain, hostile = Parsed(render_evaluation(page())), Parsed(render_evaluation(page(payload)))
    assert hostile.tags == plain.tags
    assert hostile.attributes == plain.attributes
    assert "49" not in hostile.text
    assert "\u202e" not in hostile.text


def test_the_page_runs_and_loads_nothing() -> None:
    html = render_evaluation(page())
    parsed = Parsed(html)
    assert "default-src 'none'" in html
    assert not {"script", "link", "img", "iframe", "form"} & set(parsed.tags)
    assert not {"src", "onload", "onclick", "style"} & set(parsed.attributes)
    assert "http" not in html.replace("http-equiv", "")


def test_the_figures_are_those_of_the_evaluation() -> None:
    text = Parsed(render_evaluation(page())).text
    for shown in ("0.750", "75 %", "1 of 4", "1 of 2, 1.5 min", "0 of 2", "exec: 3", "simple"):
        assert shown in text


def test_what_is_missing_is_said() -> None:
    alone = replace(page(), results=page().results[:1])
    assert "Nothing is compared" in render_evaluation(alone)
    nothing = replace(alone.results[0], true_units=0, average_precision=None, findings=())
    html = render_evaluation(replace(alone, results=(nothing,)))
    assert "No labelled attack" in html
    assert "allow no finding" in html
    assert "Nothing is compared" not in render_evaluation(page())


def test_what_people_decided_stands_apart() -> None:
    text = Parsed(render_evaluation(page())).text
    assert "Precision by verdict" not in text
    model = page().results[0]
    budgets = tuple(replace(at, judged_true=2, judged_false=6) for at in model.budgets)
    judged = replace(page(), results=(replace(model, budgets=budgets),))
    shown = Parsed(render_evaluation(judged)).text
    assert "Precision by verdict" in shown
    assert "25 %" in shown
    alone = Parsed(render_evaluation(replace(judged, is_labelled=False))).text
    assert "There are no labels" in alone
    assert "25 %" in alone
    for words in ("PR-AUC0", "Kinds of attack found", "Units with an attack", "neither"):
        assert words not in alone.partition("What the words mean")[0]


def test_the_same_evaluation_is_the_same_page(tmp_path: Path) -> None:
    write_evaluation(tmp_path / "page.html", page())
    assert (tmp_path / "page.html").read_text() == render_evaluation(page())
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]


def test_figures_are_said_as_people_say_them() -> None:
    assert [figure(None), figure(0.12345)] == ["-", "0.123"]
    assert [share(None), share(0.666)] == ["-", "67 %"]
    assert [lasted(None), lasted(44.2), lasted(90), lasted(7_200)] == [
        "not found",
        "44 s",
        "1.5 min",
        "2.0 h",
    ]
    assert [budgeted(5.0), budgeted(0.5)] == ["5", "0.5"]
