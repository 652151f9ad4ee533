"""Child process that is an Elasticsearch node: a JSON order goes in, HTTP comes out until SIGTERM.

Separate because the Java machine lives in this process and cannot leave it again.

    python -m worker.services.elasticsearch_process FOLDER/node.json
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from worker.services.java import optional_module


def main() -> None:
    """Run one node in the foreground."""
    order = json.loads(Path(sys.argv[1]).read_text())
    jpype = optional_module("jpype")
    jpype.startJVM(order["jvm"], *order["options"], classpath=order["class_path"], interrupt=False)
    node = _node(jpype.JClass, Path(order["home"]), order["settings"])
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    node.start()
    stop.wait()
    node.close()


def _node(java: Any, home: Path, given: dict[str, str]) -> Any:
    """Build the node as the server's own start does, less what needs its distribution."""
    builder = java("org.elasticsearch.common.settings.Settings").builder()
    for key, value in given.items():
        builder.put(key, value)
    settings = builder.build()
    logs = java("org.elasticsearch.common.logging.LogConfigurator")
    logs.configureESLogging()
    logs.configureWithoutConfig(settings)
    path, plugins = java("java.nio.file.Path"), java("org.elasticsearch.plugins.PluginsLoader")
    environment = java("org.elasticsearch.env.Environment")(settings, path.of(f"{home}/config"))
    loader = plugins.createPluginsLoader(
        plugins.loadModulesBundles(path.of(f"{home}/modules"), False),
        plugins.loadPluginsBundles(path.of(f"{home}/plugins"), False),
        java("java.util.Map").of(),
        False,
    )
    return java("org.elasticsearch.node.Node")(environment, loader)


if __name__ == "__main__":
    main()
