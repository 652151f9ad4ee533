"""Settings become a ruleset: rules, site and exceptions, loaded together and refused together.

Separate because a worker does it again while it runs, and a replay does it twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.anomaly.detector import UNUSUAL_IDENTITY
from detectors.anomaly.learned import Learning
from detectors.anomaly.learners import LearnedSettings, Model
from detectors.anomaly.spans import SPAN_TICKS
from detectors.ruleset import Ruleset, ruleset
from detectors.sigma.compiler import load_pack
from models.profile.action_key import DAY_TICKS
from models.profile.defaults import FINDINGS_A_DAY, SILENT_DAYS
from models.profile.rarity import AFTER_200_EVENTS, AFTER_A_DAY
from models.profile.told import TOLD_TICKS
from worker.settings import shipped_rules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from worker.configuration import Settings
    from worker.models import Trained


def load_ruleset(
    paths: Sequence[Path],
    settings: Settings | None = None,
    config: Path | None = None,
    *,
    learning_time: bool = True,
    learns: bool = True,
) -> Ruleset:
    """Load rules with what the settings say about the site.

    Parameters
        paths: files or folders; none: the rules that are installed with the program.
        settings: None: nothing is known of the site, and there are no exceptions.
        config: the file that ``settings`` came from, for the lines of what is wrong in it.
        learning_time: whether ``first_seen`` asks for the time of its learning, and an identity is
            known only after a day; a scan does not ask.
        learns: whether the learned detectors are in it, with the models that are in use.

    Raises
        detectors.sigma.errors.InvalidRulesError: a rule or an exception is refused; all are named.
        worker.configuration.InvalidSettingsError: a setting of the site cannot be used, or a model
            that is in use is not what was signed.
    """
    chosen = list(paths) or [shipped_rules()]
    if settings is None:
        usual = LearnedSettings(_learning(FINDINGS_A_DAY, SILENT_DAYS, learning_time))
        learned = usual if learns else None
        return ruleset(load_pack(chosen), learning_time=learning_time, learned=learned)
    from worker.site import load_exceptions, site_of  # noqa: PLC0415 - loads pydantic

    site = site_of(settings)
    pack = load_pack(chosen, site)
    nameable = (*pack.reporting, UNUSUAL_IDENTITY)
    exceptions = load_exceptions(settings, config, nameable, site)
    return ruleset(
        pack,
        site,
        exceptions,
        learning_time=learning_time,
        state_rows=settings.worker.state_rows,
        learned=_learned(settings, learning_time=learning_time) if learns else None,
    )


def _learned(settings: Settings, *, learning_time: bool) -> LearnedSettings | None:
    """Return which learned detectors run, with the models that are in use."""
    if not settings.anomaly.enabled:
        return None
    from worker.models import load_models  # noqa: PLC0415 - loads what checks signatures

    used = load_models(settings.models)
    return LearnedSettings(
        _learning(settings.anomaly.findings_a_day, settings.anomaly.silent_days, learning_time),
        _model(used.champion),
        _model(used.challenger) if used.challenger else None,
        keeps_events=learning_time and settings.elasticsearch.events == "findings",
    )


def _model(trained: Trained | None) -> Model:
    return Model(trained.version, trained.profile) if trained else Model()


def _learning(findings_a_day: float, silent_days: float, is_service: bool) -> Learning:
    if not is_service:
        return Learning(findings_a_day, AFTER_200_EVENTS, SPAN_TICKS, told_ticks=TOLD_TICKS)
    silent_ticks = round(silent_days * DAY_TICKS)
    return Learning(findings_a_day, AFTER_A_DAY, silent_ticks=silent_ticks, told_ticks=TOLD_TICKS)
