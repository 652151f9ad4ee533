"""A credential becomes the chain of those who minted it: who asked for it, with what, and so on.

Separate because it is the one question whose answer asks again. Each step is asked for all
credentials of a batch at once, as of the time when the step before was minted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.asof import latest
from detectors.entities.identity_facts import MINTED_PARTS
from detectors.entities.recalled import PREFIX
from detectors.entities.relation import JOINT, Relation

if TYPE_CHECKING:
    from detectors.entities.asof import Held
    from detectors.entities.memory import EntityMemory

MOST_STEPS: Final = 8
_PARTS: Final = ("type", "address", "parent", "user")


def minted(
    questions: pl.DataFrame, memory: EntityMemory, held: Held | None = None, *, in_full: bool = True
) -> pl.DataFrame:
    """Return who minted the credential of each question, and the chain of those before.

    Parameters
        questions: ``credential`` and ``time``.
        held: what is known of these credentials; None: it is looked up.
        in_full: whether the chain is followed and told, or its first step only.

    A chain ends where it is not known, where it comes back to a credential that it had, and after
    eight steps.
    """
    held = held or memory.about(questions["credential"].drop_nulls().unique())
    steps = [_step(questions.select(pl.col("credential").alias("key"), "time"), held)]
    passed = [questions["credential"]]
    most = MOST_STEPS if in_full else 1
    while len(steps) < most and steps[-1]["parent"].null_count() < questions.height:
        passed.append(steps[-1]["parent"])
        keys = _next(steps[-1], passed)
        steps.append(_step(keys, memory.about(keys["key"].drop_nulls().unique())))
    said = steps[0].select(
        pl.col("user").alias(PREFIX + "credential.minted_by"),
        pl.col("type").alias(PREFIX + "credential.minted_by_type"),
        pl.col("address").alias(PREFIX + "credential.minted_from"),
    )
    return said.with_columns(_chain(steps)) if in_full else said


def _step(keys: pl.DataFrame, held: Held) -> pl.DataFrame:
    found = latest(held, Relation.CREDENTIAL_MINTED_BY, keys)
    parts = found.select(pl.col("object").str.splitn(JOINT, MINTED_PARTS)).unnest("object")
    said = [
        pl.when(pl.col(part) != "").then(pl.col(part)).alias(name)
        for part, name in zip(parts.columns, _PARTS, strict=True)
    ]
    return parts.select(pl.lit(found["since"]), *said)


def _next(step: pl.DataFrame, passed: list[pl.Series]) -> pl.DataFrame:
    """Return the next keys: what the last one was minted with, unless the chain had it before."""
    parent = step["parent"]
    again = pl.any_horizontal([(parent == one).fill_null(value=False) for one in passed[:-1]])
    return step.select(
        pl.when(~again).then("parent").alias("key"), pl.col("since").fill_null(0).alias("time")
    )


def _chain(steps: list[pl.DataFrame]) -> pl.Expr:
    """Return the names of all steps of each question; null where there is none."""
    users = pl.DataFrame({str(number): step["user"] for number, step in enumerate(steps)})
    chain = users.select(pl.concat_list(pl.all()).list.drop_nulls()).to_series()
    told = pl.when(steps[0]["user"].is_not_null()).then(chain)
    return told.alias(PREFIX + "credential.minted_chain")
