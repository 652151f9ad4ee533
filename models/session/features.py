"""Atoms in, one row of numbers for each session out.

Separate from how strange a row is: the numbers are the same for every method. Counts are natural
logarithms of one plus the count, so that twice as much is as far from once as four times is from
twice; shares are between 0 and 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from models.action_class import ActionClass
from models.session.atoms import SLOT_US, SYSTEM_NAMESPACES, WINDOW_US

if TYPE_CHECKING:
    from collections.abc import Mapping

_COUNT: Final = pl.col("count")
_DIGITS: Final = 9
"""Rounded so that the order in which numbers are added up never shows."""

_DOUBT: Final = 5
"""Events that a share is taken to have been of besides: one refusal of two tells little."""

_SLOTS: Final = WINDOW_US // SLOT_US
_CHANGING: Final = (
    *(ActionClass.WRITE, ActionClass.INSTALL, ActionClass.DELETE, ActionClass.ACCESS),
    *(ActionClass.TOKEN, ActionClass.EXEC),
)


def _where(test: pl.Expr) -> pl.Expr:
    return _COUNT.filter(test).sum()


def _class(name: ActionClass) -> pl.Expr:
    return _where(pl.col("class") == name.value)


def _distinct(*columns: str) -> pl.Expr:
    return pl.struct(columns).n_unique() if len(columns) > 1 else pl.col(columns[0]).n_unique()


_NAMED: Final = pl.col("namespace") != ""

_COUNTS: Final[Mapping[str, pl.Expr]] = {
    "events": _COUNT.sum(),
    **{each.value: _class(each) for each in ActionClass},
    "refused": _where(pl.col("is_refused")),
    "failed": _where(pl.col("is_failed")),
    "impersonated": _where(pl.col("is_other")),
    "host access": _where(pl.col("is_host")),
    "changes in system namespaces": _where(
        pl.col("namespace").is_in(SYSTEM_NAMESPACES)
        & pl.col("class").is_in([each.value for each in _CHANGING])
    ),
    "secrets of all namespaces": _where(
        (pl.col("class") == ActionClass.SECRET.value) & ~_NAMED & (pl.col("action") == "list")
    ),
    "resources": _distinct("resource"),
    "acts": _distinct("action", "resource"),
    "namespaces": pl.col("namespace").filter(_NAMED).n_unique(),
    "names": _distinct("resource", "namespace", "name"),
    "networks": _distinct("network"),
    "agents": _distinct("agent"),
}

_SHARES: Final[Mapping[str, pl.Expr]] = {
    "share of changes": _where(pl.col("class").is_in([each.value for each in _CHANGING])),
    "share of refused": _where(pl.col("is_refused")),
    "share of secrets": _class(ActionClass.SECRET),
}

COUNTED: Final = tuple(_COUNTS)
"""Features that are logarithms of counts."""

FEATURES: Final = (*_COUNTS, *_SHARES, "spread", "burst")
"""``spread``: the entropy of actions and resources in bits; ``burst``: how many times the busiest
ten seconds were busier than the mean ten seconds, as a logarithm."""

SESSION_KEYS: Final = ("cluster", "identity", "start")
SESSIONS: Final[Mapping[str, pl.DataType]] = {
    "cluster": pl.String(),
    "identity": pl.String(),
    "start": pl.Int64(),
    "peers": pl.String(),
    **dict.fromkeys(FEATURES, pl.Float64()),
}


def sessions_of(atoms: pl.DataFrame) -> pl.DataFrame:
    """Return a row of `SESSIONS` for each session, in order of its keys.

    ``peers`` is the type of identity, the first by name where the events say several.
    """
    keys = list(SESSION_KEYS)
    counted = atoms.lazy().group_by(keys).agg(pl.col("peers").min(), *_logarithms(), *_shares())
    spread = _over(atoms, keys, ("action", "resource")).agg(_entropy().alias("spread"))
    slots = _over(atoms, keys, ("slot",)).agg(_burst().alias("burst"))
    joined = counted.join(spread, on=keys).join(slots, on=keys)
    rounded = [pl.col(name).cast(pl.Float64).round(_DIGITS) for name in FEATURES]
    return joined.select(*keys, "peers", *rounded).sort(keys).collect()


def _over(
    atoms: pl.DataFrame, keys: list[str], columns: tuple[str, ...]
) -> pl.lazyframe.group_by.LazyGroupBy:
    counts = atoms.lazy().group_by(*keys, *columns).agg(_COUNT.sum())
    return counts.group_by(keys)


def _logarithms() -> list[pl.Expr]:
    return [value.cast(pl.Float64).log1p().alias(name) for name, value in _COUNTS.items()]


def _shares() -> list[pl.Expr]:
    return [(value / (_COUNT.sum() + _DOUBT)).alias(name) for name, value in _SHARES.items()]


def _entropy() -> pl.Expr:
    """Return the entropy of counts in bits; sorted, so that it is the same in any order."""
    share = _COUNT.sort() / _COUNT.sum()
    return -(share * share.log(2)).sum()


def _burst() -> pl.Expr:
    return (_COUNT.max() * _SLOTS / (_COUNT.sum() + _DOUBT)).log1p()
