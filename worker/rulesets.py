"""Settings become a ruleset: rules, site and exceptions, loaded together and refused together.

Separate because a worker does it again while it runs, and a replay does it twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.ruleset import Ruleset, ruleset
from detectors.sigma.compiler import load_pack
from worker.settings import shipped_rules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from worker.configuration import Settings


def load_ruleset(
    paths: Sequence[Path],
    settings: Settings | None = None,
    config: Path | None = None,
    *,
    learning_time: bool = True,
) -> Ruleset:
    """Load rules with what the settings say about the site.

    Parameters
        paths: files or folders; none: the rules that are installed with the program.
        settings: None: nothing is known of the site, and there are no exceptions.
        config: the file that ``settings`` came from, for the lines of what is wrong in it.
        learning_time: whether ``first_seen`` asks for the time of its learning; a scan does not.

    Raises
        detectors.sigma.errors.InvalidRulesError: a rule or an exception is refused; all are named.
        worker.configuration.InvalidSettingsError: a setting of the site cannot be used.
    """
    chosen = list(paths) or [shipped_rules()]
    if settings is None:
        return ruleset(load_pack(chosen), learning_time=learning_time)
    from worker.site import load_exceptions, site_of  # noqa: PLC0415 - loads pydantic

    site = site_of(settings)
    pack = load_pack(chosen, site)
    exceptions = load_exceptions(settings, config, pack.reporting, site)
    return ruleset(
        pack,
        site,
        exceptions,
        learning_time=learning_time,
        state_rows=settings.worker.state_rows,
    )
