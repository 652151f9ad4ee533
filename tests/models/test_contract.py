"""What every learned model holds, whatever it looks at."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ingest.schema import empty_events
from models.kinds import KINDS
from models.learned import LEARNED, LEARNED_COLUMNS, AnyModel, scorer_of
from models.scored import MEMBERS, SCORES
from models.store import load_model, save_model
from models.store.keys import public_text
from tests.models.event_rows import MONDAY, break_in, event_frame, quiet_time, request
from tests.models.trained import manifest_of, trained

KIND = pytest.mark.parametrize("kind", list(LEARNED))
LATER_S = 2 * 3_600.0


@cache
def quiet() -> pl.DataFrame:
    return event_frame(quiet_time())


@cache
def tried() -> pl.DataFrame:
    """An hour like the two before, and a break-in."""
    later = quiet_time(hours=1, seed=2)
    for row in later:
        row["@timestamp"] = row["@timestamp"] + (MONDAY - MONDAY.replace(hour=6))  # type: ignore[operator]
    return event_frame([*later, *break_in(LATER_S + 1_805)])


@cache
def fitted(kind: str) -> AnyModel:
    return trained(kind, quiet())


def shuffled(events: pl.DataFrame) -> pl.DataFrame:
    return events.sample(fraction=1.0, shuffle=True, seed=3)


@KIND
def test_no_events_give_no_scores(kind: str) -> None:
    scores = fitted(kind).score(empty_events())
    assert scores.schema == pl.Schema(SCORES)
    assert scores.is_empty()
    assert fitted(kind).members(empty_events()).schema == pl.Schema(MEMBERS)


@KIND
def test_columns_of_nulls_are_scored_or_left_out(kind: str) -> None:
    timed = event_frame([{"@timestamp": MONDAY}, {"@timestamp": MONDAY, "event.id": None}])
    untimed = event_frame([{}, {"user.name": "a"}])
    assert fitted(kind).score(timed)["score"].is_finite().all()
    assert fitted(kind).score(untimed).is_empty()
    assert fitted(kind).members(untimed).is_empty()


@KIND
def test_scores_are_finite_distinct_units_in_order(kind: str) -> None:
    scores = fitted(kind).score(tried())
    assert scores["score"].is_finite().all()
    assert scores["unit"].is_unique().all()
    assert scores.equals(scores.sort("start", "unit"))
    assert (scores["end"] > scores["start"]).all()


@KIND
def test_the_order_of_rows_is_irrelevant(kind: str) -> None:
    scores = fitted(kind).score(tried())
    assert fitted(kind).score(shuffled(tried())).equals(scores)
    assert trained(kind, shuffled(quiet())).score(tried()).equals(scores)


@KIND
def test_the_same_seed_gives_the_same_arrays(kind: str) -> None:
    first, second = fitted(kind).to_tables(), trained(kind, quiet()).to_tables()
    assert first.keys() == second.keys()
    assert all(first[name].equals(second[name]) for name in first)


def test_another_seed_gives_another_forest() -> None:
    first, second = (trained("session-forest", quiet(), seed).to_tables() for seed in (7, 8))
    assert not first["nodes"].equals(second["nodes"])


@KIND
def test_higher_is_stranger(kind: str) -> None:
    model = fitted(kind)
    bad = tried().filter(pl.col("kubernetes.audit.auditID").is_not_null())
    members = model.members(tried()).filter(pl.col("event.id").is_in(bad["event.id"].to_list()))
    scores = model.score(tried())
    strange = scores.filter(pl.col("unit").is_in(members["unit"].to_list()))["score"]
    assert strange.max() == scores["score"].max()
    assert strange.max() > scores["score"].quantile(0.9)  # type: ignore[operator]


@KIND
def test_the_strangest_says_why(kind: str) -> None:
    scores = fitted(kind).score(tried()).sort("score")
    assert scores["reasons"][-1].len() > 0


@KIND
def test_each_unit_has_its_events(kind: str) -> None:
    members = fitted(kind).members(tried())
    assert set(members["unit"]) == set(fitted(kind).score(tried())["unit"])
    assert members["event.id"].is_unique().all()


@KIND
def test_what_is_given_stays_as_it_was(kind: str) -> None:
    events = tried().clone()
    before = events.clone()
    fitted(kind).score(events)
    assert events.equals(before)


@KIND
def test_only_the_named_columns_are_read(kind: str) -> None:
    few = tried().select(LEARNED_COLUMNS)
    assert fitted(kind).score(few).equals(fitted(kind).score(tried()))


@KIND
def test_hostile_values_are_scored(kind: str) -> None:
    rows = [
        request(1.0, name, "get", "pods", source__ip=name, user_agent__name=name)
        for name in ("", "\n", "a/b", "x" * 100_000, "1:2:3:4::", "%s{}", "::")
    ]
    far = [
        {**request(0.0, "z", "get", "pods"), "@timestamp": MONDAY.replace(year=year)}
        for year in (1, 9999)
    ]
    assert fitted(kind).score(event_frame([*rows, *far]))["score"].is_finite().all()


@KIND
def test_units_of_different_names_never_share_an_id(kind: str) -> None:
    tricky = [
        request(1.0, "b/c", "get", "pods", orchestrator__cluster__name="a"),
        request(1.0, "c", "get", "pods", orchestrator__cluster__name="a/b"),
    ]
    assert fitted(kind).score(event_frame(tricky))["unit"].n_unique() == 2


@KIND
def test_nothing_to_learn_from_is_an_error(kind: str) -> None:
    with pytest.raises(ValueError, match="to learn from"):
        trained(kind, empty_events())


@KIND
def test_stored_and_loaded_it_scores_the_same(kind: str, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    manifest = manifest_of(kind)
    save_model(tmp_path / "m", manifest, fitted(kind).to_tables(), key, expect=KINDS)
    loaded = load_model(tmp_path / "m", [key.public_key()], expect=KINDS)
    assert scorer_of(loaded).score(tried()).equals(fitted(kind).score(tried()))


@KIND
def test_equal_models_are_equal_bytes(kind: str, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    written = []
    for name, model in (("a", fitted(kind)), ("b", trained(kind, shuffled(quiet())))):
        save_model(tmp_path / name, manifest_of(kind), model.to_tables(), key, expect=KINDS)
        written.append({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()})
    assert written[0] == written[1]


@KIND
@pytest.mark.parametrize("minutes", [15, 45])
def test_how_events_are_cut_changes_no_score(kind: str, minutes: int) -> None:
    """A cut between two units: no model looks at other units than the one that it scores."""
    events = event_frame(quiet_time(hours=1, seed=2))
    cut = MONDAY + timedelta(minutes=minutes)
    earlier = pl.col("@timestamp") < cut
    parts = [fitted(kind).score(events.filter(which)) for which in (earlier, ~earlier)]
    assert pl.concat(parts).sort("start", "unit").equals(fitted(kind).score(events))


@KIND
def test_scoring_teaches_nothing(kind: str) -> None:
    """What is tried stays as strange as it was, however often it comes."""
    model = trained(kind, quiet())
    before = {name: table.clone() for name, table in model.to_tables().items()}
    first = model.score(tried())
    assert model.score(tried()).equals(first)
    after = model.to_tables()
    assert all(before[name].equals(after[name]) for name in before)


@KIND
def test_a_model_does_not_grow_with_what_it_has_seen_before(kind: str) -> None:
    again = [
        row | {"@timestamp": row["@timestamp"] + timedelta(weeks=week)}  # type: ignore[operator]
        for week in range(4)
        for row in quiet_time()
    ]
    once = sum(table.height for table in fitted(kind).to_tables().values())
    many = sum(table.height for table in trained(kind, event_frame(again)).to_tables().values())
    # An isolation forest draws 256 sessions for a tree, and there are more to draw from.
    assert many < once * (4 if kind == "session-forest" else 2)


@KIND
def test_scoring_needs_neither_scikit_learn_nor_numpy(
    kind: str, tmp_path: Path, root: Path
) -> None:
    """A worker has neither."""
    key = Ed25519PrivateKey.generate()
    save_model(tmp_path / "m", manifest_of(kind), fitted(kind).to_tables(), key, expect=KINDS)
    tried().select(LEARNED_COLUMNS).write_ipc(tmp_path / "events.arrow", compression="uncompressed")
    program = f"""
import sys
sys.modules["numpy"] = sys.modules["sklearn"] = None
import polars as pl
from pathlib import Path
from models.kinds import KINDS
from models.learned import scorer_of
from models.store import load_model
from models.store.keys import parse_public
key = parse_public({public_text(key.public_key())!r})
model = load_model(Path({str(tmp_path / "m")!r}), [key], expect=KINDS)
events = pl.read_ipc({str(tmp_path / "events.arrow")!r})
print(scorer_of(model).score(events).height)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == str(fitted(kind).score(tried()).height), done.stderr
