"""`trailwarden services`: what it says, what it leaves behind, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from trailwarden.commands.services import app
from worker.configuration import load_settings
from worker.services.detached import Detached, identity_of
from worker.services.jar_lock import Server
from worker.services.lifecycle import settings_text
from worker.services.ports import free_port


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a folder for servers; none outlives the test."""
    place = tmp_path / "servers"
    yield place
    assert run("down", "--folder", place, "--deadline", "10").exit_code == 0


def pid(folder: Path, server: Server) -> int:
    running = Detached(folder / server).running()
    assert running is not None
    return running.pid


def test_status_of_nothing_is_not_ready(tmp_path: Path) -> None:
    result = run("status", "--folder", tmp_path / "none")
    assert result.exit_code == 1
    assert result.output.count("not running") == len(Server)


def test_down_of_nothing_leaves_nothing(tmp_path: Path) -> None:
    result = run("down", "--folder", tmp_path / "none")
    assert result.exit_code == 0
    assert result.output.count("was not running") == len(Server)
    assert not (tmp_path / "none").exists()


def test_a_server_elsewhere_that_is_not_there_is_said(tmp_path: Path) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    folder = tmp_path / "servers"
    options = ("--folder", folder, "--only", "kafka", "--kafka", nobody, "--timeout", "0")
    result = run("up", *options)
    assert result.exit_code == 1
    assert f"Kafka at {nobody} is not ready" in result.output
    assert not (folder / "trailwarden.yml").exists()


def test_a_wrong_option_is_wrong_usage(tmp_path: Path) -> None:
    assert run("up", "--folder", tmp_path, "--only", "zookeeper").exit_code == 2
    assert run("up", "--folder", tmp_path, "--kafka-port", "70000").exit_code == 2


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("up", "--folder", tmp_path / "file", "--only", "kafka")
    assert result.exit_code == 1
    assert str(tmp_path / "file") in result.output


def test_the_extra_that_is_missing_is_named(tmp_path: Path, root: Path) -> None:
    (tmp_path / "jgo.py").write_text("raise ImportError")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from trailwarden.commands.services import app; app()",
            "up",
            "--folder",
            str(tmp_path / "servers"),
            "--kafka-port",
            "0",
        ],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{root}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install 'trailwarden[services]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_names_the_extra_and_loads_no_server() -> None:
    assert "trailwarden[services]" in run("up", "--help").output
    code = (
        "import sys, trailwarden.commands.services;"
        "sys.exit(any(m.startswith('worker') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_settings_file_is_what_config_takes(tmp_path: Path) -> None:
    addresses = {Server.KAFKA: "127.0.0.1:1", Server.ELASTICSEARCH: "http://127.0.0.1:2"}
    file = tmp_path / "trailwarden.yml"
    file.write_text(settings_text(tmp_path, addresses))
    settings = load_settings(file)
    assert settings.kafka.bootstrap_servers == "127.0.0.1:1"
    assert settings.elasticsearch.url == "http://127.0.0.1:2"
    assert settings.elasticsearch.replicas == 0
    assert settings.store.folder == tmp_path / "store"


def test_the_settings_file_of_one_server_leaves_the_other_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "trailwarden.yml"
    file.write_text(settings_text(tmp_path, {Server.KAFKA: "127.0.0.1:1"}))
    assert load_settings(file).elasticsearch.url is None


@pytest.mark.integration
def test_servers_go_up_stay_up_and_come_down(folder: Path) -> None:
    ports = {server: free_port() for server in Server}
    options: list[str | Path] = ["--folder", folder]
    for server, port in ports.items():
        options += [f"--{server}-port", str(port)]
    first = run("up", *options, "--elasticsearch-heap", "512", "--kafka-heap", "256")
    assert first.exit_code == 0, first.output
    bootstrap = f"127.0.0.1:{ports[Server.KAFKA]}"
    assert f"TRAILWARDEN_KAFKA__BOOTSTRAP_SERVERS={bootstrap}\n" in first.stdout
    url = f"http://127.0.0.1:{ports[Server.ELASTICSEARCH]}"
    assert f"TRAILWARDEN_ELASTICSEARCH__URL={url}\n" in first.stdout
    assert load_settings(folder / "trailwarden.yml").kafka.bootstrap_servers == bootstrap

    pids = {server: pid(folder, server) for server in Server}
    again = run("up", "--folder", folder)
    assert again.exit_code == 0, again.output
    assert again.stdout == first.stdout
    assert {server: pid(folder, server) for server in Server} == pids

    moved = run("up", "--folder", folder, "--only", "kafka", "--kafka-port", str(free_port()))
    assert moved.exit_code == 1
    assert f"runs at {bootstrap}" in moved.output

    shown = run("status", "--folder", folder)
    assert shown.exit_code == 0
    for server in Server:
        assert f"pid {pids[server]}  ready" in shown.output

    os.kill(pids[Server.ELASTICSEARCH], signal.SIGKILL)
    os.waitpid(pids[Server.ELASTICSEARCH], 0)
    half = run("status", "--folder", folder)
    assert half.exit_code == 1
    assert "elasticsearch  -  not running" in half.output
    assert f"pid {pids[Server.KAFKA]}  ready" in half.output

    down = run("down", "--folder", folder)
    assert down.output == "kafka: stopped\nelasticsearch: was not running\n"
    assert identity_of(pids[Server.KAFKA]) is None


@pytest.mark.integration
def test_servers_elsewhere_are_only_checked(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    options = ("--kafka", kafka, "--elasticsearch", elasticsearch_url)
    result = run("up", "--folder", tmp_path, *options)
    assert result.exit_code == 0, result.output
    assert load_settings(tmp_path / "trailwarden.yml").kafka.bootstrap_servers == kafka
    assert not any(Detached(tmp_path / server).running() for server in Server)
