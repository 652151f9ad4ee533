"""Settings of models in, whether a worker could begin with the models in use out.

Separate from the installation because a model is neither of this program nor of a server: somebody
trained it, signed it and put it to use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.configuration import InvalidSettingsError
from worker.doctor.check import CheckName, Result, failed, ok
from worker.models import load_models

if TYPE_CHECKING:
    from worker.detection_settings import Models
    from worker.models import Trained

_VERIFY = "`trailwarden models verify` names each fault; `models rollback` goes back by one"


def check_models(settings: Models) -> Result:
    """Load what is in use as a worker does at its start."""
    try:
        used = load_models(settings)
    except InvalidSettingsError as error:
        return failed(CheckName.MODELS, f"{error}; no worker starts with it", _VERIFY)
    if used.champion is None and used.challenger is None:
        return ok(
            CheckName.MODELS, "none is in use: what is ordinary is learned from the beginning"
        )
    return ok(
        CheckName.MODELS, f"champion: {_said(used.champion)}; challenger: {_said(used.challenger)}"
    )


def _said(trained: Trained | None) -> str:
    if trained is None:
        return "none"
    return f"{trained.version} of {len(trained.profile.clusters)} clusters"
