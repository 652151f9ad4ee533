"""Which privilege a request to Elasticsearch needs, as its security plugin asks for it.

A request goes in, the action and the privileges that grant it come out. Only the requests that
Trailwarden makes are listed; anything else needs ``all``. Source: the security privileges page of
Elasticsearch 9 and the actions' own names.
"""

from __future__ import annotations

from dataclasses import dataclass

CLUSTER = "cluster"
INDEX = "index"


@dataclass(frozen=True, slots=True)
class Demand:
    """What one request needs: an account with any of ``privileges`` may do ``action``."""

    action: str
    scope: str
    privileges: tuple[str, ...]


_WRITE = ("create_doc", "create", "index", "write", "all")
_TEMPLATE = Demand(
    "indices:admin/index_template", CLUSTER, ("manage_index_templates", "manage", "all")
)
_READ_TEMPLATE = Demand(
    "indices:admin/index_template/get",
    CLUSTER,
    ("monitor", "manage_index_templates", "manage", "all"),
)
_BULK = Demand("indices:data/write/bulk", INDEX, (*_WRITE, "delete"))
_CREATE = Demand("indices:data/write/index:op_type/create", INDEX, _WRITE)
_UPDATE = Demand("indices:data/write/update", INDEX, ("index", "write", "all"))
_OVERWRITE = Demand("indices:data/write/index", INDEX, ("index", "write", "all"))
_DELETE_DOCUMENT = Demand("indices:data/write/delete", INDEX, ("delete", "write", "all"))
_READ = Demand("indices:data/read", INDEX, ("read", "all"))
_VIEW = Demand("indices:admin/get", INDEX, ("view_index_metadata", "manage", "all"))
_CREATE_INDEX = Demand("indices:admin/create", INDEX, ("create_index", "manage", "all"))
AUTO_CREATE = Demand(
    "indices:admin/auto_create", INDEX, ("auto_configure", "create_index", "manage", "all")
)
_DELETE_INDEX = Demand("indices:admin/delete", INDEX, ("delete_index", "manage", "all"))
_MANAGE = Demand("indices:admin/manage", INDEX, ("manage", "all"))
_REFRESH = Demand("indices:admin/refresh", INDEX, ("maintenance", "manage", "all"))
_MONITOR = Demand("cluster:monitor/main", CLUSTER, ("monitor", "manage", "all"))
_REST = Demand("cluster:admin/other", CLUSTER, ("all",))

_BY_ENDPOINT = {
    "_bulk": _BULK,
    "_create": _CREATE,
    "_update": _UPDATE,
    "_search": _READ,
    "_count": _READ,
    "_msearch": _READ,
    "_mget": _READ,
    "_pit": _READ,
    "_field_caps": _READ,
    "_index_template": _TEMPLATE,
    "_component_template": _TEMPLATE,
    "_refresh": _REFRESH,
    "_cluster": _MONITOR,
    "_nodes": _MONITOR,
    "_cat": _MONITOR,
    "_aliases": _MANAGE,
}
BULK_OPERATIONS = {
    "create": _CREATE,
    "index": _OVERWRITE,
    "update": _UPDATE,
    "delete": _DELETE_DOCUMENT,
}


def demand(method: str, path: str) -> Demand:
    """Return what ``method path`` (without the query) needs."""
    parts = [part for part in path.split("/") if part]
    endpoint = next((part for part in parts if part.startswith("_")), None)
    if not parts:
        return _MONITOR
    if endpoint == "_doc":
        return _document(method)
    if endpoint in {"_index_template", "_component_template"} and method in {"GET", "HEAD"}:
        return _READ_TEMPLATE
    if endpoint is None or endpoint in {"_mapping", "_settings", "_alias", "_resolve"}:
        return _index(method, bare=endpoint is None)
    return _BY_ENDPOINT.get(endpoint, _REST)


def _document(method: str) -> Demand:
    if method in {"GET", "HEAD"}:
        return _READ
    return _DELETE_DOCUMENT if method == "DELETE" else _OVERWRITE


def _index(method: str, *, bare: bool) -> Demand:
    if method in {"GET", "HEAD"}:
        return _VIEW
    if bare and method == "DELETE":
        return _DELETE_INDEX
    return _CREATE_INDEX if bare and method == "PUT" else _MANAGE
