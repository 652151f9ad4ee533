"""`trailwarden models`: only what loads comes into use, and every refusal has its line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import orjson
import polars as pl
import pytest
from typer.testing import CliRunner, Result

from models.kinds import KINDS
from models.store import Manifest, save_model
from models.store.keys import make_key, parse_public, read_private_key
from models.store.manifest import ColumnType
from models.volume import VOLUME
from tests.models.store.making import manifest
from trailwarden.commands.models import app

NAME = "sessions"


TYPES = {ColumnType.TEXT: pl.String, ColumnType.BOOL: pl.Boolean}
EMPTY = {
    name: pl.DataFrame(
        schema={one: TYPES.get(held) or getattr(pl, held.title()) for one, held in columns.items()}
    )
    for name, columns in VOLUME.tables.items()
}
"""A model that has seen nothing."""


def volume(version: str) -> Manifest:
    assert VOLUME.features is not None
    made = manifest(VOLUME.name, version)
    return msgspec.structs.replace(made, features=VOLUME.features)


class Setting:
    """A registry of two versions, and the settings for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "models"
        self.public = make_key(folder / "key.pem")
        self.key = read_private_key(folder / "key.pem")
        for version in ("1", "2"):
            place = self.folder / NAME / version
            save_model(place, volume(version), EMPTY, self.key, expect=KINDS)
        self.file = folder / "settings.yml"
        self.file.write_text(
            f"models:\n  folder: {self.folder}\n  trusted_keys: ['{self.public}']\n"
        )

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--config", str(self.file)])

    def good(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.exit_code == 0, done.output
        return done.stdout

    def spoil(self, version: str) -> None:
        (self.folder / NAME / version / "levels.arrow").write_bytes(b"")


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path)


def test_versions_are_promoted_rolled_back_and_shown(setting: Setting) -> None:
    assert setting.good("promote", NAME, "1") == f"{NAME}: champion 1, challenger none\n"
    said = setting.good("promote", NAME, "2", "--challenger")
    assert said == f"{NAME}: champion 1, challenger 2\n"
    rows = orjson.loads(setting.good("list", "--json"))
    assert [(row["version"], row["uses"]) for row in rows] == [
        ("1", ["champion"]),
        ("2", ["challenger"]),
    ]
    assert setting.good("promote", NAME, "2") == f"{NAME}: champion 2, challenger none\n"
    assert orjson.loads(setting.good("show", NAME, "--json"))["version"] == "2"
    assert setting.good("rollback", NAME) == f"{NAME}: champion 1, challenger none\n"
    assert orjson.loads(setting.good("show", NAME, "--json"))["version"] == "1"
    setting.good("promote", NAME, "2", "--challenger")
    said = setting.good("rollback", NAME, "--challenger")
    assert said == f"{NAME}: champion 1, challenger none\n"


def test_a_version_is_shown_with_its_window_metrics_and_tables(setting: Setting) -> None:
    said = setting.good("show", NAME, "2")
    assert f"kind: {VOLUME.name}\n" in said
    assert "window: start 2026-11-01T00:00:00Z, end 2026-11-01T00:23:00Z\n" in said
    assert "metrics: recall 0.5\n" in said
    assert "levels.arrow: 0 rows, " in said
    assert "uses: none\n" in said


def test_the_table_names_what_is_refused(setting: Setting) -> None:
    said = setting.good("list")
    assert VOLUME.name in said
    assert "2026-11-01 00:00 to 00:23" in " ".join(said.split())
    setting.spoil("2")
    done = setting.run("list")
    assert done.exit_code == 1
    assert "wrong-hash" in done.stdout
    assert "2 versions, 1 of them refused" in done.stderr


def test_verify_says_each_refusal_in_a_line(setting: Setting) -> None:
    assert setting.good("verify") == "3 are what was signed, and can be used\n"
    assert setting.good("verify", NAME, "1") == "1 are what was signed, and can be used\n"
    setting.good("promote", NAME, "2")
    setting.spoil("2")
    done = setting.run("verify")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        [f"{NAME} 2", "wrong-hash"],
        [f"{NAME} in use", "wrong-hash"],
    ]
    assert setting.run("verify", NAME, "1").exit_code == 0
    assert setting.run("verify", "none").exit_code == 1


def test_what_is_refused_is_not_promoted(setting: Setting) -> None:
    setting.good("promote", NAME, "1")
    setting.spoil("2")
    done = setting.run("promote", NAME, "2")
    assert done.exit_code == 1
    assert done.stderr.startswith("trailwarden: wrong-hash: ")
    assert setting.run("rollback", NAME).exit_code == 1
    assert setting.run("promote", "../up", "1").exit_code == 1
    assert orjson.loads(setting.good("show", NAME, "--json"))["version"] == "1"


def test_options_win_over_the_settings(setting: Setting, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other.pem")
    done = setting.run("verify", "--trusted-key", other)
    assert done.exit_code == 1
    assert "untrusted: " in done.stdout
    setting.good("verify", "--trusted-key", other, "--trusted-key", setting.public)
    done = setting.run("list", "--models", str(tmp_path / "none"))
    assert done.exit_code == 2
    assert "no such folder" in done.stderr


def test_without_a_trusted_key_nothing_is_loaded(setting: Setting) -> None:
    setting.file.write_text(f"models:\n  folder: {setting.folder}\n")
    done = setting.run("verify")
    assert done.exit_code == 2
    assert "models.trusted_keys" in done.stderr
    assert setting.run("verify", "--trusted-key", "nonsense").exit_code == 2


def test_a_key_is_made_once(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    done = CliRunner().invoke(app, ["key", str(file)])
    assert done.exit_code == 0
    key = read_private_key(file)
    held = parse_public(done.stdout).public_bytes_raw()
    assert held == key.public_key().public_bytes_raw()
    assert "PRIVATE" not in done.output
    again = CliRunner().invoke(app, ["key", str(file)])
    assert again.exit_code == 1
    assert "File exists" in again.stderr
    assert read_private_key(file).private_bytes_raw() == key.private_bytes_raw()
