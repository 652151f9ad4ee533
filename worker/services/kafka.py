"""A Kafka broker on loopback: a folder and a port go in, a bootstrap address comes out.

Separate from `worker.services.lifecycle`, which the command line uses, because tests kill and
restart one server of their own. Topics and groups stay in the folder over a restart.
"""

from __future__ import annotations

import base64
import os
import subprocess
import uuid
from typing import TYPE_CHECKING, Final

from sinks.broker_probe import BrokerProbe
from worker.services.broker_properties import (
    BrokerOptions,
    BrokerSecurity,
    broker_properties,
    properties_text,
)
from worker.services.detached import Detached
from worker.services.errors import ServiceError
from worker.services.jar_lock import Server, locked_jars
from worker.services.jar_store import maven_repository, verified_paths
from worker.services.java import java_executable
from worker.services.ports import LOOPBACK, free_port, require_free
from worker.services.readiness import wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME: Final = "Kafka"
FORMAT_TIMEOUT_S: Final = 60
# Kafka's own logging goes to standard error, the folder's log; errors alone hide why it stopped.
LOGGING: Final = """\
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{yyyy-MM-dd HH:mm:ss.SSS} %-5p %c{1}: %m%n
rootLogger.level=WARN
rootLogger.appenderRef.out.ref=out
logger.server.name=kafka.server
logger.server.level=INFO
logger.config.name=kafka.server.KafkaConfig
logger.config.level=WARN
"""


class LocalKafka:
    """One broker in one folder. ``port`` 0: a free one, the same for every restart."""

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        options: BrokerOptions | None = None,
        security: BrokerSecurity | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.port = port or free_port()
        self.options = options or BrokerOptions()
        self.security = security
        self.process = Detached(self.folder)

    @property
    def bootstrap(self) -> str:
        """Return where clients begin."""
        return f"{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start the broker unless it runs; returns before it is ready.

        Raises
            ServiceError: jars, port or configuration stand in the way.
        """
        if self.process.running() is not None:
            return
        require_free(self.port, NAME)
        java = self._java()
        properties = self._write_files()
        if not (self._data / "meta.properties").exists():
            self._format(java, properties)
        command = [*java, "kafka.Kafka", str(properties)]
        self.process.start(command, self.bootstrap, os.environ)

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Wait until the broker answers and can create topics.

        Raises
            ServiceError: it ended, or is not ready in time; with the end of its log.
        """
        with BrokerProbe(self._probe_config()) as probe:
            wait_until_ready(NAME, probe.trouble, timeout_s, self.process)

    def kill(self) -> None:
        """SIGKILL: what a crash of the machine leaves behind, less the page cache."""
        self.process.kill()

    def stop(self, deadline_s: float = 30.0) -> bool:
        """Shut down in order, by force after ``deadline_s``."""
        return self.process.stop(deadline_s)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _java(self) -> list[str]:
        jars = verified_paths(locked_jars(Server.KAFKA), maven_repository())
        return [
            str(java_executable()),
            f"-Xmx{self.options.heap_mb}m",
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-cp",
            os.pathsep.join(str(jar) for jar in jars),
        ]

    def _write_files(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "log4j2.properties").write_text(LOGGING)
        file = self.folder / "server.properties"
        file.write_text(
            properties_text(
                broker_properties(self._data, self.port, free_port(), self.options, self.security)
            )
        )
        return file

    def _format(self, java: list[str], properties: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = [*java, "kafka.tools.StorageTool", "format", "--ignore-formatted"]
        command += [
            f"--cluster-id={cluster}",
            f"--config={properties}",
        ]  # an id may begin with a dash
        for user, password in (self.security.scram_users if self.security else {}).items():
            command += ["--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]"]
        done = subprocess.run(  # noqa: S603 - our own arguments
            command, capture_output=True, text=True, check=False, timeout=FORMAT_TIMEOUT_S
        )
        if done.returncode != 0:
            raise ServiceError(
                f"{NAME}: {self._data} was not formatted:\n{done.stdout}{done.stderr}"
            )

    def _probe_config(self) -> Mapping[str, object]:
        if self.security is None:
            return {"bootstrap.servers": self.bootstrap}
        return self.security.probe
