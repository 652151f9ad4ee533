"""Small frames become pictures: SVG without scripts, which every notebook shows, offline too.

Separate from `trailwarden.opened`: a picture is of any frame. A Vega chart needs a front-end that
knows its version, or a script from a network; SVG needs neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from detectors.message import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

SEVERITY_COLORS: Final[Mapping[str, str]] = {
    "critical": "#9c1c2d",
    "high": "#b1470f",
    "medium": "#866205",
    "low": "#3a678f",
    "informational": "#626971",
}
"""As in the report."""

WIDTH: Final = 780
BUCKETS: Final = 80

_PLAIN: Final = "#3a678f"
_INK: Final = "#22262b"
_FAINT: Final = "#d9dde2"
_LABEL_WIDTH: Final = 240
_COUNT_WIDTH: Final = 70
_ROW: Final = 22
_LANE: Final = 30
_TOP: Final = 34
_LABEL_LETTERS: Final = 38


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG image that notebooks show."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg


def bars(
    counts: pl.DataFrame,
    label: str,
    value: str,
    *,
    title: str,
    colors: Mapping[str, str] | None = None,
) -> Picture:
    """Return one horizontal bar for each row, in the rows' order.

    Parameters
        label, value: columns: what a bar is called, and how long it is (0 or more).
        colors: of bars by their label; others are blue.
    """
    values = counts[value].fill_null(0).to_list()
    room = WIDTH - _LABEL_WIDTH - _COUNT_WIDTH
    scale = room / (max(values, default=0) or 1)
    parts = []
    for row, (name, count) in enumerate(zip(_names(counts[label]), values, strict=True)):
        y = _TOP + row * _ROW
        parts += [
            _label(name, y + 15),
            _rect(_LABEL_WIDTH, y + 3, max(count * scale, 1), _ROW - 6, _color(colors, name)),
            _text(f"{count:,}", _LABEL_WIDTH + count * scale + 6, y + 15),
        ]
    return _picture(title, parts, _TOP + len(values) * _ROW + 8)


def lanes(
    rows: pl.DataFrame,
    lane: str,
    *,
    title: str,
    time: str = "@timestamp",
    order: Sequence[str] | None = None,
    colors: Mapping[str, str] | None = None,
) -> Picture:
    """Return rows over time: one lane for each value of ``lane``, its bars scaled to itself.

    Lanes rather than one stacked column: beside five hundred medium findings a critical one would
    be too thin to see.

    Parameters
        rows: at least the columns ``time`` and ``lane``; rows without a time are left out.
        order: lanes from top to bottom; None: the fullest first.
    """
    timed = rows.select(
        pl.col(time).alias("time"), pl.col(lane).cast(pl.String).fill_null("(none)").alias("lane")
    ).drop_nulls("time")
    if timed.is_empty():
        return _picture(f"{title}: nothing", [], _TOP)
    first, last = timed["time"].min(), timed["time"].max()
    width = _bucket_us(first, last)
    place = (pl.col("time") - first).dt.total_microseconds() // width
    counted = timed.group_by("lane", place.alias("place")).len().sort("place")
    names = _lane_names(timed, order)
    parts: list[str] = []
    for row, name in enumerate(names):
        parts += _lane(counted.filter(pl.col("lane") == name), name, row, _color(colors, name))
    bottom = _TOP + len(names) * _LANE
    parts += _axis(first, last, bottom)
    return _picture(title, parts, bottom + 26)


def _bucket_us(first: Any, last: Any) -> int:
    span_us = int((last - first).total_seconds() * 1_000_000)
    return span_us // BUCKETS + 1


def _lane_names(timed: pl.DataFrame, order: Sequence[str] | None) -> list[str]:
    fullest = timed["lane"].value_counts().sort("count", "lane", descending=[True, False])["lane"]
    if order is None:
        return fullest.to_list()
    held = set(fullest)
    return [name for name in order if name in held]


def _lane(counted: pl.DataFrame, name: str, row: int, color: str) -> Iterator[str]:
    base = _TOP + (row + 1) * _LANE - 4
    step = (WIDTH - _LABEL_WIDTH - _COUNT_WIDTH) / BUCKETS
    yield _label(name, base - 6)
    yield _rect(_LABEL_WIDTH, base, step * BUCKETS, 1, _FAINT)
    peak = counted["len"].max()
    for place, count in counted.select("place", "len").iter_rows():
        height = max(count / peak * (_LANE - 10), 2)
        x = _LABEL_WIDTH + place * step
        yield _rect(x, base - height, max(step - 1, 1), height, color)
    yield _text(f"{counted['len'].sum():,}", WIDTH - _COUNT_WIDTH + 8, base - 6)


def _axis(first: Any, last: Any, bottom: int) -> Iterator[str]:
    """Name both ends; the date once where it is one day."""
    start: datetime = first
    end: datetime = last
    same_day = start.date() == end.date()
    yield _text(f"{start:%Y-%m-%d %H:%M:%S} UTC", _LABEL_WIDTH, bottom + 16)
    text = f"{end:%H:%M:%S}" if same_day else f"{end:%Y-%m-%d %H:%M:%S}"
    yield _text(text, WIDTH - _COUNT_WIDTH, bottom + 16, anchor="end")


def _names(labels: pl.Series) -> list[str]:
    return ["(none)" if name is None else str(name) for name in labels.to_list()]


def _color(colors: Mapping[str, str] | None, name: str) -> str:
    return (colors or {}).get(name, _PLAIN)


def _label(name: str, y: float) -> str:
    cut = name if len(name) <= _LABEL_LETTERS else f"…{name[1 - _LABEL_LETTERS :]}"
    return _text(cut, _LABEL_WIDTH - 8, y, anchor="end", hover=name)


def _rect(x: float, y: float, width: float, height: float, color: str) -> str:
    box = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {box} fill="{escape(color)}"/>'


def _text(text: str, x: float, y: float, anchor: str = "start", hover: str = "") -> str:
    title = f"<title>{escape(printable(hover))}</title>" if hover else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {place}>{title}{escape(printable(text))}</text>"


def _picture(title: str, parts: Sequence[str], height: int) -> Picture:
    heading = f'<text x="8" y="20" font-weight="600">{escape(printable(title))}</text>'
    return Picture(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" font-family="system-ui, sans-serif" font-size="12" '
        f'fill="{_INK}"><rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
        f"{heading}{''.join(parts)}</svg>"
    )
