"""A worker begins with the models in use, whole and trusted, or it does not begin."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from detectors.anomaly.learned import Learned
from models.kinds import KINDS
from models.login import LOGIN
from models.profile.model import PROFILE
from models.store import save_model
from models.store.keys import public_text
from models.store.registry import Registry, Role
from tests.detectors.anomaly.world import frame, quiet
from tests.models.event_rows import event_frame, quiet_time
from tests.models.trained import manifest_of, profile, trained
from worker.configuration import InvalidSettingsError
from worker.detection_settings import Models
from worker.doctor.check import State
from worker.doctor.trained import check_models
from worker.models import load_models

if TYPE_CHECKING:
    from pathlib import Path

    from models.store.kind import Tables

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = public_text(KEY.public_key())


@cache
def tables(minutes: int) -> Tables:
    return profile(frame(quiet(minutes))).to_tables()


def put(folder: Path, version: str, held: Tables, kind: str = PROFILE.name) -> None:
    named = msgspec.structs.replace(manifest_of(kind), name=PROFILE.name, version=version)
    save_model(folder / PROFILE.name / version, named, held, KEY, expect=KINDS)


@pytest.fixture
def settings(tmp_path: Path) -> Models:
    """Two versions of a profile, none of them in use."""
    put(tmp_path, "1", tables(10))
    put(tmp_path, "2", tables(12))
    return Models(folder=tmp_path, trusted_keys=[PUBLIC])


def registry(settings: Models) -> Registry:
    return Registry(settings.folder, [KEY.public_key()], KINDS)


def test_nothing_trained_is_a_cold_start(tmp_path: Path) -> None:
    nothing = load_models(Models(folder=tmp_path / "none"))
    assert (nothing.champion, nothing.challenger) == (None, None)
    assert check_models(Models(folder=tmp_path / "none")).state is State.OK


def test_nothing_in_use_is_a_cold_start(settings: Models) -> None:
    assert load_models(settings).champion is None


def test_champion_and_challenger_are_loaded(settings: Models) -> None:
    registry(settings).promote(PROFILE.name, "1")
    registry(settings).promote(PROFILE.name, "2", Role.CHALLENGER)
    used = load_models(settings)
    assert used.champion is not None
    assert used.challenger is not None
    assert (used.champion.version, used.challenger.version) == ("profile/1", "profile/2")
    begun = Learned(begin=used.champion.profile)
    begun.add(frame(quiet(15)))
    begun.release(None)
    assert begun.evicted["late"] > 0
    said = check_models(settings)
    assert said.state is State.OK
    assert "champion: profile/1 of 1 clusters; challenger: profile/2" in said.detail


@pytest.mark.parametrize("role", list(Role))
def test_a_tampered_model_in_use_is_no_start(settings: Models, role: Role) -> None:
    registry(settings).promote(PROFILE.name, "1")
    registry(settings).promote(PROFILE.name, "2", role)
    file = settings.folder / PROFILE.name / "2" / "counts.arrow"
    file.write_bytes(bytes(file.stat().st_size))
    with pytest.raises(InvalidSettingsError) as refused:
        load_models(settings)
    assert str(refused.value).startswith(f"models: profile, the {role.value}: wrong-hash: ")
    said = check_models(settings)
    assert said.state is State.FAILED
    assert "wrong-hash" in said.detail
    assert "models verify" in said.advice


def test_a_model_that_is_not_in_use_harms_nobody(settings: Models) -> None:
    registry(settings).promote(PROFILE.name, "1")
    (settings.folder / PROFILE.name / "2" / "counts.arrow").write_bytes(b"")
    assert load_models(settings).champion is not None


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ([], "trusted_keys is empty"),
        ([public_text(OTHER.public_key())], "untrusted"),
        (["nonsense"], "no public key"),
    ],
)
def test_only_trusted_keys_count(settings: Models, keys: list[str], said: str) -> None:
    registry(settings).promote(PROFILE.name, "1")
    with pytest.raises(InvalidSettingsError, match=said):
        load_models(Models(folder=settings.folder, trusted_keys=keys))


def test_a_model_of_another_kind_is_no_profile(settings: Models) -> None:
    model = trained(LOGIN.name, event_frame(quiet_time()))
    put(settings.folder, "3", model.to_tables(), LOGIN.name)
    registry(settings).promote(PROFILE.name, "3")
    with pytest.raises(InvalidSettingsError, match="unknown-kind"):
        load_models(settings)


def test_a_broken_pointer_is_said(settings: Models) -> None:
    (settings.folder / PROFILE.name / "current.json").write_text("{")
    with pytest.raises(InvalidSettingsError, match="models: profile: "):
        load_models(settings)


def test_a_worker_loads_models_without_scikit_learn_and_numpy(settings: Models, root: Path) -> None:
    """Not one module of theirs, from the start of the worker to a detector that begins."""
    registry(settings).promote(PROFILE.name, "1")
    program = f"""
import sys
sys.modules["numpy"] = sys.modules["sklearn"] = None
import worker.run, worker.rulesets
from pathlib import Path
from detectors.anomaly.learned import Learned
from worker.detection_settings import Models
from worker.models import load_models
used = load_models(Models(folder=Path({str(settings.folder)!r}), trusted_keys=[{PUBLIC!r}]))
Learned(begin=used.champion.profile)
print(used.champion.version, sorted(m for m in sys.modules if m.startswith("models.training")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.stdout == "profile/1 []\n", done.stderr
