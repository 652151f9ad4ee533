"""The collector as a process of its own, which a test can kill and start again at once.

A fork server that has imported everything makes each start a matter of milliseconds.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
import urllib.request
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from worker.configuration import Collect, Falco, Kafka, Settings, Telemetry, Webhook
from worker.services.ports import free_port

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["worker.collect_webhook", __name__])
START_S = 20.0


def _run(settings: Settings, log: Path, group: str) -> None:
    from worker.collect_webhook import (  # noqa: PLC0415 - in the child only
        collect_falco,
        collect_webhook,
    )

    with log.open("a") as file:
        os.dup2(file.fileno(), 2)
        collect = collect_falco if group == "falco" else collect_webhook
        sys.exit(collect(settings, "test"))


class WebhookProcess:
    """One replica on a port that stays the same over restarts."""

    def __init__(
        self,
        kafka: str,
        topic: str,
        log: Path,
        webhook: Webhook | None = None,
        group: str = "webhook",
    ) -> None:
        given = (webhook or Webhook(acknowledge_s=2.0)).model_dump()
        self.port, self.health_port = free_port(), free_port()
        self.log = log
        self._group = group
        self._settings = Settings(
            kafka=Kafka(bootstrap_servers=kafka, raw_topic=topic),
            webhook=Webhook(**{**given, "port": self.port}),
            falco=Falco(**{**given, "port": self.port}),
            collect=Collect(name=f"webhook-{self.port}", canary_interval_s=0),
            telemetry=Telemetry(port=self.health_port),
        )
        self._process: ForkServerProcess | None = None

    @property
    def process_id(self) -> int:
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    def start(self, *, ready: bool = True) -> None:
        self._process = _CONTEXT.Process(target=_run, args=(self._settings, self.log, self._group))
        self._process.start()
        end = time.monotonic() + START_S
        while ready and self.page("readyz")[0] != 200:
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.02)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> int | None:
        """Ask it to end; return its exit code."""
        return self._end(signal.SIGTERM)

    def page(self, name: str) -> tuple[int, str]:
        """Return status and text of one of its pages; 0 if nobody answers."""
        try:
            address = f"http://127.0.0.1:{self.health_port}/{name}"
            with urllib.request.urlopen(address, timeout=5) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def _end(self, number: signal.Signals) -> int | None:
        if self._process is None:
            return None
        if self._process.is_alive():
            os.kill(self.process_id, number)
        self._process.join(30)
        code = self._process.exitcode
        self._process.close()
        self._process = None
        return code
