# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # First look at a cluster
#
# What is in this log, who acts in it, what is refused, and what Trailwarden makes of it. Set
# `TRAILWARDEN_SOURCE` to a log, a folder of logs, a scan's output, an archive or
# `https://HOST:9200`; without it the notebook reads the sample that ships with the project.

# %%
import os
from pathlib import Path

import polars as pl

import trailwarden as tw
from trailwarden.charts import SEVERITY_COLORS, bars, lanes

config = pl.Config(tbl_rows=30, tbl_cols=12, fmt_str_lengths=120, tbl_hide_column_data_types=True)

# %% tags=["parameters"]
here = Path.cwd()
sample = next(
    (
        folder / "examples" / "sample-audit.log.gz"
        for folder in (here, *here.parents)
        if (folder / "examples" / "sample-audit.log.gz").is_file()
    ),
    here / "audit.log",
)
SOURCE = os.environ.get("TRAILWARDEN_SOURCE", str(sample))
CLUSTER = os.environ.get("TRAILWARDEN_CLUSTER", "sample")

# %%
source = tw.open(SOURCE, cluster=CLUSTER)
source

# %% [markdown]
# ## What is here
#
# Nothing was read so far. The first table costs the reading; a log is scanned once.

# %%
events = source.events
time = pl.col("@timestamp")
events.group_by("orchestrator.cluster.name").agg(
    events=pl.len(),
    first=time.min(),
    last=time.max(),
    identities=pl.col("user.name").n_unique(),
    addresses=pl.col("source.ip").n_unique(),
    namespaces=pl.col("orchestrator.namespace").n_unique(),
    with_parse_issues=pl.col("trailwarden.parse.issues").is_not_null().sum(),
).sort("events", descending=True).collect()

# %%
actions = (
    events.group_by("event.action").agg(events=pl.len()).sort("events", descending=True).collect()
)
bars(actions.head(18), "event.action", "events", title="Events by action")

# %% [markdown]
# ## Who acts
#
# Controllers and nodes make most of the noise. Look at the kinds of identity that have many refused
# requests, or many addresses for few names.

# %%
refused = pl.col("http.response.status_code").is_in([401, 403])
writes = ~pl.col("event.action").is_in(["get", "list", "watch", "log"])
events.group_by("trailwarden.identity.type").agg(
    events=pl.len(),
    identities=pl.col("user.name").n_unique(),
    addresses=pl.col("source.ip").n_unique(),
    writes=writes.sum(),
    refused=refused.sum(),
    refused_share=(refused.mean() * 100).round(1),
).sort("events", descending=True).collect()

# %%
people = pl.col("trailwarden.identity.type") == "human"
events.filter(people).group_by("user.name").agg(
    events=pl.len(),
    writes=writes.sum(),
    refused=refused.sum(),
    addresses=pl.col("source.ip").n_unique(),
    agents=pl.col("user_agent.name").n_unique(),
    exec=(pl.col("event.action") == "exec").sum(),
    last=time.max(),
).sort("writes", descending=True).head(20).collect()

# %% [markdown]
# ## Where they come from
#
# A person with many addresses or programs is worth a question. So is a program that only one
# identity uses, if it is no operator of yours.

# %%
events.group_by("user_agent.name").agg(
    events=pl.len(),
    identities=pl.col("user.name").n_unique(),
    kinds=pl.col("trailwarden.identity.type").unique().sort().str.join(", "),
    refused=refused.sum(),
).filter(pl.col("kinds").str.contains_any(["human", "anonymous", "unauthenticated"])).sort(
    "events", descending=True
).head(20).collect()

# %% [markdown]
# ## What is refused
#
# A controller with a missing right repeats one request for ever. Somebody who tries things is
# refused for many kinds of object.

# %%
events.filter(refused).group_by("user.name", "trailwarden.identity.type").agg(
    refused=pl.len(),
    kinds_of_object=pl.col("orchestrator.resource.type").n_unique(),
    actions=pl.col("event.action").unique().sort().str.join(", "),
    addresses=pl.col("source.ip").n_unique(),
).sort("kinds_of_object", "refused", descending=True).head(15).collect()

# %% [markdown]
# ## When people work
#
# Hours in UTC. A log of some minutes, like the sample, shows one hour; a month shows nights and
# weekends.

# %%
hours = (
    events.filter(people)
    .group_by(hour=time.dt.strftime("%a %H:00"), order=time.dt.weekday() * 24 + time.dt.hour())
    .agg(events=pl.len())
    .sort("order")
    .collect()
)
bars(hours, "hour", "events", title="Events of people by weekday and hour (UTC)")

# %% [markdown]
# ## Findings

# %%
findings = source.findings.collect()
severities = list(SEVERITY_COLORS)
findings.pivot(
    on="trailwarden.severity",
    on_columns=[name for name in severities if name in set(findings["trailwarden.severity"])],
    index="rule.category",
    values="trailwarden.finding.id",
    aggregate_function="len",
).fill_null(0).sort("rule.category")

# %%
lanes(
    findings,
    "trailwarden.severity",
    title="Findings over time",
    order=severities,
    colors=SEVERITY_COLORS,
)

# %%
findings.group_by("rule.name", "rule.category", "trailwarden.severity", "event.severity").agg(
    findings=pl.len(),
    actors=pl.col("user.name").n_unique(),
    first=time.min(),
    last=time.max(),
).sort("event.severity", "findings", descending=True).drop("event.severity").head(25)

# %% [markdown]
# ## Whose they are
#
# Many different rules for one actor weigh more than many findings of one rule.

# %%
findings.group_by("user.name").agg(
    rules=pl.col("rule.id").n_unique(),
    findings=pl.len(),
    most_severe=pl.col("trailwarden.severity").sort_by("event.severity").last(),
    addresses=pl.col("source.ip").n_unique(),
    first=time.min(),
    last=time.max(),
).sort("rules", "findings", descending=True).head(15)

# %% [markdown]
# ## Where to begin
#
# The most severe finding of each actor. Take an id to `investigate_finding.py`
# (`TRAILWARDEN_FINDING`).

# %%
findings.sort("event.severity", "@timestamp", descending=[True, False]).unique(
    "user.name", keep="first", maintain_order=True
).select("@timestamp", "trailwarden.severity", "message", "trailwarden.finding.id").head(10)
