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
# # Investigate a finding
#
# One finding, the event behind it, what the same actor did before and after, and what hangs
# together with it. `TRAILWARDEN_FINDING` names the finding; without it the most severe one is
# taken.

# %%
import os
from datetime import timedelta
from functools import reduce
from operator import or_
from pathlib import Path

import polars as pl

import trailwarden as tw
from trailwarden.charts import SEVERITY_COLORS, lanes

config = pl.Config(tbl_rows=60, tbl_cols=12, fmt_str_lengths=1_000, tbl_hide_column_data_types=True)

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
FINDING = os.environ.get("TRAILWARDEN_FINDING", "")
AROUND = timedelta(minutes=5)

# %%
source = tw.open(SOURCE, cluster=CLUSTER)
findings = source.findings.collect()
ranked = findings.sort("event.severity", "@timestamp", descending=[True, False])
chosen = ranked.filter(pl.col("trailwarden.finding.id") == FINDING) if FINDING else ranked.head(1)
if chosen.is_empty():
    raise SystemExit(f"no finding {FINDING!r} among {findings.height:,} in {SOURCE}")
finding = chosen.row(0, named=True)
when = finding["@timestamp"]
chosen.select("@timestamp", "trailwarden.severity", "rule.name", "message")

# %% [markdown]
# ## What the rule looks for

# %%
chosen.select(
    "rule.description",
    pl.col("threat.technique.id").list.join(", "),
    pl.col("threat.technique.name").list.join(", "),
    pl.col("trailwarden.evidence.values").list.join("\n"),
).unpivot(variable_name="about", value_name="text").filter(pl.col("text") != "")

# %% [markdown]
# ## The event behind it
#
# Everything the event says, without what is empty.

# %%
events = source.events
cluster = pl.col("orchestrator.cluster.name") == finding["orchestrator.cluster.name"]
evidence = events.filter(
    cluster, pl.col("event.id").is_in(finding["trailwarden.evidence.event_ids"])
).collect()
as_text = [
    (
        pl.col(name).list.eval(pl.element().cast(pl.String)).list.join(", ")
        if nested
        else pl.col(name)
    )
    .cast(pl.String)
    .alias(name)
    for name, nested in ((name, dtype.is_nested()) for name, dtype in evidence.schema.items())
]
evidence.head(1).select(as_text).unpivot(variable_name="field", value_name="value").drop_nulls()

# %% [markdown]
# ## Who else they are
#
# The same name, the same credential, the same address. An address that others share says little; a
# credential seen from many addresses says much.

# %%
LINKS = ("user.name", "trailwarden.credential.id", "source.ip")
links = [name for name in LINKS if finding[name]]
refused = pl.col("http.response.status_code").is_in([401, 403])
pl.concat(
    events.filter(cluster, pl.col(name) == finding[name])
    .select(
        link=pl.lit(name),
        value=pl.lit(finding[name]),
        events=pl.len(),
        refused=refused.sum(),
        names=pl.col("user.name").n_unique(),
        addresses=pl.col("source.ip").n_unique(),
        agents=pl.col("user_agent.name").n_unique(),
        first=pl.col("@timestamp").min(),
        last=pl.col("@timestamp").max(),
    )
    .collect()
    for name in links
)

# %% [markdown]
# ## Before and after
#
# Up to twenty acts on each side by the same name or credential; where neither is known, from the
# same address.

# %%
identity = [name for name in links if name != "source.ip"] or ["source.ip"]
same_actor = reduce(or_, (pl.col(name) == finding[name] for name in identity))
actor = (
    events.filter(
        cluster, same_actor, pl.col("@timestamp").is_between(when - AROUND, when + AROUND)
    )
    .sort("@timestamp", "event.id")
    .collect()
)
what = pl.concat_str(
    "orchestrator.resource.type",
    "orchestrator.namespace",
    "orchestrator.resource.name",
    separator="/",
    ignore_nulls=True,
)
seconds = ((pl.col("@timestamp") - when).dt.total_milliseconds() / 1000).alias("seconds")
acts = actor.select(
    seconds,
    "event.action",
    what.alias("object"),
    "event.outcome",
    "http.response.status_code",
    "source.ip",
    "user_agent.name",
    "process.command_line",
)
pl.concat(
    [acts.filter(pl.col("seconds") <= 0).tail(20), acts.filter(pl.col("seconds") > 0).head(20)]
)

# %%
lanes(actor, "event.action", title=f"What {finding['user.name'] or 'nobody'} did around it")

# %% [markdown]
# ## What they left behind
#
# Objects written around the finding, most recent first: what has to be looked at, and perhaps
# undone.

# %%
reads = ["get", "list", "watch", "log"]
actor.filter(~pl.col("event.action").is_in(reads), pl.col("event.outcome") == "success").group_by(
    "orchestrator.namespace", "orchestrator.resource.type", "orchestrator.resource.name"
).agg(
    actions=pl.col("event.action").unique().sort().str.join(", "),
    acts=pl.len(),
    last=pl.col("@timestamp").max(),
).sort("last", descending=True).head(25)

# %% [markdown]
# ## Findings that hang together
#
# Of the same act, of the same object, then of the same actor.

# %%
OBJECT = ("orchestrator.resource.type", "orchestrator.namespace", "orchestrator.resource.name")
same_object = pl.all_horizontal(
    pl.lit(finding["orchestrator.resource.name"] is not None),
    *(pl.col(name).eq_missing(pl.lit(finding[name], dtype=pl.String)) for name in OBJECT),
)
same_act = pl.col("trailwarden.act.id") == finding["trailwarden.act.id"]
same_event = pl.col("trailwarden.evidence.event_ids").list.contains(evidence["event.id"][0])
related = (
    findings.filter(cluster)
    .with_columns(
        tie=pl.when(same_act | same_event)
        .then(pl.lit("1 same act"))
        .when(same_object)
        .then(pl.lit("2 same object"))
        .when(same_actor)
        .then(pl.lit("3 same actor"))
    )
    .drop_nulls("tie")
)
related.group_by("tie", "rule.name", "trailwarden.severity", "event.severity").agg(
    findings=pl.len(), first=pl.col("@timestamp").min(), last=pl.col("@timestamp").max()
).sort("tie", "event.severity", "first", descending=[False, True, False]).drop(
    "event.severity"
).head(40)

# %%
lanes(
    related,
    "trailwarden.severity",
    title="Related findings over time",
    order=list(SEVERITY_COLORS),
    colors=SEVERITY_COLORS,
)

# %% [markdown]
# ## What to do
#
# Next steps from the rule, and what it is known to take for an attack without one.

# %%
pl.concat(
    pl.DataFrame({"what": [what] * len(texts), "text": texts}, schema={"what": str, "text": str})
    for what, texts in (
        ("next step", finding["trailwarden.next_steps"]),
        ("false positive", finding["trailwarden.false_positives"]),
    )
)
