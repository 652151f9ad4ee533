"""The exec facet: what was to be run in a container, read from the request URI.

Separate from the pod_spec facet because exec and attach have no body: container, terminal and the
repeated ``command=`` parameters are only in the URI (Kubernetes API reference, PodExecOptions; for
the kubelet's own endpoints behind a node proxy: pkg/kubelet/server, ``/run`` and ``/exec``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus, unquote, unquote_plus

from ingest.facets.command import decode_command
from ingest.facets.package import package_facet
from ingest.redact.command import redact_args
from ingest.redact.facets import MARK

if TYPE_CHECKING:
    from ingest.redact.token import Redactor

_FALSE: Final = frozenset({"false", "0"})
"""Everything else is true, nothing included (apimachinery, ``Convert_Slice_string_To_bool``)."""

_KUBELET_CALLS: Final = frozenset({"run", "exec", "attach"})
_KUBELET_PATH: Final = (4, 5)
"""Segments of the kubelet's ``/exec/<namespace>/<pod>[/<uid>]/<container>``."""

Facet = dict[str, object]


def exec_facet(request_uri: str, redactor: Redactor) -> Facet:
    """Extract the process columns from a request URI.

    Returns
        column name -> value; empty where the URI asks for nothing of the kind.
    """
    query = query_of(request_uri)
    path = request_uri.partition("?")[0]
    facet: Facet = {
        "container.name": next(iter(query.get("container", ())), None) or _kubelet_container(path),
        "trailwarden.exec.tty": _flag(query, "tty"),
        "trailwarden.exec.stdin": _flag(query, "stdin", "input"),
    }
    args = [arg for name in _argument_names(path) for arg in query.get(name, ())]
    if args:
        redacted = _redacted(args, redactor)
        facet["process.args"] = redacted
        facet["process.command_line"] = " ".join(redacted)
        facet["trailwarden.exec.decoded"] = decode_command(redacted)
        facet.update(package_facet(_words(redacted)))
    return {column: value for column, value in facet.items() if value is not None}


def query_of(request_uri: str) -> dict[str, list[str]]:
    """Return the decoded query parameters, as the API server reads them (Go, net/url).

    The query begins at the first ``?`` and ends with the URI: ``#`` has no meaning in a request,
    and names may be encoded, too. Linear, whatever the number of parameters.
    """
    found: dict[str, list[str]] = {}
    for part in request_uri.partition("?")[2].split("&"):
        name, _, value = part.partition("=")
        found.setdefault(unquote_plus(name), []).append(unquote_plus(value))
    return found


def with_args(request_uri: str, args: list[str]) -> str:
    """Return the URI with the words of its command that hold a token instead of what they lost.

    Parameters
        args: redacted, in the order of `exec_facet`.
    """
    path, mark, query = request_uri.partition("?")
    parts = query.split("&")
    names = [unquote_plus(part.partition("=")[0]) for part in parts]
    places = [
        at for name in _argument_names(path) for at, found in enumerate(names) if found == name
    ]
    for at, arg in zip(places, args, strict=False):
        if MARK in arg:
            parts[at] = f"{names[at]}={quote_plus(arg, safe='[]:')}"
    return f"{path}{mark}{'&'.join(parts)}"


def _argument_names(path: str) -> tuple[str, str]:
    """Return the parameters that a command may be in, the one that counts first."""
    return ("cmd", "command") if _kubelet_call(path)[:1] == ["run"] else ("command", "cmd")


def _kubelet_call(path: str) -> list[str]:
    """Return the segments behind a node's ``/proxy/``, such as ``run``, namespace, pod."""
    _, proxy, call = unquote(path).partition("/proxy/")
    segments = call.strip("/").split("/")
    return segments if proxy and segments[0] in _KUBELET_CALLS else []


def _kubelet_container(path: str) -> str | None:
    segments = _kubelet_call(path)
    return segments[-1] if len(segments) in _KUBELET_PATH else None


def _redacted(args: list[str], redactor: Redactor) -> list[str]:
    """Redact the words; a whole command line in one word is taken apart for it."""
    if len(args) > 1:
        return redact_args(args, redactor)
    words = args[0].split()
    redacted = redact_args(words, redactor)
    return args if redacted == words else [" ".join(redacted)]


def _words(args: list[str]) -> list[str]:
    """Take a command apart that came as one text: GKE logs it so, what a shell runs unquoted."""
    if len(args) != 1:
        return args
    program, flag, script = args[0].partition(" -c ")
    return [*program.split(), "-c", script] if flag else args[0].split()


def _flag(query: dict[str, list[str]], *names: str) -> bool | None:
    values = [value for name in names for value in query.get(name, ())]
    return None if not values else values[0].lower() not in _FALSE
