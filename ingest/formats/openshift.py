"""Annotations of OpenShift's OAuth server become what they say: who logged in, and whether.

Separate from the audit events because only OpenShift's login has them: the caller of such a request
is ``system:anonymous``, who it is stands in an annotation. Records are the API server's own format.

``authentication.openshift.io/decision`` is ``allow``, ``deny`` or ``error`` (an identity provider
that failed), ``.../username`` the name that was shown, also where it was refused: openshift/
oauth-server, pkg/audit/annotation.go and authreq.go; OpenShift's documentation, "Viewing audit
logs". What the requests look like was taken from records of a real cluster in a public test of
another project: a form's ``POST /login[/PROVIDER]``, ``GET /oauth/authorize`` of the command
line's client, which is challenged for a password (401 and ``deny`` where it was wrong), and the
browser's first ``GET /oauth/authorize``, which is ``deny`` without a name and no failed login: it
has shown no credentials and is sent to the form. External providers come back to
``/oauth2callback/PROVIDER`` (pkg/oauthserver/auth.go).
"""

from __future__ import annotations

from typing import Final, NamedTuple

DECISION: Final = "authentication.openshift.io/decision"
USERNAME: Final = "authentication.openshift.io/username"
SERVICE: Final = "oauth-server"

FORM: Final = "/login"
CALLBACK: Final = "/oauth2callback/"
CHALLENGED: Final = "client_id=openshift-challenging-client"
"""Part of the URI of the command line's client (pkg/oauthserver/auth.go)."""

ANONYMOUS: Final = "system:anonymous"
_DECISIONS: Final = frozenset({"allow", "deny", "error"})
_ALLOW: Final = "allow"


class Login(NamedTuple):
    """What annotations say of a login; all None where they are of something else."""

    service: str | None = None
    method: str | None = None
    reason: str | None = None
    user_name: str | None = None


NO_LOGIN: Final = Login()


def login_of(annotations: dict[str, str]) -> Login:
    """Return what annotations say; ``reason`` is the decision where it is not to allow."""
    decision = annotations.get(DECISION)
    if decision not in _DECISIONS:
        return NO_LOGIN
    reason = None if decision == _ALLOW else decision
    return Login(SERVICE, "oauth", reason, annotations.get(USERNAME) or None)
