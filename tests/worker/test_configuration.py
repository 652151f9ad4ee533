"""Settings: the environment wins, secrets stay secret, what is wrong is named without its value."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from worker.configuration import InvalidSettingsError, Settings, load_settings, secret

PLANTED = "hunter2-planted"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TRAILWARDEN_")]:
        monkeypatch.delenv(name)


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "trailwarden.yml"
    file.write_text(text)
    return file


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(InvalidSettingsError) as caught:
        load_settings(written(tmp_path, text))
    return str(caught.value)


def test_without_file_and_environment_every_setting_has_its_default() -> None:
    settings = load_settings(None)
    assert settings == Settings()
    assert settings.kafka.bootstrap_servers == "127.0.0.1:9092"
    assert settings.elasticsearch.url is None


def test_a_file_without_settings_changes_nothing_and_an_empty_one_is_a_mistake(
    tmp_path: Path,
) -> None:
    assert load_settings(written(tmp_path, "{}\n")) == Settings()
    assert "the file is empty" in refused(tmp_path, "# nothing\n")


def test_a_file_sets_what_it_names_and_leaves_the_rest(tmp_path: Path) -> None:
    settings = load_settings(
        written(tmp_path, "kafka:\n  group: g\ncheckpoint:\n  interval_s: 1\ntail:\n  paths: [a]\n")
    )
    assert (settings.kafka.group, settings.kafka.raw_topic) == ("g", "raw")
    assert settings.checkpoint.interval_s == 1.0
    assert settings.tail.paths == ["a"]


def test_the_environment_wins_over_the_file_setting_by_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAILWARDEN_KAFKA__GROUP", "from-environment")
    monkeypatch.setenv("TRAILWARDEN_WORKER__BATCH_RECORDS", "7")
    monkeypatch.setenv("TRAILWARDEN_INBOX__CLUSTERS", '{"inbox.a": "blue"}')
    file = written(tmp_path, "kafka:\n  group: from-file\n  raw_topic: records\n")
    settings = load_settings(file)
    assert (settings.kafka.group, settings.kafka.raw_topic) == ("from-environment", "records")
    assert settings.worker.batch_records == 7
    assert settings.inbox.clusters == {"inbox.a": "blue"}


def test_settings_and_their_groups_are_frozen() -> None:
    settings = load_settings(None)
    with pytest.raises(ValidationError, match="frozen"):
        settings.kafka.group = "x"
    with pytest.raises(ValidationError, match="frozen"):
        settings.kafka = settings.kafka


def test_secrets_print_as_stars_and_are_read_on_purpose_only(tmp_path: Path) -> None:
    settings = load_settings(
        written(
            tmp_path,
            f"kafka:\n  password: {PLANTED}\n"
            f"elasticsearch:\n  password: {PLANTED}\n  api_key: {PLANTED}\n",
        )
    )
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert PLANTED not in text
        assert "***" in text
    assert secret(settings.kafka.password, None) == PLANTED


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"kafka:\n  grup: {PLANTED}\n", "kafka.grup"),
        (f"kafak:\n  group: {PLANTED}\n", "kafak"),
        (f"checkpoint:\n  interval_s: {PLANTED}\n", "checkpoint.interval_s"),
        (f"kafka: {PLANTED}\n", "kafka"),
        (f"elasticsearch:\n  events: {PLANTED}\n", "elasticsearch.events"),
        (f"kafka:\n  password: [{PLANTED}]\n", "kafka.password"),
        ("checkpoint:\n  interval_s: 0\n", "checkpoint.interval_s"),
        ("worker:\n  batch_records: 0\n", "worker.batch_records"),
        ("worker:\n  batch_records: 100001\n", "worker.batch_records"),
        ("worker:\n  quarantine_share: 1.01\n", "worker.quarantine_share"),
        ("telemetry:\n  port: 65536\n", "telemetry.port"),
        ("elasticsearch:\n  replicas: -1\n", "elasticsearch.replicas"),
    ],
)
def test_what_is_unknown_or_wrong_is_named_with_its_file_and_without_its_value(
    tmp_path: Path, text: str, name: str
) -> None:
    message = refused(tmp_path, text)
    assert message.startswith(f"{tmp_path / 'trailwarden.yml'}: {name}: ")
    assert PLANTED not in message


def test_every_problem_has_its_line(tmp_path: Path) -> None:
    message = refused(tmp_path, "kafka:\n  a: 1\n  b: 2\nstore:\n  folder: [1]\n")
    assert [line.split(": ")[1] for line in message.splitlines()] == [
        "kafka.a",
        "kafka.b",
        "store.folder",
    ]


@pytest.mark.parametrize("name", ["TRAILWARDEN_KAFKA__GRUP", "TRAILWARDEN_CHECKPOINT__INTERVAL_S"])
def test_a_wrong_variable_is_named_as_the_environments(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, PLANTED)
    with pytest.raises(InvalidSettingsError) as caught:
        load_settings(None)
    message = str(caught.value)
    assert message.startswith("environment: ")
    assert name.removeprefix("TRAILWARDEN_").lower().replace("__", ".") in message
    assert PLANTED not in message


@pytest.mark.parametrize(
    "text", ["kafka: &a {}\n", "kafka: !!python/object:x {}\n", "kafka: {}\nkafka: {}\n", "a: [\n"]
)
def test_yaml_is_as_strict_as_for_rules(tmp_path: Path, text: str) -> None:
    assert str(tmp_path / "trailwarden.yml") in refused(tmp_path, text)


@pytest.mark.parametrize("text", ["- a\n", "7\n", "text\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert "must be a mapping" in refused(tmp_path, text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettingsError, match=r"missing\.yml: No such file"):
        load_settings(tmp_path / "missing.yml")
    with pytest.raises(InvalidSettingsError, match="Is a directory"):
        load_settings(tmp_path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "trailwarden.yml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidSettingsError, match=r"trailwarden\.yml"):
        load_settings(file)


def test_a_secrets_file_wins_over_the_setting_and_loses_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(" from-file\n")
    assert secret(SecretStr("from-setting"), file) == "from-file"
    assert secret(None, None) is None
    with pytest.raises(InvalidSettingsError, match="nothing: No such file"):
        secret(SecretStr(PLANTED), tmp_path / "nothing")


def test_a_secrets_file_that_is_no_text_is_refused_without_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"planted\xff")
    with pytest.raises(InvalidSettingsError, match="password") as caught:
        secret(None, file)
    assert "planted" not in str(caught.value).replace(str(file), "")


def test_a_variable_that_must_be_json_and_is_not_is_refused_without_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRAILWARDEN_TAIL__PATHS", PLANTED)
    with pytest.raises(InvalidSettingsError) as caught:
        load_settings(None)
    assert PLANTED not in str(caught.value)
    assert 'environment: error parsing value for field "tail"' in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
