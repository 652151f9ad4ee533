"""Servers of one folder, up, down and looked at: what to run goes in, addresses come out.

Separate from the servers themselves because here they are two, may be somebody else's, and are
left behind for other commands: ``trailwarden services`` is only this with options.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sinks.broker_probe import BrokerProbe
from worker.configuration import ENVIRONMENT_PREFIX
from worker.services.broker_properties import BrokerOptions
from worker.services.detached import Detached
from worker.services.elasticsearch import LocalElasticsearch, health_trouble
from worker.services.errors import ServiceError
from worker.services.file_lock import exclusive
from worker.services.jar_lock import Server
from worker.services.kafka import LocalKafka
from worker.services.readiness import wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

LocalServer = LocalKafka | LocalElasticsearch
DEFAULT_PORTS: Final = {Server.KAFKA: 9092, Server.ELASTICSEARCH: 9200}
KAFKA_HEAP_MB: Final = 512
ELASTICSEARCH_HEAP_MB: Final = 1024
SETTINGS_FILE: Final = "trailwarden.yml"


@dataclass(frozen=True, slots=True)
class Request:
    """What ``up`` is to bring about for one server.

    With an ``address`` a server that runs elsewhere is only checked. ``port`` None: the one it runs
    on, else the server's usual one; 0: any free one.
    """

    server: Server
    address: str | None = None
    port: int | None = None
    heap_mb: int | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of one server of a folder."""

    server: Server
    address: str | None
    pid: int | None
    trouble: str | None
    log_file: Path


def process_of(folder: Path, server: Server) -> Detached:
    """Return the process that ``folder`` has for ``server``."""
    return Detached(folder.absolute() / server)


def up(
    folder: Path, requests: Collection[Request], timeout_s: float, say: Callable[[str], None]
) -> dict[Server, str]:
    """Start or check what is asked for, wait until all of it is ready, write the settings file.

    Raises
        ServiceError: a server cannot be had; those that are ready stay up.
    """
    with exclusive(folder / ".lock"):
        started = {r.server: _start(folder, r, say) for r in requests if r.address is None}
        addresses = _running_addresses(folder)
    for request in requests:
        if request.address is None:
            started[request.server].wait_ready(timeout_s)
        else:
            _check(request.server, request.address, timeout_s)
            addresses[request.server] = request.address
    (folder / SETTINGS_FILE).write_text(settings_text(folder, addresses))
    return addresses


def _start(folder: Path, request: Request, say: Callable[[str], None]) -> LocalServer:
    running = process_of(folder, request.server).running()
    local = _local(folder, request, None if running is None else running.address)
    address = _address(local)
    if running is None:
        say(f"starting {request.server} at {address}, log {local.process.log_file}")
        local.start()
    elif running.address != address:
        raise ServiceError(
            f"{request.server} of {folder} runs at {running.address}, not at {address}:"
            " `trailwarden services down` first"
        )
    else:
        say(f"{request.server} runs already at {address}, process {running.pid}")
    return local


def _local(folder: Path, request: Request, running_at: str | None) -> LocalServer:
    port = request.port
    if running_at is not None and not port:
        port = int(running_at.rpartition(":")[2])
    if port is None:
        port = DEFAULT_PORTS[request.server]
    home = folder / request.server
    if request.server is Server.KAFKA:
        return LocalKafka(home, port, BrokerOptions(request.heap_mb or KAFKA_HEAP_MB))
    return LocalElasticsearch(home, port, request.heap_mb or ELASTICSEARCH_HEAP_MB)


def _address(local: LocalServer) -> str:
    return local.bootstrap if isinstance(local, LocalKafka) else local.url


def _check(server: Server, address: str, timeout_s: float) -> None:
    if server is Server.ELASTICSEARCH:
        wait_until_ready(f"Elasticsearch at {address}", lambda: health_trouble(address), timeout_s)
        return
    with BrokerProbe({"bootstrap.servers": address}) as probe:
        wait_until_ready(f"Kafka at {address}", probe.trouble, timeout_s)


def _running_addresses(folder: Path) -> dict[Server, str]:
    running = {server: process_of(folder, server).running() for server in Server}
    return {server: found.address for server, found in running.items() if found is not None}


def down(folder: Path, servers: Collection[Server], deadline_s: float) -> dict[Server, bool]:
    """Stop servers, by force after ``deadline_s``; tell which ran. Their data stays."""
    if not folder.is_dir():
        return dict.fromkeys(servers, False)
    with exclusive(folder / ".lock"):
        return {server: process_of(folder, server).stop(deadline_s) for server in servers}


def status(folder: Path, servers: Collection[Server]) -> list[Status]:
    """Look at servers once, without waiting."""
    return [_status(process_of(folder, server), server) for server in servers]


def _status(process: Detached, server: Server) -> Status:
    running = process.running()
    if running is None:
        return Status(server, None, None, "not running", process.log_file)
    try:
        _check(server, running.address, 0)
    except ServiceError as error:
        return Status(server, running.address, running.pid, str(error), process.log_file)
    return Status(server, running.address, running.pid, None, process.log_file)


def settings_lines(addresses: dict[Server, str]) -> list[str]:
    """Return the environment that points Trailwarden to these servers."""
    names = {
        Server.KAFKA: "KAFKA__BOOTSTRAP_SERVERS",
        Server.ELASTICSEARCH: "ELASTICSEARCH__URL",
    }
    return [f"{ENVIRONMENT_PREFIX}{names[server]}={at}" for server, at in addresses.items()]


def settings_text(folder: Path, addresses: dict[Server, str]) -> str:
    """Return a settings file for these servers; what Trailwarden keeps goes beside their data."""
    store = json.dumps(str(folder.absolute() / "store"))
    lines = ["# Written by `trailwarden services up`.", "store:", f"  folder: {store}"]
    if (kafka := addresses.get(Server.KAFKA)) is not None:
        lines += ["kafka:", f"  bootstrap_servers: {json.dumps(kafka)}"]
    if (elasticsearch := addresses.get(Server.ELASTICSEARCH)) is not None:
        lines += ["elasticsearch:", f"  url: {json.dumps(elasticsearch)}", "  replicas: 0"]
    return "\n".join(lines) + "\n"
