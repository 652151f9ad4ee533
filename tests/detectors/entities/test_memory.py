from __future__ import annotations

from dataclasses import replace

import msgspec
import polars as pl
import pytest

from detectors.entities.memory import MOST_OBSERVED, EntityMemory
from detectors.entities.relation import Relation
from detectors.entities.state import SavedMemory, restore_memory, save_memory
from detectors.entities.table import Table, hashed
from tests.detectors.entities.world import DAY, HOUR, START_US, Fact, fact_frame

POD = Relation.POD_ADDRESS
ROLE = Relation.BINDING_ROLE


def asked(memory: EntityMemory, relation: Relation, key: str, time: int) -> str | None:
    found = memory.as_of(relation, pl.DataFrame({"key": [key], "time": [time]}))
    what: str | None = found["object"].item()
    return what


def learned(*facts: Fact, limit: int = 100, block: int = 1_000) -> EntityMemory:
    memory = EntityMemory(limit, block)
    memory.add(fact_frame(list(facts)))
    return memory


def test_what_was_so_is_asked_as_of_a_time_and_as_far_as_it_was_told() -> None:
    facts = fact_frame([Fact(POD, "p", "a", START_US), Fact(POD, "p", "b", START_US + HOUR)])
    memory = EntityMemory()
    memory.add(facts.with_columns((pl.col("time") + pl.Series([0, 5 * HOUR])).alias("seen")))
    keys = pl.DataFrame({"key": ["p"] * 3, "time": [START_US, START_US + 1, START_US + 2 * HOUR]})
    assert memory.as_of(POD, keys)["object"].to_list() == [None, "a", "b"]
    early = memory.as_of(POD, keys, START_US + 4 * HOUR)
    assert early["object"].to_list() == [None, "a", "a"]
    assert early["since"].to_list() == [None, START_US, START_US]
    later = memory.as_of(POD, keys, START_US + 6 * HOUR)
    assert later["object"].to_list() == [None, "a", "b"]


def test_what_was_not_confirmed_is_forgotten_and_what_was_is_not() -> None:
    begun = Fact(POD, "p", "a", START_US)
    confirmed = replace(begun, time=START_US + 20 * DAY)
    later = START_US + 35 * DAY
    assert asked(learned(begun), POD, "p", later) is None
    assert asked(learned(begun, confirmed), POD, "p", later) == "a"
    assert (
        learned(begun, confirmed)
        .as_of(POD, pl.DataFrame({"key": ["p"], "time": [later]}))["since"]
        .item()
        == START_US
    )


def test_bounds_drop_what_has_expired_and_pods_a_day_after_their_end() -> None:
    memory = learned(
        Fact(POD, "old", "a", START_US),
        Fact(POD, "gone", "a", START_US + 39 * DAY),
        Fact(Relation.POD_SPEC, "gone", "-", START_US + 39 * DAY),
        Fact(Relation.POD_UID, "gone", "u", START_US + 39 * DAY),
        Fact(Relation.POD_UID, "gone", "", START_US + 39 * DAY + HOUR),
        Fact(Relation.POD_UID, "here", "v", START_US + 40 * DAY),
        Fact(Relation.POD_UID, "just", "w", START_US + 40 * DAY + HOUR),
        Fact(Relation.POD_UID, "just", "", START_US + 40 * DAY + 2 * HOUR),
        Fact(ROLE, "b", "r", START_US + 40 * DAY + 3 * HOUR),
    )
    memory.bound()
    assert memory.evicted["expired"] == 1
    assert memory.evicted["ended"] == 4
    assert sorted(memory.table.names["name"]) == ["b", "here", "just"]


def test_of_too_many_rows_those_go_first_that_would_be_forgotten_first() -> None:
    pods = [Fact(POD, f"p{n}", "a", START_US + n * DAY) for n in range(8)]
    memory = learned(Fact(ROLE, "b", "r", START_US), *pods, limit=8)
    memory.bound()
    assert memory.evicted["rows"] == 2
    assert sorted(memory.table.names["name"]) == ["b", *(f"p{n}" for n in range(2, 8))]
    assert asked(memory, ROLE, "b", START_US + 9 * DAY) == "r"


def test_of_rows_that_are_equally_old_the_same_go_whatever_the_batches() -> None:
    facts = [Fact(POD, f"p{n}", "a", START_US + n) for n in range(40)]
    whole = learned(*facts, limit=10, block=5)
    cut = EntityMemory(10, 5)
    for fact in facts:
        cut.add(fact_frame([fact]))
    assert whole.evicted["rows"] == cut.evicted["rows"] > 0
    encode = msgspec.msgpack.encode
    assert encode(save_memory(whole)) == encode(save_memory(cut))
    assert whole.table.height <= 10 + 5


