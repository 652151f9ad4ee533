"""Events in, logins out: one row for each time somebody came in, or tried to.

Separate from the model because here it is decided what a login is, and what is counted before it.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from models.action_class import CLASS_COLUMNS, ActionClass, action_class
from models.network import network_of
from models.scored import MEMBERS, unit_id

VISIT_US: Final = 900_000_000
"""Requests of an identity from a network with an agent are one login for so long."""

FAILURES_US: Final = 600_000_000
"""Failures from the network are counted for so long before a login."""

LOGIN_FEATURES: Final = ("kind", "network", "hours", "agent", "failures")
LOGIN_COLUMNS: Final = (
    *("@timestamp", "event.id", "event.outcome", "host.name", "source.ip", "source.domain"),
    *("http.response.status_code", "orchestrator.cluster.name", "user.name", "user_agent.name"),
    *("trailwarden.identity.type", "trailwarden.credential.id"),
    *("trailwarden.credential.legacy_token", "trailwarden.session.method"),
    "trailwarden.session.service",
    *CLASS_COLUMNS,
)

_UNAUTHORIZED: Final = 401
_PART_OF_DAY_H: Final = 4
_HOUR_US: Final = 3_600_000_000
_FEW: Final = 2
_MANY: Final = 9
_PLACE: Final = ("cluster", "network")


def attempts_of(events: pl.DataFrame) -> pl.DataFrame:
    """Return the logins of these events, in order of unit.

    Columns: unit, cluster, entity, start, end, the columns of `LOGIN_FEATURES`, and the groups
    ``identity``, ``peers`` and ``all`` that each is compared with.
    """
    visits = _visits(events).collect().sort("time", "unit", "event.id")
    if visits.is_empty():
        return pl.DataFrame(schema=_ATTEMPTS)
    firsts = visits.group_by("unit", maintain_order=True).first()
    counted = _with_failures(firsts, visits.filter("is_failed"))
    hours = counted["time"] // _HOUR_US % 24 // _PART_OF_DAY_H * _PART_OF_DAY_H
    return counted.select(
        "unit",
        "cluster",
        "entity",
        pl.col("time").alias("start"),
        (pl.col("time") + 1).alias("end"),
        "kind",
        "network",
        pl.format("{}-{} h", hours, hours + _PART_OF_DAY_H).alias("hours"),
        "agent",
        _bucket(pl.col("failures")).alias("failures"),
        pl.concat_str("cluster", "entity", separator="\n").alias("identity"),
        "peers",
        pl.lit("").alias("all"),
    ).sort("unit")


def login_members(events: pl.DataFrame) -> pl.DataFrame:
    """Return the login of each event, under `models.scored.MEMBERS`."""
    visits = _visits(events).filter(pl.col("event.id").is_not_null())
    return visits.select(*MEMBERS).collect()


_ATTEMPTS: Final = {
    **dict.fromkeys(("unit", "cluster", "entity"), pl.String()),
    **dict.fromkeys(("start", "end"), pl.Int64()),
    **dict.fromkeys((*LOGIN_FEATURES, "identity", "peers", "all"), pl.String()),
}


def _visits(events: pl.DataFrame) -> pl.LazyFrame:
    """Return a row for each event that is of a login: all of an API server, few of a machine."""
    is_request = pl.col("trailwarden.identity.type").is_not_null()
    is_login = action_class() == ActionClass.LOGIN.value
    machine_unit = unit_id(
        pl.col("time"), *(pl.col(name) for name in ("cluster", "entity", "network", "event.id"))
    )
    visit = pl.col("time") - pl.col("time") % VISIT_US
    parts = [pl.col(name) for name in ("cluster", "entity", "network", "agent")]
    return (
        events.lazy()
        .filter(pl.col("@timestamp").is_not_null(), is_request | is_login)
        .select(
            pl.col("@timestamp").dt.timestamp("us").alias("time"),
            pl.col("event.id").fill_null(""),
            pl.col("orchestrator.cluster.name").fill_null("").alias("cluster"),
            _entity(is_request).alias("entity"),
            pl.coalesce(network_of(pl.col("source.ip")), "source.domain")
            .fill_null("")
            .alias("network"),
            pl.col("user_agent.name").fill_null("").alias("agent"),
            pl.col("trailwarden.identity.type").fill_null("machine").alias("peers"),
            _kind(is_request).alias("kind"),
            _is_failed(is_request).alias("is_failed"),
            is_request.alias("is_request"),
        )
        .with_columns(
            pl.when("is_request").then(unit_id(visit, *parts)).otherwise(machine_unit).alias("unit")
        )
    )


def _entity(is_request: pl.Expr) -> pl.Expr:
    user = pl.col("user.name").fill_null("unauthenticated")
    host = pl.col("host.name")
    return pl.when(is_request | host.is_null()).then(user).otherwise(user + "@" + host)


def _is_failed(is_request: pl.Expr) -> pl.Expr:
    """Whether it was no login: a request answered 401; one that is forbidden was logged in."""
    refused = pl.col("http.response.status_code") == _UNAUTHORIZED
    failed = pl.col("event.outcome") == "failure"
    return pl.when(is_request).then(refused).otherwise(failed).fill_null(value=False)


def _kind(is_request: pl.Expr) -> pl.Expr:
    credential = pl.col("trailwarden.credential.id")
    request = (
        pl.when(pl.col("trailwarden.credential.legacy_token").is_not_null())
        .then(pl.lit("legacy token"))
        .when(credential.str.starts_with("JTI="))
        .then(pl.lit("token"))
        .when(credential.str.starts_with("X509"))
        .then(pl.lit("certificate"))
        .otherwise(pl.lit("no credential id"))
    )
    machine = pl.concat_str(
        pl.col("trailwarden.session.service").fill_null("?"),
        pl.col("trailwarden.session.method").fill_null("?"),
        pl.col("event.outcome").fill_null("unknown"),
        separator=" ",
    )
    return pl.when(is_request).then(request).otherwise(machine)


def _with_failures(firsts: pl.DataFrame, failed: pl.DataFrame) -> pl.DataFrame:
    """Count failures from each login's network in the time before it."""
    running = failed.select(
        *_PLACE, "time", pl.int_range(1, pl.len() + 1).over(_PLACE).alias("failures")
    ).sort("time")
    held = firsts.with_columns(pl.col("time").sub(FAILURES_US).alias("since"))
    before = _as_of(held, running, "time")
    long_before = _as_of(held, running, "since")
    return held.with_columns((before - long_before).alias("failures"))


def _as_of(held: pl.DataFrame, running: pl.DataFrame, time: str) -> pl.Series:
    """Return how many failures there were strictly before a time."""
    found = held.select(*_PLACE, pl.col(time).alias("time")).join_asof(
        running,
        on="time",
        by=list(_PLACE),
        strategy="backward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    return found["failures"].fill_null(0)


def _bucket(count: pl.Expr) -> pl.Expr:
    return (
        pl.when(count == 0)
        .then(pl.lit("none"))
        .when(count <= _FEW)
        .then(pl.lit("1-2"))
        .when(count <= _MANY)
        .then(pl.lit("3-9"))
        .otherwise(pl.lit("10 or more"))
    )
