"""The settings' group ``telemetry`` in, a listening health server out.

Separate from `worker.health` because that knows no settings, and from the commands because all of
them begin so.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import structlog

from worker.configuration import InvalidSettingsError
from worker.health import HealthServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prometheus_client import CollectorRegistry

    from worker.configuration import Telemetry
    from worker.health import Heartbeat


def open_health(
    telemetry: Telemetry,
    registry: CollectorRegistry,
    heartbeats: Mapping[str, Heartbeat],
    checks: Mapping[str, Callable[[], str | None]],
) -> HealthServer:
    """Listen where the settings say.

    A port that nobody asked for, only our default, gives way to another command of ours on this
    machine: any free one is taken then, and the log says which.

    Raises
        InvalidSettingsError: the address cannot be listened on.
    """
    try:
        return HealthServer(telemetry.host, telemetry.port, registry, heartbeats, checks)
    except OSError as error:
        is_default = "port" not in telemetry.model_fields_set
        if error.errno != errno.EADDRINUSE or not is_default:
            place = f"{telemetry.host}:{telemetry.port}"
            raise InvalidSettingsError(f"telemetry: {place}: {error.strerror}") from error
    found = HealthServer(telemetry.host, 0, registry, heartbeats, checks)
    log = structlog.get_logger()
    log.warning("health port is taken, using another", wanted=telemetry.port, port=found.port)
    return found
