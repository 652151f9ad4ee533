"""An Elasticsearch node in, what is right and wrong with it for this program out.

Separate from the other checks because all of these need Elasticsearch, and may be done without.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from sinks.elasticsearch import setup
from sinks.elasticsearch.setup_check import check_setup
from sinks.elasticsearch.transport import (
    NotAllowedError,
    Reply,
    SetupMissingError,
    UnavailableError,
    ask,
)
from worker.clock_watch import LIMIT_S
from worker.configuration import InvalidSettingsError
from worker.doctor.broker import judge_changes
from worker.doctor.check import CheckName, Result, failed, ok, skipped, warning
from worker.elasticsearch_client import connect_elasticsearch
from worker.setup import elasticsearch_options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sinks.elasticsearch.connection import Client
    from worker.configuration import Elasticsearch

NEEDS_ELASTICSEARCH: Final = (CheckName.TEMPLATES,)
MAJOR: Final = 9
"""The major version that templates and client are made and tested for."""

PRIVILEGES: Final = ("create_doc", "auto_configure")
"""What a worker cannot do without: new documents, and the index of a new day."""

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_OK: Final = 200


def check_elasticsearch(settings: Elasticsearch, version: str, now: datetime) -> Iterator[Result]:
    """Yield the results of all checks that need Elasticsearch.

    Parameters
        version: of this program, as it stands in the templates.
    """
    if settings.url is None:
        yield skipped(CheckName.ELASTICSEARCH, "elasticsearch.url is not set: findings stay local")
        yield skipped(CheckName.TEMPLATES, "elasticsearch.url is not set")
        return
    try:
        client = connect_elasticsearch(settings)
    except InvalidSettingsError as error:
        yield failed(CheckName.ELASTICSEARCH, str(error), "see the settings of elasticsearch")
        yield skipped(CheckName.TEMPLATES, "without a connection")
        return
    with closing(client):
        node = _check_node(client, settings, now)
        yield node
        if node.state == "failed":
            yield skipped(CheckName.TEMPLATES, "see elasticsearch")
        else:
            yield _check_templates(client, settings, version)


def _check_node(client: Client, settings: Elasticsearch, now: datetime) -> Result:
    name = CheckName.ELASTICSEARCH
    reply = ask(client, "GET", "/_nodes/_local")
    if reply.status != _OK:
        advice = "start it, or see elasticsearch.url and its credentials"
        return failed(name, f"{_host(settings)}: {reply.reason}", advice)
    number = next((str(node["version"]) for node in _nodes(reply)), "")
    if number.partition(".")[0] != str(MAJOR):
        return failed(name, f"version {number} answers", f"version {MAJOR} is needed")
    missing = _missing_rights(client, settings.prefix)
    if missing:
        detail = f"this user lacks {', '.join(missing)} on {settings.prefix}-*"
        return failed(name, detail, "see the role of this user")
    return _judge_node(client, settings, number, now)


def _judge_node(client: Client, settings: Elasticsearch, number: str, now: datetime) -> Result:
    name = CheckName.ELASTICSEARCH
    status = _member(ask(client, "GET", "/_cluster/health"), "status")
    if status == "red":
        return failed(
            name, f"{number}, its health is red", "some shards are not there: see its log"
        )
    off_s = _ahead_s(ask(client, "GET", "/_nodes/_local/stats/os"), now)
    if off_s is not None and abs(off_s) > LIMIT_S:
        way = "ahead of" if off_s > 0 else "behind"
        detail = f"{number}, its clock is {abs(off_s):.0f} s {way} ours"
        return warning(name, detail, "set the clocks by NTP")
    secure = urlsplit(settings.url or "").scheme == "https"
    if not secure and _host(settings) not in LOOPBACK:
        advice = "use https: findings and credentials cross the network in the clear"
        return warning(name, f"{number}, health {status}, reached by http", advice)
    return ok(name, f"version {number}, health {status or 'not told'}")


def _missing_rights(client: Client, prefix: str) -> list[str]:
    """Return which privileges are missing, none where the node does not tell."""
    asked = {"index": [{"names": [f"{prefix}-*"], "privileges": list(PRIVILEGES)}]}
    reply = ask(client, "POST", "/_security/user/_has_privileges", asked)
    if reply.status != _OK:
        return []  # without its security part a node does not know the question
    granted = reply.body.get("index", {}).get(f"{prefix}-*", {})
    return [privilege for privilege in PRIVILEGES if not granted.get(privilege)]


def _check_templates(client: Client, settings: Elasticsearch, version: str) -> Result:
    name, advice = CheckName.TEMPLATES, "run trailwarden setup"
    good = "templates and indices are as wanted"
    try:
        found = setup.changes(client, elasticsearch_options(settings, version))
        return judge_changes(name, found, good)
    except NotAllowedError:
        pass  # a worker's user need not be able to compare, only to find them
    except (SetupMissingError, UnavailableError) as error:
        return failed(name, str(error), advice)
    try:
        reply = check_setup(client, settings.prefix)
    except (NotAllowedError, SetupMissingError) as error:
        return failed(name, str(error), advice)
    if reply is not None:
        return failed(name, reply.reason, "try again when Elasticsearch answers")
    return ok(name, "templates are there; this user may not compare them in full")


def _host(settings: Elasticsearch) -> str:
    return urlsplit(settings.url or "").hostname or ""


def _member(reply: Reply, name: str) -> str:
    return str(reply.body.get(name, "")) if reply.status == _OK else ""


def _ahead_s(reply: Reply, now: datetime) -> float | None:
    if reply.status != _OK:
        return None
    times = [node["timestamp"] for node in _nodes(reply) if "timestamp" in node]
    return times[0] / 1000 - now.timestamp() if times else None


def _nodes(reply: Reply) -> list[dict[str, Any]]:
    return list(reply.body.get("nodes", {}).values())
