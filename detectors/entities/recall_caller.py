"""Who calls, from where, with which credential: what was known of them when they did.

Separate from what is known of the object that a request is about (recall_target.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.asof import every, latest
from detectors.entities.memory import MOST_OBSERVED
from detectors.entities.minting import minted
from detectors.entities.questions import answered, asked
from detectors.entities.recalled import PREFIX
from detectors.entities.relation import JOINT, Relation
from models.network import network_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from detectors.entities.asof import Held
    from detectors.entities.memory import EntityMemory
    from detectors.sigma.predicates import Predicate

_KEYS: Final = ("user", "address", "credential", "pod", "uid")
_SUBJECTS: Final = ("user", "credential", "pod")
_ASKED: Final = (
    Relation.IDENTITY_CALL,
    Relation.IDENTITY_NETWORK,
    Relation.CREDENTIAL_MINTED_BY,
    Relation.POD_UID,
    Relation.POD_ADDRESS,
    Relation.POD_NODE,
)
"""What else is known of callers, and changes meanwhile, makes no other question."""
_HABITS: Final = (PREFIX + "identity.", PREFIX + "dormant_days")
_MINTED: Final = PREFIX + "credential."
_TOKEN_POD: Final = (PREFIX + "token_pod.", PREFIX + "token_off_pod")
_AGING: Final = ("first_us", "woke_us", "last_s", "slept_s")
"""What columns that grow with time are made of."""
_MINUTE_US: Final = 60_000_000
_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 86_400_000_000
_SECOND_US: Final = 1_000_000


def caller_columns(
    events: pl.DataFrame, memory: EntityMemory, hidden: Predicate | None, wanted: Collection[str]
) -> pl.DataFrame:
    """Return what is recalled of callers, a row for each of ``events``.

    Parameters
        events: under ASKED (enrich.py).
        hidden: holds for addresses behind which the caller's own address is not seen.
        wanted: the columns that are needed; the others may be left out.
    """
    unbound = events["token_pod"].null_count() == events.height
    if unbound and all(name.startswith(_TOKEN_POD) for name in wanted):
        return events.select()
    pod = pl.concat_str("account_namespace", pl.lit("/"), "token_pod", ignore_nulls=False)
    calls = events.with_columns(pod.alias("pod"), pl.col("token_uid").alias("uid"))
    groups = asked(calls, _KEYS)
    subjects = pl.concat(groups.groups[name] for name in _SUBJECTS).drop_nulls().unique()
    held = memory.about(subjects).only(_ASKED)
    questions = groups.questions(held, _SUBJECTS)
    parts = []
    if any(name.startswith(_MINTED) for name in wanted):
        in_full = PREFIX + "credential.minted_chain" in wanted
        parts.append(minted(questions, memory, held, in_full=in_full))
    if not unbound and any(name.startswith(_TOKEN_POD) for name in wanted):
        parts.append(_token_pod(questions, held, memory, hidden))
    ages = any(name.startswith(_HABITS) for name in wanted)
    if ages:
        parts.append(_habits(questions, held, hidden))
    found = pl.concat([questions.select("rows"), *parts], how="horizontal")
    needed = [name for name in found.columns if name in wanted or name in _AGING]
    told = answered(found, needed, events.height)
    return _aged(told, events["time"]) if ages else told


def _habits(questions: pl.DataFrame, held: Held, hidden: Predicate | None) -> pl.DataFrame:
    """Return the networks of callers, and the first and last time they were seen."""
    users = questions.select("at", "time", pl.col("user").alias("key"))
    networks = every(held, Relation.IDENTITY_NETWORK, users)
    known = networks.group_by("at").agg(
        pl.col("object").n_unique().cast(pl.Int64).alias("networks"),
        pl.col("object").alias("from"),
    )
    calls = (
        every(held, Relation.IDENTITY_CALL, users)
        .sort("at", "since")
        .group_by("at")
        .agg(
            pl.col("since").first().alias("first_us"),
            pl.col("since").last().alias("woke_us"),
            pl.col("last").last().alias("last_s"),
            pl.col("last").get(-2, null_on_oob=True).alias("slept_s"),
        )
    )
    own = network_of(pl.col("address"))
    if hidden is not None:
        # Everybody calls from there: it tells nobody apart.
        own = pl.when(~hidden(pl.col("address"))).then(own)
    joined = (
        questions.select("at", own.alias("network"))
        .join(known, on="at", how="left", maintain_order="left")
        .join(calls, on="at", how="left", maintain_order="left")
    )
    told = (pl.col("networks") < MOST_OBSERVED) & pl.col("network").is_not_null()
    return joined.select(
        pl.col("networks").alias(PREFIX + "identity.known_networks"),
        pl.when(told)
        .then(~pl.col("from").list.contains(pl.col("network")))
        .alias(PREFIX + "identity.is_new_network"),
        "first_us",
        "woke_us",
        "last_s",
        "slept_s",
    )


def _aged(told: pl.DataFrame, times: pl.Series) -> pl.DataFrame:
    """Return ``told`` with what grows with time, by each event's own."""
    time = pl.lit(times)
    minutes = (time - pl.col("first_us")) // _MINUTE_US
    # Whoever comes back looks round before they act: for an hour it counts how long they slept.
    awake = time - pl.col("woke_us") < _HOUR_US
    at = pl.when(awake & pl.col("slept_s").is_not_null()).then("woke_us").otherwise(time)
    last_s = pl.when(awake).then(pl.coalesce("slept_s", "last_s")).otherwise("last_s")
    quiet = at - last_s.cast(pl.Int64) * _SECOND_US
    return told.with_columns(
        minutes.alias(PREFIX + "identity.known_minutes"),
        (quiet // _DAY_US).clip(lower_bound=0).alias(PREFIX + "dormant_days"),
    ).drop("first_us", "woke_us", "last_s", "slept_s")


def _token_pod(
    questions: pl.DataFrame, held: Held, memory: EntityMemory, hidden: Predicate | None
) -> pl.DataFrame:
    """Return where the pod of a token is, and whether the call came from elsewhere."""
    keys = questions.select("at", "time", "uid", "address", pl.col("pod").alias("key"))
    told = keys
    for relation, name in (
        (Relation.POD_UID, "held_uid"),
        (Relation.POD_ADDRESS, "addresses"),
        (Relation.POD_NODE, "node"),
    ):
        answer = latest(held, relation, keys.select("key", "time"))
        told = told.with_columns(answer["object"].alias(name))
    other = (pl.col("uid") != pl.col("held_uid")).fill_null(value=False)
    exists = (pl.col("held_uid") != "") & ~other
    there = pl.when(exists.fill_null(value=True))
    told = told.with_columns(
        exists.alias("exists"),
        there.then(pl.col("addresses").replace("", None).str.split(JOINT)).alias("addresses"),
        there.then(pl.col("node").replace("", None)).alias("node"),
    )
    told = told.with_columns(_node_addresses(told, memory).alias("of_node"))
    return told.select(
        pl.col("addresses").alias(PREFIX + "token_pod.addresses"),
        pl.col("node").alias(PREFIX + "token_pod.node"),
        pl.col("exists").alias(PREFIX + "token_pod.exists"),
        _off(hidden).alias(PREFIX + "token_off_pod"),
    )


def _off(hidden: Predicate | None) -> pl.Expr:
    """Return whether a call came from elsewhere; null where that is not known."""
    address = pl.col("address")
    at_home = pl.col("addresses").list.contains(address) | pl.col("of_node").list.contains(address)
    unseen = pl.lit(value=False) if hidden is None else hidden(address)
    known = address.is_not_null() & (pl.col("addresses").list.len() > 0)
    return pl.when(known & pl.col("of_node").is_not_null()).then(~at_home & ~unseen)


def _node_addresses(pods: pl.DataFrame, memory: EntityMemory) -> pl.Series:
    """Return the addresses of each pod's node, as reported and as its kubelet calls from."""
    nodes = pods.select("at", "time", pl.col("node").alias("key"))
    kubelets = nodes.with_columns("system:node:" + pl.col("key"))
    held = memory.about(pl.concat([nodes["key"], kubelets["key"]]).drop_nulls().unique())
    reported = latest(held, Relation.NODE_ADDRESS, nodes).select("at", "object").drop_nulls()
    called = every(held, Relation.IDENTITY_ADDRESS, kubelets).select("at", "object")
    known = pl.concat([reported, called]).group_by("at").agg("object")
    return nodes.join(known, on="at", how="left", maintain_order="left")["object"]
