"""What a workload asks for, beside the most that any of its namespace did before."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.entities.ordered import Entities
from tests.detectors.entities.world import event, frame

PREFIX = "trailwarden.recalled."
DAY = 86_400
SPEC = "trailwarden.pod_spec."


def write(
    at_s: float,
    cpu: int | None = None,
    gpu: int | None = None,
    replicas: int | None = None,
    **said: Any,
) -> dict[str, Any]:
    usual = {
        "action": "create",
        "type": "deployments",
        "namespace": "shop",
        "name": "web",
        "user": "ann",
        "images": ["a"],
    }
    sizes = {SPEC + "cpu_request": cpu, SPEC + "gpu_request": gpu, SPEC + "replicas": replicas}
    return event(at_s, **(usual | said)) | sizes


def recalled(*events: dict[str, Any]) -> dict[str, Any]:
    state = Entities()
    batch = frame(list(events))
    state.add(batch)
    told = state.release(None, batch).row(-1, named=True)
    return {name.removeprefix(PREFIX): value for name, value in told.items()}


def test_what_is_asked_for_stands_beside_the_most_before() -> None:
    told = recalled(
        write(0, 1_500, None, 2), write(DAY, 250, None, 5), write(12 * DAY + 60, 2_000, 1, 20)
    )
    assert told["workload.demand"] == "40 CPUs, 20 GPUs, 20 replicas"
    assert told["namespace.usual_demand"] == "3 CPUs, 5 replicas"
    assert told["namespace.usual_days"] == told["cluster.usual_days"] == 12
    assert (told["workload.cpus"], told["workload.gpus"]) == (40, 20)
    assert told["workload.cpus_times_usual"] == 13
    assert told["workload.gpus_times_usual"] == 20
    assert told["workload.replicas_times_usual"] == 4
    assert told["namespace.usual_gpus"] == told["cluster.usual_gpus"] == 0


def test_of_others_only_gpus_count() -> None:
    told = recalled(write(0, 8_000, 4, 2, namespace="ml"), write(9 * DAY, 1_000, 1, 1))
    assert told["namespace.usual_demand"] == "nothing"
    assert told["namespace.usual_days"] == 0
    assert told["workload.cpus_times_usual"] is None
    assert (told["cluster.usual_gpus"], told["cluster.usual_days"]) == (8, 9)
    assert told["namespace.usual_gpus"] is None
    apart = recalled(write(0, 8_000, 4, cluster="d"), write(9 * DAY, 1_000, 1))
    assert (apart["cluster.usual_gpus"], apart["cluster.usual_days"]) == (None, 0)


def test_a_size_is_usual_for_thirty_days() -> None:
    told = recalled(write(0, 9_000), write(5 * DAY, 1_000), write(32 * DAY, 1_000))
    assert told["namespace.usual_demand"] == "1 CPU"
    assert told["namespace.usual_days"] == 30
    silent = recalled(write(0, 9_000), write(32 * DAY, 1_000), write(34 * DAY, 1_000))
    assert silent["namespace.usual_days"] == 2


def test_a_scale_says_how_many_and_nothing_of_their_size() -> None:
    scale = write(9 * DAY, None, None, 60, action="scale", images=None, subresource="scale")
    told = recalled(write(0, 1_000, None, 5), scale)
    assert told["workload.demand"] == "60 replicas"
    assert (told["workload.cpus"], told["workload.cpus_times_usual"]) == (None, None)
    assert told["workload.replicas_times_usual"] == 12
    assert recalled(scale, write(10 * DAY, 1_000, None, 60))["workload.replicas_times_usual"] == 1


@pytest.mark.parametrize(
    "said",
    [
        {"action": "delete"},
        {"subresource": "status"},
        {"outcome": "failure"},
        {"dry_run": True},
        {"type": "services"},
        {"type": "pods", "action": "patch"},
    ],
)
def test_what_is_no_write_of_a_workload_makes_nothing_usual(said: dict[str, Any]) -> None:
    told = recalled(write(0, 9_000, **said), write(DAY, 1_000))
    assert told["namespace.usual_days"] == 0


def test_nothing_is_recalled_of_what_has_no_size() -> None:
    for said in ({"type": "services", "images": None}, {"images": None}, {"action": "get"}):
        told = recalled(write(0, 1_000), write(DAY, **said))
        assert told["workload.demand"] is None
        assert told["namespace.usual_days"] is told["cluster.usual_days"] is None


def test_a_size_beyond_all_measure_stays_a_number() -> None:
    told = recalled(write(0, 2**63 - 1, 2**63 - 1, 2**63 - 1), write(DAY, 1_000))
    assert told["namespace.usual_gpus"] == 2**53
