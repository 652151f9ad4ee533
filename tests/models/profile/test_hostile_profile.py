"""A profile that no training would have written is refused, though it is signed and well typed."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models.kinds import KINDS
from models.profile.model import PROFILE
from models.profile.observed import digest
from models.profile.profile_check import MOST_CLUSTERS, MOST_COUNTS
from models.profile.profile_tables import PROFILE_KEYS
from models.store import ModelRefusedError, Reason, load_model, save_model
from tests.detectors.anomaly.world import frame, quiet, strange
from tests.models.trained import manifest_of, profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from models.store.kind import Tables

KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
UNCHECKED: Final = {PROFILE.name: replace(PROFILE, check=lambda *_: None)}
"""The kind as whoever signs hostile tables has it."""

NUMBER: Final = digest("c")
FIRST: Final = pl.int_range(pl.len()) == 0
TOTAL: Final = pl.col("value") == 0


Frames = dict[str, pl.DataFrame]


@cache
def sound() -> Frames:
    """Return the tables of a profile with a threshold, and the drift of a day."""
    acts = [*quiet(50), *strange(20, many=2), *strange(31, many=1)]
    tables = profile(frame(acts)).to_tables()
    drift = pl.DataFrame(
        {"cluster": [NUMBER], "feature": [1], "day": [20_000], "psi": [0.1]},
        schema=tables["drift"].schema,
    )
    assert all(tables[name].height > 1 for name in ("counts", "scores", "tails", "minutes"))
    assert tables["clusters"]["has_threshold"].all()
    return {**tables, "drift": drift}


def changed(
    table: str, column: str, value: pl.Expr | float | str, where: pl.Expr = FIRST
) -> Callable[[Frames], Frames]:
    """Return what exchanges a value in some rows of a table; keys stay sorted."""
    new = value if isinstance(value, pl.Expr) else pl.lit(value)

    def change(tables: Frames) -> Frames:
        held = tables[table]
        spoilt = pl.when(where).then(new).otherwise(column).cast(held.schema[column])
        spoiled = held.with_columns(spoilt.alias(column))
        assert not spoiled.equals(held)
        return {**tables, table: spoiled}

    return change


def shaped(
    table: str, change: Callable[[pl.DataFrame], pl.DataFrame]
) -> Callable[[Frames], Frames]:
    """Return what exchanges a table for another of the same columns."""
    return lambda tables: {**tables, table: change(tables[table])}


def repeated(height: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Return a table's first row so many times, under numbers of other clusters."""

    def change(held: pl.DataFrame) -> pl.DataFrame:
        numbers = pl.int_range(height, dtype=pl.UInt64).alias("cluster")
        return pl.concat([held.head(1)] * height).with_columns(numbers)

    return change


HOSTILE = {
    # Order and keys, of each table.
    **{
        f"{table} backwards": (Reason.OUT_OF_ORDER, shaped(table, pl.DataFrame.reverse))
        for table in PROFILE_KEYS
        if table not in {"clusters", "drift"}
    },
    **{
        f"{table} twice": (Reason.REPEATED, shaped(table, lambda held: pl.concat([held, held])))
        for table in PROFILE_KEYS
    },
    **{
        f"{table} of a stranger": (
            Reason.OUT_OF_RANGE,
            changed(table, "cluster", digest("elsewhere"), pl.lit(value=True)),
        )
        for table in PROFILE_KEYS
    },
    # Clusters.
    "too many clusters": (Reason.OVERSIZED, shaped("clusters", repeated(MOST_CLUSTERS + 1))),
    "another name": (Reason.OUT_OF_RANGE, changed("clusters", "name", "other")),
    "a time before all times": (Reason.OUT_OF_RANGE, changed("clusters", "first_tick", -(2**62))),
    "a time after all times": (Reason.OUT_OF_RANGE, changed("clusters", "passed", 2**62)),
    "a day that is none": (Reason.OUT_OF_RANGE, changed("clusters", "day", 2**40)),
    "a day of drift that is none": (
        Reason.OUT_OF_RANGE,
        changed("clusters", "drift_day", -(2**40)),
    ),
    "passed before it began": (
        Reason.OUT_OF_RANGE,
        changed("clusters", "passed", pl.col("first_tick")),
    ),
    "told below zero": (Reason.NEGATIVE, changed("clusters", "told", -1)),
    "minutes below zero": (Reason.NEGATIVE, changed("clusters", "minutes_a_day", -1.0)),
    "a threshold below zero": (Reason.NEGATIVE, changed("clusters", "threshold", -1.0)),
    "a threshold of zero": (Reason.OUT_OF_RANGE, changed("clusters", "threshold", 0.0)),
    "a tail without scale": (Reason.OUT_OF_RANGE, changed("clusters", "scale", 0.0)),
    "a share above one": (Reason.OUT_OF_RANGE, changed("clusters", "share", 1.5)),
    "a correction without end": (Reason.OUT_OF_RANGE, changed("clusters", "correction", 1e9)),
    # Counts.
    "a weight below zero": (Reason.NEGATIVE, changed("counts", "weight", -1.0)),
    "events below zero": (Reason.NEGATIVE, changed("counts", "events", -1)),
    "new values below zero": (Reason.NEGATIVE, changed("counts", "new", -1)),
    "first seen after last": (
        Reason.OUT_OF_RANGE,
        changed("counts", "first", pl.col("last") + 1),
    ),
    "seen in the future": (Reason.OUT_OF_RANGE, changed("counts", "last", 4_000_000_000)),
    "seen before time": (Reason.OUT_OF_RANGE, changed("counts", "first", -(2**62))),
    "a value that is no digest": (
        Reason.OUT_OF_RANGE,
        changed("counts", "value", 2, pl.int_range(pl.len()) == 1),
    ),
    "a context without its sum": (
        Reason.OUT_OF_RANGE,
        shaped("counts", lambda held: held.slice(1)),
    ),
    "a sum of nothing": (
        Reason.OUT_OF_RANGE,
        changed("counts", "distinct", pl.col("distinct") + 1, TOTAL),
    ),
    # Scores and tails.
    "a score below zero": (Reason.OUT_OF_RANGE, changed("scores", "bits", -1)),
    "a score beyond all": (
        Reason.OUT_OF_RANGE,
        changed("scores", "bits", 10_000, pl.int_range(pl.len()) == pl.len() - 1),
    ),
    "minutes of a score below zero": (Reason.NEGATIVE, changed("scores", "count", -1.0)),
    "half a minute": (Reason.OUT_OF_RANGE, changed("scores", "count", 0.5, pl.col("is_today"))),
    "a probability above one": (Reason.OUT_OF_RANGE, changed("tails", "survival", 1.5)),
    "a probability that rises": (
        Reason.OUT_OF_RANGE,
        changed("tails", "survival", 0.0),
    ),
    "a tail beyond its cut": (
        Reason.OUT_OF_RANGE,
        changed("tails", "score", 500.0, pl.int_range(pl.len()) == pl.len() - 1),
    ),
    # Drift.
    "a feature that is none": (Reason.OUT_OF_RANGE, changed("drift", "feature", 99)),
    "feature zero": (Reason.OUT_OF_RANGE, changed("minutes", "feature", 0)),
    "minutes of a value below zero": (Reason.NEGATIVE, changed("minutes", "minutes", -1.0)),
    "a stability below zero": (Reason.NEGATIVE, changed("drift", "psi", -0.5)),
    "a day of years to come": (Reason.OUT_OF_RANGE, changed("drift", "day", 2**40)),
}


