"""Events in, fitted models as plain arrays out; the same seed gives the same arrays.

Separate from the models because fitting needs scikit-learn and scoring does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import polars as pl
from sklearn.ensemble import IsolationForest  # type: ignore[import-untyped]

from models.login import LOGIN, LoginModel
from models.session.atoms import SESSION_COLUMNS, atoms_of
from models.session.features import FEATURES, sessions_of
from models.session.forest import NODES, Forest
from models.session.histogram import Histogram
from models.session.model import SESSION_FOREST, SESSION_HISTOGRAM, SessionModel
from models.session.scaling import Scaling
from models.volume import VOLUME, VolumeModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

TREES: Final = 100
SAMPLES: Final = 256
"""Of each tree; both are the numbers of the paper (Liu 2008, 5.3)."""


Learned: TypeAlias = "SessionModel | VolumeModel | LoginModel"


def fit(kind: str, events: pl.DataFrame, seed: int) -> Learned:
    """Fit a model of one of the kinds of `models.learned.LEARNED`.

    Raises
        KeyError: there is no such kind.
        ValueError: there is nothing among these events to learn from.
    """
    return _FITS[kind](events, seed)


def fit_session_forest(events: pl.DataFrame, seed: int) -> SessionModel:
    """Fit an isolation forest to the sessions of these events.

    Raises
        ValueError: there are no sessions.
    """
    scaling, rows = _scaled(events)
    return SessionModel(scaling, fit_forest(rows, seed))


def fit_session_histogram(events: pl.DataFrame, _seed: int) -> SessionModel:
    """Fit histograms to the sessions of these events; nothing of it is left to chance.

    Raises
        ValueError: there are no sessions.
    """
    scaling, rows = _scaled(events)
    return SessionModel(scaling, Histogram.of(rows))


def fit_forest(rows: pl.DataFrame, seed: int, trees: int = TREES) -> Forest:
    """Grow trees over rows of finite numbers."""
    fitted = grow(rows, seed, trees)
    return Forest.of(nodes_of(fitted), rows.width)


def grow(rows: pl.DataFrame, seed: int, trees: int = TREES) -> IsolationForest:
    """Return scikit-learn's forest."""
    samples = min(SAMPLES, rows.height)
    forest = IsolationForest(n_estimators=trees, max_samples=samples, random_state=seed)
    return forest.fit(rows.to_numpy())


def nodes_of(forest: IsolationForest) -> pl.DataFrame:
    """Return the trees of a fitted forest under `models.session.forest.NODES`."""
    trees = [
        _tree(number, estimator.tree_, columns)
        for number, (estimator, columns) in enumerate(
            zip(forest.estimators_, forest.estimators_features_, strict=True)
        )
    ]
    return pl.concat(trees)


def _scaled(events: pl.DataFrame) -> tuple[Scaling, pl.DataFrame]:
    sessions = sessions_of(atoms_of(events.select(SESSION_COLUMNS)))
    scaling = Scaling.of(sessions)
    return scaling, scaling.distances(sessions).select(FEATURES)


def _tree(number: int, tree: Any, columns: Any) -> pl.DataFrame:
    """Return one tree; its features are places in what it was given to choose from."""
    frame = pl.DataFrame(
        {
            "node": range(tree.node_count),
            "feature": tree.feature,
            "threshold": tree.threshold,
            "left": tree.children_left,
            "right": tree.children_right,
            "samples": tree.n_node_samples,
        }
    )
    is_leaf = pl.col("left") < 0
    chosen = pl.Series(columns)
    feature = chosen.gather(frame["feature"].clip(lower_bound=0))
    return frame.select(
        pl.lit(number).alias("tree").cast(pl.Int32),
        pl.col("node").cast(pl.Int32),
        pl.when(is_leaf).then(-1).otherwise(feature).alias("feature").cast(pl.Int32),
        pl.when(is_leaf).then(0.0).otherwise("threshold").alias("threshold"),
        pl.col("left", "right", "samples").cast(pl.Int32),
    ).select(*NODES)


_FITS: Final[Mapping[str, Callable[[pl.DataFrame, int], Learned]]] = {
    SESSION_FOREST.name: fit_session_forest,
    SESSION_HISTOGRAM.name: fit_session_histogram,
    VOLUME.name: lambda events, _: VolumeModel.of(events),
    LOGIN.name: lambda events, _: LoginModel.of(events),
}
