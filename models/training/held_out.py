"""Events of two times in, how usual the later seems to a model of the earlier out.

Separate because it is what a manifest says of a model that nobody has labels for: whether behaviour
stays as it was, and how many units would be over a threshold set on the time of training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from models.training.fit import fit

if TYPE_CHECKING:
    import polars as pl

QUANTILE: Final = 0.99
"""Of the scores of the earlier time; so many of the later lie below it if nothing changed."""


def held_out(kind: str, first: pl.DataFrame, last: pl.DataFrame, seed: int) -> dict[str, float]:
    """Fit to the earlier events, score the later; return numbers for a manifest.

    ``held_out_over_p99`` is the share of later units over the 99th percentile of the earlier: 0.01
    if nothing changed. Nothing is returned if one of both is too little to say anything.
    """
    try:
        model = fit(kind, first, seed)
    except ValueError:
        return {}
    before, after = model.score(first)["score"], model.score(last)["score"]
    limit = before.quantile(QUANTILE, "linear")
    if limit is None or after.is_empty():
        return {}
    over = float((after > limit).sum()) / after.len()
    return {
        "held_out_events": float(last.height),
        "held_out_units": float(after.len()),
        "held_out_over_p99": round(over, 4),
    }