def signed(folder: Path, tables: Tables) -> Path:
    save_model(folder, manifest_of(PROFILE.name), tables, KEY, expect=UNCHECKED)
    return folder


def test_a_sound_profile_is_loaded(tmp_path: Path) -> None:
    loaded = load_model(signed(tmp_path / "m", sound()), [KEY.public_key()], expect=KINDS)
    assert all(loaded.tables[name].equals(table) for name, table in sound().items())


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_profile_is_refused_for_its_own_reason(name: str) -> None:
    reason, spoil = HOSTILE[name]
    with pytest.raises(ModelRefusedError) as refused:
        PROFILE.check(manifest_of(PROFILE.name), spoil(sound()))
    assert refused.value.reason is reason, str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("name", ["another name", "a sum of nothing", "tails backwards"])
def test_a_trusted_signature_does_not_help_it(name: str, tmp_path: Path) -> None:
    reason, spoil = HOSTILE[name]
    folder = signed(tmp_path / "m", spoil(sound()))
    with pytest.raises(ModelRefusedError) as refused:
        load_model(folder, [KEY.public_key()], expect=KINDS)
    assert refused.value.reason is reason


@pytest.mark.parametrize(("table", "column"), [("clusters", "threshold"), ("counts", "weight")])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_not_even_signed(
    table: str, column: str, value: float, tmp_path: Path
) -> None:
    with pytest.raises(ModelRefusedError) as refused:
        signed(tmp_path / "m", changed(table, column, value)(sound()))
    assert refused.value.reason is Reason.NOT_FINITE


def test_more_counts_of_a_cluster_than_a_detector_keeps_are_refused(tmp_path: Path) -> None:
    rows = sound()["counts"].head(2)
    contexts = pl.int_range(MOST_COUNTS // 2 + 1, dtype=pl.UInt64).alias("context").repeat_by(2)
    many = pl.select(contexts.explode())
    frame = pl.concat([rows] * (MOST_COUNTS // 2 + 1)).with_columns(many["context"])
    folder = signed(tmp_path / "m", {**sound(), "counts": frame.sort(PROFILE_KEYS["counts"])})
    with pytest.raises(ModelRefusedError, match="at most"):
        load_model(folder, [KEY.public_key()], expect=KINDS)


def test_an_empty_profile_is_loaded(tmp_path: Path) -> None:
    """Nothing of it harms: each cluster begins with nothing."""
    tables = {name: table.clear() for name, table in sound().items()}
    assert load_model(signed(tmp_path / "m", tables), [KEY.public_key()], expect=KINDS)


def test_counts_in_other_contexts_are_of_another_model(tmp_path: Path) -> None:
    assert PROFILE.features is not None
    other = replace(UNCHECKED[PROFILE.name], features=PROFILE.features[:-1])
    manifest = msgspec.structs.replace(manifest_of(PROFILE.name), features=PROFILE.features[:-1])
    save_model(tmp_path / "m", manifest, sound(), KEY, expect={PROFILE.name: other})
    with pytest.raises(ModelRefusedError) as refused:
        load_model(tmp_path / "m", [KEY.public_key()], expect=KINDS)
    assert refused.value.reason is Reason.OTHER_FEATURES
