from __future__ import annotations

import polars as pl
import pytest

from models.kinds import KINDS
from models.session.atoms import atoms_of
from models.session.features import FEATURES, sessions_of
from models.session.model import SessionModel
from models.session.scaling import FARTHEST, PEER_WEIGHT, Scaling
from models.store import Manifest, ModelRefusedError, Window
from models.training.fit import fit
from tests.models.event_rows import MONDAY, event_frame, request


def busy(user: str, events: int, window: int, kind: str = "human") -> list[dict[str, object]]:
    at = window * 300
    return [
        request(at + n % 300, user, "get", "pods", trailwarden__identity__type=kind)
        for n in range(events)
    ]


def sessions(*rows: list[dict[str, object]]) -> pl.DataFrame:
    return sessions_of(atoms_of(event_frame([row for part in rows for row in part])))


def learned() -> Scaling:
    people = [busy(f"p{n}", 3, window) for n in range(5) for window in range(5)]
    loud = [busy("loud", 63, window) for window in range(5)]
    return Scaling.of(sessions(*people, *loud))


def distance(scaling: Scaling, user: str, events: int) -> float:
    held = scaling.distances(sessions(busy(user, events, 100)))
    return float(held["events"][0])


def test_an_identity_is_compared_with_itself() -> None:
    scaling = learned()
    assert distance(scaling, "loud", 63) < distance(scaling, "p1", 63)
    assert distance(scaling, "p1", 63) > 5


def test_one_that_was_never_seen_is_compared_with_its_peers() -> None:
    scaling = learned()
    assert distance(scaling, "new", 3) == pytest.approx(0, abs=0.5)
    assert distance(scaling, "new", 63) > 5


def test_a_type_without_enough_sessions_is_compared_with_everyone() -> None:
    scaling = learned()
    assert scaling.medians["peers"].to_list() == ["", "human"]
    strange = scaling.distances(sessions(busy("n", 63, 100, kind="node")))
    assert strange["events"][0] > 5


def test_little_knowledge_of_an_identity_is_drawn_towards_its_peers() -> None:
    scaling = Scaling.of(sessions(*(busy(f"p{n}", 3, 0) for n in range(30)), busy("loud", 63, 0)))
    usual = scaling.usual(sessions(busy("loud", 63, 1)))["events"][0]
    low, high = scaling.medians["events"][0], sessions(busy("loud", 63, 0))["events"][0]
    assert usual == pytest.approx((high + PEER_WEIGHT * low) / (1 + PEER_WEIGHT))


def test_only_the_most_frequent_identities_are_kept() -> None:
    rows = [busy("often", 63, window) for window in range(5)]
    scaling = Scaling.of(sessions(*rows, *(busy(f"p{n}", 3, 0) for n in range(30))), most=1)
    assert scaling.identities["identity"].to_list() == ["often"]
    assert distance(scaling, "often", 63) == pytest.approx(0, abs=2)
    assert distance(scaling, "p1", 3) == pytest.approx(0, abs=0.5)


def test_less_than_usual_is_not_strange() -> None:
    assert distance(learned(), "loud", 1) == 0


def test_distances_end_somewhere() -> None:
    held = learned().distances(sessions(busy("p1", 3, 100)).with_columns(events=pl.lit(1e300)))
    assert held["events"][0] == FARTHEST


BROKEN = {
    "identities": pl.col("sessions") * -1,
    "medians": pl.col("peers") + "x",
    "spreads": pl.col(FEATURES[3]) * 0,
}


@pytest.mark.parametrize("table", list(BROKEN))
@pytest.mark.parametrize("kind", ["session-forest", "session-histogram"])
def test_tables_that_mean_nothing_are_refused(kind: str, table: str) -> None:
    rows = [row for n in range(30) for row in busy(f"p{n}", 3, n % 4)]
    tables = fit(kind, event_frame(rows), 1).to_tables()
    manifest = Manifest(
        kind=kind,
        name="m",
        version="1",
        window=Window(start=MONDAY, end=MONDAY.replace(hour=9)),
        features=FEATURES,
        libraries={},
        seed=1,
    )
    KINDS[kind].check(manifest, tables)
    with pytest.raises(ModelRefusedError):
        KINDS[kind].check(manifest, {**tables, table: tables[table].with_columns(BROKEN[table])})


def test_no_sessions_make_no_scaling() -> None:
    with pytest.raises(ValueError, match="no sessions"):
        Scaling.of(sessions())


def test_reasons_name_the_farthest_with_its_counts() -> None:
    rows = [row for n in range(30) for row in busy(f"p{n}", 3, n % 4)]
    model = fit("session-histogram", event_frame(rows), 1)
    assert isinstance(model, SessionModel)
    execs = [request(30_000 + n, "p1", "exec", "pods") for n in range(40)]
    reasons = model.score(event_frame(execs))["reasons"][0].to_list()
    assert len(reasons) == 3
    assert reasons[0] == "exec: 40, usually 0"
