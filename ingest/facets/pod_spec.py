"""The pod_spec facet: what a workload would run, whichever kind asks for it.

One facet over all workload kinds and all container kinds, because an attacker takes the one that a
rule forgot (init and ephemeral containers, a CronJob's template).
Source: Kubernetes API reference, PodSpec v1 core, and Pod Security Standards for what matters.
"""

from __future__ import annotations

import posixpath
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from ingest.facets.body import items, mapping, text, texts
from ingest.facets.command import decode_command
from ingest.facets.requests import request_facet
from ingest.redact.command import redact_args
from ingest.schema import POD_SPEC_PREFIX as P

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ingest.redact.token import Redactor

_CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")
_HOOKS: Final = ("postStart", "preStop")
_PROBES: Final = ("startupProbe", "livenessProbe", "readinessProbe")
_TEMPLATE: Final = ("spec", "template", "spec")
_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "pods": ("spec",),
    "podtemplates": ("template", "spec"),
    "cronjobs": ("spec", "jobTemplate", "spec", "template", "spec"),
}
"""Where a kind keeps its pod spec; every other one, custom ones included: spec.template.spec."""

_DOCKER: Final = "docker.io"
_DOCKER_LEGACY: Final = "index.docker.io"
_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"

_RECALLED: Final = 1_024
_RECALLED_BYTES: Final = 16_384
"""Pod specs remembered, and the size of the largest: at most some 30 MB, whoever sends them."""

Facet = dict[str, object]


def pod_spec_facet(resource: str, body: Mapping[str, Any], redactor: Redactor) -> Facet:
    """Extract the pod spec columns from a request body or the fragment a patch sets.

    Parameters
        resource: plural resource, such as ``deployments``.
        body: the parsed object or fragment, not yet redacted.

    Returns
        column name -> value, only for what the body says; empty where there is no pod spec.
    """
    if resource == "persistentvolumes":
        return _volume_facet(mapping(body.get("spec")))
    place = _PLACES.get(resource, _TEMPLATE)
    spec: Any = body
    holder: Any = body
    for key in place:
        holder, spec = spec, mapping(spec).get(key)
    replicas = _number(mapping(body.get("spec")).get("replicas"))
    if not isinstance(spec, dict) or not spec:
        return {} if replicas is None else {P + "replicas": replicas}
    facet = dict(_spec_facet(spec, redactor))
    annotations = mapping(mapping(mapping(holder).get("metadata")).get("annotations"))
    if annotations and any(
        k.startswith(_APPARMOR) and v == "unconfined" for k, v in annotations.items()
    ):
        facet[P + "apparmor_unconfined"] = True
    if replicas is not None:
        facet[P + "replicas"] = replicas
    return facet


def _spec_facet(spec: Mapping[str, Any], redactor: Redactor) -> Facet:
    """Extract one pod spec, or recall it: controllers send the same template again and again."""
    try:
        key = orjson.dumps(spec)
    except orjson.JSONEncodeError:  # more than 254 levels, which orjson does read
        return _extract(spec, redactor)
    return _extract(spec, redactor) if len(key) > _RECALLED_BYTES else _recall(key, redactor)


@lru_cache(_RECALLED)
def _recall(spec_json: bytes, redactor: Redactor) -> Facet:
    return _extract(orjson.loads(spec_json), redactor)


def _extract(spec: Mapping[str, Any], redactor: Redactor) -> Facet:
    facet = {
        **_pod_level(spec),
        **_container_level(list(_containers(spec)), redactor),
        **_host_paths(spec),
        P + "secret_refs": _secret_refs(spec),
        **request_facet(spec),
    }
    return {key: value for key, value in facet.items() if value is not None and value != []}


