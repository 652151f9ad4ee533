"""Lines of aws-iam-authenticator become events: which AWS identity became which Kubernetes user.

Separate because only here a failed login to EKS is seen at all: the API server logs a 401 without a
name, this says whose ARN was shown. ``trailwarden.identity.arn`` is the canonical one, of the role
(ingest/formats/arn.py), as in the API server's events of EKS, so that both join on the column.

Lines are logfmt (EKS' log stream ``authenticator-*``; S3 exports put a time before it):

* ``access granted`` with arn (canonical), username, uid, groups;
* ``access denied`` and ``access denied because ARN is not mapped`` with error, and arn where AWS
  had confirmed one;
* ``STS response``, written before either, alone has accesskeyid and the session's ARN: what AWS
  said, not yet whether that is enough, hence of unknown outcome.

Sources: kubernetes-sigs/aws-iam-authenticator, pkg/server/server.go, at its first and at a recent
commit; the lines of EKS in aws-observability and Sumo Logic's documentation. ``client`` is the API
server's own address, as the authenticator sees it.
"""

from __future__ import annotations

from typing import Final

import orjson

from ingest.address import canonical_address
from ingest.formats.arn import canonical_arn
from ingest.formats.clock import from_text
from ingest.formats.logfmt import pairs
from ingest.formats.seen import Action, Around, Dataset, Fields, NotWantedError, Seen

_TW: Final = "trailwarden."
_HEAD: Final = 100
_OUTCOMES: Final = {
    "access granted": "success",
    "access denied": "failure",
    "access denied because ARN is not mapped": "failure",
    "STS response": "unknown",
}
_REST: Final = ("accountid", "userid", "session", "sts", "stsendpoint")
_PORTS: Final = 2**16
_PORT_DIGITS: Final = 5
_ADDRESS_LENGTH: Final = 64
_ARN_LENGTH: Final = 2_048
"""AWS's own limit (IAM's API, ``arnType``); what is longer is told as it stands."""


def recognizes_text(line: str) -> bool:
    """Whether it is a line that logrus wrote, at its start or after the time of an S3 export."""
    head = line[:_HEAD]
    start = head.find('time="')
    is_exported = start > 0 and head[start - 1] == " " and head[:start].count(" ") == 1
    return (start == 0 or is_exported) and " level=" in head and " msg=" in head


def decode_text(text: str, around: Around) -> list[Seen]:
    """Return the event of one line; raises ``NotThisFormatError`` for what logs no decision."""
    del around
    found = pairs(text)
    said = found.get("msg", "")
    outcome = _OUTCOMES.get(said)
    if outcome is None:
        raise NotWantedError(f"a line of logfmt that no login is in: {said:.60}")
    address, port = _client(found.get("client", ""))
    shown = found.get("arn", "")
    arn = canonical_arn(shown) if len(shown) <= _ARN_LENGTH else shown
    fields: Fields = {
        "event.dataset": Dataset.EKS_AUTHENTICATOR,
        "event.provider": "aws-iam-authenticator",
        "event.action": Action.AUTHENTICATE,
        "event.outcome": outcome,
        "event.code": said,
        "@timestamp": from_text(found.get("time")),
        "user.name": found.get("username") or None,
        "user.id": found.get("uid") or None,
        "kubernetes.audit.user.groups": _groups(found.get("groups", "")),
        _TW + "identity.arn": arn or None,
        _TW + "identity.access_key_id": found.get("accesskeyid") or None,
        "source.ip": address,
        "source.port": port,
        _TW + "session.method": "aws-iam",
        _TW + "session.reason": found.get("error") or (said if outcome == "failure" else None),
        _TW + "tool.fields": _rest(found, "" if arn == shown else shown),
    }
    return [Seen(fields)]


def _groups(text: str) -> list[str] | None:
    """``[system:bootstrappers system:nodes]``, as Go prints a slice."""
    return text.removeprefix("[").removesuffix("]").split() or None


def _client(text: str) -> tuple[str | None, int | None]:
    """``127.0.0.1:58464`` or ``[::1]:58464``."""
    address, _, port = text.rpartition(":")
    is_port = port.isascii() and port.isdigit() and len(port) <= _PORT_DIGITS
    number = int(port) if is_port and int(port) < _PORTS else None
    return canonical_address(address) if len(address) <= _ADDRESS_LENGTH else None, number


def _rest(found: dict[str, str], arn: str) -> str | None:
    rest = {name: found[name] for name in _REST if found.get(name)}
    if arn:
        rest["arn"] = arn
    return orjson.dumps(rest).decode() if rest else None
