"""What kinds ask of their tables: sound ones pass, each fault is named."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from models.store import ModelRefusedError, Reason
from models.store import checks as c
from models.store.kind import Tables

TABLES: Tables = {
    "t": pl.DataFrame(
        {
            "count": [0, 3],
            "share": [0.0, 1.0],
            "place": [0, 4],
            "low": [-1, 0],
            "down": [2.0, 1.0],
            "same": [7, 7],
        }
    )
}
Check = Callable[[], None]

SOUND: list[Check] = [
    lambda: c.require_counts(TABLES, "t", ("count", "share")),
    lambda: c.require_shares(TABLES, "t", ("share",)),
    lambda: c.require_distinct(TABLES, "t", ("same", "count")),
    lambda: c.require_counts({"t": TABLES["t"].clear()}, "t", ("low",)),
]
FAULTS: list[tuple[Reason, str, Check]] = [
    (Reason.NEGATIVE, "low", lambda: c.require_counts(TABLES, "t", ("count", "low"))),
    (Reason.OUT_OF_RANGE, "low", lambda: c.require_shares(TABLES, "t", ("share", "low"))),
    (Reason.OUT_OF_RANGE, "down", lambda: c.require_shares(TABLES, "t", ("down",))),
    (Reason.REPEATED, "same", lambda: c.require_distinct(TABLES, "t", ("same",))),
]


@pytest.mark.parametrize("check", SOUND)
def test_sound_tables_pass(check: Check) -> None:
    check()


@pytest.mark.parametrize(("reason", "word", "check"), FAULTS)
def test_a_fault_is_named(reason: Reason, word: str, check: Check) -> None:
    with pytest.raises(ModelRefusedError, match=word) as refused:
        check()
    assert refused.value.reason is reason
