"""An Elasticsearch node on loopback: a folder and a port go in, a URL comes out.

Separate from `worker.services.lifecycle`, which the command line uses, because tests kill and
restart one server of their own. Indices stay in the folder over a restart. The node is the real
server with its HTTP transport; modules that are not published as artifacts (security, ILM,
Painless, data streams' own API) are not in it.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import zipfile
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from worker.services.detached import Detached
from worker.services.jar_lock import Jar, Server, locked_jars
from worker.services.jar_store import maven_repository, verified_paths
from worker.services.java import jvm_library, optional_module
from worker.services.native_library import zstd_library
from worker.services.ports import LOOPBACK, free_port, require_free
from worker.services.readiness import wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME: Final = "Elasticsearch"
HEALTH_TIMEOUT_S: Final = 2.0
TRANSPORT: Final = "transport-netty4"
DESCRIPTOR: Final = "plugin-descriptor.properties"


class LocalElasticsearch:
    """One node in one folder. ``port`` 0: a free one, the same for every restart.

    ``settings`` are Elasticsearch's own and win over ours, such as
    ``{"indexing_pressure.memory.limit": "1mb"}``.
    """

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        heap_mb: int = 1024,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.port = port or free_port()
        self.heap_mb = heap_mb
        self.settings = dict(settings or {})
        self.process = Detached(self.folder)

    @property
    def url(self) -> str:
        """Return the node's address."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start the node unless it runs; returns before it is ready.

        Raises
            ServiceError: jars, port or a library stand in the way.
        """
        if self.process.running() is not None:
            return
        require_free(self.port, NAME)
        optional_module("jpype")
        order = self.folder / "node.json"
        class_path = self._lay_out(verified_paths(_locked(), maven_repository()))
        order.write_text(json.dumps(self._order(class_path), indent=1))
        command = [sys.executable, "-P", "-m", "worker.services.elasticsearch_process", str(order)]
        self.process.start(command, self.url, os.environ)

    def wait_ready(self, timeout_s: float = 120.0) -> None:
        """Wait until the node's health is green or yellow.

        Raises
            ServiceError: it ended, or is not ready in time; with the end of its log.
        """
        wait_until_ready(NAME, lambda: health_trouble(self.url), timeout_s, self.process)

    def kill(self) -> None:
        """SIGKILL: what a crash of the machine leaves behind, less the page cache."""
        self.process.kill()

    def stop(self, deadline_s: float = 30.0) -> bool:
        """Close the node in order, by force after ``deadline_s``."""
        return self.process.stop(deadline_s)

    def _lay_out(self, jars: list[Path]) -> list[Path]:
        """Give the node the folders it expects; return what belongs on its class path."""
        module = self.folder / "modules" / TRANSPORT
        for folder in (module, self.folder / "plugins", self.folder / "config"):
            folder.mkdir(parents=True, exist_ok=True)
        _link(self.folder / "native" / "libzstd.so", zstd_library())
        for stale in module.iterdir():
            stale.unlink()
        # The transport has a class loader of its own, so its jars must not be on the class path.
        own = [jar for jar in jars if jar.name.startswith(("netty-", f"{TRANSPORT}-"))]
        for jar in own:
            _link(module / jar.name, jar)
            if jar.name.startswith(TRANSPORT):
                (module / DESCRIPTOR).write_text(_descriptor(jar))
        return [jar for jar in jars if jar not in own]

    def _order(self, class_path: list[Path]) -> dict[str, object]:
        """Return what the child process is told."""
        return {
            "jvm": str(jvm_library()),
            "options": [
                f"-Xms{self.heap_mb}m",
                f"-Xmx{self.heap_mb}m",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                f"-Des.nativelibs.path={self.folder / 'native'}",
            ],
            "class_path": [str(jar) for jar in class_path],
            "home": str(self.folder),
            "settings": {
                "path.home": str(self.folder),
                "path.data": str(self.folder / "data"),
                "path.logs": str(self.folder / "logs"),
                "cluster.name": "trailwarden-local",
                "node.name": "local",
                "network.host": LOOPBACK,
                "http.port": str(self.port),
                "transport.port": str(free_port()),
                "discovery.type": "single-node",
                "logger.level": "INFO",
                # A nearly full disk of a workstation is no reason to refuse writes.
                "cluster.routing.allocation.disk.threshold_enabled": "false",
                **self.settings,
            },
        }


def health_trouble(url: str) -> str | None:
    """Return None if the cluster at ``url`` is green or yellow, else the reason why not."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=HEALTH_TIMEOUT_S)
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}/_cluster/health")
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    if answer.status != http.client.OK:
        return f"{url} answers {answer.status} {answer.reason}"
    status = json.loads(body).get("status")
    return None if status in {"green", "yellow"} else f"health is {status}"


def _locked() -> tuple[Jar, ...]:
    return locked_jars(Server.ELASTICSEARCH)


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _descriptor(jar: Path) -> str:
    """Return the transport's descriptor, less the named module that the server is not here."""
    with zipfile.ZipFile(jar) as opened:
        text = opened.read(f"META-INF/es-plugins/{TRANSPORT}/{DESCRIPTOR}").decode()
    kept = [line for line in text.splitlines() if not line.startswith("modulename=")]
    return "\n".join(kept) + "\n"
