"""Settings in, a client of Elasticsearch out; secrets come from their files.

Separate from the settings so that only what speaks to Elasticsearch loads its client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinks.elasticsearch.connection import Client, Credentials, connect
from worker.configuration import InvalidSettingsError, secret

if TYPE_CHECKING:
    from worker.configuration import Elasticsearch


def connect_elasticsearch(settings: Elasticsearch) -> Client:
    """Make a client; nothing is sent yet.

    Raises
        InvalidSettingsError: there is no URL, a file cannot be read, or settings exclude each
            other; the message holds no secret.
    """
    if settings.url is None:
        raise InvalidSettingsError("elasticsearch.url is not set")
    credentials = Credentials(
        settings.username,
        secret(settings.password, settings.password_file),
        secret(settings.api_key, settings.api_key_file),
    )
    try:
        return connect(
            settings.url,
            credentials,
            ca_file=settings.ca_file,
            ca_fingerprint=settings.ca_fingerprint,
            timeout_s=settings.request_timeout_s,
        )
    except OSError as error:
        raise InvalidSettingsError(f"elasticsearch.ca_file {settings.ca_file}: {error}") from error
    except ValueError as error:
        raise InvalidSettingsError(f"elasticsearch: {error}") from error
