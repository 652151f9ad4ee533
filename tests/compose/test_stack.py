from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.compose.stack import (
    COMPOSE,
    ROOT,
    files,
    mounts,
    own,
    secret_files,
    services,
    stack,
)
from worker.configuration import ENVIRONMENT_PREFIX, Settings, load_settings

LONG_RUNNING = ("worker", "collect-webhook", "collect-kafka")
ONCE = ("kafka-access", "elasticsearch-access", "setup")


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
        monkeypatch.delenv(name)
    return monkeypatch


def settings_of(service: str, environment: pytest.MonkeyPatch) -> Settings:
    given = services()[service]["environment"]
    for name, value in given.items():
        environment.setenv(name, value)
    return load_settings(COMPOSE / "trailwarden.yml")


@pytest.mark.parametrize("name", ["compose.yaml", "inbox.yaml"])
def test_it_is_a_compose_file(name: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, COMPOSE / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", sorted(services()))
def test_an_image_is_pinned_by_version(name: str) -> None:
    _, _, tag = services()[name]["image"].rpartition(":")
    assert any(character.isdigit() for character in tag)
    assert tag.count(".") == 2
    assert "latest" not in tag


@pytest.mark.parametrize("name", sorted(services()))
def test_no_container_is_root_or_can_become_it(name: str) -> None:
    service = services()[name]
    assert service["user"].split(":")[0] not in {"0", "root"}
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")


@pytest.mark.parametrize("name", own())
def test_ours_write_only_where_they_must(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert all(volume.endswith(":ro") for volume in service["volumes"] if volume.startswith("."))


@pytest.mark.parametrize("name", sorted(services()))
def test_memory_is_bounded(name: str) -> None:
    assert services()[name]["mem_limit"].endswith(("m", "g"))


def test_a_worker_has_what_was_promised() -> None:
    assert services()["worker"]["mem_limit"] == "1g"


@pytest.mark.parametrize("name", sorted(set(services()) - set(ONCE)))
def test_a_service_comes_back_and_says_whether_it_works(name: str) -> None:
    service = services()[name]
    assert service["restart"] == "unless-stopped"
    # Ours have theirs from the image.
    assert name in own() or service["healthcheck"]["test"]


@pytest.mark.parametrize("name", ONCE)
def test_what_runs_once_does_not_come_back(name: str) -> None:
    assert services()[name]["restart"] == "no"
    assert services()[name]["healthcheck"] == {"disable": True}


@pytest.mark.parametrize("name", sorted(services()))
def test_it_waits_for_what_it_needs(name: str) -> None:
    for other, how in services()[name].get("depends_on", {}).items():
        expected = "service_completed_successfully" if other in ONCE else "service_healthy"
        assert how == {"condition": expected}


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_nothing_starts_before_setup_is_done(name: str) -> None:
    assert "setup" in services()[name]["depends_on"]


def test_only_the_webhook_and_pages_for_people_are_published_and_only_here() -> None:
    ports = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert ports.keys() == {"collect-webhook", "kibana", "grafana"}
    assert all(":-127.0.0.1}:" in port for published in ports.values() for port in published)


def test_the_stores_reach_nothing_outside() -> None:
    networks = stack()["networks"]
    closed = {name for name, network in networks.items() if network.get("internal")}
    assert set(networks) - closed == {"edge"}
    for name in ("kafka", "elasticsearch", "worker", "prometheus", *ONCE):
        assert set(services()[name]["networks"]) <= closed


@pytest.mark.parametrize("name", sorted(services()))
def test_services_that_depend_on_each_other_share_a_network(name: str) -> None:
    service = services()[name]
    for other, how in service.get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert set(service["networks"]) & set(services()[other]["networks"])


def test_every_secret_is_generated(credentials: Path) -> None:
    assert all((credentials / name).is_file() for name in secret_files().values())


def test_every_secret_that_is_used_is_declared_and_each_is_used() -> None:
    used = {secret for service in services().values() for secret in service.get("secrets", [])}
    assert used == set(stack()["secrets"])


def test_every_mount_exists_or_is_generated(credentials: Path) -> None:
    for service in services().values():
        for source, _, options in mounts(service):
            generated = source.startswith("./secrets/")
            place = credentials / source[10:] if generated else COMPOSE / source
            assert place.exists(), source
            assert options == "ro"


def test_the_authority_s_key_is_mounted_nowhere() -> None:
    sources = {source for service in services().values() for source, *_ in mounts(service)}
    assert "ca.key" not in secret_files().values()
    assert not {"./secrets", "./secrets/", "./secrets/ca.key"} & sources


@pytest.mark.parametrize("name", sorted(services()))
def test_a_secret_file_that_is_named_is_given(name: str) -> None:
    service = services()[name]
    given = set(service.get("secrets", []))
    named = [value for value in service.get("environment", {}).values() if isinstance(value, str)]
    named += [part for part in service.get("command") or [] if isinstance(part, str)]
    wanted = {part.rpartition("/run/secrets/")[2] for part in named if "/run/secrets/" in part}
    assert wanted <= given


@pytest.mark.parametrize("name", ["setup", *LONG_RUNNING])
def test_the_settings_are_taken(name: str, clean_environment: pytest.MonkeyPatch) -> None:
    settings = settings_of(name, clean_environment)
    assert settings.kafka.security_protocol in {"SASL_SSL", "SSL"}
    assert settings.elasticsearch.url == "https://elasticsearch:9200"


@pytest.mark.parametrize("name", ["setup", *LONG_RUNNING])
def test_each_proves_itself_with_a_file_of_its_own(
    name: str, clean_environment: pytest.MonkeyPatch
) -> None:
    kafka = settings_of(name, clean_environment).kafka
    secret = kafka.key_file if kafka.security_protocol == "SSL" else kafka.password_file
    assert secret is not None
    holders = [other for other, s in services().items() if secret.name in s.get("secrets", [])]
    assert [other for other in holders if other not in {"kafka-access", "setup", name}] == []


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_the_files_that_the_settings_name_are_given(
    name: str, clean_environment: pytest.MonkeyPatch
) -> None:
    settings = settings_of(name, clean_environment)
    named = {
        *(settings.kafka.password_file, settings.kafka.ca_file),
        *((settings.elasticsearch.password_file,) if name == "worker" else ()),
        *((settings.worker.redaction_key_file,) if name == "worker" else ()),
    }
    if name == "collect-webhook":
        webhook = settings.webhook
        named |= {webhook.certificate_file, webhook.key_file, webhook.tokens_file}
    wanted = {path.name for path in named if path is not None}
    assert len(wanted) == len(named)
    assert wanted <= set(services()[name]["secrets"])


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_folders_that_are_written_are_volumes(
    name: str, clean_environment: pytest.MonkeyPatch
) -> None:
    settings = settings_of(name, clean_environment)
    folder = settings.store.folder if name == "worker" else settings.collect.spool
    targets = {volume.split(":")[1] for volume in services()[name]["volumes"]}
    assert str(folder) in targets


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_the_health_check_of_the_image_asks_where_the_service_answers(
    name: str, clean_environment: pytest.MonkeyPatch
) -> None:
    telemetry = settings_of(name, clean_environment).telemetry
    assert f"127.0.0.1:{telemetry.port}/healthz" in (ROOT / "Dockerfile").read_text()
    assert telemetry.host == "0.0.0.0"  # noqa: S104 - inside the container


def commands() -> list[tuple[str, ...]]:
    given = [services()[name]["command"] for name in own() if services()[name]["command"]]
    return sorted({tuple(part for part in line[: line.index("--config")]) for line in given})


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_exists_and_takes_a_file_of_settings(words: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "trailwarden", *words, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "--config" in done.stdout


def test_compose_names_three_commands_of_ours() -> None:
    assert set(commands()) == {("collect", "kafka"), ("collect", "webhook"), ("run",), ("setup",)}


def test_no_password_stands_in_any_file() -> None:
    for path in files():
        for line in path.read_text().splitlines():
            key, _, value = line.partition(":" if path.suffix in {".yaml", ".yml"} else "=")
            if path.suffix != ".py" and key.strip().lower().endswith("password") and value.strip():
                assert "${" in value or "$(" in value or "secrets/" in value, f"{path}: {line}"


def test_credentials_stay_out_of_the_repository() -> None:
    ignored = (COMPOSE / ".gitignore").read_text().splitlines()
    assert "secrets/" in ignored


def test_the_overlay_opens_kafka_under_a_name_that_must_be_given() -> None:
    kafka = yaml.safe_load((COMPOSE / "inbox.yaml").read_text())["services"]["kafka"]
    assert ":?" in kafka["environment"]["SHIPPERS_HOST"]
    assert kafka["ports"][0].endswith(":9095")
    assert set(kafka["networks"]) >= set(services()["kafka"]["networks"])
