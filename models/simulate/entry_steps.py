"""An intruder in, the same intruder with somebody's identity out.

Separate from what is done with it: how attackers come to an identity, and change it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from models.simulate.chance import name_suffix, new_uuid
from models.simulate.control_plane import controller
from models.simulate.identities import (
    account_caller,
    acting_as,
    anonymous_caller,
    elsewhere,
    unknown_caller,
)
from models.simulate.people import former, people
from models.simulate.pipelines import jenkins
from models.simulate.record import Request
from models.simulate.timeline import SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.simulate.intruder import Intruder
    from models.simulate.people import Person

_POWERFUL: Final = (
    ("kube-system", "clusterrole-aggregation-controller"),
    ("kube-system", "namespace-controller"),
    ("argocd", "argocd-application-controller"),
    ("velero", "velero"),
    ("kube-system", "generic-garbage-collector"),
)


def steal_pod_token(intruder: Intruder) -> Iterator[int]:
    """Use the token of a pod that calls the API, from outside the cluster."""
    yield from take_over_pod(intruder)
    intruder.move()


def take_over_pod(intruder: Intruder) -> Iterator[int]:
    """Act from within a pod, with its token, its address and its agent."""
    while (found := intruder.pod(calls=True)) is None or found[1].caller is None:
        yield intruder.cluster.now_us + SECOND
    intruder.caller = found[1].caller


def take_over_agent(intruder: Intruder) -> Iterator[int]:
    """Act from within a pod of the platform: rarely watched, with many rights."""
    intruder.namespace = intruder.chance.choice(
        ("monitoring", "argocd", "keda", "external-secrets")
    )
    yield from take_over_pod(intruder)


def use_dormant_account(intruder: Intruder) -> Iterator[int]:
    """Wake the account of somebody who has left."""
    person = former(intruder.chance.randint(0, 3))
    yield from _take(intruder, person)
    intruder.move()


def steal_certificate(intruder: Intruder) -> Iterator[int]:
    """Use the certificate of somebody who works, from elsewhere."""
    yield from _take(intruder, _person(intruder, "developers"))
    intruder.move()


def steal_admin_certificate(intruder: Intruder) -> Iterator[int]:
    """Use the certificate of an administrator, from elsewhere."""
    yield from _take(intruder, _person(intruder, "platform-admins"))
    intruder.move()


def turn_insider(intruder: Intruder) -> Iterator[int]:
    """Be an administrator, at the usual address with the usual tools."""
    yield from _take(intruder, _person(intruder, "platform-admins"))


def turn_developer(intruder: Intruder) -> Iterator[int]:
    """Be a developer, at the usual address with the usual tools."""
    yield from _take(intruder, _person(intruder, "developers"))


def take_over_pipeline(intruder: Intruder) -> Iterator[int]:
    """Act as the pipeline that deploys, through its own proxy."""
    yield intruder.later()
    intruder.caller = jenkins("Helm/3.18.4")


def take_over_node(intruder: Intruder) -> Iterator[int]:
    """Use a kubelet's certificate, from its node."""
    yield intruder.later()
    node = intruder.chance.choice(intruder.cluster.nodes)
    intruder.caller = elsewhere(node.caller, [node.address], "curl/8.5.0")


def steal_controller_token(intruder: Intruder) -> Iterator[int]:
    """Use a controller's token, from elsewhere."""
    yield intruder.later()
    intruder.caller = controller(intruder.cluster, "generic-garbage-collector")
    intruder.move()


def come_without_credentials(intruder: Intruder) -> Iterator[int]:
    """Be anonymous, from outside."""
    yield intruder.later()
    intruder.caller = anonymous_caller([intruder.address()], intruder.agent())


def _person(intruder: Intruder, group: str) -> Person:
    wanted = [one for one in people() if group in one.team.groups]
    return intruder.chance.choice(wanted)


def _take(intruder: Intruder, person: Person) -> Iterator[int]:
    yield intruder.later()
    seed = intruder.cluster.settings.seed
    intruder.caller = person.caller(seed, intruder.cluster.now_us)
    if intruder.namespace not in person.team.namespaces:
        intruder.namespace = person.team.namespaces[0]


def move_address(intruder: Intruder) -> Iterator[int]:
    """Go on with the same credential from a new address."""
    yield intruder.later(4)
    intruder.move()


def mint_token(intruder: Intruder) -> Iterator[int]:
    """Ask for a powerful service account's token, and use it from elsewhere."""
    chance = intruder.chance
    namespace, name = chance.choice(_POWERFUL)
    account = intruder.cluster.account(namespace, name)
    credential = new_uuid(chance)
    note = b'"authentication.kubernetes.io/issued-credential-id":"JTI=%b",' % credential
    intruder.ask(Request("create", "serviceaccounts/token", namespace, name, notes=note))
    yield intruder.later(3)
    intruder.caller = account_caller(account, credential, [intruder.address()], intruder.agent())


def make_token_secret(intruder: Intruder) -> Iterator[int]:
    """Leave a token that does not expire: a secret of the old kind."""
    name = intruder.mark("default-token")
    intruder.ask(Request("create", "secrets", intruder.namespace, name))
    yield intruder.later()
    intruder.ask(Request("get", "secrets", intruder.namespace, name))
    yield intruder.later()


def impersonate(intruder: Intruder) -> Iterator[int]:
    """Borrow a more powerful identity by headers."""
    own = intruder.caller
    intruder.caller = acting_as(own, "system:admin", ["system:masters"])
    for resource in ("secrets", "nodes", "clusterrolebindings"):
        intruder.ask(Request("list", resource, query="?limit=50"))
        yield intruder.later()
    intruder.caller = own


def guess_tokens(intruder: Intruder) -> Iterator[int]:
    """Try tokens until one fits."""
    stranger = unknown_caller([intruder.address()], intruder.agent())
    own, intruder.caller = intruder.caller, stranger
    for _ in range(intruder.chance.randint(25, 60)):
        intruder.ask(Request("list", "namespaces", query="?limit=5", code=401))
        yield intruder.cluster.now_us + int(intruder.chance.uniform(0.2, 3) * SECOND)
    intruder.caller = own


def approve_certificate(intruder: Intruder) -> Iterator[int]:
    """Request a client certificate and approve it oneself."""
    plural = "certificatesigningrequests"
    name = intruder.mark("csr")
    body = orjson.dumps(
        {
            "kind": "CertificateSigningRequest",
            "apiVersion": "certificates.k8s.io/v1",
            "metadata": {"name": name},
            "spec": {
                "request": "LS0tLS1CRUdJTiBDRVJU" + name_suffix(intruder.chance, 40),
                "signerName": "kubernetes.io/kube-apiserver-client",
                "expirationSeconds": 31_536_000,
                "usages": ["client auth"],
                "username": intruder.caller.name,
            },
        }
    )
    intruder.ask(Request("create", plural, None, name, asked=body, answered=body))
    yield intruder.later()
    intruder.ask(Request("update", f"{plural}/approval", None, name, asked=body, answered=body))
    yield intruder.later()
    intruder.ask(Request("get", plural, None, name))
    yield intruder.later()
