"""Writes to roles, bindings, namespaces and network policies become facts.

Separate from identities and pods because these hold until they are changed: nothing confirms them.
A JSON patch says only what it changes, so that what it leaves of a list is unknown: it makes no
fact of that list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.fact_rows import facts
from detectors.entities.relation import GONE_PREFIX, JOINT, Relation

if TYPE_CHECKING:
    from collections.abc import Iterator

BINDING_KINDS: Final = {
    "rolebindings": "RoleBinding",
    "clusterrolebindings": "ClusterRoleBinding",
}
ROLE_KINDS: Final = {"roles": "Role", "clusterroles": "ClusterRole"}

RIGHTS_KINDS: Final = BINDING_KINDS | ROLE_KINDS
RIGHTS: Final = (
    "type",
    "action",
    "namespace",
    "name",
    "patch",
    "role",
    "subjects",
    "rules",
    "aggregates",
)
SPACES: Final = ("type", "action", "namespace", "name", "user")

_KIND: Final = pl.col("type").replace_strict(RIGHTS_KINDS, default=None, return_dtype=pl.String)
OBJECT_NAME: Final = pl.concat_str(
    _KIND, pl.lit("/"), pl.col("namespace").fill_null(""), pl.lit("/"), "name", ignore_nulls=False
)
"""``Kind/namespace/name``; of the whole cluster ``Kind//name``."""


def rights_facts(writes: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield what successful writes to roles and bindings say."""
    gone = pl.col("action") == "delete"
    told = writes.filter(
        (pl.col("action") != "deletecollection") & pl.col("patch").ne_missing(pl.lit("json"))
    )
    binds = pl.col("type").is_in(list(BINDING_KINDS))
    # A binding without subjects gives nothing to nobody, and a whole one says so by their absence.
    whole = pl.when(pl.col("role").is_not_null()).then(pl.lit(""))
    ended = pl.when(gone).then(pl.lit(""))
    of_binding, of_role = pl.when(binds), pl.when(~binds)
    yield facts(
        told,
        OBJECT_NAME,
        {
            Relation.BINDING_ROLE: of_binding.then(pl.coalesce(ended, "role")),
            Relation.BINDING_SUBJECT: of_binding.then(pl.coalesce(ended, _list("subjects"), whole)),
            Relation.ROLE_RULE: of_role.then(pl.coalesce(ended, _list("rules"))),
            Relation.ROLE_AGGREGATES: of_role.then(pl.coalesce(ended, _list("aggregates"))),
        },
    )


def _list(column: str) -> pl.Expr:
    return pl.col(column).list.join(JOINT)


def namespace_facts(writes: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield whose a namespace is, and the network policies that come to it and leave it."""
    name, action = pl.col("name"), pl.col("action")
    made, gone, all_gone = action == "create", action == "delete", action == "deletecollection"
    nobody = pl.lit("")
    author = pl.when(made).then(pl.col("user")).when(gone).then(nobody)
    member = pl.when(made).then(name).when(gone).then(GONE_PREFIX + name)
    spaces = pl.col("type") == "namespaces"
    yield facts(
        writes,
        pl.when(spaces).then(name).otherwise(pl.col("namespace")),
        {
            Relation.NAMESPACE_AUTHOR: pl.when(spaces).then(author),
            Relation.NAMESPACE_POLICY: pl.when(~spaces).then(
                pl.coalesce(member, pl.when(all_gone).then(nobody))
            ),
        },
    )
