"""Small facets of other objects: labels, owners, services, admission webhooks, certificates.

Separate from the large facets because each is a few fields that some rules need.
Sources: Kubernetes API reference for Service, ValidatingWebhookConfiguration,
CustomResourceDefinition, APIService and CertificateSigningRequest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ingest.facets.body import items, mapping, text, texts
from ingest.facets.workload import owner

Facet = dict[str, object]
Body = Mapping[str, Any]


def object_facet(body: Body) -> Facet:
    """Extract labels, annotation keys, owner and type of any object."""
    metadata = mapping(body.get("metadata"))
    labels = mapping(metadata.get("labels"))
    annotations = mapping(metadata.get("annotations"))
    spec = mapping(body.get("spec"))
    name, uid = owner(body)
    return {
        "trailwarden.object.labels": _label_texts(labels) if labels else None,
        "trailwarden.object.annotation_keys": sorted(annotations) if annotations else None,
        "trailwarden.object.owner": name,
        "trailwarden.object.owner_uid": uid,
        "trailwarden.object.type": text(body.get("type")) or text(spec.get("type")),
    }


def _label_texts(labels: Body) -> list[str]:
    return sorted(
        [f"{key}={value if isinstance(value, str) else ''}" for key, value in labels.items()]
    )


def service_facet(body: Body) -> Facet:
    """Extract how a Service is reachable from outside."""
    spec = mapping(body.get("spec"))
    ports = [mapping(port).get("nodePort") for port in items(spec.get("ports"))]
    return {
        "trailwarden.service.external_ips": texts(spec.get("externalIPs")),
        "trailwarden.service.node_ports": [port for port in ports if _is_port(port)],
    }


def webhook_facet(body: Body) -> Facet:
    """Extract where admission and conversion webhooks send objects, and how they fail."""
    hooks = [mapping(hook) for hook in items(body.get("webhooks"))]
    conversion = mapping(mapping(mapping(body.get("spec")).get("conversion")).get("webhook"))
    configs = [mapping(hook.get("clientConfig")) for hook in (*hooks, conversion)]
    return {
        "trailwarden.webhook.urls": [url for c in configs if (url := text(c.get("url")))],
        "trailwarden.webhook.failure_policies": sorted(
            {policy for hook in hooks if (policy := text(hook.get("failurePolicy")))}
        ),
    }


def certificate_facet(body: Body) -> Facet:
    """Extract signer, requester and conditions of a certificate signing request."""
    spec, status = mapping(body.get("spec")), mapping(body.get("status"))
    conditions = [text(mapping(c).get("type")) for c in items(status.get("conditions"))]
    return {
        "trailwarden.object.type": text(spec.get("signerName")),
        "trailwarden.certificate.signer": text(spec.get("signerName")),
        "trailwarden.certificate.requester": text(spec.get("username")),
        "trailwarden.certificate.conditions": [c for c in conditions if c],
    }


BY_RESOURCE: Final[Mapping[str, Callable[[Body], Facet]]] = {
    "services": service_facet,
    "validatingwebhookconfigurations": webhook_facet,
    "mutatingwebhookconfigurations": webhook_facet,
    "customresourcedefinitions": webhook_facet,
    "certificatesigningrequests": certificate_facet,
}


def _is_port(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**16
