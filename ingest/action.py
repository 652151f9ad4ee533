"""Verb, subresource and answer become what was done and how it ended.

Separate because the same act must have the same name on every provider: an exec by GET (websocket)
and by POST (SPDY) are one act, and a PUT or apply that created the object is a create.
Source: Kubernetes documentation, "Auditing" and "API concepts"; kubernetes/kubectl issue 1761.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from ingest.formats.openshift import ANONYMOUS, CALLBACK, CHALLENGED, FORM, SERVICE
from ingest.formats.seen import Action

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
    .when(_CODE.is_null() & _STATUS.ne_missing("Success"))
    .then(pl.lit("unknown"))
    .otherwise(pl.lit("success"))
    .alias("event.outcome")
)
"""``success``, ``failure`` or ``unknown``. A denial is a failure whatever the code. 101 is a
success of the API server: it let the stream through; that the kubelet then ran the command is not
in the record."""

_URI: Final = pl.col("kubernetes.audit.requestURI")
_USER: Final = pl.col("user.name")
_SERVICE: Final = pl.col("trailwarden.session.service")
_METHOD: Final = pl.col("trailwarden.session.method")
_REASON: Final = pl.col("trailwarden.session.reason")

# OpenShift: see ingest/formats/openshift.py. A name that was shown and refused is a failed login
# whatever the request; one that was accepted by a cookie or a token authenticates a request.
_OAUTH: Final = _SERVICE == SERVICE
_IS_NAMED: Final = _USER.is_not_null() & (_USER != ANONYMOUS)
_ON_FORM: Final = (
    (_URI == FORM) | _URI.str.starts_with(FORM + "/") | _URI.str.starts_with(FORM + "?")
)
_BY_SHOWING: Final = _REASON.is_not_null() | _URI.str.contains(CHALLENGED, literal=True)
_LOGIN: Final = _OAUTH & (_ON_FORM | _URI.str.starts_with(CALLBACK) | (_IS_NAMED & _BY_SHOWING))
_AUTHENTICATED: Final = _OAUTH & _IS_NAMED
_IS_SESSION: Final = _LOGIN | _AUTHENTICATED

_LOGINS: Final = (
    pl.when(_LOGIN)
    .then(pl.lit(Action.LOGIN.value))
    .when(_AUTHENTICATED)
    .then(pl.lit(Action.AUTHENTICATE.value))
    .otherwise(ACTION)
    .alias("event.action"),
    pl.when(_IS_SESSION & _REASON.is_not_null())
    .then(pl.lit("failure"))
    .otherwise(OUTCOME)
    .alias("event.outcome"),
    pl.when(_IS_SESSION & _ON_FORM)
    .then(pl.lit("password"))
    .when(_IS_SESSION)
    .then(_METHOD)
    .alias("trailwarden.session.method"),
    pl.when(_IS_SESSION).then(_SERVICE).alias("trailwarden.session.service"),
    pl.when(_IS_SESSION).then(_REASON).alias("trailwarden.session.reason"),
)
"""The same where OpenShift's OAuth server logs: ``login``, also where the browser is only sent back
(302), ``authenticate`` where a session was accepted, and nothing of a session where a browser has
shown no credentials yet."""


def derived(events: pl.DataFrame) -> tuple[pl.Expr, ...]:
    """Return the expressions of the columns to be worked out, of texts as they were received.

    A batch without OpenShift's logins, nearly every one, is spared four looks at each URI.
    """
    service = events["trailwarden.session.service"]
    return (ACTION, OUTCOME) if service.null_count() == len(service) else _LOGINS
