from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import pytest

from models.scored import MEMBERS, SCORES
from models.training.baselines import baselines
from models.training.evaluation import evaluate
from models.training.labels import JUDGED, LABELS
from tests.models.event_rows import break_in, event_frame, quiet_time

S = 1_000_000


@dataclass(frozen=True)
class Fixed:
    """Scores and members as they are given."""

    units: dict[str, tuple[float, int]]
    held: dict[str, list[str]]

    def score(self, _: pl.DataFrame) -> pl.DataFrame:
        rows = [
            (unit, "prod", unit, end_s * S - 1, end_s * S, score, ["because"])
            for unit, (score, end_s) in self.units.items()
        ]
        return pl.DataFrame(rows, schema=SCORES, orient="row")

    def members(self, _: pl.DataFrame) -> pl.DataFrame:
        rows = [(unit, event) for unit, events in self.held.items() for event in events]
        return pl.DataFrame(rows, schema=MEMBERS, orient="row")


def labels(*rows: tuple[str, int, str, str, str]) -> pl.DataFrame:
    timed = [(event, at_s * S, role, kind, run) for event, at_s, role, kind, run in rows]
    return pl.DataFrame(timed, schema=LABELS, orient="row")


EVENTS = event_frame([{} for _ in range(1_000)])
KNOWN = labels(
    ("a1", 10, "attack", "theft", "theft 0"),
    ("a2", 20, "attack", "theft", "theft 0"),
    ("a3", 30, "attack", "theft", "theft 1"),
    ("d1", 40, "derived", "theft", "theft 1"),
    ("h1", 50, "harness", "", ""),
)
MODEL = Fixed(
    {"clear": (9.0, 100), "quiet": (8.0, 100), "wide": (7.0, 60), "pods": (6.0, 60), "x": (1.0, 9)},
    {
        "clear": ["a2"],
        "quiet": ["e1", "e2"],
        "wide": ["a1", "a3", "e3", "e4", "e5"],
        "pods": ["d1", "e6"],
        "x": ["h1"],
    },
)


def test_findings_are_true_false_or_neither() -> None:
    found = evaluate("m", MODEL, EVENTS, KNOWN, [40, 10, 0])
    four, one, none = found.budgets
    assert (four.findings, four.true, four.false) == (4, 2, 1)
    assert four.precision == pytest.approx(2 / 3)
    assert (one.findings, one.precision) == (1, 1.0)
    assert (none.findings, none.precision, none.recall) == (0, None, 0.0)
    assert (found.units, found.true_units) == (5, 2)
    assert [finding.is_true for finding in found.findings] == [True, False, True, None]


def test_an_execution_is_found_by_its_own_requests_only() -> None:
    found = evaluate("m", MODEL, EVENTS, KNOWN, [10, 30])
    assert [(each.found, each.runs) for each in found.budgets] == [(1, 2), (2, 2)]
    derived = Fixed({"pods": (6.0, 60)}, {"pods": ["d1"]})
    assert evaluate("m", derived, EVENTS, KNOWN, [10]).budgets[0].found == 0


def test_a_finding_that_is_mostly_something_else_is_told_apart() -> None:
    found = evaluate("m", MODEL, EVENTS, KNOWN, [30]).budgets[0]
    assert (found.found, found.found_mostly) == (2, 1)


def test_detection_is_when_the_first_finding_that_holds_it_is_complete() -> None:
    only_clear, with_wide = evaluate("m", MODEL, EVENTS, KNOWN, [10, 30]).budgets
    assert only_clear.kinds[0].detection_s == 90
    # theft 0 is told at 60 by the wider one, theft 1 as well: 50 and 30 seconds after they began.
    assert with_wide.kinds[0].detection_s == 40


def test_what_was_told_before_an_execution_began_takes_no_time() -> None:
    early = Fixed({"u": (1.0, 15)}, {"u": ["a1", "a3"]})
    kind = evaluate("m", early, EVENTS, KNOWN, [10]).budgets[0].kinds[0]
    assert kind.detection_s == (5 + 0) / 2


def test_neither_true_nor_false_does_not_touch_the_area() -> None:
    with_neutral = evaluate("m", MODEL, EVENTS, KNOWN, [10]).average_precision
    held = {name: value for name, value in MODEL.units.items() if name not in {"pods", "x"}}
    assert (
        with_neutral
        == evaluate("m", Fixed(held, MODEL.held), EVENTS, KNOWN, [10]).average_precision
    )
    assert with_neutral == pytest.approx((1 + 2 / 3) / 2)


def test_without_labels_nothing_is_true_and_nothing_fails() -> None:
    found = evaluate("m", MODEL, EVENTS, labels(), [10])
    assert found.average_precision is None
    assert found.budgets[0].recall is None
    assert found.budgets[0].kinds == ()


def test_where_nothing_is_known_nothing_is_called_false() -> None:
    found = evaluate("m", MODEL, EVENTS, None, [10, 20])
    assert found.average_precision is None
    assert [(at.true, at.false, at.precision) for at in found.budgets] == [(0, 0, None)] * 2
    assert [at.findings for at in found.budgets] == [1, 2]
    assert {one.is_true for one in found.findings} == {None}


def test_each_simple_method_scores_every_session() -> None:
    learned = event_frame(quiet_time())
    tried = event_frame([*quiet_time(seed=2), *break_in(1_000)])
    made = baselines(learned, 1)
    scores = [each.score(tried) for each in made]
    assert [each.name for each in made] == [
        "volume z-score",
        "plain frequency",
        "isolation forest on raw counts",
    ]
    assert all(each.schema == pl.Schema(SCORES) for each in scores)
    assert all(each["score"].is_finite().all() for each in scores)
    assert len({tuple(each["unit"]) for each in scores}) == 1
    rarest = scores[1].sort("score")["entity"][-1]
    busiest = scores[0].sort("score")["entity"][-1]
    assert (rarest, busiest) == ("person-0", "person-0")
    assert made[2].score(tried).equals(baselines(learned, 1)[2].score(tried))


def test_precision_by_verdict_is_of_findings_that_people_judged() -> None:
    said = {"a2": True, "e1": False, "e4": True, "e5": False, "d1": False, "elsewhere": True}
    verdicts = pl.DataFrame(list(said.items()), schema=dict(JUDGED), orient="row")
    plain = evaluate("m", MODEL, EVENTS, KNOWN, [10, 20, 30, 0])
    found = evaluate("m", MODEL, EVENTS, KNOWN, [10, 20, 30, 0], verdicts=verdicts)
    counted = [(at.judged_true, at.judged_false, at.precision_by_verdict) for at in found.budgets]
    assert counted == [(1, 0, 1.0), (1, 1, 0.5), (2, 1, pytest.approx(2 / 3)), (0, 0, None)]
    labelled = [(at.true, at.false, at.found, at.runs) for at in found.budgets]
    assert labelled == [(at.true, at.false, at.found, at.runs) for at in plain.budgets]
    assert [at.precision_by_verdict for at in plain.budgets] == [None] * 4
