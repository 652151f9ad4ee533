"""What a change leaves behind: the rights that it gave to whom, the policies that a namespace has.

Separate from callers and pods because these are asked right after an event, not just before it.
Changes of rights are taken one at a time: whether one right covers another is no join, and there
are few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.asof import every, members
from detectors.entities.questions import answered, asked
from detectors.entities.recalled import PREFIX
from detectors.entities.relation import NUMBERS, Relation
from detectors.entities.rights import Book, Gain, gained
from detectors.entities.rights_facts import OBJECT_NAME, RIGHTS_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors.entities.memory import EntityMemory

OF_RIGHTS: Final = (
    Relation.BINDING_ROLE,
    Relation.BINDING_SUBJECT,
    Relation.ROLE_RULE,
    Relation.ROLE_AGGREGATES,
)
_BY_NUMBER: Final = {NUMBERS[relation]: relation for relation in OF_RIGHTS}
_GAINED: Final = ("row", PREFIX + "rbac.gained", PREFIX + "rbac.gained_by")


def rights_columns(events: pl.DataFrame, memory: EntityMemory) -> pl.DataFrame:
    """Return what writes to roles and bindings among ``events`` (ASKED in enrich.py) gave."""
    writes = events.filter(
        pl.col("type").is_in(list(RIGHTS_KINDS))
        & pl.col("action").is_in(["create", "update", "patch"])
        & (pl.col("outcome") == "success")
    ).select("row", "time", OBJECT_NAME.alias("object"))
    told = list(_gains(writes.drop_nulls(), memory))
    rights = pl.Series([gain.rights for _, gain in told], dtype=pl.List(pl.String))
    subjects = pl.Series([gain.subjects for _, gain in told], dtype=pl.List(pl.String))
    rows = pl.Series([row for row, _ in told], dtype=pl.UInt32)
    found = pl.DataFrame(dict(zip(_GAINED, (rows, rights, subjects), strict=True)))
    return events.select("row").join(found, on="row", how="left", maintain_order="left").drop("row")


def _gains(writes: pl.DataFrame, memory: EntityMemory) -> Iterator[tuple[int, Gain]]:
    """Yield the row and the gain of each change, in order of time."""
    if writes.is_empty():
        return
    rows = memory.of_relations(OF_RIGHTS).sort("time", "relation", "name")
    facts = rows.select("time", "relation", "name", "object").rows()
    book, read = Book(), 0
    for row, time, name in writes.sort("time", "row").iter_rows():
        while read < len(facts) and facts[read][0] < time:
            _note(book, facts[read])
            read += 1
        own = [fact for fact in facts[read : read + len(OF_RIGHTS)] if fact[0] == time]
        after = book.copy() if own else book
        for fact in own:
            if fact[2] == name:
                _note(after, fact)
        yield row, gained(book, after, name)


def _note(book: Book, fact: tuple[int, int, str, str]) -> None:
    _, relation, name, what = fact
    book.note(_BY_NUMBER[relation], name, what)


def policy_columns(events: pl.DataFrame, memory: EntityMemory) -> pl.DataFrame:
    """Return how many network policies the namespaces of ``events`` have."""
    own = pl.when(pl.col("type") == "namespaces").then("name")
    spaces = events.select("row", "time", pl.coalesce(own, "namespace").alias("space"))
    groups = asked(spaces.filter(pl.col("space").is_not_null()), ("space",))
    held = memory.about(groups.groups["space"])
    questions = groups.questions(held, ("space",))
    keys = questions.select("at", "time", pl.col("space").alias("key"))
    counts = (
        members(held, Relation.NAMESPACE_POLICY, keys)
        .group_by("at")
        .agg(pl.len().cast(pl.Int64).alias("count"))
    )
    known = pl.concat(
        every(held, relation, keys, inclusive=True).select("at")
        for relation in (Relation.NAMESPACE_AUTHOR, Relation.NAMESPACE_POLICY)
    ).unique()
    found = (
        questions.join(counts, on="at", how="left", maintain_order="left")
        .join(known.with_columns(known=True), on="at", how="left", maintain_order="left")
        .with_columns(
            pl.when("known").then(pl.col("count").fill_null(0)).alias(PREFIX + "namespace.policies")
        )
    )
    return answered(found, [PREFIX + "namespace.policies"], events.height)
