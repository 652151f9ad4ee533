from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from trailwarden.collect_webhook_command import _with_options
from trailwarden.commands.collect import app
from worker.configuration import Falco, InvalidSettingsError, Settings, Webhook

SETTINGS = Settings(webhook=Webhook(host="127.0.0.2", port=1, acknowledge_s=3.0))


def test_options_win_over_settings_and_leave_the_others() -> None:
    options = {"certificate_file": Path("c.pem"), "key_file": None}
    webhook = _with_options(SETTINGS, "[::1]:8443", options).webhook
    assert (webhook.host, webhook.port) == ("::1", 8443)
    assert webhook.certificate_file == Path("c.pem")
    assert webhook.key_file is None
    assert webhook.acknowledge_s == 3.0
    assert _with_options(SETTINGS, None, {}) == SETTINGS


@pytest.mark.parametrize("listen", ["8443", ":8443", "host:", "host:x", "host:65536", "host:-1"])
def test_an_address_that_is_none_is_refused(listen: str) -> None:
    with pytest.raises(InvalidSettingsError, match="HOST:PORT"):
        _with_options(SETTINGS, listen, {})


def test_settings_that_cannot_be_used_end_with_2_and_say_why(tmp_path: Path) -> None:
    missing = tmp_path / "none.yml"
    result = CliRunner().invoke(app, ["webhook", "--config", str(missing)])
    assert result.exit_code == 2
    assert "none.yml" in result.stderr
    result = CliRunner().invoke(app, ["webhook", "--listen", "0.0.0.0:0"])
    assert result.exit_code == 2
    assert "certificate_file" in result.stderr


def test_options_of_falco_change_its_settings_alone() -> None:
    settings = Settings(falco=Falco(acknowledge_s=7.0))
    changed = _with_options(settings, "127.0.0.1:9000", {"tokens_file": Path("t")}, "falco")
    assert (changed.falco.port, changed.falco.tokens_file) == (9000, Path("t"))
    assert (changed.falco.acknowledge_s, changed.webhook) == (7.0, settings.webhook)


def test_falco_ends_with_2_for_settings_that_cannot_be_used() -> None:
    result = CliRunner().invoke(app, ["falco", "--listen", "0.0.0.0:0"])
    assert result.exit_code == 2
    assert "falco: host 0.0.0.0" in result.stderr


def test_help_says_how_falco_is_told() -> None:
    result = CliRunner().invoke(app, ["falco", "--help"])
    assert result.exit_code == 0
    assert "http_output" in result.stdout


def test_help_says_how_an_api_server_is_told() -> None:
    result = CliRunner().invoke(app, ["webhook", "--help"])
    assert result.exit_code == 0
    assert "--audit-webhook-config-file" in result.stdout
