"""What was told is no news for a time, nor is what a whole group does at once."""

from __future__ import annotations

import msgspec
import polars as pl
import pytest

from models.profile.told import COMMON_TICKS, ENOUGH_PEERS, TOLD_TICKS, Told

TICK = 29_000_000
MANY = 1_000
TEAM, ACT, OTHER = 77, 501, 502


def rare(*values: int, who: int = 1, team: int | None = TEAM) -> pl.DataFrame:
    """Return rare observations of an identity, its own context and its peers'."""
    rows = [(who, 1_000 + who, team, value) for value in values]
    schema = dict.fromkeys(("who", "context_0", "context_1", "value"), pl.UInt64())
    return pl.DataFrame(rows, schema, orient="row")


def values(news: pl.DataFrame) -> list[int]:
    return news["value"].to_list()


def test_what_was_told_is_no_news_and_what_is_new_beside_it_is() -> None:
    told = Told()
    assert values(told.news(rare(ACT, OTHER), TICK)) == [ACT, OTHER]
    told.tell(rare(ACT), TICK, MANY)
    assert values(told.news(rare(ACT, OTHER), TICK + 1)) == [OTHER]


@pytest.mark.parametrize(("after", "news"), [(TOLD_TICKS - 1, []), (TOLD_TICKS, [ACT])])
def test_after_a_month_it_is_told_again(after: int, news: list[int]) -> None:
    """However often it was done in between."""
    told = Told()
    told.tell(rare(ACT), TICK, MANY)
    assert values(told.news(rare(ACT), TICK + after // 2)) == []
    assert values(told.news(rare(ACT), TICK + after)) == news


def test_without_a_time_all_is_news() -> None:
    told = Told()
    told.tell(rare(ACT), TICK, MANY)
    assert values(told.news(rare(ACT), TICK, told_ticks=0)) == [ACT]


@pytest.mark.parametrize(
    ("members", "after", "news"),
    [
        (ENOUGH_PEERS - 1, 1, [ACT]),
        (ENOUGH_PEERS, 1, []),
        (ENOUGH_PEERS, COMMON_TICKS - 1, []),
        (ENOUGH_PEERS, COMMON_TICKS, [ACT]),
    ],
)
def test_what_a_group_does_within_a_day_is_told_of_its_first_members(
    members: int, after: int, news: list[int]
) -> None:
    told = Told()
    for who in range(1, members + 1):
        told.tell(rare(ACT, who=who), TICK, MANY)
    assert values(told.news(rare(ACT, who=50), TICK + after)) == news
    assert values(told.news(rare(ACT, who=50, team=TEAM + 1), TICK + after)) == [ACT]


def test_one_member_who_does_it_again_is_no_group() -> None:
    told = Told()
    for day in range(4):
        told.tell(rare(ACT), TICK + day * TOLD_TICKS, MANY)
    assert values(told.news(rare(ACT, who=2), TICK + 3 * TOLD_TICKS + 1)) == [ACT]


def test_the_oldest_is_forgotten_beyond_a_bound() -> None:
    told = Told()
    for number in range(5):
        told.tell(rare(ACT + number), TICK + number, 3)
    later = TICK + 10
    assert values(told.news(rare(ACT, ACT + 1, ACT + 2, ACT + 4), later)) == [ACT, ACT + 1]
    assert len(told.own) == len(told.peers) == 3
    assert told.evicted == 4


def test_a_copy_is_its_own_and_the_same_for_the_same() -> None:
    one, other = Told(), Told()
    one.tell(rare(ACT, OTHER), TICK, MANY)
    other.tell(rare(OTHER, ACT), TICK, MANY)
    kept = msgspec.msgpack.encode(one.copy())
    assert kept == msgspec.msgpack.encode(other.copy())
    copied = one.copy()
    one.tell(rare(ACT + 9), TICK, MANY)
    assert msgspec.msgpack.encode(copied) == kept
    assert msgspec.msgpack.decode(kept, type=Told) == copied
