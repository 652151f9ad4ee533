"""An evaluation in, one self-contained HTML page out, by the rules of the report's page.

Separate from the report because it shows how good a model is, not what happened. It says what was
compared with what, and marks nothing as good: the reader sees the simple methods beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sinks.report.environment import environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from models.training.evaluation import BudgetResult, Evaluation

UNTOLD: Final = "not found"
_MINUTE_S: Final = 60
_HOUR_S: Final = 3_600
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class EvaluationPage:
    """Everything that one page shows.

    ``results`` has the model first, then the methods that it is compared with. ``trained`` and
    ``tried`` are aware UTC times.
    """

    title: str
    kind: str
    source: str
    trained: tuple[datetime, datetime]
    tried: tuple[datetime, datetime]
    learned_events: int
    results: Sequence[Evaluation]
    version: str
    is_labelled: bool = True
    """Whether it is known what is true, besides what people decided about."""

    @property
    def is_compared(self) -> bool:
        """Return whether there is anything to compare with."""
        return len(self.results) > 1

    @property
    def judged(self) -> Sequence[BudgetResult]:
        """Return the budgets of the model with findings that people decided about."""
        return [at for at in self.results[0].budgets if at.judged]


def render_evaluation(page: EvaluationPage) -> str:
    """Return the page as HTML text, the same for the same evaluation."""
    template = environment().get_template("evaluation.html.j2")
    return template.render(
        page=page,
        model=page.results[0],
        figure=figure,
        share=share,
        lasted=lasted,
        budgeted=budgeted,
        moment=_moment,
        UNTOLD=UNTOLD,
    )


def write_evaluation(path: Path, page: EvaluationPage) -> None:
    """Write the page to `path`, in UTF-8; a reader never sees half of it.

    Raises OSError when the folder cannot be written to.
    """
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(render_evaluation(page).encode())
    partial.replace(path)


def figure(value: float | None) -> str:
    """Return a figure between 0 and 1 as people compare it."""
    return "-" if value is None else f"{value:.3f}"


def share(value: float | None) -> str:
    """Return a share in percent."""
    return "-" if value is None else f"{value * 100:.0f} %"


def lasted(seconds: float | None) -> str:
    """Return a time as people say it."""
    if seconds is None:
        return UNTOLD
    if seconds < _MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < _HOUR_S:
        return f"{seconds / _MINUTE_S:.1f} min"
    return f"{seconds / _HOUR_S:.1f} h"


def budgeted(budget: float) -> str:
    """Return a budget without digits that say nothing."""
    return f"{budget:g}"


def _moment(microseconds: int) -> datetime:
    """Return a time; one that no datetime can name is the epoch."""
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return _EPOCH
