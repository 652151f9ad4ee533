"""Versions, and which of them are in use: changed at once or not at all, and only to what loads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.store import ModelRefusedError, Reason
from models.store.pointer import CURRENT, KEPT, Pointer, read_pointer
from models.store.registry import Registry, Role
from tests.models.store.making import EXPECT, KEY, OTHER_KEY, PROFILE, saved

NAME = "sessions"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    for version in ("1", "2", "10"):
        saved(tmp_path / NAME / version, version=version)
    return Registry(tmp_path, [KEY.public_key()], EXPECT)


def used(pointer: Pointer) -> tuple[str | None, str | None, list[str]]:
    champion, challenger = pointer.champion, pointer.challenger
    return (
        None if champion is None else champion.version,
        None if challenger is None else challenger.version,
        [one.version for one in pointer.before],
    )


def refusal(act: Callable[[], object]) -> Reason:
    with pytest.raises(ModelRefusedError) as refused:
        act()
    return refused.value.reason


def test_names_and_versions_are_folders_and_nothing_hidden(registry: Registry) -> None:
    (registry.folder / ".sessions.1.tmp").mkdir()
    (registry.folder / "file").touch()
    assert registry.names() == [NAME]
    assert registry.versions(NAME) == ["1", "2", "10"]
    assert registry.versions("none") == []
    assert Registry(registry.folder / "none", [], EXPECT).names() == []


def test_nothing_is_in_use_before_it_is_promoted(registry: Registry) -> None:
    assert registry.pointer(NAME) == Pointer()
    assert refusal(lambda: registry.current(NAME)) is Reason.NOT_PROMOTED


def test_promotion_and_rollback_lead_back(registry: Registry) -> None:
    assert used(registry.promote(NAME, "1")) == ("1", None, [])
    assert used(registry.promote(NAME, "2")) == ("2", None, ["1"])
    assert used(registry.promote(NAME, "2")) == ("2", None, ["1"])
    assert used(registry.promote(NAME, "10")) == ("10", None, ["2", "1"])
    assert registry.current(NAME).manifest.version == "10"
    assert used(registry.rollback(NAME)) == ("2", None, ["1"])
    assert used(registry.rollback(NAME)) == ("1", None, [])
    assert refusal(lambda: registry.rollback(NAME)) is Reason.NOT_PROMOTED
    assert registry.current(NAME).manifest.version == "1"


def test_a_challenger_stands_beside_and_may_become_the_champion(registry: Registry) -> None:
    registry.promote(NAME, "1")
    assert used(registry.promote(NAME, "2", Role.CHALLENGER)) == ("1", "2", [])
    assert registry.current(NAME, Role.CHALLENGER).manifest.version == "2"
    assert used(registry.promote(NAME, "10")) == ("10", "2", ["1"])
    assert used(registry.promote(NAME, "2")) == ("2", None, ["10", "1"])
    registry.promote(NAME, "1", Role.CHALLENGER)
    assert used(registry.withdraw(NAME)) == ("2", None, ["10", "1"])
    assert refusal(lambda: registry.current(NAME, Role.CHALLENGER)) is Reason.NOT_PROMOTED


def test_what_is_refused_is_not_promoted(registry: Registry) -> None:
    registry.promote(NAME, "1")
    (registry.folder / NAME / "2" / "nodes.arrow").write_bytes(b"")
    assert refusal(lambda: registry.promote(NAME, "2")) is Reason.WRONG_HASH
    assert refusal(lambda: registry.promote(NAME, "3")) is Reason.NOT_A_FOLDER
    assert refusal(lambda: registry.promote(NAME, "../1")) is Reason.NOT_PROMOTED
    assert refusal(lambda: registry.promote("..", "1")) is Reason.NOT_PROMOTED
    stranger = Registry(registry.folder, [OTHER_KEY.public_key()], EXPECT)
    assert refusal(lambda: stranger.promote(NAME, "10")) is Reason.UNTRUSTED
    assert used(registry.pointer(NAME)) == ("1", None, [])


def test_a_rollback_to_what_was_spoiled_leaves_the_champion(registry: Registry) -> None:
    registry.promote(NAME, "1")
    registry.promote(NAME, "2")
    (registry.folder / NAME / "1" / "signature").unlink()
    assert refusal(lambda: registry.rollback(NAME)) is Reason.UNSIGNED
    assert used(registry.pointer(NAME)) == ("2", None, ["1"])


def test_a_folder_exchanged_for_another_signed_model_is_noticed(registry: Registry) -> None:
    registry.promote(NAME, "2")
    folder = registry.folder / NAME / "2"
    shutil.rmtree(folder)
    saved(folder, PROFILE.name, version="2")
    assert refusal(lambda: registry.current(NAME)) is Reason.NOT_PROMOTED
    shutil.rmtree(folder)
    shutil.copytree(registry.folder / NAME / "1", folder)
    assert refusal(lambda: registry.current(NAME)) is Reason.BAD_MANIFEST


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"champion": "1"}',
        '{"champion": {"version": "../1", "sha256": "' + "0" * 64 + '"}}',
        '{"champion": {"version": "1", "sha256": "0"}}',
        '{"champion": null, "code": 1}',
        "[" * 60_000,
    ],
)
def test_a_pointer_that_is_none_is_refused(registry: Registry, text: str) -> None:
    (registry.folder / NAME / CURRENT).write_text(text)
    assert refusal(lambda: registry.current(NAME)) is Reason.NOT_PROMOTED


def test_a_pointer_that_is_no_file_is_refused_and_holds_nobody_up(registry: Registry) -> None:
    registry.promote(NAME, "1")
    file = registry.folder / NAME / CURRENT
    file.symlink_to(file.rename(registry.folder / "elsewhere.json"))
    assert refusal(lambda: registry.current(NAME)) is Reason.SYMLINK
    file.unlink()
    os.mkfifo(file)
    assert refusal(lambda: registry.current(NAME)) is Reason.NOT_A_FILE
    assert refusal(lambda: registry.current("none")) is Reason.NOT_A_FOLDER


def test_promotions_at_the_same_time_all_count(registry: Registry) -> None:
    versions = ["1", "2", "10"] * 4
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda version: registry.promote(NAME, version), versions))
    pointer = registry.pointer(NAME)
    assert pointer.champion is not None
    assert {pointer.champion.version, *(one.version for one in pointer.before)} == {"1", "2", "10"}
    assert not list((registry.folder / NAME).glob("*.tmp"))


def test_what_is_remembered_has_a_bound(registry: Registry) -> None:
    for number in range(KEPT + 5):
        registry.promote(NAME, "1" if number % 2 else "2")
    assert len(read_pointer(registry.folder / NAME).before) == KEPT
