"""Verb, subresource and answer become what was done and how it ended.

Separate because the same act must have the same name on every provider: an exec by GET (websocket)
and by POST (SPDY) are one act, and a PUT or apply that created the object is a create.
Source: Kubernetes documentation, "Auditing" and "API concepts"; kubernetes/kubectl issue 1761.
"""

from __future__ import annotations

from typing import Final

import polars as pl

_STREAMS: Final = ("exec", "attach", "portforward", "proxy", "log")
_HOSTS: Final = ("pods", "nodes", "services")
_CREATED: Final = 201
_FIRST_FAILURE: Final = 400

_VERB: Final = pl.col("kubernetes.audit.verb")
_RESOURCE: Final = pl.col("orchestrator.resource.type")
_SUBRESOURCE: Final = pl.col("kubernetes.audit.objectRef.subresource")
_CODE: Final = pl.col("http.response.status_code")
_STATUS: Final = pl.col("kubernetes.audit.responseStatus.status")
_WRITES: Final = _VERB.is_in(["update", "patch"])

ACTION: Final = (
    pl.when(_SUBRESOURCE.is_in(_STREAMS) & _RESOURCE.is_in(_HOSTS))
    .then(_SUBRESOURCE)
    .when((_SUBRESOURCE == "token") & (_RESOURCE == "serviceaccounts") & (_VERB == "create"))
    .then(pl.lit("token-request"))
    .when(((_SUBRESOURCE == "binding") | (_RESOURCE == "bindings")) & (_VERB == "create"))
    .then(pl.lit("bind-pod"))
    .when((_SUBRESOURCE == "eviction") & (_VERB == "create"))
    .then(pl.lit("evict"))
    .when((_SUBRESOURCE == "approval") & _WRITES)
    .then(pl.lit("approve"))
    .when((_SUBRESOURCE == "scale") & _WRITES)
    .then(pl.lit("scale"))
    .when((_CODE == _CREATED) & _WRITES)
    .then(pl.lit("create"))
    .otherwise(_VERB)
    .alias("event.action")
)
"""The canonical action: ``exec``, ``attach``, ``portforward``, ``proxy`` and ``log`` whatever the
verb; ``create`` where an update or patch made the object (201); else the verb."""

OUTCOME: Final = (
    pl.when(
        (pl.col("trailwarden.authorization.decision") == "forbid")
        | (pl.col("kubernetes.audit.stage") == "Panic")
        | (_CODE >= _FIRST_FAILURE)
        | (_STATUS == "Failure")
    )
    .then(pl.lit("failure"))
    .when(_CODE.is_null())
    .then(pl.lit("unknown"))
    .otherwise(pl.lit("success"))
    .alias("event.outcome")
)
"""``success``, ``failure`` or ``unknown``. A denial is a failure whatever the code. 101 is a
success of the API server: it let the stream through; that the kubelet then ran the command is not
in the record."""
