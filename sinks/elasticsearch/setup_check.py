"""A server in, nothing out if our templates are there; else the worker is stopped, or waits.

Separate from setting up: a worker needs no right to change anything. Without this check a bulk
request would create the index of a day with whatever mapping its first document suggests, since
Elasticsearch creates indices by itself (``action.auto_create_index``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ingest.schema import SCHEMA_VERSION
from sinks.elasticsearch.answers import Answer, request_answer
from sinks.elasticsearch.index_name import KINDS
from sinks.elasticsearch.templates import SCHEMA
from sinks.elasticsearch.transport import NotAllowedError, Reply, SetupMissingError, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sinks.elasticsearch.connection import Client

_NOT_FOUND: Final = 404
_TEMPLATES: Final = "index_templates"
_REMEDY: Final = "run `trailwarden setup`"


def checker(client: Client, prefix: str) -> Callable[[], Reply | None]:
    """Return what `BulkWriter` calls before the first document goes to an index new to it."""
    return lambda: check_setup(client, prefix)


def check_setup(client: Client, prefix: str) -> Reply | None:
    """See to it that both index templates are there, of our schema version or a later one.

    Returns
        None if all is well; a reply that says "not now" where the server cannot tell.

    Raises
        SetupMissingError: a template is missing or older than this program; says which.
        NotAllowedError: we may not look (cluster privilege ``monitor``) or not come in.
    """
    reply = ask(client, "GET", f"/_index_template/{prefix}-*")
    answer = request_answer(reply.status, reply.error_type)
    if answer is Answer.NOT_NOW:
        return reply
    if answer is Answer.NOT_ALLOWED:
        raise NotAllowedError(f"Elasticsearch does not let us look for templates: {reply.reason}")
    if answer is not Answer.DONE and not _is_empty(reply):
        raise SetupMissingError(f"this is no Elasticsearch that we know: {reply.reason}")
    held = _schemas(reply.body)
    for kind in KINDS:
        _require(f"{prefix}-{kind}", held)
    return None


def _is_empty(reply: Reply) -> bool:
    """Whether it is Elasticsearch's way to say that no template has such a name."""
    return reply.status == _NOT_FOUND and _TEMPLATES in (reply.body or ())


def _schemas(body: Any) -> dict[str, Any]:
    """Return index template -> the schema version it was made for."""
    entries = body.get(_TEMPLATES, ()) if isinstance(body, dict) else ()
    return {
        entry["name"]: (entry["index_template"].get("_meta") or {}).get(SCHEMA) for entry in entries
    }


def _require(name: str, held: Mapping[str, Any]) -> None:
    if name not in held:
        raise SetupMissingError(f"index template {name} is missing in Elasticsearch: {_REMEDY}")
    version = held[name]
    if not isinstance(version, int) or version < SCHEMA_VERSION:
        raise SetupMissingError(
            f"index template {name} is for schema version {version}, this program writes "
            f"{SCHEMA_VERSION}: {_REMEDY}"
        )
