"""Timestamp texts become UTC instants, whatever form RFC 3339 lets them have.

Separate because the fast form (six digits, Z) is parsed for a whole column at once and every other
one by itself, and because what cannot be or is not plausible is named as an issue.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ingest.canonical_time import parse_time

_FAST: Final = "%Y-%m-%dT%H:%M:%S%.6fZ"
_YEARS: Final = (-62_135_596_800_000_000, 253_402_300_799_999_999)
"""Year 1 to 9999 in microseconds of Unix time: what a Python datetime can be."""

_YEAR_ZERO: Final = "0000"
_PLAUSIBLE: Final = (datetime(2014, 6, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
"""Kubernetes was first released in June 2014; the end leaves room. Outside is marked, not lost."""

Issues = dict[int, list[str]]


def event_times(staged: pl.Series, received: pl.Series, issues: Issues) -> pl.DataFrame:
    """Return ``@timestamp`` and ``event.start`` (UTC, microseconds) from their texts.

    The event's own time is that of its stage, else when its request was received. ``issues`` gets
    ``bad-timestamp`` for rows where a text is no time, ``implausible-timestamp`` where it is far
    outside the age of Kubernetes, ``missing-timestamp`` where neither text gives a time.
    """
    own = _parse(staged, issues).rename("@timestamp")
    start = _parse(received, issues).rename("event.start")
    if own.null_count():
        own = own.zip_with(own.is_not_null(), start.rename("@timestamp"))
        for row in own.is_null().arg_true().to_list():
            issues.setdefault(row, []).append("missing-timestamp")
    for row in (~own.is_between(*_PLAUSIBLE)).arg_true().to_list():
        issues.setdefault(row, []).append("implausible-timestamp")
    return pl.DataFrame([own, start])


def other_times(texts: pl.Series) -> pl.Series:
    """Return times (UTC, microseconds) that order nothing: what is none becomes null."""
    return _parse(texts, {})


def _parse(texts: pl.Series, issues: Issues) -> pl.Series:
    try:
        # Arrow parses a column six times as fast, and refuses it whole if one value is odd. It
        # takes years that Python does not (0001-01-01 east of Greenwich).
        times = pl.Series(texts.name, pc.cast(texts.to_arrow(), pa.timestamp("us", tz="UTC")))
    except pa.ArrowInvalid:
        return _parse_each(texts, issues)
    return times if times.to_physical().is_between(*_YEARS).all() else _parse_each(texts, issues)


def _parse_each(texts: pl.Series, issues: Issues) -> pl.Series:
    times = texts.str.to_datetime(_FAST, time_unit="us", strict=False)
    # chrono takes a year of ` 026` and a 60th second, too
    is_exact = (times.dt.strftime(_FAST) == texts) & ~texts.str.starts_with(_YEAR_ZERO)
    bad = (~is_exact.fill_null(value=False) & texts.is_not_null()).arg_true()
    times = times.dt.replace_time_zone("UTC")
    if not len(bad):
        return times
    parsed = [parse_time(text) for text in texts.gather(bad).to_list()]
    for row, instant in zip(bad.to_list(), parsed, strict=True):
        if instant is None:
            issues.setdefault(row, []).append("bad-timestamp")
    return times.scatter(bad, pl.Series(parsed, dtype=times.dtype))
