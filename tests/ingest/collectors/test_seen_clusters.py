from __future__ import annotations

from ingest.collectors.seen_clusters import MAX_CLUSTERS, SETTLE_S, SeenClusters


def test_configured_clusters_are_known_and_taken_ones_join() -> None:
    seen = SeenClusters({"b", "a"}, 0.0)
    seen.taken("c")
    assert seen.names == ["a", "b", "c"]


def test_a_cluster_is_caught_up_when_no_retry_can_be_under_way() -> None:
    seen = SeenClusters({"a", "b"}, 100.0)
    assert not seen.is_caught_up("a", 100.0 + SETTLE_S)
    later = 100.1 + SETTLE_S
    assert seen.is_caught_up("a", later)
    seen.refused("a", later)
    seen.taken("a")  # another of its batches may still wait
    assert not seen.is_caught_up("a", later + SETTLE_S - 1)
    assert seen.is_caught_up("b", later)
    assert seen.is_caught_up("a", later + SETTLE_S + 1)


def test_a_cluster_first_seen_long_after_the_start_is_caught_up() -> None:
    seen = SeenClusters((), 0.0)
    seen.taken("new")
    assert seen.is_caught_up("new", SETTLE_S + 1)
    assert not seen.is_caught_up("unknown", 10**6)


def test_what_was_only_refused_is_not_remembered() -> None:
    seen = SeenClusters((), 0.0)
    seen.refused("a", 1.0)
    assert seen.names == []


def test_memory_is_bounded_and_the_quietest_is_forgotten() -> None:
    seen = SeenClusters((), 0.0)
    for number in range(MAX_CLUSTERS):
        seen.taken(f"c{number}")
    seen.taken("c0")
    seen.taken("new")
    assert len(seen.names) == MAX_CLUSTERS
    assert "c0" in seen.names
    assert "c1" not in seen.names
