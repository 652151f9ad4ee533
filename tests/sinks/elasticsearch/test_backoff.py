"""Waits double, differ between workers, and stay between one second and thirty."""

from __future__ import annotations

from random import Random

from sinks.elasticsearch.backoff import Backoff, RequestSize


def test_waits_grow_to_thirty_seconds_and_no_further() -> None:
    waits = [Backoff(Random(seed)) for seed in range(200)]
    rounds = [[backoff.refused() for backoff in waits] for _ in range(12)]
    for seconds in rounds:
        assert all(1 <= wait <= 30 for wait in seconds)
    means = [sum(seconds) / len(seconds) for seconds in rounds]
    assert means[:5] == sorted(means[:5])
    assert means[0] < 1.1
    assert means[-1] > 20
    assert len(set(rounds[-1])) > 100  # workers do not ask together


def test_a_success_begins_anew() -> None:
    backoff = Backoff(Random(1))
    for _ in range(8):
        backoff.refused()
    backoff.succeeded()
    assert backoff.refused() < 2


def test_what_the_server_asks_for_is_waited() -> None:
    assert Backoff(Random(1)).refused(7) == 7
    assert Backoff(Random(1)).refused(0) == 1
    assert Backoff(Random(1)).refused(3_600) == 30


def test_a_request_that_is_refused_gets_smaller_and_grows_again_slowly() -> None:
    size = RequestSize(8 << 20)
    size.refused(1 << 20)
    assert size.limit_bytes == 1 << 19
    for _ in range(10):
        size.refused(1 << 30)
    assert size.limit_bytes == 64 << 10
    size.succeeded()
    assert size.limit_bytes == 72 << 10
    for _ in range(60):
        size.succeeded()
    assert size.limit_bytes == 8 << 20


def test_a_small_limit_stays_what_it_is() -> None:
    size = RequestSize(1_000)
    size.refused(1_000)
    assert size.limit_bytes == 1_000
