"""Password files in, Elasticsearch's roles and users with the least rights out.

Runs once at each start as the superuser `elastic`, whose password nothing else here is given.
Everything is set to what this file says: a new password file takes effect at the next run.
Privileges: https://www.elastic.co/docs/reference/elasticsearch/security-privileges
"""

from __future__ import annotations

import base64
import json
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

SECRETS = Path("/run/secrets")
URL = "https://elasticsearch:9200"
TIMEOUT_S = 30.0
INDICES = ["trailwarden-*"]

KIBANA = "kibana-.kibana"

ROLES: dict[str, dict[str, Any]] = {
    # Creates documents, makes an index of a new day from the template, deletes days past retention.
    # `index` is for the one update of an episode's document when it closes.
    "trailwarden-worker": {
        "cluster": ["monitor"],
        "indices": [
            {
                "names": INDICES,
                "privileges": [
                    "auto_configure",
                    "create_doc",
                    "index",
                    "view_index_metadata",
                    "monitor",
                    "delete_index",
                ],
            }
        ],
    },
    # Templates, aliases and the out-of-range indices; reads no document.
    "trailwarden-setup": {
        "cluster": ["monitor", "manage_index_templates"],
        "indices": [{"names": INDICES, "privileges": ["manage"]}],
    },
    # People: read everything, write verdicts on findings.
    "trailwarden-analyst": {
        "cluster": ["monitor"],
        "indices": [
            {"names": INDICES, "privileges": ["read", "view_index_metadata"]},
            {"names": ["trailwarden-findings-*"], "privileges": ["index"]},
        ],
        "applications": [
            {"application": KIBANA, "privileges": ["read"], "resources": ["space:default"]}
        ],
    },
}
"""Role: rights. Each role has one user, of the same name."""


class RefusedError(Exception):
    """Elasticsearch did not do what was asked."""


class Superuser:
    """The security API, as `elastic`."""

    def __init__(self, url: str, password: str, authority: Path) -> None:
        """Take the address and what proves both sides."""
        self._url = url
        self._tls = ssl.create_default_context(cafile=authority)
        self._proof = base64.b64encode(f"elastic:{password}".encode()).decode()

    def put(self, path: str, body: dict[str, Any]) -> None:
        """Send one change.

        Raises
            URLError: not reached.
            RefusedError: answered, but not done; never holds what was sent.
        """
        request = urllib.request.Request(  # noqa: S310 - URL is ours, https
            f"{self._url}/_security/{path}",
            data=json.dumps(body).encode(),
            method="PUT",
            headers={"Content-Type": "application/json", "Authorization": f"Basic {self._proof}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=self._tls):  # noqa: S310
                pass
        except urllib.error.HTTPError as error:
            with error:
                raise RefusedError(f"{path}: {error.code} {error.reason}") from error


def secret(name: str) -> str:
    """Return the text of one file of secrets."""
    return (SECRETS / name).read_text()


def main() -> None:
    """Set everything; the exit code says whether it worked."""
    superuser = Superuser(URL, secret("elastic_password"), SECRETS / "ca.crt")
    try:
        superuser.put(
            "user/kibana_system/_password", {"password": secret("kibana_system_password")}
        )
        for name, rights in ROLES.items():
            superuser.put(f"role/{name}", rights)
            password = secret(f"elasticsearch_{name.removeprefix('trailwarden-')}_password")
            superuser.put(f"user/{name}", {"password": password, "roles": [name]})
    except (urllib.error.URLError, RefusedError) as error:
        sys.exit(f"elasticsearch access: {error}")
    print(f"elasticsearch access: {', '.join(ROLES)}, kibana_system")


if __name__ == "__main__":
    main()
