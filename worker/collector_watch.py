"""Settings in, a collector's watch over the workers out: who tells that no worker reads any more.

Separate from the three collectors because all of them watch: workers watch the sources by their
canaries, collectors watch the workers by their commits, and neither needs Elasticsearch (P5).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import structlog

from sinks.notify import Notifier
from worker.configuration import secret
from worker.group_watch import GroupWatcher
from worker.kafka_client import client_config
from worker.metrics import notifier_samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.configuration import Settings
    from worker.metrics import Samples

CHECKPOINTS: Final = 1.5
"""Workers may be quiet for one checkpoint interval; half as long again is silence."""

LOOK_S: Final = 10.0
"""Time between looks; far less than the silence, or each look would find one."""

_CLOSE_S: Final = 2.0


@contextmanager
def watching_workers(settings: Settings) -> Iterator[list[Samples]]:
    """Watch the workers' group while the body runs; give the samples for its metrics.

    Raises
        worker.configuration.InvalidSettingsError: the webhook's token file cannot be read.
    """
    log, notify, kafka = structlog.get_logger(), settings.notify, settings.kafka
    token = secret(None, notify.webhook_token_file)

    def warn(problem: str) -> None:
        log.warning("trouble", problem=problem)

    notifier = Notifier(notify.webhook_url, token, notify.alertmanager_url, notify.severity, warn)
    silence_s = max(notify.silence_s, CHECKPOINTS * settings.checkpoint.interval_s)
    watcher = GroupWatcher(
        client_config(kafka),
        kafka.group,
        kafka.raw_topic,
        notifier,
        silence_s=silence_s,
        interval_s=min(LOOK_S, silence_s / 4),
        on_problem=warn,
    )
    try:
        yield [watcher.samples, lambda: notifier_samples(notifier)]
    finally:
        watcher.close()
        notifier.close(_CLOSE_S)
