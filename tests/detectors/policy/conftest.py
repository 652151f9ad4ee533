"""What these tests share: the acts of the shipped rules, worked out once."""

from __future__ import annotations

import pytest

from detectors.policy.pack_acts import PackActs, acts_of_pack
from detectors.sigma.compiler import load_pack
from worker.settings import shipped_rules


@pytest.fixture(scope="session")
def shipped() -> PackActs:
    return acts_of_pack(load_pack([shipped_rules()]), lambda _: shipped_rules() / "bases")