def _containers(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for kind in _CONTAINERS:
        for container in items(spec.get(kind)):
            if isinstance(container, dict):
                yield kind, container


def _pod_level(spec: Mapping[str, Any]) -> Facet:
    return {
        P + "host_pid": _flag(spec.get("hostPID")),
        P + "host_ipc": _flag(spec.get("hostIPC")),
        P + "host_network": _flag(spec.get("hostNetwork")),
        P + "service_account": text(spec.get("serviceAccountName"))
        or text(spec.get("serviceAccount")),
        P + "automount_token": _flag(spec.get("automountServiceAccountToken")),
        P + "node_name": text(spec.get("nodeName")),
        **_security([mapping(spec.get("securityContext"))]),
    }


def _container_level(found: list[tuple[str, Mapping[str, Any]]], redactor: Redactor) -> Facet:
    every = [container for _, container in found]
    contexts = [mapping(container.get("securityContext")) for container in every]
    images = _unique(text(container.get("image")) for container in every)
    commands = [
        redact_args(words, redactor) for container in every for words in _commands(container)
    ]
    names = {
        kind: _unique(text(c.get("name")) for k, c in found if k == kind) for kind in _CONTAINERS
    }
    facet: Facet = {
        P + "containers": _unique(text(container.get("name")) for container in every),
        P + "init_containers": names["initContainers"],
        P + "ephemeral_containers": names["ephemeralContainers"],
        P + "images": images,
        P + "image_registries": sorted({registry(image) for image in images}),
        P + "repositories": ",".join(sorted({repository(image) for image in images})) or None,
        P + "commands": [" ".join(command) for command in commands],
        P + "decoded_commands": [decode_command(command) for command in commands],
        P + "capabilities": _capabilities(contexts),
        P + "env_names": _unique(
            text(mapping(env).get("name")) for c in every for env in items(c.get("env"))
        ),
        P + "host_ports": sorted(
            {
                port
                for c in every
                for p in items(c.get("ports"))
                if (port := _number(mapping(p).get("hostPort"))) is not None
            }
        ),
    }
    for column, value in _security(contexts).items():
        if value is not None:
            facet[column] = value
    return facet


def _security(contexts: list[Mapping[str, Any]]) -> Facet:
    return {
        P + "privileged": _any(context.get("privileged") for context in contexts),
        P + "allow_privilege_escalation": _any(
            context.get("allowPrivilegeEscalation") for context in contexts
        ),
        P + "runs_as_root": True if any(c.get("runAsUser") == 0 for c in contexts) else None,
        P + "seccomp_unconfined": _profile(contexts, "seccompProfile"),
        P + "apparmor_unconfined": _profile(contexts, "appArmorProfile"),
        P + "proc_mount_unmasked": (
            True if any(c.get("procMount") == "Unmasked" for c in contexts) else None
        ),
    }


def _profile(contexts: list[Mapping[str, Any]], name: str) -> bool | None:
    return True if any(mapping(c.get(name)).get("type") == "Unconfined" for c in contexts) else None


def _capabilities(contexts: list[Mapping[str, Any]]) -> list[str]:
    added = (
        capability.upper().removeprefix("CAP_")
        for context in contexts
        for capability in texts(mapping(context.get("capabilities")).get("add"))
    )
    return sorted(set(added))


def _host_paths(spec: Mapping[str, Any]) -> Facet:
    paths: list[tuple[str | None, str]] = []  # a patch may leave out the volume's name
    for volume in map(mapping, items(spec.get("volumes"))):
        path = text(mapping(volume.get("hostPath")).get("path"))
        if path is not None:
            paths.append((text(volume.get("name")), normalize_path(path)))
    read_only: dict[str | None, bool] = {}
    for _, container in _containers(spec) if paths else ():
        for mount in map(mapping, items(container.get("volumeMounts"))):
            name = text(mount.get("name"))
            read_only[name] = read_only.get(name, True) and mount.get("readOnly") is True
    writable = {path for name, path in paths if name is None or not read_only.get(name, False)}
    return {
        P + "host_paths": sorted({path for _, path in paths}),
        P + "host_paths_writable": sorted(writable),
    }


def _volume_facet(spec: Mapping[str, Any]) -> Facet:
    """Extract the path of a volume on the node's disk: a host path for whoever claims it."""
    for kind in ("hostPath", "local"):
        path = text(mapping(spec.get(kind)).get("path"))
        if path is not None:
            return {P + "host_paths": [normalize_path(path)]}
    return {}


def _secret_refs(spec: Mapping[str, Any]) -> list[str]:
    found = [
        text(mapping(mapping(volume).get("secret")).get("secretName"))
        for volume in items(spec.get("volumes"))
    ]
    for _, container in _containers(spec):
        sources = [mapping(s).get("secretRef") for s in items(container.get("envFrom"))]
        values = [mapping(mapping(e).get("valueFrom")) for e in items(container.get("env"))]
        references = [*sources, *(value.get("secretKeyRef") for value in values)]
        found += [text(mapping(reference).get("name")) for reference in references]
    return _unique(found)


def _commands(container: Mapping[str, Any]) -> list[list[str]]:
    """Return what a container runs: command with args, then its hooks and probes."""
    hooks = mapping(container.get("lifecycle"))
    handlers = [hooks.get(name) for name in _HOOKS] + [container.get(name) for name in _PROBES]
    execs = [mapping(mapping(handler).get("exec")) for handler in handlers if handler]
    found = [texts(container.get("command")) + texts(container.get("args"))]
    found += [texts(action.get("command")) for action in execs]
    return [words for words in found if words]


def normalize_path(path: str) -> str:
    """Resolve ``//``, ``/./`` and ``/../`` in an absolute path: ``/etc/../root/`` -> ``/root``."""
    return posixpath.normpath("/" + path.lstrip("/")) if path.startswith("/") else path


def registry(image: str) -> str:
    """Return the registry host of an image reference, docker.io where it names none.

    Source: distribution/reference, ``splitDockerDomain``: the part before the first slash is a
    host if it has a dot, a colon or a capital, or is ``localhost``.
    """
    first, slash, _ = image.partition("/")
    is_host = "." in first or ":" in first or first == "localhost" or first != first.lower()
    if not slash or not is_host or first == _DOCKER_LEGACY:
        return _DOCKER
    return first.lower()


def repository(image: str) -> str:
    """Return an image reference without tag and digest, with its registry: its full name.

    Source: distribution/reference, ``ParseNormalizedNamed``: Docker Hub's own images are in
    ``library``.
    """
    name = image.partition("@")[0]
    path, colon, tag = name.rpartition(":")
    if colon and "/" not in tag:
        name = path
    host = registry(image)
    first, _, rest = name.partition("/")
    if host == _DOCKER:
        inner = rest if first.lower() in (_DOCKER, _DOCKER_LEGACY) else name
        return f"{_DOCKER}/{inner if '/' in inner else f'library/{inner}'}"
    return f"{host}/{rest}"


def _flag(value: object) -> bool | None:
    """Booleans as they are; the words too, since a wrong type is no way around detection."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def _any(values: Iterator[object]) -> bool | None:
    flags = [flag for flag in map(_flag, values) if flag is not None]
    return any(flags) if flags else None


def _number(value: object) -> int | None:
    limit = 2**63
    is_number = isinstance(value, int) and not isinstance(value, bool) and -limit <= value < limit
    return value if is_number else None  # type: ignore[return-value]


def _unique(values: Any) -> list[str]:
    return list(dict.fromkeys(value for value in values if value is not None))
