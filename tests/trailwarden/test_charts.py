"""Pictures are whole XML, drawn to scale, whatever the names in them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from trailwarden.charts import BUCKETS, Picture, bars, lanes

SVG = "{http://www.w3.org/2000/svg}"
START = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)
HOSTILE = "</text><script>alert(1)</script>\x00\x1b[31m\u202e"


def parsed(picture: Picture) -> ET.Element:
    return ET.fromstring(picture._repr_svg_())  # noqa: S314 - our own output


def texts(picture: Picture) -> list[str]:
    nodes = parsed(picture).iter(f"{SVG}text")
    return ["".join([node.text or "", *(child.tail or "" for child in node)]) for node in nodes]


def colored(picture: Picture, color: str) -> list[dict[str, str]]:
    return [node.attrib for node in parsed(picture).iter(f"{SVG}rect") if node.get("fill") == color]


def events(*seconds: float, lane: str = "a") -> pl.DataFrame:
    times = [START + timedelta(seconds=offset) for offset in seconds]
    return pl.DataFrame({"@timestamp": times, "lane": [lane] * len(times)})


def test_bars_are_as_long_as_their_values() -> None:
    counts = pl.DataFrame({"name": ["x", "y", "z"], "n": [100, 50, 0]})
    drawn = colored(bars(counts, "name", "n", title="t", colors=dict.fromkeys("xyz", "red")), "red")
    widths = [float(bar["width"]) for bar in drawn]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.2)
    assert widths[2] == 1


def test_bars_name_what_has_no_name() -> None:
    picture = bars(pl.DataFrame({"name": [None], "n": [1_234]}), "name", "n", title="t")
    assert {"(none)", "1,234"} <= set(texts(picture))


@pytest.mark.parametrize("rows", [[], [HOSTILE]])
def test_hostile_names_and_no_rows_are_drawn(rows: list[str]) -> None:
    counts = pl.DataFrame({"name": rows, "n": [1] * len(rows)}, schema={"name": str, "n": int})
    picture = bars(counts, "name", "n", title=HOSTILE)
    assert not list(parsed(picture).iter(f"{SVG}script"))
    assert "\\u0000" in texts(picture)[0]


def test_lanes_count_every_row_and_keep_the_order() -> None:
    rows = pl.concat([events(0, 1, 2, lane="low"), events(5, 60, lane="high")])
    shown = texts(lanes(rows, "lane", title="t", order=["critical", "high", "low"]))
    labels = [text.strip() for text in shown if text in {"high", "low", "2", "3"}]
    assert labels == ["high", "2", "low", "3"]


def test_the_first_and_the_last_row_are_in_the_first_and_the_last_bucket() -> None:
    picture = lanes(events(0, 3_600), "lane", title="t", colors={"a": "red"})
    places = [float(bar["x"]) for bar in colored(picture, "red")]
    step = places[1] - places[0]
    assert len(places) == 2
    assert step == pytest.approx((780 - 240 - 70) / BUCKETS * (BUCKETS - 1), abs=0.2)


def test_one_moment_and_no_time_can_be_drawn() -> None:
    assert texts(lanes(events(0), "lane", title="t"))
    nothing = events().cast({"@timestamp": pl.Datetime("us", "UTC"), "lane": pl.String})
    assert texts(lanes(nothing, "lane", title="t")) == ["t: nothing"]
