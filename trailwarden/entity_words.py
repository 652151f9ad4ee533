"""Relations of the entity memory become words for people: of a thing itself, and of what names it.

Separate from printing because it is a vocabulary: each relation has its words, and a test asks so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from detectors.entities.relation import JOINT, NOTHING, Relation

if TYPE_CHECKING:
    from collections.abc import Mapping

WORDS: Final[Mapping[Relation, tuple[str, str]]] = {
    Relation.POD_UID: ("uid", "uid of pod"),
    Relation.POD_ADDRESS: ("addresses", "address of pod"),
    Relation.POD_NODE: ("runs on", "runs pod"),
    Relation.POD_OWNER: ("made by", "made pod"),
    Relation.POD_SERVICE_ACCOUNT: ("service account", "account of pod"),
    Relation.POD_IMAGE: ("images", "image of pod"),
    Relation.POD_DIGEST: ("digests", "digest in pod"),
    Relation.POD_SPEC: ("of its node", "granted to pod"),
    Relation.POD_AUTHOR: ("created by", "created pod"),
    Relation.OWNER_OWNER: ("made by", "made workload"),
    Relation.OWNER_AUTHOR: ("written by", "wrote workload"),
    Relation.NODE_ADDRESS: ("addresses", "address of node"),
    Relation.IDENTITY_CALL: ("called as", "kind of"),
    Relation.IDENTITY_CREDENTIAL: ("used credential", "used by"),
    Relation.IDENTITY_ADDRESS: ("called from", "address of caller"),
    Relation.IDENTITY_NETWORK: ("network", "network of caller"),
    Relation.IDENTITY_AGENT: ("program", "program of"),
    Relation.CREDENTIAL_ADDRESS: ("used from", "address of credential"),
    Relation.CREDENTIAL_MINTED_BY: ("minted by", "minted"),
    Relation.CREDENTIAL_MINTED_FOR: ("minted for", "token minted for it"),
    Relation.BINDING_ROLE: ("gives", "given by"),
    Relation.BINDING_SUBJECT: ("to", "bound by"),
    Relation.ROLE_RULE: ("allows", "rule of"),
    Relation.ROLE_AGGREGATES: ("adds to", "takes from"),
    Relation.NAMESPACE_AUTHOR: ("created by", "created namespace"),
    Relation.NAMESPACE_POLICY: ("network policy", "policy of namespace"),
    Relation.SECRET_READER: ("read by", "read secret"),
    Relation.POD_DEBUGGER: ("put into it", "put into pod"),
    Relation.IDENTITY_ORIGIN: ("came from outside", "outside address of"),
    Relation.NAMESPACE_CPUS: ("asked for CPUs", "CPUs asked for in"),
    Relation.NAMESPACE_GPUS: ("asked for GPUs", "GPUs asked for in"),
    Relation.NAMESPACE_REPLICAS: ("asked for replicas", "replicas asked for in"),
    Relation.POD_SESSION: ("entered by", "entered pod"),
    Relation.PROCESS_PARENT: ("started by", "started"),
    Relation.AUDIT_SEEN: ("seen", "seen in"),
    Relation.AUDIT_EXEC: ("execs seen", "execs seen in"),
}
"""Of each relation: what an object is to its subject, and what a name is to who names it."""


def object_words(relation: Relation, what: str) -> str:
    """Return an object as people read it."""
    if what == NOTHING:
        return "(nothing)"
    parts = what.split(JOINT)
    if relation is Relation.CREDENTIAL_MINTED_BY and len(parts) == len(("kind", "at", "by", "who")):
        kind, address, credential, who = parts
        return f"{who} ({kind}) at {address} with {credential}"
    return ", ".join(parts)
