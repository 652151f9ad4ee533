"""Settings in, the results of all checks out, one by one as they are made.

Separate from the checks: this is the one list of what runs, and in which order.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from worker.configuration import InvalidSettingsError, load_settings
from worker.doctor.broker import NEEDS_KAFKA, check_broker
from worker.doctor.check import CheckName, Result, failed, ok, skipped
from worker.doctor.installation import check_packages, check_rules, check_sample, check_store
from worker.doctor.search import NEEDS_ELASTICSEARCH, check_elasticsearch
from worker.doctor.trained import check_models
from worker.kafka_client import client_config
from worker.settings import shipped_rules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from worker.configuration import Settings

SERVERS = (CheckName.KAFKA, *NEEDS_KAFKA, CheckName.ELASTICSEARCH, *NEEDS_ELASTICSEARCH)


def examine(file: Path | None, version: str, *, offline: bool) -> Iterator[Result]:
    """Yield one result per name in `CheckName`, in its order.

    Parameters
        file: of settings; None: defaults and the environment.
        offline: check this installation only; servers are neither needed nor asked.
    """
    settings: Settings | None = None
    try:
        settings = load_settings(file)
    except InvalidSettingsError as error:
        yield failed(CheckName.SETTINGS, str(error), "see docs/settings.md")
    else:
        yield ok(CheckName.SETTINGS, str(file) if file else "defaults and environment")
    yield check_packages()
    rules, compiled = check_rules((settings and settings.worker.rules) or [shipped_rules()])
    yield rules
    yield check_sample(compiled)
    if settings is None:
        unset = (CheckName.MODELS, CheckName.STORE, *SERVERS)
        yield from (skipped(name, "without settings") for name in unset)
        return
    yield check_models(settings.models)
    if offline:
        yield from (skipped(name, "--offline") for name in (CheckName.STORE, *SERVERS))
    else:
        yield check_store(settings.store.folder)
        yield from _check_servers(settings, version)


def _check_servers(settings: Settings, version: str) -> Iterator[Result]:
    now = datetime.now(UTC)
    try:
        config = client_config(settings.kafka)
    except InvalidSettingsError as error:
        yield failed(CheckName.KAFKA, str(error), "see the settings of kafka")
        yield from (skipped(name, "without a connection to Kafka") for name in NEEDS_KAFKA)
    else:
        yield from check_broker(settings, config, now)
    yield from check_elasticsearch(settings.elasticsearch, version, now)
