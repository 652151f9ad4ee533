"""What a pod spec asks of its node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from ingest.facets.requests import quantity, request_facet

Build = Callable[..., dict[str, Any]]
Row = Callable[..., dict[str, Any]]

LARGEST: Final = 2**63 - 1


def asks(resource: str, value: Any, kind: str = "requests") -> dict[str, Any]:
    return {"resources": {kind: {resource: value}}}


def numbers(spec: dict[str, Any]) -> tuple[Any, Any]:
    found = request_facet(spec)
    prefix = "trailwarden.pod_spec."
    return found[prefix + "cpu_request"], found[prefix + "gpu_request"]


@pytest.mark.parametrize(
    ("written", "thousandths"),
    [
        ("500m", 500),
        ("2", 2_000),
        (2, 2_000),
        (0.5, 500),
        ("0.1", 100),
        (".5", 500),
        ("5.", 5_000),
        ("+1", 1_000),
        ("1e3", 1_000_000),
        ("1E3", 1_000_000),
        ("25e-2", 250),
        (1e22, LARGEST),
        ("1k", 1_000_000),
        ("1Ki", 1_024_000),
        ("2Mi", 2 * 1_024**2 * 1_000),
        ("1u", 1),
        ("1000001n", 2),
        ("0", 0),
        ("9E", LARGEST),
        ("9Ei", LARGEST),
    ],
)
def test_a_quantity_is_read_as_kubernetes_does(written: Any, thousandths: int) -> None:
    assert numbers({"containers": [asks("cpu", written)]}) == (thousandths, None)


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "m", "1mm", "1 m", " 1", "1x", "1_000", "1/2", "0x10", "1,5", "1e", "1e3m", "1e1e1"),
        *(
            "-1",
            "--1",
            "1e99999999",
            "1e-99999999",
            "9" * 5_000,
            "\u0665",
            "1.2.3",
            "nan",
            "inf",
            ".",
        ),
        *("1ki", "1EE", "1KiM", "m5"),
        *(-1, True, None, [], {}, [1], float("nan"), float("inf"), -0.5),
    ],
)
def test_a_wrong_quantity_is_none(wrong: Any) -> None:
    assert quantity(wrong) is None
    assert numbers({"containers": [asks("cpu", wrong)]}) == (None, None)
    both = {"containers": [asks("cpu", wrong), asks("cpu", "1")]}
    assert numbers(both) == (1_000, None)


@pytest.mark.parametrize("kind", ["requests", "limits"])
def test_gpus_are_those_of_any_maker(kind: str) -> None:
    resources = {kind: {"nvidia.com/gpu": 2, "amd.com/gpu": "1", "example.com/gpus": 8, "gpu": 4}}
    assert numbers({"containers": [{"resources": resources}]}) == (None, 3)


def test_a_limit_counts_only_where_nothing_is_requested() -> None:
    resources = {"requests": {"cpu": "1"}, "limits": {"cpu": "8", "nvidia.com/gpu": "1"}}
    assert numbers({"containers": [{"resources": resources}]}) == (1_000, 1)
    assert numbers({"containers": [asks("cpu", "8", "limits")]}) == (8_000, None)


def test_containers_are_summed_and_an_init_container_counts_where_it_asks_for_more() -> None:
    containers = [asks("cpu", "1"), asks("cpu", "500m")]
    assert numbers({"containers": containers}) == (1_500, None)
    small, large = [asks("cpu", "1")], [asks("cpu", "1"), asks("cpu", "4")]
    assert numbers({"containers": containers, "initContainers": small}) == (1_500, None)
    assert numbers({"containers": containers, "initContainers": large}) == (4_000, None)
    beside = [{**asks("cpu", "1"), "restartPolicy": "Always"}]
    assert numbers({"containers": containers, "initContainers": beside}) == (2_500, None)
    assert numbers({"initContainers": [asks("nvidia.com/gpu", 1)]}) == (None, 1)


def test_what_the_pod_asks_for_goes_before_what_its_containers_do() -> None:
    assert numbers({"containers": [asks("cpu", "1")], **asks("cpu", "16")}) == (16_000, None)


@pytest.mark.parametrize("odd", [None, 5, "x", [], [5], {}, {"requests": 5}, {"limits": [1]}])
def test_odd_resources_are_none(odd: Any) -> None:
    assert numbers({"containers": [{"resources": odd}], "resources": odd}) == (None, None)
    assert numbers({"containers": odd, "initContainers": odd}) == (None, None)


def test_a_hundred_thousand_containers_are_one_number() -> None:
    assert numbers({"containers": [asks("cpu", "9E")] * 100_000}) == (LARGEST, None)


def test_a_deployments_request_is_a_column(build: Build, row: Row) -> None:
    containers = [{"name": "c", "resources": {"limits": {"cpu": "8", "nvidia.com/gpu": 1}}}]
    found = row(
        build(
            objectRef={"resource": "deployments", "namespace": "n", "name": "d"},
            requestObject={"spec": {"template": {"spec": {"containers": containers}}}},
        )
    )
    assert found["trailwarden.pod_spec.cpu_request"] == 8_000
    assert found["trailwarden.pod_spec.gpu_request"] == 1