def test_a_name_that_is_shared_by_too_many_is_learned_no_further() -> None:
    crowd = [
        Fact(Relation.IDENTITY_NETWORK, "all", f"n{n}", START_US + n)
        for n in range(MOST_OBSERVED + 10)
    ]
    memory = EntityMemory()
    memory.add(fact_frame(crowd[:1_000]))
    memory.add(fact_frame([*crowd[1_000:], Fact(POD, "p", "a", START_US + DAY)]))
    assert memory.table.height == MOST_OBSERVED + 1
    assert memory.evicted["crowded"] == 10


def test_names_that_share_a_key_are_told_apart() -> None:
    memory = learned(Fact(POD, "p", "a", START_US))
    key = pl.DataFrame({"name": ["q"]}).select(hashed(pl.col("name")).alias("who"), "name")
    taken = key.with_columns(pl.lit("other").alias("name"))
    memory.table.name(taken)
    memory.add(fact_frame([Fact(POD, "q", "b", START_US + 1)]))
    assert asked(memory, POD, "q", START_US + HOUR) is None
    assert memory.evicted["collisions"] == 1


def test_a_state_of_a_process_that_hashes_otherwise_is_taken_up() -> None:
    memory = learned(*(Fact(POD, f"p{n}", f"a{n}", START_US + n) for n in range(9)))
    memory.bound()
    memory.add(fact_frame([Fact(POD, "q", "b", START_US + DAY)]))
    table = memory.table
    foreign = pl.col("who") ^ pl.lit(2**60 + 12_345, pl.UInt64)
    parts = [table.base, table.recent(), table.names, table.recent_names()]
    memory.table = Table.of(*(part.with_columns(foreign).sort("who") for part in parts))
    data = msgspec.msgpack.encode(save_memory(memory))
    new = EntityMemory()
    restore_memory(msgspec.msgpack.decode(data, type=SavedMemory), new)
    found = [asked(new, POD, name, START_US + 2 * DAY) for name in ("p0", "p8", "q")]
    assert found == ["a0", "a8", "b"]


@pytest.mark.parametrize("height", [0, 3])
def test_nothing_asked_is_nothing_answered(height: int) -> None:
    memory = learned(*(Fact(POD, f"p{n}", "a", START_US) for n in range(height)))
    keys = pl.DataFrame(schema={"key": pl.String(), "time": pl.Int64()})
    assert memory.as_of(POD, keys).is_empty()
    unknown = pl.DataFrame({"key": ["x", None], "time": [START_US, None]})
    assert memory.as_of(POD, unknown)["object"].to_list() == [None, None]


def test_what_follows_the_row_that_makes_the_bounds_due_waits_for_them() -> None:
    memory = EntityMemory(100, 1)
    said = [Fact(ROLE, "b", "r", START_US), Fact(ROLE, "b", "r", START_US + 1)]
    assert memory.take(fact_frame(said))["time"].to_list() == [START_US + 1]
    assert memory.is_due()


def test_of_several_objects_of_one_microsecond_the_greatest_stands() -> None:
    facts = [
        Fact(POD, "p", "y", START_US, "1"),
        Fact(POD, "p", "x", START_US, "2"),
        Fact(POD, "p", "y", START_US + 1, "3"),
    ]
    whole, cut = learned(*facts), learned(*facts[:2])
    cut.add(fact_frame(facts[2:]))
    assert save_memory(whole) == save_memory(cut)
    assert asked(whole, POD, "p", START_US + 1) == "y"


def test_a_confirmation_does_not_change_when_we_were_told() -> None:
    memory = EntityMemory()
    first = fact_frame([Fact(POD, "p", "a", START_US)])
    memory.add(first.with_columns(pl.col("seen") + 5 * HOUR))
    memory.add(fact_frame([Fact(POD, "p", "a", START_US + 2 * HOUR)]))
    keys = pl.DataFrame({"key": ["p"], "time": [START_US + 3 * HOUR]})
    assert memory.as_of(POD, keys, START_US + 4 * HOUR)["object"].to_list() == [None]
    assert memory.as_of(POD, keys, START_US + 6 * HOUR)["object"].to_list() == ["a"]


@pytest.mark.parametrize("time", [-62_135_596_800_000_000, -1, 253_402_300_799_999_999])
def test_a_time_of_any_year_is_taken(time: int) -> None:
    memory = learned(Fact(POD, "p", "a", START_US), Fact(POD, "q", "b", time))
    memory.add(fact_frame([Fact(POD, "q", "c", time + 1)]))
    assert asked(memory, POD, "p", START_US + 1) == "a"
    restore_memory(save_memory(memory), new := EntityMemory())
    assert asked(new, POD, "p", START_US + 1) == "a"
