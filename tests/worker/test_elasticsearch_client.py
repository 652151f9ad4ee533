"""Settings become a client; what cannot be used is said without its secrets."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from pydantic import SecretStr

from worker.configuration import Elasticsearch, InvalidSettingsError
from worker.elasticsearch_client import connect_elasticsearch

SECRET = "correct-horse-battery"


def test_secrets_come_from_their_files(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{SECRET}\n")
    settings = Elasticsearch(
        url="http://es:9200", username="worker", password_file=tmp_path / "password"
    )
    client = connect_elasticsearch(settings)
    assert client._headers["authorization"] == _basic(f"worker:{SECRET}")
    assert SECRET not in repr(client)
    (tmp_path / "key").write_text("aWQ6a2V5\n")
    client = connect_elasticsearch(
        Elasticsearch(url="http://es:9200", api_key_file=tmp_path / "key")
    )
    assert client._headers["authorization"] == "ApiKey aWQ6a2V5"


def _basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (Elasticsearch(), "elasticsearch.url is not set"),
        (Elasticsearch(url="es"), "must be http"),
        (Elasticsearch(url=f"http://u:{SECRET}@es"), "not into its URL"),
        (Elasticsearch(url="https://es", ca_file=Path("missing.pem")), "ca_file missing.pem"),
        (Elasticsearch(url="https://es", ca_fingerprint="12"), "SHA-256"),
        (Elasticsearch(url="https://es", password_file=Path("missing")), "missing"),
        (
            Elasticsearch(url="https://es", username="u", api_key=SecretStr(SECRET)),
            "a user or an API key",
        ),
    ],
)
def test_what_cannot_be_used_is_named(settings: Elasticsearch, text: str) -> None:
    with pytest.raises(InvalidSettingsError, match=text) as raised:
        connect_elasticsearch(settings)
    assert SECRET not in str(raised.value)
