"""What the entity memory costs: CPU an event on a log, and the room that a million entities take.

    python benchmarks/entities.py [EVENTS.parquet]
    python benchmarks/entities.py --million

Without a file the shipped sample is scanned first. Figures are user and system CPU of the process.
"""

from __future__ import annotations

import resource
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Final

import msgspec
import polars as pl
from cpu_time import ROUNDS, best, cpu

from detectors.entities.enrich import recalled_of
from detectors.entities.facts import FACTS, facts_of
from detectors.entities.memory import EntityMemory
from detectors.entities.relation import NUMBERS, Relation
from detectors.entities.state import save_memory
from detectors.recalling import Recalling
from detectors.ruleset import Ruleset, look
from worker.rulesets import load_ruleset

BATCHES: Final = (10_000, 50_000)
SAMPLE: Final = Path(__file__).resolve().parent.parent / "examples" / "sample-audit.log.gz"
START_US: Final = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp()) * 1_000_000

PODS: Final = 330_000
TOKENS: Final = 340_000
"""A pod, its address, its credential: three entities; nodes, accounts and people come to it."""
PIECE: Final = 33_000


def main() -> None:
    if "--million" in sys.argv:
        million()
        return
    events = pl.read_parquet(sys.argv[1]) if len(sys.argv) > 1 else _scanned()
    events = events.sort("@timestamp", "event.id")
    print(f"{events.height:,} events; microseconds of CPU an event")
    for batch_rows in BATCHES:
        _measure(events, batch_rows)


def _measure(events: pl.DataFrame, batch_rows: int) -> None:
    starts = range(0, events.height, batch_rows)
    batches = [events.slice(at, batch_rows).rechunk() for at in starts]
    facts = [facts_of(batch) for batch in batches]
    extraction = best(lambda: [facts_of(batch) for batch in batches])
    learning = best(lambda: _learned(facts))
    memory = _learned(facts)
    print(
        f"batches of {batch_rows:,}: {sum(map(len, facts)):,} facts, "
        f"{memory.table.height:,} rows, {memory.table.size_bytes / 1e6:.1f} MB"
    )
    _print("facts", extraction, events.height)
    _print("memory", learning, events.height)
    _print("enrichment of every event", _spent(batches, facts), events.height)
    _print("asking of the rules", _asking(batches, load_ruleset([])), events.height)


def _asking(batches: list[pl.DataFrame], rules: Ruleset) -> float:
    """Return what the rules' questions cost beyond learning, both measured in turn."""
    looked = [look(batch, rules).hits for batch in batches]
    nothing = [hits.clear() for hits in looked]
    rounds = [
        [_recalled(batches, hits, rules) for hits in (looked, nothing)] for _ in range(ROUNDS)
    ]
    return min(asking for asking, _ in rounds) - min(learning for _, learning in rounds)


def _recalled(batches: list[pl.DataFrame], looked: list[pl.DataFrame], rules: Ruleset) -> float:
    start = cpu()
    recalling = Recalling(rules.asking, rules.site, told=rules.plan.columns)
    for batch, hits in zip(batches, looked, strict=True):
        reached = batch["@timestamp"].to_physical().min()
        recalling.release(reached if isinstance(reached, int) else 0)
        recalling.add(batch, hits)
    recalling.release(None)
    return cpu() - start


def _learned(facts: list[pl.DataFrame]) -> EntityMemory:
    memory = EntityMemory()
    for batch in facts:
        memory.add(batch)
    return memory


def _spent(batches: list[pl.DataFrame], facts: list[pl.DataFrame]) -> float:
    rounds = []
    for _ in range(3):
        memory, spent = EntityMemory(), 0.0
        for batch, said in zip(batches, facts, strict=True):
            memory.add(said)
            start = cpu()
            recalled_of(batch, memory)
            spent += cpu() - start
        rounds.append(spent)
    return min(rounds)


def _print(what: str, seconds: float, height: int) -> None:
    print(f"{what:28} {seconds / height * 1e6:6.2f}")


def _scanned() -> pl.DataFrame:
    from trailwarden.api import open as open_source  # noqa: PLC0415 - only where no file is given

    return open_source(SAMPLE).events.collect()


