from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from ingest.sources.compression import open_stream
from models.simulate.comparison import compare, kolmogorov
from models.simulate.comparison_page import comparison_page
from models.simulate.log_frame import COMPARED, compared_columns, identity_type
from tests.models.simulate.conftest import Fleet, simulate


def lines_of(path: Path) -> list[bytes]:
    chunks = open_stream(str(path))
    return b"".join(chunk for chunk in chunks if isinstance(chunk, bytes)).splitlines(keepends=True)


def test_a_log_does_not_differ_from_itself(fleet: Fleet) -> None:
    events = compared_columns(fleet.lines["prod-eu"][1])
    comparison = compare(events, events)

    assert events.height == len(fleet.lines["prod-eu"][1])
    assert events.schema == pl.Schema(COMPARED)
    assert {one.distance for one in comparison.counted} == {0.0}
    assert {one.statistic for one in comparison.measured} == {0.0}


def test_distances_are_those_of_the_textbook() -> None:
    line = (
        b'{"verb":"%b","user":{"username":"a@b"},"stageTimestamp":"2026-06-01T00:00:0%d.000000Z"}'
    )
    one = compared_columns([line % (verb, n) for n, verb in enumerate((b"get", b"get", b"list"))])
    other = compared_columns([line % (verb, n) for n, verb in enumerate((b"get", b"watch"))])
    verbs = compare(one, other).counted[0]

    assert verbs.column == "verb"
    assert verbs.distance == pytest.approx((2 / 3 - 1 / 2 + 1 / 3 + 1 / 2) / 2)
    assert kolmogorov(pl.Series([1, 2, 3, 4]), pl.Series([3, 4, 5, 6])) == pytest.approx(0.5)
    assert kolmogorov(pl.Series([1, 1]), pl.Series([2, 2])) == pytest.approx(1.0)


def test_what_is_no_audit_event_is_left_out() -> None:
    assert compared_columns([b"no json\n", b"[]\n", b"{}\n", b"\n"]).height == 0


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", "none"),
        ("system:anonymous", "anonymous"),
        ("system:node:node-1", "node"),
        ("system:serviceaccount:kube-system:job-controller", "controller"),
        ("system:serviceaccount:shop:web", "service account"),
        ("system:kube-scheduler", "control plane"),
        ("alba@corp.example", "person"),
        ("ci-jenkins", "other"),
    ],
)
def test_identities_have_kinds(name: str, kind: str) -> None:
    assert identity_type(name) == kind


def test_the_page_has_every_figure_and_nothing_breaks_its_table() -> None:
    line = b'{"verb":"a|b`\\n","user":{},"stageTimestamp":"2026-06-01T00:00:0%d.000000Z"}'
    events = compared_columns([line % n for n in range(3)])
    page = comparison_page(compare(events, events), "one", "other")

    assert "| `a/b' ` | 100.0 | 100.0 |" in page
    assert all(title in page for title in ("verb", "KS statistic", "3 simulated events"))


def test_the_simulation_resembles_the_recording(recording: Path) -> None:
    real = compared_columns(lines_of(recording / "audit.log.gz"))
    day = simulate(days=1, clusters=1, chains=0, events_per_day=50_000).lines["prod-eu"][0]
    comparison = compare(real, compared_columns(day))
    distances = {one.column: one.distance for one in comparison.counted}

    assert distances.pop("resource") < 0.15
    assert distances.pop("agent") < 0.15
    assert max(distances.values()) < 0.1
