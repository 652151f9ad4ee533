"""Sightings become observations of values in contexts, numbered the same everywhere."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from models.profile.action_key import sightings
from models.profile.observed import FEATURES, Feature, coded, digest, hour_of, observed
from models.profile.words import texts_of
from tests.detectors.anomaly.world import ACCOUNTS, START_US, Act, at, frame

ONE = Act(at(3))


def seen(*acts: Act) -> pl.DataFrame:
    return observed(coded(sightings(frame(acts))))


def text(name: str, act: Act, **columns: object) -> str:
    changed = frame([act]).with_columns(**{key: pl.lit(value) for key, value in columns.items()})
    return str(texts_of(sightings(changed))[name].item())


def test_digests_never_change() -> None:
    assert digest("get pods") == 7_536_253_564_754_145_467


def test_each_feature_is_observed_once_a_minute() -> None:
    acts = [ONE, replace(ONE, at_us=at(3.2)), replace(ONE, at_us=at(3.4), address="10.1.0.9")]
    found = seen(*acts)
    assert sorted(found["feature"]) == [one.feature.value for one in FEATURES]
    assert found["events"].to_list() == [3] * len(FEATURES)


def test_another_minute_or_identity_is_another_observation() -> None:
    acts = [ONE, replace(ONE, at_us=at(4.2)), replace(ONE, user=ACCOUNTS[0])]
    acted = seen(*acts).filter(pl.col("feature") == Feature.ACT.value)
    assert acted.height == 3
    assert acted["value"].n_unique() == 1
    assert acted["context_0"].n_unique() == 2


def test_peers_share_a_context_and_clusters_none() -> None:
    acts = [ONE, replace(ONE, user="another"), replace(ONE, user="third", cluster="d")]
    acted = seen(*acts).filter(pl.col("feature") == Feature.ACT.value)
    assert acted["context_1"].n_unique() == 2
    contexts = seen(ONE).select("context_0", "context_1", "context_2").unpivot()["value"]
    elsewhere = seen(replace(ONE, cluster="d")).select("context_0", "context_1", "context_2")
    assert not {*contexts.drop_nulls()} & {*elsewhere.unpivot()["value"].drop_nulls()}


@pytest.mark.parametrize(
    ("act", "columns", "wanted"),
    [
        (ONE, {}, "get pods"),
        (replace(ONE, code=403), {}, "get pods (refused)"),
        (replace(ONE, code=404), {}, "get pods (failed)"),
        (replace(ONE, resource=None), {}, "get /healthz"),
        (ONE, {"kubernetes.audit.objectRef.subresource": "status"}, "get pods/status"),
        (ONE, {"kubernetes.audit.objectRef.subresource": "log"}, "get pods"),
    ],
)
def test_an_act_is_verb_object_and_outcome(act: Act, columns: dict[str, str], wanted: str) -> None:
    assert text("act", act, **columns) == wanted


@pytest.mark.parametrize(
    ("namespace", "wanted"),
    [("preview-15", "preview-#"), ("job-x7k2p", "job-*"), ("team", "team"), (None, "")],
)
def test_what_machines_number_is_one_place(namespace: str | None, wanted: str) -> None:
    assert text("place", replace(ONE, namespace=namespace)) == wanted


@pytest.mark.parametrize(
    ("user", "groups", "wanted"),
    [
        ("system:serviceaccount:shop:web", (), "service_account:shop"),
        ("ann", ("z", "system:authenticated", "a"), "human:a,z"),
        ("system:node:n1", ("system:nodes",), "node:"),
        (None, (), "unauthenticated:"),
    ],
)
def test_peers_are_of_a_namespace_or_a_team(
    user: str | None, groups: tuple[str, ...], wanted: str
) -> None:
    assert text("peers", replace(ONE, user=user, groups=groups)) == wanted


def test_who_is_acted_as_counts() -> None:
    acting = {"user.effective.name": "system:serviceaccount:shop:web"}
    assert text("identity", ONE, **acting) == "system:serviceaccount:shop:web"
    assert text("type", ONE, **acting) == "service_account"


def test_hours_are_of_the_week() -> None:
    assert hour_of(START_US // 60_000_000) == "Monday 09:00"
    assert hour_of(0) == "Thursday 00:00"