def million() -> None:
    memory = EntityMemory()
    start, began = cpu(), perf_counter()
    facts = 0
    for first in range(0, PODS, PIECE):
        piece = _pods(first, min(PIECE, PODS - first))
        facts += piece.height
        memory.add(piece)
    for first in range(0, TOKENS, PIECE):
        piece = _tokens(first, min(PIECE, TOKENS - first))
        facts += piece.height
        memory.add(piece)
    spent = cpu() - start
    print(f"{PODS:,} pods with their addresses, {TOKENS:,} credentials: {facts:,} facts")
    print(
        f"learned in {spent:.1f} s CPU ({spent / facts * 1e6:.2f} us a fact), "
        f"{perf_counter() - began:.1f} s"
    )
    print(f"rows {memory.table.height:,}, state in memory {memory.table.size_bytes / 1e6:.0f} MB")
    _questions(memory)
    print(f"resident at most {_resident_mb():.0f} MB")
    saved = msgspec.msgpack.encode(save_memory(memory))
    print(f"saved {len(saved) / 1e6:.0f} MB; resident at most {_resident_mb():.0f} MB")
    print(dict(memory.evicted))


def _questions(memory: EntityMemory) -> None:
    keys = pl.DataFrame({"number": pl.int_range(0, PODS, 660, eager=True)}).select(
        _pod_name().alias("key"), pl.lit(memory.folded_us + 1).alias("time")
    )
    spent = best(lambda: memory.as_of(Relation.POD_ADDRESS, keys))
    print(f"{keys.height} as-of questions at once: {spent * 1e3:.1f} ms")


def _pod_name() -> pl.Expr:
    number = pl.col("number").cast(pl.String).str.zfill(7)
    return "team-" + (pl.col("number") % 200).cast(pl.String) + "/web-7d9f8c6b5-" + number


def _pods(first: int, count: int) -> pl.DataFrame:
    number = pl.col("number")
    text = number.cast(pl.String).str.zfill(12)
    address = pl.format("10.{}.{}.{}", number // 65_536, number // 256 % 256, number % 256)
    said = {
        Relation.POD_UID: "0b9d1e6a-7c53-4c1e-9f6a-" + text,
        Relation.POD_ADDRESS: address,
        Relation.POD_NODE: "node-" + (number % 1_000).cast(pl.String),
        Relation.POD_OWNER: pl.lit("ReplicaSet/web-7d9f8c6b5"),
        Relation.POD_SERVICE_ACCOUNT: pl.lit("web"),
        Relation.POD_IMAGE: pl.lit("registry.example/team/web:1.43.0"),
        Relation.POD_DIGEST: "sha256:" + text.str.zfill(64),
        Relation.POD_SPEC: pl.lit("-"),
        Relation.POD_AUTHOR: pl.lit("system:serviceaccount:kube-system:replicaset-controller"),
    }
    return _facts(first, count, _pod_name(), said)


def _tokens(first: int, count: int) -> pl.DataFrame:
    text = pl.col("number").cast(pl.String).str.zfill(12)
    node = (pl.col("number") % 1_000).cast(pl.String)
    by = pl.format("node\n10.200.0.{}\nX509SHA256={}\nsystem:node:node-{}", node, node, node)
    said = {
        Relation.CREDENTIAL_MINTED_BY: by,
        Relation.CREDENTIAL_MINTED_FOR: pl.lit("system:serviceaccount:team-1:web"),
        Relation.CREDENTIAL_ADDRESS: "10.1.2." + node,
    }
    return _facts(first + PODS, count, "JTI=322c9001-62c5-4e82-99d5-" + text, said)


def _facts(first: int, count: int, subject: pl.Expr, said: dict[Relation, pl.Expr]) -> pl.DataFrame:
    numbers = pl.DataFrame({"number": pl.int_range(first, first + count, eager=True)})
    return (
        pl.concat(
            numbers.select(
                pl.lit("c").alias("cluster"),
                pl.lit(NUMBERS[relation], pl.UInt8).alias("relation"),
                subject.alias("subject"),
                what.alias("object"),
                (START_US + pl.col("number") * 1_000_000).alias("time"),
                (START_US + pl.col("number") * 1_000_000).alias("seen"),
                pl.lit("").alias("event"),
            )
            for relation, what in said.items()
        )
        .select(FACTS.names())
        .sort("time", "relation")
    )


def _resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
